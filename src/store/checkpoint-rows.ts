/**
 * Checkpoints that were cosigned, and reading the leaves of our own journals for the proofs that go with
 * them. What a checkpoint says and whether it may be believed is for protocol/checkpoint.ts.
 */
import type { Digest } from '../core/digest.ts';
import type { Frontier, Subtree } from '../core/merkle.ts';
import { emptyFrontier } from '../core/merkle.ts';
import { appendTrees, subtreesOf } from '../core/merkle-proof.ts';
import type { ReadTx, WriteTx } from './port.ts';

export interface CheckpointKey {
  readonly origin: string;
  readonly witness: string;
}

export interface CheckpointRow extends CheckpointKey {
  readonly size: number;
  readonly root: Uint8Array;
  /** The right edge of our own tree at this size (`encodeFrontier`). */
  readonly frontier: Uint8Array | null;
  readonly note: string;
  /** A note that does not extend this one. */
  readonly conflict: string | null;
}

const columns = 'origin, witness, size, root, frontier, note, conflict';

export async function findCheckpoint(tx: ReadTx, key: CheckpointKey): Promise<CheckpointRow | undefined> {
  return tx.get<CheckpointRow>(
    `select ${columns} from checkpoints where origin = ? and witness = ?`,
    key.origin,
    key.witness,
  );
}

/** In the order of their journals. */
export async function listCheckpoints(tx: ReadTx): Promise<readonly CheckpointRow[]> {
  return tx.all<CheckpointRow>(`select ${columns} from checkpoints order by origin, witness`);
}

export async function saveCheckpoint(tx: WriteTx, row: CheckpointRow): Promise<void> {
  const { origin, witness, size, root, frontier, note, conflict } = row;
  await tx.run(
    `insert into checkpoints (${columns}) values (?, ?, ?, ?, ?, ?, ?)
     on conflict (origin, witness) do update set size = excluded.size, root = excluded.root,
       frontier = excluded.frontier, note = excluded.note, conflict = excluded.conflict`,
    ...[origin, witness, size, root, frontier, note, conflict],
  );
}

/** Keeps a note that does not extend the one that is stored, or (null) says that all is well again. */
export async function noteConflict(tx: WriteTx, key: CheckpointKey, conflict: string | null): Promise<void> {
  await tx.run(
    'update checkpoints set conflict = ? where origin = ? and witness = ?',
    conflict,
    key.origin,
    key.witness,
  );
}

export async function dropCheckpoint(tx: WriteTx, key: CheckpointKey): Promise<void> {
  await tx.run('delete from checkpoints where origin = ? and witness = ?', key.origin, key.witness);
}

/** So many entries are read and hashed at once: some 3 ms of work. */
const blockSize = 512;

/** Roots of full blocks of a journal, by their first position: entries never change, so they are hashed once. */
export type KnownBlocks = Map<number, Uint8Array>;

interface Range {
  readonly log: string;
  readonly from: number;
  readonly to: number;
}

/** The entries of a journal from position `from` up to, not including, `to`, as subtrees of a block at most. */
export async function subtreesBetween(
  digest: Digest,
  tx: ReadTx,
  of: Range & { readonly known?: KnownBlocks },
): Promise<readonly Subtree[]> {
  const { log, from, to, known } = of;
  const subtrees: Subtree[] = [];
  for (let at = from; at < to; ) {
    const end = Math.min(to, endOfBlock(at));
    const hash = end - at === blockSize ? known?.get(at) : undefined;
    if (hash === undefined) {
      subtrees.push(...subtreesOf(digest, at, await leavesBetween(tx, { log, from: at, to: end })));
    } else {
      subtrees.push({ size: blockSize, hash });
    }
    at = end;
  }
  return subtrees;
}

/** Hashes one more full block within a range; answers false where all of them are known. */
export async function learnBlock(
  digest: Digest,
  tx: ReadTx,
  of: Range & { readonly known: KnownBlocks },
): Promise<boolean> {
  const { log, from, to, known } = of;
  for (let at = endOfBlock(from - 1); at + blockSize <= to; at += blockSize) {
    if (known.has(at)) continue;
    const leaves = await leavesBetween(tx, { log, from: at, to: at + blockSize });
    for (const { hash } of subtreesOf(digest, at, leaves)) known.set(at, hash);
    return true;
  }
  return false;
}

const endOfBlock = (position: number): number => (Math.floor(position / blockSize) + 1) * blockSize;

async function leavesBetween(tx: ReadTx, range: Range): Promise<readonly Uint8Array[]> {
  const rows = await tx.all<{ leaf: Uint8Array }>(
    'select leaf from journal where log = ? and position >= ? and position < ? order by position',
    range.log,
    range.from,
    range.to,
  );
  return rows.map(({ leaf }) => leaf);
}

/**
 * The right edge of a journal as it was at `size`, made from its stored leaves: from `known` on where that
 * is no larger, else from the first. Undefined where the journal has not come so far.
 */
export async function frontierAt(
  digest: Digest,
  tx: ReadTx,
  of: {
    readonly log: string;
    readonly size: number;
    readonly known?: Frontier | undefined;
    readonly blocks?: KnownBlocks;
  },
): Promise<Frontier | undefined> {
  const { log, size, known, blocks } = of;
  if (size > (await tx.head(log)).size) return undefined;
  const start = known !== undefined && known.size <= size ? known : emptyFrontier;
  const range = { log, from: start.size, to: size, ...(blocks === undefined ? {} : { known: blocks }) };
  return appendTrees(digest, start, await subtreesBetween(digest, tx, range));
}
