/**
 * Messages of a move on this server: as its source it freezes and releases, as its target it installs
 * and takes holders over. The tables are in `core/move-servers.ts`; this carries them out.
 */
import { bytesOfBase64url } from '../../core/bytes.ts';
import type { JsonObject } from '../../core/json.ts';
import type { SourceState, TargetState } from '../../core/move-servers.ts';
import { advanceSource, advanceTarget, checkFreeze } from '../../core/move-servers.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { dayMs, isoTime, msOfIso } from '../../core/time.ts';
import type { Message, MessageOf } from '../../protocol/envelope.ts';
import { clearInherited, extendInherited, heldLicenses } from '../../store/license-rows.ts';
import type { OutgoingMessage, WriteTx } from '../../store/port.ts';
import { extendReservation, frozenReservations } from '../../store/reserve-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { findLine } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import {
  findServerMove,
  insertServerMove,
  openFreeze,
  savePeer,
  settleRequest,
  updateServerMove,
} from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { applyGrant } from './apply-grant.ts';
import { noteEvent } from './events.ts';
import { freezeUnits, releaseUnits, unfreezeUnits } from './freeze.ts';
import { serverLog } from './license-token.ts';
import { newId } from './new-id.ts';

type MoveMessage = Extract<
  Message,
  { t: 'freeze' | 'unfreeze' | 'release' | 'grant' | 'cancel' | 'final' | 'source-closed' }
>;
type Handled = Promise<Result<null, Refusal>>;

/** Carries one message of a move out. */
export async function handleMoveMessage(context: ServerContext, tx: WriteTx, message: MoveMessage): Handled {
  const id = message.move;
  if (id === undefined)
    return err({ code: 'message-invalid', problem: `a ${message.t} message names its move` });
  const move = await findServerMove(tx, id);
  switch (message.t) {
    case 'freeze':
      return onFreeze(context, tx, { message, id, move });
    case 'unfreeze':
      return onUnfreeze(context, tx, { message, id, move });
    case 'release':
      return onRelease(context, tx, { message, id, move });
    case 'grant':
      return onGrant(context, tx, { message, id, move });
    case 'cancel':
    case 'final':
    case 'source-closed':
      return onTarget(context, tx, { message, id, move });
  }
}

interface On<Message> {
  readonly message: Message;
  readonly id: string;
  readonly move: ServerMoveRow | undefined;
}

/** Where a move stands for its source: `requested` means that nothing was frozen yet. */
function sourceState(move: ServerMoveRow | undefined): SourceState {
  if (move?.state === 'refused') return 'undone';
  const known: readonly string[] = ['frozen', 'closed', 'undone'];
  return move !== undefined && known.includes(move.state) ? (move.state as SourceState) : 'none';
}

async function onFreeze(
  context: ServerContext,
  tx: WriteTx,
  { message, id, move }: On<MessageOf<'freeze'>>,
): Handled {
  const { agreement, line: number, quantity, target } = message.body;
  const step = advanceSource({ id, state: sourceState(move) }, 'freeze', 'online');
  if (!step.ok) return step;
  if (step.value.again) return ok(null);
  const line = await findLine(tx, agreement, number);
  if (line === undefined) return err({ code: 'not-activated', agreement });
  const open = await openFreeze(tx, agreement, number);
  const allowed = checkFreeze({
    move: id,
    source: context.licenseServerId,
    target,
    open: open === undefined ? null : { id: open.id, state: 'frozen' },
  });
  const frozen = allowed.ok ? await freezeUnits(tx, { line, move: id, quantity }) : allowed;
  if (!frozen.ok) return decline(context, tx, { message, id, move, line, refusal: frozen.error });
  const { unissued, held, reserved, quarantined } = frozen.value.split;
  const nowMs = context.clock.nowMs();
  const row: ServerMoveRow = {
    id,
    role: 'source',
    carrier: 'online',
    agreement,
    line: number,
    product: line.product,
    type: line.type,
    quantity,
    source: context.licenseServerId,
    target,
    state: 'frozen',
    unissued,
    held,
    reserved,
    quarantined,
    hold: move?.hold ?? false,
    startedAt: move?.startedAt ?? nowMs,
    updatedAt: nowMs,
  };
  if (move === undefined) await insertServerMove(tx, row);
  else await updateServerMove(tx, row);
  await savePeer(tx, { licenseServerId: target, name: null, url: null });
  const holders = await holdersOf(tx, id);
  const receipt = await outgoing(tx, {
    id: newId(context),
    type: 'frozen',
    move: id,
    body: { agreement, line: number, unissued, held, holders },
  });
  await tx.post({
    log: serverLog,
    kind: 'frozen',
    id: `freeze:${id}`,
    at: nowMs,
    body: { agreement, line: number, move: id, target, unissued, held },
    postings: frozen.value.postings,
    outbox: [receipt],
  });
  await noteEvent(context, tx, { number: 5001, data: eventData(row) });
  return ok(null);
}

/**
 * Says that there is nothing to freeze, and keeps a tombstone: the clearinghouse ends the move, and the
 * administrator who asked for it is told why.
 */
async function decline(
  context: ServerContext,
  tx: WriteTx,
  of: On<MessageOf<'freeze'>> & { readonly line: LineRow; readonly refusal: Refusal },
): Handled {
  const { id, move, line, refusal } = of;
  const nowMs = context.clock.nowMs();
  const row: ServerMoveRow = {
    id,
    role: 'source',
    carrier: 'online',
    agreement: line.agreement,
    line: line.line,
    product: line.product,
    type: line.type,
    quantity: of.message.body.quantity,
    source: context.licenseServerId,
    target: of.message.body.target,
    state: 'refused',
    unissued: 0,
    held: 0,
    reserved: 0,
    quarantined: 0,
    hold: false,
    startedAt: move?.startedAt ?? nowMs,
    updatedAt: nowMs,
  };
  if (move === undefined) await insertServerMove(tx, row);
  else await updateServerMove(tx, row);
  await settleRequest(tx, { id: `move:${id}`, state: 'refused', answer: JSON.stringify(refusal) });
  const message = await outgoing(tx, {
    id: newId(context),
    type: 'declined',
    move: id,
    body: { refused: { ...refusal } },
  });
  await tx.post({
    log: serverLog,
    kind: 'declined',
    id: `decline:${id}`,
    at: nowMs,
    outbox: [message],
    body: { agreement: line.agreement, line: line.line, move: id, refused: refusal.code },
  });
  await noteEvent(context, tx, {
    number: 5019,
    data: { type: 'freeze', sender: 'the clearinghouse', problem: refusal.code },
  });
  return ok(null);
}

/** Everybody whose unit goes along: with the last end of every token known here. */
async function holdersOf(tx: WriteTx, move: string): Promise<readonly JsonObject[]> {
  const held = (await heldLicenses(tx, move)).map((license) => ({
    sub: license.sub,
    kind: license.kind,
    origin: license.origin,
    unit: license.unit,
    leaseEnd: isoTime(license.leaseEnd),
  }));
  const reserved = (await frozenReservations(tx, move)).map((row) => ({
    sub: row.sub,
    kind: row.kind,
    origin: row.origin,
    unit: Number(row.origin.split('/').at(-1)),
    leaseEnd: isoTime(row.leaseEnd),
  }));
  return [...held, ...reserved];
}

function eventData(move: ServerMoveRow): JsonObject {
  const { product, type, unissued, held, target, source, id } = move;
  return { product, type, unissued, held, count: unissued + held, target, source, move: id };
}

async function onUnfreeze(
  context: ServerContext,
  tx: WriteTx,
  { message, id, move }: On<MessageOf<'unfreeze'>>,
): Handled {
  const step = advanceSource({ id, state: sourceState(move) }, 'unfreeze', 'online');
  if (!step.ok) return step;
  if (step.value.again) return ok(null);
  const nowMs = context.clock.nowMs();
  const line = await findLine(tx, message.body.agreement, message.body.line);
  if (line === undefined) return err({ code: 'not-activated', agreement: message.body.agreement });
  if (move === undefined) {
    // A tombstone: a freeze of this move that is still under way must find it (protocol §2.6, M4).
    await insertServerMove(tx, {
      id,
      role: 'source',
      carrier: 'online',
      agreement: line.agreement,
      line: line.line,
      product: line.product,
      type: line.type,
      quantity: 'all',
      source: context.licenseServerId,
      target: '',
      state: 'undone',
      unissued: 0,
      held: 0,
      reserved: 0,
      quarantined: 0,
      hold: false,
      startedAt: nowMs,
      updatedAt: nowMs,
    });
    return ok(null);
  }
  const frozen = move.state === 'frozen';
  const postings = frozen ? await unfreezeUnits(tx, { line, move }) : [];
  await updateServerMove(tx, { ...move, state: 'undone', updatedAt: nowMs });
  await tx.post({
    log: serverLog,
    kind: 'unfrozen',
    id: `unfreeze:${id}`,
    at: nowMs,
    postings,
    body: { agreement: line.agreement, line: line.line, move: id },
  });
  if (frozen) await noteEvent(context, tx, { number: 5003, data: eventData(move) });
  return ok(null);
}

async function onRelease(
  context: ServerContext,
  tx: WriteTx,
  { message, id, move }: On<MessageOf<'release'>>,
): Handled {
  const step = advanceSource({ id, state: sourceState(move) }, 'release', 'online');
  if (!step.ok) return step;
  if (step.value.again || move === undefined) return ok(null);
  const line = await findLine(tx, message.body.agreement, message.body.line);
  if (line === undefined) return err({ code: 'not-activated', agreement: message.body.agreement });
  await releaseOnline(context, tx, { line, move });
  return ok(null);
}

/** Gives a frozen move up and sends the receipt: on the clearinghouse's word, or at deactivation. */
export async function releaseOnline(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly line: LineRow; readonly move: ServerMoveRow },
): Promise<void> {
  const { line, move } = of;
  const nowMs = context.clock.nowMs();
  const leases = (await heldLicenses(tx, move.id)).map(({ sub, leaseEnd }) => ({
    sub,
    leaseEnd: isoTime(leaseEnd),
  }));
  const postings = await releaseUnits(tx, { line, move });
  await updateServerMove(tx, { ...move, state: 'closed', updatedAt: nowMs });
  const { unissued, held } = move;
  const receipt: OutgoingMessage = await outgoing(tx, {
    id: newId(context),
    type: 'released',
    move: move.id,
    body: { agreement: line.agreement, line: line.line, unissued, held, leases },
  });
  await tx.post({
    log: serverLog,
    kind: 'released',
    id: `release:${move.id}`,
    at: nowMs,
    postings,
    outbox: [receipt],
    body: { agreement: line.agreement, line: line.line, move: move.id, unissued, held },
  });
  await noteEvent(context, tx, { number: 5002, data: eventData(move) });
}

/** Where a move stands for its target. */
function targetState(move: ServerMoveRow | undefined): TargetState {
  if (move === undefined) return 'none';
  return move.state === 'closed' ? 'final' : (move.state as TargetState);
}

async function onGrant(
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
  const granted = await applyGrant(context, tx, {
    line,
    move: id,
    source: body.source,
    holders: body.holders,
    nowMs,
    free: { chain: 'free', k: body.free.k, value: freeValue },
    held: { chain: 'held', k: body.heldChain.k, value: heldValue },
  });
  if (!granted.ok) return granted;
  const row: ServerMoveRow = {
    id,
    role: 'target',
    carrier: 'online',
    agreement: line.agreement,
    line: line.line,
    product: line.product,
    type: line.type,
    quantity: body.unissued + body.held,
    source: body.source,
    target: context.licenseServerId,
    state: 'provisional',
    unissued: body.unissued,
    held: body.held,
    reserved: 0,
    quarantined: 0,
    hold: body.hold,
    startedAt: nowMs,
    updatedAt: nowMs,
  };
  await insertServerMove(tx, row);
  await savePeer(tx, { licenseServerId: body.source, name: null, url: null });
  const { agreement, line: number } = line;
  const receipts = [
    await outgoing(tx, {
      id: newId(context),
      type: 'installed',
      move: id,
      body: { agreement, line: number, freeK: body.free.k, heldK: body.heldChain.k },
    }),
  ];
  // Unless the administrator wants to try it first, having installed it counts as verified (§2.3).
  if (!body.hold)
    receipts.push(await outgoing(tx, { id: newId(context), type: 'verified', move: id, body: {} }));
  await tx.post({
    log: serverLog,
    kind: 'move-installed',
    id: `grant:${id}`,
    at: nowMs,
    outbox: receipts,
    body: {
      agreement,
      line: number,
      move: id,
      source: body.source,
      unissued: body.unissued,
      held: body.held,
    },
    postings: granted.value,
  });
  await noteEvent(context, tx, { number: 5004, data: eventData(row) });
  return ok(null);
}

async function onTarget(
  context: ServerContext,
  tx: WriteTx,
  { message, id, move }: On<Extract<Message, { t: 'cancel' | 'final' | 'source-closed' }>>,
): Handled {
  const step = advanceTarget({ id, state: targetState(move) }, message.t);
  if (!step.ok) return step;
  if (move === undefined) return err({ code: 'move-unknown', move: id });
  const nowMs = context.clock.nowMs();
  if (message.t === 'cancel') {
    if (step.value.again) return ok(null);
    return err({ code: 'not-yet-supported', what: 'giving back what a move has installed' });
  }
  if (message.t === 'final') {
    if (step.value.again) return ok(null);
    await updateServerMove(tx, { ...move, state: 'final', updatedAt: nowMs });
    await noteEvent(context, tx, { number: 5005, data: eventData(move) });
    return ok(null);
  }
  if (move.state === 'closed') return ok(null);
  for (const { sub, leaseEnd } of message.body.leases) {
    const end = msOfIso(leaseEnd) ?? nowMs + 89 * dayMs;
    await extendReservation(tx, { move: id, sub, leaseEnd: end });
    await extendInherited(tx, { move: id, sub, leaseEnd: end });
  }
  await clearInherited(tx, id);
  await updateServerMove(tx, { ...move, state: 'closed', updatedAt: nowMs });
  await noteEvent(context, tx, { number: 89, data: eventData(move) });
  return ok(null);
}
