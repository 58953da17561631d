/** Restoring a license server: whole or not at all, killed at each step, onto the same machine and another one. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Restored } from '../src/backup/restore-backup.ts';
import { restoreBackup } from '../src/backup/restore-backup.ts';
import { confirmRestore, undoRestore } from '../src/backup/undo-restore.ts';
import { systemClock } from '../src/platform/clock.ts';
import { acquireLock } from '../src/platform/data-folder-lock.ts';
import { Failure } from '../src/platform/failure.ts';
import { systemRandom } from '../src/platform/random.ts';
import { openServer } from '../src/server/app.ts';
import { restorable } from '../src/server/app-restore.ts';
import { lookAtSeal } from '../src/store/sqlite-seal.ts';
import type { Scene } from './backup/scene.ts';
import { makeScene } from './backup/scene.ts';
import { counts, install, permanent } from './world/acts.ts';

const child = join(import.meta.dirname, 'backup/restore-child.ts');
/** Of a server that is in doubt after it: CALs were installed since, and what was unissued is set aside (protocol §5.2). */
const withCounts = { backup: [100, 20, 0, 0, 0, 80], present: [110, 25, 85, 0, 0, 0] } as const;

let scene: Scene;
let backup: string;
let keyFile: string;
let folders = 0;

before(async () => {
  scene = await makeScene(20);
  const { backups } = scene.server.context;
  const set = await backups.change({ recipient: scene.recipient });
  assert.ok(set.ok);
  const started = await backups.start({ scheduled: false });
  assert.ok(started.ok);
  await backups.settled();
  backup = join(scene.folder, 'backup');
  cpSync(started.value.file, backup);
  rmSync(started.value.file);
  keyFile = join(scene.folder, 'key.txt');
  writeFileSync(keyFile, `${scene.identities.join('\n')}\n`);
  for (let at = 0; at < 5; at += 1) await permanent(scene.server, `LATER-${at}`);
  await install(scene.world, scene.server, { quantity: 10 });
});
after(() => scene.close());

/** The instance folder of the scene, copied beside a data folder: its mark is written on by who is started there. */
function withInstance(dir: string): string {
  cpSync(`${scene.home}.instance`, `${dir}.instance`, { recursive: true });
  return dir;
}

/** The folder as a program that was killed leaves it: with what is committed in its log only. */
function killedFolder(): string {
  folders += 1;
  const dir = withInstance(join(scene.folder, `home-${folders}`));
  cpSync(scene.home, dir, { recursive: true, filter: (path) => !/lock\.(?:json|sqlite)/.test(path) });
  const config = readFileSync(join(dir, 'config.json'), 'utf8');
  writeFileSync(join(dir, 'config.json'), config.replace(`${scene.home}.instance`, `${dir}.instance`));
  assert.ok(statSync(join(dir, 'license-server.db-wal')).size > 0);
  return dir;
}

function order(dir: string, more: Partial<Parameters<typeof restoreBackup>[0]> = {}) {
  const { identities } = scene;
  const world = { clock: systemClock, random: systemRandom };
  return { file: backup, identities, dir, of: restorable, rehearse: false, ...world, ...more };
}

const restore = (dir: string, more: Partial<Parameters<typeof restoreBackup>[0]> = {}): Promise<Restored> =>
  restoreBackup(order(dir, more));

/** What a program that is started there finds; it is stopped again. */
async function found(dir: string): Promise<readonly number[]> {
  const server = await openServer(dir, { clock: scene.world.clock });
  try {
    return await counts(server);
  } finally {
    await server.close();
  }
}

async function failureOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Failure, String(error));
  assert.notEqual(error.next, '');
  return error.code;
}

const leftOver = (dir: string): readonly string[] =>
  readdirSync(dir).filter((name) => /^(?:restore|\.calyx|before)/.test(name));

describe('a restore on the same machine', () => {
  it('brings back what the backup holds, and keeps what was there until it is confirmed', async () => {
    const dir = killedFolder();
    const { done, verified } = await restore(dir);
    assert.equal(verified.verdict, 'ok');
    assert.deepEqual([done?.secret, done?.outlook], ['present', 'revalidate']);
    assert.partialDeepStrictEqual(done?.present, [{ installed: 110, issued: 25, unissued: 85 }]);
    assert.ok(!existsSync(join(dir, 'license-server.db-wal')));
    assert.deepEqual(await found(dir), withCounts.backup);
    assert.ok(existsSync(join(done?.kept ?? '', 'license-server.db-wal')));
    const removed = confirmRestore(dir, restorable);
    assert.deepEqual([removed, leftOver(dir)], [[done?.kept], []]);
    assert.throws(() => confirmRestore(dir, restorable), { code: 'restore-nothing-kept' });
  });

  it('puts a database there that is known to be as it was closed, so that the next start is a short one', async () => {
    const dir = killedFolder();
    const database = join(dir, 'license-server.db');
    const { done } = await restoreBackup(order(dir));
    assert.ok(lookAtSeal(database).same);
    // The seal of what was there goes with it.
    const server = await openServer(dir);
    await server.close();
    const again = await restoreBackup(order(dir));
    assert.ok(lookAtSeal(database).same);
    assert.ok(!existsSync(join(done?.kept ?? '', 'license-server.db-sum')));
    assert.ok(existsSync(join(again.done?.kept ?? '', 'license-server.db-sum')));
  });

  it('is undone as long as it has not worked', async () => {
    const dir = killedFolder();
    await restore(dir);
    const { kept } = await undoRestore(dir, restorable, systemClock);
    assert.ok(existsSync(join(kept, 'license-server.db')));
    assert.deepEqual(await found(dir), withCounts.present);
    assert.deepEqual(leftOver(dir).length, 1);
  });

  it('is not undone once it was started', async () => {
    const dir = killedFolder();
    await restore(dir);
    assert.deepEqual(await found(dir), withCounts.backup);
    assert.equal(await failureOf(undoRestore(dir, restorable, systemClock)), 'restore-served');
    assert.deepEqual(await found(dir), withCounts.backup);
  });

  it('needs the folder for itself', async () => {
    const dir = killedFolder();
    const lock = acquireLock(dir);
    assert.equal(await failureOf(restore(dir)), 'data-folder-busy');
    lock.release();
    assert.deepEqual([leftOver(dir), await found(dir)], [[], withCounts.present]);
  });

  it('rehearsed changes nothing, also while the program has the folder', async () => {
    const dir = killedFolder();
    const lock = acquireLock(dir);
    const before = readdirSync(dir).sort();
    const { done } = await restore(dir, { rehearse: true });
    assert.deepEqual([done?.secret, done?.outlook, done?.kept], ['present', 'revalidate', null]);
    lock.release();
    const after = readdirSync(dir).filter((name) => !name.startsWith('lock.'));
    assert.deepEqual(
      after.filter((name) => !before.includes(name)),
      [],
    );
    assert.deepEqual(await found(dir), withCounts.present);
  });

  it('brings back a folder of which the settings, the token, the key or the database are damaged or gone', async () => {
    const harms: readonly ((dir: string) => void)[] = [
      (dir) => writeFileSync(join(dir, 'config.json'), '{"form'),
      (dir) => rmSync(join(dir, 'config.json')),
      (dir) => rmSync(join(dir, 'admin-token')),
      (dir) => writeFileSync(join(dir, 'license-server.key'), 'no key'),
      (dir) => rmSync(join(dir, 'license-server.key')),
      (dir) => writeFileSync(join(dir, 'license-server.db'), Buffer.alloc(8192, 7)),
      (dir) => rmSync(join(dir, 'license-server.db')),
    ];
    for (const harm of harms) {
      const dir = killedFolder();
      harm(dir);
      const { done } = await restore(dir);
      assert.equal(done?.secret, 'present');
      assert.deepEqual(await found(dir), withCounts.backup);
    }
  });

  it('that is broken changes nothing', async () => {
    const dir = killedFolder();
    const bytes = readFileSync(backup);
    bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
    const broken = join(scene.folder, 'broken');
    writeFileSync(broken, bytes);
    const { verified, done } = await restore(dir, { file: broken });
    assert.deepEqual([verified.verdict, done], ['broken', null]);
    assert.deepEqual([leftOver(dir), await found(dir)], [[], withCounts.present]);
  });
});

describe('a restore that is killed', () => {
  const run = (dir: string, killAt: number) => {
    const words = [child, backup, keyFile, dir, String(killAt)];
    return spawnSync(process.execPath, words, { encoding: 'utf8' });
  };

  it('at any step leaves the state before or that of the backup, whole, and the next start settles it', async () => {
    const all = run(killedFolder(), -1);
    assert.equal(all.status, 0, all.stderr);
    const steps = JSON.parse(all.stdout) as readonly string[];
    const commit = steps.indexOf('commit');
    assert.ok(commit >= 0 && steps.length > 8, all.stdout);
    for (const [at, step] of steps.entries()) {
      const dir = killedFolder();
      const killed = run(dir, at);
      assert.equal(killed.signal, 'SIGKILL', `${step}: ${killed.stderr}`);
      const expected = at <= commit ? withCounts.present : withCounts.backup;
      assert.deepEqual(await found(dir), expected, `killed before: ${step}`);
      const left = leftOver(dir);
      assert.equal(left.length, at <= commit ? 0 : 1, `${step}: ${left.join(' ')}`);
    }
  });

  it('into a new folder leaves none, or a whole one', async () => {
    const all = run(withInstance(join(scene.folder, 'new-all')), -1);
    const steps = JSON.parse(all.stdout) as readonly string[];
    assert.ok(steps.includes('finish'), all.stdout);
    for (const [at, step] of steps.entries()) {
      const dir = withInstance(join(scene.folder, `new-${at}`));
      assert.equal(run(dir, at).signal, 'SIGKILL', step);
      assert.ok(!existsSync(join(dir, 'config.json')), step);
      await restore(dir);
      assert.ok(existsSync(join(dir, 'admin-token')));
      assert.deepEqual(await found(dir), withCounts.backup);
    }
  });
});

describe('a restore elsewhere', () => {
  it('is refused where another license server lives, also where only its database can say so', async () => {
    const other = await scene.world.addServer('LS-OTHER', { kit: true });
    await other.close();
    const dir = join(scene.world.dir, 'LS-OTHER');
    assert.equal(await failureOf(restore(dir)), 'backup-of-another');
    rmSync(join(dir, 'license-server.key'));
    assert.equal(await failureOf(restore(dir, { rehearse: true })), 'backup-of-another');
    assert.deepEqual(leftOver(dir), []);
  });

  it('is refused in a folder of somebody else', async () => {
    const dir = join(scene.folder, 'letters');
    mkdirSync(dir);
    writeFileSync(join(dir, 'letter.txt'), 'Dear');
    assert.equal(await failureOf(restore(dir)), 'data-folder-unknown');
    assert.equal(await failureOf(restore(join(scene.world.dir, 'ch'))), 'data-folder-wrong-kind');
  });

  it('without the instance secret says what follows, and puts the files there', async () => {
    const dir = join(scene.folder, 'replaced');
    const instanceDir = join(scene.folder, 'no-secret');
    const { done } = await restore(dir, { instanceDir });
    assert.deepEqual([done?.secret, done?.outlook, done?.kept], ['absent', 'system-replaced', null]);
    assert.ok(!existsSync(instanceDir));
    const config = readFileSync(join(dir, 'config.json'), 'utf8');
    assert.ok(config.includes(JSON.stringify(instanceDir)));
    assert.ok(existsSync(join(dir, 'license-server.db')));
  });

  it('under another secret says that the key does not open', async () => {
    const other = await scene.world.addServer('LS-SECRET');
    await other.close();
    const instanceDir = join(scene.world.dir, 'LS-SECRET.instance');
    const { done } = await restore(join(scene.folder, 'other-secret'), { instanceDir });
    assert.deepEqual([done?.secret, done?.outlook], ['undecryptable', 'system-replaced']);
  });
});
