/**
 * The transactions handed to callers: one for reading what is committed, one for a command in the
 * writer's batch. They check how they are used and delegate; neither knows of queues.
 */
import type { Digest } from '../core/digest.ts';
import type { AccountId } from '../core/ledger.ts';
import type { Frontier } from '../core/merkle.ts';
import { rootOf } from '../core/merkle.ts';
import type {
  Committed,
  Entry,
  JournalRow,
  LogHead,
  OutboxRow,
  ReadTx,
  SqlValue,
  StoredAnswer,
  WriteTx,
} from './port.ts';
import type { Batch } from './sqlite-batch.ts';
import {
  readAnswer,
  readBalance,
  readBalances,
  readFrontier,
  readJournal,
  readOutbox,
} from './sqlite-rows.ts';
import type { Query, Statements } from './sqlite-statements.ts';

/** The committed heads of journals; a root is computed when it is first asked for after a commit. */
export class Heads {
  readonly #digest: Digest;
  readonly #known = new Map<string, LogHead>();

  constructor(digest: Digest) {
    this.#digest = digest;
  }

  /** The head of `log`; `load` reads its committed frontier. */
  of(log: string, load: (log: string) => Frontier): LogHead {
    let head = this.#known.get(log);
    if (head === undefined) {
      const frontier = load(log);
      head = { size: frontier.size, root: rootOf(this.#digest, frontier) };
      this.#known.set(log, head);
    }
    return head;
  }

  /** To be told which journals a commit may have moved on. */
  forget(logs: Iterable<string>): void {
    for (const log of logs) this.#known.delete(log);
  }
}

/** What is committed, while no transaction is under way. */
export class CommittedRows implements Committed {
  readonly #statements: Statements;
  readonly #heads: Heads;

  constructor(statements: Statements, heads: Heads) {
    this.#statements = statements;
    this.#heads = heads;
  }

  all<Row>(sql: string, ...params: readonly SqlValue[]): readonly Row[] {
    return readOnly(this.#statements, sql).all(params) as readonly Row[];
  }

  balance(account: AccountId): number {
    return readBalance(this.#statements, account) ?? 0;
  }

  head(log: string): LogHead {
    return this.#heads.of(log, (name) => readFrontier(this.#statements, name));
  }
}

function readOnly(statements: Statements, sql: string): Query {
  const query = statements.query(sql);
  if (query.shape.writes) throw new Error(`a read transaction does not write: ${sql}`);
  return query;
}

export class SqliteReadTx implements ReadTx {
  readonly #statements: Statements;
  readonly #heads: Heads;
  readonly #committed: () => Promise<void> | undefined;

  /**
   * `committed` throws where the store is closed or has failed, and answers a promise where the
   * connection shows uncommitted changes just now.
   */
  constructor(statements: Statements, heads: Heads, committed: () => Promise<void> | undefined) {
    this.#statements = statements;
    this.#heads = heads;
    this.#committed = committed;
  }

  async get<Row>(sql: string, ...params: readonly SqlValue[]): Promise<Row | undefined> {
    await this.#committed();
    return this.#query(sql).get(params) as Row | undefined;
  }

  async all<Row>(sql: string, ...params: readonly SqlValue[]): Promise<readonly Row[]> {
    await this.#committed();
    return this.#query(sql).all(params) as readonly Row[];
  }

  async balance(account: AccountId): Promise<number> {
    await this.#committed();
    return readBalance(this.#statements, account) ?? 0;
  }

  async balances(prefix: string): Promise<ReadonlyMap<AccountId, number>> {
    await this.#committed();
    return readBalances(this.#statements, prefix);
  }

  async answer(id: string): Promise<StoredAnswer | undefined> {
    await this.#committed();
    return readAnswer(this.#statements, id);
  }

  async head(log: string): Promise<LogHead> {
    await this.#committed();
    return this.#heads.of(log, (name) => readFrontier(this.#statements, name));
  }

  async journal(log: string, position: number, limit: number): Promise<readonly JournalRow[]> {
    await this.#committed();
    return readJournal(this.#statements, { log, position, limit });
  }

  async outbox(recipient: string, limit: number): Promise<readonly OutboxRow[]> {
    await this.#committed();
    return readOutbox(this.#statements, recipient, limit);
  }

  #query(sql: string): Query {
    return readOnly(this.#statements, sql);
  }
}

export class SqliteWriteTx implements WriteTx {
  readonly #batch: Batch;
  readonly #heads: Heads;
  #over = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(batch: Batch, heads: Heads) {
    this.#batch = batch;
    this.#heads = heads;
  }

  /** The first error of this transaction: whatever the command answers, it is undone. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** From here on every use throws: the command has ended, its savepoint is gone. */
  end(): void {
    this.#over = true;
  }

  async get<Row>(sql: string, ...params: readonly SqlValue[]): Promise<Row | undefined> {
    return this.#use(() => this.#query(sql).get(params) as Row | undefined);
  }

  async all<Row>(sql: string, ...params: readonly SqlValue[]): Promise<readonly Row[]> {
    return this.#use(() => this.#query(sql).all(params) as readonly Row[]);
  }

  async balance(account: AccountId): Promise<number> {
    return this.#use(() => this.#batch.balance(account));
  }

  async balances(prefix: string): Promise<ReadonlyMap<AccountId, number>> {
    return this.#use(() => {
      this.#batch.saveHeld();
      return readBalances(this.#batch.statements, prefix);
    });
  }

  async answer(id: string): Promise<StoredAnswer | undefined> {
    return this.#use(() => readAnswer(this.#batch.statements, id));
  }

  async head(log: string): Promise<LogHead> {
    return this.#use(() => this.#heads.of(log, (name) => this.#batch.committed(name)));
  }

  async journal(log: string, position: number, limit: number): Promise<readonly JournalRow[]> {
    return this.#use(() => readJournal(this.#batch.statements, { log, position, limit }));
  }

  async outbox(recipient: string, limit: number): Promise<readonly OutboxRow[]> {
    return this.#use(() => readOutbox(this.#batch.statements, recipient, limit));
  }

  async run(sql: string, ...params: readonly SqlValue[]): Promise<number> {
    return this.#use(() => {
      const query = this.#query(sql);
      if (!query.shape.writes) throw new Error(`run takes insert, update and delete: ${sql}`);
      return query.run(params);
    });
  }

  async post(entry: Entry): Promise<void> {
    this.#use(() => this.#batch.post(entry));
  }

  async acknowledge(ids: readonly string[]): Promise<void> {
    this.#use(() => this.#batch.acknowledge(ids));
  }

  #use<T>(work: () => T): T {
    if (this.#over) throw new Error('a transaction was used after its command had ended');
    try {
      return work();
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    }
  }

  /** Judges and prepares a statement: the door first, then what has to be in place before it runs. */
  #query(sql: string): Query {
    const query = this.#batch.statements.query(sql);
    const { writes, namesBooks } = query.shape;
    if (writes && namesBooks) throw new Error(`only post changes the books, answers and messages: ${sql}`);
    if (writes) this.#batch.aboutToWrite();
    else if (namesBooks) this.#batch.saveHeld();
    return query;
  }
}
