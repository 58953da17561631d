/**
 * The newest time that this server has seen: that of its own acts, and what the clearinghouse has signed.
 * A clock that is more than a day behind it was set back, which would stretch horizon and leases: nothing
 * is given to anybody new then, and present holders are served as ever (protocol §2.1).
 */
import type { RequestDecision } from '../../core/cal.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { ok } from '../../core/result.ts';
import { checkClock } from '../../core/standing.ts';
import { hourMs } from '../../core/time.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ServerContext } from '../context.ts';
import { serverLog } from './license-token.ts';

const newestKey = 'newestSeen';
const sealedKey = 'sealedContact';

/** It is written down when it has moved on by so much, far less than the day that is tolerated. */
const savedEveryMs = hourMs;

/** As far as is known here; a clock that was set back is behind it. */
export async function newestSeen(context: ServerContext, tx: ReadTx): Promise<number> {
  const { cache } = context;
  if (cache.seen !== null) return cache.seen.newestMs;
  const savedMs = Number((await readMeta(tx, newestKey)) ?? '0');
  const last = await tx.get<{ at: number }>(
    'select at from journal where log = ? order by position desc limit 1',
    serverLog,
  );
  cache.seen = { newestMs: Math.max(savedMs, last?.at ?? 0), savedMs };
  return cache.seen.newestMs;
}

/** Remembers a time; from memory where it is not newer than what was seen. */
export async function noteTime(context: ServerContext, tx: WriteTx, seenMs: number): Promise<void> {
  if (seenMs <= (await newestSeen(context, tx))) return;
  const savedMs = context.cache.seen?.savedMs ?? 0;
  const save = seenMs - savedMs >= savedEveryMs;
  if (save) await writeMeta(tx, newestKey, String(seenMs));
  context.cache.seen = { newestMs: seenMs, savedMs: save ? seenMs : savedMs };
}

/** Compares the clock with the newest time seen. Refused: `clock-behind`. */
export async function checkTime(
  context: ServerContext,
  tx: ReadTx,
  nowMs: number,
): Promise<Result<number, Refusal>> {
  return checkClock(nowMs, await newestSeen(context, tx));
}

/**
 * What is left of a decision on a license where the clock was set back. Who has a living license is
 * answered; somebody new, or whose lease has ended, is refused `clock-behind`, unless a temporary license
 * bridges the time.
 */
export async function decideInTime(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly decision: RequestDecision;
    readonly temporary: { readonly expiresAt: number } | null;
    readonly nowMs: number;
  },
): Promise<Result<RequestDecision, Refusal>> {
  const { decision, temporary, nowMs } = of;
  const gives =
    decision.act === 'issue' || decision.act === 'upgrade' || (decision.act === 'renew' && decision.lapsed);
  const clock = gives ? await checkTime(context, tx, nowMs) : ok(nowMs);
  if (clock.ok) {
    await noteTime(context, tx, nowMs);
    return ok(decision);
  }
  const bridged = temporary !== null && nowMs < temporary.expiresAt;
  return bridged ? ok({ act: 'unchanged', kind: 'temporary' }) : clock;
}

/** A contact is being sealed: its answer will tell what time it was at least. */
export async function noteSealed(context: ServerContext, tx: WriteTx, contact: string): Promise<void> {
  const newestMs = await newestSeen(context, tx);
  await writeMeta(tx, sealedKey, JSON.stringify({ contact, newestMs }));
}

/**
 * The clearinghouse has answered at `toldMs`. Where that answers our latest contact, which nobody could
 * have known before it was sealed, its time takes the place of everything seen until then: this is how a
 * clock that once ran ahead, and left times behind that are yet to come, is lived down. What was seen
 * since the sealing counts on top, so that an answer kept in a drawer turns nothing back.
 */
export async function noteAnswered(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly received: readonly string[]; readonly toldMs: number },
): Promise<void> {
  const sealed = JSON.parse((await readMeta(tx, sealedKey)) ?? '{}') as {
    contact?: string;
    newestMs?: number;
  };
  const newestMs = await newestSeen(context, tx);
  const { contact, newestMs: before = 0 } = sealed;
  const latest = contact !== undefined && of.received.includes(contact);
  if (!latest || of.toldMs >= before) return noteTime(context, tx, of.toldMs);
  const settledMs = of.toldMs + (newestMs - before);
  await writeMeta(tx, newestKey, String(settledMs));
  await writeMeta(tx, sealedKey, '{}');
  context.cache.seen = { newestMs: settledMs, savedMs: settledMs };
}
