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
  /** When they were set aside, as it was heard of again; and when that was taken back. */
  readonly suspendedAt: number | null;
  readonly liftedAt: number | null;
}

const columns = `move, line_id as "lineId", source, units, came_at as "cameAt", risk_until as "riskUntil",
  opens_at as "opensAt", suspended_at as "suspendedAt", lifted_at as "liftedAt"`;

/** All that came so, oldest first. */
export async function listAtOnce(tx: ReadTx): Promise<readonly AtOnceRow[]> {
  return tx.all<AtOnceRow>(`select ${columns} from recovered_at_once order by came_at, move`);
}

export async function saveSuspension(
  tx: WriteTx,
  { move, suspendedAt, liftedAt }: Pick<AtOnceRow, 'move' | 'suspendedAt' | 'liftedAt'>,
): Promise<void> {
  await tx.run(
    'update recovered_at_once set suspended_at = ?, lifted_at = ? where move = ?',
    ...[suspendedAt, liftedAt, move],
  );
}

export async function insertAtOnce(
  tx: WriteTx,
  row: Omit<AtOnceRow, 'suspendedAt' | 'liftedAt'>,
): Promise<void> {
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
