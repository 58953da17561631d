/**
 * How two sides show each other that their journals only grow (protocol §6): each tells its newest
 * checkpoint with the proof that it extends the one which the other has cosigned last. Pure judgment;
 * what is stored, and what becomes of a fork, is for each program.
 */
import type { Static } from 'typebox';
import Type from 'typebox';
import { base64url } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import type { Frontier, Subtree } from '../core/merkle.ts';
import { emptyRoot } from '../core/merkle.ts';
import type { TreeHead } from '../core/merkle-proof.ts';
import { appendTrees, consistencyProof, headOf, verifyConsistency } from '../core/merkle-proof.ts';
import type { NoteKey, NoteSigner, OpenedCheckpoint } from './checkpoint.ts';
import { openCheckpoint, signCheckpoint } from './checkpoint.ts';
import type { ReadonlyDeep } from './schema.ts';
import { Bytes32, bytesOf, Count, closed } from './schema.ts';

/** A signed note, looked at by `openCheckpoint`. */
export const Note = Type.String({ minLength: 1, maxLength: 8192 });

/** A checkpoint, and the proof that it extends the tree of `from` entries: 64 levels, two hashes each. */
export const ToldLog = closed({ note: Note, from: Count, proof: Type.Array(Bytes32, { maxItems: 128 }) });
export type ToldLog = ReadonlyDeep<Static<typeof ToldLog>>;

/** The most notes of a contact: a server under more agreements than this shows the oldest of them. */
export const mostSeen = 256;

/**
 * So many entries a contact goes ahead of what was cosigned at most; a journal that grew more catches up
 * with the next ones. 65,536 leaves are read and hashed in some 0.1 s.
 */
export const mostAhead = 65_536;

/** Signs what a journal has become, and proves it from `before` on: what the other side has seen. */
export function tellLog(
  digest: Digest,
  of: {
    readonly signer: NoteSigner;
    readonly before: Frontier;
    readonly added: readonly Subtree[];
  },
): ToldLog {
  const { signer, before, added } = of;
  const head = headOf(digest, appendTrees(digest, before, added));
  return {
    note: signCheckpoint(digest, { origin: signer.name, ...head }, signer),
    from: before.size,
    proof: consistencyProof(digest, before, added).map(base64url),
  };
}

/**
 * What a told checkpoint is, held against the one that was cosigned last (undefined: none yet).
 * - `extends`: proved; it may be cosigned and takes the place of the other.
 * - `older`: of a smaller tree, and not said in answer to what was seen: it came late. Nothing is known.
 * - `unproved`: of a larger tree, proved from another size than was seen: the next one will be proved.
 * - `fork`: it does not extend what was seen, though it says that it starts from there, or it has as many
 *   entries and another root. Two such notes are proof, for anybody.
 */
export type Verdict = 'extends' | 'older' | 'unproved' | 'fork';

export interface Judged {
  readonly verdict: Verdict;
  readonly checkpoint: OpenedCheckpoint;
}

/** Judges a told checkpoint; undefined where it is not signed by one of `keys` for its journal. */
export function judgeLog(
  digest: Digest,
  of: { readonly told: ToldLog; readonly seen: TreeHead | undefined; readonly keys: readonly NoteKey[] },
): Judged | undefined {
  const { told } = of;
  const checkpoint = openCheckpoint(digest, told.note, of.keys);
  if (checkpoint === undefined) return undefined;
  const seen = of.seen ?? { size: 0, root: emptyRoot(digest) };
  const judged = (verdict: Verdict): Judged => ({ verdict, checkpoint });
  const proves = (proof: readonly Uint8Array[]): boolean =>
    verifyConsistency(digest, { before: seen, after: checkpoint, proof });
  if (checkpoint.size === seen.size) return judged(proves([]) ? 'extends' : 'fork');
  if (told.from === seen.size) return judged(proves(told.proof.map(bytesOf)) ? 'extends' : 'fork');
  return judged(checkpoint.size < seen.size ? 'older' : 'unproved');
}
