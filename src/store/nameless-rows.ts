/** Leases of a line of which a telephone move took a part, whose holders nobody knows by name: plain SQL, no rules. */
import type { WriteTx } from './port.ts';
import { isSettled } from './reserve-rows.ts';

/**
 * Nothing that is given to somebody on a line, or waits there for somebody, is anybody else's before `untilMs`, nor do
 * its reserves open earlier. What could be somebody else's at `nowMs` already is left out: no token of it is alive,
 * so it is nobody's way to the CALs that went. Should its holder come again before somebody else does, its new lease
 * is kept as long.
 */
export async function keepLeases(
  tx: WriteTx,
  of: { readonly lineId: number; readonly untilMs: number; readonly nowMs: number },
): Promise<void> {
  const { lineId, untilMs, nowMs } = of;
  await tx.run(
    'update lines set nameless_until = max(coalesce(nameless_until, 0), ?) where id = ?',
    untilMs,
    lineId,
  );
  await tx.run(
    `update licenses set lease_end = ? where line_id = ? and state = 'issued' and lease_end < ?
       and (lease_end >= ? or inherited_from is not null)`,
    untilMs,
    lineId,
    untilMs,
    nowMs,
  );
  await tx.run(
    `update reservations as r set lease_end = ? where r.line_id = ? and r.state = 'reserved' and r.lease_end < ?
       and (r.lease_end >= ? or not exists (select 1 from moves m where m.id = r.move and ${isSettled}))`,
    untilMs,
    lineId,
    untilMs,
    nowMs,
  );
}
