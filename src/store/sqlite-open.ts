/** Opening a SQLite database so that what it acknowledges is durable, or not at all. */
import { closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Digest } from '../core/digest.ts';
import type { MigrationProgram } from './migrate.ts';
import { migrate } from './migrate.ts';
import { StoreFailure } from './port.ts';
import { checkBooks } from './sqlite-check.ts';
import { isBusy } from './sqlite-errors.ts';
import { breakSeal, checkSeal, closeSealed, lookAtSeal } from './sqlite-seal.ts';

export interface SqliteOptions {
  /**
   * The path of the database file. `:memory:`, or `file:/NAME?vfs=memdb` for one that lives as long as any
   * connection to it within the process, is durable nowhere and meant for tests.
   */
  readonly file: string;
  /** Whose tables, beside the books, the database holds. */
  readonly migrations: MigrationProgram;
  readonly digest: Digest;
  /** Whether a database may be made where none is. Off by default: a wrong path is then an error. */
  readonly create?: boolean;
  /** How long to wait for another program's lock; 5 seconds unless said otherwise. */
  readonly busyTimeoutMs?: number;
  /** Told after each commit that wrote, with the number of commands that shared it. */
  readonly onCommit?: (commands: number) => void;
  /** Told once, when the store cannot go on: whoever serves it has to stop (port.ts, rule 1). */
  readonly onFailure?: ((failure: StoreFailure) => void) | undefined;
}

const defaultBusyTimeoutMs = 5000;

/** Pages in the log before it is moved into the database: 16 MiB, so that pages written often move once. */
const checkpointPages = 4000;

/**
 * How large the log's file stays when it is begun anew. Within a log of `checkpointPages` nothing is ever cut off;
 * one that grew because somebody read for a long time (a backup) gives the disk back.
 */
const mostLogBytes = 32 * 1024 * 1024;

/** 32 MiB, as negative KiB (sqlite.org/pragma.html#pragma_cache_size). */
const cacheSize = -32768;

const inMemory = (file: string): boolean => file === ':memory:' || /^file:\/[\w-]+\?vfs=memdb$/.test(file);

/** A database, and how it is closed so that what changes meanwhile is found. */
export interface OpenDatabase {
  readonly db: DatabaseSync;
  readonly close: () => void;
}

/**
 * Opens the database, brings it to this version and checks it. Throws `StoreFailure`. There is one
 * connection, for reading too: a second one drops its whole page cache whenever the first commits, which
 * made each look-up between two commits cost three times as much (7 µs instead of 2).
 */
export function openDatabase(options: SqliteOptions): OpenDatabase {
  const { file } = options;
  const mayCreate = options.create === true || inMemory(file);
  let db: DatabaseSync | undefined;
  try {
    if (!inMemory(file) && !existsSync(file)) makeFile(file, mayCreate);
    const found = inMemory(file) ? null : lookAtSeal(file);
    const timeout = options.busyTimeoutMs ?? defaultBusyTimeoutMs;
    db = new DatabaseSync(file, { timeout, enableForeignKeyConstraints: true });
    prepare(db, file);
    if (found !== null) checkSeal(db, found);
    migrate(db, { program: options.migrations, mayBeEmpty: mayCreate });
    checkBooks(db, options.digest);
    if (found === null) return { db, close: () => db?.close() };
    breakSeal(file);
    return { db, close: () => closeSealed(db as DatabaseSync, file, found) };
  } catch (error) {
    db?.close();
    throw failureOf(error, file);
  }
}

/** Made here and not by SQLite so that nobody else can read it; its log file takes after it. */
function makeFile(file: string, mayCreate: boolean): void {
  if (!mayCreate) throw new StoreFailure('damaged', `there is no database at ${file}`);
  closeSync(openSync(file, 'wx', 0o600));
}

function prepare(db: DatabaseSync, file: string): void {
  if (!inMemory(file)) db.exec('pragma journal_mode = wal');
  // `full` is set on every open, not once: some builds open WAL files at `normal` (protocol D10), which
  // loses acknowledged commits when the power fails. The other two matter on macOS alone.
  db.exec('pragma synchronous = full');
  db.exec('pragma fullfsync = 1');
  db.exec('pragma checkpoint_fullfsync = 1');
  db.exec(`pragma wal_autocheckpoint = ${checkpointPages}`);
  db.exec(`pragma journal_size_limit = ${mostLogBytes}`);
  db.exec(`pragma cache_size = ${cacheSize}`);
  // What a savepoint undoes is kept in memory: in a temporary file it was half of what an issue wrote.
  db.exec('pragma temp_store = memory');
  assertDurable(db, file);
}

/**
 * Reads back what was set: a pragma that is not obeyed says nothing. Throws `StoreFailure` `unsafe`
 * where synchronous is not 2 (full), where a file is not in WAL mode, or where foreign keys are off.
 */
export function assertDurable(db: DatabaseSync, file: string): void {
  const expected: readonly [string, unknown][] = [
    ['synchronous', 2],
    ['foreign_keys', 1],
    ['journal_mode', inMemory(file) ? 'memory' : 'wal'],
  ];
  for (const [pragma, value] of expected) {
    const row = db.prepare(`pragma ${pragma}`).get();
    const found = row?.[pragma];
    if (found !== value) {
      throw new StoreFailure(
        'unsafe',
        `the database at ${file} has ${pragma}=${found}, and ${value} is needed`,
      );
    }
  }
}

/** Errors of SQLite and of the file system in the store's own terms; others are bugs, and stay as they are. */
function failureOf(error: unknown, file: string): unknown {
  if (error instanceof StoreFailure || !(error instanceof Error)) return error;
  if (isBusy(error)) {
    return new StoreFailure('busy', `another program holds the database at ${file}`, { cause: error });
  }
  if (!('errcode' in error || 'syscall' in error)) return error;
  return new StoreFailure('damaged', `the database at ${file} cannot be used: ${error.message}`, {
    cause: error,
  });
}
