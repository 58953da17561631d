/** What each message of a license server does at the clearinghouse (protocol §2.3). */
import { clearinghouseAccount } from '../../core/account.ts';
import type { MoveEvent } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoTime } from '../../core/time.ts';
import type { Message, MessageOf } from '../../protocol/envelope.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findMove } from '../../store/clearinghouse-rows.ts';
import {
  authoritiesOfServer,
  chainsOf,
  findServer,
  saveChain,
  saveServer,
} from '../../store/committed-server-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { activateServer } from './activate-server.ts';
import { advanceMove } from './advance-move.ts';
import { closeAuthority } from './close-authority.ts';
import { installRequest } from './install-request.ts';
import { newId } from './new-id.ts';
import { openAuthority } from './open-authority.ts';
import { startOnlineMove } from './start-move.ts';

export interface Handling<Of extends Message = Message> {
  readonly message: Of;
  readonly nowMs: number;
}

type Handled = Promise<Result<null, Refusal>>;

/** Carries one message out, in the transaction that marks it received. */
export async function handleMessage(
  context: ClearinghouseContext,
  tx: WriteTx,
  { message, nowMs }: Handling,
): Handled {
  switch (message.t) {
    case 'contact':
      return handleContact(tx, { message, nowMs });
    case 'activate':
      return activateServer(context, tx, { message, nowMs });
    case 'install':
      return installRequest(context, tx, { message, nowMs });
    case 'move-request':
      return handleMoveRequest(context, tx, { message, nowMs });
    case 'frozen':
      return handleFrozen(context, tx, { message, nowMs });
    case 'declined':
      return handleMoveEvent(context, tx, { message, nowMs, event: 'cancel', by: ['source'] });
    case 'installed':
      return handleInstalled(context, tx, { message, nowMs });
    case 'verified':
      return handleMoveEvent(context, tx, { message, nowMs, event: 'verified', by: ['source', 'target'] });
    case 'released':
      return handleReleased(context, tx, { message, nowMs });
    case 'relinquished':
      return handleMoveEvent(context, tx, { message, nowMs, event: 'relinquished', by: ['target'] });
    case 'return':
      return handleReturn(tx, { message, nowMs });
    case 'deactivate':
      return handleDeactivate(context, tx, { message, nowMs });
    default:
      return err({ code: 'message-invalid', problem: `a license server does not send ${message.t}` });
  }
}

/** What was received is not sent again; only the sender's own mail is looked at. */
async function handleContact(tx: WriteTx, { message, nowMs }: Handling<MessageOf<'contact'>>): Handled {
  const waiting = await tx.outbox(message.from.id, 10_000);
  const acknowledged = new Set(message.body.ack);
  const own = waiting.filter((row) => acknowledged.has(row.id)).map((row) => row.id);
  if (own.length > 0) await tx.acknowledge(own);
  const server = await findServer(tx, message.from.id);
  if (server !== undefined) {
    const { name, method } = message.body;
    await saveServer(tx, { ...server, name, method, lastContactAt: nowMs });
  }
  return ok(null);
}

async function handleMoveRequest(
  context: ClearinghouseContext,
  tx: WriteTx,
  { message }: Handling<MessageOf<'move-request'>>,
): Handled {
  const { agreement, product, type, quantity, source, target, reason, hold } = message.body;
  if (message.move === undefined) return err({ code: 'message-invalid', problem: 'a move has no id' });
  if (message.from.id !== source && message.from.id !== target) {
    return err({ code: 'message-untrusted', signer: message.from.id });
  }
  const started = await startOnlineMove(context, tx, {
    id: message.move,
    agreement,
    from: source,
    to: target,
    product,
    type,
    quantity,
    reason,
    hold,
  });
  return started.ok ? ok(null) : started;
}

interface MoveMessage {
  readonly message: Message;
  readonly by: readonly ('source' | 'target')[];
}

/** The move that a message speaks of, which must come from one of its two servers. */
async function moveOf(tx: WriteTx, { message, by }: MoveMessage): Promise<Result<MoveRow, Refusal>> {
  const move = message.move === undefined ? undefined : await findMove(tx, message.move);
  if (move === undefined) return err({ code: 'move-unknown', move: message.move ?? '' });
  if (!by.some((side) => move[side] === message.from.id)) {
    return err({ code: 'message-untrusted', signer: message.from.id });
  }
  return ok(move);
}

async function handleMoveEvent(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: MoveMessage & { readonly nowMs: number; readonly event: MoveEvent },
): Handled {
  const move = await moveOf(tx, of);
  if (!move.ok) return move;
  const done = await advanceMove(context, tx, { move: move.value, event: of.event, nowMs: of.nowMs });
  return done.ok ? ok(null) : done;
}

/** The receipt of the freeze: what it counts leaves the source's account, and is granted to the target. */
async function handleFrozen(
  context: ClearinghouseContext,
  tx: WriteTx,
  { message, nowMs }: Handling<MessageOf<'frozen'>>,
): Handled {
  const move = await moveOf(tx, { message, by: ['source'] });
  if (!move.ok) return move;
  const { unissued, held, holders } = message.body;
  if (holders.length > held) return err({ code: 'message-invalid', problem: 'more holders than held units' });
  const fresh = move.value.state === 'reserved';
  const row = fresh ? { ...move.value, unissued, held, holders: JSON.stringify(holders) } : move.value;
  const frozen = await advanceMove(context, tx, { move: row, event: 'frozen', nowMs });
  if (!frozen.ok) return frozen;
  if (frozen.value.again) return ok(null);
  const granted = await advanceMove(context, tx, { move: frozen.value.move, event: 'grant', nowMs });
  return granted.ok ? ok(null) : granted;
}

/** The target has installed; unless the move is to be held, that counts as verified at once. */
async function handleInstalled(
  context: ClearinghouseContext,
  tx: WriteTx,
  { message, nowMs }: Handling<MessageOf<'installed'>>,
): Handled {
  return handleMoveEvent(context, tx, { message, nowMs, event: 'installed', by: ['target'] });
}

async function handleReleased(
  context: ClearinghouseContext,
  tx: WriteTx,
  { message, nowMs }: Handling<MessageOf<'released'>>,
): Handled {
  const move = await moveOf(tx, { message, by: ['source'] });
  if (!move.ok) return move;
  const { unissued, held, leases } = message.body;
  // A freeze whose receipt came after the undo left no amounts: the release tells them (protocol §1.4).
  const row = move.value.state === 'aborted' ? { ...move.value, unissued, held } : move.value;
  const done = await advanceMove(context, tx, { move: row, event: 'released', nowMs, leases });
  return done.ok ? ok(null) : done;
}

async function handleReturn(tx: WriteTx, { message, nowMs }: Handling<MessageOf<'return'>>): Handled {
  const { agreement, line, quantity } = message.body;
  const authority = await openAuthority(tx, message.from.id, agreement);
  if (!authority.ok) return authority;
  const account = clearinghouseAccount(agreement, line);
  const debit = account.committed(message.from.id, authority.value.generation);
  const committed = await tx.balance(debit);
  if (quantity > committed)
    return err({ code: 'move-more-than-there-is', asked: quantity, available: committed });
  await tx.post({
    log: agreement,
    kind: 'returned',
    id: message.id,
    at: nowMs,
    body: { server: message.from.id, line, amount: quantity, carrier: 'online' },
    postings: [{ kind: 'transfer', debit, credit: account.inHand, amount: quantity }],
  });
  return ok(null);
}

/** How far the server says that it has come on its chains, with its last words. */
async function noteApplied(
  tx: WriteTx,
  of: { readonly aid: string; readonly agreement: string; readonly message: MessageOf<'deactivate'> },
): Promise<void> {
  for (const chain of await chainsOf(tx, of.aid)) {
    const told = of.message.body.positions.find(
      (row) => row.agreement === of.agreement && row.line === chain.line,
    );
    const k = Math.min(chain.k, (chain.kind === 'free' ? told?.freeK : told?.heldK) ?? 0);
    if (k > chain.confirmedK) await saveChain(tx, { ...chain, confirmedK: k });
  }
}

async function handleDeactivate(
  context: ClearinghouseContext,
  tx: WriteTx,
  { message, nowMs }: Handling<MessageOf<'deactivate'>>,
): Handled {
  for (const authority of await authoritiesOfServer(tx, message.from.id)) {
    if (authority.state !== 'active') continue;
    await noteApplied(tx, { aid: authority.aid, agreement: authority.agreement, message });
    await closeAuthority(context, tx, { authority, nowMs });
  }
  const server = await findServer(tx, message.from.id);
  const answer = await outgoing(tx, {
    id: newId(context),
    type: 'deactivated',
    to: message.from.id,
    agreement: message.body.agreements[0] ?? 'publisher',
    body: { re: message.id, gen: server?.generation ?? message.from.gen },
  });
  await tx.post({
    log: message.body.agreements[0] ?? 'publisher',
    kind: 'server-closed',
    id: message.id,
    at: nowMs,
    body: { server: message.from.id, at: isoTime(nowMs) },
    outbox: [answer],
  });
  return ok(null);
}
