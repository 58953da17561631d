/**
 * A publisher may have a part of what is recovered wait for the horizon of the old server (protocol §5.5): the holders work
 * on, so much of what is unissued comes at once, and the rest by a move of its own.
 */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, it } from 'node:test';
import { setRecoveryPolicy, showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { approveMove } from '../src/clearinghouse/usecases/approve-release.ts';
import { listMoves } from '../src/clearinghouse/usecases/desk-moves.ts';
import type { OpenServer } from '../src/server/app.ts';
import { recover } from '../src/server/usecases/recover.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { ask, closeWorlds, newWorld } from './world/dead.ts';
import type { World } from './world/world.ts';
import { agreement, value } from './world/world.ts';

const name = 'LS-ONE';
const names = ['ws-1', 'ws-2', 'ws-3'];

after(closeWorlds);

/** Ten CALs, three of them with holders; then the operating system is replaced, and a new server asks for them. */
async function recovered(
  share: number,
): Promise<{ readonly world: World; readonly old: OpenServer; readonly next: OpenServer }> {
  const world = await newWorld(100, { kit: false });
  const old = await acts.addConnected(world, name, 10);
  await acts.contact(old);
  for (const holder of names) await acts.permanent(old, holder);
  await acts.contact(old);
  value(await setRecoveryPolicy(world.clearinghouse.context, { agreement, policy: 'immediate', share }));
  const next = await world.reopen(name, (_home, instance) => rmSync(instance, { recursive: true }));
  await acts.activateByContact(next);
  value(await recover(next.context, { by: 'message', statement: 'Ann Lee: installed anew' }));
  await acts.contact(next, next, next);
  return { world, old, next };
}

/** Of each move of the world, newest last: its state, what it brings, and what is at risk by it. */
async function movesOf({ clearinghouse }: World) {
  const { items } = await listMoves(clearinghouse.context, { after: '', limit: 10 });
  return items
    .map(({ state, unissued, held, deadSource }) => ({
      ...{ state, brings: unissued + held, units: deadSource?.units, risk: deadSource?.atRisk?.units ?? 0 },
      awaited: deadSource?.grantedAt === null,
    }))
    .sort((one, other) => Number(one.awaited) - Number(other.awaited));
}

it('half of what is unissued comes at once, and the rest when the old horizon has passed', async () => {
  const { world, next } = await recovered(50);
  assert.deepEqual(await acts.counts(next), [6, 0, 3, 0, 3, 0]);
  for (const holder of names) assert.equal(value(await ask(next, holder)).kind, 'permanent');
  assert.deepEqual(await movesOf(world), [
    { state: 'closed', brings: 6, units: 6, risk: 6, awaited: false },
    { state: 'dead-wait', brings: 0, units: 4, risk: 0, awaited: true },
  ]);
  await assertConserved(world);
  for (let days = 0; days < 240; days += 20) {
    world.clock.advanceDays(20);
    await acts.contact(next, next);
    for (const holder of names) value(await ask(next, holder));
    await assertConserved(world);
  }
  // Those who had a license of the old server come to an end by then; what is left is anybody's.
  for (let device = 0; device < 7; device += 1) await acts.permanent(next, `new-${device}`);
  assert.deepEqual(await acts.counts(next), [10, 10, 0, 0, 0, 0]);
  await assertConserved(world);
});

it('a second person may release the rest earlier', async () => {
  const { world, next } = await recovered(0);
  assert.deepEqual(await acts.counts(next), [3, 0, 0, 0, 3, 0]);
  const { items } = await listMoves(world.clearinghouse.context, { after: '', limit: 10 });
  const rest = items.find(({ state }) => state === 'dead-wait');
  value(await approveMove(world.clearinghouse.context, { move: rest?.id ?? '', by: 'Bo Berg' }));
  await acts.contact(next, next);
  assert.deepEqual(await acts.counts(next), [10, 0, 7, 0, 3, 0]);
  await assertConserved(world);
});

it('the policy is shown with its value; a policy that names no part leaves it as it is', async () => {
  const { world } = await recovered(50);
  const ch = world.clearinghouse.context;
  const told = value(await setRecoveryPolicy(ch, { agreement, policy: 'wait' }));
  assert.deepEqual([told.recovery, told.recoveryShare], ['wait', 50]);
  assert.equal(value(await showAgreement(ch, agreement)).recoveryShare, 50);
});
