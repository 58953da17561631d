/** Why the receipt of a freeze was refused, and its move undone: the desk says so. */
import type { Awaited } from '../../core/move-awaited.ts';
import { awaitedRefused } from '../../core/move-awaited.ts';
import type { Refusal } from '../../core/refusal.ts';
import { problemOf } from '../../protocol/problem.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';

const keyOf = (move: string): string => `refused-freeze:${move}`;

export function keepRefusedFreeze(tx: WriteTx, move: string, refusal: Refusal): Promise<void> {
  return writeMeta(tx, keyOf(move), JSON.stringify(refusal));
}

/** Of a move that was undone for that; undefined where it was not. */
export async function awaitedRefusedFreeze(tx: ReadTx, move: string): Promise<Awaited | undefined> {
  const kept = await readMeta(tx, keyOf(move));
  return kept === undefined ? undefined : awaitedRefused(problemOf(JSON.parse(kept) as Refusal));
}
