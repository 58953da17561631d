/**
 * Copies of a database that is in use: one committed state, taken over a connection of its own, so that
 * neither the writer nor its connection waits. And what a copy holds and whether it is sound, read from the
 * copy alone. All of it takes as long as the database is large: it is meant for a thread of its own.
 */
import { closeSync, openSync, statSync } from 'node:fs';
import { backup, DatabaseSync } from 'node:sqlite';
import type { ServerLine } from '../core/account.ts';
import { sumServer } from '../core/account.ts';
import { equalBytes } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import type { Frontier } from '../core/merkle.ts';
import { append, decodeFrontier, emptyFrontier, leafHash, rootOf } from '../core/merkle.ts';
import type { MigrationProgram } from './migrate.ts';
import type { LogHead } from './port.ts';
import { StoreFailure } from './port.ts';
import { checkBooks } from './sqlite-check.ts';

/** A file that belongs to the database, and goes with its copy. */
export interface CopiedPart {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Pages for each look at how far it is: 8 MiB. */
const pagesAtOnce = 2048;

/** How long the copy waits for a lock; only the end of a log's life takes one that it needs. */
const busyTimeoutMs = 10_000;

/**
 * Copies the database at `from` to a new file that only its owner may read, `parts` within it. Throws what
 * SQLite and the file system throw; what was written by then is for the caller to remove.
 */
export async function copyDatabase(copy: {
  readonly from: string;
  readonly to: string;
  readonly parts: readonly CopiedPart[];
  /** Told how much of it there is, from 0 to 1. */
  readonly progress: (part: number) => void;
}): Promise<void> {
  // SQLite would make one where there is none.
  statSync(copy.from);
  closeSync(openSync(copy.to, 'wx', 0o600));
  const source = new DatabaseSync(copy.from, { timeout: busyTimeoutMs });
  try {
    source.exec('pragma query_only = on');
    // One transaction over all steps: without, a commit between two of them would begin it anew. It begins
    // with its first statement.
    source.exec('begin');
    source.prepare('select count(*) from schema_migrations').get();
    await backup(source, copy.to, {
      rate: pagesAtOnce,
      progress: ({ totalPages, remainingPages }) => copy.progress(1 - remainingPages / totalPages),
    });
    source.exec('rollback');
    // The log could not be moved past what was read here, and has grown: it is moved by this thread, so that
    // it is not the next commit that has to.
    source.exec('pragma wal_checkpoint(passive)');
  } finally {
    source.close();
  }
  addParts(copy.to, copy.parts);
}

function addParts(file: string, parts: readonly CopiedPart[]): void {
  const db = new DatabaseSync(file);
  try {
    // One file and no log beside it. It is nowhere else yet, so nothing has to be synced.
    db.exec('pragma synchronous = off');
    db.exec('pragma journal_mode = delete');
    db.exec('create table backup_parts (name text primary key, bytes blob not null) without rowid');
    const add = db.prepare('insert into backup_parts (name, bytes) values (?, ?)');
    for (const { name, bytes } of parts) add.run(name, bytes);
  } finally {
    db.close();
  }
}

/** What a copy holds, by its own books. */
export interface CopyContents {
  readonly journals: readonly ({ readonly log: string } & LogHead)[];
  /** Of a license server. */
  readonly lines: readonly (ServerLine & { readonly product: string; readonly type: string })[];
  readonly generation: number;
  /** Of a clearinghouse. */
  readonly agreements: number;
  readonly servers: number;
  readonly parts: readonly string[];
  /** The trust list that it goes by. */
  readonly trustList: string;
}

function withCopy<T>(file: string, use: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return use(db);
  } finally {
    db.close();
  }
}

/** The files that lie within a copy. */
export function partsOf(file: string): readonly CopiedPart[] {
  return withCopy(file, (db) =>
    db
      .prepare('select name, bytes from backup_parts order by name')
      .all()
      .map(({ name, bytes }) => ({ name: String(name), bytes: bytes as Uint8Array })),
  );
}

/** Takes the files out of a copy, which is a database like any other then. */
export function dropParts(file: string): void {
  const db = new DatabaseSync(file);
  try {
    db.exec('drop table backup_parts');
  } finally {
    db.close();
  }
}

/** What the first entry of a journal says, by its field; undefined where it cannot be read. */
export function firstEntryField(file: string, of: { log: string; field: string }): string | undefined {
  try {
    return withCopy(file, (db) => {
      const row = db
        .prepare(
          "select json_extract(text, '$.body.' || ?) as value from journal where log = ? and position = 0",
        )
        .get(of.field, of.log);
      return typeof row?.['value'] === 'string' ? row['value'] : undefined;
    });
  } catch {
    return undefined;
  }
}

/** What tells how far a license server's database has got, beside who has its CALs (protocol §5.2). */
export interface Progress {
  readonly lines: CopyContents['lines'];
  readonly head: LogHead;
  /** Positions of all chains, and how many codes were made of which acts: equal texts, equal rights. */
  readonly rights: string;
}

/** Reads that from the database of a license server, in use or not. Throws where it cannot be read. */
export function readProgress(file: string, digest: Digest): Progress {
  return withCopy(file, (db) => {
    const head = headsOf(db, digest).find(({ log }) => log === 'server');
    if (head === undefined) damaged('it has no journal');
    const lines = linesOf(db);
    const chains = 'select agreement, line, aid, free_k, held_k from lines order by agreement, line';
    const codes =
      'select aid, state, confirmation_seq, freezes, releases, returns from authorities order by aid';
    const rights = JSON.stringify([
      lines.map(({ agreement, line, installed }) => [agreement, line, installed]),
      db.prepare(chains).all(),
      db.prepare(codes).all(),
    ]);
    return { lines, head, rights };
  });
}

/** The root of a license server's journal when it had so many entries; undefined where it never had. */
export function rootWhen(file: string, digest: Digest, size: number): Uint8Array | undefined {
  return withCopy(file, (db) => {
    let frontier = emptyFrontier;
    const leaves = db.prepare(
      "select leaf from journal where log = 'server' and position < ? order by position",
    );
    for (const { leaf } of leaves.iterate(size)) frontier = append(digest, frontier, leaf as Uint8Array);
    return frontier.size === size ? rootOf(digest, frontier) : undefined;
  });
}

function damaged(what: string): never {
  throw new StoreFailure('damaged', `the database is damaged: ${what}`);
}

/** Reads what a copy holds. Throws `StoreFailure` `damaged` where heads or accounts cannot be read. */
export function readCopy(file: string, digest: Digest, program: MigrationProgram): CopyContents {
  return withCopy(file, (db) => {
    const text = (sql: string): string => String(db.prepare(sql).get()?.['value'] ?? '');
    const count = (table: string): number =>
      program === 'server' ? 0 : Number(text(`select count(*) as value from ${table}`));
    return {
      journals: headsOf(db, digest),
      lines: program === 'server' ? linesOf(db) : [],
      generation:
        program === 'server' ? Number(text("select value from meta where key = 'generation'") || '1') : 0,
      agreements: count('agreements'),
      servers: count('servers'),
      parts: db
        .prepare('select name from backup_parts order by name')
        .all()
        .map(({ name }) => String(name)),
      trustList: text("select value from meta where key = 'trustList'"),
    };
  });
}

function headsOf(db: DatabaseSync, digest: Digest): CopyContents['journals'] {
  return db
    .prepare('select log, frontier from logs order by log')
    .all()
    .map((row) => {
      const log = String(row['log']);
      const frontier = decodeFrontier(row['frontier'] as Uint8Array);
      if (frontier === undefined) damaged(`the stored head of journal ${log} is unreadable`);
      return { log, size: frontier.size, root: rootOf(digest, frontier) };
    });
}

function linesOf(db: DatabaseSync): CopyContents['lines'] {
  const balances = new Map<string, number>();
  for (const { id, balance } of db.prepare('select id, balance from accounts').iterate()) {
    balances.set(String(id), Number(balance));
  }
  const named = db.prepare('select product, type from lines where agreement = ? and line = ?');
  return sumServer(balances).map((sums) => {
    const row = named.get(sums.agreement, sums.line);
    if (row === undefined) damaged(`there are accounts of line ${sums.agreement}/${sums.line}, and no line`);
    return { ...sums, product: String(row['product']), type: String(row['type']) };
  });
}

/**
 * Checks a copy in full: the database's own structure, the books as on every open, and each journal, every
 * entry hashed anew. Throws `StoreFailure` `damaged` for the first thing that does not fit.
 */
export function checkCopy(file: string, digest: Digest): void {
  withCopy(file, (db) => {
    for (const row of db.prepare('pragma integrity_check(1)').all()) {
      if (row['integrity_check'] !== 'ok') damaged(String(row['integrity_check']));
    }
    checkBooks(db, digest);
    for (const { log, size, root } of headsOf(db, digest)) {
      const hashed = hashAnew(db, digest, log);
      if (hashed.size !== size || !equalBytes(rootOf(digest, hashed), root)) {
        damaged(`the entries of journal ${log} are not those that its head covers`);
      }
    }
  });
}

function hashAnew(db: DatabaseSync, digest: Digest, log: string): Frontier {
  let frontier = emptyFrontier;
  const entries = db.prepare('select text, leaf from journal where log = ? order by position');
  for (const { text, leaf } of entries.iterate(log)) {
    const hash = leafHash(digest, Buffer.from(String(text), 'utf8'));
    if (!equalBytes(hash, leaf as Uint8Array)) {
      damaged(`entry ${frontier.size} of journal ${log} is not the one that was hashed`);
    }
    frontier = append(digest, frontier, hash);
  }
  return frontier;
}
