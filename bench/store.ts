/**
 * The store against bare node:sqlite, in one run: durable commands per second one by one and in
 * groups, and what a command costs without the disk. `node bench/store.ts [--json]`
 *
 * One command is what handing out a CAL writes: a journal entry, two account changes and one row.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ok } from '../src/core/result.ts';
import { nodeDigest } from '../src/platform/digest.ts';
import type { Store } from '../src/store/port.ts';
import { openSqliteStore } from '../src/store/sqlite.ts';

/** Journal entry, row of the command's own, and two accounts. */
const rowsPerCommand = 4;
const rounds = 5;
const now = 1_700_000_000_000;
const memory = ':memory:';

interface Setting {
  readonly label: string;
  /** A file of its own for each database, or memory. */
  readonly durable: boolean;
  readonly group: number;
  readonly id: () => string;
}

interface Rate {
  readonly name: string;
  readonly commandsPerSecond: number;
}

let ids = 0;
/** Ids that grow with time: the index over them is appended to. */
function growingId(): string {
  ids += 1;
  return `op-${String(ids).padStart(12, '0')}`;
}

/** Ids without any order: each one changes another page of the index. */
function randomId(): string {
  return randomBytes(12).toString('base64url');
}

const folder = mkdtempSync(join(tmpdir(), 'calyx-bench-'));
let files = 0;
function newFile(): string {
  files += 1;
  return join(folder, `${files}.db`);
}

function timesOf(group: number): number {
  return group === 1 ? 500 : Math.ceil(10_000 / group);
}

/** The median of several rounds: other work on the machine makes single ones slow. */
async function rate(name: string, commands: number, round: () => Promise<void> | void): Promise<Rate> {
  const seconds: number[] = [];
  await round();
  for (let turn = 0; turn < rounds; turn += 1) {
    const start = performance.now();
    await round();
    seconds.push((performance.now() - start) / 1000);
  }
  seconds.sort((left, right) => left - right);
  return { name, commandsPerSecond: commands / (seconds[Math.floor(rounds / 2)] ?? Number.NaN) };
}

async function install(store: Store): Promise<void> {
  await store.write(async (tx) => {
    const bought = { debit: '1/0/installed', credit: '1/0/unissued', amount: 1_000_000_000 };
    const postings = [{ kind: 'transfer', ...bought } as const];
    await tx.post({ log: 'server', kind: 'install', id: 'install', at: now, body: {}, postings });
    return ok(undefined);
  });
}

async function issue(store: Store, id: string): Promise<void> {
  const holder = `device-${id}`;
  await store.write(async (tx) => {
    const unit = await tx.balance('1/0/unissued');
    await tx.run('insert into meta (key, value) values (?, ?)', id, holder);
    const body = { holder, unit, product: 'ts-2012r2', type: 'device', lease: now + 5_000_000_000 };
    const postings = [{ kind: 'transfer', debit: '1/0/unissued', credit: '1/0/issued', amount: 1 } as const];
    await tx.post({ log: 'server', kind: 'issue', id, at: now, body, postings });
    return ok(unit);
  });
}

async function storeRate({ label, durable, group, id }: Setting): Promise<Rate> {
  const file = durable ? newFile() : memory;
  const store = openSqliteStore({ file, migrations: 'server', digest: nodeDigest, create: true });
  await install(store);
  const times = timesOf(group);
  const measured = await rate(`store, ${label}`, times * group, async () => {
    for (let time = 0; time < times; time += 1) {
      await Promise.all(Array.from({ length: group }, () => issue(store, id())));
    }
  });
  await store.close();
  return measured;
}

const rawTables = `
  create table meta (key text primary key, value text not null) without rowid;
  create table accounts (id text primary key, balance integer not null) without rowid;
  create table journal (log text not null, position integer not null, id text not null, kind text not null,
    at integer not null, text text not null, leaf blob not null, primary key (log, position), unique (log, id));`;

/** The same rows by hand, without rules, canonical text or hashes: what SQLite itself does here. */
async function rawRate({ label, durable, group, id }: Setting): Promise<Rate> {
  const db = new DatabaseSync(durable ? newFile() : memory);
  db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 4000');
  db.exec(rawTables);
  const row = db.prepare('insert into meta (key, value) values (?, ?)');
  const journal = db.prepare(
    'insert into journal (log, position, id, kind, at, text, leaf) values (?, ?, ?, ?, ?, ?, ?)',
  );
  const account = db.prepare(
    'insert into accounts (id, balance) values (?, ?) on conflict (id) do update set balance = excluded.balance',
  );
  const text = 'x'.repeat(320);
  const leaf = new Uint8Array(32);
  let position = 0;
  const command = () => {
    const name = id();
    row.run(name, `device-${name}`);
    journal.run('server', position, name, 'issue', now, text, leaf);
    account.run('1/0/unissued', position);
    account.run('1/0/issued', position);
    position += 1;
  };
  const times = timesOf(group);
  const measured = await rate(`node:sqlite, ${label}`, times * group, () => {
    for (let time = 0; time < times; time += 1) {
      db.exec('begin immediate');
      for (let one = 0; one < group; one += 1) command();
      db.exec('commit');
    }
  });
  db.close();
  return measured;
}

function print({ name, commandsPerSecond }: Rate): void {
  const number = (value: number) => Math.round(value).toLocaleString('en').padStart(9);
  const each = (1_000_000 / commandsPerSecond).toFixed(1).padStart(7);
  console.log(
    `${name.padEnd(46)} ${number(commandsPerSecond)} commands/s ${number(commandsPerSecond * rowsPerCommand)} rows/s ${each} µs each`,
  );
}

const durable = (group: number): Setting => ({
  label: group === 1 ? 'durable, one by one' : `durable, groups of ${group}`,
  durable: true,
  group,
  id: growingId,
});
const unordered: Setting = { ...durable(100), label: 'durable, groups of 100, random ids', id: randomId };
const inMemory: Setting = { label: 'memory, groups of 100', durable: false, group: 100, id: growingId };

const results: Rate[] = [];
for (const setting of [durable(1), durable(100), unordered, inMemory]) results.push(await rawRate(setting));
for (const setting of [
  durable(1),
  durable(8),
  durable(64),
  durable(100),
  durable(256),
  unordered,
  inMemory,
]) {
  results.push(await storeRate(setting));
}
rmSync(folder, { recursive: true });
for (const result of results) print(result);
if (process.argv.includes('--json')) {
  const rates = results.map(({ name, commandsPerSecond }) => [name, Math.round(commandsPerSecond)]);
  console.log(JSON.stringify({ rowsPerCommand, commandsPerSecond: Object.fromEntries(rates) }));
}
