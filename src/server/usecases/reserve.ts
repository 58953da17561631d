/** Units that came here for holders who are not named: they wait for them until the last lease has ended. */
import { longestLeaseMs } from '../../core/cal.ts';
import { extendLease } from '../../store/held-rows.ts';
import { countsAgainstReserve, markInherited, takenOverEarly } from '../../store/license-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ReserveRow } from '../../store/reserve-rows.ts';
import { drawReserve, insertReserve } from '../../store/reserve-rows.ts';
import { addReserveSources } from '../../store/reserve-source-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { savePeer } from '../../store/server-rows.ts';
import { freePool, shiftUnits } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import { accountsOf, serverLog } from './license-token.ts';
import { newId } from './new-id.ts';

/**
 * The anonymous reserve of a telephone move. Holders who came over early, on units of our own, and whose
 * token of the source still runs are counted against it now, and the units they had used up are free again: nobody spends two.
 */
export async function openReserveFor(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly source: string;
    /** Further servers whose holders it serves: those that the administrator named with the code. */
    readonly alsoFrom: readonly string[];
    readonly reserve: string;
    readonly added: number;
    readonly nowMs: number;
  },
): Promise<void> {
  const { line, source, alsoFrom, reserve, added, nowMs } = of;
  const opensAt = nowMs + longestLeaseMs;
  await insertReserve(tx, { id: reserve, lineId: line.id, source, amount: added, opensAt });
  await savePeer(tx, { licenseServerId: source, name: null, url: null });
  await addReserveSources(tx, reserve, alsoFrom);
  const sources = [source, ...alsoFrom];
  await countEarly(context, tx, { line, source, sources, reserve, opensAt, most: added, nowMs });
}

/** A held key pack that the one of a reserve has overtaken: that reserve serves the holders of its sources as well. */
export async function serveOvertaken(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly reserve: ReserveRow;
    readonly sources: readonly string[];
    readonly nowMs: number;
  },
): Promise<void> {
  const { line, sources, nowMs } = of;
  const { id: reserve, source, opensAt, amount: most } = of.reserve;
  await addReserveSources(tx, reserve, sources);
  for (const each of sources) await savePeer(tx, { licenseServerId: each, name: null, url: null });
  await countEarly(context, tx, { line, source, sources, reserve, opensAt, most, nowMs });
}

async function countEarly(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly source: string;
    readonly sources: readonly string[];
    readonly reserve: string;
    readonly opensAt: number;
    readonly most: number;
    readonly nowMs: number;
  },
): Promise<void> {
  const { line, source, reserve, opensAt, nowMs } = of;
  const came = await Promise.all(of.sources.map((each) => takenOverEarly(tx, line.id, each)));
  const early = came
    .flat()
    .filter((license) => countsAgainstReserve(license, nowMs))
    .slice(0, of.most);
  if (early.length === 0) return;
  await drawReserve(tx, reserve, early.length);
  for (const license of early) {
    await markInherited(tx, license.id, null);
    // The source may have renewed it after the token that was shown, until it released.
    await extendLease(tx, license.id, Math.max(license.leaseEnd, opensAt));
  }
  await shiftUnits(tx, { lineId: line.id, from: reserve, to: freePool, amount: early.length });
  const accounts = accountsOf(line);
  await tx.post({
    log: serverLog,
    kind: 'reserve-settled',
    id: newId(context),
    at: nowMs,
    body: { agreement: line.agreement, line: line.line, source, units: early.map((license) => license.unit) },
    postings: [
      { kind: 'transfer', debit: accounts.reserved, credit: accounts.unissued, amount: early.length },
    ],
  });
}
