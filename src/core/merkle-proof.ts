/**
 * Proofs over the Merkle tree of a journal (RFC 6962 §2.1.1 and §2.1.2): that an entry is in it, and
 * that a newer tree is an older one with entries added. Made here and verified here; who signed which
 * root is for protocol/checkpoint.ts.
 */
import { equalBytes } from './bytes.ts';
import type { Digest } from './digest.ts';
import type { Frontier, Subtree } from './merkle.ts';
import { append, appendTree, emptyFrontier, emptyRoot, nodeHash, rootOf } from './merkle.ts';

/** Size and root of a tree. */
export interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
}

/** The frontier after more leaves (given as leaf hashes). */
export function appendAll(digest: Digest, frontier: Frontier, leaves: Iterable<Uint8Array>): Frontier {
  let grown = frontier;
  for (const leaf of leaves) grown = append(digest, grown, leaf);
  return grown;
}

/**
 * The leaves from position `first` on as the largest full subtrees that there are in them: what was hashed once
 * need not be hashed again for the head and for each part of a proof.
 */
export function subtreesOf(digest: Digest, first: number, leaves: readonly Uint8Array[]): readonly Subtree[] {
  const subtrees: Subtree[] = [];
  for (let at = 0; at < leaves.length; ) {
    let size = 1;
    while ((first + at) % (2 * size) === 0 && at + 2 * size <= leaves.length) size *= 2;
    const hash = rootOf(digest, appendAll(digest, emptyFrontier, leaves.slice(at, at + size)));
    subtrees.push({ size, hash });
    at += size;
  }
  return subtrees;
}

/** The frontier after more subtrees, each at its place. */
export function appendTrees(digest: Digest, frontier: Frontier, subtrees: Iterable<Subtree>): Frontier {
  let grown = frontier;
  for (const subtree of subtrees) grown = appendTree(digest, grown, subtree);
  return grown;
}

/** What a tree of this right edge is called. */
export function headOf(digest: Digest, frontier: Frontier): TreeHead {
  return { size: frontier.size, root: rootOf(digest, frontier) };
}

/** The size of the left subtree of a tree of `size` (2 or more) leaves: the largest power of two below. */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

/**
 * The way from a leaf to the root: the hashes beside it, from the bottom up (RFC 6962 §2.1.1). Throws
 * where there is no such leaf (a bug).
 */
export function inclusionProof(
  digest: Digest,
  leaves: readonly Uint8Array[],
  index: number,
): readonly Uint8Array[] {
  if (!Number.isSafeInteger(index) || index < 0 || index >= leaves.length) {
    throw new RangeError(`no leaf ${index} of ${leaves.length}`);
  }
  const proof: Uint8Array[] = [];
  let from = 0;
  let to = leaves.length;
  const rootBetween = (start: number, end: number): Uint8Array =>
    rootOf(digest, appendAll(digest, emptyFrontier, leaves.slice(start, end)));
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    proof.push(index < middle ? rootBetween(middle, to) : rootBetween(from, middle));
    if (index < middle) to = middle;
    else from = middle;
  }
  return proof.reverse();
}

/** Whether the proof leads from the leaf to the root (RFC 9162 §2.1.3.2). */
export function verifyInclusion(
  digest: Digest,
  of: {
    readonly leaf: Uint8Array;
    readonly index: number;
    readonly head: TreeHead;
    readonly proof: readonly Uint8Array[];
  },
): boolean {
  const { index, head } = of;
  if (!isCount(index) || !isCount(head.size) || index >= head.size) return false;
  let node = index;
  let last = head.size - 1;
  let hash = of.leaf;
  for (const beside of of.proof) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(digest, beside, hash);
      while (node % 2 === 0 && node !== 0) {
        node /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      hash = nodeHash(digest, hash, beside);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && equalBytes(hash, head.root);
}

/**
 * The proof that the tree of `before` and then `added` extends the one of `before` (RFC 6962 §2.1.2).
 * All that it needs of the older entries is their right edge: each hash in it is either a full subtree
 * of the older tree, or covers new leaves only. So it costs what was added, however long the journal.
 */
export function consistencyProof(
  digest: Digest,
  before: Frontier,
  added: readonly Subtree[],
): readonly Uint8Array[] {
  const older = before.size;
  if (older === 0 || added.length === 0) return [];
  const peaks = peaksOf(before);
  const placed = placesOf(older, added);
  const rootBetween = (from: number, to: number): Uint8Array => {
    if (from < older) return peaks.get(from) as Uint8Array;
    // No subtree of the proof begins or ends within one that was added: both are where their sizes allow it.
    const within = placed.filter(({ first }) => first >= from && first < to);
    return rootOf(digest, appendTrees(digest, emptyFrontier, within));
  };
  const proof: Uint8Array[] = [];
  let from = 0;
  let to = placed.reduce((size, subtree) => size + subtree.size, older);
  while (to !== older) {
    const middle = from + splitOf(to - from);
    proof.push(older <= middle ? rootBetween(middle, to) : rootBetween(from, middle));
    if (older <= middle) to = middle;
    else from = middle;
  }
  // Where the older tree is one full subtree, its root is known to whoever verifies.
  if (from > 0) proof.push(rootBetween(from, to));
  return proof.reverse();
}

function placesOf(
  start: number,
  added: readonly Subtree[],
): readonly (Subtree & { readonly first: number })[] {
  let at = start;
  return added.map((subtree) => {
    const first = at;
    at += subtree.size;
    return { ...subtree, first };
  });
}

/** The roots of the full subtrees, by their first leaf. */
function peaksOf(frontier: Frontier): ReadonlyMap<number, Uint8Array> {
  const peaks = new Map<number, Uint8Array>();
  let from = 0;
  for (const hash of frontier.hashes) {
    peaks.set(from, hash);
    from += largestPower(frontier.size - from);
  }
  return peaks;
}

function largestPower(size: number): number {
  return size === 1 ? 1 : splitOf(size + 1);
}

/**
 * Whether the newer tree is the older one with leaves added, or none (RFC 9162 §2.1.4.2). Every tree
 * extends the empty one; the proof is then empty, as it is between equal sizes.
 */
export function verifyConsistency(
  digest: Digest,
  of: { readonly before: TreeHead; readonly after: TreeHead; readonly proof: readonly Uint8Array[] },
): boolean {
  const { before, after } = of;
  if (!isCount(before.size) || !isCount(after.size) || before.size > after.size) return false;
  if (before.size === after.size) return of.proof.length === 0 && equalBytes(before.root, after.root);
  if (before.size === 0) return of.proof.length === 0 && equalBytes(before.root, emptyRoot(digest));
  const joined = joinBoth(digest, of);
  return joined !== undefined && equalBytes(joined.old, before.root) && equalBytes(joined.now, after.root);
}

/** Both roots as the proof has them, or undefined where it is too long or too short. */
function joinBoth(
  digest: Digest,
  of: { readonly before: TreeHead; readonly after: TreeHead; readonly proof: readonly Uint8Array[] },
): { readonly old: Uint8Array; readonly now: Uint8Array } | undefined {
  let node = of.before.size - 1;
  let last = of.after.size - 1;
  while (node % 2 === 1) {
    node = (node - 1) / 2;
    last = Math.floor(last / 2);
  }
  const path = node === 0 ? [of.before.root, ...of.proof] : of.proof;
  const [first, ...rest] = path;
  if (first === undefined) return undefined;
  let old = first;
  let now = first;
  for (const beside of rest) {
    if (last === 0) return undefined;
    if (node % 2 === 1 || node === last) {
      old = nodeHash(digest, beside, old);
      now = nodeHash(digest, beside, now);
      while (node % 2 === 0 && node !== 0) {
        node /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      now = nodeHash(digest, now, beside);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? { old, now } : undefined;
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
