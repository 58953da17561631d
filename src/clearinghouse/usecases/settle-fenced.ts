/**
 * Moves at one end of which is a license server that was declared to function no longer and is fenced off
 * (protocol §2.5): nothing is heard of it any more, so what it was to say is taken for said, and no move waits
 * for the dead for ever. What that is, `core/fenced-end.ts` says.
 */
import { riskOf } from '../../core/dead-source.ts';
import { saidForFenced, unitsAtStake } from '../../core/fenced-end.ts';
import { isInTransit, isOver } from '../../core/move.ts';
import { ok } from '../../core/result.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findMove, openMovesFrom, openMovesTo } from '../../store/clearinghouse-rows.ts';
import type { DeadSourceRow } from '../../store/dead-source-rows.ts';
import {
  declarationsOf,
  fencedWithMoves,
  insertFencedRisk,
  waitingForTheDead,
} from '../../store/dead-source-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { advanceMove } from './advance-move.ts';
import type { CodeView } from './desk-answer.ts';
import { enterRisk } from './enter-risk.ts';
import { leasesUntil } from './lease-ends.ts';

type Place = Pick<MoveRow, 'source' | 'agreement' | 'line'>;

const isOn =
  ({ agreement, line }: Omit<Place, 'source'>) =>
  (row: Omit<Place, 'source'>): boolean =>
    row.agreement === agreement && row.line === line;

/** Moves of a line that cannot end if nothing is heard of the server any more. */
export async function unfinishedMoves(tx: ReadTx, place: Place): Promise<readonly MoveRow[]> {
  const here = isOn(place);
  const from = (await openMovesFrom(tx, place.source)).filter(
    ({ state }) => saidForFenced({ state, end: 'source', sameLine: true, horizonPassed: true }) !== null,
  );
  const to = (await openMovesTo(tx, place.source)).filter(({ state }) => isInTransit(state));
  return [...from, ...to].filter(here);
}

/** Units of such moves that may have a second holder, should the server live. */
export async function stakeOf(tx: ReadTx, place: Place): Promise<number> {
  return (await unfinishedMoves(tx, place)).reduce(
    (sum, move) => sum + unitsAtStake({ ...move, end: move.source === place.source ? 'source' : 'target' }),
    0,
  );
}

/** The declarations of a server that have fenced it off. */
async function fencesOf(tx: ReadTx, licenseServerId: string): Promise<readonly DeadSourceRow[]> {
  return (await declarationsOf(tx, licenseServerId)).filter((row) => row.grantedAt !== null);
}

/** Ends, or begins to undo, every move to a server that is fenced off, or is about to be in this transaction. */
export async function settleMovesTo(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly target: string; readonly nowMs: number },
): Promise<void> {
  for (const move of await openMovesTo(tx, of.target)) {
    const { state } = move;
    const event = saidForFenced({ state, end: 'target', sameLine: false, horizonPassed: false });
    if (event === null) continue;
    const settled = await advanceMove(context, tx, { move, event, nowMs: of.nowMs });
    if (!settled.ok) throw new Error(`Move ${move.id} cannot do without its target: ${settled.error.code}`);
  }
}

/**
 * What a server that has just been fenced off was granted of other lines, and has not given back: its source has that again
 * when the last license of it must have ended, and should it live, it renews past that day.
 */
export async function noteRisksTo(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly target: string; readonly nowMs: number },
): Promise<void> {
  const fences = await fencesOf(tx, of.target);
  const opensAtMs = Math.min(...fences.map(({ opensAt }) => opensAt));
  for (const move of await openMovesTo(tx, of.target)) {
    if (fences.some(isOn(move))) continue;
    await noteRisk(context, tx, { move, end: 'target', fences, opensAtMs, nowMs: of.nowMs });
  }
}

/**
 * Ends the moves that a fenced source was to release: it never will, and all leases that it gave end by the day
 * on which its reserve opens. Answers the codes that are to be read to one target.
 */
export async function settleMovesFrom(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly source: string; readonly target: string | null; readonly nowMs: number },
): Promise<readonly CodeView[]> {
  const { source, target, nowMs } = of;
  const fences = await fencesOf(tx, source);
  const codes: CodeView[] = [];
  for (const move of await openMovesFrom(tx, source)) {
    const sameLine = fences.some(isOn(move));
    const event = saidForFenced({
      ...{ state: move.state, end: 'source', sameLine },
      horizonPassed: fences.some(({ horizon }) => horizon < nowMs),
    });
    if (event === null) continue;
    const opensAtMs = Math.max(...fences.map(({ opensAt }) => opensAt));
    const leases = await leasesUntil(tx, move, opensAtMs);
    // One that cannot be settled is no reason not to grant the others: it is tried again (`settleFenced`).
    const done = await advanceMove(context, tx, { move, event, nowMs, leases });
    if (!done.ok) continue;
    if (move.target === target) codes.push(...done.value.codes);
    // Those of its own line are counted with its declaration.
    if (!sameLine) await noteRisk(context, tx, { move, end: 'source', fences, opensAtMs, nowMs });
  }
  return codes;
}

/** Should it live, a fenced server renews the holders of what a move has taken from it past the day on which that is others'. */
async function noteRisk(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: {
    readonly move: MoveRow;
    /** Which end of it is fenced off. */
    readonly end: 'source' | 'target';
    readonly fences: readonly DeadSourceRow[];
    readonly opensAtMs: number;
    readonly nowMs: number;
  },
): Promise<void> {
  const { move, end, fences, opensAtMs, nowMs } = of;
  const { id, agreement, line } = move;
  const source = move[end];
  const units = unitsAtStake({ ...move, end });
  const sunsetMs = Math.max(...fences.map(({ sunset }) => sunset));
  const risk = riskOf({ units, opensAtMs, sunsetMs, nowMs, early: false });
  if (risk.units === 0) return;
  const isNew = await insertFencedRisk(tx, { move: id, agreement, line, source, ...risk });
  if (isNew) await enterRisk(context, tx, { move: id, agreement, line, source, risk, nowMs });
}

/** When the last license of a server that is fenced off must have ended; undefined for one that is not. */
export async function fencedUntil(tx: ReadTx, licenseServerId: string): Promise<number | undefined> {
  const fences = await fencesOf(tx, licenseServerId);
  return fences.length === 0 ? undefined : Math.min(...fences.map((row) => row.opensAt));
}

/**
 * What time brings to the moves of fenced servers: what waited for the horizon of a source that was released
 * early for another line; and what was in transit to a target whose last license must have ended, or which a
 * second person did not wait for, is taken for given back.
 */
export async function settleFenced(context: ClearinghouseContext): Promise<void> {
  const nowMs = context.clock.nowMs();
  const { sources, waiting } = await context.store.read(async (tx) => ({
    sources: await fencedWithMoves(tx, nowMs),
    waiting: await waitingForTheDead(tx, nowMs),
  }));
  for (const source of sources) {
    await context.store.write(async (tx) => {
      await settleMovesFrom(context, tx, { source, target: null, nowMs });
      return ok(null);
    });
  }
  for (const id of waiting) {
    await context.store.write(async (tx) => {
      const move = await findMove(tx, id);
      // Another look at the clock may have ended it in between.
      if (move === undefined || isOver(move.state)) return ok(null);
      return advanceMove(context, tx, { move, event: 'target-lapsed', nowMs });
    });
  }
  if (sources.length + waiting.length > 0) context.mailbox.wake();
}
