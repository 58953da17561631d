/** Moves to a target whose chains have no room, on real stores: what was frozen for them is its source's again. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { listMoves } from '../src/server/usecases/start-move.ts';
import { assertSound } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { makeWorld } from './world/world.ts';

const many = 40_000;
const ends = ['ws-1', 'ws-2'];

it('a kit slot that is used up: the freeze is refused, the move ends, and the CALs are in use where they were', async () => {
  const world = await makeWorld(2 * many);
  const old = await world.addServer('LS-OLD', { kit: true, connected: true });
  const next = await world.addServer('LS-NEW', { kit: true, connected: true });
  for (const server of [old, next]) {
    await acts.setUp(world, server, 0);
    await acts.installByContact(server, { quantity: many });
  }
  await acts.permanents(old, ends);
  const move = await acts.askMove(old, next);
  await acts.contact(old, old);
  assert.equal(await acts.stateOf(world, move), 'aborted');
  await acts.contact(old);
  assert.deepEqual(await acts.counts(old), [many, 2, many - 2, 0, 0, 0]);
  assert.equal((await listMoves(old.context)).find(({ id }) => id === move)?.state, 'undone');
  assert.deepEqual(await acts.books(world), [0, 2 * many, 0]);
  await assertConserved(world);
  await assertSound(world);
  await world.close();
});

it('two moves into one certificate together: the second is its source’s again, and comes when it is asked for anew', async () => {
  const world = await makeWorld(2 * many, { kit: false });
  const first = await acts.addConnected(world, 'LS-1', many);
  const second = await acts.addConnected(world, 'LS-2', many);
  const next = await acts.addConnected(world, 'LS-NEW', 0);
  await acts.permanents(second, ends);
  const one = await acts.askMove(first, next);
  const other = await acts.askMove(second, next);
  await acts.contact(first, second, first, second);
  assert.deepEqual(
    [await acts.stateOf(world, one), await acts.stateOf(world, other)],
    ['granted', 'aborted'],
  );
  await acts.contact(second);
  assert.deepEqual(await acts.counts(second), [many, 2, many - 2, 0, 0, 0]);
  await acts.contact(next, next, first, first, next);
  assert.equal(await acts.stateOf(world, one), 'closed');
  const again = await acts.askMove(second, next);
  await acts.contact(second, second, next, next, second, second, next);
  assert.equal(await acts.stateOf(world, again), 'closed');
  assert.deepEqual((await acts.counts(next)).slice(0, 1), [2 * many]);
  for (const holder of ends) assert.equal((await acts.permanent(next, holder)).kind, 'permanent');
  await assertConserved(world);
  await assertSound(world);
  await world.close();
});
