/**
 * Proofs that an entry stands in a journal (RFC 6962 §2.1.1): with one of them and a root that somebody has
 * signed, whoever has neither the bundle nor the other entries can be shown one receipt or one license.
 */
import { hex } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import { leafHash } from '../core/merkle.ts';
import { inclusionProof, verifyInclusion } from '../core/merkle-proof.ts';

/** An entry, the root that it is under, and the hashes beside its way up, all in hexadecimal. */
export interface EntryProof {
  readonly id: string;
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  readonly position: number;
  /** The line, word for word as it was hashed. */
  readonly entry: string;
  readonly proof: readonly string[];
}

export interface WantedEntry {
  readonly id: string;
  readonly position: number;
  readonly line: Uint8Array;
}

/** Proves an entry under the root of its journal; undefined where that is not the root of these leaves. */
export function proveEntry(
  digest: Digest,
  { id, position, line }: WantedEntry,
  journal: {
    readonly origin: string;
    readonly root: Uint8Array;
    readonly leaves: readonly Uint8Array[];
  },
): EntryProof | undefined {
  const { origin, root, leaves } = journal;
  const size = leaves.length;
  const proof = inclusionProof(digest, leaves, position);
  const leaf = leafHash(digest, line);
  if (!verifyInclusion(digest, { leaf, index: position, head: { size, root }, proof })) return undefined;
  const entry = new TextDecoder().decode(line);
  return { id, origin, size, root: hex(root), position, entry, proof: proof.map(hex) };
}
