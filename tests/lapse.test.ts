/**
 * CALs of an undone move whose source gives them up: licenses on them still run, so nobody else is given them
 * until those have ended.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { showMove } from '../src/clearinghouse/usecases/desk-moves.ts';
import { settleDue } from '../src/clearinghouse/usecases/settle-due.ts';
import type { OpenServer } from '../src/server/app.ts';
import { startMove } from '../src/server/usecases/start-move.ts';
import {
  closeByContact,
  connect,
  contact,
  idOf,
  installByContact,
  permanent,
  permanents,
} from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

const line = { product, type: 'device' } as const;

interface Scene {
  readonly world: World;
  readonly old: OpenServer;
  readonly next: OpenServer;
  readonly move: string;
}

/** Ten CALs, four of them held, on their way from one server to another; the target is to be tried. */
async function moving(): Promise<Scene> {
  const world = await makeWorld(10, { kit: false });
  const old = await world.addServer('LS-OLD', { connected: true });
  const next = await world.addServer('LS-NEW', { connected: true });
  await connect(old, 10);
  await connect(next, 0);
  await permanents(old, ['ws-1', 'ws-2', 'ws-3', 'ws-4']);
  const order = {
    agreement,
    to: idOf(next),
    ...line,
    quantity: 'all',
    reason: 'replaced',
    hold: true,
  } as const;
  const { id } = value(await startMove(old.context, order));
  return { world, old, next, move: id };
}

/** In hand, committed, in transit, quarantined. */
async function places(world: World): Promise<readonly number[]> {
  const line0 = value(await showAgreement(world.clearinghouse.context, agreement)).lines[0];
  assert.ok(line0);
  return [line0.inHand, line0.committed, line0.inTransit, line0.quarantined];
}

const undo = async ({ world, move }: Scene): Promise<void> => {
  value(await cancelMove(world.clearinghouse.context, move));
};

it('before the grant: what nobody holds is in hand at once, the rest when its licenses have ended', async () => {
  const at = await moving();
  const { world, old } = at;
  await contact(old);
  // The source has frozen, and nobody has heard of it yet: the undo and the deactivation cross.
  await undo(at);
  await closeByContact(old, false);
  assert.deepEqual(await places(world), [6, 0, 0, 4]);
  world.clock.advanceDays(90);
  await settleDue(world.clearinghouse.context);
  assert.deepEqual(await places(world), [10, 0, 0, 0]);
  await assertConserved(world);
  await world.close();
});

it('after the grant: as long as licenses of either server may run, nobody else is given them', async () => {
  const at = await moving();
  const { world, old, next, move } = at;
  await contact(old, old, next);
  await permanent(next, 'newcomer');
  assert.deepEqual(await places(world), [0, 0, 10, 0]);
  await undo(at);
  await closeByContact(old, false);
  await contact(next, next);
  assert.deepEqual(await places(world), [5, 0, 0, 5]);
  const shown = value(await showMove(world.clearinghouse.context, move));
  assert.equal(shown.state, 'closed');
  assert.match(shown.awaited.text, /Licenses on 5 of them may still run; they are in hand after /);
  // Whatever the clock says meanwhile, the target cannot have more than what is in hand.
  await installByContact(next, { quantity: 5 });
  world.clock.advanceDays(88);
  await settleDue(world.clearinghouse.context);
  assert.deepEqual(await places(world), [0, 5, 0, 5]);
  world.clock.advanceDays(3);
  await settleDue(world.clearinghouse.context);
  await settleDue(world.clearinghouse.context);
  assert.deepEqual(await places(world), [5, 5, 0, 0]);
  assert.doesNotMatch(value(await showMove(world.clearinghouse.context, move)).awaited.text, /may still run/);
  await assertConserved(world);
  await world.close();
});
