/** What each side of a move has stated: plain SQL, no rules. */
import type { Side } from '../core/conservation.ts';
import type { ReadTx, WriteTx } from './port.ts';

export interface StatementRow {
  readonly move: string;
  readonly side: Side;
  readonly token: string;
  /** At the clearinghouse: what its books said of that server when it took its statement in (JSON). */
  readonly heard: string | null;
  /** At the clearinghouse: 1 until it has stated what it says to this one. */
  readonly due: 0 | 1;
}

export async function statementsOf(tx: ReadTx, move: string): Promise<readonly StatementRow[]> {
  return tx.all<StatementRow>(
    'select move, side, token, heard, due from statements where move = ? order by side',
    move,
  );
}

export async function statementOf(tx: ReadTx, move: string, side: Side): Promise<StatementRow | undefined> {
  return (await statementsOf(tx, move)).find((row) => row.side === side);
}

/** Keeps a statement; a newer one of the same side takes its place. */
export async function saveStatement(tx: WriteTx, row: StatementRow): Promise<void> {
  await tx.run(
    `insert into statements (move, side, token, heard, due) values (?, ?, ?, ?, ?)
     on conflict (move, side) do update set token = excluded.token, heard = excluded.heard, due = excluded.due`,
    row.move,
    row.side,
    row.token,
    row.heard,
    row.due,
  );
}

/** The clearinghouse has stated what it says to those that were there. */
export async function settleStatements(tx: WriteTx, move: string): Promise<void> {
  await tx.run('update statements set due = 0 where move = ? and due = 1', move);
}

/** Moves that were stated while a server was still to state them, which never will, are stated anew. */
export async function stateWithout(tx: WriteTx, licenseServerId: string): Promise<void> {
  const silent = (side: 'source' | 'target'): string =>
    `select id from moves m where m.${side} = ? and not exists
       (select 1 from statements s where s.move = m.id and s.side = '${side}')`;
  await tx.run(
    `update statements set due = 1 where side = 'clearinghouse'
       and (move in (${silent('source')}) or move in (${silent('target')}))`,
    licenseServerId,
    licenseServerId,
  );
}

/** Moves about which the clearinghouse has not stated what it would say now. */
export async function dueStatements(tx: ReadTx): Promise<readonly string[]> {
  const rows = await tx.all<{ move: string }>('select distinct move from statements where due = 1 limit 100');
  return rows.map((row) => row.move);
}

/**
 * On a license server: moves by message that have ended here, and are not stated yet; undone ones where they
 * had taken something from here, or brought something here.
 */
export async function unstatedMoves(tx: ReadTx): Promise<readonly string[]> {
  const rows = await tx.all<{ id: string }>(
    `select id from moves where carrier = 'online' and (state = 'closed'
         or (role = 'source' and state = 'undone' and unissued + held > 0)
         or (role = 'target' and state = 'relinquished'))
       and not exists (select 1 from statements where move = moves.id and side = moves.role)
     order by updated_at, id limit 100`,
  );
  return rows.map((row) => row.id);
}
