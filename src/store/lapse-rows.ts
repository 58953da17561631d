/** Units that came back while licenses on them could still run, at the clearinghouse: plain SQL, no rules. */
import type { ReadTx, WriteTx } from './port.ts';

export interface LapseRow {
  readonly move: string;
  readonly agreement: string;
  readonly line: number;
  readonly units: number;
  /** When the last license on them must have ended. */
  readonly endsAt: number;
  /** When they were put in hand; null while they wait. */
  readonly endedAt: number | null;
}

const columns = 'move, agreement, line, units, ends_at as "endsAt", ended_at as "endedAt"';

/** Units that wait from now on, with those of the move that wait already. */
export async function addLapse(tx: WriteTx, row: Omit<LapseRow, 'endedAt'>): Promise<void> {
  await tx.run(
    `insert into lapses (move, agreement, line, units, ends_at) values (?, ?, ?, ?, ?)
     on conflict (move) do update set units = excluded.units + case when ended_at is null then units else 0 end,
       ends_at = max(ends_at, excluded.ends_at), ended_at = null`,
    ...[row.move, row.agreement, row.line, row.units, row.endsAt],
  );
}

export async function findLapse(tx: ReadTx, move: string): Promise<LapseRow | undefined> {
  return tx.get<LapseRow>(`select ${columns} from lapses where move = ?`, move);
}

/** Those that are over and still wait to be put in hand. */
export async function passedLapses(tx: ReadTx, nowMs: number): Promise<readonly LapseRow[]> {
  return tx.all<LapseRow>(
    `select ${columns} from lapses where ended_at is null and ends_at < ? order by ends_at, move`,
    nowMs,
  );
}

export async function markLapseEnded(tx: WriteTx, move: string, endedAt: number): Promise<void> {
  await tx.run('update lapses set ended_at = ? where move = ? and ended_at is null', endedAt, move);
}
