import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { adminTokenFile, beginDataFolder, openDataFolder, writeSettings } from './data-folder.ts';
import { acquireLock, readLock } from './data-folder-lock.ts';
import { Failure } from './failure.ts';
import { systemRandom } from './random.ts';

function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'calyx-folder-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function madeFolder(t: TestContext): string {
  const dir = join(scratch(t), 'ls');
  beginDataFolder(dir, { kind: 'server', random: systemRandom }).finish({ name: 'LS-OLD' });
  return dir;
}

const failsWith = (code: string) => (error: unknown) => error instanceof Failure && error.code === code;

const modeOf = (path: string): number => statSync(path).mode & 0o777;

describe('a data folder', () => {
  it('is for its owner only, and opens as it was made', (t) => {
    const dir = madeFolder(t);
    assert.equal(modeOf(dir), 0o700);
    assert.equal(modeOf(adminTokenFile(dir)), 0o600);
    assert.equal(modeOf(join(dir, 'config.json')), 0o600);
    const folder = openDataFolder(dir, 'server');
    assert.equal(folder.kind, 'server');
    assert.deepEqual(folder.settings, { name: 'LS-OLD' });
    assert.match(folder.adminToken, /^cal_[A-Za-z0-9_-]{43}$/);
    assert.deepEqual(readLock(dir), { state: 'free' });
  });

  it('keeps changed settings, and its token', (t) => {
    const dir = madeFolder(t);
    const before = openDataFolder(dir);
    writeSettings(before, { name: 'LS-NEW', clearinghouse: 'http://127.0.0.1:7400' });
    const after = openDataFolder(dir);
    assert.deepEqual(after.settings, { name: 'LS-NEW', clearinghouse: 'http://127.0.0.1:7400' });
    assert.equal(after.adminToken, before.adminToken);
    assert.deepEqual(
      readdirSync(dir).filter((name) => name.endsWith('.new')),
      [],
    );
  });

  it('names the command that makes one where there is none', (t) => {
    const dir = scratch(t);
    const missing = join(dir, 'missing');
    assert.throws(
      () => openDataFolder(missing, 'server'),
      (error) => {
        assert.ok(failsWith('data-folder-missing')(error));
        assert.match((error as Failure).next, /calyx server init --data .*missing --bundle FILE/);
        return true;
      },
    );
    assert.throws(
      () => openDataFolder(dir, 'clearinghouse'),
      (error) => {
        assert.ok(failsWith('data-folder-unknown')(error));
        assert.match((error as Failure).next, /calyx clearinghouse init/);
        return true;
      },
    );
  });

  it('is not taken for another kind, or for one of a newer version', (t) => {
    const dir = madeFolder(t);
    assert.throws(() => openDataFolder(dir, 'clearinghouse'), failsWith('data-folder-wrong-kind'));
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ format: 2, kind: 'server', settings: {} }));
    assert.throws(() => openDataFolder(dir, 'server'), failsWith('data-folder-newer'));
    writeFileSync(join(dir, 'config.json'), '{"format": 1, "ki');
    assert.throws(() => openDataFolder(dir, 'server'), failsWith('data-folder-damaged'));
  });

  it('is made only where nothing else is', (t) => {
    const dir = madeFolder(t);
    const options = { kind: 'server', random: systemRandom } as const;
    assert.throws(() => beginDataFolder(dir, options), failsWith('data-folder-exists'));
    const foreign = join(scratch(t), 'photos');
    mkdirSync(foreign);
    writeFileSync(join(foreign, 'holiday.jpg'), '');
    assert.throws(() => beginDataFolder(foreign, options), failsWith('data-folder-not-empty'));
    assert.deepEqual(readdirSync(foreign), ['holiday.jpg']);
  });

  it('cannot be opened before it is finished, and is begun anew after a killed init', (t) => {
    const dir = join(scratch(t), 'ls');
    const options = { kind: 'server', random: systemRandom } as const;
    const first = beginDataFolder(dir, options);
    writeFileSync(join(dir, 'half.db'), 'half');
    assert.throws(() => openDataFolder(dir), failsWith('data-folder-unknown'));
    assert.throws(() => beginDataFolder(dir, options), failsWith('data-folder-busy'));
    first.abandon();
    const second = beginDataFolder(dir, options);
    assert.equal(existsSync(join(dir, 'half.db')), false);
    assert.notEqual(second.adminToken, first.adminToken);
    const folder = second.finish({});
    assert.equal(openDataFolder(dir).adminToken, folder.adminToken);
    assert.equal(existsSync(join(dir, 'init-unfinished')), false);
  });

  it('says so where the account may not write', { skip: process.platform !== 'linux' }, () => {
    // In /sys not even root makes folders.
    const begin = () => beginDataFolder('/sys/calyx', { kind: 'server', random: systemRandom });
    assert.throws(begin, failsWith('data-folder-not-writable'));
  });
});

const lockModule = new URL('./data-folder-lock.ts', import.meta.url).href;

/** A process that takes the lock when told to, says `got` or `busy`, and keeps it. */
const contender = `
import { acquireLock } from ${JSON.stringify(lockModule)};
process.stdin.once('data', () => {
  try {
    const lock = acquireLock(process.argv[1]);
    if (process.argv[2]) lock.publish(process.argv[2]);
    console.log('got');
  } catch (error) {
    console.log(error.code === 'data-folder-busy' ? 'busy' : error.stack);
  }
});
console.log('ready');
`;

interface Contender {
  readonly child: ChildProcess;
  /** The next line that it says. */
  readonly hear: () => Promise<string>;
  readonly go: () => void;
}

async function startContender(t: TestContext, dir: string, address = ''): Promise<Contender> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', contender, dir, address], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const { stdin, stdout } = child;
  const lines: string[] = [];
  let wake = (): void => undefined;
  stdout.on('data', (data: Buffer) => {
    lines.push(...data.toString().trim().split('\n'));
    wake();
  });
  const hear = async (): Promise<string> => {
    while (lines.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return lines.shift() ?? '';
  };
  assert.equal(await hear(), 'ready');
  return { child, hear, go: () => stdin.write('go\n') };
}

async function kill({ child }: Contender): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

describe('the lock of a data folder', () => {
  it('is held once, also within one process, and can be taken again after its release', (t) => {
    const dir = scratch(t);
    const lock = acquireLock(dir);
    assert.deepEqual(readLock(dir), { state: 'held', pid: process.pid });
    assert.throws(() => acquireLock(dir), failsWith('data-folder-busy'));
    lock.publish('http://127.0.0.1:7410');
    const running = readLock(dir);
    assert.ok(running.state === 'running');
    assert.equal(running.address, 'http://127.0.0.1:7410');
    assert.equal(running.pid, process.pid);
    lock.release();
    lock.release();
    assert.deepEqual(readLock(dir), { state: 'free' });
    assert.equal(existsSync(join(dir, 'lock.json')), false);
    acquireLock(dir).release();
  });

  it('goes to one of many that want it at once, and to one of the rest when that one is killed', async (t) => {
    const dir = scratch(t);
    const contenders = await Promise.all(Array.from({ length: 5 }, () => startContender(t, dir)));
    for (const each of contenders) each.go();
    const said = await Promise.all(contenders.map((each) => each.hear()));
    assert.deepEqual(said.toSorted(), ['busy', 'busy', 'busy', 'busy', 'got']);
    const winner = contenders[said.indexOf('got')];
    assert.ok(winner);
    assert.deepEqual(readLock(dir), { state: 'held', pid: winner.child.pid });
    await kill(winner);
    // Its note is still there, and nobody is taken in by it.
    assert.ok(existsSync(join(dir, 'lock.json')));
    assert.deepEqual(readLock(dir), { state: 'free' });
    const heirs = await Promise.all(Array.from({ length: 4 }, () => startContender(t, dir)));
    for (const each of heirs) each.go();
    const heard = await Promise.all(heirs.map((each) => each.hear()));
    assert.deepEqual(heard.toSorted(), ['busy', 'busy', 'busy', 'got']);
  });

  it('tells where its holder listens', async (t) => {
    const dir = scratch(t);
    const holder = await startContender(t, dir, 'http://127.0.0.1:7999');
    holder.go();
    assert.equal(await holder.hear(), 'got');
    const state = readLock(dir);
    assert.ok(state.state === 'running');
    assert.deepEqual([state.address, state.pid], ['http://127.0.0.1:7999', holder.child.pid]);
    assert.throws(
      () => acquireLock(dir),
      (error) => {
        assert.ok(failsWith('data-folder-busy')(error));
        assert.match((error as Failure).message, /127\.0\.0\.1:7999/);
        return true;
      },
    );
  });

  it('is not taken in by a number that another process has now', {
    skip: process.platform !== 'linux',
  }, async (t) => {
    const dir = scratch(t);
    const holder = await startContender(t, dir, 'http://127.0.0.1:7999');
    holder.go();
    assert.equal(await holder.hear(), 'got');
    // As if the note were left over from a dead process whose number this one got.
    const note = JSON.parse(readFileSync(join(dir, 'lock.json'), 'utf8'));
    writeFileSync(join(dir, 'lock.json'), JSON.stringify({ ...note, pid: process.pid, processStart: '1' }));
    assert.deepEqual(readLock(dir), { state: 'held', pid: null });
  });
});
