/**
 * A move asked for on its source: the id is made and kept before anything is sent, and asking again
 * goes on with the move that is open (protocol §2.3).
 */
import { checkAgreementNumber } from '../../core/agreement.ts';
import { normalizeLicenseServerId } from '../../core/code.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { checkOneMove } from '../../core/split.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import {
  findRequest,
  findServerMove,
  insertRequest,
  insertServerMove,
  listServerMoves,
  savePeer,
  updateServerMove,
} from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { findNamedLine } from './find-line.ts';
import { plannedSplit } from './freeze.ts';
import { keyedId } from './keyed-id.ts';
import { serverLog } from './license-token.ts';
import { moveRow } from './move-row.ts';
import type { MoveView } from './move-view.ts';
import { viewMove } from './move-view.ts';
import { checkPast } from './past.ts';
import { forgetUnseen, unseenKey } from './unseen-move.ts';

export interface MoveOrder {
  readonly agreement: string | undefined;
  readonly to: string;
  readonly toName?: string | undefined;
  /** The address at which the target was found, for the clients that will be referred to it. */
  readonly toUrl?: string | undefined;
  readonly product: string;
  readonly type: string;
  readonly quantity: number | 'all';
  readonly reason: 'replaced' | 'dead';
  /** Stop before the commit, so that the target can be tried. */
  readonly hold: boolean;
  /** Somebody waits for the end of it, and says when that was shown (`noteSeen`). */
  readonly watched?: boolean | undefined;
  /** The caller's idempotency key: the same key finds the same move. */
  readonly requestId?: string | undefined;
}

/**
 * Starts a move, or goes on with the open one of the same quantity to the same target. Refused:
 * `server-in-doubt`, `agreement-missing`, `move-to-itself`, `line-unknown`, `not-activated`, `move-more-than-there-is`,
 * `move-too-large`, `move-open`, `idempotency-key-reused`, `invalid-input` (a source that no longer functions is declared so
 * on the target).
 */
export async function startMove(
  context: ServerContext,
  order: MoveOrder,
): Promise<Result<MoveView, Refusal>> {
  return context.store.write((tx) => startIn(context, tx, order));
}

/** The same in a transaction of the caller's. */
export async function startIn(
  context: ServerContext,
  tx: WriteTx,
  order: MoveOrder,
): Promise<Result<MoveView, Refusal>> {
  if (order.reason === 'dead') {
    const problem = 'this server functions: the target declares that its source does not (--from)';
    return err({ code: 'invalid-input', field: 'reason', problem });
  }
  const certain = await checkPast(tx);
  if (!certain.ok) return certain;
  const agreement = checkAgreementNumber(order.agreement);
  if (!agreement.ok) return agreement;
  const target = normalizeLicenseServerId(context.digest, order.to);
  if (!target.ok) return target;
  if (target.value === context.licenseServerId) {
    return err({ code: 'move-to-itself', licenseServerId: target.value });
  }
  const found = await findNamedLine(tx, { ...order, agreement: agreement.value });
  if (!found.ok) return found;
  const { line } = found.value;
  const before = await askedBefore(context, tx, { line, order, target: target.value });
  if (!before.ok) return before;
  if (before.value !== undefined) {
    return ok(await viewMove(context, tx, { move: before.value, resumed: true }));
  }
  const open = (await listServerMoves(tx)).find(
    (move) => isUnderWay(move) && move.agreement === line.agreement && move.line === line.line,
  );
  if (open !== undefined) return resume(context, tx, { open, order, target: target.value });
  const enough = await checkAmount(tx, line, order.quantity);
  if (!enough.ok) return enough;
  const move = await begin(context, tx, { line, order, target: target.value });
  return ok(await viewMove(context, tx, { move, resumed: false }));
}

interface Asking {
  readonly line: LineRow;
  readonly order: MoveOrder;
  readonly target: string;
}

/**
 * The move that this very order has led to already: under the same key, or finished while whoever
 * watched it was cut off, so that the end was never shown. Asking again must not move as many again. Refused:
 * `idempotency-key-reused` where the key has led to another move.
 */
async function askedBefore(
  context: ServerContext,
  tx: WriteTx,
  { line, order, target }: Asking,
): Promise<Result<ServerMoveRow | undefined, Refusal>> {
  const isAsked = (move: ServerMoveRow): boolean =>
    move.target === target && move.quantity === order.quantity;
  if (order.requestId !== undefined) {
    const same = await findServerMove(tx, keyedId(context, order.requestId));
    const isOfLine = same?.agreement === line.agreement && same.line === line.line;
    if (same !== undefined && !(isOfLine && isAsked(same))) {
      return err({ code: 'idempotency-key-reused', id: order.requestId });
    }
    if (same !== undefined) return ok(same);
  }
  const unseen = order.watched === true ? await readMeta(tx, unseenKey(line)) : undefined;
  const move = unseen === undefined ? undefined : await findServerMove(tx, unseen);
  const hasEnded = move !== undefined && ['closed', 'undone'].includes(move.state);
  return ok(hasEnded && isAsked(move) ? move : undefined);
}

/** The end of a move was shown to whoever asked for it: the same order asks for another move now. */
export async function noteSeen(context: ServerContext, id: string): Promise<Result<null, Refusal>> {
  return context.store.write(async (tx) => {
    const move = await findServerMove(tx, id);
    if (move === undefined) return err({ code: 'move-unknown', move: id });
    await forgetUnseen(tx, move);
    return ok(null);
  });
}

function isUnderWay(move: ServerMoveRow): boolean {
  return move.role === 'source' && ['requested', 'frozen'].includes(move.state);
}

async function checkAmount(
  tx: WriteTx,
  line: LineRow,
  quantity: number | 'all',
): Promise<Result<null, Refusal>> {
  const planned = await plannedSplit(tx, line, { wanted: quantity });
  return planned.ok ? checkOneMove(planned.value) : planned;
}

async function begin(context: ServerContext, tx: WriteTx, of: Asking): Promise<ServerMoveRow> {
  const { line, order, target } = of;
  const nowMs = context.clock.nowMs();
  const id = keyedId(context, order.requestId);
  const { quantity, hold } = order;
  const source = context.licenseServerId;
  const move = moveRow(
    line,
    { id, role: 'source', carrier: 'online', quantity, source, target, state: 'requested', hold },
    nowMs,
  );
  await insertServerMove(tx, move);
  if (order.watched === true) await writeMeta(tx, unseenKey(line), id);
  await savePeer(tx, { licenseServerId: target, name: order.toName ?? null, url: order.toUrl ?? null });
  await insertRequest(tx, { id: `move:${id}`, kind: 'move', ask: id, at: nowMs });
  const message = await outgoing(tx, {
    id: `move:${id}`,
    type: 'move-request',
    move: id,
    body: {
      agreement: line.agreement,
      product: line.product,
      type: line.type,
      quantity: order.quantity,
      source: context.licenseServerId,
      target,
      reason: order.reason,
      hold: order.hold,
    },
  });
  await tx.post({
    log: serverLog,
    kind: 'move-requested',
    id: `move:${id}`,
    at: nowMs,
    outbox: [message],
    body: { agreement: line.agreement, line: line.line, move: id, target, quantity: order.quantity },
  });
  return move;
}

/** The open move again; one that was held, and is now asked for without hold, is verified by that. */
async function resume(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly open: ServerMoveRow; readonly order: MoveOrder; readonly target: string },
): Promise<Result<MoveView, Refusal>> {
  const { open, order, target } = of;
  // Another number is another wish: answered with this move, it would end one that is held to be tried.
  const same = open.target === target && open.carrier === 'online' && open.quantity === order.quantity;
  if (!same) {
    return err({ code: 'move-open', move: open.id, state: open.state });
  }
  if (!open.hold || order.hold) return ok(await viewMove(context, tx, { move: open, resumed: true }));
  const nowMs = context.clock.nowMs();
  const move = { ...open, hold: false, updatedAt: nowMs };
  await updateServerMove(tx, move);
  const id = `verified:${open.id}`;
  const message = await outgoing(tx, { id, type: 'verified', move: open.id, body: {} });
  await tx.post({
    log: serverLog,
    kind: 'move-verified',
    id,
    at: nowMs,
    body: { move: open.id },
    outbox: [message],
  });
  return ok(await viewMove(context, tx, { move, resumed: true }));
}

/** A move as this server knows it. Refused: `move-unknown`, and what the clearinghouse refused it with. */
export async function showMove(context: ServerContext, id: string): Promise<Result<MoveView, Refusal>> {
  return context.store.read(async (tx) => {
    const move = await findServerMove(tx, id);
    if (move === undefined) return err({ code: 'move-unknown', move: id });
    if (move.state === 'refused') {
      const request = await findRequest(tx, `move:${id}`);
      return err(JSON.parse(request?.answer ?? '{"code":"move-unknown"}') as Refusal);
    }
    return ok(await viewMove(context, tx, { move, resumed: true }));
  });
}

export async function listMoves(context: ServerContext): Promise<readonly MoveView[]> {
  return context.store.read(async (tx) => {
    const views: MoveView[] = [];
    for (const move of await listServerMoves(tx)) {
      views.push(await viewMove(context, tx, { move, resumed: true }));
    }
    return views;
  });
}
