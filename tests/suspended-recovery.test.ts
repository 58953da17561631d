/**
 * CALs came to a new license server at once, and the old one is heard of (protocol §5.5): by a message, or by a license that
 * it signed. What of them nobody has is set aside; who has one works on; and nothing is lost of the books.
 */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { listMoves } from '../src/clearinghouse/usecases/desk-moves.ts';
import { liftSuspension } from '../src/clearinghouse/usecases/suspend-recovery.ts';
import type { OpenServer } from '../src/server/app.ts';
import { openServer } from '../src/server/app.ts';
import { contactClearinghouse } from '../src/server/usecases/contact.ts';
import { recover } from '../src/server/usecases/recover.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { ask, closeWorlds, events, newWorld } from './world/dead.ts';
import type { World } from './world/world.ts';
import { refusalOf, value } from './world/world.ts';

const name = 'LS-ONE';
const names = ['ws-1', 'ws-2', 'ws-3'];

after(closeWorlds);

interface Scene {
  readonly world: World;
  readonly next: OpenServer;
  /** The machine as it was, switched on again. */
  readonly back: OpenServer;
}

/** Ten CALs, three with holders; a copy of the machine is kept, and the operating system replaced: all came at once. */
async function scene(): Promise<Scene> {
  const world = await newWorld(100, { kit: false });
  const old = await acts.addConnected(world, name, 10);
  await acts.contact(old);
  for (const holder of names) await acts.permanent(old, holder);
  await acts.contact(old);
  const copy = join(world.dir, 'machine');
  const next = await world.reopen(name, (home, instance) => {
    cpSync(home, copy, { recursive: true });
    cpSync(instance, `${copy}.instance`, { recursive: true });
    const config = join(copy, 'config.json');
    writeFileSync(config, readFileSync(config, 'utf8').replace(instance, `${copy}.instance`));
    rmSync(instance, { recursive: true });
  });
  await acts.activateByContact(next);
  value(await recover(next.context, { by: 'message', statement: 'Ann Lee: installed anew' }));
  await acts.contact(next, next);
  assert.deepEqual(await acts.counts(next), [10, 0, 7, 0, 3, 0]);
  const back = await openServer(copy, { clock: world.clock, delivery: next.context.delivery });
  return { world, next, back };
}

const moveOf = async ({ world }: Scene) => {
  const { items } = await listMoves(world.clearinghouse.context, { after: '', limit: 10 });
  assert.ok(items[0]);
  return items[0];
};

const suspendedAt = async ({ next }: Scene): Promise<string | null | undefined> =>
  (await readStatus(next.context)).atRisk[0]?.suspendedAt;

it('by a message: what nobody has is set aside, holders go on, and another person lifts it', async () => {
  const at = await scene();
  const { world, next, back } = at;
  await acts.permanent(next, 'ws-new');
  assert.equal(await suspendedAt(at), null);
  world.clock.advanceDays(1);
  await contactClearinghouse(back.context, { waitMs: 0 });
  await acts.contact(next, next);
  assert.deepEqual(await acts.counts(next), [10, 1, 0, 0, 3, 6]);
  assert.ok((await events(next)).includes(5071));
  assert.notEqual(await suspendedAt(at), null);
  const move = await moveOf(at);
  assert.notEqual(move.deadSource?.atRisk?.suspendedAt, null);
  await assertConserved(world);
  for (const holder of names) assert.equal(value(await ask(next, holder)).kind, 'permanent');
  assert.equal((await acts.permanent(next, 'ws-new')).kind, 'permanent');
  assert.equal(value(await ask(next, 'ws-late')).kind, 'temporary');
  const ch = world.clearinghouse.context;
  const lift = (by: string) => liftSuspension(ch, { move: move.id, by });
  assert.equal(refusalOf(await lift('ann  lee')).code, 'approval-same-person');
  assert.equal(value(await lift('Bo Berg')).deadSource?.liftedBy, 'Bo Berg');
  assert.equal(refusalOf(await lift('Cy Carr')).code, 'move-state');
  value(await lift('Bo Berg'));
  await acts.contact(next, next);
  assert.deepEqual(await acts.counts(next), [10, 4, 6, 0, 0, 0]);
  assert.ok((await events(next)).includes(5072));
  assert.equal(await suspendedAt(at), null);
  // Whatever else is heard of it: that was decided.
  await contactClearinghouse(back.context, { waitMs: 0 });
  await acts.contact(next, next);
  assert.deepEqual(await acts.counts(next), [10, 4, 6, 0, 0, 0]);
  await back.close();
  await assertConserved(world);
});

it('by a license that it signed: the new server does it by itself, and the clearinghouse is told', async () => {
  const at = await scene();
  const { world, next, back } = at;
  const early = await acts.permanent(back, 'ws-early');
  // Signed within a day: two clocks may be so far apart.
  await ask(next, 'ws-early', early);
  assert.equal(await suspendedAt(at), null);
  world.clock.advanceDays(2);
  const late = await acts.permanent(back, 'ws-late');
  await ask(next, 'ws-late', late);
  assert.notEqual(await suspendedAt(at), null);
  const [, , unissued, , , quarantined] = await acts.counts(next);
  assert.equal(unissued, 0);
  assert.ok((quarantined ?? 0) > 0);
  assert.ok((await events(next)).includes(5071));
  await acts.contact(next, next);
  const { deadSource } = await moveOf(at);
  assert.match(deadSource?.sourceSaid ?? '', /a license that it signed on/);
  assert.notEqual(deadSource?.atRisk?.suspendedAt, null);
  await back.close();
  await assertConserved(world);
});

it('it ends by itself when no lease of the old server can run any more', async () => {
  const at = await scene();
  const { world, next, back } = at;
  world.clock.advanceDays(1);
  await contactClearinghouse(back.context, { waitMs: 0 });
  await back.close();
  for (let days = 0; days < 210; days += 5) {
    await acts.contact(next);
    for (const holder of names) value(await ask(next, holder));
    world.clock.advanceDays(5);
  }
  await acts.contact(next);
  assert.equal((await acts.permanent(next, 'ws-new')).kind, 'permanent');
  assert.deepEqual((await acts.counts(next)).slice(0, 3), [10, 4, 6]);
  await assertConserved(world);
});
