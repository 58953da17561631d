/** Holders who come to the target of a telephone move before its reserve does, on real stores. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { dayMs } from '../src/core/time.ts';
import type { OpenServer } from '../src/server/app.ts';
import { sweepLapsed } from '../src/server/usecases/reclaim.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import * as acts from './world/acts.ts';
import { makeWorld, product, value } from './world/world.ts';

const line = { product, type: 'device' } as const;

it('counts nobody against a reserve whose place at the source went to somebody else meanwhile', async () => {
  const world = await makeWorld();
  const old = await world.addServer('LS-OLD', { kit: true });
  const next = await world.addServer('LS-NEW', { kit: true });
  await acts.setUp(world, old, 1);
  await acts.setUp(world, next, 1);
  const first = await acts.permanent(old, 'ws-1');
  assert.equal((await acts.permanent(next, 'ws-1', acts.sourceOf(first))).origin, first.origin);
  // The lease at the source ends, and its unit is given to ws-2; ws-1 goes on at the target.
  for (let days = 0; days < 90; days += 5) {
    world.clock.advanceDays(5);
    await acts.permanent(next, 'ws-1');
  }
  value(await sweepLapsed(old.context, 10));
  const second = await acts.permanent(old, 'ws-2');
  assert.equal(second.kind, 'permanent');
  await acts.deskMove(world, { from: old, to: next });
  const order = { ...line, to: acts.idOf(next), quantity: 'all' } as const;
  await acts.confirm(world, value(await freezeByTelephone(old.context, order)).code);
  const told = value(await releaseByTelephone(old.context, line));
  const held = await acts.confirm(world, told.code);
  await acts.typeCode(next, held.code ?? '', { from: acts.idOf(old) });
  // Both units have a holder with a live token: there is none for a third.
  assert.deepEqual(await acts.counts(next), [2, 1, 0, 0, 1, 0]);
  assert.equal((await acts.permanent(next, 'ws-2', acts.sourceOf(second))).origin, second.origin);
  assert.deepEqual(await acts.counts(next), [2, 2, 0, 0, 0, 0]);
  await world.close();
});

/** The same server with its leases drawn so. */
function drawing(server: OpenServer, between: (low: number, high: number) => number): OpenServer {
  return { ...server, context: { ...server.context, random: { ...server.context.random, between } } };
}

it('gives nobody the CAL of one who came early while the source may have renewed it after', async () => {
  const world = await makeWorld();
  const old = await world.addServer('LS-OLD', { kit: true });
  const next = await world.addServer('LS-NEW', { kit: true });
  await acts.setUp(world, old, 1);
  await acts.setUp(world, next, 1);
  const longest = drawing(old, (_low, high) => high);
  const first = await acts.permanent(longest, 'ws-1');
  world.clock.advanceDays(60);
  const shortest = drawing(next, (low) => low);
  const early = await acts.permanent(shortest, 'ws-1', acts.sourceOf(first));
  const daysTo = (end: string): number => Math.floor((Date.parse(end) - world.clock.nowMs()) / dayMs);
  // It goes back to the source, which renews it and gives it up while the token that was shown still runs.
  world.clock.advanceDays(daysTo(first.expiresAt) - 5);
  const renewed = await acts.permanent(longest, 'ws-1');
  assert.equal(renewed.status, 'renewed');
  await acts.moveByTelephone(world, { from: old, to: next });
  assert.deepEqual(await acts.counts(next), [2, 1, 1, 0, 0, 0]);
  assert.equal((await acts.permanent(next, 'ws-2')).kind, 'permanent');
  world.clock.advanceDays(daysTo(early.expiresAt) + 1);
  assert.ok(daysTo(renewed.expiresAt) > 0);
  assert.equal((await acts.permanent(next, 'ws-3')).kind, 'temporary');
  await world.close();
});

it('gives nobody a license that ends before the one it comes with', async () => {
  const world = await makeWorld();
  const old = await world.addServer('LS-OLD', { kit: true });
  const next = await world.addServer('LS-NEW', { kit: true });
  await acts.setUp(world, old, 2);
  await acts.setUp(world, next, 0);
  const first = await acts.permanent(
    drawing(old, (_low, high) => high),
    'ws-1',
  );
  await acts.moveByTelephone(world, { from: old, to: next });
  const shortest = drawing(next, (low) => low);
  const taken = await acts.permanent(shortest, 'ws-1', acts.sourceOf(first));
  assert.equal(taken.origin, first.origin);
  // What waits for it ends 89 days after its code was typed: the clock of a test runs on, a second or a few.
  const laterMs = Date.parse(taken.expiresAt) - Date.parse(first.expiresAt);
  assert.ok(laterMs >= 0 && laterMs <= 5000, `${first.expiresAt}, then ${taken.expiresAt}`);
  const other = await acts.permanent(shortest, 'ws-2');
  assert.equal(Math.ceil((Date.parse(other.expiresAt) - world.clock.nowMs()) / dayMs), 52);
  await world.close();
});
