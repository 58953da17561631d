/** What goes wrong on a disk: a license server with it does not start, in plain words, or answers as before. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { nodeDigest } from '../src/platform/digest.ts';
import { StoreFailure } from '../src/store/port.ts';
import { openSqliteStore } from '../src/store/sqlite.ts';
import type { Scene } from './backup/scene.ts';
import { makeScene } from './backup/scene.ts';
import { Calyx } from './ten-steps/program.ts';

const database = 'license-server.db';
const calyx = new Calyx();
let scene: Scene;
let other: Scene;
let folders = 0;

before(async () => {
  scene = await makeScene(40, 100);
  other = await makeScene(1, 10);
  await scene.server.close();
  await other.server.close();
});
after(async () => {
  await calyx.close();
  await scene.close();
  await other.close();
});

function copied(): string {
  folders += 1;
  const dir = join(scene.folder, `home-${folders}`);
  cpSync(scene.home, dir, { recursive: true });
  return dir;
}

const openIt = (file: string) => openSqliteStore({ file, migrations: 'server', digest: nodeDigest });

/** All that a database holds, row by row. */
function contents(file: string): string {
  const db = new DatabaseSync(file);
  try {
    const tables = db.prepare("select name from sqlite_schema where type = 'table' order by name").all();
    const rows = tables.map(({ name }) => [name, db.prepare(`select * from "${String(name)}"`).all()]);
    return JSON.stringify(rows, (_key, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
    );
  } finally {
    db.close();
  }
}

/** Numbers that are the same on each run. */
function makeNext(): (below: number) => number {
  let seed = 20261130;
  return (below) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return Math.floor((seed / 0x1_0000_0000) * below);
  };
}

describe('a database in which a bit has turned over', () => {
  it('is found at the start each of 2,000 times, or answers as before', async (t) => {
    const dir = copied();
    const file = join(dir, database);
    const sound = readFileSync(file);
    const seal = readFileSync(`${file}-sum`);
    const expected = contents(file);
    const next = makeNext();
    const seen = { found: 0, harmless: 0 };
    for (let round = 0; round < 2000; round += 1) {
      const bit = next(sound.length * 8);
      const bytes = Buffer.from(sound);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      for (const name of readdirSync(dir)) if (name.startsWith(`${database}-`)) rmSync(join(dir, name));
      writeFileSync(file, bytes);
      writeFileSync(`${file}-sum`, seal);
      try {
        await openIt(file).close();
        assert.equal(contents(file), expected, `bit ${bit} was not found`);
        seen.harmless += 1;
      } catch (error) {
        assert.ok(error instanceof StoreFailure && error.code === 'damaged', `bit ${bit}: ${String(error)}`);
        seen.found += 1;
      }
    }
    t.diagnostic(JSON.stringify(seen));
    assert.ok(seen.found > 1900);
  });

  it('is one that nobody mistakes for a copy that somebody has put there', async () => {
    const dir = copied();
    const file = join(dir, database);
    const older = readFileSync(file);
    const store = openIt(file);
    await store.write(async (tx) => {
      await tx.run("insert into meta (key, value) values ('later', '1')");
      return { ok: true, value: null };
    });
    await store.close();
    writeFileSync(file, older);
    await openIt(file).close();
    const cut = older.subarray(0, older.length - 4096);
    writeFileSync(file, cut);
    rmSync(`${file}-sum`);
    assert.throws(() => openIt(file), { code: 'damaged' });
  });

  it('keeps the seal of one that was only looked at', async () => {
    const file = join(copied(), database);
    const [bytes, seal] = [readFileSync(file), readFileSync(`${file}-sum`)];
    await openIt(file).close();
    assert.deepEqual([readFileSync(file), readFileSync(`${file}-sum`)], [bytes, seal]);
  });
});

/** A harm, the code of what the command says then, and its exit code. */
type Harm = readonly [name: string, harm: (dir: string) => void, code: string, exit: number];

const at = (name: string) => (dir: string) => join(dir, name);
const instance = (dir: string) => join(scene.folder, `instance-of-${dir.split('/').at(-1)}`);

const harms: readonly Harm[] = [
  [
    'a database that was cut short',
    (dir) => truncateSync(at(database)(dir), 4096 * 5),
    'database-damaged',
    4,
  ],
  ['a database that is empty', (dir) => truncateSync(at(database)(dir), 0), 'database-damaged', 4],
  ['a database that is gone', (dir) => rmSync(at(database)(dir)), 'database-damaged', 4],
  [
    'another file as database',
    (dir) => writeFileSync(at(database)(dir), 'x'.repeat(9000)),
    'database-damaged',
    4,
  ],
  [
    'settings that are cut short',
    (dir) => writeFileSync(at('config.json')(dir), '{"for'),
    'data-folder-damaged',
    4,
  ],
  ['no token', (dir) => rmSync(at('admin-token')(dir)), 'admin-token-missing', 1],
  [
    'a key in which a bit has turned over',
    (dir) => {
      const key = at('license-server.key')(dir);
      writeFileSync(
        key,
        readFileSync(key).map((byte, place) => (place === 40 ? byte ^ 1 : byte)),
      );
    },
    'key-file-damaged',
    4,
  ],
  [
    'a database of another license server',
    (dir) => {
      for (const name of [database, `${database}-sum`]) cpSync(join(other.home, name), join(dir, name));
    },
    'database-of-another',
    1,
  ],
  [
    'a secret that others may read',
    (dir) => chmodSync(join(instance(dir), 'instance-secret'), 0o644),
    'key-file-permissions',
    1,
  ],
];

describe('a data folder that is damaged', () => {
  for (const [name, harm, code, exit] of harms) {
    it(`${name}: ${code}, with the next step`, async () => {
      const dir = copied();
      cpSync(`${scene.home}.instance`, instance(dir), { recursive: true });
      const config = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8')) as { settings: object };
      const settings = { ...config.settings, instanceDir: instance(dir) };
      writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...config, settings }));
      harm(dir);
      const ended = await calyx.refused('server', 'status', '--data', dir);
      assert.deepEqual([ended.refused.code, ended.exit], [code, exit], ended.refused.message);
    });
  }

  it('with its log lost has an earlier state, and nothing that is half of one', async () => {
    const dir = copied();
    const file = join(dir, database);
    const script = `
      import { openSqliteStore } from '${join(import.meta.dirname, '../src/store/sqlite.ts')}';
      import { nodeDigest } from '${join(import.meta.dirname, '../src/platform/digest.ts')}';
      const store = openSqliteStore({ file: '${file}', migrations: 'server', digest: nodeDigest });
      await store.write(async (tx) => { await tx.run("update meta set value = '9' where key = 'salt'"); return { ok: true, value: null }; });
      process.kill(process.pid, 'SIGKILL');`;
    const before = contents(file);
    const killed = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script]);
    assert.equal(killed.signal, 'SIGKILL', String(killed.stderr));
    assert.ok(existsSync(`${file}-wal`));
    rmSync(`${file}-wal`);
    await openIt(file).close();
    assert.equal(contents(file), before);
  });
});
