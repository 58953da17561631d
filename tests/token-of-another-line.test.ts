/** A token of the source draws CALs of the product and agreement that it names, and of no other that came from there. */
import assert from 'node:assert/strict';
import { afterEach, it } from 'node:test';
import { addProduct } from '../src/clearinghouse/usecases/products.ts';
import { startDeskMove } from '../src/clearinghouse/usecases/start-move.ts';
import type { OpenServer } from '../src/server/app.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { validateLicense } from '../src/server/usecases/return-license.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import { assertSound } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { makeWorld, product, value } from './world/world.ts';

const older = 'ts-2008';
const second = '5555555';
let world: World;

afterEach(async () => {
  await assertConserved(world);
  await world.close();
});

async function ask(
  server: OpenServer,
  holder: string,
  { of, shown }: { readonly of: string; readonly shown?: LicenseAnswer },
) {
  const request = { product: of, type: 'device', holder } as const;
  return value(
    await requestLicense(server.context, {
      ...request,
      ...(shown === undefined ? {} : { source: acts.sourceOf(shown) }),
    }),
  );
}

async function permanent(server: OpenServer, holder: string, of: string): Promise<LicenseAnswer> {
  const first = await ask(server, holder, { of });
  if (first.kind === 'permanent') return first;
  value(await validateLicense(server.context, { product: of, type: 'device', holder }));
  return ask(server, holder, { of });
}

it('not with the token of an older product of the same family', async () => {
  world = await makeWorld(1, { kit: false });
  value(
    await addProduct(world.clearinghouse.context, { id: older, name: 'TS 2008', family: 'ts', version: 8 }),
  );
  await acts.sell(world, { quantity: 1, product: older });
  const from = await world.addServer('LS-OLD', { connected: true });
  const to = await world.addServer('LS-NEW', { connected: true });
  for (const server of [from, to]) await acts.activateByContact(server);
  await acts.installByContact(from, { quantity: 1, product: older });
  const ofOlder = await permanent(from, 'w1', older);
  await acts.installByContact(from, { quantity: 1 });
  const own = await permanent(from, 'w2', product);
  await acts.moveByTelephone(world, { from, to });
  assert.equal((await ask(to, 'w1', { of: product, shown: ofOlder })).kind, 'temporary');
  const came = await ask(to, 'w2', { of: product, shown: own });
  assert.deepEqual([came.kind, came.origin], ['permanent', own.origin]);
  await assertSound(world);
});

it('not with the token of another agreement', async () => {
  world = await makeWorld(1, { kit: false });
  await acts.sell(world, { quantity: 1, agreement: second });
  const from = await world.addServer('LS-OLD', { connected: true });
  const to = await world.addServer('LS-NEW', { connected: true });
  for (const server of [from, to]) {
    await acts.activateByContact(server);
    await acts.activateByContact(server, second);
  }
  await acts.installByContact(from, { quantity: 1 });
  const ofFirst = await permanent(from, 'w1', product);
  await acts.installByContact(from, { quantity: 1, agreement: second });
  const own = await permanent(from, 'w2', product);
  const line = { product, type: 'device', agreement: second } as const;
  const ends = { from: acts.idOf(from), to: acts.idOf(to) };
  const call = {
    ...line,
    ...ends,
    quantity: 'all',
    reason: 'replaced',
    requestId: acts.newRequest(),
  } as const;
  value(await startDeskMove(world.clearinghouse.context, call));
  const order = { ...line, to: ends.to, quantity: 'all' } as const;
  await acts.confirm(world, value(await freezeByTelephone(from.context, order)).code);
  const told = value(await releaseByTelephone(from.context, line));
  await acts.typeCode(to, String((await acts.confirm(world, told.code)).code), { from: ends.from });
  assert.equal((await ask(to, 'w1', { of: product, shown: ofFirst })).kind, 'temporary');
  const came = await ask(to, 'w2', { of: product, shown: own });
  assert.deepEqual([came.kind, came.origin], ['permanent', own.origin]);
});
