/**
 * The target gives back all that a move has brought it, because the move is undone: what nobody came for,
 * what its holders have taken over, and in place of what it gave to others, as many of its own. Nothing
 * of it is given to anybody here from then on; tokens run on to their ends, and the source serves them.
 */
import { bytesOfBase64url } from '../../core/bytes.ts';
import type { Posting } from '../../core/ledger.ts';
import { advanceTarget } from '../../core/move-servers.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import { cutList } from '../../protocol/list-parts.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { heldLicenses } from '../../store/license-rows.ts';
import { dropParts } from '../../store/part-rows.ts';
import type { OutgoingMessage, WriteTx } from '../../store/port.ts';
import { drawReserve, lineReserves, reserveLeft, returnReservations } from '../../store/reserve-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { findAuthority, findLine, isActive } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { insertServerMove, openFreeze, savePeer, updateServerMove } from '../../store/server-rows.ts';
import { frozenSince, releaseInherited, releaseNewest } from '../../store/undo-rows.ts';
import { dropUnits, freePool, shiftUnits } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { applyGrant } from './apply-grant.ts';
import { noteEvent } from './events.ts';
import { viewHolder } from './holder-view.ts';
import { hasPassedOn, keep } from './keep.ts';
import { accountsOf, serverLog } from './license-token.ts';
import type { Handled, On } from './move-messages.ts';
import { partSize } from './move-progress.ts';
import { moveEvent, moveRow, targetState } from './move-row.ts';
import { newId } from './new-id.ts';
import { settleUndo } from './open-undo.ts';

/**
 * The order to give back. Refused, and it comes again: `move-open` while what the move brought is frozen for
 * another one, `move-more-than-there-is` where that has left since, `deactivated` where it has left this server for good and the move is to go on;
 * `not-activated` of a line or a certificate that has not arrived, `message-invalid`.
 */
export async function onCancel(
  context: ServerContext,
  tx: WriteTx,
  { message, id, move }: On<MessageOf<'cancel'>>,
): Handled {
  const step = advanceTarget({ id, state: targetState(move) }, 'cancel');
  if (!step.ok) return step;
  if (step.value.again) return ok(null);
  const { body } = message;
  const line = await findLine(tx, body.agreement, body.line);
  if (line === undefined) return err({ code: 'not-activated', agreement: body.agreement });
  // One that this server has asked for itself is known, and was not granted for that (§2.5).
  if (targetState(move) === 'none') {
    const taken = await takeGrant(context, tx, { body, id, line });
    if (!taken.ok) return taken;
  }
  const amount = body.unissued + body.held;
  // One whose grant is not here yet waits for it: only then is it known what is missing.
  if (
    move?.state === 'provisional' &&
    (await hasPassedOn(tx, { line, move: id, source: body.source, amount }))
  ) {
    // The move would go on to its end, and nobody be served here: it comes again, until this server is activated again.
    if (!(await isActive(tx, line.agreement))) return err({ code: 'deactivated' });
    await keep(context, tx, { line, move });
    return ok(null);
  }
  const given = await giveUp(tx, { line, move: id, source: body.source, amount });
  if (!given.ok) return given;
  await enterReturn(context, tx, { body, id, move, line, given: given.value });
  return ok(null);
}

/**
 * The grant that never came, for a moment: its positions must count as applied, or later ones of the same
 * chains would bring its units. A certificate that came since has brought them already, as open units.
 */
async function takeGrant(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly body: BodyOf<'cancel'>; readonly id: string; readonly line: LineRow },
): Promise<Result<null, Refusal>> {
  const { body, id, line } = of;
  if (line.aid !== body.aid) {
    const known = await findAuthority(tx, body.aid);
    return known === undefined ? err({ code: 'not-activated', agreement: body.agreement }) : ok(null);
  }
  const free = bytesOfBase64url(body.free.value) ?? new Uint8Array(0);
  const held = bytesOfBase64url(body.heldChain.value) ?? new Uint8Array(0);
  const nowMs = context.clock.nowMs();
  const granted = await applyGrant(context, tx, {
    line,
    move: id,
    source: body.source,
    holders: [],
    alsoFrom: [],
    unissued: body.unissued,
    nowMs,
    opensAt: null,
    atRiskUntil: null,
    free: { chain: 'free', k: body.free.k, value: free },
    held: { chain: 'held', k: body.heldChain.k, value: held },
    heldBefore: body.heldBefore ?? [],
  });
  if (!granted.ok) return granted;
  await tx.post({
    log: serverLog,
    kind: 'move-installed',
    id: `grant:${id}`,
    at: nowMs,
    body: { agreement: line.agreement, line: line.line, move: id, source: body.source, undone: true },
    postings: granted.value,
  });
  return ok(null);
}

interface GivenUp {
  readonly unissued: number;
  readonly held: number;
  readonly postings: readonly Posting[];
}

/**
 * Takes the units of a move out of the books here. What it brought and was given to others is made up for
 * by unissued units, then by the licenses that were issued last: their holders go along.
 */
async function giveUp(
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly move: string;
    readonly source: string;
    readonly amount: number;
  },
): Promise<Result<GivenUp, Refusal>> {
  const { line, move, amount } = of;
  const frozen = await frozenSince(tx, move);
  if (frozen !== undefined) return err({ code: 'move-open', move: frozen, state: 'frozen' });
  const accounts = accountsOf(line);
  const inherited = await releaseInherited(tx, move);
  const named = await returnReservations(tx, move);
  const nameless = Math.min(await reserveLeft(tx, move), amount - inherited - named);
  if (nameless > 0) await drawReserve(tx, move, nameless);
  const leaving = `${move}/back`;
  // A later code of the same source had brought them, and they are in its reserve.
  const elsewhere = await drawOthers(tx, { ...of, leaving, amount: amount - inherited - named - nameless });
  const rest = amount - inherited - named - nameless - elsewhere;
  const unissued = Math.min(rest, await tx.balance(accounts.unissued));
  const newest = await releaseNewest(tx, { lineId: line.id, move, amount: rest - unissued });
  if (unissued + newest !== rest) return err(await whyTooFew(tx, of, amount - rest + unissued + newest));
  await shiftUnits(tx, { lineId: line.id, from: move, to: leaving, amount: named + nameless });
  await shiftUnits(tx, { lineId: line.id, from: freePool, to: leaving, amount: unissued });
  await dropUnits(tx, line.id, leaving);
  const postings = (
    [
      ['unissued', unissued],
      ['issued', inherited + newest],
      ['reserved', named + nameless + elsewhere],
    ] as const
  )
    .filter(([, count]) => count > 0)
    .map(
      ([account, count]): Posting => ({
        kind: 'transfer',
        debit: accounts[account],
        credit: accounts.installed,
        amount: count,
      }),
    );
  return ok({ unissued, held: amount - unissued, postings });
}

/** Takes up to `amount` units out of the other reserves for the holders of a source; answers how many. */
async function drawOthers(
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly source: string;
    readonly leaving: string;
    readonly amount: number;
  },
): Promise<number> {
  const { line, leaving } = of;
  let left = of.amount;
  for (const { id, source, amount } of await lineReserves(tx, line.id)) {
    const drawn = source === of.source ? Math.min(amount, left) : 0;
    if (drawn === 0) continue;
    await drawReserve(tx, id, drawn);
    await shiftUnits(tx, { lineId: line.id, from: id, to: leaving, amount: drawn });
    left -= drawn;
  }
  return of.amount - left;
}

/**
 * Why not all can be given back: a later code of the same chain had brought the units before their grant was
 * here, and they were frozen as anybody's, or have left since. The order comes again, and is obeyed when the
 * other move is over and there are units in their place.
 */
async function whyTooFew(
  tx: WriteTx,
  { line, amount }: { readonly line: LineRow; readonly amount: number },
  available: number,
): Promise<Refusal> {
  const open = await openFreeze(tx, line.agreement, line.line);
  return open === undefined
    ? { code: 'move-more-than-there-is', asked: amount, available }
    : { code: 'move-open', move: open.id, state: open.state };
}

/** What was given back, in the books of this server, and its receipt on the way. */
async function enterReturn(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly body: BodyOf<'cancel'>;
    readonly id: string;
    readonly move: ServerMoveRow | undefined;
    readonly line: LineRow;
    readonly given: GivenUp;
  },
): Promise<void> {
  const { body, id, move, line, given } = of;
  const nowMs = context.clock.nowMs();
  const { agreement, line: number } = line;
  const { unissued, held } = given;
  const row =
    move === undefined
      ? moveRow(
          line,
          {
            ...{ id, role: 'target', carrier: 'online', quantity: body.unissued + body.held },
            ...{ source: body.source, target: context.licenseServerId, state: 'relinquished' },
            ...{ unissued: body.unissued, held: body.held },
          },
          nowMs,
        )
      : { ...move, state: 'relinquished', updatedAt: nowMs };
  if (move === undefined) {
    await insertServerMove(tx, row);
    await savePeer(tx, { licenseServerId: body.source, name: null, url: null });
  } else await updateServerMove(tx, row);
  const cut = cutList((await heldLicenses(tx, id)).map(viewHolder), partSize);
  const outbox: OutgoingMessage[] = [];
  for (const [part, holders] of cut.parts.entries()) {
    const said = { type: 'relinquished-part', move: id, body: { part, holders } } as const;
    outbox.push(await outgoing(tx, { id: newId(context), ...said }));
  }
  const parts = cut.parts.length === 0 ? {} : { parts: cut.parts.length };
  outbox.push(
    await outgoing(tx, {
      id: newId(context),
      type: 'relinquished',
      move: id,
      body: { agreement, line: number, unissued, held, holders: cut.rest, ...parts },
    }),
  );
  await tx.post({
    log: serverLog,
    kind: 'relinquished',
    id: `relinquish:${id}`,
    at: nowMs,
    outbox,
    body: { agreement, line: number, move: id, source: body.source, unissued, held },
    postings: given.postings,
  });
  // Names that came ahead of a grant which could not be applied.
  await dropParts(tx, { move: id, list: 'holders' });
  await settleUndo(tx, id);
  await noteEvent(context, tx, { number: 5006, data: { ...moveEvent(row), unissued, held } });
}
