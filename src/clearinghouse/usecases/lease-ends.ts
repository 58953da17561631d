/** When the licenses of a move's holders have ended, where their source has not told it. */
import { longestLeaseMs } from '../../core/cal.ts';
import { isoTime } from '../../core/time.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { readHolders } from '../../store/clearinghouse-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import type { Lease } from './advance-move.ts';

/** None of them runs beyond `untilMs`. */
export async function leasesUntil(tx: ReadTx, move: MoveRow, untilMs: number): Promise<readonly Lease[]> {
  const holders = JSON.parse(await readHolders(tx, move.id)) as readonly { readonly sub: string }[];
  return holders.map(({ sub }) => ({ sub, leaseEnd: isoTime(untilMs) }));
}

/** A code names no holders: their leases may have been renewed until a moment ago, and run as long as any. */
export function leasesOfCode(tx: ReadTx, move: MoveRow, nowMs: number): Promise<readonly Lease[]> {
  return leasesUntil(tx, move, nowMs + longestLeaseMs);
}
