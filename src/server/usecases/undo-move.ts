/**
 * An administrator at one end of a move wants it undone: the clearinghouse is asked, and what it then
 * says undoes it (protocol §2.4). Asking again goes on with the first asking. Where nothing is frozen yet the
 * source need not wait for that.
 */
import type { MoveState } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { Undoable } from '../../core/undo.ts';
import { checkUndo } from '../../core/undo.ts';
import { endDeclaration, findDeclared } from '../../store/gap-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import { listAuthorities } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import {
  findRequest,
  findServerMove,
  insertRequest,
  settleRequest,
  updateServerMove,
} from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { fencedBy } from './close-dead.ts';
import { serverLog } from './license-token.ts';
import type { MoveView } from './move-view.ts';
import { viewMove } from './move-view.ts';
import { newId } from './new-id.ts';
import { undoId } from './open-undo.ts';
import { checkPast } from './past.ts';
import { forgetUnseen } from './unseen-move.ts';

/** Where the move stands for the clearinghouse, as far as this end can know. */
function stateOf({ state }: ServerMoveRow): MoveState {
  const known: Readonly<Record<string, MoveState>> = {
    requested: 'reserved',
    frozen: 'granted',
    provisional: 'granted',
    final: 'committed',
    closed: 'closed',
    'dead-wait': 'dead-wait',
  };
  return known[state] ?? 'aborted';
}

/** Asks for a move to be undone. Refused: `server-in-doubt`, `move-unknown`, `undo-too-late` with the way back. */
export async function undoMove(context: ServerContext, id: string): Promise<Result<MoveView, Refusal>> {
  return context.store.write(async (tx) => {
    const certain = await checkPast(tx);
    if (!certain.ok) return certain;
    const move = await findServerMove(tx, id);
    if (move === undefined) return err({ code: 'move-unknown', move: id });
    const state = stateOf(move);
    const allowed = checkUndo({ ...move, state, sourceIs: await sourceIs(tx, move) });
    if (!allowed.ok) return allowed;
    await forgetUnseen(tx, move);
    if (state === 'aborted') return ok(await viewMove(context, tx, { move, resumed: true }));
    if (state === 'reserved' && move.role === 'source') {
      return ok(await viewMove(context, tx, { move: await withdraw(context, tx, move), resumed: false }));
    }
    if (state === 'dead-wait' && move.carrier === 'telephone') {
      return ok(
        await viewMove(context, tx, { move: await endByTelephone(context, tx, move), resumed: false }),
      );
    }
    const before = await findRequest(tx, undoId(id));
    if (before?.state === 'refused') return err(JSON.parse(before.answer ?? '{}') as Refusal);
    if (before === undefined) await ask(context, tx, move);
    return ok(await viewMove(context, tx, { move, resumed: before !== undefined }));
  });
}

/**
 * Takes back a move that has frozen nothing here: no unit hangs on it, so this is decided at once, reached
 * or not. A freeze that is under way finds the tombstone (protocol §2.6, M4), and the clearinghouse is told.
 */
export async function withdraw(
  context: ServerContext,
  tx: WriteTx,
  move: ServerMoveRow,
): Promise<ServerMoveRow> {
  await ask(context, tx, move);
  const gone: ServerMoveRow = { ...move, state: 'undone', updatedAt: context.clock.nowMs() };
  await updateServerMove(tx, gone);
  await settleRequest(tx, { id: `move:${move.id}`, state: 'done', answer: '{}' });
  await forgetUnseen(tx, move);
  return gone;
}

/**
 * A move has come to its end though its undoing was asked for here: whoever asked is told that it was too late. Nothing
 * where nobody did.
 */
export async function endUndo(tx: WriteTx, move: ServerMoveRow): Promise<void> {
  const allowed = checkUndo({
    ...move,
    state: 'committed',
    carrier: 'online',
    sourceIs: await sourceIs(tx, move),
  });
  if (allowed.ok) throw new Error('A move by messages that is committed could be undone.');
  await settleRequest(tx, { id: undoId(move.id), state: 'refused', answer: JSON.stringify(allowed.error) });
}

/** Whether CALs could go back to the source of a move: of another server only its declaration is known here. */
async function sourceIs(tx: ReadTx, { id, role, agreement }: ServerMoveRow): Promise<Undoable['sourceIs']> {
  if (role === 'target') {
    return (await findDeclared(tx, id))?.state === 'granted' ? 'declared-dead' : 'not-known';
  }
  if ((await fencedBy(tx)) !== undefined) return 'declared-dead';
  const authority = (await listAuthorities(tx)).find((row) => row.agreement === agreement);
  return authority?.state === 'active' ? 'active' : 'deactivated';
}

/** What was read to the desk is taken back there; here nobody is given a gap license any more. */
async function endByTelephone(
  context: ServerContext,
  tx: WriteTx,
  move: ServerMoveRow,
): Promise<ServerMoveRow> {
  const nowMs = context.clock.nowMs();
  const undone: ServerMoveRow = { ...move, state: 'undone', updatedAt: nowMs };
  await updateServerMove(tx, undone);
  await endDeclaration(tx, move.id);
  const { id, source } = move;
  const body = { move: id, source };
  await tx.post({ log: serverLog, kind: 'declaration-ended', id: newId(context), at: nowMs, body });
  return undone;
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
