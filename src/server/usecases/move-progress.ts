/**
 * How far a move out of here has come that is too large for one transaction: it freezes, and later gives
 * up, its licenses in parts, and what each part took from the accounts is kept to be resolved by itself.
 */
import type { FreezeSplit } from '../../core/split.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { PartList } from '../../store/part-rows.ts';
import { keepPart, readPart, takeParts } from '../../store/part-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { openFreeze } from '../../store/server-rows.ts';

export type Part = Omit<FreezeSplit, 'held'>;

export interface MoveProgress {
  /** How many parts are frozen. */
  readonly parts: number;
  /** Whether the last part is frozen and the receipt is on its way. */
  readonly frozen: boolean;
  /** How many parts are given up; null until the clearinghouse says that they may be. */
  readonly released: number | null;
  /** The license that was frozen last, of a whole line; then the one that was given up last. Both go by their ids. */
  readonly cursor: number;
}

/**
 * So many licenses are frozen or given up in one transaction, and so many holders are told in one message:
 * about 4 ms of work, for which everybody who wants to renew has to wait.
 */
export const partSize = 200;

const keyOf = (move: string): string => `move-progress:${move}`;

/** Undefined for a move that was frozen in one transaction. */
export async function readProgress(tx: ReadTx, move: string): Promise<MoveProgress | undefined> {
  const text = await readMeta(tx, keyOf(move));
  return text === undefined ? undefined : (JSON.parse(text) as MoveProgress);
}

export async function writeProgress(tx: WriteTx, move: string, progress: MoveProgress): Promise<void> {
  await writeMeta(tx, keyOf(move), JSON.stringify(progress));
}

/** A freeze in parts of a line that is under way: the parts that are to come were counted when it was allowed. */
export async function unfinishedFreeze(
  tx: ReadTx,
  of: { readonly agreement: string; readonly line: number },
): Promise<ServerMoveRow | undefined> {
  const freezing = await openFreeze(tx, of.agreement, of.line);
  const progress = freezing && (await readProgress(tx, freezing.id));
  return progress?.frozen === false ? freezing : undefined;
}

/** Whether something is left to be done for it here, without waiting for anybody. */
export function isUnfinished(progress: MoveProgress): boolean {
  return !progress.frozen || progress.released !== null;
}

const listOf = (move: string): PartList => ({ move, list: 'frozen' });

/** Keeps what a part of a freeze took, each in a row of its own: the cost of a part is the same for the last. */
export async function keepFrozen(
  tx: WriteTx,
  move: string,
  of: { number: number; part: Part },
): Promise<void> {
  await keepPart(tx, listOf(move), { part: of.number, text: JSON.stringify(of.part) });
}

/** What a part of a freeze took. Throws where there is none: parts are counted (a bug). */
export async function frozenPart(tx: ReadTx, move: string, number: number): Promise<Part> {
  const text = await readPart(tx, listOf(move), number);
  if (text === undefined) throw new Error(`Move ${move} has no part ${number}.`);
  return JSON.parse(text) as Part;
}

/** What all parts of a freeze took, for the last time: from here on they are resolved. */
export async function takeFrozen(tx: WriteTx, move: string): Promise<readonly Part[]> {
  return (await takeParts(tx, listOf(move))).map((text) => JSON.parse(text) as Part);
}
