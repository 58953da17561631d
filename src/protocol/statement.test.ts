import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { base64url, utf8 } from '../core/bytes.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { nodeDigest as digest } from '../platform/digest.ts';
import {
  agreement,
  bytes16,
  inDays,
  issueKey,
  logKey,
  rootKey,
  seedOfName,
  source,
  target,
  trustListOf,
} from './example-publisher.test.ts';
import type { SigningKey } from './paseto.ts';
import { signPaseto } from './paseto.ts';
import type { ClearinghouseStatement, ServerStatement } from './statement.ts';
import {
  isOfClearinghouse,
  openClearinghouseStatement,
  openServerStatement,
  signStatement,
} from './statement.ts';

const line = { agreement, line: 0, product: 'ts-2012r2', type: 'device' } as const;
const root = base64url(seedOfName('root of the log'));
const ofServer: ServerStatement = {
  ...{ t: 'statement', v: 1, by: source.kid, gen: 1, ...line, iat: inDays(0) },
  told: { aid: bytes16('aid'), seq: 0 },
  ...{ move: 'mv-1', moved: { unissued: 20, held: 10 } },
  numbers: {
    ...{ installed: 10, unissued: 4, issued: 6, held: 0, reserved: 0, quarantined: 0, granted: 40 },
  },
  log: { name: 'server', size: 12, root },
};
const heard = { size: 12, committed: 10, coming: 0, granted: 40 };
const ofClearinghouse: ClearinghouseStatement = {
  ...{ t: 'statement', v: 1, by: 'clearinghouse', ...line, iat: inDays(0), move: 'mv-1' },
  ...{ source: source.kid, target: target.kid, carrier: 'online', state: 'closed' },
  ...{ moved: { unissued: 20, held: 10 }, silent: [] },
  numbers: {
    ...{ entitled: 100, inHand: 90, retired: 0, quarantined: [], inTransit: [] },
    committed: [{ licenseServerId: source.kid, generation: 1, amount: 10 }],
  },
  heard: { source: heard, target: null },
  log: { name: agreement, size: 30, root },
};
const list = trustListOf();

function signAs(payload: object, key: SigningKey, as: { footer: object; implicit?: string }): string {
  const { footer, implicit = 'calyx-statement/1' } = as;
  return signPaseto({
    ...{ payload: utf8(JSON.stringify(payload)), key: key.privateKey },
    ...{ footer: utf8(JSON.stringify(footer)), implicit: utf8(implicit) },
  });
}

const codeOf = (result: Result<unknown, Refusal>): string => (result.ok ? 'opened' : result.error.code);
const pkOf = (key: SigningKey) => ({ kid: key.kid, pk: base64url(key.publicKey) });

describe('a statement of a license server', () => {
  const token = signStatement(ofServer, source);

  it('says what was signed, under the key that its License Server ID is the hash of', () => {
    assert.deepEqual(openServerStatement(digest, token), { ok: true, value: ofServer });
    assert.equal(isOfClearinghouse(token), false);
  });

  it('has one text', () => {
    for (let place = 0; place < token.length; place += 5) {
      const other = token[place] === 'A' ? 'B' : 'A';
      const changed = `${token.slice(0, place)}${other}${token.slice(place + 1)}`;
      assert.notEqual(codeOf(openServerStatement(digest, changed)), 'opened', `character ${place}`);
    }
  });

  it('is refused in the name of another, under another assertion, and with numbers that cannot be', () => {
    const negative = { ...ofServer, numbers: { ...ofServer.numbers, unissued: -1 } };
    for (const [name, text] of [
      ['another name', signAs(ofServer, target, { footer: pkOf(target) })],
      ['another key', signAs(ofServer, target, { footer: { ...pkOf(target), kid: source.kid } })],
      ['a message', signAs(ofServer, source, { footer: pkOf(source), implicit: 'calyx-message/1' })],
      ['below zero', signAs(negative, source, { footer: pkOf(source) })],
      ['one more member', signAs({ ...ofServer, more: 1 }, source, { footer: pkOf(source) })],
      ['the clearinghouse', signStatement(ofClearinghouse, issueKey)],
    ] as const) {
      assert.notEqual(codeOf(openServerStatement(digest, text)), 'opened', name);
    }
  });
});

describe('a statement of the clearinghouse', () => {
  const token = signStatement(ofClearinghouse, issueKey);

  it('says what was signed under a key of the trust list, in force at that time', () => {
    assert.deepEqual(openClearinghouseStatement(token, list), { ok: true, value: ofClearinghouse });
    assert.equal(isOfClearinghouse(token), true);
    const long = { ...ofClearinghouse, iat: inDays(500) };
    assert.equal(
      codeOf(openClearinghouseStatement(signStatement(long, issueKey), list)),
      'message-untrusted',
    );
  });

  it('is refused under any other key, and from a server', () => {
    for (const key of [rootKey, logKey]) {
      const signed = signStatement(ofClearinghouse, key);
      assert.equal(codeOf(openClearinghouseStatement(signed, list)), 'message-untrusted');
    }
    const revoked = trustListOf({ revoked: [issueKey.kid] });
    assert.equal(codeOf(openClearinghouseStatement(token, revoked)), 'message-untrusted');
    const byServer = signStatement(ofServer, source);
    assert.equal(codeOf(openClearinghouseStatement(byServer, list)), 'message-invalid');
    const disguised = signAs(ofServer, issueKey, { footer: { kid: issueKey.kid } });
    assert.equal(codeOf(openClearinghouseStatement(disguised, list)), 'message-invalid');
  });
});
