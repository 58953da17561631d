/**
 * Moves to a license server that was declared to function no longer and is fenced off (protocol §2.5). It will
 * never say that it has installed, nor that it gives back: the source keeps serving its holders, and has its
 * units again when the last license that the target may have given has ended.
 */
import { isInTransit } from '../../core/move.ts';
import { ok } from '../../core/result.ts';
import { findMove, openMovesTo } from '../../store/clearinghouse-rows.ts';
import { declarationsOf, waitingForTheDead } from '../../store/dead-source-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { advanceMove } from './advance-move.ts';

/** Ends, or begins to undo, every move to a server that is fenced off. */
export async function settleMovesTo(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly target: string; readonly nowMs: number },
): Promise<void> {
  for (const move of await openMovesTo(tx, of.target)) {
    if (move.state !== 'reserved' && !isInTransit(move.state)) continue;
    const settled = await advanceMove(context, tx, { move, event: 'target-gone', nowMs: of.nowMs });
    if (!settled.ok) throw new Error(`Move ${move.id} cannot do without its target: ${settled.error.code}`);
  }
}

/** When the last license of a server that is fenced off must have ended; undefined for one that is not. */
export async function fencedUntil(tx: ReadTx, licenseServerId: string): Promise<number | undefined> {
  const granted = (await declarationsOf(tx, licenseServerId)).filter((row) => row.grantedAt !== null);
  return granted.length === 0 ? undefined : Math.min(...granted.map((row) => row.opensAt));
}

/** Takes for given back what was in transit to servers whose last license must have ended. */
export async function endWithoutTargets(context: ClearinghouseContext): Promise<void> {
  const nowMs = context.clock.nowMs();
  const waiting = await context.store.read((tx) => waitingForTheDead(tx, nowMs));
  for (const id of waiting) {
    await context.store.write(async (tx) => {
      const move = await findMove(tx, id);
      // Another look at the clock may have ended it in between.
      if (move === undefined || !isInTransit(move.state)) return ok(null);
      return advanceMove(context, tx, { move, event: 'target-lapsed', nowMs });
    });
  }
  if (waiting.length > 0) context.mailbox.wake();
}
