/** The commands of backups on real processes and files: while a load runs, killed, without room, over a network. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { BackupManifest } from '../src/protocol/backup-manifest.ts';
import type { Scene } from './backup/scene.ts';
import { makeScene } from './backup/scene.ts';
import { until } from './in-time.ts';
import { Calyx } from './ten-steps/program.ts';
import { Machine } from './ten-steps/site.ts';
import { product } from './world/world.ts';

const program = join(import.meta.dirname, '../src/bin/calyx.ts');

let scene: Scene;
let server: Machine;
let clearinghouse: Machine;
const calyx = new Calyx();
const at = (name: string): string => join(scene.folder, name);

before(async () => {
  scene = await makeScene(10, 1000);
  // The folders are served by processes of their own from here on.
  await scene.server.close();
  await scene.world.clearinghouse.close();
  server = new Machine(calyx, { name: 'LS-OLD', kind: 'server', data: scene.home });
  clearinghouse = new Machine(calyx, {
    ...{ name: 'clearinghouse', kind: 'clearinghouse', data: join(scene.world.dir, 'ch') },
  });
});
after(async () => {
  await calyx.close();
  await scene.close();
});

type Verified = {
  readonly verdict: string;
  readonly opened: boolean;
  readonly backup: (BackupManifest & { readonly parts: readonly string[] }) | null;
  readonly findings: readonly { readonly code: string }[];
};

const verified = (file: string, key = 'key.txt'): Promise<Verified> =>
  calyx.done<Verified>('server', 'verify', '--in', file, '--key', at(key));

const left = (): readonly string[] => {
  const folder = join(scene.home, 'backups');
  return existsSync(folder) ? readdirSync(folder) : [];
};

describe('calyx server backup-key', () => {
  it('is what backup asks for first', async () => {
    const { exit, refused } = await server.refused('server', 'backup', '--out', at('too-early'));
    assert.deepEqual([exit, refused.code], [1, 'backup-key-missing']);
    assert.match(await server.page('server', 'backup'), /calyx server backup-key --out KEY-FILE/);
  });

  it('writes the private key for its owner, and tells the server the public one', async () => {
    const made = await server.done<{ recipient: string }>('server', 'backup-key', '--out', at('key.txt'));
    assert.equal(statSync(at('key.txt')).mode & 0o777, 0o600);
    const text = readFileSync(at('key.txt'), 'utf8');
    assert.match(text, /^AGE-SECRET-KEY-1[0-9A-Z]+$/m);
    assert.ok(text.includes(made.recipient));
    for (const file of readdirSync(scene.home)) {
      const path = join(scene.home, file);
      if (statSync(path).isFile()) assert.ok(!readFileSync(path).includes('AGE-SECRET-KEY-1'), file);
    }
  });

  it('replaces a key only with --replace, and keeps no file of one that was refused', async () => {
    const { refused } = await server.refused('server', 'backup-key', '--out', at('second.txt'));
    assert.equal(refused.code, 'backup-key-exists');
    assert.ok(!existsSync(at('second.txt')));
    const there = await server.refused('server', 'backup-key', '--replace', '--out', at('key.txt'));
    assert.equal(there.refused.code, 'file-exists');
    const { recipient } = await server.done<{ recipient: string }>(
      ...['server', 'backup-key', '--replace', '--out', at('second.txt')],
    );
    const first = /public key: (age1\S+)/.exec(readFileSync(at('key.txt'), 'utf8'))?.[1] ?? '';
    assert.notEqual(recipient, first);
    const back = await server.done('server', 'backup-key', '--replace', '--recipient', first);
    assert.deepEqual(back, { recipient: first, file: null });
  });
});

describe('calyx server backup', () => {
  it('writes a backup where no service runs, which verifies, and leaves nothing in the data folder', async () => {
    const made = await server.done<{ file: string; bytes: number }>('server', 'backup', '--out', at('idle'));
    assert.equal(made.bytes, statSync(at('idle')).size);
    assert.equal(statSync(at('idle')).mode & 0o777, 0o600);
    const { verdict, opened, backup } = await verified(at('idle'));
    assert.deepEqual([verdict, opened, backup?.lines[0]?.issued], ['ok', true, 10]);
    assert.deepEqual(left(), []);
    const again = await server.refused('server', 'backup', '--out', at('idle'));
    assert.equal(again.refused.code, 'file-exists');
    const nowhere = await server.refused('server', 'backup', '--out', at('nowhere/idle'));
    assert.equal(nowhere.refused.code, 'file-not-writable');
    assert.match(await server.page('server', 'status'), /Last backup: +\d{4}-\d\d-\d\d/);
  });

  it('is refused together with what is for the schedule', async () => {
    const { exit } = await calyx.run(
      'server',
      'backup',
      '--data',
      scene.home,
      '--out',
      at('x'),
      '--keep',
      '3',
    );
    assert.equal(exit, 2);
  });

  it('sets, shows and ends a schedule', async () => {
    mkdirSync(at('kept'));
    await server.done('server', 'backup', '--every', '1d', '--keep', '3', '--folder', at('kept'));
    const shown = await server.done<{ settings: object; next: string | null }>('server', 'backup');
    assert.partialDeepStrictEqual(shown.settings, { every: '1d', keep: 3, folder: at('kept') });
    assert.notEqual(shown.next, null);
    const address = await server.serve();
    assert.match(address, /^http:/);
    await until('the first of the schedule', () =>
      readdirSync(at('kept')).find((name) => /^LS-OLD-.*p$/.test(name)),
    );
    await server.done('server', 'backup', '--every', 'off', '--no-folder');
    await server.stop();
    const off = await server.done<{ settings: object }>('server', 'backup');
    assert.partialDeepStrictEqual(off.settings, { every: null, folder: null });
  });
});

/** Devices that sign in and get a permanent license, one after the other, until told to stop; how many did. */
async function signIn(address: string, prefix: string, going: () => boolean): Promise<number> {
  const put = async (path: string, method = 'PUT'): Promise<Response> => {
    const answer = await fetch(`${address}/v1/licenses/${product}/devices/${path}`, { method });
    assert.ok(answer.ok, `${path}: ${await answer.clone().text()}`);
    return answer;
  };
  let done = 0;
  while (going()) {
    const device = `${prefix}-${done}`;
    await (await put(device)).text();
    await (await put(`${device}/validate`, 'POST')).text();
    const answer = (await (await put(device)).json()) as { kind: string };
    assert.equal(answer.kind, 'permanent');
    done += 1;
  }
  return done;
}

describe('a backup under load', () => {
  it('is sound and holds all that was answered before it; the server loses nothing', async (t) => {
    const address = await server.serve();
    const counts = [0, 0, 0, 0];
    let going = true;
    const loads = counts.map((_, load) =>
      signIn(address, `LOAD${load}`, () => {
        counts[load] = (counts[load] ?? 0) + 1;
        return going && (counts[load] ?? 0) <= 200;
      }),
    );
    const sum = (): number => counts.reduce((all, one) => all + one, 0);
    for (let round = 0; round < 3; round += 1) {
      const [earlier, name] = [sum() - 2 * counts.length, at(`hot-${round}`)];
      // Over HTTP and not through the folder, as somebody would from another machine.
      writeFileSync(at('token'), server.token);
      await calyx.done('server', 'backup', '--out', name, '--url', address, '--token-file', at('token'));
      const { verdict, findings, backup } = await verified(name);
      assert.deepEqual([verdict, findings], ['ok', []]);
      const issued = (backup?.lines[0]?.issued ?? 0) - 10;
      assert.ok(issued >= earlier && issued <= sum(), `${earlier} ≤ ${issued} ≤ ${sum()}`);
      assert.deepEqual(left(), []);
    }
    going = false;
    const done = (await Promise.all(loads)).reduce((all, one) => all + one, 0);
    t.diagnostic(`${done} devices signed in meanwhile`);
    assert.ok(done > 50);
    const { packs } = await server.done<{ packs: readonly { issued: number }[] }>('server', 'status');
    assert.equal(packs[0]?.issued, 10 + done);
    await server.stop();
  });
});

describe('a backup that is killed', () => {
  it('leaves nothing that stays', async () => {
    let seen = 0;
    for (let round = 0; round < 3; round += 1) {
      const begun = server.begin('server', 'backup', '--out', at(`killed-${round}`));
      const parts = await until('its files', () => {
        const found = left();
        return found.length > 0 || begun.child.exitCode !== null ? found : undefined;
      });
      begun.child.kill('SIGKILL');
      await begun.ended;
      seen += parts.length;
      await server.done('server', 'backup');
      assert.deepEqual(
        left().filter((name) => !name.endsWith('.calyx-backup')),
        [],
      );
    }
    assert.ok(seen > 0, 'none was killed in the middle');
  });
});

/** Runs a command that may write files of so many bytes at most; the system refuses to write more. */
async function withRoomFor(
  bytes: number,
  words: readonly string[],
): Promise<{ exit: number; stdout: string }> {
  const blocks = Math.floor(bytes / 512);
  const shell = [
    '-c',
    `ulimit -f ${blocks} && exec "$@"`,
    'sh',
    process.execPath,
    program,
    ...words,
    '--json',
  ];
  const child = spawn('sh', shell, { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const [exit] = await once(child, 'close');
  return { exit: exit as number, stdout };
}

describe('a backup without room', { skip: process.platform === 'win32' }, () => {
  it('is refused in words, whether there is none for the copy or for the file, and leaves nothing', async () => {
    const before = left();
    const copied = (await verified(at('hot-2'))).backup?.plain.bytes ?? 0;
    for (const bytes of [copied - 2048, copied + 512]) {
      const words = ['server', 'backup', '--data', scene.home, '--out', at('no-room')];
      const { exit, stdout } = await withRoomFor(bytes, words);
      const { refused } = JSON.parse(stdout) as { refused: { code: string; message: string } };
      assert.deepEqual([exit, refused.code], [1, 'backup-failed'], stdout);
      assert.match(refused.message, /does not take what is written|larger than this account may write/);
      assert.deepEqual([left(), existsSync(at('no-room'))], [before, false]);
    }
    assert.equal(
      (await server.done<{ last: { problem: string | null } }>('server', 'backup')).last.problem === null,
      false,
    );
    await server.done('server', 'backup', '--out', at('room'));
    assert.equal((await verified(at('room'))).verdict, 'ok');
  });
});

describe('calyx server verify', () => {
  it('says what it cannot see without the key', async () => {
    const page = await calyx.page('server', 'verify', '--in', at('idle'));
    assert.match(page, /sound, as far as can be seen without the key/);
    assert.match(page, /Not\s+checked: what is within/);
  });

  it('ends with 4 where anything is broken, and tells it from a wrong key and a wrong file name', async () => {
    const bytes = readFileSync(at('idle'));
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(at('broken'), bytes);
    const { exit, stdout } = await calyx.run('server', 'verify', '--in', at('broken'), '--json');
    const { verdict, findings } = JSON.parse(stdout) as Verified;
    assert.deepEqual([exit, verdict, findings.map(({ code }) => code)], [4, 'broken', ['sealed-altered']]);
    const other = await calyx.refused('server', 'verify', '--in', at('idle'), '--key', at('second.txt'));
    assert.deepEqual([other.exit, other.refused.code], [1, 'backup-key-other']);
    const missing = await calyx.refused('server', 'verify', '--in', at('not-there'));
    assert.deepEqual([missing.exit, missing.refused.code], [1, 'file-unreadable']);
    const noKey = await calyx.run('server', 'verify', '--in', at('idle'), '--key', at('idle'));
    assert.equal(noKey.exit, 2);
  });
});

describe('calyx clearinghouse backup', () => {
  it('holds the publisher’s keys, never the root key, and verifies against its own trust list', async () => {
    const missing = await clearinghouse.refused('clearinghouse', 'backup', '--out', at('ch'));
    assert.match(missing.refused.next, /calyx clearinghouse backup-key/);
    await clearinghouse.done('clearinghouse', 'backup-key', '--out', at('ch-key.txt'));
    await clearinghouse.done('clearinghouse', 'backup', '--out', at('ch'));
    const { verdict, backup, findings } = await verified(at('ch'), 'ch-key.txt');
    assert.deepEqual([verdict, findings], ['ok', []]);
    assert.deepEqual([backup?.kind, backup?.agreements, backup?.servers], ['clearinghouse', 1, 1]);
    assert.deepEqual(backup?.parts, [
      'config.json',
      'confirmations.key',
      'issue.seed',
      'kit.seed',
      'publisher-bundle.json',
    ]);
    assert.match(
      await calyx.page('clearinghouse', 'verify', '--in', at('ch'), '--key', at('ch-key.txt')),
      /Clearinghouse of: +Sample Publisher/,
    );
  });
});
