/**
 * What a source gives up while the clearinghouse cannot take it from its account: nobody else is given those CALs as long
 * as licenses on them run.
 */
import assert from 'node:assert/strict';
import { after, it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { settleDue } from '../src/clearinghouse/usecases/settle-due.ts';
import type { OpenServer } from '../src/server/app.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import * as acts from './world/acts.ts';
import * as dead from './world/dead.ts';
import { value } from './world/world.ts';

after(dead.closeWorlds);

const deactivate = (server: OpenServer) =>
  deactivateServer(server.context, { returnUnissued: true, by: 'message' });

/** How many newcomers a server gives a permanent license, of so many that ask. */
async function newcomers(server: OpenServer, most: number): Promise<number> {
  let served = 0;
  for (let name = 0; name < most; name += 1) {
    if ((await acts.permanent(server, `new-${name}`)).kind === 'permanent') served += 1;
  }
  return served;
}

interface Scene {
  readonly world: dead.Pair['world'];
  readonly first: OpenServer;
  readonly source: OpenServer;
  readonly target: OpenServer;
  /** The move of all 21 that the source asked for by message; its receipt is still with it. */
  readonly move: string;
}

/**
 * The source has one CAL of its own and has typed 20 that the first one has frozen and not released. Five of them have
 * holders. It has frozen them all for the target by message, which nobody has heard of.
 */
async function frozenUncovered(): Promise<Scene> {
  const world = await dead.newWorld(21, { kit: false });
  const first = await acts.addConnected(world, 'LS-1', 20);
  const source = await acts.addConnected(world, 'LS-2', 1);
  const target = await acts.addConnected(world, 'LS-3', 0);
  await acts.deskMove(world, { from: first, to: source });
  const order = { ...dead.line, to: acts.idOf(source), quantity: 'all' } as const;
  const frozen = value(await freezeByTelephone(first.context, order));
  await acts.typeCode(source, String((await acts.confirm(world, frozen.code)).code));
  await acts.permanents(source, ['ws-1', 'ws-2', 'ws-3', 'ws-4', 'ws-5']);
  const move = await acts.askMove(source, target);
  await acts.contact(source);
  assert.deepEqual(await acts.counts(source), [21, 0, 0, 21, 0, 0]);
  return { world, first, source, target, move };
}

/** The first one releases by telephone. */
async function release({ world, first }: Scene): Promise<void> {
  await acts.confirm(world, value(await releaseByTelephone(first.context, dead.line)).code);
}

const booksOf = (world: Scene['world']) => dead.books({ world } as dead.Pair);

it('of what was typed before its source released, those with holders wait for their licenses', async () => {
  const scene = await frozenUncovered();
  const { world, source, target, move } = scene;
  value(await deactivate(source));
  await acts.contact(source, source);
  // The one CAL that was in its account waits for a holder, too: 20 are still the first one's to release.
  assert.deepEqual([await acts.stateOf(world, move), await booksOf(world)], ['closed', [0, 0, 20, 1]]);
  const { text } = (await dead.moveAt(scene, move)).awaited;
  assert.match(text, /^Nothing more from anybody: .* Licenses on 5 of them may still run/);
  assert.match(text, /4 of these come when the source of an earlier move has released them\.$/);
  await release(scene);
  assert.deepEqual(await booksOf(world), [16, 0, 0, 5]);
  assert.doesNotMatch((await dead.moveAt(scene, move)).awaited.text, /have released/);
  await acts.installByContact(target, { quantity: 16 });
  assert.equal(await newcomers(target, 21), 16);
  world.clock.advanceDays(90);
  await settleDue(world.clearinghouse.context);
  assert.deepEqual(await booksOf(world), [5, 16, 0, 0]);
  await dead.assertAll(world);
});

it('released when those licenses have ended, all of them are in hand at once', async () => {
  const scene = await frozenUncovered();
  const { world, source, move } = scene;
  value(await deactivate(source));
  await acts.contact(source, source);
  world.clock.advanceDays(90);
  await settleDue(world.clearinghouse.context);
  assert.deepEqual(await booksOf(world), [1, 0, 20, 0]);
  assert.doesNotMatch((await dead.moveAt(scene, move)).awaited.text, /may still run/);
  await release(scene);
  assert.deepEqual(await booksOf(world), [21, 0, 0, 0]);
  await dead.assertAll(world);
});

it('declared dead, it is waited for, and who has frozen them for it has its CALs again', async () => {
  const scene = await frozenUncovered();
  const { world, source, target } = scene;
  value(await deactivate(source));
  await acts.contact(source, source);
  const at = { world, source, target };
  const declared = await dead.declare(at);
  await dead.passTime(at, declared, 'horizon');
  await settleDue(world.clearinghouse.context);
  assert.deepEqual(await booksOf(world), [1, 0, 20, 0]);
  await dead.passTime(at, declared, 'opensAt');
  await settleDue(world.clearinghouse.context);
  assert.deepEqual(await booksOf(world), [1, 20, 0, 0]);
  await dead.assertAll(world);
});

it('told by a message and by a code, it is taken from the books once', async () => {
  const scene = await frozenUncovered();
  const { world, source, move } = scene;
  const told = value(await releaseByTelephone(source.context, dead.line));
  await acts.contact(source, source);
  assert.deepEqual([await acts.stateOf(world, move), await booksOf(world)], ['closed', [0, 0, 20, 1]]);
  await acts.confirm(world, told.code);
  await release(scene);
  assert.deepEqual(await booksOf(world), [16, 0, 0, 5]);
  // Nothing of it is left on the source, which goes on with what it is granted.
  await acts.installByContact(source, { quantity: 16 });
  assert.equal(await newcomers(source, 21), 16);
  await dead.assertAll(world);
});

it('an undo that the source has not heard of, and then a declaration: what it gives up goes to nobody', async () => {
  const world = await dead.newWorld(10, { kit: false });
  const source = await acts.addConnected(world, 'LS-OLD', 10);
  const target = await acts.addConnected(world, 'LS-NEW', 0);
  await acts.permanents(source, ['ws-1', 'ws-2', 'ws-3']);
  const undone = await acts.askMove(source, target, { quantity: 8 });
  await acts.contact(source);
  value(await cancelMove(world.clearinghouse.context, undone));
  const declared = await dead.declare({ world, source, target });
  assert.deepEqual(await booksOf(world), [0, 0, 0, 10]);
  await releaseByTelephone(source.context, dead.line);
  await acts.contact(source);
  assert.equal(await acts.stateOf(world, undone), 'closed');
  assert.deepEqual(await booksOf(world), [7, 0, 0, 3]);
  // One of the three has given up its CAL with the seven; those of the two others come to the target.
  await acts.contact(source, source, target, target, source, source, target);
  assert.equal(await dead.stateAt({ world, source, target }, declared), 'closed');
  assert.deepEqual(await booksOf(world), [7, 2, 0, 1]);
  assert.equal(await newcomers(target, 10), 0);
  await dead.assertAll(world);
});
