/**
 * Ways in which units once got stuck or into the wrong hands: unread codes across a certificate, a move on
 * trial, another server's CALs, a list that grew without end.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { contactClearinghouse, settleByContact } from '../src/server/usecases/contact.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { returnByTelephone } from '../src/server/usecases/give-back.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { requestActivation } from '../src/server/usecases/requests.ts';
import { returnLicense, validateLicense } from '../src/server/usecases/return-license.ts';
import { startMove } from '../src/server/usecases/start-move.ts';
import { heartbeatByTelephone } from '../src/server/usecases/telephone-move.ts';
import { activateByContact, books, confirm, connect, contact, counts, idOf, setUp } from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { fromServer, tell } from './world/forge.ts';
import { takeSnapshot } from './world/snapshot.ts';
import { agreement, makeWorld, product, refusalOf, value } from './world/world.ts';

const type = 'device';

it('a return that nobody has read yet is heard before the server gets a certificate', async () => {
  const world = await makeWorld(100);
  const server = await world.addServer('LS', { kit: true, connected: true });
  await setUp(world, server, 100);
  const told = value(await returnByTelephone(server.context, { product, type, quantity: 30 }));
  const asked = value(await requestActivation(server.context, { agreement }));
  const refused = refusalOf(await settleByContact(server.context, asked.id));
  assert.deepEqual(refused, { code: 'earlier-code-missing', kind: 'returned' });
  assert.deepEqual(await books(world), [0, 100, 0]);
  await confirm(world, told.code);
  await activateByContact(server);
  assert.deepEqual(await books(world), [30, 70, 0]);
  assert.equal((await counts(server))[0], 70);
  await assertConserved(world);
  await world.close();
});

it('a target on trial gives nothing back and moves nothing on, and the trial can be ended well', async () => {
  const world = await makeWorld(100, { kit: false });
  const old = await world.addServer('LS-OLD', { connected: true });
  const next = await world.addServer('LS-NEW', { connected: true });
  await connect(old, 100);
  await connect(next, 0);
  const order = { agreement, to: idOf(next), product, type, quantity: 40, reason: 'replaced' } as const;
  value(await startMove(old.context, { ...order, hold: true }));
  await contact(old, next, old, next);
  const closing = await deactivateServer(next.context, { returnUnissued: true, by: 'message' });
  assert.equal(refusalOf(closing).code, 'move-open');
  value(await startMove(old.context, { ...order, hold: false }));
  await contact(old, next, old, next);
  assert.deepEqual(await books(world), [0, 100, 0]);
  assert.deepEqual([(await counts(old))[0], (await counts(next))[0]], [60, 40]);
  await world.close();
});

it('a server that knows the agreement number cannot ask for the CALs of another', async () => {
  const world = await makeWorld(100, { kit: false });
  const victim = await world.addServer('LS-OLD', { connected: true });
  const thief = await world.addServer('LS-NEW', { connected: true });
  await connect(victim, 60);
  await connect(thief, 0);
  const source = idOf(victim);
  const body = {
    agreement,
    product,
    type,
    quantity: 'all',
    source,
    target: idOf(thief),
    reason: 'replaced',
    hold: false,
  };
  await tell(world, await fromServer(world, thief, { t: 'move-request', move: 'steal-1', body }));
  for (const server of [victim, thief, victim]) await contactClearinghouse(server.context, { waitMs: 0 });
  assert.deepEqual(await counts(victim), [60, 0, 60, 0, 0, 0]);
  await world.close();
});

it('the list of revoked tokens ends at a thousand, and heartbeats do not run the ratchet away', async () => {
  const world = await makeWorld(100);
  const server = await world.addServer('LS', { kit: true });
  await setUp(world, server, 5);
  const name = { product, type, holder: 'ws-1' } as const;
  value(await requestLicense(server.context, name));
  value(await validateLicense(server.context, name));
  let longest = 0;
  for (let round = 0; round < 1100; round += 1) {
    longest = Math.max(longest, value(await requestLicense(server.context, name)).bundleText.length);
    value(await returnLicense(server.context, name));
  }
  assert.ok(longest < 90_000, `a bundle of ${longest} characters`);
  const codes = new Set<string>();
  for (let call = 0; call < 20; call += 1) codes.add(value(await heartbeatByTelephone(server.context)).code);
  assert.equal(codes.size, 1);
  await assertConserved(world);
  await world.close();
});

it('strangers cannot fill the disk with refusals, and keep nobody from activating meanwhile', async () => {
  const world = await makeWorld(100, { kit: false });
  const stranger = await world.addServer('LS-STRANGER', { connected: true });
  const body = { agreement, line: 0, quantity: 1 };
  const knock = async (): Promise<string> =>
    refusalOf(await tell(world, await fromServer(world, stranger, { t: 'return', body }))).code;
  for (let round = 0; round < 100; round += 1) assert.equal(await knock(), 'server-unknown');
  const programs = [{ name: 'clearinghouse', store: world.clearinghouse.store }];
  const stored = await takeSnapshot(programs);
  assert.equal(await knock(), 'strangers-limited');
  assert.deepEqual(await takeSnapshot(programs), stored);
  const customer = await world.addServer('LS', { connected: true });
  await connect(customer, 10);
  assert.deepEqual(await books(world), [90, 10, 0]);
  world.clock.advanceDays(1);
  assert.equal(await knock(), 'server-unknown');
  await world.close();
});
