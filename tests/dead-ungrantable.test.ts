/**
 * A source that was declared dead and speaks, when the server that is to have its CALs can be granted nothing: it holds them
 * for nobody, and what it gives up is nobody's as long as licenses on it run (protocol §2.5).
 */
import assert from 'node:assert/strict';
import { after, it } from 'node:test';
import { settleDue } from '../src/clearinghouse/usecases/settle-due.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import * as acts from './world/acts.ts';
import * as dead from './world/dead.ts';
import { fromServer, tell } from './world/forge.ts';
import { agreement, value } from './world/world.ts';

after(dead.closeWorlds);

/** Ten CALs, three of them held; the server that is to have them declares their source dead, and is deactivated. */
async function unable(): Promise<dead.Pair & { readonly move: string }> {
  const world = await dead.newWorld(10, { kit: false });
  const source = await acts.addConnected(world, 'LS-OLD', 10);
  const target = await acts.addConnected(world, 'LS-NEW', 0);
  await acts.permanents(source, ['ws-1', 'ws-2', 'ws-3']);
  const move = await dead.declare({ world, source, target });
  await acts.closeByContact(target, true);
  return { world, source, target, move };
}

it('declared dead, it speaks, and its target can be granted nothing: it has its CALs again', async () => {
  const at = await unable();
  const { world, source, move } = at;
  await acts.contact(source);
  assert.deepEqual(await acts.counts(source), [10, 0, 0, 10, 0, 0]);
  await acts.contact(source, source);
  assert.deepEqual(await acts.counts(source), [10, 3, 7, 0, 0, 0]);
  assert.deepEqual([await dead.stateAt(at, move), await dead.stateOn(source, move)], ['aborted', 'undone']);
  assert.deepEqual(await dead.books(at), [0, 10, 0, 0]);
  // No longer declared dead, its horizon goes on with each contact.
  for (let month = 0; month < 5; month += 1) {
    world.clock.advanceDays(30);
    await acts.contact(source);
  }
  assert.equal((await acts.permanent(source, 'ws-4')).kind, 'permanent');
  await dead.assertAll(world);
});

it('declared dead, it gives up before it hears that nobody can have it: its holders are waited for', async () => {
  const at = await unable();
  const { world, source, move } = at;
  await acts.contact(source);
  value(await deactivateServer(source.context, { returnUnissued: true, by: 'message' }));
  await acts.contact(source, source);
  assert.deepEqual([await dead.stateAt(at, move), await dead.books(at)], ['closed', [7, 0, 0, 3]]);
  await acts.addConnected(world, 'LS-3', 7);
  world.clock.advanceDays(90);
  await settleDue(world.clearinghouse.context);
  assert.deepEqual(await dead.books(at), [3, 7, 0, 0]);
  await dead.assertAll(world);
});

it('the same where only its release is heard of', async () => {
  const at = await unable();
  const { world, source, move } = at;
  const leases = ['a', 'b', 'c'].map((sub) => ({ sub, leaseEnd: '2026-01-01T00:00:00Z' }));
  const body = { agreement, line: 0, unissued: 7, held: 3, leases };
  value(await tell(world, await fromServer(world, source, { t: 'released', move, body })));
  assert.deepEqual([await dead.stateAt(at, move), await dead.books(at)], ['closed', [7, 0, 0, 3]]);
});

it('deactivated, what it was granted and never applied stays its own where its target can be granted nothing', async () => {
  const world = await dead.newWorld(10, { kit: false });
  const source = await acts.addConnected(world, 'LS-OLD', 6);
  const target = await acts.addConnected(world, 'LS-NEW', 0);
  await acts.packCode(world, source, { quantity: 4 });
  const move = await dead.declare({ world, source, target });
  await acts.closeByContact(target, true);
  await acts.closeByContact(source, true);
  assert.deepEqual([await acts.stateOf(world, move), await acts.books(world)], ['aborted', [6, 4, 0]]);
  await acts.activateByContact(source);
  assert.deepEqual(await acts.counts(source), [4, 0, 4, 0, 0, 0]);
  await dead.assertAll(world);
});

it('the same by telephone', async () => {
  const world = await dead.newWorld(10);
  const source = await world.addServer('LS-OLD', { kit: true });
  const target = await world.addServer('LS-NEW', { kit: true });
  await acts.setUp(world, source, 6);
  await acts.setUp(world, target, 0);
  const code = await acts.packCode(world, source, { quantity: 4 });
  const move = await dead.declareByTelephone({ world, source, target });
  for (const server of [target, source]) {
    const order = { returnUnissued: true, by: 'telephone' } as const;
    for (const told of value(await deactivateServer(server.context, order)).codes) {
      await acts.confirm(world, told.code);
    }
  }
  assert.deepEqual([await acts.stateOf(world, move), await acts.books(world)], ['aborted', [6, 4, 0]]);
  await acts.activate(world, source);
  await acts.typeCode(source, code);
  assert.deepEqual(await acts.counts(source), [4, 0, 4, 0, 0, 0]);
  await dead.assertAll(world);
});
