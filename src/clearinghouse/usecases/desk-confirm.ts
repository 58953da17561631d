/**
 * Takes in what the customer reads: a confirmation of what a license server has done. The code says
 * what, the tag proves whose it is, and the answer is what to read out next (protocol §3.6).
 */
import type { Code } from '../../core/code.ts';
import { expectKind, normalizeLicenseServerId, parseCode } from '../../core/code.ts';
import type { ReadConfirmation } from '../../core/confirmation.ts';
import { readConfirmation } from '../../core/confirmation.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { dayMs, isoTime } from '../../core/time.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import {
  failuresSince,
  findConfirmation,
  insertConfirmationRecord,
  insertFailure,
} from '../../store/clearinghouse-rows.ts';
import type { GrantedAuthorityRow, ServerRow } from '../../store/committed-server-rows.ts';
import {
  chainsOf,
  findGrantedAuthority,
  findServer,
  saveChain,
  saveServer,
} from '../../store/committed-server-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { confirmDeactivated, confirmFrozen, confirmReleased } from './confirm-move.ts';
import { keepEvidence } from './dead-source-spoke.ts';
import type { DeskAnswer } from './desk-answer.ts';
import { deskAnswer } from './desk-answer.ts';
import { extendHorizon, horizonNext } from './desk-horizon.ts';
import type { ConfirmedBy } from './find-confirmation.ts';
import { codeKey, findConfirmer } from './find-confirmation.ts';
import { newId } from './new-id.ts';
import { checkNotDead, suspected } from './open-authority.ts';
import { moveRatchet, takeTold } from './ratchet.ts';
import { returnUnits } from './return-units.ts';
import { settleDue } from './settle-due.ts';

/** Failures per server and day, and in all per day, before a supervisor is needed (protocol §3.6). */
const serverFailures = 10;
const deskFailures = 100;

export interface ConfirmCall {
  readonly code: string;
  readonly serverId?: string | undefined;
}

/** What a handler of one kind is given: everything is checked but the books. */
export interface Confirmed {
  readonly by: ConfirmedBy;
  readonly read: ReadConfirmation;
  /** Moves whose release it tells, and a message has told before. */
  readonly told: readonly MoveRow[];
  readonly nowMs: number;
}

/**
 * Takes a confirmation in; the same code again gets the same answer. Refused: `code-unreadable`,
 * `code-mistyped`, `code-wrong-kind`, `confirmation-unmatched`, `code-other-server`,
 * `confirmation-locked`, `earlier-code-missing`, `move-needed`, `quantity-differs`, `server-suspect`,
 * `server-closed`, `move-more-than-there-is` (more than the books have committed to the server).
 */
export async function confirmByTelephone(
  context: ClearinghouseContext,
  call: ConfirmCall,
): Promise<Result<DeskAnswer, Refusal>> {
  const parsed = parseCode(context.digest, call.code);
  if (!parsed.ok) return parsed;
  const code = expectKind(parsed.value, ['confirmation']);
  if (!code.ok) return code;
  await settleDue(context);
  const answer = await context.store.write((tx) => takeIn(context, tx, { code: code.value, call }));
  if (!answer.ok && answer.error.code === 'confirmation-unmatched') {
    const { licenseServerId } = answer.error;
    await context.store.write(async (tx) => {
      await insertFailure(tx, licenseServerId, context.clock.nowMs());
      return ok(null);
    });
  }
  if (!answer.ok && answer.error.code === 'server-closed') {
    const { licenseServerId: server } = answer.error;
    const said = { type: 'confirmation', code: codeKey(code.value) };
    await context.store.write(async (tx) => {
      const words = 'a code that was read to the desk';
      await keepEvidence(context, tx, { server, words, said, signedMs: null });
      return ok(null);
    });
  }
  if (answer.ok) context.mailbox.wake();
  return answer;
}

async function takeIn(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly code: Code; readonly call: ConfirmCall },
): Promise<Result<DeskAnswer, Refusal>> {
  const nowMs = context.clock.nowMs();
  const stored = await findConfirmation(tx, codeKey(of.code));
  if (stored !== undefined) return ok(JSON.parse(stored.answer) as DeskAnswer);
  const { serverId } = of.call;
  const named = serverId === undefined ? ok(undefined) : normalizeLicenseServerId(context.digest, serverId);
  if (!named.ok) return named;
  const limit = await checkLimits(tx, named.value, nowMs);
  if (!limit.ok) return limit;
  const by = await findConfirmer(context, tx, { code: of.code, licenseServerId: named.value });
  if (!by.ok) return by;
  const read = readConfirmation(of.code);
  if (!read.ok) return read;
  const server = await findServer(tx, by.value.authority.licenseServerId);
  if (server?.state === 'suspect') return err(suspected(server.licenseServerId));
  if (by.value.authority.state === 'closed') return err(closedServer(by.value.authority, server));
  const { unseen } = by.value.match;
  if (unseen.freezes > 0) return err({ code: 'earlier-code-missing', kind: 'frozen' });
  if (unseen.releases > 0) return err({ code: 'earlier-code-missing', kind: 'released' });
  if (unseen.returns > 0) return err({ code: 'earlier-code-missing', kind: 'returned' });
  const { authority, match } = by.value;
  const told = await takeTold(tx, { authority, seq: match.seq });
  const confirmed = { by: by.value, read: read.value, told, nowMs };
  await keepState(context, tx, confirmed);
  const answer = await handle(context, tx, confirmed);
  if (!answer.ok) return answer;
  await insertConfirmationRecord(tx, {
    code: codeKey(of.code),
    agreement: by.value.authority.agreement,
    licenseServerId: by.value.authority.licenseServerId,
    seq: by.value.match.seq,
    kind: read.value.kind,
    answer: JSON.stringify(answer.value),
    at: nowMs,
  });
  return answer;
}

/** What a server that was closed reads has no effect any more, until it is activated again. */
function closedServer(authority: GrantedAuthorityRow, server: ServerRow | undefined): Refusal {
  const { licenseServerId } = authority;
  return { code: 'server-closed', licenseServerId, generation: server?.generation ?? authority.generation };
}

/** Refused: `confirmation-locked`, until so many failures are older than a day that one more is allowed. */
async function checkLimits(
  tx: WriteTx,
  licenseServerId: string | undefined,
  nowMs: number,
): Promise<Result<null, Refusal>> {
  const since = nowMs - dayMs;
  const own = licenseServerId === undefined ? [] : await failuresSince(tx, licenseServerId, since);
  for (const [failures, most] of [
    [own, serverFailures],
    [await failuresSince(tx, null, since), deskFailures],
  ] as const) {
    const oldest = failures[failures.length - most];
    if (oldest === undefined) continue;
    return err({ code: 'confirmation-locked', failures: failures.length, until: isoTime(oldest + dayMs) });
  }
  return ok(null);
}

/** The ratchet, the counters and the positions that the server has vouched for. */
async function keepState(
  context: ClearinghouseContext,
  tx: WriteTx,
  { by, nowMs }: Confirmed,
): Promise<void> {
  const { authority, match } = by;
  await moveRatchet(context, tx, { authority, ...match });
  for (const chain of await chainsOf(tx, authority.aid)) {
    const position = match.positions[chain.line]?.[chain.kind] ?? 0;
    if (position > chain.confirmedK) await saveChain(tx, { ...chain, confirmedK: position });
  }
  const server = await findServer(tx, authority.licenseServerId);
  if (server !== undefined) await saveServer(tx, { ...server, lastContactAt: nowMs });
}

async function handle(
  context: ClearinghouseContext,
  tx: WriteTx,
  confirmed: Confirmed,
): Promise<Result<DeskAnswer, Refusal>> {
  switch (confirmed.read.kind) {
    case 'frozen':
      return confirmFrozen(context, tx, confirmed);
    case 'released':
      return confirmReleased(context, tx, confirmed);
    case 'heartbeat':
      return confirmHeartbeat(context, tx, confirmed);
    case 'returned':
      return confirmReturned(context, tx, confirmed);
    case 'deactivated':
      return confirmDeactivated(context, tx, confirmed);
  }
}

/** A heartbeat renews the horizon: the answer is the yearly code. */
async function confirmHeartbeat(
  context: ClearinghouseContext,
  tx: WriteTx,
  { by, read, nowMs }: Confirmed,
): Promise<Result<DeskAnswer, Refusal>> {
  const authority = await current(tx, by.authority);
  const living = await checkNotDead(tx, authority.licenseServerId);
  if (!living.ok) {
    const numbers = { kind: read.kind, unissued: 0, held: 0, server: authority.licenseServerId };
    return ok(deskAnswer([], noHorizonNext, numbers));
  }
  const { code, horizon } = await extendHorizon(context, tx, { authority, nowMs });
  return ok(
    deskAnswer([code], horizonNext, {
      kind: read.kind,
      horizon,
      unissued: 0,
      held: 0,
      server: authority.licenseServerId,
    }),
  );
}

const noHorizonNext =
  'This license server was declared to function no longer, so no horizon code is read out. It has spoken now: ' +
  'have its CALs frozen there and the code read (calyx server move --freeze), or undo the move (calyx desk cancel).';

/** The row as it is after `keepState`: a second update must not bring the old ratchet back. */
async function current(tx: WriteTx, authority: GrantedAuthorityRow): Promise<GrantedAuthorityRow> {
  return (await findGrantedAuthority(tx, authority.licenseServerId, authority.agreement)) ?? authority;
}

/** Units given back unissued go to hand. Refused: `quantity-invalid`, `move-more-than-there-is`. */
async function confirmReturned(
  context: ClearinghouseContext,
  tx: WriteTx,
  { by, read, nowMs }: Confirmed,
): Promise<Result<DeskAnswer, Refusal>> {
  const { authority } = by;
  const { line, unissued: amount } = read;
  const id = newId(context);
  const returned = await returnUnits(tx, { id, authority, line, amount, carrier: 'telephone', nowMs });
  if (!returned.ok) return returned;
  const numbers = { kind: read.kind, unissued: amount, held: 0, server: authority.licenseServerId };
  const { inHand, following } = returned.value;
  const later =
    following === 0
      ? ''
      : ` ${following} ${following === 1 ? 'follows' : 'follow'} when the license server that they came from has released what it has frozen.`;
  return ok(
    deskAnswer(
      [],
      `${inHand === 1 ? '1 CAL is' : `${inHand} CALs are`} back in hand.${later} Nothing to read out.`,
      numbers,
    ),
  );
}
