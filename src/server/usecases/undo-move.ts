/**
 * An administrator at one end of a move wants it undone: the clearinghouse is asked, and what it then
 * says undoes it (protocol §2.4). Asking again goes on with the first asking.
 */
import type { MoveState } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { checkUndo } from '../../core/undo.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { findRequest, findServerMove, insertRequest, settleRequest } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { serverLog } from './license-token.ts';
import type { MoveView } from './move-view.ts';
import { viewMove } from './move-view.ts';
import { forgetUnseen } from './unseen-move.ts';

const undoId = (move: string): string => `undo:${move}`;

/** Where the move stands for the clearinghouse, as far as this end can know. */
function stateOf({ state }: ServerMoveRow): MoveState {
  const known: Readonly<Record<string, MoveState>> = {
    requested: 'reserved',
    frozen: 'granted',
    provisional: 'granted',
    final: 'committed',
    closed: 'closed',
  };
  return known[state] ?? 'aborted';
}

/** Asks for a move to be undone. Refused: `move-unknown`, `undo-too-late` with the way back. */
export async function undoMove(context: ServerContext, id: string): Promise<Result<MoveView, Refusal>> {
  return context.store.write(async (tx) => {
    const move = await findServerMove(tx, id);
    if (move === undefined) return err({ code: 'move-unknown', move: id });
    const state = stateOf(move);
    const allowed = checkUndo({ ...move, state });
    if (!allowed.ok) return allowed;
    await forgetUnseen(tx, move);
    if (state === 'aborted')
      return ok(viewMove(move, { nowMs: context.clock.nowMs(), resumed: true, undoing: false }));
    const before = await findRequest(tx, undoId(id));
    if (before?.state === 'refused') return err(JSON.parse(before.answer ?? '{}') as Refusal);
    if (before === undefined) await ask(context, tx, move);
    return ok(viewMove(move, { nowMs: context.clock.nowMs(), resumed: before !== undefined, undoing: true }));
  });
}

async function ask(context: ServerContext, tx: WriteTx, move: ServerMoveRow): Promise<void> {
  const id = undoId(move.id);
  const nowMs = context.clock.nowMs();
  await insertRequest(tx, { id, kind: 'undo', ask: move.id, at: nowMs });
  const message = await outgoing(tx, { id, type: 'undo', move: move.id, body: {} });
  await tx.post({
    log: serverLog,
    kind: 'undo-requested',
    id,
    at: nowMs,
    body: { move: move.id, state: move.state },
    outbox: [message],
  });
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
  return (await isUndoing(tx, id)) ? err({ code: 'undo-open', move: id, target }) : ok(null);
}

/** Whether an undo was asked for here and is not answered yet. */
export async function isUndoing(tx: ReadTx, move: string): Promise<boolean> {
  return (await findRequest(tx, undoId(move)))?.state === 'waiting';
}
