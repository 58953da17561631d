/** The look that a running license server takes at itself every hour (protocol §5.2), here every few milliseconds. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { RawSignals } from '../src/platform/machine-signals.ts';
import type { OpenServer } from '../src/server/app.ts';
import { openServer } from '../src/server/app.ts';
import { startService } from '../src/server/service.ts';
import { listEvents, readStatus } from '../src/server/usecases/status.ts';
import { until } from './in-time.ts';
import * as acts from './world/acts.ts';
import type { World } from './world/world.ts';
import { makeWorld } from './world/world.ts';

const machine = { machineId: 'a', rootFilesystem: null, installedAt: null, volume: null } as const;

let world: World;
let server: OpenServer;
let stop: () => Promise<void>;
/** What the firmware says; null: it cannot be asked. */
let hardware: string | null = 'one';

const signals = (): RawSignals => {
  if (hardware === null) throw new Error('the firmware does not answer');
  return { ...machine, hardware };
};

beforeEach(async () => {
  hardware = 'one';
  world = await makeWorld(100);
  const made = await world.addServer('LS-1', { kit: true });
  await acts.setUp(world, made, 10);
  await made.close();
  server = await openServer(join(world.dir, 'LS-1'), { clock: world.clock, signals });
  await acts.permanent(server, 'ws-1');
  stop = startService(server.context, { lookEveryMs: 5 });
});

afterEach(async () => {
  await stop();
  await server.close();
  await world.close();
});

const eventsOf = async (number: number) =>
  (await listEvents(server.context, { cursor: '', limit: 1000 })).items.filter(({ id }) => id === number);

describe('the look of every hour', () => {
  it('finds another machine while the service runs, and nothing new is given out from then on', async () => {
    assert.equal((await readStatus(server.context)).past, null);
    hardware = 'two';
    const past = await until('the doubt', async () => (await readStatus(server.context)).past ?? undefined);
    assert.deepEqual([past.state, past.reason], ['doubted', 'machine-changed']);
    assert.deepEqual(await acts.counts(server), [10, 1, 0, 0, 0, 9]);
    assert.equal((await acts.permanent(server, 'ws-2')).kind, 'temporary');
    assert.equal((await eventsOf(5042)).length, 1);
  });

  it('that fails is told in the System log, keeps nobody waiting, and is taken again', async () => {
    hardware = null;
    const [told] = await until('its failure', async () => {
      const found = await eventsOf(5046);
      return found.length === 0 ? undefined : found;
    });
    assert.match(
      told?.text ?? '',
      /could not be looked at: the firmware does not answer\. Licenses are given/,
    );
    assert.equal(told?.level, 'error');
    assert.equal((await acts.permanent(server, 'ws-2')).kind, 'permanent');
    assert.equal((await readStatus(server.context)).past, null);
    hardware = 'two';
    const past = await until('the doubt', async () => (await readStatus(server.context)).past ?? undefined);
    assert.equal(past.reason, 'machine-changed');
  });
});
