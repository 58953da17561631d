/** CALs of a server before that came without waiting for its horizon: plain SQL, no rules. */
import type { ReadTx, WriteTx } from './port.ts';

export interface AtOnceRow {
  readonly move: string;
  readonly lineId: number;
  readonly source: string;
  /** How many came for nobody by name. */
  readonly units: number;
  readonly cameAt: number;
  /** The horizon of the server before; null: nobody has told it. */
  readonly riskUntil: number | null;
  /** When no lease of that one can run any more. */
  readonly opensAt: number;
}

export async function insertAtOnce(tx: WriteTx, row: AtOnceRow): Promise<void> {
  await tx.run(
    `insert into recovered_at_once (move, line_id, source, units, came_at, risk_until, opens_at)
     values (?, ?, ?, ?, ?, ?, ?) on conflict (move) do nothing`,
    ...[row.move, row.lineId, row.source, row.units, row.cameAt, row.riskUntil, row.opensAt],
  );
}

/** By agreement: until when units are at risk, and since when. */
export async function risksByAgreement(
  tx: ReadTx,
): Promise<ReadonlyMap<string, { readonly untilMs: number; readonly sinceMs: number }>> {
  const rows = await tx.all<{ agreement: string; untilMs: number; sinceMs: number }>(
    `select l.agreement, max(r.risk_until) as "untilMs", max(r.came_at) as "sinceMs"
     from recovered_at_once r join lines l on l.id = r.line_id
     where r.risk_until is not null group by l.agreement`,
  );
  return new Map(rows.map(({ agreement, untilMs, sinceMs }) => [agreement, { untilMs, sinceMs }]));
}
