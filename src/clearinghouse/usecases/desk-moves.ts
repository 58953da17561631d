/** The desk's view of moves, and reading codes of a server out again. */

import type { Reveal } from '../../core/chain.ts';
import { activationChain } from '../../core/chain.ts';
import { normalizeLicenseServerId } from '../../core/code.ts';
import type { Following } from '../../core/dead-source.ts';
import { awaitedDead, awaitedEarlierGrant, awaitedGrantable, splitGrant } from '../../core/dead-source.ts';
import {
  awaitedDeclared,
  awaitedNothing,
  awaitedUnreleased,
  awaitedWithoutTarget,
} from '../../core/fenced-end.ts';
import { awaitedLapse } from '../../core/lapse.ts';
import { isOver } from '../../core/move.ts';
import type { Awaited } from '../../core/move-awaited.ts';
import { awaited, awaitedDeactivated } from '../../core/move-awaited.ts';
import type { Refusal } from '../../core/refusal.ts';
import { ageDays, reminderReached } from '../../core/reminder.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoTime } from '../../core/time.ts';
import { problemOf } from '../../protocol/problem.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findMove, pageMoves } from '../../store/clearinghouse-rows.ts';
import { findGrantedAuthority } from '../../store/committed-server-rows.ts';
import type { DeadSourceRow } from '../../store/dead-source-rows.ts';
import { findDeadSource, waitingDeclaration } from '../../store/dead-source-rows.ts';
import { findLapse } from '../../store/lapse-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import { findUncovered } from '../../store/uncovered-rows.ts';
import type { ClearinghouseContext } from '../context.ts';
import { moveCode } from './advance-move.ts';
import { mostAtOnce } from './at-once.ts';
import { isReleasedEarly, unreleasedTo } from './dead-source.ts';
import type { DeadSourceView } from './dead-source-view.ts';
import { viewDeadSource } from './dead-source-view.ts';
import type { CodeView, DeskAnswer } from './desk-answer.ts';
import { deskAnswer, viewCode } from './desk-answer.ts';
import { livingAuthority } from './open-authority.ts';
import { laterRead, readableGrants } from './readable-grants.ts';
import { awaitedRefusedFreeze } from './refused-freeze.ts';
import { findRoom, mostByOneGrant } from './roomy-authority.ts';
import { settleDue } from './settle-due.ts';
import { fencedUntil, stakeOf } from './settle-fenced.ts';

export type MoveView = Omit<MoveRow, 'startedAt' | 'updatedAt'> & {
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly awaited: Awaited;
  /** Whole days since it began, and the last reminder that it has reached (0, 14, 30 or 60); 0 once it is over. */
  readonly ageDays: number;
  readonly reminder: number;
  /** Of a source that was declared to function no longer; null for one that works. */
  readonly deadSource: DeadSourceView | null;
};

export async function viewMove(context: ClearinghouseContext, tx: ReadTx, move: MoveRow): Promise<MoveView> {
  const nowMs = context.clock.nowMs();
  const declared = move.reason === 'dead' ? await findDeadSource(tx, move.id) : undefined;
  const over = isOver(move.state);
  const underWay = move.state === 'dead-wait' ? await stakeOf(tx, move) : 0;
  return {
    ...move,
    startedAt: isoTime(move.startedAt),
    updatedAt: isoTime(move.updatedAt),
    awaited: await awaitedNow(tx, { move, declared, nowMs }),
    deadSource: declared === undefined ? null : viewDeadSource(declared, { nowMs, underWay }),
    ageDays: over ? 0 : ageDays(move.startedAt, nowMs),
    reminder: over ? 0 : reminderReached(move.startedAt, nowMs),
  };
}

/** What follows a move from a dead source whose CALs one grant could not bring all; null: nothing. */
export async function followingOf(
  context: ClearinghouseContext,
  tx: ReadTx,
  granted: MoveRow,
): Promise<Following | null> {
  const declared = await waitingDeclaration(tx, granted);
  const move = declared && (await findMove(tx, declared.move));
  if (declared === undefined || move === undefined) return null;
  const waits = await awaitedNow(tx, { move, declared, nowMs: context.clock.nowMs() });
  return { units: declared.units, awaited: waits.text };
}

/** From whom something is awaited; with the days, where it is time that is waited for. */
async function awaitedNow(
  tx: ReadTx,
  of: {
    readonly move: MoveRow;
    readonly declared: DeadSourceRow | undefined;
    readonly nowMs: number;
  },
): Promise<Awaited> {
  const { move, declared, nowMs } = of;
  if (declared !== undefined && move.state === 'dead-wait') {
    const unreleased = await unreleasedTo(tx, { ...move, nowMs });
    if (unreleased !== undefined) return awaitedUnreleased(unreleased);
    const due = declared.horizon < nowMs || isReleasedEarly(declared);
    const hindered = due ? await awaitedOfDue(tx, { move, declared, nowMs }) : undefined;
    if (hindered !== undefined) return hindered;
    return awaitedDead({ horizonMs: declared.horizon, opensAtMs: declared.opensAt, nowMs });
  }
  if (move.state === 'aborting' || move.state === 'returning') {
    const opensAtMs = await fencedUntil(tx, move.target);
    if (opensAtMs !== undefined) return awaitedWithoutTarget({ state: move.state, opensAtMs });
  }
  if (declared?.grantedAt != null && move.state === 'aborted') return awaitedNothing;
  const refused = move.state === 'aborted' ? await awaitedRefusedFreeze(tx, move.id) : undefined;
  if (refused !== undefined) return refused;
  const licenses = move.state === 'closed' ? await awaitedLicenses(tx, move, nowMs) : undefined;
  return licenses ?? awaitedOfEnds(tx, move);
}

/** The licenses that may still run on what was given up after an undo; undefined: none. */
async function awaitedLicenses(
  tx: ReadTx,
  { id }: Pick<MoveRow, 'id'>,
  nowMs: number,
): Promise<Awaited | undefined> {
  const waiting = await findLapse(tx, id);
  const uncovered = await findUncovered(tx, id);
  const here = waiting?.endedAt === null ? waiting.units : 0;
  const toCome = uncovered !== undefined && uncovered.endsAt >= nowMs ? uncovered.units : 0;
  const endsAt = waiting?.endsAt ?? uncovered?.endsAt ?? 0;
  return here + toCome === 0 ? undefined : awaitedLapse({ units: here + toCome, endsAt, toCome });
}

/** What is in the way of a grant that is due; undefined: nothing, it comes with the next look at the clock. */
async function awaitedOfDue(
  tx: ReadTx,
  of: { readonly move: MoveRow; readonly declared: DeadSourceRow; readonly nowMs: number },
): Promise<Awaited | undefined> {
  const { move, declared, nowMs } = of;
  const { opensAt: opensAtMs } = declared;
  const early = isReleasedEarly(declared);
  const most = early ? mostAtOnce(declared) : declared.units;
  const units = Math.min(declared.units, most, mostByOneGrant(move.line));
  const found = await findRoom(tx, {
    move: { ...move, ...splitGrant({ units, opensAtMs, nowMs, early }) },
    ...{ event: early ? 'early-release' : 'horizon-passed', kinds: ['free', 'held'] },
  });
  if (found.ok) return undefined;
  const { error } = found;
  if (error.code !== 'move-open') return awaitedGrantable(problemOf(error));
  return awaitedEarlierGrant({ id: error.move, target: move.target });
}

/** What the state says; and where one of the ends was declared to function no longer, how it ends without it. */
async function awaitedOfEnds(tx: ReadTx, move: MoveRow): Promise<Awaited> {
  const { state, agreement, line } = move;
  const target = await findGrantedAuthority(tx, move.target, agreement);
  const closed = move.carrier === 'online' && target?.state === 'closed';
  let waits = (closed ? awaitedDeactivated(state) : undefined) ?? awaited(state, move.carrier);
  for (const end of ['source', 'target'] as const) {
    const row = isOver(state)
      ? undefined
      : await waitingDeclaration(tx, { source: move[end], agreement, line });
    if (row !== undefined) waits = awaitedDeclared({ awaited: waits, state, end, horizonMs: row.horizon });
  }
  return waits;
}

/** Newest first, over or not; `open`: only those that wait for something. */
export async function listMoves(
  context: ClearinghouseContext,
  page: Parameters<typeof pageMoves>[1],
): Promise<{ readonly items: readonly MoveView[]; readonly nextCursor: string | null }> {
  await settleDue(context);
  return context.store.read(async (tx) => {
    const rows = await pageMoves(tx, page);
    const items: MoveView[] = [];
    for (const row of rows) items.push(await viewMove(context, tx, row));
    return { items, nextCursor: rows.length < page.limit ? null : (rows.at(-1)?.id ?? null) };
  });
}

export async function showMove(
  context: ClearinghouseContext,
  id: string,
): Promise<Result<MoveView, Refusal>> {
  await settleDue(context);
  return context.store.read(async (tx) => {
    const move = await findMove(tx, id);
    if (move === undefined) return err({ code: 'move-unknown', move: id });
    return ok(await viewMove(context, tx, move));
  });
}

/**
 * The current code of each chain of a server again: whoever is given its License Server ID may read
 * them, because the books have moved already (protocol §3.6). Of CALs that have holders only what their source
 * has given up (`readableGrants`). Refused: `server-unknown`, `not-activated`, `server-declared-dead`.
 */
export async function repeatCodes(
  context: ClearinghouseContext,
  call: { readonly agreement: string; readonly serverId: string },
): Promise<Result<DeskAnswer, Refusal>> {
  const id = normalizeLicenseServerId(context.digest, call.serverId);
  if (!id.ok) return id;
  return context.store.read(async (tx) => {
    const found = await livingAuthority(tx, id.value, call.agreement);
    if (!found.ok) return found;
    const authority = found.value;
    const codes: CodeView[] = [];
    const add = (reveal: Reveal): void => {
      codes.push(viewCode(context, authority, reveal));
    };
    const { grants, withheld } = await readableGrants(tx, authority);
    for (const { line, kind, kAfter: k, source, move } of grants) {
      const granted = { id: move ?? '', source: source ?? '', line };
      codes.push(await moveCode(context, tx, { move: granted, authority, kind, k }));
    }
    if (authority.horizonE > 0) add({ kind: 'horizon', k: authority.horizonE });
    if (authority.basis === 'slot') add({ kind: 'activation', slot: authority.slot ?? activationChain });
    const read = 'Read out the code that the caller misses; a code typed twice changes nothing.';
    return ok(deskAnswer(codes, withheld ? `${read} ${laterRead}` : read, {}));
  });
}
