/** Undoing a move: from the desk, or because an administrator at one of its ends asked for it. */
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { checkUndo } from '../../core/undo.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findMove } from '../../store/clearinghouse-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { advanceMove } from './advance-move.ts';
import type { MoveView } from './desk-moves.ts';
import { viewMove } from './desk-moves.ts';

/**
 * Undoes a move: at once before the grant; after it the target is asked to give back, and the source has
 * its CALs again when it has. Refused: `undo-too-late`, `move-state`.
 */
export async function undoMove(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly move: MoveRow; readonly nowMs: number },
): Promise<Result<MoveRow, Refusal>> {
  const allowed = checkUndo(of.move);
  if (!allowed.ok) return allowed;
  const undone = await advanceMove(context, tx, { ...of, event: 'cancel' });
  return undone.ok ? ok(undone.value.move) : undone;
}

/** The same from the desk. Refused: `move-unknown`, and what `undoMove` refuses. */
export async function cancelMove(
  context: ClearinghouseContext,
  id: string,
): Promise<Result<MoveView, Refusal>> {
  const done = await context.store.write(async (tx) => {
    const move = await findMove(tx, id);
    if (move === undefined) return err({ code: 'move-unknown', move: id });
    const nowMs = context.clock.nowMs();
    const undone = await undoMove(context, tx, { move, nowMs });
    return undone.ok ? ok(viewMove(undone.value, nowMs)) : undone;
  });
  context.mailbox.wake();
  return done;
}
