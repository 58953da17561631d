/** Units with licenses on them that were given up before they were in the giver's account: plain SQL, no rules. */
import type { ReadTx, WriteTx } from './port.ts';

export interface UncoveredRow {
  /** The move whose release gave them up. */
  readonly move: string;
  readonly agreement: string;
  readonly line: number;
  readonly server: string;
  /** How many have still to come. */
  readonly units: number;
  /** When the last license on them must have ended. */
  readonly endsAt: number;
}

const columns = 'move, agreement, line, server, units, ends_at as "endsAt"';

/** Keeps how many have still to come; of none the row goes. */
export async function saveUncovered(tx: WriteTx, row: UncoveredRow): Promise<void> {
  const { move, agreement, line, server, units, endsAt } = row;
  await tx.run('delete from uncovered_releases where move = ?', move);
  if (units === 0) return;
  await tx.run(
    'insert into uncovered_releases (move, agreement, line, server, units, ends_at) values (?, ?, ?, ?, ?, ?)',
    ...[move, agreement, line, server, units, endsAt],
  );
}

export async function findUncovered(tx: ReadTx, move: string): Promise<UncoveredRow | undefined> {
  return tx.get<UncoveredRow>(`select ${columns} from uncovered_releases where move = ?`, move);
}

/** Those of one line of a server on which licenses may still run. */
export async function uncoveredOf(
  tx: ReadTx,
  of: Pick<UncoveredRow, 'server' | 'agreement' | 'line'> & { readonly nowMs: number },
): Promise<readonly UncoveredRow[]> {
  return tx.all<UncoveredRow>(
    `select ${columns} from uncovered_releases
     where server = ? and agreement = ? and line = ? and ends_at >= ? order by ends_at, move`,
    ...[of.server, of.agreement, of.line, of.nowMs],
  );
}
