/**
 * How far a move out of here has come that is too large for one transaction: it freezes, and later gives
 * up, its licenses in parts, and what each part took from the accounts is kept to be resolved by itself.
 */
import type { FreezeSplit } from '../../core/split.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';

export type Part = Omit<FreezeSplit, 'held'>;

export interface MoveProgress {
  readonly parts: readonly Part[];
  /** Whether the last part is frozen and the receipt is on its way. */
  readonly frozen: boolean;
  /** How many parts are given up; null until the clearinghouse says that they may be. */
  readonly released: number | null;
  /** The license that was given up last: they go in the order of their ids. */
  readonly cursor: number;
}

/**
 * So many licenses are frozen or given up in one transaction, and so many holders are told in one message:
 * about 10 ms of work, for which everybody who wants to renew has to wait.
 */
export const partSize = 300;

const keyOf = (move: string): string => `move-progress:${move}`;

/** Undefined for a move that was frozen in one transaction. */
export async function readProgress(tx: ReadTx, move: string): Promise<MoveProgress | undefined> {
  const text = await readMeta(tx, keyOf(move));
  return text === undefined ? undefined : (JSON.parse(text) as MoveProgress);
}

export async function writeProgress(tx: WriteTx, move: string, progress: MoveProgress): Promise<void> {
  await writeMeta(tx, keyOf(move), JSON.stringify(progress));
}

/** Whether something is left to be done for it here, without waiting for anybody. */
export function isUnfinished(progress: MoveProgress): boolean {
  return !progress.frozen || progress.released !== null;
}
