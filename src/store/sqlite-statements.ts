/**
 * Prepared statements of one SQLite connection, each judged once: which verb it has, whether it
 * writes, and whether it names the tables that only `WriteTx.post` may change.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { SqlValue } from './port.ts';

export interface SqlShape {
  readonly writes: boolean;
  /** Names a table behind the door (port.ts, rule 4). */
  readonly namesBooks: boolean;
}

const stringLiteral = /'(?:[^']|'')*'/g;
const books =
  /\b(?:accounts|pendings|journal|logs|answers|outbox|schema_migrations|sqlite_schema|sqlite_master)\b/i;
const changes = /\b(?:insert|update|delete|replace)\b/i;
const verbs: ReadonlySet<string> = new Set(['select', 'with', 'insert', 'update', 'delete']);

/**
 * Judges a statement by its text, without its string literals. Refuses (throws Error) several
 * statements in one, comments, and every verb but select, with, insert, update and delete. The
 * judgment errs on the strict side: a column called `journal` counts as the table.
 */
export function shapeOf(sql: string): SqlShape {
  const text = sql.replaceAll(stringLiteral, "''");
  const verb = /^\s*([a-z]+)/i.exec(text)?.[1]?.toLowerCase() ?? '';
  if (!verbs.has(verb)) throw new Error(`the store does not run ${verb === '' ? 'this' : verb}: ${sql}`);
  if (/;|--|\/\*/.test(text)) throw new Error(`one statement without comments is expected: ${sql}`);
  const writes = verb === 'with' ? changes.test(text) : verb !== 'select';
  return { writes, namesBooks: books.test(text) };
}

/** A statement that answers rows as plain objects (node:sqlite alone makes objects without prototype). */
export interface Query {
  readonly shape: SqlShape;
  readonly get: (params: readonly SqlValue[]) => object | undefined;
  readonly all: (params: readonly SqlValue[]) => readonly object[];
  readonly run: (params: readonly SqlValue[]) => number;
}

/** Texts are constants of the program; this bound only stops a caller that builds them from data. */
const mostKept = 1000;

export class Statements {
  readonly db: DatabaseSync;
  readonly #own = new Map<string, StatementSync>();
  readonly #queries = new Map<string, Query>();

  constructor(db: DatabaseSync) {
    this.db = db;
  }

  /** A statement of the store itself, not judged; rows come as arrays. */
  own(sql: string): StatementSync {
    let statement = this.#own.get(sql);
    if (statement === undefined) {
      statement = this.db.prepare(sql);
      statement.setReturnArrays(true);
      this.#own.set(sql, statement);
    }
    return statement;
  }

  /** A caller's statement; throws what `shapeOf` refuses. */
  query(sql: string): Query {
    let query = this.#queries.get(sql);
    if (query === undefined) {
      if (this.#queries.size >= mostKept) this.#queries.clear();
      query = queryOf(this.db, sql);
      this.#queries.set(sql, query);
    }
    return query;
  }
}

function queryOf(db: DatabaseSync, sql: string): Query {
  const shape = shapeOf(sql);
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  const names = statement.columns().map((column) => column.name);
  const rowOf = (values: readonly unknown[]): object => {
    const row: Record<string, unknown> = {};
    for (let at = 0; at < names.length; at += 1) row[names[at] ?? ''] = values[at];
    return row;
  };
  return {
    shape,
    get: (params) => {
      const values = statement.get(...params) as readonly unknown[] | undefined;
      return values === undefined ? undefined : rowOf(values);
    },
    all: (params) => (statement.all(...params) as unknown as readonly (readonly unknown[])[]).map(rowOf),
    run: (params) => Number(statement.run(...params).changes),
  };
}
