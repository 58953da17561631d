import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { bytesOfHex, hex } from './bytes.ts';
import type { Digest } from './digest.ts';
import type { Frontier } from './merkle.ts';
import {
  append,
  decodeFrontier,
  emptyFrontier,
  emptyRoot,
  encodeFrontier,
  leafHash,
  nodeHash,
  rootOf,
} from './merkle.ts';

const unused = (): never => {
  throw new Error('not needed here');
};
const digest: Digest = {
  sha256: (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()),
  hmacSha256: unused,
  hkdfSha256: unused,
};

/** Leaves and roots of the Certificate Transparency reference tests (trees of 1 to 8 leaves). */
const vectors: readonly [string, string][] = [
  ['', '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'],
  ['00', 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'],
  ['10', 'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77'],
  ['2021', 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7'],
  ['3031', '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4'],
  ['40414243', '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef'],
  ['5051525354555657', 'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c'],
  ['606162636465666768696a6b6c6d6e6f', '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'],
];

/** RFC 6962 §2.1 word for word: the tree over `leaves` is split at the largest power of two below. */
function rootByDefinition(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only === undefined) return emptyRoot(digest);
  if (leaves.length === 1) return only;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(digest, rootByDefinition(leaves.slice(0, split)), rootByDefinition(leaves.slice(split)));
}

function leafNumber(number: number): Uint8Array {
  return leafHash(digest, new TextEncoder().encode(`leaf ${number}`));
}

function frontierOf(size: number): Frontier {
  let frontier = emptyFrontier;
  for (let number = 0; number < size; number += 1) frontier = append(digest, frontier, leafNumber(number));
  return frontier;
}

describe('the Merkle tree', () => {
  it('has the root of no leaves that RFC 6962 gives', () => {
    assert.equal(
      hex(rootOf(digest, emptyFrontier)),
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
  });

  let frontier = emptyFrontier;
  for (const [index, [leaf, root]] of vectors.entries()) {
    frontier = append(digest, frontier, leafHash(digest, bytesOfHex(leaf) ?? new Uint8Array(0)));
    const grown = frontier;
    it(`has the published root of ${index + 1} leaves`, () => {
      assert.equal(grown.size, index + 1);
      assert.equal(hex(rootOf(digest, grown)), root);
    });
  }

  it('agrees with the recursive definition for every size up to 130', () => {
    const leaves: Uint8Array[] = [];
    let grown = emptyFrontier;
    for (let size = 0; size <= 130; size += 1) {
      assert.equal(hex(rootOf(digest, grown)), hex(rootByDefinition(leaves)), `size ${size}`);
      const leaf = leafNumber(size);
      leaves.push(leaf);
      grown = append(digest, grown, leaf);
    }
  });

  it('leaves the frontier that was appended to as it was', () => {
    const before = frontierOf(7);
    const root = hex(rootOf(digest, before));
    append(digest, before, leafNumber(99));
    assert.equal(before.size, 7);
    assert.equal(before.hashes.length, 3);
    assert.equal(hex(rootOf(digest, before)), root);
  });

  it('hashes leaves and nodes apart, so that a node never passes for a leaf', () => {
    const left = leafNumber(1);
    const right = leafNumber(2);
    const joined = new Uint8Array([...left, ...right]);
    assert.notEqual(hex(nodeHash(digest, left, right)), hex(leafHash(digest, joined)));
  });
});

describe('the stored form of a frontier', () => {
  it('is read back, for every size up to 70', () => {
    for (let size = 0; size <= 70; size += 1) {
      assert.deepEqual(decodeFrontier(encodeFrontier(frontierOf(size))), frontierOf(size));
    }
  });

  it('keeps sizes beyond 32 bits', () => {
    const size = 2 ** 40 + 1;
    const large: Frontier = { size, hashes: [leafNumber(0), leafNumber(1)] };
    assert.deepEqual(decodeFrontier(encodeFrontier(large)), large);
  });

  const five = encodeFrontier(frontierOf(5));
  const damaged: readonly [string, Uint8Array][] = [
    ['nothing', new Uint8Array(0)],
    ['less than a size', five.slice(0, 7)],
    ['a hash cut short', five.slice(0, -1)],
    ['a hash missing', five.slice(0, -32)],
    ['a hash too many', new Uint8Array([...five, ...leafNumber(0)])],
    ['an unsafe size', new Uint8Array([0, 32, ...five.slice(2)])],
  ];
  for (const [name, bytes] of damaged) {
    it(`is refused with ${name}`, () => assert.equal(decodeFrontier(bytes), undefined));
  }
});
