/**
 * The target's part in a move by messages: it installs, is made final, and hears that the source is
 * closed. The table is `advanceTarget`; giving back what is undone is in `relinquish.ts`.
 */

import { bytesOfBase64url } from '../../core/bytes.ts';
import type { Posting } from '../../core/ledger.ts';
import { advanceTarget } from '../../core/move-servers.ts';
import { err, ok } from '../../core/result.ts';
import type { Message, MessageOf } from '../../protocol/envelope.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { msOf } from '../../protocol/schema.ts';
import { endDeclaration } from '../../store/gap-rows.ts';
import { extendLease, inheritedLeases } from '../../store/held-rows.ts';
import { clearInherited } from '../../store/license-rows.ts';
import type { OutgoingMessage, WriteTx } from '../../store/port.ts';
import { extendReservation, reservationsOf } from '../../store/reserve-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { findLine, isActive } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { insertServerMove, openServerMoves, savePeer, updateServerMove } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { applyGrant } from './apply-grant.ts';
import { noteEvent } from './events.ts';
import { serverLog } from './license-token.ts';
import type { Handled, On } from './move-messages.ts';
import { wholeList } from './move-parts.ts';
import { unfinishedFreeze } from './move-progress.ts';
import { moveEvent, moveRow, targetState } from './move-row.ts';
import { newId } from './new-id.ts';
import { checkTime } from './seen-time.ts';
import { endUndo } from './undo-move.ts';

export async function onGrant(
  context: ServerContext,
  tx: WriteTx,
  { message, id, move }: On<MessageOf<'grant'>>,
): Handled {
  const step = advanceTarget({ id, state: targetState(move) }, 'grant');
  if (!step.ok) return step;
  if (step.value.again) return ok(null);
  const { body } = message;
  const line = await findLine(tx, body.agreement, body.line);
  const freeValue = bytesOfBase64url(body.free.value);
  const heldValue = bytesOfBase64url(body.heldChain.value);
  if (line === undefined || freeValue === undefined || heldValue === undefined) {
    return err({ code: 'not-activated', agreement: body.agreement });
  }
  const nowMs = context.clock.nowMs();
  const clock = await checkTime(context, tx, nowMs);
  if (!clock.ok) return clock;
  const freezing = await unfinishedFreeze(tx, line);
  // It comes again: what it brings is in transit still, and must not go along with the parts that are to come.
  if (freezing !== undefined) return err({ code: 'move-open', move: freezing.id, state: freezing.state });
  const { parts, holders: told } = body;
  const holders = await wholeList(tx, { move: id, list: 'holders', parts, told });
  if (!holders.ok) return holders;
  const granted = await applyGrant(context, tx, {
    line,
    move: id,
    source: body.source,
    holders: holders.value,
    alsoFrom: body.alsoFrom ?? [],
    unissued: body.unissued,
    opensAt: body.opensAt === undefined ? null : msOf(body.opensAt),
    atRiskUntil: body.atRiskUntil === undefined ? null : msOf(body.atRiskUntil),
    nowMs,
    free: { chain: 'free', k: body.free.k, value: freeValue },
    held: { chain: 'held', k: body.heldChain.k, value: heldValue },
    heldBefore: body.heldBefore ?? [],
  });
  if (!granted.ok) return granted;
  await enterGrant(context, tx, { body, id, move, line, postings: granted.value });
  return ok(null);
}

/** The grant in the books of this server, and its receipts on the way. */
async function enterGrant(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly body: BodyOf<'grant'>;
    readonly id: string;
    /** As it was asked for here, where its source no longer functions. */
    readonly move: ServerMoveRow | undefined;
    readonly line: LineRow;
    readonly postings: readonly Posting[];
  },
): Promise<void> {
  const { body, id, move, line } = of;
  const nowMs = context.clock.nowMs();
  const { source, unissued, held, hold } = body;
  const amounts = { quantity: unissued + held, unissued, held, hold };
  const ends = { source, target: context.licenseServerId };
  const row = moveRow(
    line,
    { id, role: 'target', carrier: 'online', state: 'provisional', ...ends, ...amounts },
    nowMs,
  );
  if (move === undefined) await insertServerMove(tx, row);
  else await updateServerMove(tx, { ...row, quantity: move.quantity, startedAt: move.startedAt });
  // A source that froze after all works: its holders come with the list, or show their tokens.
  if (body.opensAt === undefined) await endDeclaration(tx, id);
  await savePeer(tx, { licenseServerId: source, name: null, url: null });
  const { agreement, line: number } = line;
  const receipts = [
    await outgoing(tx, {
      id: newId(context),
      type: 'installed',
      move: id,
      body: { agreement, line: number, freeK: body.free.k, heldK: body.heldChain.k },
    }),
  ];
  // Unless the administrator wants to try it first, having installed it counts as verified (§2.3). Where this server is
  // deactivated nobody could be served here once the source has released: it waits until it is activated again.
  const serves = await isActive(tx, agreement);
  if (!hold && serves) receipts.push(await verified(context, tx, id));
  await tx.post({
    log: serverLog,
    kind: 'move-installed',
    id: `grant:${id}`,
    at: nowMs,
    outbox: receipts,
    body: {
      ...{ agreement, line: number, move: id, source, unissued, held },
      ...{ aid: line.aid, freeK: body.free.k, heldK: body.heldChain.k },
    },
    postings: of.postings,
  });
  await noteEvent(context, tx, { number: body.opensAt === undefined ? 5004 : 93, data: moveEvent(row) });
}

function verified(context: ServerContext, tx: WriteTx, move: string): Promise<OutgoingMessage> {
  return outgoing(tx, { id: newId(context), type: 'verified', move, body: {} });
}

/** Activated again, this server serves whom the moves concern that it installed while it was deactivated (§2.3). */
export async function verifyInstalled(context: ServerContext, tx: WriteTx, agreement: string): Promise<void> {
  for (const move of await openServerMoves(tx)) {
    if (move.state !== 'provisional' || move.hold || move.agreement !== agreement) continue;
    await tx.post({
      log: serverLog,
      kind: 'move-verified',
      id: newId(context),
      at: context.clock.nowMs(),
      body: { move: move.id },
      outbox: [await verified(context, tx, move.id)],
    });
  }
}

export async function onTarget(
  context: ServerContext,
  tx: WriteTx,
  { message, id, move }: On<Extract<Message, { t: 'final' | 'source-closed' }>>,
): Handled {
  const step = advanceTarget({ id, state: targetState(move) }, message.t);
  if (!step.ok) return step;
  if (move === undefined) return err({ code: 'move-unknown', move: id });
  const nowMs = context.clock.nowMs();
  await endUndo(tx, move);
  if (message.t === 'final') {
    if (step.value.again) return ok(null);
    await updateServerMove(tx, { ...move, state: 'final', updatedAt: nowMs });
    await noteEvent(context, tx, { number: 5005, data: moveEvent(move) });
    return ok(null);
  }
  if (move.state === 'closed') return ok(null);
  const { parts, leases: told } = message.body;
  const leases = await wholeList(tx, { move: id, list: 'leases', parts, told });
  if (!leases.ok) return leases;
  await extendLeases(tx, id, new Map(leases.value.map(({ sub, leaseEnd }) => [sub, leaseEnd])));
  await clearInherited(tx, id);
  await updateServerMove(tx, { ...move, state: 'closed', updatedAt: nowMs });
  await noteEvent(context, tx, { number: 89, data: moveEvent(move) });
  return ok(null);
}

/**
 * Raises the lease ends known here to those that the source reported at its release (protocol §2.4, rule
 * 4). Whom it concerns is read once: looking for each of many holders took time in the square of them.
 */
async function extendLeases(tx: WriteTx, move: string, told: ReadonlyMap<string, string>): Promise<void> {
  if (told.size === 0) return;
  const later = ({
    sub,
    leaseEnd,
  }: {
    readonly sub: string;
    readonly leaseEnd: number;
  }): number | undefined => {
    const text = told.get(sub);
    const end = text === undefined ? 0 : msOf(text);
    return end > leaseEnd ? end : undefined;
  };
  for (const row of await reservationsOf(tx, move)) {
    const end = later(row);
    if (end !== undefined) await extendReservation(tx, row, end);
  }
  for (const row of await inheritedLeases(tx, move)) {
    const end = later(row);
    if (end !== undefined) await extendLease(tx, row.id, end);
  }
}
