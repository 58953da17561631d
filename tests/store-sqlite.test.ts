/** The SQLite engine: the store's contract on a file and in memory, and what only SQLite can do wrong. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { ok } from '../src/core/result.ts';
import { nodeDigest } from '../src/platform/digest.ts';
import type { Store } from '../src/store/port.ts';
import { StoreFailure } from '../src/store/port.ts';
import { openSqliteStore } from '../src/store/sqlite.ts';
import type { SqliteOptions } from '../src/store/sqlite-open.ts';
import { assertDurable } from '../src/store/sqlite-open.ts';
import { storeContract } from './store-contract.ts';
import { assertWritten, runWriter } from './store-contract-durability.ts';
import { entryOf, install, issued, post, transfer, unissued } from './store-engine.ts';

const folder = mkdtempSync(join(tmpdir(), 'calyx-store-'));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
function newFile(): string {
  files += 1;
  return join(folder, `${files}.db`);
}

function open(file: string, more: Partial<SqliteOptions> = {}): Store {
  return openSqliteStore({ file, migrations: 'server', digest: nodeDigest, create: true, ...more });
}

const writer = join(import.meta.dirname, 'store-writer.ts');

/** The seal goes: that anything was changed at all is found by another test. */
function meddle(file: string, sql: string): void {
  rmSync(`${file}-sum`, { force: true });
  const db = new DatabaseSync(file);
  try {
    db.exec(sql);
  } finally {
    db.close();
  }
}

storeContract('a SQLite file', {
  newPlace: newFile,
  open: (file, onCommit) => open(file, { onCommit }),
  lasting: { meddle, writerArguments: (file) => [writer, file] },
});

storeContract('SQLite in memory', {
  newPlace: () => ':memory:',
  open: (file, onCommit) => open(file, { onCommit }),
});

function fails(code: StoreFailure['code'], words: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof StoreFailure, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, words);
    return true;
  };
}

/** A closed database with a few entries in two journals. */
async function filledFile(): Promise<string> {
  const file = newFile();
  const store = open(file);
  await install(store, 10);
  for (const id of ['a', 'b', 'c', 'd', 'e']) {
    await post(store, entryOf(id, { postings: [transfer(unissued, issued, 1)] }));
  }
  await post(store, entryOf('x', { log: 'other' }));
  await store.close();
  return file;
}

describe('opening a SQLite store', () => {
  it('refuses a path without a database, and makes nothing there', () => {
    const file = newFile();
    assert.throws(() => open(file, { create: false }), fails('damaged', /there is no database at/));
    assert.throws(() => statSync(file), /ENOENT/);
  });

  it('refuses a folder that is not there', () => {
    assert.throws(() => open(join(folder, 'nowhere', 'x.db')), fails('damaged', /cannot be used: ENOENT/));
  });

  it('refuses an empty file unless a database may be made', () => {
    const file = newFile();
    writeFileSync(file, '');
    assert.throws(() => open(file, { create: false }), fails('damaged', /empty/));
  });

  it('refuses a file that is something else', () => {
    const file = newFile();
    writeFileSync(file, 'not a database, but long enough to look like one: '.repeat(100));
    assert.throws(() => open(file), fails('damaged', /cannot be used: file is not a database/));
    assert.match(readFileSync(file, 'utf8'), /^not a database/);
  });

  it('refuses a database of a newer version', async () => {
    const file = await filledFile();
    meddle(
      file,
      "insert into schema_migrations (part, number, name) values ('common', 999, 'common-999-later')",
    );
    assert.throws(() => open(file), fails('too-new', /newer version.*common-999-later/));
  });

  it('refuses the database of the other program', async () => {
    const file = await filledFile();
    assert.throws(
      () => open(file, { migrations: 'clearinghouse' }),
      fails('damaged', /another program \(server\)/),
    );
  });

  it('makes a file that only its owner can read', async () => {
    const file = newFile();
    const store = open(file);
    await install(store, 1);
    for (const name of [file, `${file}-wal`]) assert.equal(statSync(name).mode & 0o777, 0o600, name);
    await store.close();
  });

  it('puts up with being opened after a crash between making the file and filling it', async () => {
    const file = newFile();
    writeFileSync(file, '');
    await open(file).close();
    await open(file, { create: false }).close();
  });
});

describe('a SQLite connection that would lose acknowledged commits', () => {
  const weak: readonly [string, string][] = [
    ['synchronous=normal', 'pragma journal_mode = wal; pragma synchronous = normal'],
    ['synchronous=off', 'pragma journal_mode = wal; pragma synchronous = off'],
    ['another journal than WAL', 'pragma synchronous = full; pragma journal_mode = delete'],
    ['foreign keys off', 'pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = off'],
  ];
  for (const [name, pragmas] of weak) {
    it(`is refused with ${name}`, () => {
      const file = newFile();
      const db = new DatabaseSync(file);
      db.exec(pragmas);
      assert.throws(() => assertDurable(db, file), fails('unsafe', /is needed/));
      db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on');
      assertDurable(db, file);
      db.close();
    });
  }
});

describe('a SQLite database that was damaged', () => {
  const noTriggers = 'drop trigger journal_keeps_rows; drop trigger journal_keeps_words;';
  const damages: readonly [string, string, RegExp][] = [
    ['the last entry removed', `${noTriggers} delete from journal where id = 'e'`, /holds 5 entries/],
    ['an entry in the middle removed', `${noTriggers} delete from journal where id = 'b'`, /holds 5 entries/],
    [
      'a gap before the last entry',
      `${noTriggers} update journal set position = 9 where id = 'e'`,
      /up to position 9/,
    ],
    ['a whole journal removed', `${noTriggers} delete from journal where log = 'other'`, /other is empty/],
    [
      'the last entry altered',
      `${noTriggers} update journal set text = replace(text, '1000', '1001') where id = 'e'`,
      /last entry of journal server/,
    ],
    [
      'the last entry and its leaf exchanged',
      `${noTriggers} update journal set (text, leaf) = (select text, leaf from journal where id = 'a') where id = 'e'`,
      /does not cover its last 2/,
    ],
    [
      'an entry added',
      "insert into journal (log, position, id, kind, at, text, leaf) select log, 6, 'f', kind, at, text, leaf from journal where id = 'e'",
      /holds 7 entries/,
    ],
    ['a head removed', "delete from logs where log = 'other'", /holds 1 entries.*speaks of 0/],
    ['the size of a head altered', "update logs set size = 7 where log = 'server'", /speaks of 7/],
    ['a head cut short', "update logs set frontier = x'0000' where log = 'other'", /other is unreadable/],
    [
      'a head of another tree',
      "update logs set frontier = x'0000000000000001' || zeroblob(32) where log = 'other'",
      /other/,
    ],
    [
      'a balance raised',
      "update accounts set balance = 6 where id = 'A/0/unissued'",
      /10 units came into line A\/0, its accounts hold 11/,
    ],
    ['an account removed', "delete from accounts where id = 'A/0/issued'", /hold 5/],
    ['the source raised', "update accounts set balance = 1000 where id = 'A/0/installed'", /1000 units/],
    ['an account of no line', "insert into accounts (id, balance) values ('stray', 0)", /stray/],
  ];
  for (const [name, sql, words] of damages) {
    it(`is refused: ${name}`, async () => {
      const file = await filledFile();
      meddle(file, sql);
      assert.throws(() => open(file), fails('damaged', words));
    });
  }

  it('is not taken for one when nothing was done to it', async () => {
    await open(await filledFile(), { create: false }).close();
  });
});

describe('the log of a SQLite database that somebody reads for long', () => {
  it('gives back what it took of the disk', async () => {
    const file = newFile();
    const store = open(file);
    let writes = 0;
    const write = async (bytes: number): Promise<void> => {
      writes += 1;
      const text = String.fromCharCode(64 + writes).repeat(bytes);
      const written = await store.write(async (tx) => {
        const keep =
          'insert into meta (key, value) values (?, ?) on conflict do update set value = excluded.value';
        return ok(await tx.run(keep, 'large', text));
      });
      assert.ok(written.ok);
    };
    const reader = new DatabaseSync(file, { readOnly: true });
    reader.exec('begin');
    reader.prepare('select count(*) from meta').get();
    for (let at = 0; at < 12; at += 1) await write(4 * 1024 * 1024);
    const log = `${file}-wal`;
    assert.ok(statSync(log).size > 40 * 1024 * 1024);
    reader.exec('rollback');
    reader.close();
    // The next large commit moves the log into the database, the one after it begins the log anew.
    for (let at = 0; at < 6; at += 1) await write(4 * 1024 * 1024);
    assert.ok(statSync(log).size <= 32 * 1024 * 1024, `${statSync(log).size}`);
    await store.close();
  });
});

describe('a SQLite database that another program holds', () => {
  it('makes a write busy, changes nothing, and takes it when it is free again', async () => {
    const file = await filledFile();
    const store = open(file, { busyTimeoutMs: 20 });
    const other = new DatabaseSync(file);
    other.exec('begin immediate');
    const writes = [post(store, entryOf('y')), post(store, entryOf('z'))];
    for (const write of writes) await assert.rejects(write, fails('busy', /nothing was changed/));
    other.exec('rollback');
    other.close();
    await post(store, entryOf('y'));
    assert.equal((await store.read((tx) => tx.head('server'))).size, 7);
    await store.close();
  });
});

describe('a SQLite database that breaks while it is used', () => {
  it('ends the store, for the commands that share the transaction too', async () => {
    const file = await filledFile();
    const db = new DatabaseSync(file);
    const page = db.prepare("select rootpage from sqlite_schema where name = 'meta'").get();
    db.close();
    const store = open(file);
    // By another process: closing the file here would let go of the locks that the store has on it.
    const place = (Number(page?.['rootpage']) - 1) * 4096;
    const script = `const fs = require('node:fs'); const handle = fs.openSync('${file}', 'r+');
      fs.writeSync(handle, Buffer.alloc(4096, 0xff), 0, 4096, ${place});`;
    assert.equal(spawnSync(process.execPath, ['-e', script]).status, 0);
    const writes = [
      post(store, entryOf('y')),
      store.write(async (tx) => ok(await tx.run("delete from meta where key = 'x'").catch(() => 0))),
      post(store, entryOf('z')),
    ];
    for (const write of writes) await assert.rejects(write, fails('outcome-unknown', /malformed/));
    await assert.rejects(post(store, entryOf('later')), fails('outcome-unknown', /malformed/));
    await store.close();
    assert.throws(() => open(file), fails('damaged', /database is damaged/));
  });
});

describe('a full disk', { skip: process.platform === 'win32' }, () => {
  it('ends the store with an unknown outcome, and loses nothing that was acknowledged', async () => {
    const file = newFile();
    // The limit on the size of files stands for the end of the disk; the signal that it also raises is ignored.
    const script = `trap '' XFSZ; ulimit -f 3000; exec "${process.execPath}" "${writer}" "${file}" 20000`;
    const { lines, acknowledged } = await runWriter(['bash', '-c', script]);
    assert.deepEqual(lines.slice(-3), [
      'failed outcome-unknown',
      'then write outcome-unknown',
      'then read outcome-unknown',
    ]);
    assert.ok(acknowledged.length > 10);
    const store = open(file);
    await assertWritten(store, acknowledged);
    await store.close();
  });
});
