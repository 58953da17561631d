/**
 * A clearinghouse or license server of the simulation: the real program over a real database that lives
 * in memory, which crashes where it is told to. What was committed outlives it, and nothing else.
 */
import { DatabaseSync } from 'node:sqlite';
import type { Refusal } from '../../src/core/refusal.ts';
import type { Result } from '../../src/core/result.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { nodeDigest } from '../../src/platform/digest.ts';
import type { Committed, CommitWitness, ReadTx, Store, WriteTx } from '../../src/store/port.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';

/** The program is gone in the middle of what it did; whoever called it has no answer. */
export class Crashed extends Error {
  override readonly name = 'Crashed';
}

/**
 * After so many writes, and where: `before` the commit, nothing of it done; `within`, all of it done and
 * undone with the transaction; `after` the commit, and before anybody was told.
 */
export interface CrashPlan {
  readonly writes: number;
  readonly where: 'before' | 'within' | 'after';
}

/** The store of a program that may end at any commit, with everything that it had in memory. */
class MortalStore implements Store {
  readonly #store: Store;
  #plan: CrashPlan | undefined;
  dead = false;

  constructor(store: Store) {
    this.#store = store;
  }

  plan(plan: CrashPlan | undefined): void {
    this.#plan = plan;
  }

  committed(): Committed {
    return this.#store.committed();
  }

  beforeAnswers(witness: CommitWitness): void {
    this.#store.beforeAnswers(witness);
  }

  async read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T> {
    if (this.dead) throw new Crashed();
    return this.#store.read(work);
  }

  async write<T>(work: (tx: WriteTx) => Promise<Result<T, Refusal>>): Promise<Result<T, Refusal>> {
    if (this.dead) throw new Crashed();
    const where = this.#due();
    if (where === undefined) return this.#store.write(work);
    this.dead = true;
    if (where === 'within') {
      await this.#store
        .write(async (tx) => {
          await work(tx);
          throw new Crashed();
        })
        .catch(() => undefined);
    }
    if (where === 'after') await this.#store.write(work).catch(() => undefined);
    throw new Crashed();
  }

  async close(): Promise<void> {
    this.dead = true;
    await this.#store.close();
  }

  #due(): CrashPlan['where'] | undefined {
    if (this.#plan === undefined) return undefined;
    const { writes, where } = this.#plan;
    this.#plan = writes > 0 ? { writes: writes - 1, where } : undefined;
    return writes > 0 ? undefined : where;
  }
}

let databases = 0;

/** A database in memory that lives as long as this does, whoever else opens and closes it. */
export class MemoryDatabase {
  readonly file: string;
  readonly #keeper: DatabaseSync;

  constructor() {
    databases += 1;
    this.file = `file:/calyx-sim-${databases}?vfs=memdb`;
    this.#keeper = new DatabaseSync(this.file);
  }

  /** Fills it, while it is empty, with what another database holds: a file's, or one like this. */
  fillFrom(file: string): void {
    const other = new DatabaseSync(file);
    other.exec(`vacuum into '${this.file}'`);
    other.close();
  }

  close(): void {
    this.#keeper.close();
  }
}

interface ProgramOptions<Context> {
  readonly name: string;
  readonly kind: 'clearinghouse' | 'server';
  readonly clock: Clock;
  /** What the database holds at the start. */
  readonly from: string;
  readonly open: (store: Store) => Promise<{ readonly context: Context }>;
}

export class Program<Context> {
  readonly name: string;
  readonly clock: Clock;
  readonly #options: ProgramOptions<Context>;
  #database = new MemoryDatabase();
  #store: MortalStore | undefined;
  #context: Context | undefined;
  /** Whether anything was committed since somebody looked. */
  #touched = true;

  constructor(options: ProgramOptions<Context>) {
    this.#options = options;
    this.name = options.name;
    this.clock = options.clock;
    this.#database.fillFrom(options.from);
  }

  /** Starts it from what is committed; whatever an earlier one had in memory is gone. */
  async start(): Promise<void> {
    const { kind, open } = this.#options;
    const { file } = this.#database;
    const onCommit = (): void => {
      this.#touched = true;
    };
    this.#touched = true;
    const store = openSqliteStore({ file, migrations: kind, digest: nodeDigest, onCommit });
    this.#store = new MortalStore(store);
    this.#context = (await open(this.#store)).context;
  }

  async stop(): Promise<void> {
    await this.#store?.close();
    this.#store = undefined;
    this.#context = undefined;
  }

  get file(): string {
    return this.#database.file;
  }

  /** A copy of what it has committed. */
  copy(): MemoryDatabase {
    const copy = new MemoryDatabase();
    copy.fillFrom(this.file);
    return copy;
  }

  /** While it is stopped: what was committed since the copy is gone. */
  putBack(copy: MemoryDatabase): void {
    this.#database.close();
    this.#database = new MemoryDatabase();
    this.#database.fillFrom(copy.file);
  }

  get isUp(): boolean {
    return this.#store?.dead === false;
  }

  /** Whoever calls a program that is not there gets no answer. */
  get context(): Context {
    if (this.#context === undefined) throw new Crashed();
    return this.#context;
  }

  get store(): Store {
    if (this.#store === undefined) throw new Crashed();
    return this.#store;
  }

  /** Ends at a commit to come; without a plan it goes on. */
  planCrash(plan: CrashPlan | undefined): void {
    this.#store?.plan(plan);
  }

  /** Whether it has committed anything since this was asked last, or was started again. */
  takeTouched(): boolean {
    if (this.#store === undefined) return false;
    const touched = this.#touched;
    this.#touched = false;
    return touched;
  }

  async close(): Promise<void> {
    await this.stop();
    this.#database.close();
  }
}
