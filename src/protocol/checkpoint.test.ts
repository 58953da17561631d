import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hex } from '../core/bytes.ts';
import { nodeDigest as digest } from '../platform/digest.ts';
import { signingKeyFromSeed } from '../platform/signing.ts';
import type { NoteKey, NoteSigner } from './checkpoint.ts';
import {
  clearinghouseOrigin,
  cosignCheckpoint,
  openCheckpoint,
  readCheckpoint,
  serverOrigin,
  signatureLine,
  signCheckpoint,
  withoutCosignatures,
} from './checkpoint.ts';
import {
  agreement,
  issueKey,
  nowMs,
  publisher,
  seedOfName,
  source,
  target,
} from './example-publisher.test.ts';
import type { SigningKey } from './paseto.ts';

const origin = serverOrigin(source.kid);
const named = (name: string, { publicKey, privateKey }: SigningKey): NoteSigner => ({
  name,
  publicKey,
  privateKey,
});
const keyOf = ({ name, publicKey }: NoteSigner, role: NoteKey['role']): NoteKey => ({
  name,
  publicKey,
  role,
});

const log = named(origin, source);
const witness = named(clearinghouseOrigin(publisher), issueKey);
const keys = [keyOf(log, 'log'), keyOf(witness, 'witness')];
const checkpoint = { origin, size: 20_852_163, root: Uint8Array.from(seedOfName('root of a journal')) };
const signed = signCheckpoint(digest, checkpoint, log);
const cosigned = cosignCheckpoint(digest, signed, { signer: witness, atMs: nowMs + 999 });

describe('a checkpoint', () => {
  it('has the published signature of the example of signed notes', () => {
    // golang.org/x/mod/sumdb/note, the example of its documentation: name, key id, seed, text, line.
    const seed = Buffer.from('AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz', 'base64').subarray(1);
    const key = signingKeyFromSeed(seed, () => '');
    assert.equal(
      Buffer.from(key.publicKey).toString('base64'),
      Buffer.from('ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW', 'base64').subarray(1).toString('base64'),
    );
    const text = `If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n`;
    assert.equal(
      signatureLine(digest, text, named('PeterNeumann', key)),
      '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n',
    );
  });

  it('is three lines, an empty one and a signature', () => {
    const [first, size, root, empty, line, end, ...more] = signed.split('\n');
    assert.deepEqual([first, size, empty, end, more], [origin, '20852163', '', '', []]);
    assert.equal(Buffer.from(root ?? '', 'base64').toString('hex'), hex(checkpoint.root));
    assert.ok(line?.startsWith(`— ${origin} `));
  });

  it('comes back with who signed it and who saw it when', () => {
    assert.deepEqual(openCheckpoint(digest, signed, keys), {
      ...checkpoint,
      signedBy: [origin],
      cosigned: [],
    });
    assert.deepEqual(openCheckpoint(digest, cosigned, keys), {
      ...checkpoint,
      signedBy: [origin, witness.name],
      cosigned: [{ name: witness.name, atMs: nowMs }],
    });
    assert.deepEqual(readCheckpoint(cosigned), checkpoint);
    assert.equal(withoutCosignatures(cosigned), signed);
    assert.equal(withoutCosignatures(signed), signed);
  });

  it('of an empty journal has the size 0', () => {
    const empty = signCheckpoint(digest, { ...checkpoint, size: 0 }, log);
    assert.equal(openCheckpoint(digest, empty, keys)?.size, 0);
  });

  it('does not open with any one byte changed, to any of some other values', () => {
    const bytes = Buffer.from(cosigned, 'utf8');
    for (let at = 0; at < bytes.length; at += 1) {
      for (const turn of [0x01, 0x02, 0x10, 0x20, 0x80]) {
        const altered = Buffer.from(bytes);
        altered[at] = (altered[at] ?? 0) ^ turn;
        assert.equal(openCheckpoint(digest, altered.toString('utf8'), keys), undefined, `byte ${at}`);
      }
      for (const inserted of [' ', '\n', '=', 'A', '0']) {
        const text = Buffer.concat([bytes.subarray(0, at), Buffer.from(inserted), bytes.subarray(at)]);
        assert.equal(openCheckpoint(digest, text.toString('utf8'), keys), undefined, `before ${at}`);
      }
      const cut = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]).toString('utf8');
      assert.equal(openCheckpoint(digest, cut, keys), undefined, `without ${at}`);
    }
  });

  const other = named(serverOrigin(target.kid), target);
  const otherWitness = cosignCheckpoint(digest, signed, { signer: other, atMs: nowMs });
  const extended = `${origin}\n5\n${Buffer.from(checkpoint.root).toString('base64')}\nmore\n`;
  const refused: readonly [string, string, readonly NoteKey[]][] = [
    ['with the key of another', signed, [{ ...keyOf(log, 'log'), publicKey: target.publicKey }]],
    ['with the key of the right one in the other role', signed, [keyOf(log, 'witness')]],
    ['with a line of somebody who is not known', otherWitness, keys],
    ['cosigned twice by one', cosignCheckpoint(digest, cosigned, { signer: witness, atMs: nowMs }), keys],
    ['signed by nobody', signed.slice(0, signed.indexOf('\n\n') + 2), keys],
    ['with the lines exchanged', swapLines(cosigned), keys],
    ['with an extension line', `${extended}\n${signatureLine(digest, extended, log)}`, keys],
    [
      'signed under the name of another journal',
      signCheckpoint(digest, { ...checkpoint, origin: other.name }, log),
      keys,
    ],
    ['with carriage returns', signed.replaceAll('\n', '\r\n'), keys],
    ['longer than anybody needs', signed + signed.slice(signed.indexOf('— ')).repeat(99), keys],
  ];
  for (const [name, note, known] of refused) {
    it(`is refused ${name}`, () => assert.equal(openCheckpoint(digest, note, known), undefined));
  }

  it('is not made under a name that no key may have, and is cosigned only where it is one', () => {
    for (const name of ['', 'two words', 'a+b', 'a\u00a0b', 'a\u200bb']) {
      assert.throws(
        () => signCheckpoint(digest, { ...checkpoint, origin: name }, { ...log, name }),
        TypeError,
      );
    }
    assert.throws(() => cosignCheckpoint(digest, 'nothing', { signer: witness, atMs: nowMs }), TypeError);
    assert.equal(readCheckpoint('nothing'), undefined);
    assert.equal(withoutCosignatures('nothing'), undefined);
  });

  it('names a publisher whatever is in its name', () => {
    const name = clearinghouseOrigin('Example + Söhne, Ltd.', agreement);
    assert.equal(name, 'calyx.clearinghouse/Example%20%2B%20S%C3%B6hne%2C%20Ltd./4965437');
    const own = named(name, issueKey);
    const note = signCheckpoint(digest, { ...checkpoint, origin: name }, own);
    assert.equal(openCheckpoint(digest, note, [keyOf(own, 'log')])?.origin, name);
  });
});

function swapLines(note: string): string {
  const [origin, size, root, empty, one, two] = note.split('\n');
  return [origin, size, root, empty, two, one, ''].join('\n');
}
