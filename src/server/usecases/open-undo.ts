/** An undo that was asked for here, and is not answered yet. */
import type { UndoStanding } from '../../core/move-awaited.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { clearinghouseName } from '../../protocol/envelope.ts';
import { waitingAmong } from '../../store/outbox-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { findRequest, settleRequest } from '../../store/server-rows.ts';

/** The request, and the message, by which the undo of a move is asked for. */
export const undoId = (move: string): string => `undo:${move}`;

/** Whether an undo was asked for here and is not answered yet, and whether the clearinghouse has heard of it. */
export async function undoStanding(tx: ReadTx, move: string): Promise<UndoStanding> {
  if ((await findRequest(tx, undoId(move)))?.state !== 'waiting') return 'none';
  return (await waitingAmong(tx, clearinghouseName, [undoId(move)])).length > 0 ? 'asked' : 'heard';
}

/** The move is undone here: whoever asked for it has been answered. */
export async function settleUndo(tx: WriteTx, move: string): Promise<void> {
  await settleRequest(tx, { id: undoId(move), state: 'done', answer: '{}' });
}

/**
 * Whether what a move has frozen may be given up here. Given up while its undo is under way, the CALs would
 * go to the publisher (protocol §2.2, `returning`), though somebody here has asked to have them back.
 * Refused: `undo-open`.
 */
export async function checkGivenUp(
  tx: ReadTx,
  { id, target }: Pick<ServerMoveRow, 'id' | 'target'>,
): Promise<Result<null, Refusal>> {
  const undoing = (await undoStanding(tx, id)) !== 'none';
  return undoing ? err({ code: 'undo-open', move: id, target }) : ok(null);
}
