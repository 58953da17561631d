/** Starts a move: from the desk on behalf of a caller, or on a source's own request. */
import { clearinghouseAccount } from '../../core/account.ts';
import { checkRequest, findLine } from '../../core/agreement.ts';
import { base64url, firstBytes, utf8 } from '../../core/bytes.ts';
import { canonicalJson } from '../../core/canonical.ts';
import { licenseServerIdValue, normalizeLicenseServerId } from '../../core/code.ts';
import { parseStatement } from '../../core/dead-source.ts';
import type { Carrier, MoveReason } from '../../core/move.ts';
import { isOver } from '../../core/move.ts';
import { awaited } from '../../core/move-awaited.ts';
import { startMove } from '../../core/move-start.ts';
import type { CalType } from '../../core/product.ts';
import { checkCalType } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoDate } from '../../core/time.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findMove, insertMove, movesOnLine } from '../../store/clearinghouse-rows.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import { findGrantedAuthority, findServer } from '../../store/committed-server-rows.ts';
import type { DeadSourceRow } from '../../store/dead-source-rows.ts';
import { findDeadSource, waitingDeclaration } from '../../store/dead-source-rows.ts';
import { once } from '../../store/once.ts';
import type { OutgoingMessage, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { loadAgreement } from './agreements.ts';
import type { Declaration } from './dead-source.ts';
import { declareDead, endReservedMove } from './dead-source.ts';
import type { DeskAnswer } from './desk-answer.ts';
import { deskAnswer } from './desk-answer.ts';
import { earlierOf } from './fence-source.ts';
import { freezeBody } from './move-body.ts';
import { startedEntry } from './move-started.ts';
import { newId } from './new-id.ts';
import { livingAuthority, openAuthority } from './open-authority.ts';
import { checkRecovered } from './recovery.ts';
import { unfinishedMoves } from './settle-fenced.ts';

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
  /** Reason `dead` only: what the caller declares ("NAME: what happened"), and who enters it. */
  readonly statement?: string | undefined;
  readonly by?: string | undefined;
  readonly authorization?: string | undefined;
  readonly license?: string | undefined;
  /** Telephone only: the idempotency key, which becomes the id of the move. */
  readonly requestId: string;
}

/**
 * A move by telephone. Nothing is frozen yet: the caller freezes on the source and reads the code.
 * Refused: `agreement-unknown`, program fields, `line-unknown`, ids, `server-unknown`, `not-activated`,
 * `invalid-input` (a dead source without a statement), `idempotency-key-reused`, and what `startMove` refuses.
 */
export async function startDeskMove(
  context: ClearinghouseContext,
  order: MoveOrder,
): Promise<Result<DeskAnswer, Refusal>> {
  const start = deskStart(context, order);
  if (!start.ok) return start;
  const { id, from, to, agreement, product, type, quantity } = start.value;
  const { reason, declaration: declares } = start.value;
  const declared =
    declares === null ? null : { by: declares.by, text: declares.text, enteredBy: declares.enteredBy };
  const asked = { from, to, agreement, product, type, quantity: `${quantity}`, reason, declared };
  return context.store.write((tx) => {
    const key = { id: `move:${order.requestId}`, requestDigest: canonicalJson(asked) };
    return once<DeskAnswer>(tx, key, async () => {
      const started = await beginMove(context, tx, start.value);
      if (!started.ok) return started;
      const { move } = started.value;
      const declaration = move.state === 'dead-wait' ? await findDeadSource(tx, id) : undefined;
      const next =
        declaration === undefined
          ? awaited(move.state, 'telephone').text
          : deadNext(declaration, await earlierOf(tx, move, move.startedAt));
      const answer = deskAnswer([], next, {
        ...{ move: id, state: move.state, product, type, quantity, from, to },
      });
      await tx.post({ ...startedEntry(move), id: key.id, answer: { ...key, body: answer } });
      return ok(answer);
    });
  });
}

/** The move that a caller asks for. Refused: License Server IDs that are none, a statement that says nothing. */
export function deskStart(context: ClearinghouseContext, order: MoveOrder): Result<MoveStart, Refusal> {
  const { agreement, product, type, quantity, reason, requestId } = order;
  const from = normalizeLicenseServerId(context.digest, order.from);
  if (!from.ok) return from;
  const to = normalizeLicenseServerId(context.digest, order.to);
  if (!to.ok) return to;
  const declared = deskDeclaration(order);
  if (!declared.ok) return declared;
  return ok({
    ...{ id: moveId(context, requestId), agreement, from: from.value, to: to.value, product, type, quantity },
    ...{ reason, declaration: declared.value, hold: false, carrier: 'telephone', quoted: order },
  });
}

/** What the caller declares of a source that no longer functions; null for one that does. */
function deskDeclaration(order: MoveOrder): Result<Declaration | null, Refusal> {
  if (order.reason !== 'dead') return ok(null);
  const statement = parseStatement(order.statement ?? '');
  if (!statement.ok) return statement;
  const by = order.by?.trim() ?? '';
  return ok({ ...statement.value, enteredBy: by === '' ? null : by });
}

function deadNext({ units, horizon, opensAt, source }: DeadSourceRow, earlier: readonly string[]): string {
  if (units === 0) {
    return (
      'The source has nothing but what is under way. Unless it speaks, the moves to and from it end without it when its ' +
      `horizon (${isoDate(horizon)}) has passed, or when a second person does not wait for that: calyx desk approve. ` +
      'Codes that are to be read out then: calyx desk repeat.'
    );
  }
  return (
    `The CALs wait until the horizon of the source (${isoDate(horizon)}) has passed. Then read their key pack out ` +
    `(calyx desk repeat); on the target they are for the holders of the source at once, for others after ${isoDate(opensAt)} ` +
    'or 89 days after the code is typed, whichever is later. A second person may release them earlier: calyx desk approve.' +
    (earlier.length === 0
      ? ''
      : ' Holders of servers that CALs had come to it from may never have been there: for them the caller declares it with ' +
        `--from ${[source, ...earlier].join(',')}`)
  );
}

/** An id that may stand in an account name, whatever characters the request's own id has. */
function moveId(context: ClearinghouseContext, requestId: string): string {
  return `mv-${base64url(firstBytes(context.digest.sha256(utf8(requestId)), 12))}`;
}

/** A move as a license server asks for it. */
interface OnlineOrder extends MoveAsked {
  readonly id: string;
  readonly hold: boolean;
  /** Of a source that no longer functions; null for one that does. */
  readonly declaration: Declaration | null;
}

export interface MoveStart extends OnlineOrder {
  readonly carrier: Carrier;
  /** What the caller quoted from the paper; null for a license server, whose signature vouches. */
  readonly quoted: {
    readonly authorization?: string | undefined;
    readonly license?: string | undefined;
  } | null;
}

/** A move that was entered, and what is to be sent of it. */
interface Begun {
  readonly move: MoveRow;
  /** Whether its source is asked to freeze: one that no longer functions, and has frozen already, is not. */
  readonly freezes: boolean;
}

/** Checks a move against agreement, servers and books, and enters it. The caller posts the entry. */
export async function beginMove(
  context: ClearinghouseContext,
  tx: WriteTx,
  start: MoveStart,
): Promise<Result<Begun, Refusal>> {
  const type = checkCalType(start.type);
  if (!type.ok) return type;
  const agreement = await loadAgreement(tx, start.agreement);
  if (!agreement.ok) return agreement;
  const quoted = start.quoted === null ? agreement : checkRequest(agreement.value, start.quoted);
  if (!quoted.ok) return quoted;
  const found = findLine(agreement.value, { product: start.product, type: type.value });
  if (!found.ok) return found;
  if (start.from === start.to) return err({ code: 'move-to-itself', licenseServerId: start.from });
  const source = await sourceAuthority(tx, start);
  if (!source.ok) return source;
  const target = await livingAuthority(tx, start.to, start.agreement);
  if (!target.ok) return target;
  const nowMs = context.clock.nowMs();
  const recovered = await checkRecovered(tx, start.agreement, nowMs);
  if (!recovered.ok) return recovered;
  const ends = { source: source.value, target: target.value };
  const line = { number: found.value.number, type: type.value };
  return enterMove(context, tx, { start, ends, line, nowMs });
}

/** The source's authority. One that no longer functions may be under suspicion or closed: it gets nothing. */
async function sourceAuthority(tx: WriteTx, start: MoveStart): Promise<Result<GrantedAuthorityRow, Refusal>> {
  const { from, agreement, declaration } = start;
  if (declaration === null) return openAuthority(tx, from, agreement);
  if ((await findServer(tx, from)) === undefined)
    return err({ code: 'server-unknown', licenseServerId: from });
  const authority = await findGrantedAuthority(tx, from, agreement);
  if (authority !== undefined) return ok(authority);
  return err({ code: 'move-more-than-there-is', asked: 0, available: 0 });
}

/** Enters a move whose ends are known; from a dead source it is declared so at once. */
async function enterMove(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: {
    readonly start: MoveStart;
    readonly ends: { readonly source: GrantedAuthorityRow; readonly target: GrantedAuthorityRow };
    readonly line: { readonly number: number; readonly type: CalType };
    readonly nowMs: number;
  },
): Promise<Result<Begun, Refusal>> {
  const { start, ends, nowMs } = of;
  const { number: line, type } = of.line;
  const place = { source: start.from, agreement: start.agreement, line };
  if (start.declaration !== null) {
    const ended = await endReservedMove(context, tx, { ...place, nowMs });
    if (!ended.ok) return ended;
  }
  const account = clearinghouseAccount(start.agreement, line);
  const committed = await tx.balance(account.committed(start.from, ends.source.generation));
  const moves = await movesOnLine(tx, place);
  const step = startMove({
    reason: start.reason,
    carrier: start.carrier,
    source: start.from,
    target: start.to,
    quantity: start.quantity,
    committed,
    ...openOf(moves),
    unfinished: (await unfinishedMoves(tx, place)).length > 0,
  });
  if (!step.ok) return step;
  const row: MoveRow = {
    id: start.id,
    agreement: start.agreement,
    line,
    product: start.product,
    type,
    quantity: start.quantity,
    source: start.from,
    sourceGeneration: ends.source.generation,
    target: start.to,
    targetGeneration: ends.target.generation,
    reason: start.reason,
    carrier: start.carrier,
    state: step.value.state,
    unissued: 0,
    held: 0,
    hold: start.hold,
    verified: false,
    startedAt: nowMs,
    updatedAt: nowMs,
  };
  await insertMove(tx, row);
  const { declaration } = start;
  const freezes = step.value.effects.length > 0;
  if (declaration === null) return ok({ move: row, freezes });
  const declared = await declareDead(context, tx, { move: row, units: committed, declaration, nowMs });
  return declared.ok ? ok({ move: declared.value, freezes }) : declared;
}

/** The move that stands in the way of another one: the declaration, where the source was declared dead. */
function openOf(moves: readonly MoveRow[]): { readonly open: MoveRow | null } {
  const open = moves.filter((move) => !isOver(move.state));
  const declared = open.find(({ state }) => state === 'dead-wait' || state === 'fenced');
  return { open: declared ?? open[0] ?? null };
}

/** Whether an id stands for the same move as before: the same units between the same servers, for the same reason. */
async function isSame(tx: WriteTx, row: MoveRow, start: OnlineOrder): Promise<boolean> {
  const names = ['agreement', 'product', 'type', 'quantity', 'reason'] as const;
  const ends = row.source === start.from && row.target === start.to;
  if (!ends || names.some((name) => row[name] !== start[name])) return false;
  const declared = await findDeadSource(tx, row.id);
  const { by, text } = start.declaration ?? {};
  return declared?.declaredBy === by && declared?.statement === text;
}

/** The move a license server asked for: entered, and the freeze sent to the source. */
export async function startOnlineMove(
  context: ClearinghouseContext,
  tx: WriteTx,
  start: OnlineOrder,
): Promise<Result<MoveRow, Refusal>> {
  const present = await findMove(tx, start.id);
  if (present !== undefined) {
    const same = await isSame(tx, present, start);
    return same ? ok(present) : err({ code: 'idempotency-key-reused', id: start.id });
  }
  for (const id of [start.from, start.to]) {
    const value = licenseServerIdValue(context.digest, id);
    if (!value.ok) return value;
  }
  const started = await beginMove(context, tx, { ...start, carrier: 'online', quoted: null });
  if (!started.ok) return started;
  const { move, freezes } = started.value;
  const outbox = freezes ? [await freezeMessage(context, tx, move)] : [];
  await tx.post({ ...startedEntry(move), id: `move:${move.id}`, outbox });
  return ok(move);
}

/**
 * A source that was declared dead in the middle of a move, and has just shown that it lives by releasing it: now it is
 * asked to freeze what the declaration waits for.
 */
export async function freezeDeclared(
  context: ClearinghouseContext,
  tx: WriteTx,
  released: Pick<MoveRow, 'source' | 'agreement' | 'line'>,
): Promise<void> {
  const declared = await waitingDeclaration(tx, released);
  const move = declared && (await findMove(tx, declared.move));
  if (move?.carrier !== 'online' || declared?.units === 0) return;
  await tx.post({
    ...{ log: move.agreement, kind: 'declared-source-lives', id: newId(context), at: context.clock.nowMs() },
    body: { move: move.id, source: move.source },
    outbox: [await freezeMessage(context, tx, move)],
  });
}

/** Asks the source to freeze. */
async function freezeMessage(
  context: ClearinghouseContext,
  tx: WriteTx,
  move: MoveRow,
): Promise<OutgoingMessage> {
  const { agreement, id, source } = move;
  const to = { id: newId(context), type: 'freeze', to: source, agreement, move: id } as const;
  return outgoing(tx, { ...to, body: await freezeBody(tx, move) });
}
