/** Unissued CALs that go back to the publisher by telephone, each amount with a code to read (protocol §3.6). */
import { mostInConfirmation } from '../../core/confirmation.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { WriteTx } from '../../store/port.ts';
import type { AuthorityRow, LineRow } from '../../store/server-authority-rows.ts';
import { findAuthority } from '../../store/server-authority-rows.ts';
import { provisionalMove } from '../../store/server-rows.ts';
import { dropUnits, freePool, shiftUnits } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import type { Keyed } from './administer-once.ts';
import { administerOnce } from './administer-once.ts';
import type { ConfirmationView } from './confirm.ts';
import { confirmAct, tooMuchToTell } from './confirm.ts';
import { noteEvent } from './events.ts';
import type { LineName } from './find-line.ts';
import { findNamedLine } from './find-line.ts';
import { accountsOf, serverLog } from './license-token.ts';
import { unfinishedFreeze } from './move-progress.ts';
import { newId } from './new-id.ts';
import type { ToldAct } from './telephone-move.ts';
import { checkReadable } from './telephone-move.ts';

/**
 * Gives unissued CALs back to the publisher. Refused: `move-more-than-there-is`, `quantity-invalid`, and
 * `move-open` while a move to here is not final, whose units could not be told from the others.
 */
export async function returnByTelephone(
  context: ServerContext,
  order: Keyed & LineName & { readonly quantity: number },
): Promise<Result<ToldAct, Refusal>> {
  const nowMs = context.clock.nowMs();
  return administerOnce<ToldAct>(context, { act: 'return', order }, async (tx) => {
    const found = await findNamedLine(tx, order);
    if (!found.ok) return found;
    const readable = await checkReadable(tx);
    if (!readable.ok) return readable;
    const given = await giveBack(context, tx, { ...found.value, quantity: order.quantity, nowMs });
    if (!given.ok) return given;
    const { product, type } = found.value.line;
    return ok({ ...given.value, product, type });
  });
}

async function giveBack(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly authority: AuthorityRow;
    readonly quantity: number;
    readonly nowMs: number;
  },
): Promise<Result<ConfirmationView, Refusal>> {
  const { line, authority, quantity, nowMs } = of;
  const accounts = accountsOf(line);
  const coming = await provisionalMove(tx, line.agreement, line.line);
  // What it brought may have to be given back to where it came from.
  if (coming !== undefined) return err({ code: 'move-open', move: coming.id, state: coming.state });
  const freezing = await unfinishedFreeze(tx, line);
  if (freezing !== undefined) return err({ code: 'move-open', move: freezing.id, state: freezing.state });
  const unissued = await tx.balance(accounts.unissued);
  if (!Number.isSafeInteger(quantity) || quantity < 1 || tooMuchToTell(quantity)) {
    return err({ code: 'quantity-invalid', quantity, most: Math.min(unissued, 65_535) });
  }
  if (quantity > unissued)
    return err({ code: 'move-more-than-there-is', asked: quantity, available: unissued });
  const id = newId(context);
  await shiftUnits(tx, { lineId: line.id, from: freePool, to: id, amount: quantity });
  await dropUnits(tx, line.id, id);
  await tx.post({
    log: serverLog,
    kind: 'given-back',
    id,
    at: nowMs,
    body: { agreement: line.agreement, line: line.line, amount: quantity },
    postings: [{ kind: 'transfer', debit: accounts.unissued, credit: accounts.installed, amount: quantity }],
  });
  await noteEvent(context, tx, {
    number: 5007,
    data: { count: quantity, product: line.product, type: line.type },
  });
  const told = await confirmAct(context, tx, {
    authority,
    kind: 'returned',
    line: line.line,
    unissued: quantity,
    held: 0,
    counts: { returns: 1 },
    move: null,
    nowMs,
  });
  return ok(told);
}

/** Gives back all that is unissued of a line: a code tells no more than two bytes can. */
export async function giveAllBack(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    /** The authority whose ratchet the codes are made with. */
    readonly aid: string;
    readonly quantity: number;
    readonly nowMs: number;
  },
): Promise<Result<readonly ConfirmationView[], Refusal>> {
  const codes: ConfirmationView[] = [];
  for (let left = of.quantity; left > 0; left -= mostInConfirmation) {
    const authority = await authorityNow(tx, of.aid);
    const quantity = Math.min(left, mostInConfirmation);
    const given = await giveBack(context, tx, { ...of, authority, quantity });
    if (!given.ok) return given;
    codes.push(given.value);
  }
  return ok(codes);
}

/** The authority as it is now: each code made for it moves its ratchet on. */
export async function authorityNow(tx: WriteTx, aid: string): Promise<AuthorityRow> {
  const row = await findAuthority(tx, aid);
  if (row === undefined) throw new Error('An authority vanished while codes were made for it.');
  return row;
}
