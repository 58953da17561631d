/** Units that came here for holders who are not named: they wait for them until the last lease has ended. */
import { longestLeaseMs } from '../../core/cal.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ReserveRow } from '../../store/reserve-rows.ts';
import { insertReserve } from '../../store/reserve-rows.ts';
import { addReserveSources } from '../../store/reserve-source-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { savePeer } from '../../store/server-rows.ts';

/**
 * The anonymous reserve of a telephone move. Holders who came over early stay on the units of our own that they were given:
 * whether one of those that came is still theirs nobody here can tell. Given back at the source, it was given to
 * somebody else there, whom the reserve is for.
 */
export async function openReserveFor(
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
}

/** A held key pack that the one of a reserve has overtaken: that reserve serves the holders of its sources as well. */
export async function serveOvertaken(
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly reserve: ReserveRow;
    readonly sources: readonly string[];
    readonly nowMs: number;
  },
): Promise<void> {
  await addReserveSources(tx, of.reserve.id, of.sources);
  for (const each of of.sources) await savePeer(tx, { licenseServerId: each, name: null, url: null });
}
