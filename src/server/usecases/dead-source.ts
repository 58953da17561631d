/**
 * The target's part in a move from a source that no longer functions (protocol §2.5): it hears that the
 * declaration holds or is over, and takes the units in, for the holders that it knows and for the others.
 */
import type { Posting } from '../../core/ledger.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoDate } from '../../core/time.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import { msOf } from '../../protocol/schema.ts';
import type { DeclaredRow, GapRow } from '../../store/gap-rows.ts';
import {
  addEarlierSources,
  earlierSourcesOf,
  endDeclaration,
  findDeclared,
  holdingDeclaration,
  isOthers,
  markReserved,
  saveDeclared,
  waitingGaps,
} from '../../store/gap-rows.ts';
import { extendLease } from '../../store/held-rows.ts';
import { markInherited, takenOverEarly } from '../../store/license-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { isPredecessor } from '../../store/predecessor-rows.ts';
import { drawReserve, honorTokens, insertReservations, insertReserve } from '../../store/reserve-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { findLine } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { insertServerMove, settleRequest, updateServerMove } from '../../store/server-rows.ts';
import { freePool, shiftUnits } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import { noteEvent } from './events.ts';
import { accountsOf } from './license-token.ts';
import type { Handled, On } from './move-messages.ts';
import { moveRow } from './move-row.ts';
import { settleUndo } from './open-undo.ts';

/** The declaration holds: whoever shows a token of the source is given a gap license from now on. */
export async function onSourceDead(
  context: ServerContext,
  tx: WriteTx,
  { message, id, move }: On<MessageOf<'source-dead'>>,
): Handled {
  const { horizon, opensAt, units, source, alsoFrom = [] } = message.body;
  const waiting = await waitingFor(context, tx, { message, id, move });
  if (waiting === undefined) return err({ code: 'move-unknown', move: id });
  if (waiting.move.state !== 'requested') return ok(null);
  const nowMs = context.clock.nowMs();
  await updateServerMove(tx, { ...waiting.move, state: 'dead-wait', updatedAt: nowMs });
  await saveDeclared(tx, {
    ...waiting.declared,
    ...{ horizon: msOf(horizon), opensAt: msOf(opensAt), state: 'waiting' },
  });
  await addEarlierSources(tx, id, alsoFrom);
  await settleRequest(tx, { id: `move:${id}`, state: 'done', answer: JSON.stringify({ units, horizon }) });
  const { product, type } = waiting.move;
  const data = { source, count: units, product, type, horizon: isoDate(msOf(horizon)) };
  await noteEvent(context, tx, { number: 5030, data });
  return ok(null);
}

interface Waiting {
  readonly move: ServerMoveRow;
  readonly declared: DeclaredRow;
}

/**
 * What was declared here; or, where the source has more CALs than one grant brings, the move by which the clearinghouse
 * brings the next of them, under the same statement.
 */
async function waitingFor(
  context: ServerContext,
  tx: WriteTx,
  { message, id, move }: On<MessageOf<'source-dead'>>,
): Promise<Waiting | undefined> {
  if (move !== undefined) {
    const declared = await findDeclared(tx, id);
    return declared && { move, declared };
  }
  const { agreement, source } = message.body;
  const line = await findLine(tx, agreement, message.body.line);
  const before = line && (await holdingDeclaration(tx, { lineId: line.id, source }));
  if (line === undefined || before === undefined) return undefined;
  return enterNext(context, tx, { line, before, id });
}

/** A further move under a declaration of which CALs have come, or are about to come, by another one. */
async function enterNext(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly line: LineRow; readonly before: DeclaredRow; readonly id: string },
): Promise<Waiting> {
  const { line, before, id } = of;
  const begun = { id, role: 'target', carrier: 'online', quantity: 'all', state: 'requested' } as const;
  const ends = { source: before.source, target: context.licenseServerId };
  const move = moveRow(line, { ...begun, ...ends }, context.clock.nowMs());
  await insertServerMove(tx, move);
  const declared: DeclaredRow = { ...before, move: id, state: 'waiting' };
  await saveDeclared(tx, declared);
  await addEarlierSources(tx, id, await earlierSourcesOf(tx, before.move));
  return { move, declared };
}

/** The source has spoken, or the move was undone: it keeps its units. Gap licenses run on to their ends. */
export async function onSourceLives(
  context: ServerContext,
  tx: WriteTx,
  { id, move }: On<MessageOf<'source-lives'>>,
): Handled {
  if (move === undefined) return err({ code: 'move-unknown', move: id });
  if (!['requested', 'dead-wait'].includes(move.state)) return ok(null);
  await updateServerMove(tx, { ...move, state: 'undone', updatedAt: context.clock.nowMs() });
  await settleRequest(tx, { id: `move:${id}`, state: 'done', answer: '{}' });
  await settleUndo(tx, id);
  await endDeclaration(tx, id);
  const { source, product, type } = move;
  await noteEvent(context, tx, { number: 5031, data: { source, product, type } });
  return ok(null);
}

/** What came from a dead source, once its proofs are taken in. */
export interface DeadUnits {
  readonly line: LineRow;
  readonly move: string;
  readonly source: string;
  /** Servers that CALs had come to it from. */
  readonly alsoFrom: readonly string[];
  /** Units that the free chain and the held chain have brought. */
  readonly free: number;
  readonly held: number;
  /** When no lease of the source can run any more. */
  readonly opensAt: number;
  readonly nowMs: number;
}

/**
 * Divides what came: a named reservation for each holder who showed a token that still runs, the rest a reserve until
 * all leases of the source have ended (or free, where they were released early or have ended). Answers what is to be posted beyond the units themselves.
 */
export async function divideDead(tx: WriteTx, dead: DeadUnits): Promise<readonly Posting[]> {
  const { line, move, source, alsoFrom, free, held, opensAt, nowMs } = dead;
  const accounts = accountsOf(line);
  const postings: Posting[] = [];
  if (held > 0) await insertReserve(tx, { id: move, lineId: line.id, source, amount: held, opensAt });
  if (held === 0) await keepEarly(tx, dead);
  const declared = await findDeclared(tx, move);
  if (declared !== undefined) await addEarlierSources(tx, move, alsoFrom);
  const waiting = await waitingGaps(tx, { move, lineId: line.id, source });
  // Whose lease there has ended has no claim on a unit by name: a source that lived on may have given it to somebody
  // else, who has a better one. Nor has one who shows a token of a server before it: whether that very unit came along
  // nobody can tell. Their gap licenses run until no lease of the source can run any more; where units were released
  // early they are given a free one like everybody else. But where the source had come in the place of their server, and
  // this one in its, they are known by the books of that server, and all that was theirs comes this way.
  const isChain = await isPredecessor(tx, source);
  const entitled = waiting.filter(
    (gap) =>
      ((gap.source === source || (isChain && gap.until > 0)) && gap.leaseEnd > nowMs) || opensAt < nowMs,
  );
  const claims = await withoutOthers(tx, dead, entitled);
  const named = claims.slice(0, held > 0 ? held : free);
  await reserveFor(tx, dead, named);
  if (named.length > 0 && held > 0) await drawReserve(tx, move, named.length);
  if (named.length > 0 && held === 0) {
    await shiftUnits(tx, { lineId: line.id, from: freePool, to: move, amount: named.length });
    const amount = named.length;
    postings.push({ kind: 'transfer', debit: accounts.unissued, credit: accounts.reserved, amount });
  }
  if (declared !== undefined) await saveDeclared(tx, { ...declared, opensAt, state: 'granted' });
  return postings;
}

/**
 * Leaves those out whose lease has ended and whose CAL, of the same first issue, somebody else has shown here with a later
 * lease, or has: the source had given it to them since. They get one of another first issue, like everybody else.
 */
async function withoutOthers(
  tx: WriteTx,
  { line, nowMs }: DeadUnits,
  gaps: readonly GapRow[],
): Promise<readonly GapRow[]> {
  const latest = new Map<string, number>();
  for (const { origin, leaseEnd } of gaps)
    latest.set(origin, Math.max(leaseEnd, latest.get(origin) ?? leaseEnd));
  const claims: GapRow[] = [];
  for (const gap of gaps) {
    const { origin, leaseEnd, sourceSub: sub } = gap;
    const ended = leaseEnd <= nowMs;
    const later = ended && leaseEnd < (latest.get(origin) ?? leaseEnd);
    const gone = later || (ended && (await isOthers(tx, { lineId: line.id, origin, sub })));
    if (!gone) claims.push(gap);
  }
  return claims;
}

/**
 * Whose source was released early has come to stay: what came is free as it is, and nothing of it is theirs by name. Its
 * own unit goes to nobody else before the end of all leases that the source may have given it.
 */
async function keepEarly(tx: WriteTx, { line, source, opensAt }: DeadUnits): Promise<void> {
  for (const license of await takenOverEarly(tx, line.id, source)) {
    await extendLease(tx, license.id, Math.max(license.leaseEnd, opensAt));
    await markInherited(tx, license.id, null);
  }
}

/**
 * One unit for each holder who has shown its token already, or whom the server before knew: that token opens no second
 * one. All of them at once: a server in whose place this one has come may have had any number.
 */
async function reserveFor(tx: WriteTx, dead: DeadUnits, gaps: readonly GapRow[]): Promise<void> {
  const { line, move, source, opensAt, nowMs: at } = dead;
  const rows = gaps.map(({ origin, sourceSub: sub, leaseEnd: shownUntil }) => {
    const leaseEnd = Math.max(shownUntil, opensAt);
    return { lineId: line.id, sub, kind: line.type, origin, move, source, leaseEnd };
  });
  await insertReservations(tx, rows);
  await honorTokens(
    tx,
    rows.map(({ origin, sub }) => ({ source, origin, reserve: move, sub, at })),
  );
  await markReserved(
    tx,
    gaps.map(({ id }) => id),
    at,
  );
}

/** Whether a license server may be activated here again. Refused: `server-declared-dead`. */
export function checkNotFenced(
  context: Pick<ServerContext, 'licenseServerId'>,
  fencedBy: string | undefined,
): Result<null, Refusal> {
  if (fencedBy === undefined || fencedBy === '') return ok(null);
  return err({ code: 'server-declared-dead', licenseServerId: context.licenseServerId, move: fencedBy });
}
