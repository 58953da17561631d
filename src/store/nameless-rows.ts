/** Leases of a line of which a telephone move took a part, whose holders nobody knows by name: plain SQL, no rules. */
import type { WriteTx } from './port.ts';

/** Nothing that is given to somebody on a line, or waits there for somebody, is anybody else's before `untilMs`. */
export async function keepLeases(tx: WriteTx, lineId: number, untilMs: number): Promise<void> {
  await tx.run(
    'update lines set nameless_until = max(coalesce(nameless_until, 0), ?) where id = ?',
    untilMs,
    lineId,
  );
  await tx.run(
    `update licenses set lease_end = ? where line_id = ? and state = 'issued' and lease_end < ?`,
    untilMs,
    lineId,
    untilMs,
  );
  await tx.run(
    `update reservations set lease_end = ? where line_id = ? and state = 'reserved' and lease_end < ?`,
    untilMs,
    lineId,
    untilMs,
  );
  await tx.run(
    'update reserves set opens_at = ? where line_id = ? and amount > 0 and opens_at < ?',
    untilMs,
    lineId,
    untilMs,
  );
}
