/**
 * An idempotency key is its caller's: two license servers that are told something under the same key, as one script
 * tells all of them, ask for two different things (promise 3, protocol §1.1).
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, it } from 'node:test';
import type { OpenServer } from '../src/server/app.ts';
import { settleByContact } from '../src/server/usecases/contact.ts';
import { requestInstall } from '../src/server/usecases/requests.ts';
import { listMoves, startMove } from '../src/server/usecases/start-move.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, refusalOf, value } from './world/world.ts';

const line = { agreement, product, type: 'device' } as const;
const requestId = 'the-same';

let world: World;
let one: OpenServer;
let other: OpenServer;
let target: OpenServer;

beforeEach(async () => {
  world = await makeWorld(100, { kit: false });
  [one, other, target] = await Promise.all([
    acts.addConnected(world, 'LS-1', 2),
    acts.addConnected(world, 'LS-2', 3),
    acts.addConnected(world, 'LS-T', 0),
  ]);
});

afterEach(async () => {
  await assertConserved(world);
  await world.close();
});

const move = async (from: OpenServer, to: OpenServer) =>
  value(
    await startMove(from.context, {
      ...{ ...line, to: acts.idOf(to), quantity: 'all', reason: 'replaced', hold: false, requestId },
    }),
  );

it('both of two servers move what they have', async () => {
  await move(one, target);
  await move(other, target);
  for (let round = 0; round < 4; round += 1) await acts.contact(one, other, target);
  assert.deepEqual(await acts.counts(target), [5, 0, 5, 0, 0, 0]);
  for (const server of [one, other]) {
    assert.deepEqual(
      (await listMoves(server.context)).map(({ state }) => state),
      ['closed'],
    );
  }
});

it('a target moves on what it got, and is not shown the move that brought it', async () => {
  await move(one, target);
  for (let round = 0; round < 4; round += 1) await acts.contact(one, target);
  const back = await move(target, one);
  assert.deepEqual([back.role, back.resumed], ['source', false]);
  for (let round = 0; round < 4; round += 1) await acts.contact(one, target);
  assert.deepEqual(await acts.counts(one), [2, 0, 2, 0, 0, 0]);
});

it('both install what they ask for', async () => {
  for (const [server, quantity] of [
    [one, 7],
    [other, 5],
  ] as const) {
    const asked = value(await requestInstall(server.context, { ...line, quantity, requestId }));
    value(await settleByContact(server.context, asked.id));
  }
  assert.deepEqual([(await acts.counts(one))[0], (await acts.counts(other))[0]], [9, 8]);
});

it('a move of something else under the same key is refused, on the server itself', async () => {
  const asked = await move(one, target);
  assert.equal((await move(one, target)).id, asked.id);
  const order = { ...line, to: acts.idOf(target), reason: 'replaced', hold: false, requestId } as const;
  for (const change of [{ quantity: 1 }, { quantity: 'all', to: acts.idOf(other) }] as const) {
    const refused = refusalOf(await startMove(one.context, { ...order, ...change }));
    assert.deepEqual(refused, { code: 'idempotency-key-reused', id: requestId });
  }
});
