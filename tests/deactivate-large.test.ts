/** A license server that gives up more CALs than one code can tell (two bytes, protocol §3.4) is deactivated by several. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, it } from 'node:test';
import { startDeskMove } from '../src/clearinghouse/usecases/start-move.ts';
import type { CalType } from '../src/core/product.ts';
import type { OpenServer } from '../src/server/app.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { freezeByTelephone } from '../src/server/usecases/telephone-move.ts';
import { assertSound } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

const each = 40_000;

let world: World;
let old: OpenServer;
let next: OpenServer;

beforeEach(async () => {
  world = await makeWorld(200_000, { kit: false });
  await acts.sell(world, { quantity: 200_000, type: 'user' });
  old = await world.addServer('LS-OLD', { connected: true });
  next = await world.addServer('LS-NEW', { connected: true });
  for (const server of [old, next]) await acts.activateByContact(server);
  for (const type of ['device', 'user'] as const) await acts.installByContact(old, { quantity: each, type });
});

afterEach(async () => {
  await assertConserved(world);
  await assertSound(world);
  await world.close();
});

async function freeze(type: CalType): Promise<void> {
  const [from, to] = [acts.idOf(old), acts.idOf(next)];
  const asked = { agreement, from, to, product, type, quantity: 'all', reason: 'replaced' } as const;
  value(await startDeskMove(world.clearinghouse.context, { ...asked, requestId: acts.newRequest() }));
  const frozen = value(await freezeByTelephone(old.context, { product, type, to, quantity: 'all' }));
  await acts.typeCode(next, String((await acts.confirm(world, frozen.code)).code), { quantity: each });
}

const deactivate = async () =>
  value(await deactivateServer(old.context, { returnUnissued: true, by: 'telephone' }));

it('releases two moves with a code each, and every CAL is where it was to go', async () => {
  await freeze('device');
  await freeze('user');
  const { codes, unissued, held } = await deactivate();
  assert.deepEqual(
    codes.map(({ kind, unissued: told }) => [kind, told]),
    [
      ['released', each],
      ['released', each],
      ['deactivated', 0],
    ],
  );
  assert.deepEqual([unissued, held], [2 * each, 0]);
  for (const { code } of codes) await acts.confirm(world, code);
  for (const type of ['device', 'user'] as const) {
    assert.deepEqual(await acts.counts(next, type), [each, 0, each, 0, 0, 0]);
  }
  // Whoever lost the note is shown the same codes again.
  const again = await deactivate();
  assert.deepEqual(
    again.codes.slice(-3).map(({ code }) => code),
    codes.map(({ code }) => code),
  );
});

it('gives back what is unissued with as many codes as it takes', async () => {
  await acts.installByContact(old, { quantity: each });
  const { codes } = await deactivate();
  assert.deepEqual(
    codes.map(({ kind, unissued }) => [kind, unissued]),
    [
      ['returned', 65_535],
      ['returned', 2 * each - 65_535],
      ['returned', each],
      ['deactivated', 0],
    ],
  );
  for (const { code } of codes) await acts.confirm(world, code);
  const [inHand, committed] = await acts.books(world);
  assert.deepEqual([inHand, committed], [200_000, 0]);
});
