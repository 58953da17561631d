/** Holders who come to the target of a telephone move before its reserve does, on real stores. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { repeatCodes } from '../src/clearinghouse/usecases/desk-moves.ts';
import { dayMs } from '../src/core/time.ts';
import type { OpenServer } from '../src/server/app.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { sweepLapsed } from '../src/server/usecases/reclaim.ts';
import { returnLicense } from '../src/server/usecases/return-license.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import * as acts from './world/acts.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

const line = { product, type: 'device' } as const;

/** The source and the target of a move by telephone, with so many CALs each. */
async function makeServers(ofOld: number, ofNext: number) {
  const world = await makeWorld();
  const old = await world.addServer('LS-OLD', { kit: true });
  const next = await world.addServer('LS-NEW', { kit: true });
  await acts.setUp(world, old, ofOld);
  await acts.setUp(world, next, ofNext);
  return { world, old, next };
}

it('counts nobody against a reserve whose place at the source went to somebody else meanwhile', async () => {
  const { world, old, next } = await makeServers(1, 1);
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

it('counts nobody who came early where one may have returned its license there since: somebody else has that CAL', async () => {
  const { world, old, next } = await makeServers(1, 1);
  const first = await acts.permanent(old, 'ws-1');
  await acts.permanent(next, 'ws-1', acts.sourceOf(first));
  value(await returnLicense(old.context, { ...line, holder: 'ws-1' }));
  const second = await acts.permanent(old, 'ws-2');
  assert.equal(second.kind, 'permanent');
  await acts.moveByTelephone(world, { from: old, to: next });
  // Two CALs, and two who have a license that runs: there is none for a third.
  assert.equal((await acts.permanent(next, 'ws-3')).kind, 'temporary');
  assert.equal((await acts.permanent(next, 'ws-2', acts.sourceOf(second))).kind, 'permanent');
  assert.deepEqual(await acts.counts(next), [2, 2, 0, 0, 0, 0]);
  await world.close();
});

const told: readonly {
  by: 'release' | 'deactivation';
  days: number;
  counted: readonly number[];
  words: string;
}[] = [
  { by: 'release', days: 0, counted: [5, 1, 2, 0, 2, 0], words: 'counts nobody after the code of a release' },
  {
    by: 'deactivation',
    days: 0,
    counted: [5, 1, 2, 0, 2, 0],
    words: 'counts nobody after that of a deactivation',
  },
  {
    by: 'release',
    days: 53,
    counted: [5, 1, 3, 0, 1, 0],
    words: 'counts who came early again once it has ended',
  },
];

for (const { by, days, counted, words } of told) {
  it(`${words}, where somebody has returned its license, also when the key pack is read again`, async () => {
    const { world, old, next } = await makeServers(3, 2);
    const longest = drawing(old, (_low, high) => high);
    const first = await acts.permanent(longest, 'ws-1');
    await acts.permanent(longest, 'ws-2');
    await acts.permanent(
      drawing(old, (low) => low),
      'ws-3',
    );
    await acts.permanent(next, 'ws-1', acts.sourceOf(first));
    value(await returnLicense(old.context, { ...line, holder: 'ws-3' }));
    world.clock.advanceDays(days);
    await acts.deskMove(world, { from: old, to: next });
    const order = { ...line, to: acts.idOf(next), quantity: 'all' } as const;
    const frozen = value(await freezeByTelephone(old.context, order));
    await acts.typeCode(next, (await acts.confirm(world, frozen.code)).code ?? '');
    const released =
      by === 'release'
        ? [value(await releaseByTelephone(old.context, line))]
        : value(await deactivateServer(old.context, { returnUnissued: false, by: 'telephone' })).codes;
    for (const { code } of released) await acts.confirm(world, code);
    const call = { agreement, serverId: acts.idOf(next) };
    const again = value(await repeatCodes(world.clearinghouse.context, call));
    const held = again.codes.find(({ kind }) => kind === 'held-key-pack');
    await acts.typeCode(next, held?.code ?? '', { from: acts.idOf(old) });
    assert.deepEqual(await acts.counts(next), counted);
    await world.close();
  });
}

it('gives nobody the CAL of one who came early while the source may have renewed it after', async () => {
  const { world, old, next } = await makeServers(1, 1);
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
  const { world, old, next } = await makeServers(2, 0);
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
