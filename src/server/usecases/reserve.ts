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

/** Whether those who came here early may be counted against what came: see `countEarly`. */
interface Early {
  /** Nobody has returned a license to the source that still runs. */
  readonly countsEarly: boolean;
}

/** The anonymous reserve of a telephone move, for the holders of its source and of `alsoFrom`. */
export async function openReserveFor(
  context: ServerContext,
  tx: WriteTx,
  of: Early & {
    readonly line: LineRow;
    readonly source: string;
    readonly alsoFrom: readonly string[];
    readonly reserve: string;
    readonly added: number;
    readonly nowMs: number;
  },
): Promise<void> {
  const { line, source, alsoFrom, countsEarly, reserve, added, nowMs } = of;
  // No token of its source can end later, so afterwards what nobody came for is free.
  const opensAt = nowMs + longestLeaseMs;
  await insertReserve(tx, { id: reserve, lineId: line.id, source, amount: added, opensAt });
  await savePeer(tx, { licenseServerId: source, name: null, url: null });
  await addReserveSources(tx, reserve, alsoFrom);
  await countEarly(context, tx, { line, source, countsEarly, reserve, opensAt, most: added, nowMs });
}

/** A held key pack that the one of a reserve has overtaken: that reserve serves the holders of its sources as well. */
export async function serveOvertaken(
  context: ServerContext,
  tx: WriteTx,
  of: Early & {
    readonly line: LineRow;
    readonly reserve: Pick<ReserveRow, 'id' | 'opensAt' | 'amount'>;
    /** The one that the key pack comes from, and others behind it. */
    readonly sources: readonly [string, ...(readonly string[])];
    readonly nowMs: number;
  },
): Promise<void> {
  const { line, sources, countsEarly, nowMs } = of;
  const { id: reserve, opensAt, amount: most } = of.reserve;
  await addReserveSources(tx, reserve, sources);
  for (const each of sources) await savePeer(tx, { licenseServerId: each, name: null, url: null });
  await countEarly(context, tx, { line, source: sources[0], countsEarly, reserve, opensAt, most, nowMs });
}

/**
 * Holders who came over early, on units of our own, and whose token of the source still runs are counted against what
 * came from there, and the units that they had used up are free again: nobody spends two. But whoever has returned its
 * license to the source since has no part in what came: somebody else was given that CAL there. Who that is a code does not
 * say, only whether there is somebody; then nobody is counted, and what came for those who had come early is for others
 * when the reserve opens. Nor are those of servers behind the source, of which it does not know.
 */
async function countEarly(
  context: ServerContext,
  tx: WriteTx,
  of: Early & {
    readonly line: LineRow;
    readonly source: string;
    readonly reserve: string;
    readonly opensAt: number;
    readonly most: number;
    readonly nowMs: number;
  },
): Promise<void> {
  const { line, source, countsEarly, reserve, opensAt, most, nowMs } = of;
  if (!countsEarly) return;
  const early = (await takenOverEarly(tx, line.id, source))
    .filter((license) => countsAgainstReserve(license, nowMs))
    .slice(0, most);
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
