/** Moves by automatic connection and by files carried by hand, on real stores. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { listMoves } from '../src/clearinghouse/usecases/desk-moves.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyAnswerFile } from '../src/server/usecases/apply-message.ts';
import { requestActivation, requestInstall } from '../src/server/usecases/requests.ts';
import { startMove } from '../src/server/usecases/start-move.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import * as acts from './world/acts.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

const type = 'device';

/** One round of the stick: request file of a server, answer file for it and its partners. */
async function carry(world: World, from: OpenServer, to: readonly OpenServer[]): Promise<void> {
  const answer = await acts.answerTo(world, from);
  for (const server of to) await applyAnswerFile(server.context, answer);
}

async function activateAndInstall(world: World, server: OpenServer, quantity: number): Promise<void> {
  value(await requestActivation(server.context, { agreement }));
  await carry(world, server, [server]);
  if (quantity === 0) return;
  value(await requestInstall(server.context, { agreement, product, type, quantity }));
  await carry(world, server, [server]);
}

it('activates, installs, moves and closes by automatic connection', async () => {
  const world = await makeWorld();
  const old = await world.addServer('LS-OLD', { connected: true });
  const next = await world.addServer('LS-NEW', { connected: true });
  await acts.connect(old, 500);
  await acts.connect(next, 0);
  assert.deepEqual(await acts.counts(old), [500, 0, 500, 0, 0, 0]);
  const origins = new Map<string, string | null>();
  for (let index = 0; index < 15; index += 1)
    origins.set(`ws-${index}`, (await acts.permanent(old, `ws-${index}`)).origin);
  const to = acts.idOf(next);
  const order = { agreement, to, product, type, quantity: 'all', reason: 'replaced', hold: false } as const;
  value(await startMove(old.context, order));
  for (let round = 0; round < 5; round += 1) await acts.contact(old, next);
  const [move] = (await listMoves(world.clearinghouse.context, { after: '', limit: 10 })).items;
  assert.equal(move?.state, 'closed');
  assert.deepEqual(await acts.counts(old), [0, 0, 0, 0, 0, 0]);
  assert.deepEqual(await acts.counts(next), [500, 0, 485, 0, 15, 0]);
  for (const [holder, origin] of origins) assert.equal((await acts.permanent(next, holder)).origin, origin);
  assert.deepEqual(await acts.counts(next), [500, 15, 485, 0, 0, 0]);
  await acts.closeByContact(old, false);
  assert.equal((await readStatus(old.context)).activation, 'deactivated');
  assert.deepEqual(await acts.books(world), [500, 500, 0]);
  await world.close();
});

it('does the same by files carried by hand', async () => {
  const world = await makeWorld();
  const old = await world.addServer('LS-OLD');
  const next = await world.addServer('LS-NEW');
  await activateAndInstall(world, old, 40);
  await activateAndInstall(world, next, 0);
  const origins = new Map<string, string | null>();
  for (let index = 0; index < 15; index += 1)
    origins.set(`ws-${index}`, (await acts.permanent(old, `ws-${index}`)).origin);
  const to = acts.idOf(next);
  const order = { agreement, to, product, type, quantity: 30, reason: 'replaced', hold: false } as const;
  value(await startMove(old.context, order));
  await carry(world, old, [old, next]);
  assert.deepEqual(await acts.counts(old), [40, 10, 0, 30, 0, 0]);
  await carry(world, old, [old, next]);
  assert.deepEqual(await acts.counts(next), [30, 0, 25, 0, 5, 0]);
  await carry(world, next, [old, next]);
  assert.deepEqual(await acts.counts(old), [10, 10, 0, 0, 0, 0]);
  await carry(world, old, [old, next]);
  const [move] = (await listMoves(world.clearinghouse.context, { after: '', limit: 10 })).items;
  assert.equal(move?.state, 'closed');
  assert.deepEqual(await acts.books(world), [960, 40, 0]);
  await world.close();
});
