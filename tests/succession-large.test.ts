/** A new license server knows everybody who had a temporary license of the one before, however many they are (protocol §5.5). */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, it } from 'node:test';
import type { OpenServer } from '../src/server/app.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import type { World } from './world/world.ts';
import { makeWorld, product, value } from './world/world.ts';

let world: World;

beforeEach(async () => {
  world = await makeWorld(100);
});
afterEach(() => world.close());

/** More than are read from the old database at once. */
const devices = Array.from({ length: 2_100 }, (_, at) => `pc-${at}`);

const ask = async ({ context }: OpenServer) =>
  Promise.all(
    devices.map(async (holder) => value(await requestLicense(context, { product, type: 'device', holder }))),
  );

it('takes over more temporary licenses than one page of them has', async () => {
  const given = await ask(await world.addServer('LS-1', { kit: true }));
  assert.ok(given.every(({ kind, status }) => kind === 'temporary' && status === 'issued'));
  const next = await world.reopen('LS-1', (_, instance) => rmSync(instance, { recursive: true }));
  const again = await ask(next);
  assert.ok(again.every(({ kind, status }) => kind === 'temporary' && status === 'unchanged'));
  const ends = (licenses: typeof given) => licenses.map(({ expiresAt }) => expiresAt);
  assert.deepEqual(ends(again), ends(given));
});
