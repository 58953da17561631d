/**
 * CALs that came to a new license server before the horizon of the old one had passed (protocol §5.5): as long as that one
 * may live, the new one is to be heard every three months, whatever its method.
 */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, it } from 'node:test';
import { giveHorizonCode } from '../src/clearinghouse/usecases/desk-horizon.ts';
import type { OpenServer } from '../src/server/app.ts';
import { recover } from '../src/server/usecases/recover.ts';
import { setMethod } from '../src/server/usecases/settings.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { ask, closeWorlds, newWorld } from './world/dead.ts';
import type { World } from './world/world.ts';
import { agreement, value } from './world/world.ts';

const name = 'LS-ONE';
const names = ['ws-1', 'ws-2', 'ws-3'];

after(closeWorlds);

interface Scene {
  readonly world: World;
  readonly next: OpenServer;
}

/** Ten CALs, three of them with holders; the operating system is replaced, and the new server goes by files. */
async function scene(method: 'automatic' | 'web' = 'web'): Promise<Scene> {
  const world = await newWorld(100, { kit: false });
  const old = await acts.addConnected(world, name, 10);
  value(await setMethod(old.context, { method, clearinghouseUrl: 'http://127.0.0.1:9' }));
  await acts.contact(old);
  for (const holder of names) await acts.permanent(old, holder);
  await acts.contact(old);
  const next = await world.reopen(name, (_home, instance) => rmSync(instance, { recursive: true }));
  value(await setMethod(next.context, { method: 'web' }));
  await acts.activateByContact(next);
  await acts.contact(next);
  return { world, next };
}

async function recoverAll({ next }: Scene): Promise<void> {
  value(await recover(next.context, { by: 'message', statement: 'Ann Lee: installed anew' }));
  await acts.contact(next, next, next);
}

const horizonOf = async ({ next }: Scene): Promise<string | null> => (await readStatus(next.context)).horizon;

it('the horizon of the new server ends three months after its last contact, until the old one has passed', async () => {
  const at = await scene('automatic');
  const { world, next } = at;
  assert.equal(await horizonOf(at), '2027-12-31');
  await recoverAll(at);
  assert.deepEqual(await acts.counts(next), [10, 0, 7, 0, 3, 0]);
  assert.equal(await horizonOf(at), '2027-02-28');
  world.clock.advanceDays(30);
  assert.equal(await horizonOf(at), '2027-02-28');
  await acts.contact(next);
  assert.equal(await horizonOf(at), '2027-03-31');
  // The old one, which was heard of in November, might have given to somebody new until the end of February.
  world.clock.advanceDays(65);
  assert.equal(await horizonOf(at), '2027-12-31');
  await acts.contact(next);
  assert.equal(await horizonOf(at), '2028-04-30');
  await assertConserved(world);
});

it('without contact nobody new has a CAL after three months, present holders are renewed, and it heals by one', async () => {
  const at = await scene();
  const { world, next } = at;
  await recoverAll(at);
  for (let days = 0; days < 110; days += 5) {
    world.clock.advanceDays(5);
    for (const holder of names) assert.equal(value(await ask(next, holder)).kind, 'permanent');
  }
  assert.equal(value(await ask(next, 'ws-new')).kind, 'temporary');
  assert.deepEqual(await acts.counts(next), [10, 3, 7, 0, 0, 0]);
  await acts.contact(next);
  assert.equal((await acts.permanent(next, 'ws-new')).kind, 'permanent');
  await assertConserved(world);
});

it('the desk reads out a horizon code that leads three months ahead', async () => {
  const at = await scene();
  await recoverAll(at);
  at.world.clock.advanceDays(320);
  const ch = at.world.clearinghouse.context;
  const code = value(await giveHorizonCode(ch, { agreement, serverId: acts.idOf(at.next) }));
  assert.equal(code['horizon'], '2028-01-31');
});
