/** The commands that restore a license server, on real processes and files. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Scene } from './backup/scene.ts';
import { makeScene } from './backup/scene.ts';
import { Calyx } from './ten-steps/program.ts';
import { Machine } from './ten-steps/site.ts';

const program = join(import.meta.dirname, '../src/bin/calyx.ts');
const calyx = new Calyx();
let scene: Scene;
let server: Machine;
const at = (name: string): string => join(scene.folder, name);
const withKey = (): readonly string[] => ['--in', at('backup'), '--key', at('key.txt')];

interface Answer {
  readonly restored: boolean;
  readonly secret: string;
  readonly outlook: string;
  readonly kept: string | null;
  readonly present: readonly { readonly issued: number }[] | null;
}

before(async () => {
  scene = await makeScene(10);
  await scene.server.close();
  await scene.world.clearinghouse.close();
  server = new Machine(calyx, { name: 'LS-OLD', kind: 'server', data: scene.home });
  await server.done('server', 'backup-key', '--out', at('key.txt'));
  await server.done('server', 'backup', '--out', at('backup'));
});
after(async () => {
  await calyx.close();
  await scene.close();
});

describe('calyx server restore', () => {
  it('says in words what a restore here would give, beside a running service', async () => {
    await server.serve();
    const rehearsed = await server.done<Answer>('server', 'restore', '--rehearse', ...withKey());
    assert.partialDeepStrictEqual(rehearsed, { restored: false, secret: 'present', kept: null });
    assert.equal(rehearsed.present?.[0]?.issued, 10);
    const page = await server.page('server', 'verify', ...withKey());
    assert.match(page, /Verdict: sound/);
    assert.match(page, /Instance secret: +opens the key/);
    assert.match(page, /Unissued/);
    const { refused } = await server.refused('server', 'restore', ...withKey());
    assert.equal(refused.code, 'data-folder-busy');
    await server.stop();
  });

  it('restores, is started, and is confirmed', async () => {
    const restored = await server.done<Answer>('server', 'restore', ...withKey());
    assert.partialDeepStrictEqual(restored, { restored: true, secret: 'present' });
    assert.ok(statSync(restored.kept ?? '').isDirectory());
    const { packs } = await server.done<{ packs: readonly { issued: number; unissued: number }[] }>(
      ...['server', 'status'],
    );
    assert.partialDeepStrictEqual(packs[0], { issued: 10, unissued: 90 });
    const removed = await server.done('server', 'restore', '--confirm');
    assert.deepEqual(removed, { removed: [restored.kept] });
    const { refused } = await server.refused('server', 'restore', '--undo');
    assert.equal(refused.code, 'restore-nothing-kept');
  });

  it('restores into a new folder, with the command that it prints', async () => {
    const data = at('new-home');
    const instance = `${scene.home}.instance`;
    const page = await calyx.page(
      'server',
      'restore',
      '--yes',
      ...withKey(),
      '--data',
      data,
      '--instance',
      instance,
    );
    assert.match(page, /Restored: the state of/);
    const there = new Machine(calyx, { name: 'NEW', kind: 'server', data });
    assert.match(await there.page('server', 'status'), /LS-OLD/);
  });

  it('asks for what it needs, and takes one thing at a time', async () => {
    for (const words of [
      ['--in', at('backup')],
      ['--key', at('key.txt')],
      ['--confirm', '--undo'],
      ['--confirm', ...withKey()],
    ]) {
      const { exit } = await calyx.run('server', 'restore', ...words, '--data', scene.home);
      assert.equal(exit, 2, words.join(' '));
    }
    const { refused } = await calyx.refused(
      'server',
      'restore',
      ...withKey(),
      '--data',
      join(scene.world.dir, 'ch'),
    );
    assert.equal(refused.code, 'data-folder-wrong-kind');
  });

  it('without room leaves what was there', { skip: process.platform === 'win32' }, async () => {
    const blocks = Math.floor(statSync(join(scene.home, 'license-server.db')).size / 512) - 4;
    const words = ['server', 'restore', ...withKey(), '--data', scene.home, '--json'];
    const shell = `ulimit -f ${blocks} && exec "$@"`;
    const ended = spawnSync('sh', ['-c', shell, 'sh', process.execPath, program, ...words], {
      encoding: 'utf8',
    });
    assert.equal(ended.status, 1, ended.stdout + ended.stderr);
    const { refused } = JSON.parse(ended.stdout) as { refused: { code: string } };
    assert.equal(refused.code, 'disk-full');
    const { packs } = await server.done<{ packs: readonly { issued: number }[] }>('server', 'status');
    assert.equal(packs[0]?.issued, 10);
    rmSync(at('new-home'), { recursive: true, force: true });
  });
});
