/** Reading the tables behind the door, on whichever connection; plain SQL, no rules. */
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { AccountId, Pending, PendingState } from '../core/ledger.ts';
import type { Frontier } from '../core/merkle.ts';
import { decodeFrontier, emptyFrontier } from '../core/merkle.ts';
import type { JournalRow, OutboxRow, StoredAnswer } from './port.ts';
import { StoreFailure } from './port.ts';
import type { Statements } from './sqlite-statements.ts';

/** Rows come as arrays in the order of the columns named; the types are what the schema promises. */
function first<Row extends readonly unknown[]>(row: unknown): Row | undefined {
  return row as Row | undefined;
}

function every<Row extends readonly unknown[]>(rows: unknown): readonly Row[] {
  return rows as readonly Row[];
}

/** Undefined for an account that nothing was ever posted to. */
export function readBalance(statements: Statements, account: AccountId): number | undefined {
  const row = first<[number]>(statements.own('select balance from accounts where id = ?').get(account));
  return row?.[0];
}

/** Above every character that a name can hold, so that it ends the range of a prefix. */
const afterAll = '\u{10ffff}';

export function readBalances(statements: Statements, prefix: string): Map<AccountId, number> {
  const rows = every<[AccountId, number]>(
    statements
      .own('select id, balance from accounts where id >= ? and id < ? order by id')
      .all(prefix, prefix + afterAll),
  );
  return new Map(rows);
}

export function readPending(statements: Statements, id: string): Pending | undefined {
  const row = first<[string, string, string, number, PendingState]>(
    statements.own('select debit, hold, credit, amount, state from pendings where id = ?').get(id),
  );
  if (row === undefined) return undefined;
  const [debit, hold, credit, amount, state] = row;
  return { id, debit, hold, credit, amount, state };
}

export function readAnswer(statements: Statements, id: string): StoredAnswer | undefined {
  const row = first<[string, string]>(
    statements.own('select request_digest, body from answers where id = ?').get(id),
  );
  return row === undefined ? undefined : { requestDigest: row[0], body: JSON.parse(row[1]) as JsonValue };
}

/** The right edge of a journal as the connection sees it; empty for one that has no entry. */
export function readFrontier(statements: Statements, log: string): Frontier {
  const row = first<[Uint8Array]>(statements.own('select frontier from logs where log = ?').get(log));
  if (row === undefined) return emptyFrontier;
  const frontier = decodeFrontier(row[0]);
  if (frontier === undefined)
    throw new StoreFailure('damaged', `the stored head of journal ${log} is unreadable`);
  return frontier;
}

export interface JournalRange {
  readonly log: string;
  readonly position: number;
  readonly limit: number;
}

export function readJournal(statements: Statements, range: JournalRange): readonly JournalRow[] {
  const rows = every<[number, string, string, number, string]>(
    statements
      .own(
        `select position, kind, id, at, text from journal
         where log = ? and position >= ? order by position limit ?`,
      )
      .all(range.log, range.position, range.limit),
  );
  return rows.map(([position, kind, id, at, text]) => ({ log: range.log, position, kind, id, at, text }));
}

export function readOutbox(statements: Statements, recipient: string, limit: number): readonly OutboxRow[] {
  const rows = every<[number, string, string, string, number]>(
    statements
      .own(
        `select position, id, type, body, at from outbox
         where recipient = ? and acknowledged = 0 order by position limit ?`,
      )
      .all(recipient, limit),
  );
  return rows.map(([position, id, type, body, at]) => ({
    position,
    id,
    recipient,
    type,
    body: JSON.parse(body) as JsonObject,
    at,
  }));
}
