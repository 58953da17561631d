/**
 * The source's part in a move by messages: it freezes, takes back or gives up, and sends the receipt. The
 * table is `advanceSource`; by telephone the same is decided here, in `telephone-move.ts`.
 */
import type { SourceState } from '../../core/move-servers.ts';
import { advanceSource, checkFreeze } from '../../core/move-servers.ts';
import type { Refusal } from '../../core/refusal.ts';
import { err, ok } from '../../core/result.ts';
import { quantityAtOnce } from '../../core/split.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import type { WriteTx } from '../../store/port.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { findLine } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import {
  insertServerMove,
  openFreeze,
  savePeer,
  settleRequest,
  updateServerMove,
} from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { noteEvent } from './events.ts';
import type { FrozenPart } from './freeze.ts';
import { checkFree, freezePart, plannedSplit } from './freeze.ts';
import { serverLog } from './license-token.ts';
import { beginRelease, enterPart, releaseWhole } from './long-move.ts';
import type { Handled, On } from './move-messages.ts';
import { wholeList } from './move-parts.ts';
import { moveEvent, moveRow } from './move-row.ts';
import { newId } from './new-id.ts';
import { settleUndo } from './open-undo.ts';
import { checkTime } from './seen-time.ts';
import { takeBack } from './take-back.ts';
import { endUndo } from './undo-move.ts';

/** Where a move stands for its source: `requested` means that nothing was frozen yet. */
function sourceState(move: ServerMoveRow | undefined): SourceState {
  if (move?.state === 'refused') return 'undone';
  const known: readonly string[] = ['frozen', 'closed', 'undone'];
  return move !== undefined && known.includes(move.state) ? (move.state as SourceState) : 'none';
}

/** An order to freeze, as a message brings it, or as a rehearsal plays it. */
type Freezing = On<Pick<MessageOf<'freeze'>, 'body'>>;

export async function onFreeze(
  context: ServerContext,
  tx: WriteTx,
  { message, id, move }: Freezing,
): Handled {
  const { agreement, line: number, quantity, target } = message.body;
  const step = advanceSource({ id, state: sourceState(move) }, 'freeze', 'online');
  if (!step.ok) return step;
  if (step.value.again) return ok(null);
  const line = await findLine(tx, agreement, number);
  if (line === undefined) return err({ code: 'not-activated', agreement });
  const clock = await checkTime(context, tx, context.clock.nowMs());
  if (!clock.ok) return clock;
  const open = await openFreeze(tx, agreement, number);
  const allowed = checkFreeze({
    move: id,
    source: context.licenseServerId,
    target,
    open: open === undefined ? null : { id: open.id, state: 'frozen' },
  });
  const free = allowed.ok ? await checkFree(tx, line) : allowed;
  const wanted = move === undefined ? await asMuchAsGoes(tx, line, quantity) : quantity;
  const order = { line, move: id, wanted, part: 0, taken: { unissued: 0, held: 0 }, cursor: 0 };
  const frozen = free.ok ? await freezePart(tx, order) : free;
  if (!frozen.ok) return decline(context, tx, { message, id, move, line, refusal: frozen.error });
  await enterFreeze(context, tx, { message, id, move, line, quantity: wanted, frozen: frozen.value });
  return ok(null);
}

/**
 * Nobody here has asked for this move: its target took this server for one that functions no longer. That it does
 * must not wait for somebody who names a smaller number; what is left stays here, to be moved like anything else.
 */
async function asMuchAsGoes(tx: WriteTx, line: LineRow, quantity: number | 'all'): Promise<number | 'all'> {
  const all = await plannedSplit(tx, line, { wanted: 'all' });
  return quantity === 'all' && all.ok ? quantityAtOnce(all.value) : quantity;
}

/** The freeze in the books of this server, and its receipt on the way. */
async function enterFreeze(
  context: ServerContext,
  tx: WriteTx,
  of: Freezing & {
    readonly line: LineRow;
    readonly quantity: number | 'all';
    readonly frozen: FrozenPart;
  },
): Promise<void> {
  const { id, move, line, quantity, frozen } = of;
  const { target, address } = of.message.body;
  const { unissued, held, reserved, quarantined } = frozen.split;
  const nowMs = context.clock.nowMs();
  const row = moveRow(
    line,
    {
      id,
      role: 'source',
      carrier: 'online',
      quantity,
      source: context.licenseServerId,
      target,
      state: 'frozen',
      hold: move?.hold ?? false,
      startedAt: move?.startedAt ?? nowMs,
      unissued,
      held,
      reserved,
      quarantined,
    },
    nowMs,
  );
  if (move === undefined) await insertServerMove(tx, row);
  else await updateServerMove(tx, row);
  await savePeer(tx, { licenseServerId: target, name: null, url: address ?? null });
  await enterPart(context, tx, { line, move: row, frozen });
}

/**
 * Says that there is nothing to freeze, and keeps a tombstone: the clearinghouse ends the move, and the
 * administrator who asked for it is told why.
 */
async function decline(
  context: ServerContext,
  tx: WriteTx,
  of: Freezing & { readonly line: LineRow; readonly refusal: Refusal },
): Handled {
  const { id, move, line, refusal } = of;
  const nowMs = context.clock.nowMs();
  const { quantity, target } = of.message.body;
  const startedAt = move?.startedAt ?? nowMs;
  const source = context.licenseServerId;
  const row = moveRow(
    line,
    { id, role: 'source', carrier: 'online', quantity, source, target, state: 'refused', startedAt },
    nowMs,
  );
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

export async function onUnfreeze(
  context: ServerContext,
  tx: WriteTx,
  { message, id, move }: On<MessageOf<'unfreeze'>>,
): Handled {
  const step = advanceSource({ id, state: sourceState(move) }, 'unfreeze', 'online');
  if (!step.ok) return step;
  await settleUndo(tx, id);
  if (step.value.again) return ok(null);
  const nowMs = context.clock.nowMs();
  const line = await findLine(tx, message.body.agreement, message.body.line);
  if (line === undefined) return err({ code: 'not-activated', agreement: message.body.agreement });
  if (move === undefined) {
    // A tombstone: a freeze of this move that is still under way must find it (protocol §2.6, M4).
    const source = context.licenseServerId;
    const tombstone = { id, role: 'source', carrier: 'online', quantity: 'all', source, target: '' } as const;
    await insertServerMove(tx, moveRow(line, { ...tombstone, state: 'undone' }, nowMs));
    return ok(null);
  }
  const frozen = move.state === 'frozen';
  const { parts, holders: told = [] } = message.body.returned ?? {};
  const returned = frozen ? await wholeList(tx, { move: id, list: 'returned', parts, told }) : ok([]);
  if (!returned.ok) return returned;
  const taken = frozen ? await takeBack(tx, { line, move, returned: returned.value }) : ok([]);
  if (!taken.ok) return taken;
  await updateServerMove(tx, { ...move, state: 'undone', updatedAt: nowMs });
  await tx.post({
    log: serverLog,
    kind: 'unfrozen',
    id: `unfreeze:${id}`,
    at: nowMs,
    postings: taken.value,
    body: { agreement: line.agreement, line: line.line, move: id },
  });
  const { refused } = message.body;
  if (refused !== undefined) {
    await settleRequest(tx, { id: `move:${id}`, state: 'refused', answer: JSON.stringify(refused) });
    const problem = String(refused['code'] ?? '');
    await noteEvent(context, tx, { number: 5019, data: { type: 'frozen', sender: context.name, problem } });
  }
  if (frozen) await noteEvent(context, tx, { number: 5003, data: moveEvent(move) });
  return ok(null);
}

export async function onRelease(
  context: ServerContext,
  tx: WriteTx,
  { message, id, move }: On<MessageOf<'release'>>,
): Handled {
  const step = advanceSource({ id, state: sourceState(move) }, 'release', 'online');
  if (!step.ok) return step;
  if (step.value.again || move === undefined) return ok(null);
  const line = await findLine(tx, message.body.agreement, message.body.line);
  if (line === undefined) return err({ code: 'not-activated', agreement: message.body.agreement });
  await endUndo(tx, move);
  const { address } = message.body;
  if (address !== undefined) await savePeer(tx, { licenseServerId: move.target, name: null, url: address });
  if (await beginRelease(tx, id)) return ok(null);
  await releaseWhole(context, tx, { line, move });
  return ok(null);
}
