import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import type { MigrationProgram } from './migrate.ts';
import { migrate, readMigrations } from './migrate.ts';
import { StoreFailure } from './port.ts';

const folders: string[] = [];

function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'calyx-migrate-'));
  folders.push(folder);
  for (const [name, sql] of Object.entries(files)) writeFileSync(join(folder, name), sql);
  return folder;
}

after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const one = {
  'common-001-first.sql': 'create table steps (name text); insert into steps values (1);',
  'server-001-own.sql': 'insert into steps values (10);',
  'clearinghouse-001-own.sql': 'insert into steps values (100);',
};
const two = {
  ...one,
  'common-002-second.sql': 'insert into steps values (2);',
  'server-002-more.sql': 'insert into steps values (20);',
};

function steps(db: DatabaseSync): readonly unknown[] {
  return db
    .prepare('select name from steps order by rowid')
    .all()
    .map((row) => Number(row['name']));
}

function run(db: DatabaseSync, folder: string, program: MigrationProgram = 'server'): void {
  migrate(db, { program, folder, mayBeEmpty: true });
}

function fails(code: StoreFailure['code'], words: RegExp) {
  return (error: unknown) =>
    error instanceof StoreFailure && error.code === code && words.test(error.message);
}

describe('migrations', () => {
  it('apply the common ones, then those of the program, each once', () => {
    const db = new DatabaseSync(':memory:');
    const folder = folderOf(two);
    run(db, folder);
    assert.deepEqual(steps(db), [1, 2, 10, 20]);
    run(db, folder);
    assert.deepEqual(steps(db), [1, 2, 10, 20]);
  });

  it('bring an older database to the same version', () => {
    const db = new DatabaseSync(':memory:');
    run(db, folderOf(one));
    assert.deepEqual(steps(db), [1, 10]);
    run(db, folderOf(two));
    assert.deepEqual(steps(db), [1, 10, 2, 20]);
  });

  it('refuse a database of a newer version, and leave it as it is', () => {
    const db = new DatabaseSync(':memory:');
    run(db, folderOf(two));
    assert.throws(() => run(db, folderOf(one)), fails('too-new', /newer version.*common-002-second/));
    assert.deepEqual(steps(db), [1, 2, 10, 20]);
  });

  it('refuse the database of the other program', () => {
    const db = new DatabaseSync(':memory:');
    run(db, folderOf(one));
    assert.throws(
      () => run(db, folderOf(one), 'clearinghouse'),
      fails('damaged', /another program \(server\)/),
    );
    assert.deepEqual(steps(db), [1, 10]);
  });

  it('refuse a database whose migration has another name', () => {
    const db = new DatabaseSync(':memory:');
    run(db, folderOf(one));
    const renamed = folderOf({ 'common-001-other.sql': '', 'server-001-own.sql': '' });
    assert.throws(() => run(db, renamed), fails('damaged', /common-001-first where common-001-other/));
  });

  it('refuse somebody else’s database', () => {
    const db = new DatabaseSync(':memory:');
    db.exec('create table theirs (a)');
    assert.throws(() => run(db, folderOf(one)), fails('damaged', /not a Calyx database/));
  });

  it('refuse an empty database unless one may be made', () => {
    const db = new DatabaseSync(':memory:');
    const folder = folderOf(one);
    assert.throws(
      () => migrate(db, { program: 'server', folder, mayBeEmpty: false }),
      fails('damaged', /empty/),
    );
  });

  it('leave nothing of a migration that fails, and all of those before it', () => {
    const db = new DatabaseSync(':memory:');
    const broken = {
      ...one,
      'common-002-second.sql': 'insert into steps values (2); insert into nowhere values (1);',
    };
    assert.throws(() => run(db, folderOf(broken)), /nowhere/);
    assert.deepEqual(steps(db), [1]);
    assert.equal(db.isTransaction, false);
    run(db, folderOf(two));
    assert.deepEqual(steps(db), [1, 2, 10, 20]);
  });

  const misnamed: readonly [string, Readonly<Record<string, string>>][] = [
    ['a file of another name', { ...one, 'notes.txt': '' }],
    ['an unknown program', { ...one, 'client-001-x.sql': '' }],
    ['a missing number', { ...one, 'common-003-third.sql': '' }],
    ['a number given twice', { ...one, 'common-001-again.sql': '' }],
    ['a number zero', { 'common-000-zero.sql': '' }],
  ];
  for (const [name, files] of misnamed) {
    it(`may not have ${name}`, () =>
      assert.throws(() => readMigrations(folderOf(files), 'server'), /migration/));
  }
});

describe('the migrations of this program', () => {
  for (const program of ['clearinghouse', 'server'] as const) {
    it(`apply to a new database of the ${program}, and a second time change nothing`, () => {
      const db = new DatabaseSync(':memory:');
      migrate(db, { program, mayBeEmpty: true });
      migrate(db, { program, mayBeEmpty: false });
      const rows = db.prepare('select name from schema_migrations order by part, number').all();
      assert.ok(rows.length > 0);
      assert.equal(rows.find((row) => row['name'] === 'common-001-books')?.['name'], 'common-001-books');
    });
  }
});
