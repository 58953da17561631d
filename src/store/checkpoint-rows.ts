/**
 * Checkpoints that were cosigned, and reading the leaves of our own journals for the proofs that go with
 * them. What a checkpoint says and whether it may be believed is for protocol/checkpoint.ts.
 */
import type { Digest } from '../core/digest.ts';
import type { Frontier } from '../core/merkle.ts';
import { emptyFrontier } from '../core/merkle.ts';
import { appendAll } from '../core/merkle-proof.ts';
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

/** Leaf hashes of a journal from position `from` up to, not including, `to`. */
export async function leavesBetween(
  tx: ReadTx,
  range: { readonly log: string; readonly from: number; readonly to: number },
): Promise<readonly Uint8Array[]> {
  if (range.from >= range.to) return [];
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
  of: { readonly log: string; readonly size: number; readonly known?: Frontier | undefined },
): Promise<Frontier | undefined> {
  const { log, size, known } = of;
  if (size > (await tx.head(log)).size) return undefined;
  const start = known !== undefined && known.size <= size ? known : emptyFrontier;
  return appendAll(digest, start, await leavesBetween(tx, { log, from: start.size, to: size }));
}
