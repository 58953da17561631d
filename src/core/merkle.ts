/**
 * The Merkle tree of a journal (RFC 6962 §2.1) as a compact range: the roots of its full subtrees
 * are enough to append and to name the root. Proofs are made from the stored leaf hashes, elsewhere.
 */
import { concat, readUnsigned, u64 } from './bytes.ts';
import type { Digest } from './digest.ts';

const hashLength = 32;
const leafPrefix = Uint8Array.of(0);
const nodePrefix = Uint8Array.of(1);
const nothing = new Uint8Array(0);

/**
 * The right edge of a tree: `hashes` are the roots of its full subtrees, the largest (and leftmost)
 * first, one for each 1 in the binary form of `size`.
 */
export interface Frontier {
  readonly size: number;
  readonly hashes: readonly Uint8Array[];
}

export const emptyFrontier: Frontier = { size: 0, hashes: [] };

/** The hash of a leaf: SHA-256(0x00 || bytes). */
export function leafHash(digest: Digest, bytes: Uint8Array): Uint8Array {
  return digest.sha256(concat(leafPrefix, bytes));
}

/** The hash of an inner node: SHA-256(0x01 || left || right). */
export function nodeHash(digest: Digest, left: Uint8Array, right: Uint8Array): Uint8Array {
  return digest.sha256(concat(nodePrefix, left, right));
}

/** The root of a tree without leaves: SHA-256 of nothing. */
export function emptyRoot(digest: Digest): Uint8Array {
  return digest.sha256(nothing);
}

/** A full subtree: the root over `size` leaves (a power of two), whose place is a multiple of that. */
export interface Subtree {
  readonly size: number;
  readonly hash: Uint8Array;
}

/** The frontier after one more leaf (given as its leaf hash). */
export function append(digest: Digest, frontier: Frontier, leaf: Uint8Array): Frontier {
  return appendTree(digest, frontier, { size: 1, hash: leaf });
}

/** The frontier after a full subtree, at its place. */
export function appendTree(digest: Digest, frontier: Frontier, { size, hash }: Subtree): Frontier {
  const hashes = [...frontier.hashes];
  let node = hash;
  // Each trailing 1 of the old size is a full subtree as large as `node`: the two become one.
  for (let rest = frontier.size / size; rest % 2 === 1; rest = (rest - 1) / 2) {
    node = nodeHash(digest, hashes.pop() ?? nothing, node);
  }
  hashes.push(node);
  return { size: frontier.size + size, hashes };
}

/** The root hash over all leaves: subtrees are joined from the smallest to the largest. */
export function rootOf(digest: Digest, frontier: Frontier): Uint8Array {
  let root: Uint8Array | undefined;
  for (const left of frontier.hashes.toReversed()) {
    root = root === undefined ? left : nodeHash(digest, left, root);
  }
  return root ?? emptyRoot(digest);
}

/** The stored form: the size in 8 bytes, then the hashes. */
export function encodeFrontier(frontier: Frontier): Uint8Array {
  return concat(u64(frontier.size), ...frontier.hashes);
}

/** The frontier in its stored form, or undefined where the bytes are none (damage). */
export function decodeFrontier(bytes: Uint8Array): Frontier | undefined {
  if (bytes.length < 8 || (bytes.length - 8) % hashLength !== 0) return undefined;
  const high = readUnsigned(bytes, 0, 4);
  const size = high * 0x1_0000_0000 + readUnsigned(bytes, 4, 4);
  if (!Number.isSafeInteger(size) || onesIn(size) * hashLength !== bytes.length - 8) return undefined;
  const hashes: Uint8Array[] = [];
  for (let at = 8; at < bytes.length; at += hashLength) hashes.push(bytes.slice(at, at + hashLength));
  return { size, hashes };
}

/** How many ones the binary form of a whole number has: the number of full subtrees. */
function onesIn(value: number): number {
  let ones = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2;
  return ones;
}
