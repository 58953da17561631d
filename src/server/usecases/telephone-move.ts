/**
 * The administrator's decisions on the source of a telephone move: freeze, release, report
 * (protocol §3.6). Each is decided here and only told; giving up rights needs nobody's permission.
 */
import { longestLeaseMs } from '../../core/cal.ts';
import { normalizeLicenseServerId } from '../../core/code.ts';
import type { ConfirmationKind } from '../../core/confirmation.ts';
import { allLines } from '../../core/confirmation.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { checkOneMove } from '../../core/split.ts';
import { dayMs, isoTime } from '../../core/time.ts';
import { keepLeases } from '../../store/nameless-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { AuthorityRow, LineRow } from '../../store/server-authority-rows.ts';
import { findLineById, listAuthorities } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import {
  insertServerMove,
  isWaiting,
  listConfirmations,
  openFreeze,
  requestedMove,
  savePeer,
  updateServerMove,
} from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import type { Keyed } from './administer-once.ts';
import { administerOnce } from './administer-once.ts';
import type { ConfirmationView } from './confirm.ts';
import { confirmAct, tooMuchToTell, viewConfirmation } from './confirm.ts';
import { noteEvent } from './events.ts';
import type { LineName } from './find-line.ts';
import { findNamedLine } from './find-line.ts';
import { freezeUnits, releaseUnits } from './freeze.ts';
import { keptUntil } from './kept-until.ts';
import { serverLog } from './license-token.ts';
import type { ToldCode } from './long-move.ts';
import { releaseWhole } from './long-move.ts';
import { readProgress } from './move-progress.ts';
import { moveEvent, moveRow } from './move-row.ts';
import { newId } from './new-id.ts';
import { checkGivenUp } from './open-undo.ts';
import { openReserved } from './reclaim.ts';
import { checkTime, newestSeen } from './seen-time.ts';
import type { MoveOrder } from './start-move.ts';
import { withdraw } from './undo-move.ts';

export type ToldAct = ConfirmationView & {
  readonly product?: string;
  readonly type?: string;
  readonly move?: string;
  /** When the act was told, where its code is only shown again and nothing is done now. */
  readonly madeAt?: string;
  /** Of a release: until when what holders leave here is given to nobody else; null: at once to whoever asks. */
  readonly keptUntil?: string | null;
};

/**
 * Freezes units for a move and answers the code to read. While a freeze of the line is open, the same
 * command prints its code again. The same move that was asked for by message, and has frozen nothing yet, is
 * taken back: it goes by telephone from now on. Refused: `move-to-itself`, ids, `line-unknown`, `not-activated`,
 * `deactivated`, `move-open`, `move-more-than-there-is`, `move-too-large`, `answer-pending` while a certificate is under way, `clock-behind`.
 */
export async function freezeByTelephone(
  context: ServerContext,
  order: Keyed & FreezeOrder,
): Promise<Result<ToldAct, Refusal>> {
  return administerOnce<ToldAct>(context, { act: 'freeze', order }, (tx) => freezeIn(context, tx, order));
}

export type FreezeOrder = LineName & Pick<MoveOrder, 'to' | 'toUrl' | 'quantity'>;

/** The same in a transaction of the caller's. */
export async function freezeIn(
  context: ServerContext,
  tx: WriteTx,
  order: FreezeOrder,
): Promise<Result<ToldAct, Refusal>> {
  const target = normalizeLicenseServerId(context.digest, order.to);
  if (!target.ok) return target;
  if (target.value === context.licenseServerId) {
    return err({ code: 'move-to-itself', licenseServerId: target.value });
  }
  const found = await findNamedLine(tx, order);
  if (!found.ok) return found;
  const { line, authority } = found.value;
  const open = await openFreeze(tx, line.agreement, line.line);
  if (open !== undefined) return repeatFreeze(context, tx, { open, target: target.value, order });
  const readable = await checkReadable(tx);
  if (!readable.ok) return readable;
  const clock = await checkTime(context, tx, context.clock.nowMs());
  if (!clock.ok) return clock;
  const asked = await requestedMove(tx, line.agreement, line.line);
  if (asked !== undefined) {
    // Another target or number is another wish; that one has to be undone first.
    const same = asked.target === target.value && asked.quantity === order.quantity;
    if (!same) return err({ code: 'move-open', move: asked.id, state: asked.state });
    await withdraw(context, tx, asked);
  }
  const { quantity, toUrl } = order;
  return freezeAndTell(context, tx, { line, authority, target: target.value, toUrl, quantity });
}

async function freezeAndTell(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly authority: AuthorityRow;
    readonly target: string;
    readonly toUrl: string | undefined;
    readonly quantity: number | 'all';
  },
): Promise<Result<ToldAct, Refusal>> {
  const { line, authority, target, toUrl, quantity } = of;
  const nowMs = context.clock.nowMs();
  const id = `fz-${newId(context)}`;
  const frozen = await freezeUnits(tx, { line, move: id, quantity });
  if (!frozen.ok) return frozen;
  const { unissued, held, reserved, quarantined } = frozen.value.split;
  const fits = checkOneMove(frozen.value.split);
  if (!fits.ok) return fits;
  const source = context.licenseServerId;
  const begun = { id, role: 'source', carrier: 'telephone', quantity, source, target } as const;
  const amounts = { unissued, held, reserved, quarantined };
  const move = moveRow(line, { ...begun, ...amounts, state: 'frozen' }, nowMs);
  await insertServerMove(tx, move);
  await savePeer(tx, { licenseServerId: target, name: null, url: toUrl ?? null });
  const { agreement, line: number } = line;
  await tx.post({
    log: serverLog,
    kind: 'frozen',
    id,
    at: nowMs,
    postings: frozen.value.postings,
    body: { agreement, line: number, move: id, target, unissued, held },
  });
  await noteEvent(context, tx, { number: 5001, data: moveEvent(move) });
  const act = { authority, kind: 'frozen', line: number, unissued, held, move: id, nowMs } as const;
  const told = await confirmAct(context, tx, { ...act, counts: { freezes: 1 } });
  return ok({ ...told, product: line.product, type: line.type, move: id });
}

/**
 * Whether a code that is made now can still be read later: a certificate that is under way will start
 * another ratchet. Refused: `answer-pending`.
 */
export async function checkReadable(tx: WriteTx): Promise<Result<null, Refusal>> {
  const pending = await isWaiting(tx, 'activate');
  return pending ? err({ code: 'answer-pending', waitingFor: 'the certificate' }) : ok(null);
}

/** Asked again for the same target: the code as it was made. For another target: one at a time. */
async function repeatFreeze(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly open: ServerMoveRow;
    readonly target: string;
    readonly order: { readonly quantity: number | 'all' };
  },
): Promise<Result<ToldAct, Refusal>> {
  const { open } = of;
  const told = (await listConfirmations(tx, open.agreement, 'frozen')).find((row) => row.move === open.id);
  if (told === undefined || open.target !== of.target || open.quantity !== of.order.quantity) {
    return err({ code: 'move-open', move: open.id, state: open.state });
  }
  return ok({
    ...(await viewConfirmation(context, tx, told)),
    product: open.product,
    type: open.type,
    move: open.id,
  });
}

/**
 * Gives up what is frozen on a line. Asked again, the code is printed again. Refused: `nothing-frozen`,
 * `line-unknown`, `not-activated`, `deactivated`, `quantity-invalid` (65,535 at most by telephone), `undo-open`, and
 * `move-open` while a long freeze goes on.
 */
export async function releaseByTelephone(
  context: ServerContext,
  name: Keyed & LineName,
): Promise<Result<ToldAct, Refusal>> {
  const nowMs = context.clock.nowMs();
  return administerOnce<ToldAct>(context, { act: 'release', order: name }, async (tx) => {
    const found = await findNamedLine(tx, name);
    if (!found.ok) return found;
    const { line, authority } = found.value;
    const move = await openFreeze(tx, line.agreement, line.line);
    if (move === undefined) return lastRelease(context, tx, { line, nowMs });
    const given = await checkGivenUp(tx, move);
    if (!given.ok) return given;
    const { unissued, held } = move;
    if ((await readProgress(tx, move.id))?.frozen === false) {
      return err({ code: 'move-open', move: move.id, state: move.state });
    }
    if (tooMuchToTell(unissued) || tooMuchToTell(held)) {
      return err({ code: 'quantity-invalid', quantity: unissued + held, most: 65_535 });
    }
    const told = await releaseAndTell(context, tx, { line, authority, move, nowMs });
    const kept = await keptUntil(tx, (await findLineById(tx, line.id)) ?? line, nowMs);
    return ok({ ...told, product: line.product, type: line.type, move: move.id, keptUntil: kept });
  });
}

/** Releases one frozen move with a code of its own; it must not be too much for one. */
export async function releaseAndTell(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly authority: AuthorityRow;
    readonly move: ServerMoveRow;
    readonly nowMs: number;
  },
): Promise<ConfirmationView> {
  const { line, authority, move, nowMs } = of;
  await release(context, tx, { line, move, nowMs, code: nextCode(authority) });
  const { id, unissued, held } = move;
  const counts = { releases: 1 };
  const act = {
    authority,
    kind: 'released',
    line: line.line,
    unissued,
    held,
    counts,
    move: id,
    nowMs,
  } as const;
  return confirmAct(context, tx, act);
}

async function lastRelease(
  context: ServerContext,
  tx: WriteTx,
  { line, nowMs }: { readonly line: LineRow; readonly nowMs: number },
): Promise<Result<ToldAct, Refusal>> {
  const told = (await listConfirmations(tx, line.agreement, 'released')).find(
    (row) => row.line === line.line,
  );
  if (told === undefined) return err({ code: 'nothing-frozen', product: line.product, type: line.type });
  const { product, type } = line;
  const madeAt = isoTime(told.at);
  const kept = await keptUntil(tx, line, nowMs);
  return ok({ ...(await viewConfirmation(context, tx, told)), product, type, madeAt, keptUntil: kept });
}

/** The place of the next code that an authority makes. */
export function nextCode({ aid, confirmationSeq }: AuthorityRow): ToldCode {
  return { aid, seq: confirmationSeq + 1 };
}

/**
 * Releases one frozen move in the books of this server, as `code` tells. What was frozen by message is told
 * by message as well, in case the code cannot be read: an earlier one may wait for this move to end.
 */
export async function release(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly move: ServerMoveRow;
    readonly nowMs: number;
    readonly code: ToldCode;
  },
): Promise<void> {
  const { line, move, nowMs, code } = of;
  // A code names nobody: whose CAL stays here can have one of those that go, and must not leave its own to
  // somebody else as long as a license of those whose CALs went can run (protocol §2.4, rule 5).
  if (move.held > 0) {
    await openReserved(context, tx, { line, nowMs });
    const seenMs = Math.max(nowMs, await newestSeen(context, tx));
    await keepLeases(tx, { lineId: line.id, untilMs: seenMs + longestLeaseMs, nowMs });
  }
  if (move.carrier === 'online') return releaseWhole(context, tx, { line, move, code });
  const postings = await releaseUnits(tx, { line, move });
  await updateServerMove(tx, { ...move, state: 'closed', updatedAt: nowMs });
  await tx.post({
    log: serverLog,
    kind: 'released',
    id: newId(context),
    at: nowMs,
    postings,
    body: {
      agreement: line.agreement,
      line: line.line,
      move: move.id,
      unissued: move.unissued,
      held: move.held,
    },
  });
  await noteEvent(context, tx, { number: 5002, data: moveEvent(move) });
}

/** The yearly report, one code for each agreement. Refused: `not-activated`, `agreement-missing`. */
export async function heartbeatByTelephone(
  context: ServerContext,
  order: Keyed & { readonly agreement?: string | undefined } = {},
): Promise<Result<ToldAct, Refusal>> {
  const nowMs = context.clock.nowMs();
  const { agreement } = order;
  return administerOnce<ToldAct>(context, { act: 'heartbeat', order }, async (tx) => {
    const active = (await listAuthorities(tx)).filter((row) => row.state === 'active');
    const wanted = agreement === undefined ? active : active.filter((row) => row.agreement === agreement);
    const [authority, second] = wanted;
    if (authority === undefined) return err({ code: 'not-activated', agreement: agreement ?? null });
    if (second !== undefined) return err({ code: 'agreement-missing' });
    const kind: ConfirmationKind = 'heartbeat';
    const [last] = await listConfirmations(tx, authority.agreement, kind);
    const isLast = last?.seq === authority.confirmationSeq && nowMs - (last?.at ?? 0) < dayMs;
    // Asked again before anything else was told: every new code would bring the desk nearer to its limit.
    if (last !== undefined && isLast) return ok(await viewConfirmation(context, tx, last));
    const told = await confirmAct(context, tx, {
      authority,
      kind,
      line: allLines,
      unissued: 0,
      held: 0,
      counts: {},
      move: null,
      nowMs,
    });
    await tx.post({
      log: serverLog,
      kind,
      id: newId(context),
      at: nowMs,
      body: { agreement: authority.agreement },
    });
    return ok(told);
  });
}
