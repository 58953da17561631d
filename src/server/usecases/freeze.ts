/**
 * The source's side of a move: freezing units so that they can be nobody else's, giving them up, or
 * taking them back. Frozen holders go on renewing; nothing frozen is given to anyone new.
 */
import type { AccountId, Posting } from '../../core/ledger.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { FreezeSplit, FreezeState } from '../../core/split.ts';
import { checkOneMove, roomAfter, splitFreeze } from '../../core/split.ts';
import type { HeldHolder } from '../../store/held-rows.ts';
import { holdBetween, issuedAfter, nextToHold } from '../../store/held-rows.ts';
import { holdLicenses, setHeldLicenses } from '../../store/license-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { freezeQuarantined, releaseQuarantined, unfreezeQuarantined } from '../../store/quarantine-rows.ts';
import { freezeReserved, releaseReserved, unfreezeReserved } from '../../store/reserve-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { openFreeze, provisionalMove, sharedMove } from '../../store/server-rows.ts';
import { dropUnits, freePool, shiftUnits } from '../../store/unit-rows.ts';
import { accountsOf } from './license-token.ts';
import type { Part } from './move-progress.ts';
import { partSize, readProgress, takeFrozen } from './move-progress.ts';

/** What a freeze takes, as postings, and the two amounts that the other side hears of. */
export interface Frozen {
  readonly split: FreezeSplit;
  readonly postings: readonly Posting[];
}

/** What one part of a freeze takes. */
export interface FrozenPart extends Frozen {
  readonly licenses: readonly HeldHolder[];
  /** Whether nothing is left to be frozen. */
  readonly complete: boolean;
  /** The license that was frozen last, where all are frozen in the order of their ids. */
  readonly cursor: number;
}

/**
 * Freezes units of a line for a move: unissued first, then holders with the earliest lease end; what is
 * reserved or quarantined goes last and counts as held. Refused: `move-open` (one freeze per line and
 * server, protocol §2.4 rule 6; and units with holders that came here while their source has not given them
 * up, rule 7), `move-more-than-there-is`.
 */
export async function freezeUnits(
  tx: WriteTx,
  order: { readonly line: LineRow; readonly move: string; readonly quantity: number | 'all' },
): Promise<Result<Frozen, Refusal>> {
  const free = await checkFree(tx, order.line);
  if (!free.ok) return free;
  const split = await splitOf(tx, order.line, { wanted: order.quantity });
  if (!split.ok) return split;
  const { issued: amount } = split.value;
  const held = await holdLicenses(tx, { lineId: order.line.id, move: order.move, amount });
  if (held !== amount) throw new Error(`${amount} licenses were to be held, ${held} were there.`);
  return ok({ split: split.value, postings: await take(tx, { ...order, split: split.value, number: 0 }) });
}

/** Refused: `move-open` where one freeze of the line is open, or units of it have not quite arrived. */
export async function checkFree(tx: WriteTx, line: LineRow): Promise<Result<null, Refusal>> {
  const open = await openFreeze(tx, line.agreement, line.line);
  if (open !== undefined) return err({ code: 'move-open', move: open.id, state: open.state });
  const coming = await provisionalMove(tx, line.agreement, line.line);
  // Its units are still in transit in the books of the clearinghouse: they cannot be moved on yet.
  if (coming !== undefined) return err({ code: 'move-open', move: coming.id, state: coming.state });
  return ok(null);
}

/**
 * Freezes the next part of a move: all that is unissued, so that nobody new gets any of it from the first
 * part on, and a few hundred licenses; what is reserved or quarantined comes with the last part. Refused:
 * `move-more-than-there-is`, and with the first part `move-too-large`.
 */
export async function freezePart(
  tx: WriteTx,
  order: {
    readonly line: LineRow;
    readonly move: string;
    readonly wanted: number | 'all';
    readonly part: number;
    /** What the parts before have taken. */
    readonly taken: Pick<FreezeSplit, 'unissued' | 'held'>;
    /** The license that was frozen last, where all are frozen in the order of their ids. */
    readonly cursor: number;
  },
): Promise<Result<FrozenPart, Refusal>> {
  const { line, move, part: number, cursor } = order;
  const whole = await splitOf(tx, line, {
    wanted: order.wanted,
    ...(number === 0 ? {} : { room: roomAfter(order.taken) }),
  });
  if (!whole.ok) return whole;
  const fits = number === 0 ? checkOneMove(whole.value) : ok(null);
  if (!fits.ok) return fits;
  const complete = whole.value.issued <= partSize;
  const split = complete
    ? whole.value
    : { unissued: whole.value.unissued, issued: partSize, reserved: 0, quarantined: 0, held: partSize };
  const byId = order.wanted === 'all' && !complete;
  const licenses = await holdNext(tx, { line, move, amount: split.issued, after: byId ? cursor : null });
  const postings = await take(tx, { line, move, split, number });
  const last = byId ? Math.max(cursor, licenses.at(-1)?.id ?? 0) : cursor;
  return ok({ split, postings, licenses, complete, cursor: last });
}

/**
 * Holds so many licenses, and answers whose. Those whose leases end first are the likeliest to be gone, so they
 * go first; where all go, the order of their ids (`after` one) takes a fifth of the time. Whatever that
 * leaves behind goes with the last part.
 */
async function holdNext(
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly move: string;
    readonly amount: number;
    readonly after: number | null;
  },
): Promise<readonly HeldHolder[]> {
  const { move, amount, after } = of;
  const lineId = of.line.id;
  const inOrder = after === null ? [] : await issuedAfter(tx, { lineId, after, limit: amount });
  const last = inOrder.at(-1)?.id;
  const isInOrder = after !== null && last !== undefined && inOrder.length === amount;
  const licenses = isInOrder ? inOrder : await nextToHold(tx, lineId, amount);
  const held = isInOrder
    ? await holdBetween(tx, { lineId, move, after, last })
    : await holdLicenses(tx, { lineId, move, amount });
  if (held !== amount) throw new Error(`${amount} licenses were to be held, ${held} were there.`);
  return licenses;
}

/** What a freeze would take now. Refused: as `splitFreeze`. */
export async function plannedSplit(
  tx: WriteTx,
  line: LineRow,
  order: Pick<FreezeState, 'wanted' | 'room'>,
): Promise<Result<FreezeSplit, Refusal>> {
  const accounts = accountsOf(line);
  return splitFreeze({
    unissued: await tx.balance(accounts.unissued),
    issued: await tx.balance(accounts.issued),
    reserved: await tx.balance(accounts.reserved),
    quarantined: await tx.balance(accounts.quarantined),
    ...order,
  });
}

async function splitOf(
  tx: WriteTx,
  line: LineRow,
  order: Pick<FreezeState, 'wanted' | 'room'>,
): Promise<Result<FreezeSplit, Refusal>> {
  const split = await plannedSplit(tx, line, order);
  if (!split.ok || split.value.held === 0) return split;
  // Whom the source of an earlier move still renews cannot go on: the end of that lease would be told to this
  // server alone, and the next one would give the unit to somebody else when the lease that it knows has ended.
  const shared = await sharedMove(tx, line.agreement, line.line);
  return shared === undefined ? split : err({ code: 'move-open', move: shared.id, state: shared.state });
}

/** Freezes a split but for its licenses, and answers the postings for all of it. */
async function take(
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly move: string;
    readonly split: FreezeSplit;
    readonly number: number;
  },
): Promise<readonly Posting[]> {
  const { line, move, split, number } = of;
  await shiftUnits(tx, { lineId: line.id, from: freePool, to: move, amount: split.unissued });
  await freezeReserved(tx, { lineId: line.id, move, amount: split.reserved });
  await freezeQuarantined(tx, { lineId: line.id, move, amount: split.quarantined });
  const accounts = accountsOf(line);
  return takesOf({ line, move, part: split, number }).map(
    ({ id, debit, amount }): Posting => ({
      kind: 'pending',
      id,
      debit,
      hold: accounts.held,
      credit: accounts.installed,
      amount,
    }),
  );
}

/** The pendings of a part of a freeze, the first one where there are no more: one for each account. */
function takesOf(of: {
  readonly line: LineRow;
  readonly move: string;
  readonly part: Part;
  readonly number: number;
}): readonly { readonly id: string; readonly debit: AccountId; readonly amount: number }[] {
  const accounts = accountsOf(of.line);
  const names = ['unissued', 'issued', 'reserved', 'quarantined'] as const;
  const end = of.number === 0 ? '' : `/${of.number}`;
  return names
    .map((name) => ({ id: `${of.move}/${name}${end}`, debit: accounts[name], amount: of.part[name] }))
    .filter(({ amount }) => amount > 0);
}

async function resolveAll(
  tx: WriteTx,
  { line, move }: { readonly line: LineRow; readonly move: ServerMoveRow },
  kind: 'post' | 'void',
): Promise<readonly Posting[]> {
  const { unissued, held, reserved, quarantined } = move;
  const whole = { unissued, issued: held - reserved - quarantined, reserved, quarantined };
  const progress = await readProgress(tx, move.id);
  const parts = progress === undefined ? [whole] : await takeFrozen(tx, move.id);
  // What a release in parts has given up already is resolved.
  return parts
    .flatMap((part, number) =>
      number < (progress?.released ?? 0) ? [] : takesOf({ line, move: move.id, part, number }),
    )
    .map(({ id }) => ({ kind, pending: id }));
}

/** Gives up one part of what a move has frozen, but for its licenses; the last part takes along what is left. */
export async function releasePartOf(
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly move: ServerMoveRow;
    readonly part: Part;
    readonly number: number;
    readonly isLast: boolean;
  },
): Promise<readonly Posting[]> {
  const { line, move, part, number } = of;
  const leaving = `${move.id}/leaving`;
  await shiftUnits(tx, { lineId: line.id, from: move.id, to: leaving, amount: part.unissued });
  await dropUnits(tx, line.id, leaving);
  if (of.isLast) {
    await releaseReserved(tx, line.id, move.id);
    await releaseQuarantined(tx, line.id, move.id);
  }
  return takesOf({ line, move: move.id, part, number }).map(({ id }) => ({ kind: 'post', pending: id }));
}

/** Gives up what a move has frozen: the units leave this server for good. */
export async function releaseUnits(
  tx: WriteTx,
  of: { readonly line: LineRow; readonly move: ServerMoveRow },
): Promise<readonly Posting[]> {
  await setHeldLicenses(tx, of.move.id, 'released');
  await releaseReserved(tx, of.line.id, of.move.id);
  await releaseQuarantined(tx, of.line.id, of.move.id);
  await dropUnits(tx, of.line.id, of.move.id);
  return resolveAll(tx, of, 'post');
}

/** Takes back what a move has frozen: everything is as it was before the freeze. */
export async function unfreezeUnits(
  tx: WriteTx,
  of: { readonly line: LineRow; readonly move: ServerMoveRow },
): Promise<readonly Posting[]> {
  const { line, move } = of;
  await setHeldLicenses(tx, move.id, 'issued');
  await unfreezeReserved(tx, move.id);
  await unfreezeQuarantined(tx, move.id);
  await shiftUnits(tx, { lineId: line.id, from: move.id, to: freePool, amount: move.unissued });
  return resolveAll(tx, of, 'void');
}
