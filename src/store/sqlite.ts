/**
 * The SQLite engine of the store (contract: port.ts): a queue of commands in front of one connection,
 * with group commit. Readers use it between two transactions, so that they see committed state only.
 */
import { setImmediate } from 'node:timers';
import type { Digest } from '../core/digest.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import type { Committed, CommitWitness, ReadTx, Store, WriteTx } from './port.ts';
import { StoreFailure } from './port.ts';
import { Batch } from './sqlite-batch.ts';
import { isBusy, isDatabaseFault } from './sqlite-errors.ts';
import type { OpenDatabase, SqliteOptions } from './sqlite-open.ts';
import { openDatabase } from './sqlite-open.ts';
import { Statements } from './sqlite-statements.ts';
import { CommittedRows, Heads, SqliteReadTx, SqliteWriteTx } from './sqlite-tx.ts';

/**
 * Opens (and where `create` is true, makes) a database, brings it to this program's version and
 * checks it. Throws `StoreFailure`: `too-new`, `damaged` (also where there is no database and none
 * may be made), `unsafe` (it would not be durable) or `busy` (another program holds it).
 */
export function openSqliteStore(options: SqliteOptions): Store {
  return new SqliteStore(openDatabase(options), options);
}

type Outcome = Result<unknown, Refusal>;

/** A command and how it ended; `settle` is set once it has, and called after the commit. */
interface Command {
  readonly work: (tx: WriteTx) => Promise<Outcome>;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
  settle?: () => void;
}

/** A transaction under way: `running` is the command whose promise has not settled yet. */
interface Group {
  readonly batch: Batch;
  readonly commands: readonly Command[];
  next: number;
  running: { readonly command: Command; readonly tx: SqliteWriteTx } | undefined;
}

/** So many commands share a commit at most: about 6 ms of work, so that the event loop gets its turn. */
const mostInGroup = 256;

/**
 * So many turns of the event loop a group waits for more, as long as each turn brings some. Without, the
 * callers of one group are still on their way back while the next begins, and 64 of them end up in
 * two groups of 32, with twice the syncs; waiting costs a turn, some 50 µs, and only where many write.
 */
const mostTurns = 4;

/** Where the last group was no larger, there is nobody to wait for. */
const fewToShare = 2;

class SqliteStore implements Store {
  readonly #statements: Statements;
  readonly #digest: Digest;
  readonly #close: () => void;
  readonly #heads: Heads;
  readonly #onCommit: ((commands: number) => void) | undefined;
  readonly #onFailure: ((failure: StoreFailure) => void) | undefined;
  #witness: CommitWitness | undefined;
  #queue: Command[] = [];
  #scheduled = false;
  /** How many waited when the group was looked at last, for how many turns, and in the group before. */
  #gathered = 0;
  #turns = 0;
  #lastGroup = 0;
  #group: Group | undefined;
  /** Called when no transaction is under way any more. */
  #quiet: (() => void)[] = [];
  #failure: StoreFailure | undefined;
  #closing: Promise<void> | undefined;
  #closed = false;

  constructor({ db, close }: OpenDatabase, options: SqliteOptions) {
    this.#close = close;
    this.#statements = new Statements(db);
    this.#digest = options.digest;
    this.#heads = new Heads(options.digest);
    this.#onCommit = options.onCommit;
    this.#onFailure = options.onFailure;
  }

  async read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T> {
    return work(new SqliteReadTx(this.#statements, this.#heads, () => this.#committed()));
  }

  write<T>(work: (tx: WriteTx) => Promise<Result<T, Refusal>>): Promise<Result<T, Refusal>> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#closing !== undefined) throw closedFailure();
      this.#queue.push({ work, resolve: resolve as Command['resolve'], reject });
      this.#schedule();
    });
  }

  committed(): Committed {
    if (this.#group !== undefined) throw new Error('a transaction is under way');
    return new CommittedRows(this.#statements, this.#heads);
  }

  beforeAnswers(witness: CommitWitness): void {
    this.#witness = witness;
  }

  close(): Promise<void> {
    this.#closing ??= this.#shut();
    return this.#closing;
  }

  async #shut(): Promise<void> {
    while (this.#group !== undefined || this.#queue.length > 0) {
      await new Promise<void>((resolve) => this.#quiet.push(resolve));
    }
    this.#closed = true;
    // What has failed is looked through when it is opened again.
    if (this.#failure === undefined) this.#close();
    else this.#statements.db.close();
    this.#witness?.close();
  }

  /**
   * For readers: throws where nothing can be read, waits where a transaction is under way. That happens
   * only to a reader between two of its statements: a transaction begins and commits in one turn.
   */
  #committed(): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed) throw closedFailure();
    if (this.#group === undefined) return undefined;
    return new Promise<void>((resolve) => this.#quiet.push(resolve)).then(() => this.#committed());
  }

  /**
   * Two immediates in a row: all microtasks of the first have run when the second is called, with no
   * I/O or timer in between. Commands may await only their transaction, which takes microtasks and
   * nothing else; whoever is not done by then waits for something foreign.
   */
  #schedule(): void {
    if (this.#scheduled || this.#group !== undefined) return;
    this.#scheduled = true;
    setImmediate(() => this.#begin());
    setImmediate(() => this.#patrol());
  }

  #begin(): void {
    this.#scheduled = false;
    if (this.#queue.length === 0) return;
    if (this.#waitsForMore()) {
      this.#schedule();
      return;
    }
    const commands = this.#queue.splice(0, mostInGroup);
    try {
      const batch = new Batch(this.#statements, this.#digest);
      this.#group = { batch, commands, next: 0, running: undefined };
    } catch (error) {
      this.#notBegun(commands, error);
      return;
    }
    this.#proceed(this.#group);
  }

  #waitsForMore(): boolean {
    const waiting = this.#queue.length;
    const more = waiting > this.#gathered && waiting < mostInGroup;
    if (more && this.#turns < mostTurns && this.#lastGroup > fewToShare) {
      this.#gathered = waiting;
      this.#turns += 1;
      return true;
    }
    this.#gathered = 0;
    this.#turns = 0;
    this.#lastGroup = waiting;
    return false;
  }

  /** Nothing happened yet: where only the lock is missing, the commands may be tried again. */
  #notBegun(commands: readonly Command[], error: unknown): void {
    if (!isBusy(error)) {
      this.#queue.unshift(...commands);
      this.#fail(error);
      return;
    }
    const failure = new StoreFailure('busy', 'another program holds the database; nothing was changed', {
      cause: error,
    });
    for (const command of commands) command.reject(failure);
    this.#wakeQuiet();
    if (this.#queue.length > 0) this.#schedule();
  }

  #proceed(group: Group): void {
    const command = group.commands[group.next];
    if (command === undefined) {
      this.#commit(group);
      return;
    }
    group.next += 1;
    const running = { command, tx: new SqliteWriteTx(group.batch, this.#heads) };
    group.running = running;
    started(command.work, running.tx).then(
      (outcome) => this.#ended(group, running, () => outcome),
      (error: unknown) =>
        this.#ended(group, running, () => {
          throw error;
        }),
    );
  }

  /** A command's promise has settled: keep or undo what it did, and go on with the next. */
  #ended(group: Group, running: NonNullable<Group['running']>, outcome: () => Outcome): void {
    // One that was given up on (`#patrol`) has no say any more.
    if (group.running !== running) return;
    if (this.#endCommand(group, running, outcome)) this.#proceed(group);
  }

  /** Answers whether the transaction can go on. */
  #endCommand(group: Group, { command, tx }: NonNullable<Group['running']>, outcome: () => Outcome): boolean {
    group.running = undefined;
    tx.end();
    try {
      if (tx.failure !== undefined && isDatabaseFault(tx.failure.error)) throw tx.failure.error;
      const settled = settlement(command, tx, outcome);
      group.batch.endCommand(settled.keep);
      command.settle = settled.settle;
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #patrol(): void {
    const group = this.#group;
    if (group?.running === undefined) return;
    const foreign = new Error(
      'a write command awaited something other than its transaction, which holds up every other write; it was undone',
    );
    const goesOn = this.#endCommand(group, group.running, () => {
      throw foreign;
    });
    if (!goesOn) return;
    setImmediate(() => this.#proceed(group));
    setImmediate(() => this.#patrol());
  }

  #commit(group: Group): void {
    try {
      group.batch.commit();
      this.#heads.forget(group.batch.logsTouched());
      if (group.batch.wrote) this.#witness?.note(new CommittedRows(this.#statements, this.#heads));
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#group = undefined;
    for (const command of group.commands) command.settle?.();
    this.#wakeQuiet();
    if (this.#queue.length > 0) this.#schedule();
    if (group.batch.wrote) this.#onCommit?.(group.commands.length);
  }

  /** The end of this store: what the failed transaction left behind is known only after opening anew. */
  #fail(error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error);
    this.#failure = new StoreFailure(
      'outcome-unknown',
      `the database cannot go on (${detail}); what was under way may or may not have been kept, and opening it again tells`,
      { cause: error },
    );
    const waiting = [...(this.#group?.commands ?? []), ...this.#queue];
    const batch = this.#group?.batch;
    this.#group = undefined;
    this.#queue = [];
    try {
      batch?.rollback();
    } catch {
      // The failure above says all there is to say; the transaction ends with the connection.
    }
    for (const command of waiting) command.reject(this.#failure);
    this.#wakeQuiet();
    this.#onFailure?.(this.#failure);
  }

  #wakeQuiet(): void {
    const waiting = this.#quiet;
    this.#quiet = [];
    for (const wake of waiting) wake();
  }
}

function closedFailure(): StoreFailure {
  return new StoreFailure('closed', 'the store is closed');
}

/** Starts a command; one that throws before its first await is like one that rejects. */
async function started(work: Command['work'], tx: WriteTx): Promise<Outcome> {
  return work(tx);
}

/** What a command's end means: an error undoes it, whether it let the error out or swallowed it. */
function settlement(
  command: Command,
  tx: SqliteWriteTx,
  outcome: () => Outcome,
): { readonly keep: boolean; readonly settle: () => void } {
  try {
    const result = outcome();
    if (tx.failure !== undefined) throw tx.failure.error;
    return { keep: result.ok, settle: () => command.resolve(result) };
  } catch (error) {
    return { keep: false, settle: () => command.reject(error) };
  }
}
