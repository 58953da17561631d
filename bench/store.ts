/**
 * The store against bare node:sqlite, in one run: durable commands per second one by one and in
 * groups, and what a command costs without the disk. `node bench/store.ts [--json]`.
 *
 * One command is what handing out a CAL posts: a journal entry, two account changes and one row.
 */
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
const at = 1_700_000_000_000;

const folder = mkdtempSync(join(tmpdir(), 'calyx-bench-'));
let files = 0;

function newFile(): string {
  files += 1;
  return join(folder, `${files}.db`);
}

/** Ids that grow with time, as those of programs do, so that an index is appended to. */
let ids = 0;
function nextId(): string {
  ids += 1;
  return `op-${String(ids).padStart(12, '0')}`;
}

function openStore(file: string): Store {
  return openSqliteStore({ file, migrations: 'server', digest: nodeDigest, create: true });
}

async function fill(store: Store): Promise<void> {
  await store.write(async (tx) => {
    await tx.post({
      log: 'server',
      kind: 'install',
      id: nextId(),
      at,
      body: {},
      postings: [{ kind: 'transfer', debit: '1/0/installed', credit: '1/0/unissued', amount: 1_000_000_000 }],
    });
    return ok(undefined);
  });
}

async function issue(store: Store): Promise<void> {
  const id = nextId();
  const holder = `device-${id}`;
  const issued = await store.write(async (tx) => {
    const free = await tx.balance('1/0/unissued');
    await tx.run('insert into meta (key, value) values (?, ?)', id, holder);
    await tx.post({
      log: 'server',
      kind: 'issue',
      id,
      at,
      body: { holder, unit: free, product: 'ts-2012r2', type: 'device', lease: at + 5_000_000_000 },
      postings: [{ kind: 'transfer', debit: '1/0/unissued', credit: '1/0/issued', amount: 1 }],
    });
    return ok(free);
  });
  if (!issued.ok) throw new Error(issued.error.code);
}

/** The same rows by hand, without rules, canonical text or hashes: what SQLite itself can do here. */
function rawCommands(file: string): { readonly db: DatabaseSync; readonly command: () => void } {
  const store = openStore(file);
  void store.close();
  const db = new DatabaseSync(file === ':memory:' ? file : file);
  db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 4000');
  db.exec('create table raw_journal (log text not null, position integer not null, id text not null, kind text not null, at integer not null, text text not null, leaf blob not null, primary key (log, position), unique (log, id))');
  db.exec('create table raw_accounts (id text primary key, balance integer not null)');
  db.exec('create table raw_meta (key text primary key, value text not null)');
  const journal = db.prepare('insert into raw_journal (log, position, id, kind, at, text, leaf) values (?, ?, ?, ?, ?, ?, ?)');
  const account = db.prepare('insert into raw_accounts (id, balance) values (?, ?) on conflict (id) do update set balance = excluded.balance');
  const row = db.prepare('insert into raw_meta (key, value) values (?, ?)');
  const text = 'x'.repeat(320);
  const leaf = new Uint8Array(32);
  let position = 0;
  const command = () => {
    const id = nextId();
    row.run(id, `device-${id}`);
    journal.run('server', position, id, 'issue', at, text, leaf);
    account.run('1/0/unissued', position);
    account.run('1/0/issued', position);
    position += 1;
  };
  return { db, command };
}

interface Rate {
  readonly name: string;
  readonly commandsPerSecond: number;
}

/** The median of several rounds: other work on the machine makes single ones slow. */
async function rate(name: string, commands: number, round: () => Promise<void> | void): Promise<Rate> {
  const seconds: number[] = [];
  await round();
  for (let at = 0; at < rounds; at += 1) {
    const start = performance.now();
    await round();
    seconds.push((performance.now() - start) / 1000);
  }
  seconds.sort((left, right) => left - right);
  return { name, commandsPerSecond: commands / (seconds[Math.floor(rounds / 2)] ?? Number.NaN) };
}

async function storeRates(file: string, label: string, groups: readonly number[]): Promise<Rate[]> {
  const rates: Rate[] = [];
  for (const group of groups) {
    const store = openStore(file === ':memory:' ? file : newFile());
    await fill(store);
    const times = group === 1 ? 500 : Math.ceil(10_000 / group);
    rates.push(
      await rate(`store, ${label}, groups of ${group}`, times * group, async () => {
        for (let time = 0; time < times; time += 1) await Promise.all(Array.from({ length: group }, () => issue(store)));
      }),
    );
    await store.close();
  }
  return rates;
}

async function rawRates(file: string, label: string, groups: readonly number[]): Promise<Rate[]> {
  const rates: Rate[] = [];
  for (const group of groups) {
    const { db, command } = rawCommands(file === ':memory:' ? file : newFile());
    const times = group === 1 ? 500 : Math.ceil(10_000 / group);
    rates.push(
      await rate(`node:sqlite, ${label}, groups of ${group}`, times * group, () => {
        for (let time = 0; time < times; time += 1) {
          db.exec('begin immediate');
          for (let one = 0; one < group; one += 1) command();
          db.exec('commit');
        }
      }),
    );
    db.close();
  }
  return rates;
}

const results = [
  ...(await rawRates('file', 'durable', [1, 100])),
  ...(await storeRates('file', 'durable', [1, 8, 64, 100, 256])),
  ...(await rawRates(':memory:', 'memory', [100])),
  ...(await storeRates(':memory:', 'memory', [1, 100])),
];
rmSync(folder, { recursive: true });
for (const { name, commandsPerSecond } of results) {
  const rows = commandsPerSecond * rowsPerCommand;
  const each = 1_000_000 / commandsPerSecond;
  console.log(
    `${name.padEnd(36)} ${Math.round(commandsPerSecond).toLocaleString('en').padStart(9)} commands/s ${Math.round(rows).toLocaleString('en').padStart(9)} rows/s ${each.toFixed(1).padStart(7)} µs each`,
  );
}
if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ rowsPerCommand, commandsPerSecond: Object.fromEntries(results.map(({ name, commandsPerSecond }) => [name, Math.round(commandsPerSecond)])) }));
}
