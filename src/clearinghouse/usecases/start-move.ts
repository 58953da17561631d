/** Starts a move: from the desk on behalf of a caller, or on a source's own request. */
import { clearinghouseAccount } from '../../core/account.ts';
import { checkRequest, findLine } from '../../core/agreement.ts';
import { base64url, firstBytes, utf8 } from '../../core/bytes.ts';
import { licenseServerIdValue, normalizeLicenseServerId } from '../../core/code.ts';
import type { Carrier, MoveReason } from '../../core/move.ts';
import { awaited, isOver, startMove } from '../../core/move.ts';
import { checkCalType } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findMove, insertMove, movesOnLine } from '../../store/clearinghouse-rows.ts';
import { once } from '../../store/once.ts';
import type { Entry, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { moveBody } from './advance-move.ts';
import { loadAgreement } from './agreements.ts';
import type { DeskAnswer } from './desk-answer.ts';
import { deskAnswer } from './desk-answer.ts';
import { newId } from './new-id.ts';
import { openAuthority } from './open-authority.ts';

/** What is to be moved, whoever asks for it. */
interface MoveAsked {
  readonly agreement: string;
  readonly from: string;
  readonly to: string;
  readonly product: string;
  readonly type: string;
  readonly quantity: number | 'all';
  readonly reason: MoveReason;
}

export interface MoveOrder extends MoveAsked {
  readonly authorization?: string | undefined;
  readonly license?: string | undefined;
  /** Telephone only: the idempotency key, which becomes the id of the move. */
  readonly requestId: string;
}

/**
 * A move by telephone. Nothing is frozen yet: the caller freezes on the source and reads the code.
 * Refused: `agreement-unknown`, program fields, `line-unknown`, ids, `server-unknown`, `not-activated`,
 * and what `startMove` refuses.
 */
export async function startDeskMove(
  context: ClearinghouseContext,
  order: MoveOrder,
): Promise<Result<DeskAnswer, Refusal>> {
  const from = normalizeLicenseServerId(context.digest, order.from);
  if (!from.ok) return from;
  const to = normalizeLicenseServerId(context.digest, order.to);
  if (!to.ok) return to;
  const call = { ...order, from: from.value, to: to.value };
  const requestDigest = [call.from, call.to, order.agreement, order.product, order.type, order.quantity].join(
    ' ',
  );
  return context.store.write((tx) => {
    const key = { id: `move:${order.requestId}`, requestDigest };
    return once<DeskAnswer>(tx, key, async () => {
      const id = moveId(context, order.requestId);
      const started = await beginMove(context, tx, {
        ...call,
        id,
        carrier: 'telephone',
        hold: false,
        quoted: order,
      });
      if (!started.ok) return started;
      const answer = deskAnswer([], awaited('reserved', 'telephone').text, {
        move: id,
        state: started.value.state,
        product: order.product,
        type: order.type,
        quantity: order.quantity,
        from: call.from,
        to: call.to,
      });
      await tx.post({ ...startedEntry(started.value), id: key.id, answer: { ...key, body: answer } });
      return ok(answer);
    });
  });
}

/** An id that may stand in an account name, whatever characters the request's own id has. */
function moveId(context: ClearinghouseContext, requestId: string): string {
  return `mv-${base64url(firstBytes(context.digest.sha256(utf8(requestId)), 12))}`;
}

/** A move as a license server asks for it. */
interface OnlineOrder extends MoveAsked {
  readonly id: string;
  readonly hold: boolean;
}

interface MoveStart extends OnlineOrder {
  readonly carrier: Carrier;
  /** What the caller quoted from the paper; null for a license server, whose signature vouches. */
  readonly quoted: {
    readonly authorization?: string | undefined;
    readonly license?: string | undefined;
  } | null;
}

/** Checks a move against agreement, servers and books, and enters it. The caller posts the entry. */
async function beginMove(
  context: ClearinghouseContext,
  tx: WriteTx,
  start: MoveStart,
): Promise<Result<MoveRow, Refusal>> {
  const type = checkCalType(start.type);
  if (!type.ok) return type;
  const agreement = await loadAgreement(tx, start.agreement);
  if (!agreement.ok) return agreement;
  const quoted = start.quoted === null ? agreement : checkRequest(agreement.value, start.quoted);
  if (!quoted.ok) return quoted;
  const found = findLine(agreement.value, { product: start.product, type: type.value });
  if (!found.ok) return found;
  if (start.from === start.to) return err({ code: 'move-to-itself', licenseServerId: start.from });
  const source = await openAuthority(tx, start.from, start.agreement);
  if (!source.ok) return source;
  const target = await openAuthority(tx, start.to, start.agreement);
  if (!target.ok) return target;
  const line = found.value.number;
  const account = clearinghouseAccount(start.agreement, line);
  const moves = await movesOnLine(tx, { source: start.from, agreement: start.agreement, line });
  const step = startMove({
    reason: start.reason,
    carrier: start.carrier,
    source: start.from,
    target: start.to,
    quantity: start.quantity,
    committed: await tx.balance(account.committed(start.from, source.value.generation)),
    open: moves.find((move) => !isOver(move.state)) ?? null,
  });
  if (!step.ok) return step;
  const nowMs = context.clock.nowMs();
  const row: MoveRow = {
    id: start.id,
    agreement: start.agreement,
    line,
    product: start.product,
    type: type.value,
    quantity: start.quantity,
    source: start.from,
    sourceGeneration: source.value.generation,
    target: start.to,
    targetGeneration: target.value.generation,
    reason: start.reason,
    carrier: start.carrier,
    state: step.value.state,
    unissued: 0,
    held: 0,
    hold: start.hold,
    verified: false,
    holders: '[]',
    startedAt: nowMs,
    updatedAt: nowMs,
  };
  await insertMove(tx, row);
  return ok(row);
}

/** What the journal says of a move that begins, without the entry's id. */
function startedEntry(move: MoveRow): Omit<Entry, 'id'> {
  const { id, agreement, line, source, target, quantity, carrier, reason, startedAt } = move;
  const body = { move: id, line, source, target, quantity, carrier, reason };
  return { log: agreement, kind: 'move-started', at: startedAt, body };
}

/** Whether an id stands for the same move as before: the same units between the same servers. */
function isSame(row: MoveRow, start: OnlineOrder): boolean {
  const same = (name: 'agreement' | 'product' | 'type' | 'quantity'): boolean => row[name] === start[name];
  const ends = row.source === start.from && row.target === start.to;
  return ends && same('agreement') && same('product') && same('type') && same('quantity');
}

/** The move a license server asked for: entered, and the freeze sent to the source. */
export async function startOnlineMove(
  context: ClearinghouseContext,
  tx: WriteTx,
  start: OnlineOrder,
): Promise<Result<MoveRow, Refusal>> {
  const present = await findMove(tx, start.id);
  if (present !== undefined) {
    return isSame(present, start) ? ok(present) : err({ code: 'idempotency-key-reused', id: start.id });
  }
  for (const id of [start.from, start.to]) {
    const value = licenseServerIdValue(context.digest, id);
    if (!value.ok) return value;
  }
  const started = await beginMove(context, tx, { ...start, carrier: 'online', quoted: null });
  if (!started.ok) return started;
  const move = started.value;
  const freeze = await outgoing(tx, {
    id: newId(context),
    type: 'freeze',
    to: move.source,
    agreement: move.agreement,
    move: move.id,
    body: await moveBody(tx, { move }, 'freeze'),
  });
  await tx.post({ ...startedEntry(move), id: `move:${move.id}`, outbox: [freeze] });
  return started;
}
