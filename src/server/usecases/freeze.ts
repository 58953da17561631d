/**
 * The source's side of a move: freezing units so that they can be nobody else's, giving them up, or
 * taking them back. Frozen holders go on renewing; nothing frozen is given to anyone new.
 */
import type { AccountId, Posting } from '../../core/ledger.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { FreezeSplit } from '../../core/split.ts';
import { splitFreeze } from '../../core/split.ts';
import { holdLicenses, setHeldLicenses } from '../../store/license-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { freezeReserved, releaseReserved, unfreezeReserved } from '../../store/reserve-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { openFreeze, provisionalMove } from '../../store/server-rows.ts';
import { dropUnits, freePool, shiftUnits } from '../../store/unit-rows.ts';
import { accountsOf } from './license-token.ts';

/** What a freeze takes, as postings, and the two amounts that the other side hears of. */
export interface Frozen {
  readonly split: FreezeSplit;
  readonly postings: readonly Posting[];
}

/**
 * Freezes units of a line for a move: unissued first, then holders with the earliest lease end; what is
 * reserved or quarantined goes last and counts as held. Refused: `move-open` (one freeze per line and
 * server, protocol §2.4 rule 6), `move-more-than-there-is`.
 */
export async function freezeUnits(
  tx: WriteTx,
  order: { readonly line: LineRow; readonly move: string; readonly quantity: number | 'all' },
): Promise<Result<Frozen, Refusal>> {
  const { line, move } = order;
  const open = await openFreeze(tx, line.agreement, line.line);
  if (open !== undefined) return err({ code: 'move-open', move: open.id, state: open.state });
  const coming = await provisionalMove(tx, line.agreement, line.line);
  // Its units are still in transit in the books of the clearinghouse: they cannot be moved on yet.
  if (coming !== undefined) return err({ code: 'move-open', move: coming.id, state: coming.state });
  const accounts = accountsOf(line);
  const split = splitFreeze({
    unissued: await tx.balance(accounts.unissued),
    issued: await tx.balance(accounts.issued),
    reserved: await tx.balance(accounts.reserved),
    quarantined: await tx.balance(accounts.quarantined),
    wanted: order.quantity,
  });
  if (!split.ok) return split;
  const { unissued, issued, reserved } = split.value;
  await shiftUnits(tx, { lineId: line.id, from: freePool, to: move, amount: unissued });
  const held = await holdLicenses(tx, { lineId: line.id, move, amount: issued });
  if (held !== issued) throw new Error(`${issued} licenses were to be held, ${held} were there.`);
  await freezeReserved(tx, { lineId: line.id, move, amount: reserved });
  const postings = takesOf(line, move, split.value).map(
    ({ id, debit, amount }): Posting => ({
      kind: 'pending',
      id,
      debit,
      hold: accounts.held,
      credit: accounts.installed,
      amount,
    }),
  );
  return ok({ split: split.value, postings });
}

/** The pendings of a freeze: one for each account that it takes from. */
function takesOf(
  line: LineRow,
  move: string,
  split: Omit<FreezeSplit, 'held'>,
): readonly { readonly id: string; readonly debit: AccountId; readonly amount: number }[] {
  const accounts = accountsOf(line);
  const names = ['unissued', 'issued', 'reserved', 'quarantined'] as const;
  return names
    .map((name) => ({ id: `${move}/${name}`, debit: accounts[name], amount: split[name] }))
    .filter(({ amount }) => amount > 0);
}

function resolveAll(line: LineRow, move: ServerMoveRow, kind: 'post' | 'void'): readonly Posting[] {
  const { unissued, held, reserved, quarantined } = move;
  const split = { unissued, issued: held - reserved - quarantined, reserved, quarantined };
  return takesOf(line, move.id, split).map(({ id }) => ({ kind, pending: id }));
}

/** Gives up what a move has frozen: the units leave this server for good. */
export async function releaseUnits(
  tx: WriteTx,
  of: { readonly line: LineRow; readonly move: ServerMoveRow },
): Promise<readonly Posting[]> {
  await setHeldLicenses(tx, of.move.id, 'released');
  await releaseReserved(tx, of.line.id, of.move.id);
  await dropUnits(tx, of.line.id, of.move.id);
  return resolveAll(of.line, of.move, 'post');
}

/** Takes back what a move has frozen: everything is as it was before the freeze. */
export async function unfreezeUnits(
  tx: WriteTx,
  of: { readonly line: LineRow; readonly move: ServerMoveRow },
): Promise<readonly Posting[]> {
  const { line, move } = of;
  await setHeldLicenses(tx, move.id, 'issued');
  await unfreezeReserved(tx, move.id);
  await shiftUnits(tx, { lineId: line.id, from: move.id, to: freePool, amount: move.unissued });
  return resolveAll(line, move, 'void');
}
