/**
 * A source that no longer functions (protocol §2.5): declared so, its units wait for its horizon; then, or
 * earlier with a second person's yes, they are granted to the target and the source is fenced off.
 */
import { clearinghouseAccount } from '../../core/account.ts';
import { longestLeaseMs } from '../../core/cal.ts';
import { endingOf, opensAtMs, riskOf, splitGrant } from '../../core/dead-source.ts';
import type { JsonObject } from '../../core/json.ts';
import type { RecoveryReason } from '../../core/recovery.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoTime } from '../../core/time.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import {
  findMove,
  insertMove,
  lastArrival,
  movesOnLine,
  openMovesTo,
} from '../../store/clearinghouse-rows.ts';
import {
  authoritiesOfServer,
  findGrantedAuthority,
  supersededAuthorities,
} from '../../store/committed-server-rows.ts';
import type { DeadSourceRow } from '../../store/dead-source-rows.ts';
import { declarationsOf, dueDeclarations, saveDeadSource } from '../../store/dead-source-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import type { MoveOutcome } from './advance-move.ts';
import { advanceMove } from './advance-move.ts';
import { comesAtOnce, mostAtOnce, restAtOnce } from './at-once.ts';
import { enterRisk } from './enter-risk.ts';
import { declarationOf } from './fence-source.ts';
import { startedEntry } from './move-started.ts';
import { newId } from './new-id.ts';
import { checkRecovered } from './recovery.ts';
import { findRoom, mostByOneGrant } from './roomy-authority.ts';
import { noteRisksTo, settleMovesFrom, settleMovesTo, stakeOf, unfinishedMoves } from './settle-fenced.ts';

/** What a server has of one product and type under an agreement. */
type Line = Pick<MoveRow, 'source' | 'agreement' | 'line'>;

/** What was said, by whom, and who entered it at the desk; null where the target has signed it. */
export interface Declaration {
  readonly by: string;
  readonly text: string;
  readonly enteredBy: string | null;
  /** The target has come in its place; null where it is another server. */
  readonly recovery?: Recovery | undefined;
}

/** Why a license server goes on as a new one (protocol §5.5). */
export interface Recovery {
  readonly reason: RecoveryReason;
  /** How many holders it knows; null where that is not told. */
  readonly restored: number | null;
  /** Whether the key of the server before vouches for it. */
  readonly signed: boolean;
}

/** A freeze that was asked of the source and never heard of is over: the declaration takes its place. */
export async function endReservedMove(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly source: string; readonly agreement: string; readonly line: number; readonly nowMs: number },
): Promise<Result<null, Refusal>> {
  const open = (await movesOnLine(tx, of)).find(({ state }) => state === 'reserved');
  if (open === undefined) return ok(null);
  const ended = await advanceMove(context, tx, { move: open, event: 'cancel', nowMs: of.nowMs });
  return ended.ok ? ok(null) : ended;
}

/**
 * Takes a declaration in for a move that has just begun: the statement into the journal, the units into
 * quarantine. `units` is all that the books have committed to the source on that line.
 */
export async function declareDead(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: {
    readonly move: MoveRow;
    readonly units: number;
    readonly declaration: Declaration;
    readonly nowMs: number;
  },
): Promise<Result<MoveRow, Refusal>> {
  const { move, units, declaration, nowMs } = of;
  const signed = [
    ...(await authoritiesOfServer(tx, move.source)),
    ...(await supersededAuthorities(tx, move.source)),
  ];
  const ending = endingOf(signed);
  if (ending === null) return err({ code: 'not-activated', agreement: move.agreement });
  const { agreement, line, source, id } = move;
  const { by: declaredBy, text: statement, enteredBy, recovery } = declaration;
  const atOnce = recovery === undefined ? null : await comesAtOnce(tx, { move, units, recovery, nowMs });
  // Of a line with nothing of its own it is what is under way that does not wait.
  const immediate = atOnce !== null && (atOnce > 0 || units === 0) ? 1 : 0;
  const declared: DeadSourceRow = {
    ...{ move: id, agreement, line, source, pending: pendingOf(id), units, statement, declaredBy, enteredBy },
    ...{ declaredAt: nowMs, horizon: ending.horizonMs, sunset: ending.sunsetMs, opensAt: opensAtMs(ending) },
    ...{ approvedBy: null, approvedAt: null, grantedAt: null, riskUnits: 0, riskFrom: null, riskUntil: null },
    ...{ seenAt: null, seenCount: 0, seenSaid: null, recovery: recovery?.reason ?? null, immediate },
    atOnce: immediate === 1 && atOnce !== units ? atOnce : null,
    ...{ suspendedAt: null, liftedAt: null, liftedBy: null },
  };
  const part = declared.atOnce === null ? {} : { atOnce };
  const told =
    recovery === undefined ? {} : { recovery: { ...recovery }, immediate: immediate === 1, ...part };
  return enterDeclaration(context, tx, { move, declared, told, nowMs });
}

/** Whether its units do not wait for the horizon: a second person has said so, or they are recovered at once. */
export function isReleasedEarly({ approvedAt, immediate }: DeadSourceRow): boolean {
  return approvedAt !== null || immediate === 1;
}

const pendingOf = (move: string): string => `${move}/dead`;

/** The declaration in books and journal; `told` is what the journal says beyond it. */
async function enterDeclaration(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: {
    readonly move: MoveRow;
    readonly declared: DeadSourceRow;
    readonly told: JsonObject;
    readonly nowMs: number;
  },
): Promise<Result<MoveRow, Refusal>> {
  const { move, declared, told, nowMs } = of;
  const { agreement, source, line, units, declaredBy: by, statement, enteredBy, horizon, opensAt } = declared;
  await saveDeadSource(tx, declared);
  await tx.post({
    log: agreement,
    kind: 'source-declared-dead',
    id: newId(context),
    at: nowMs,
    body: {
      ...{ move: move.id, source, line, units, by, statement },
      ...(enteredBy === null ? {} : { enteredBy }),
      ...{ horizon: isoTime(horizon), opensAt: isoTime(opensAt) },
      ...told,
    },
  });
  const entered = await advanceMove(context, tx, { move, event: 'declare-dead', nowMs });
  return entered.ok ? ok(entered.value.move) : entered;
}

/**
 * What one grant could not bring of a dead source waits in a move of its own, under the same statement, until the target
 * has taken in what came before. It is entered with the grant: so no unit is left that nobody waits for.
 */
async function declareRest(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly granted: MoveRow; readonly units: number; readonly nowMs: number },
): Promise<void> {
  const { granted, units, nowMs } = of;
  if (units === 0) return;
  const before = await declarationOf(tx, granted);
  const id = newId(context);
  const move: MoveRow = {
    ...{ ...granted, id, state: 'reserved', unissued: 0, held: 0, verified: false },
    sourceGeneration: await generationOf(tx, granted),
    ...{ startedAt: nowMs, updatedAt: nowMs },
  };
  await insertMove(tx, move);
  await tx.post({ ...startedEntry(move), id: `move:${id}` });
  const entered = await enterDeclaration(context, tx, {
    move,
    declared: {
      ...before,
      ...restAtOnce(before),
      ...{ move: id, pending: pendingOf(id), units, declaredAt: nowMs, grantedAt: null },
      ...{ riskUnits: 0, riskFrom: null, riskUntil: null },
    },
    // The move by which the units before these were granted.
    told: { follows: granted.id },
    nowMs,
  });
  if (!entered.ok) throw new Error(`The rest of move ${granted.id} cannot wait: ${entered.error.code}`);
}

/**
 * Grants the units of a dead source, by its horizon or earlier: as many as one grant can bring, and the source is fenced
 * off; the rest follows by moves of its own. What it had frozen for other moves and never released is settled with it.
 * Refused: what the target of the grant refuses (`not-activated`, `server-closed`, `chains-used-up`, …), and `move-open`
 * where a move to it is not released, or the target has not taken in an earlier grant; then it goes on waiting.
 */
export async function grantDead(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly move: MoveRow; readonly event: 'horizon-passed' | 'early-release'; readonly nowMs: number },
): Promise<Result<MoveOutcome, Refusal>> {
  const { move, event, nowMs } = of;
  const stake = await stakeOf(tx, move);
  const unfinished = (await unfinishedMoves(tx, move)).length > 0;
  // What there was came back while it waited, and nothing else waits for it: the source lives.
  if ((await leftOf(tx, move)) === 0 && !unfinished) {
    return advanceMove(context, tx, { move, event: 'dead-abort', nowMs });
  }
  const unreleased = await unreleasedTo(tx, { ...move, nowMs });
  if (unreleased !== undefined)
    return err({ code: 'move-open', move: unreleased.id, state: unreleased.state });
  // First what came to it and is its own: it goes with the rest.
  await settleMovesTo(context, tx, { target: move.source, nowMs });
  const declared = await declarationOf(tx, move);
  const opensAt = Math.max(declared.opensAt, ...(await endsOfArrivals(tx, move)));
  await saveDeadSource(tx, { ...declared, opensAt });
  const left = await leftOf(tx, move);
  const early = event === 'early-release';
  const most = early ? mostAtOnce(declared) : left;
  const units = Math.min(left, most, mostByOneGrant(move.line));
  const row = { ...move, ...splitGrant({ units, opensAtMs: opensAt, nowMs, early }) };
  const granted = await advanceMove(context, tx, {
    ...{ move: row, nowMs },
    event: units === 0 ? 'nothing-left' : event,
  });
  if (!granted.ok) return granted;
  const risk = riskOf({
    ...{ units: units + stake, nowMs, early },
    ...{ opensAtMs: opensAt, sunsetMs: declared.sunset },
  });
  await saveDeadSource(tx, {
    ...(await declarationOf(tx, move)),
    ...{ riskUnits: risk.units, riskFrom: risk.fromMs, riskUntil: risk.untilMs },
    ...{ units, grantedAt: nowMs },
  });
  await enterRisk(context, tx, { ...declared, risk, nowMs });
  await noteRisksTo(context, tx, { target: move.source, nowMs });
  const codes = await settleMovesFrom(context, tx, { ...move, nowMs });
  await declareRest(context, tx, { granted: granted.value.move, units: left - units, nowMs });
  return ok({ ...granted.value, codes: [...granted.value.codes, ...codes] });
}

/**
 * A move to a dead source that is committed and not released: the server before it still renews the holders of
 * these units, so that no day is known on which they are open to others.
 */
export async function unreleasedTo(
  tx: ReadTx,
  of: Line & { readonly nowMs: number },
): Promise<MoveRow | undefined> {
  for (const move of await committedTo(tx, of)) {
    // One that is declared dead itself is not waited for beyond its horizon: each could wait for the other.
    const declared = await declarationsOf(tx, move.source);
    if (!declared.some(({ horizon }) => horizon < of.nowMs)) return move;
  }
  return undefined;
}

async function committedTo(tx: ReadTx, of: Line): Promise<readonly MoveRow[]> {
  const moves = await openMovesTo(tx, of.source);
  return moves.filter(
    ({ state, agreement, line }) => state === 'committed' && agreement === of.agreement && line === of.line,
  );
}

/**
 * Of what came to a dead source by a move the holders may have licenses of where it came from, beyond the end of its
 * own: when the last of those must have ended.
 */
async function endsOfArrivals(tx: ReadTx, of: Line): Promise<readonly number[]> {
  const ends = [(await lastArrival(tx, { ...of, target: of.source })) + longestLeaseMs];
  for (const { source } of await committedTo(tx, of)) {
    ends.push(...(await declarationsOf(tx, source)).map(({ opensAt }) => opensAt));
  }
  return ends;
}

/** All that a dead source has of the line: what waits, and what became its own since it was declared dead. */
async function leftOf(tx: ReadTx, move: MoveRow): Promise<number> {
  const { units, agreement, line } = await declarationOf(tx, move);
  const account = clearinghouseAccount(agreement, line);
  return units + (await tx.balance(account.committed(move.source, await generationOf(tx, move))));
}

/** The generation in which a dead source has its units: it may have been activated again since a move of it began. */
async function generationOf(tx: ReadTx, move: MoveRow): Promise<number> {
  return (await findGrantedAuthority(tx, move.source, move.agreement))?.generation ?? move.sourceGeneration;
}

/**
 * A source that was declared dead has given everything up by its deactivation: what is left, and no code will
 * bring to it any more, is the target's at once. It has no holders of its own; but those of a move to it may have their
 * licenses where that came from, and what a key pack that was never typed would have brought is theirs until those have
 * ended. It is fenced off all the same, and never activated again: a code that was read to it and never typed would else
 * bring these units a second time. Where its target can be granted nothing, the declaration is over: its units stay its own
 * as those of any server that is deactivated.
 */
export async function releaseDead(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly move: MoveRow; readonly nowMs: number },
): Promise<Result<MoveOutcome, Refusal>> {
  const { move, nowMs } = of;
  const before = await declarationOf(tx, move);
  if (before.units === 0) return advanceMove(context, tx, { move, event: 'dead-abort', nowMs });
  const endsMs = Math.max(...(await endsOfArrivals(tx, move)));
  const units = Math.min(before.units, mostByOneGrant(move.line));
  const row = { ...move, ...splitGrant({ units, opensAtMs: endsMs, nowMs, early: false }) };
  if (!(await isGrantable(tx, row))) return advanceMove(context, tx, { move, event: 'dead-abort', nowMs });
  const opensAt = row.held === 0 ? before.opensAt : Math.max(endsMs, nowMs + longestLeaseMs);
  const declared = { ...before, opensAt };
  await saveDeadSource(tx, declared);
  const released = await advanceMove(context, tx, { move: row, event: 'horizon-passed', nowMs });
  if (!released.ok) return released;
  await saveDeadSource(tx, { ...declared, units, grantedAt: nowMs });
  await settleMovesTo(context, tx, { target: move.source, nowMs });
  await declareRest(context, tx, { granted: released.value.move, units: declared.units - units, nowMs });
  return released;
}

/**
 * A source that was declared dead has released, and its freeze was not taken in: where what it gives up cannot be granted, or
 * is not all in the books yet, the declaration is over, and the release is that of an undone move.
 */
export async function endUngrantable(
  context: ClearinghouseContext,
  tx: WriteTx,
  { move, nowMs }: { readonly move: MoveRow; readonly nowMs: number },
): Promise<Result<MoveRow, Refusal>> {
  const covered = move.unissued + move.held <= (await leftOf(tx, move));
  if (covered && (await isGrantable(tx, move))) return ok(move);
  const ended = await advanceMove(context, tx, { move, event: 'dead-abort', nowMs });
  return ended.ok ? ok(ended.value.move) : ended;
}

/** Whether the target of a declaration can be granted the amounts of the move now. */
async function isGrantable(tx: ReadTx, move: MoveRow): Promise<boolean> {
  return (await findRoom(tx, { move, event: 'horizon-passed', kinds: ['free', 'held'] })).ok;
}

/** Grants every move whose source's horizon has passed; and what follows a move that was released early. */
export async function grantPassed(context: ClearinghouseContext): Promise<void> {
  const nowMs = context.clock.nowMs();
  const due = await context.store.read((tx) => dueDeclarations(tx, nowMs));
  for (const declared of due) {
    const { move: id } = declared;
    const event = isReleasedEarly(declared) ? 'early-release' : 'horizon-passed';
    // Refused, it goes on waiting: what it waits for is shown, and it is tried again.
    await context.store.write(async (tx) => {
      const move = await findMove(tx, id);
      if (move?.state !== 'dead-wait') return ok(null);
      // How far its horizon was moved on may be forgotten, and what of it has gone elsewhere.
      const recovered = await checkRecovered(tx, move.agreement, nowMs);
      if (!recovered.ok) return recovered;
      return grantDead(context, tx, { move, event, nowMs });
    });
  }
  if (due.length > 0) context.mailbox.wake();
}
