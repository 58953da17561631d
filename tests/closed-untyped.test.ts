/** A target is closed by code with a key pack that was never typed, while what it has given back for an undo is unheard. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { makeWorld, value } from './world/world.ts';

it('keeps what was never typed committed to it: its old activation code opens it again, and brings it', async () => {
  const world = await makeWorld(100);
  const source = await acts.addConnected(world, 'LS-OLD', 20);
  const target = await world.addServer('LS-NEW', { kit: true, connected: true });
  const activation = await acts.activationCode(world, target);
  await acts.typeCode(target, activation);
  const move = await acts.askMove(source, target, { hold: true, quantity: 4 });
  await acts.contact(target, source, source, target, target);
  assert.equal(await acts.stateOf(world, move), 'installed');
  const untyped = await acts.packCode(world, target, { quantity: 3 });
  value(await cancelMove(world.clearinghouse.context, move));
  await acts.contact(target);
  assert.deepEqual(await acts.counts(target), [0, 0, 0, 0, 0, 0]);
  assert.deepEqual(await acts.books(world), [77, 19, 4]);
  const closed = value(await deactivateServer(target.context, { returnUnissued: true, by: 'telephone' }));
  for (const { code } of closed.codes) await acts.confirm(world, code);
  assert.deepEqual(await acts.books(world), [77, 19, 4]);
  await acts.typeCode(target, activation);
  await acts.typeCode(target, untyped);
  assert.deepEqual(await acts.counts(target), [3, 0, 3, 0, 0, 0]);
  await acts.activationCode(world, target);
  await acts.contact(target, source, source);
  assert.equal(await acts.stateOf(world, move), 'aborted');
  assert.deepEqual(await acts.counts(source), [20, 0, 20, 0, 0, 0]);
  assert.deepEqual(await acts.books(world), [77, 23, 0]);
  await assertConserved(world);
  await world.close();
});
