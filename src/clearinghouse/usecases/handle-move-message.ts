/**
 * What a license server says of a move, as its source or as its target (protocol §2.3): what it claims is
 * held against the move and the books before the move goes on.
 */
import { longestLeaseMs } from '../../core/cal.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { Message, MessageOf } from '../../protocol/envelope.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { openSuccession } from '../../protocol/succession.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findMove, saveHolders, updateMove } from '../../store/clearinghouse-rows.ts';
import { findServer } from '../../store/committed-server-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import type { MoveHappening } from './advance-move.ts';
import { advanceMove } from './advance-move.ts';
import { undoMove } from './cancel-move.ts';
import type { Recovery } from './dead-source.ts';
import { endUngrantable } from './dead-source.ts';
import type { Handling } from './handle-message.ts';
import { fencedEnds } from './lapse.ts';
import { leasesUntil } from './lease-ends.ts';
import { allHolders, allLeases, allReturned, keepOnePart } from './list-parts.ts';
import { newId } from './new-id.ts';
import { noteToldRelease, readAs } from './ratchet.ts';
import { fencedUntil } from './settle-fenced.ts';
import { freezeDeclared, startOnlineMove } from './start-move.ts';
import { handleStatement } from './state-move.ts';
import { takeFreeze } from './take-freeze.ts';

type Handled = Promise<Result<null, Refusal>>;

type OfMove = Extract<
  Message,
  {
    t:
      | 'move-request'
      | 'frozen'
      | 'frozen-part'
      | 'released-part'
      | 'relinquished-part'
      | 'declined'
      | 'installed'
      | 'verified'
      | 'released'
      | 'relinquished'
      | 'kept'
      | 'undo'
      | 'statement';
  }
>;

/** Which of the two servers of a move may say what of it. */
const saidBy: Readonly<Record<Exclude<OfMove['t'], 'move-request'>, readonly ('source' | 'target')[]>> = {
  frozen: ['source'],
  'frozen-part': ['source'],
  'released-part': ['source'],
  'relinquished-part': ['target'],
  declined: ['source'],
  installed: ['target'],
  verified: ['source', 'target'],
  released: ['source'],
  relinquished: ['target'],
  kept: ['target'],
  undo: ['source', 'target'],
  statement: ['source', 'target'],
};

/** Carries one message of a move out. Refused of all but a request: `move-unknown`, `message-untrusted`. */
export async function handleMoveMessage(
  context: ClearinghouseContext,
  tx: WriteTx,
  { message, nowMs }: Handling<OfMove>,
): Handled {
  if (message.t === 'move-request') return handleMoveRequest(context, tx, message);
  const move = message.move === undefined ? undefined : await findMove(tx, message.move);
  if (move === undefined) return err({ code: 'move-unknown', move: message.move ?? '' });
  if (!saidBy[message.t].some((side) => move[side] === message.from.id)) {
    return err({ code: 'message-untrusted', signer: message.from.id });
  }
  if (move.target === message.from.id && (await fencedUntil(tx, move.target)) !== undefined) {
    return err({ code: 'server-closed', licenseServerId: move.target, generation: message.from.gen });
  }
  switch (message.t) {
    case 'frozen':
      return handleFrozen(context, tx, { move, message, nowMs });
    case 'frozen-part':
    case 'released-part':
    case 'relinquished-part':
      return keepOnePart(tx, { move, message });
    case 'declined':
      return handleDeclined(context, tx, { move, nowMs });
    case 'installed':
      return handleInstalled(context, tx, { move, nowMs });
    case 'verified':
      return handleVerified(context, tx, { move, message, nowMs });
    case 'released':
      return handleReleased(context, tx, { move, message, nowMs });
    case 'relinquished':
      return handleRelinquished(context, tx, { move, message, nowMs });
    case 'kept':
      return handleKept(context, tx, { move, nowMs });
    case 'statement':
      return handleStatement(context, tx, { move, message });
    case 'undo': {
      const undone = await undoMove(context, tx, { move, nowMs });
      return undone.ok ? ok(null) : undone;
    }
  }
}

/** A move that its source asks for; or its target, where the source no longer functions. */
async function handleMoveRequest(
  context: ClearinghouseContext,
  tx: WriteTx,
  message: MessageOf<'move-request'>,
): Handled {
  const { agreement, product, type, quantity, source, target, reason, hold, statement } = message.body;
  // The id names an account of the books (core/account.ts), so it takes fewer characters than others.
  if (message.move === undefined || !/^[A-Za-z0-9_-]+$/.test(message.move)) {
    return err({ code: 'message-invalid', problem: 'a move has no id that can name it' });
  }
  const dead = reason === 'dead';
  // Only the source may ask: whoever knows an agreement number could else take another server's CALs. Of one
  // that no longer functions they are taken only after its horizon, with a statement, and under the same agreement.
  if (message.from.id !== (dead ? target : source))
    return err({ code: 'message-untrusted', signer: message.from.id });
  if (dead && statement === undefined) {
    return err({ code: 'message-invalid', problem: 'it does not say who declares its source dead, and why' });
  }
  const recovery = readRecovery(context, message);
  if (!recovery.ok) return recovery;
  const declaration = { enteredBy: null, ...(recovery.value === null ? {} : { recovery: recovery.value }) };
  const started = await startOnlineMove(context, tx, {
    declaration: dead && statement !== undefined ? { ...statement, ...declaration } : null,
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

/**
 * What its target says of having come in the source's place. The word of the old key must be of that source, for that
 * target; where there is none, the statement of the customer stands for it (protocol §5.5).
 */
function readRecovery(
  context: ClearinghouseContext,
  { body, from }: MessageOf<'move-request'>,
): Result<Recovery | null, Refusal> {
  const { recovery, source } = body;
  if (recovery === undefined) return ok(null);
  const { reason, restored, proof } = recovery;
  if (proof === undefined) return ok({ reason, restored, signed: false });
  const word = openSuccession(context.digest, proof);
  if (!word.ok) return word;
  if (word.value.iss === source && word.value.to === from.id) return ok({ reason, restored, signed: true });
  return err({ code: 'message-invalid', problem: 'the word of the server before is for another one' });
}

/** What a handler is given: the move that the message speaks of, and comes from a server of. */
interface Saying {
  readonly move: MoveRow;
  readonly nowMs: number;
}

/** Advances a move where the sender needs no other answer than the messages that this sends. */
async function carryOn(context: ClearinghouseContext, tx: WriteTx, happening: MoveHappening): Handled {
  const done = await advanceMove(context, tx, happening);
  return done.ok ? ok(null) : done;
}

/**
 * The receipt of the freeze: what it counts leaves the source's account, and is granted to the target.
 * It is believed as far as it fits what was asked for: a holder twice would be one unit for two.
 */
async function handleFrozen(
  context: ClearinghouseContext,
  tx: WriteTx,
  { move, message, nowMs }: Saying & { readonly message: MessageOf<'frozen'> },
): Handled {
  if (move.state !== 'reserved' && move.state !== 'dead-wait') {
    return carryOn(context, tx, { move, event: 'frozen', nowMs });
  }
  const { unissued, held, alsoFrom } = message.body;
  const holders = await allHolders(tx, move.id, message.body);
  if (!holders.ok) return holders;
  const named = checkNamed({ held, holders: holders.value });
  if (!named.ok) return named;
  await saveHolders(tx, move.id, JSON.stringify(holders.value));
  const row = { ...move, unissued, held };
  const granted = await takeFreeze(context, tx, { move: row, nowMs, holders: holders.value, alsoFrom });
  return granted.ok ? ok(null) : granted;
}

/** Holders that a receipt names have a unit each, and one only. */
function checkNamed(told: Pick<BodyOf<'frozen'>, 'held' | 'holders'>): Result<null, Refusal> {
  const { held, holders } = told;
  if (holders.length > held) return err({ code: 'message-invalid', problem: 'more holders than held units' });
  if (new Set(holders.map((holder) => holder.sub)).size === holders.length) return ok(null);
  return err({ code: 'message-invalid', problem: 'it names a holder twice' });
}

/** The source could freeze nothing. What it has frozen it cannot decline any more. */
async function handleDeclined(context: ClearinghouseContext, tx: WriteTx, { move, nowMs }: Saying): Handled {
  const { id, state } = move;
  // It lives, and has nothing that it could freeze now: the units wait for its horizon as before.
  if (state === 'dead-wait') return ok(null);
  if (state !== 'reserved' && state !== 'aborted') {
    return err({ code: 'move-state', move: id, state, act: 'decline' });
  }
  return carryOn(context, tx, { move, event: 'cancel', nowMs });
}

/** The target has installed; where the move was verified before, that is all it had waited for. */
async function handleInstalled(context: ClearinghouseContext, tx: WriteTx, { move, nowMs }: Saying): Handled {
  const installed = await advanceMove(context, tx, { move, event: 'installed', nowMs });
  if (!installed.ok) return installed;
  const { move: after, again } = installed.value;
  if (again || !after.verified) return ok(null);
  return carryOn(context, tx, { move: after, event: 'verified', nowMs });
}

/** States in which the target has not reported yet that it has installed. */
const notInstalled: readonly string[] = ['reserved', 'frozen', 'granted'];

/** States of a move that is undone, or being undone. */
const undoneStates: readonly string[] = ['aborting', 'returning', 'aborted'];

/**
 * An administrator who does not wait for the target to report has verified all the same: it is kept. A target that says so
 * by itself as it installs has not heard of the undo yet.
 */
async function handleVerified(
  context: ClearinghouseContext,
  tx: WriteTx,
  { move, message, nowMs }: Saying & { readonly message: MessageOf<'verified'> },
): Handled {
  const { id, state, agreement } = move;
  if (message.from.id === move.target && undoneStates.includes(state)) return ok(null);
  if (!notInstalled.includes(state)) return carryOn(context, tx, { move, event: 'verified', nowMs });
  await updateMove(tx, state, { ...move, hold: false, verified: true, updatedAt: nowMs });
  const body = { move: id, state };
  await tx.post({ log: agreement, kind: 'move-verified-early', id: newId(context), at: nowMs, body });
  return ok(null);
}

/** The source has given up what it had frozen, as much as its freeze told and no other amount. */
async function handleReleased(
  context: ClearinghouseContext,
  tx: WriteTx,
  { move, message, nowMs }: Saying & { readonly message: MessageOf<'released'> },
): Handled {
  const { state } = move;
  const { unissued, held } = message.body;
  // A freeze whose receipt came after the undo, or never, left no amounts: the release tells them (§1.4).
  const row = state === 'aborted' || state === 'dead-wait' ? { ...move, unissued, held } : move;
  if (state !== 'reserved' && (row.unissued !== unissued || row.held !== held)) {
    return err({ code: 'quantity-differs', expected: row.unissued + row.held, found: unissued + held });
  }
  const leases = await allLeases(tx, move.id, message.body);
  if (!leases.ok) return leases;
  const { told, agreement } = message.body;
  const { id: licenseServerId } = message.from;
  if (told !== undefined) {
    const named = { ...told, licenseServerId, agreement };
    const taken = await readAs(tx, named);
    if (taken !== undefined && taken !== move.id && state === 'aborted') {
      return closeAsTold(context, tx, { move, taken, nowMs });
    }
    await noteToldRelease(tx, { ...named, move: move.id });
  }
  const spoken = state === 'dead-wait' ? await endUngrantable(context, tx, { move: row, nowMs }) : ok(row);
  if (!spoken.ok) return spoken;
  const { value: released } = spoken;
  const done = await advanceMove(context, tx, {
    move: released,
    event: 'released',
    nowMs,
    leases: leases.value,
  });
  if (!done.ok) return done;
  if (!done.value.again) await freezeDeclared(context, tx, move);
  return ok(null);
}

/**
 * The code of this release was read before, and taken for another undone move of the same source: its units have left
 * the account with that one, and do not leave it twice.
 */
async function closeAsTold(
  context: ClearinghouseContext,
  tx: WriteTx,
  { move, taken, nowMs }: Saying & { readonly taken: string },
): Handled {
  await updateMove(tx, move.state, { ...move, state: 'closed', updatedAt: nowMs });
  const body = { move: move.id, state: 'closed', toldFor: taken };
  await tx.post({ log: move.agreement, kind: 'move-told-before', id: newId(context), at: nowMs, body });
  return ok(null);
}

/** The target has given back all that the move brought there: who has some of it now goes to the source. */
async function handleRelinquished(
  context: ClearinghouseContext,
  tx: WriteTx,
  { move, message, nowMs }: Saying & { readonly message: MessageOf<'relinquished'> },
): Handled {
  const { unissued, held } = message.body;
  const holders = await allReturned(tx, move.id, message.body);
  if (!holders.ok) return holders;
  const named = checkNamed({ held, holders: holders.value });
  if (!named.ok) return named;
  const expected = move.unissued + move.held;
  if (expected !== unissued + held) {
    return err({ code: 'quantity-differs', expected, found: unissued + held });
  }
  return carryOn(context, tx, {
    move,
    event: 'relinquished',
    nowMs,
    returned: { unissued, holders: holders.value },
    endHeard: ((await findServer(tx, move.target))?.generation ?? 0) > message.from.gen,
  });
}

/**
 * The undo comes too late: what the target was to give back has left it by a code. The units are its own, so that
 * the code is covered. Where the source has given them up meanwhile, its holders may have been renewed until then.
 */
async function handleKept(context: ClearinghouseContext, tx: WriteTx, { move, nowMs }: Saying): Handled {
  const untilMs = Math.max(nowMs + longestLeaseMs, ...(await fencedEnds(tx, move)));
  const leases = await leasesUntil(tx, move, untilMs);
  return carryOn(context, tx, { move, event: 'kept', nowMs, leases });
}
