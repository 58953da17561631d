/**
 * A license server that is killed while it goes on as a new one (protocol §5.5): at each step on the disk, and real
 * processes at any moment. Whoever starts it next finds one new server, and all that it had to take over.
 */
import assert from 'node:assert/strict';
import { chmodSync, cpSync, readdirSync, renameSync, rmdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemRandom } from '../src/platform/random.ts';
import type { OpenServer } from '../src/server/app.ts';
import { openServer } from '../src/server/app.ts';
import type { SuccessionOrder } from '../src/server/app-succession.ts';
import { finishSuccession, succeed } from '../src/server/app-succession.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { inTime } from './in-time.ts';
import type { Status } from './ten-steps/answers.ts';
import { openSite, supplyByTelephone } from './ten-steps/site.ts';
import * as acts from './world/acts.ts';
import { ask, events } from './world/dead.ts';
import type { World } from './world/world.ts';
import { makeWorld, value } from './world/world.ts';

/** In the order of a succession, whatever the disk holds. */
const steps = [
  ...[
    'secret',
    'sweep',
    'key',
    'database',
    'marker',
    'aside',
    'aside license-server.db',
    'aside license-server.db-sum',
    'aside license-server.key',
  ],
  ...['place license-server.db', 'place license-server.db-sum', 'place license-server.key', 'done'],
];

describe('killed at a step of the succession', () => {
  let world: World;
  let template = '';
  let instance = '';
  let home = '';
  let oldId = '';

  before(async () => {
    world = await makeWorld(100, { kit: false });
    const old = await acts.addConnected(world, 'LS', 10);
    oldId = acts.idOf(old);
    await acts.permanents(old, ['ws-1', 'ws-2', 'ws-3']);
    template = join(world.dir, 'template');
    instance = join(world.dir, 'template.instance');
    home = join(world.dir, 'LS');
    await world.reopen('LS', (at, beside) => {
      cpSync(at, template, { recursive: true });
      cpSync(beside, instance, { recursive: true });
    });
    await world.servers.get('LS')?.close();
  });
  after(() => world.close());

  const restore = (): void => {
    rmSync(home, { recursive: true });
    rmSync(`${home}.instance`, { recursive: true, force: true });
    cpSync(template, home, { recursive: true });
  };

  const order = (beforeStep: (step: string) => void): SuccessionOrder => ({
    clock: world.clock,
    random: systemRandom,
    cause: 'system-replaced',
    reason: 'redeployed',
    beforeStep,
  });

  const killAt =
    (at: string) =>
    (step: string): void => {
      if (step === at) throw new Error(`killed at ${step}`);
    };

  async function assertOne(server: OpenServer): Promise<void> {
    const status = await readStatus(server.context);
    assert.notEqual(status.licenseServerId, oldId);
    assert.deepEqual(
      status.successions.map(({ from, unissued }) => [from, unissued]),
      [[oldId, 7]],
    );
    assert.deepEqual(
      (await events(server)).filter((id) => id === 26),
      [26],
    );
    for (const holder of ['ws-1', 'ws-2', 'ws-3']) {
      assert.equal(value(await ask(server, holder)).kind, 'temporary', holder);
    }
    const left = readdirSync(home).filter((file) => /^(?:succession|before-)/.test(file));
    assert.equal(left.length, 1, left.join(' '));
    assert.deepEqual(readdirSync(join(home, left[0] ?? '')).sort(), [
      'license-server.db',
      'license-server.db-sum',
      'license-server.key',
    ]);
  }

  it('are all that there are', async () => {
    restore();
    const seen: string[] = [];
    await succeed(
      home,
      order((step) => seen.push(step)),
    );
    assert.deepEqual(seen, steps);
  });

  for (const step of steps) {
    it(`${step}: the next start finds one new server`, async () => {
      restore();
      await assert.rejects(succeed(home, order(killAt(step))), /killed/);
      const first = await openServer(home, { clock: world.clock });
      await assertOne(first);
      const id = acts.idOf(first);
      await first.close();
      const again = await openServer(home, { clock: world.clock });
      assert.equal(acts.idOf(again), id);
      await again.close();
    });
  }

  it('is none where the secret is there and others may read it: that is said, and nothing is changed', async () => {
    restore();
    cpSync(instance, `${home}.instance`, { recursive: true });
    const secret = join(`${home}.instance`, 'instance-secret');
    chmodSync(secret, 0o644);
    await assert.rejects(openServer(home, { clock: world.clock }), /others may get at/);
    chmodSync(secret, 0o600);
    const server = await openServer(home, { clock: world.clock });
    assert.equal(acts.idOf(server), oldId);
    await server.close();
  });

  it('is one where the secret is none any more; what was in its place is kept beside it', async () => {
    restore();
    cpSync(instance, `${home}.instance`, { recursive: true });
    truncateSync(join(`${home}.instance`, 'instance-secret'), 31);
    const server = await openServer(home, { clock: world.clock });
    await assertOne(server);
    await server.close();
    assert.ok(readdirSync(`${home}.instance`).includes('instance-secret.damaged'));
  });

  it('comes again where the files of before it are put back, whatever was seen here since', async () => {
    restore();
    const first = await openServer(home, { clock: world.clock });
    const firstId = acts.idOf(first);
    await first.close();
    const aside = readdirSync(home).find((name) => name.startsWith('before-')) ?? '';
    for (const name of readdirSync(join(home, aside))) renameSync(join(home, aside, name), join(home, name));
    rmdirSync(join(home, aside));
    const second = await openServer(home, { clock: world.clock });
    await assertOne(second);
    assert.notEqual(acts.idOf(second), firstId);
    await second.close();
  });

  for (const step of steps.slice(steps.indexOf('aside'))) {
    it(`${step}, and killed again while it is gone on with: no file is taken for the other one`, async () => {
      for (const next of steps.slice(steps.indexOf(step))) {
        restore();
        await assert.rejects(succeed(home, order(killAt(step))), /killed/);
        assert.throws(() => finishSuccession(home, killAt(next)), /killed/);
        const server = await openServer(home, { clock: world.clock });
        await assertOne(server);
        await server.close();
      }
    });
  }
});

it('a process that is killed at any moment of it leaves one new server in the end', async () => {
  const site = await openSite(100);
  const server = await site.addServer('LS-ONE', '--kit', site.kit);
  const { licenseServerId: oldId } = await server.status();
  await supplyByTelephone(site, server, 20);
  rmSync(join(site.dir, 'instances', 'ls-one'), { recursive: true });
  for (let waitMs = 250; waitMs <= 1200; waitMs += 50) {
    const started = server.begin('server', 'status');
    await Promise.race([started.ended, new Promise((resolve) => setTimeout(resolve, waitMs))]);
    started.child.kill('SIGKILL');
    await inTime('the end of the process', started.ended);
  }
  const status = await server.done<Status & { successions: readonly { from: string; unissued: number }[] }>(
    ...['server', 'status'],
  );
  assert.deepEqual(
    status.successions.map(({ from, unissued }) => [from, unissued]),
    [[oldId, 20]],
  );
  const left = readdirSync(server.data).filter((file) => /^(?:succession|before-)/.test(file));
  assert.equal(left.length, 1, left.join(' '));
  await site.close();
});
