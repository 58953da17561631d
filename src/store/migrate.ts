/**
 * Brings a database to the program's version: numbered SQL files, each applied once in a transaction
 * of its own. `common-NNN-words.sql` belongs to both programs, `clearinghouse-NNN-…` and
 * `server-NNN-…` to one. Names and numbers decide; a file that was released is never changed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { StoreFailure } from './port.ts';

export type MigrationProgram = 'clearinghouse' | 'server';

type Part = 'common' | MigrationProgram;

export interface Migration {
  readonly part: Part;
  readonly number: number;
  readonly name: string;
  readonly sql: string;
}

export interface MigrateOptions {
  readonly program: MigrationProgram;
  /** Whether an empty database is taken as a new one, or as a wrong path. */
  readonly mayBeEmpty: boolean;
  /** Where the files are; the folder `migrations` beside this file unless a test says otherwise. */
  readonly folder?: string;
}

const fileName = /^(common|clearinghouse|server)-(\d{3})-[a-z0-9-]+\.sql$/;

/**
 * The migrations of a program in the order in which they apply: the common ones, then its own, each
 * by number. Throws an Error on a file that is not named as above, and on a missing or double number.
 */
export function readMigrations(folder: string, program: MigrationProgram): readonly Migration[] {
  const parts: Record<Part, Migration[]> = { common: [], clearinghouse: [], server: [] };
  for (const file of readdirSync(folder).sort()) {
    const match = fileName.exec(file);
    if (match === null) throw new Error(`not a migration: ${join(folder, file)}`);
    const part = match[1] as Part;
    const number = Number(match[2]);
    if (number !== parts[part].length + 1)
      throw new Error(`migration out of sequence: ${join(folder, file)}`);
    const sql = readFileSync(join(folder, file), 'utf8');
    parts[part].push({ part, number, name: file.slice(0, -'.sql'.length), sql });
  }
  return [...parts.common, ...parts[program]];
}

/**
 * Applies what is missing. Throws `StoreFailure`: `too-new` where the database holds migrations that
 * this program does not know, `damaged` where it belongs to the other program, to something else, or
 * is empty and may not be. Nothing is written before all of that is settled.
 */
export function migrate(db: DatabaseSync, options: MigrateOptions): void {
  const known = readMigrations(options.folder ?? join(import.meta.dirname, 'migrations'), options.program);
  const applied = appliedNames(db, options.mayBeEmpty);
  judge(applied, known, options.program);
  for (const migration of known) {
    if (!applied.has(keyOf(migration))) apply(db, migration);
  }
}

function keyOf({ part, number }: Pick<Migration, 'part' | 'number'>): string {
  return `${part} ${number}`;
}

type Applied = ReadonlyMap<string, { readonly part: Part; readonly number: number; readonly name: string }>;

function appliedNames(db: DatabaseSync, mayBeEmpty: boolean): Applied {
  const tables = new Set(
    db
      .prepare("select name from sqlite_schema where type = 'table'")
      .all()
      .map((row) => row['name']),
  );
  if (tables.size === 0) {
    if (!mayBeEmpty) throw new StoreFailure('damaged', 'the database is empty');
    return new Map();
  }
  if (!tables.has('schema_migrations')) throw new StoreFailure('damaged', 'this is not a Calyx database');
  const rows = db.prepare('select part, number, name from schema_migrations').all() as unknown as {
    part: Part;
    number: number;
    name: string;
  }[];
  return new Map(rows.map((row) => [keyOf(row), row]));
}

function judge(applied: Applied, known: readonly Migration[], program: MigrationProgram): void {
  const names = new Map(known.map((migration) => [keyOf(migration), migration.name]));
  for (const [key, { part, name }] of applied) {
    if (part !== 'common' && part !== program) {
      throw new StoreFailure(
        'damaged',
        `this is the database of another program (${part}), not of the ${program}`,
      );
    }
    const expected = names.get(key);
    if (expected === undefined) {
      throw new StoreFailure(
        'too-new',
        `the database was written by a newer version of Calyx (it holds ${name}); install that version or a later one`,
      );
    }
    if (expected !== name) {
      throw new StoreFailure('damaged', `the database holds migration ${name} where ${expected} is expected`);
    }
  }
}

function apply(db: DatabaseSync, { part, number, name, sql }: Migration): void {
  db.exec('begin immediate');
  try {
    db.exec(
      'create table if not exists schema_migrations (part text not null, number integer not null, name text not null, primary key (part, number))',
    );
    // Another process may have been faster between our look and our lock.
    const { changes } = db
      .prepare('insert into schema_migrations (part, number, name) values (?, ?, ?) on conflict do nothing')
      .run(part, number, name);
    if (changes === 1) db.exec(sql);
    db.exec('commit');
  } catch (error) {
    if (db.isTransaction) db.exec('rollback');
    throw error;
  }
}
