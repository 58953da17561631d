import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { base64url, utf8 } from '../core/bytes.ts';
import { nodeDigest as digest } from '../platform/digest.ts';
import { inDays, nowMs, publisherKey, rootKey, source, target } from './example-publisher.test.ts';
import type { SigningKey } from './paseto.ts';
import { signPaseto } from './paseto.ts';
import type { Referral } from './referral.ts';
import { openReferral, signReferral } from './referral.ts';

const claims: Referral = {
  ...{ t: 'referral', v: 1, iss: source.kid, root: rootKey.kid },
  ...{ agreement: '4965437', prod: 'ts-2012r2', kind: 'device', move: 'mv-1' },
  ...{ target: target.kid, urls: ['http://ls-new:7410'], iat: inDays(0), exp: inDays(1) },
};

const open = (token: string, changes: Partial<Parameters<typeof openReferral>[1]> = {}) =>
  openReferral(token, { from: source.kid, roots: [rootKey.kid], nowMs, digest, ...changes });

/** Anything at all, signed as a referral is. */
function forge(payload: object, by: SigningKey, more: { footer?: object; implicit?: string } = {}): string {
  return signPaseto({
    payload: utf8(JSON.stringify(payload)),
    footer: utf8(JSON.stringify(more.footer ?? { kid: by.kid, pk: base64url(by.publicKey) })),
    key: by.privateKey,
    implicit: utf8(more.implicit ?? 'calyx-referral/1'),
  });
}

describe('a referral', () => {
  const token = signReferral(claims, source);

  it('says what was signed, to whoever asked that server', () => {
    assert.deepEqual(open(token), { ok: true, value: claims });
    assert.deepEqual(open(token, { roots: [] }), { ok: true, value: claims });
  });

  it('has one text: any other character makes it another one', () => {
    for (let place = 0; place < token.length; place += 7) {
      const other = token[place] === 'A' ? 'B' : 'A';
      const opened = open(`${token.slice(0, place)}${other}${token.slice(place + 1)}`);
      assert.equal(opened.ok ? 'opened' : opened.error.code, 'referral-invalid', `character ${place}`);
    }
  });

  const otherPk = { kid: source.kid, pk: base64url(target.publicKey) };
  const forged: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['a text', 'v4.public.AAAA'],
    ['of another server than was asked', signReferral({ ...claims, iss: target.kid }, target)],
    ['signed by another server in its name', forge(claims, target)],
    ['with the name of one key and the bytes of another', forge(claims, target, { footer: otherPk })],
    [
      'with another form of its footer',
      forge(claims, source, { footer: { pk: otherPk.pk, kid: source.kid } }),
    ],
    ['signed as a message', forge(claims, source, { implicit: 'calyx-message/1' })],
    ['of another publisher', signReferral({ ...claims, root: publisherKey('another root').kid }, source)],
    ['to itself', signReferral({ ...claims, target: source.kid }, source)],
    ['that ends before it begins', signReferral({ ...claims, exp: inDays(-1) }, source)],
    ['with more than is known', forge({ ...claims, more: 1 }, source)],
    ['with an address that is none', forge({ ...claims, urls: ['javascript:alert(1)'] }, source)],
    ['with a path', forge({ ...claims, urls: ['http://ls-new:7410/v1'] }, source)],
  ];
  for (const [name, text] of forged) {
    it(`is refused: ${name}`, () => {
      const opened = open(text);
      assert.equal(opened.ok ? 'opened' : opened.error.code, 'referral-invalid');
    });
  }

  it('ends after its day, and is not believed a day before its time', () => {
    const at = (days: number) => open(token, { nowMs: nowMs + days * 86_400_000 });
    assert.ok(at(1).ok);
    assert.deepEqual(at(1.01), {
      ok: false,
      error: { code: 'referral-expired', expiredAt: inDays(1), now: inDays(1.01) },
    });
    assert.ok(at(-1).ok);
    const early = at(-1.01);
    assert.equal(early.ok ? 'opened' : early.error.code, 'clock-behind');
  });
});
