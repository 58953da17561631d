/** Undoing a move: from the desk, or because an administrator at one of its ends asked for it. */
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { Undoable } from '../../core/undo.ts';
import { checkUndo } from '../../core/undo.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findMove } from '../../store/clearinghouse-rows.ts';
import { findGrantedAuthority } from '../../store/committed-server-rows.ts';
import { declarationsOf } from '../../store/dead-source-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { advanceMove } from './advance-move.ts';
import type { MoveView } from './desk-moves.ts';
import { viewMove } from './desk-moves.ts';
import { checkRecovered } from './recovery.ts';
import { settleDue } from './settle-due.ts';

/**
 * Undoes a move: at once before the grant; after it the target is asked to give back, and the source has
 * its CALs again when it has. Refused: `undo-too-late`, `move-state`.
 */
export async function undoMove(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly move: MoveRow; readonly nowMs: number },
): Promise<Result<MoveRow, Refusal>> {
  const recovered = await checkRecovered(tx, of.move.agreement, of.nowMs);
  if (!recovered.ok) return recovered;
  const allowed = checkUndo({ ...of.move, sourceIs: await sourceIs(tx, of.move) });
  if (!allowed.ok) return allowed;
  // A source that was declared dead takes its units back, too, as long as they wait (§2.5).
  const event = of.move.state === 'dead-wait' ? 'dead-abort' : 'cancel';
  const undone = await advanceMove(context, tx, { ...of, event });
  return undone.ok ? ok(undone.value.move) : undone;
}

/** Whether CALs could go back to the source of a move. */
async function sourceIs(tx: ReadTx, { source, agreement }: MoveRow): Promise<Undoable['sourceIs']> {
  const declared = await declarationsOf(tx, source);
  if (declared.some((row) => row.grantedAt !== null)) return 'declared-dead';
  const authority = await findGrantedAuthority(tx, source, agreement);
  return authority?.state === 'closed' ? 'deactivated' : 'active';
}

/** The same from the desk. Refused: `move-unknown`, and what `undoMove` refuses. */
export async function cancelMove(
  context: ClearinghouseContext,
  id: string,
): Promise<Result<MoveView, Refusal>> {
  await settleDue(context);
  const done = await context.store.write<MoveView>(async (tx) => {
    const move = await findMove(tx, id);
    if (move === undefined) return err({ code: 'move-unknown', move: id });
    const undone = await undoMove(context, tx, { move, nowMs: context.clock.nowMs() });
    return undone.ok ? ok(await viewMove(context, tx, undone.value)) : undone;
  });
  context.mailbox.wake();
  return done;
}
