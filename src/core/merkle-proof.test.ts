import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { nodeDigest as digest } from '../platform/digest.ts';
import { bytesOfHex, hex, utf8 } from './bytes.ts';
import type { Frontier } from './merkle.ts';
import { append, emptyFrontier, leafHash, rootOf } from './merkle.ts';
import type { TreeHead } from './merkle-proof.ts';
import {
  appendAll,
  consistencyProof,
  headOf,
  inclusionProof,
  subtreesOf,
  verifyConsistency,
  verifyInclusion,
} from './merkle-proof.ts';

const most = 64;
const leaves = Array.from({ length: most }, (_, number) => leafHash(digest, utf8(`leaf ${number}`)));
const frontiers: Frontier[] = [emptyFrontier];
for (const leaf of leaves) frontiers.push(append(digest, frontiers.at(-1) ?? emptyFrontier, leaf));
const heads: readonly TreeHead[] = frontiers.map((frontier) => headOf(digest, frontier));
const headAt = (size: number): TreeHead => heads[size] as TreeHead;

/** Everything that is almost this proof: a bit turned, a hash dropped, added or in another place. */
function* tampered(proof: readonly Uint8Array[]): Generator<readonly Uint8Array[]> {
  for (const [at, hash] of proof.entries()) {
    const turned = Uint8Array.from(hash);
    turned[at % 32] = (turned[at % 32] ?? 0) ^ (1 << (at % 8));
    yield proof.with(at, turned);
    yield proof.toSpliced(at, 1);
    yield proof.toSpliced(at, 0, hash);
    if (at > 0) yield proof.with(at, proof[at - 1] as Uint8Array).with(at - 1, hash);
  }
  yield [...proof, leafHash(digest, utf8('one more'))];
  yield [leafHash(digest, utf8('one before')), ...proof];
}

describe('the proof that an entry is in a journal', () => {
  it('verifies for each leaf of each tree of up to 64, and for no other leaf, place, size or root', () => {
    let proofs = 0;
    for (let size = 1; size <= most; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const leaf = leaves[index] as Uint8Array;
        const proof = inclusionProof(digest, leaves.slice(0, size), index);
        const of = { leaf, index, head: headAt(size), proof };
        assert.ok(verifyInclusion(digest, of), `${index} of ${size}`);
        assert.ok(!verifyInclusion(digest, { ...of, leaf: leafHash(digest, utf8('another')) }));
        assert.ok(!verifyInclusion(digest, { ...of, index: (index + 1) % size }) || size === 1);
        assert.ok(
          !verifyInclusion(digest, { ...of, head: { ...headAt(size), root: headAt(size - 1).root } }),
        );
        assert.ok(!verifyInclusion(digest, { ...of, index: size }));
        proofs += 1;
      }
    }
    assert.equal(proofs, 2080);
  });

  it('is rejected when it was tampered with in any way', () => {
    for (let size = 1; size <= most; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const leaf = leaves[index] as Uint8Array;
        for (const proof of tampered(inclusionProof(digest, leaves.slice(0, size), index))) {
          const fits = verifyInclusion(digest, { leaf, index, head: headAt(size), proof });
          assert.ok(!fits, `${index} of ${size}`);
        }
      }
    }
  });

  it('is not made for a leaf that is not there', () => {
    for (const index of [-1, 3, 0.5]) {
      assert.throws(() => inclusionProof(digest, leaves.slice(0, 3), index), RangeError);
    }
  });
});

describe('the proof that a journal extends an older one', () => {
  it('verifies for all pairs of sizes up to 64', () => {
    let proofs = 0;
    for (let older = 1; older <= most; older += 1) {
      for (let size = older; size <= most; size += 1) {
        const before = frontiers[older] as Frontier;
        const proof = consistencyProof(digest, before, subtreesOf(digest, older, leaves.slice(older, size)));
        const of = { before: headAt(older), after: headAt(size), proof };
        assert.ok(verifyConsistency(digest, of), `${older} to ${size}`);
        const singly = leaves.slice(older, size).map((hash) => ({ size: 1, hash }));
        assert.deepEqual(consistencyProof(digest, before, singly), proof, 'however its leaves were joined');
        proofs += 1;
      }
    }
    assert.equal(proofs, 2080);
  });

  it('is rejected with another root on either side, another size, and when it was tampered with', () => {
    const other = headOf(digest, append(digest, emptyFrontier, leafHash(digest, utf8('other')))).root;
    for (let older = 1; older <= most; older += 1) {
      for (let size = older; size <= most; size += 1) {
        const before = headAt(older);
        const after = headAt(size);
        const proof = consistencyProof(
          digest,
          frontiers[older] as Frontier,
          subtreesOf(digest, older, leaves.slice(older, size)),
        );
        const name = `${older} to ${size}`;
        assert.ok(!verifyConsistency(digest, { before: { ...before, root: other }, after, proof }), name);
        assert.ok(!verifyConsistency(digest, { before, after: { ...after, root: other }, proof }), name);
        if (older < size)
          assert.ok(!verifyConsistency(digest, { before: after, after: before, proof }), name);
        for (const bad of tampered(proof)) {
          assert.ok(!verifyConsistency(digest, { before, after, proof: bad }), name);
        }
      }
    }
  });

  it('has the hashes of the Certificate Transparency reference tests', () => {
    const inputs = [
      '',
      '00',
      '10',
      '2021',
      '3031',
      '40414243',
      '5051525354555657',
      '606162636465666768696a6b6c6d6e6f',
    ];
    const reference = inputs.map((input) => leafHash(digest, bytesOfHex(input) as Uint8Array));
    const proofOf = (older: number, size: number) =>
      consistencyProof(
        digest,
        appendAll(digest, emptyFrontier, reference.slice(0, older)),
        subtreesOf(digest, older, reference.slice(older, size)),
      ).map(hex);
    assert.deepEqual(proofOf(1, 1), []);
    assert.deepEqual(proofOf(1, 8), [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ]);
    assert.deepEqual(proofOf(6, 8), [
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ]);
    assert.deepEqual(proofOf(2, 5), [
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ]);
  });

  it('takes every tree for an extension of the empty one, and no tree for one of a larger', () => {
    for (const head of heads) {
      assert.ok(verifyConsistency(digest, { before: headAt(0), after: head, proof: [] }));
      const forged = { size: 0, root: headAt(1).root };
      assert.equal(verifyConsistency(digest, { before: forged, after: head, proof: [] }), false);
    }
    assert.ok(!verifyConsistency(digest, { before: headAt(1), after: headAt(0), proof: [] }));
    const odd = { before: { ...headAt(1), size: 0.5 }, after: headAt(2), proof: [] };
    assert.ok(!verifyConsistency(digest, odd));
  });

  it('verifies for larger trees, and tells a rewritten past', () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 1500 }), fc.integer({ min: 1, max: 1500 }));
    fc.assert(
      fc.property(sizes, fc.nat(), ([older, added], at) => {
        const all = Array.from({ length: older + added }, (_, number) =>
          leafHash(digest, utf8(`large ${number}`)),
        );
        const before = appendAll(digest, emptyFrontier, all.slice(0, older));
        const after = { size: all.length, root: rootOf(digest, appendAll(digest, before, all.slice(older))) };
        const proof = consistencyProof(digest, before, subtreesOf(digest, older, all.slice(older)));
        assert.ok(verifyConsistency(digest, { before: headOf(digest, before), after, proof }));
        assert.ok(proof.length <= 2 * Math.ceil(Math.log2(all.length)) + 1);
        const index = at % all.length;
        const inclusion = inclusionProof(digest, all, index);
        const leaf = all[index] as Uint8Array;
        assert.ok(verifyInclusion(digest, { leaf, index, head: after, proof: inclusion }));
        const rewritten = all.slice(0, older).with(at % older, leafHash(digest, utf8('rewritten')));
        const past = appendAll(digest, emptyFrontier, rewritten);
        const forged = consistencyProof(digest, past, subtreesOf(digest, older, all.slice(older)));
        const forgedHead = headOf(digest, appendAll(digest, past, all.slice(older)));
        assert.ok(
          !verifyConsistency(digest, { before: headOf(digest, before), after: forgedHead, proof: forged }),
        );
      }),
      { numRuns: 60 },
    );
  });
});
