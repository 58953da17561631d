/** Moves beside, after and against each other: parts, several sources, onward, back, and receipts at odd times. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { dayMs, msOfIso } from '../src/core/time.ts';
import type { OpenServer } from '../src/server/app.ts';
import { sweepLapsed } from '../src/server/usecases/reclaim.ts';
import { startMove } from '../src/server/usecases/start-move.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, refusalOf, value } from './world/world.ts';

const device = { product, type: 'device' } as const;

let world: World;
let a: OpenServer;
let b: OpenServer;
let c: OpenServer;

beforeEach(async () => {
  world = await makeWorld(100, { kit: false });
  [a, b, c] = (await Promise.all(
    ['LS-A', 'LS-B', 'LS-C'].map((name) => world.addServer(name, { connected: true })),
  )) as [OpenServer, OpenServer, OpenServer];
  await acts.connect(a, 20);
  await acts.connect(b, 10);
  await acts.connect(c, 0);
  await acts.permanents(a, ['a-1', 'a-2']);
  await acts.permanents(b, ['b-1']);
});

afterEach(async () => {
  await assertConserved(world);
  await world.close();
});

/** Contacts of both ends until an undisturbed move between them is over. */
async function finish(from: OpenServer, to: OpenServer): Promise<void> {
  await acts.contact(from, from, to, to, from, from, to);
}

describe('several moves', () => {
  it('of a part: what stays goes on being given out while the move is open, and afterwards', async () => {
    await acts.askMove(a, c, { quantity: 8 });
    await acts.contact(a, a);
    assert.deepEqual(await acts.counts(a), [20, 2, 10, 8, 0, 0]);
    await acts.permanents(a, ['a-3', 'a-4']);
    await acts.contact(c, c);
    await acts.permanent(c, 'c-1');
    await finish(a, c);
    await acts.permanent(a, 'a-5');
    assert.deepEqual(await acts.counts(a), [12, 5, 7, 0, 0, 0]);
    assert.deepEqual(await acts.counts(c), [8, 1, 7, 0, 0, 0]);
    assert.deepEqual(await acts.books(world), [70, 30, 0]);
  });

  it('go on with their holders only when the source has given them up: it renews them until then', async () => {
    const first = await acts.askMove(a, c);
    await acts.contact(a, a, c, c, c);
    assert.equal(await acts.stateOf(world, first), 'committed');
    // The source is not heard of. What has no holder can go on, and nothing else.
    const onward = await acts.askMove(c, b);
    await acts.contact(c, c, b, c);
    assert.equal(await acts.stateOf(world, onward), 'aborted');
    assert.deepEqual(await acts.counts(c), [20, 0, 18, 0, 2, 0]);
    const free = await acts.askMove(c, b, { quantity: 18 });
    await finish(c, b);
    assert.equal(await acts.stateOf(world, free), 'closed');
    const license = await acts.permanent(a, 'a-1');
    world.clock.set((msOfIso(license.expiresAt) ?? 0) - dayMs / 24);
    const renewed = await acts.permanent(a, 'a-1');
    assert.notEqual(renewed.expiresAt, license.expiresAt);
    await acts.contact(a, a, c, c);
    assert.equal(await acts.stateOf(world, first), 'closed');
    await acts.askMove(c, b);
    await finish(c, b);
    // The lease that was renewed has not ended: nobody else gets that unit, wherever it is.
    world.clock.set((msOfIso(license.expiresAt) ?? 0) + dayMs / 24);
    await acts.contact(b);
    const swept = value(await sweepLapsed(b.context, 100)).reclaimed;
    const counts = await acts.counts(b);
    assert.ok((counts[4] ?? 0) >= 1, `${swept} reclaimed, ${JSON.stringify(counts)}`);
    const moved = await acts.permanent(b, 'a-1', acts.sourceOf(renewed));
    assert.equal(moved.origin, license.origin);
  });

  it('from two sources into one target at the same time, and one of them is undone', async () => {
    const first = await acts.askMove(a, c, { hold: true });
    await acts.askMove(b, c);
    await acts.contact(a, b, a, b, c, c);
    assert.deepEqual(await acts.counts(c), [30, 0, 27, 0, 3, 0]);
    const origin = (await acts.permanent(c, 'b-1')).origin ?? '';
    assert.ok(origin.startsWith(acts.idOf(b)), origin);
    value(await cancelMove(world.clearinghouse.context, first));
    await acts.contact(c, c, a, b, b, c);
    assert.deepEqual(await acts.counts(a), [20, 2, 18, 0, 0, 0]);
    assert.deepEqual(await acts.counts(b), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(await acts.counts(c), [10, 1, 9, 0, 0, 0]);
  });

  it('onward: only when the first is final there, and the holders keep their CAL the whole way', async () => {
    const origins: (string | null)[] = [];
    for (const holder of ['a-1', 'a-2']) origins.push((await acts.permanent(a, holder)).origin);
    const open = await acts.askMove(a, b, { hold: true });
    await acts.contact(a, a, b, b);
    const onward = await acts.askMove(b, c);
    await acts.contact(b, b, b);
    assert.equal(await acts.stateOf(world, onward), 'aborted');
    assert.deepEqual(await acts.counts(b), [30, 1, 27, 0, 2, 0]);
    await acts.askMove(a, b);
    await finish(a, b);
    assert.equal(await acts.stateOf(world, open), 'closed');
    await acts.permanent(b, 'a-1');
    await acts.askMove(b, c);
    await finish(b, c);
    assert.deepEqual(await acts.counts(b), [0, 0, 0, 0, 0, 0]);
    for (const [index, holder] of ['a-1', 'a-2'].entries()) {
      assert.equal((await acts.permanent(c, holder)).origin, origins[index]);
    }
    assert.deepEqual(await acts.counts(c), [30, 2, 27, 0, 1, 0]);
  });

  it('one after the other of one line, and a second at once is refused on the server itself', async () => {
    await acts.askMove(a, c, { quantity: 5 });
    const wish = { agreement, to: acts.idOf(b), ...device, quantity: 5, reason: 'replaced' } as const;
    assert.equal(refusalOf(await startMove(a.context, { ...wish, hold: false })).code, 'move-open');
    await finish(a, c);
    await acts.askMove(a, b, { quantity: 5 });
    await finish(a, b);
    assert.deepEqual(
      [(await acts.counts(a))[0], (await acts.counts(b))[0], (await acts.counts(c))[0]],
      [10, 15, 5],
    );
  });

  it('there and back: a holder who never left is served at home again, to its latest end', async () => {
    await acts.askMove(a, c);
    await finish(a, c);
    const away = await acts.permanent(c, 'a-1');
    await acts.askMove(c, a);
    await finish(c, a);
    assert.deepEqual(await acts.counts(a), [20, 0, 18, 0, 2, 0]);
    assert.equal((await acts.permanent(a, 'a-1')).origin, away.origin);
    assert.deepEqual(await acts.counts(c), [0, 0, 0, 0, 0, 0]);
  });
});

describe('a release that comes by itself', () => {
  const closes = async (): Promise<void> => acts.closeByContact(a, false);

  it('finishes a move that was granted and never installed', async () => {
    const move = await acts.askMove(a, c);
    await acts.contact(a, a);
    assert.equal(await acts.stateOf(world, move), 'granted');
    await closes();
    assert.equal(await acts.stateOf(world, move), 'closed');
    await acts.contact(c, c);
    assert.deepEqual(await acts.counts(c), [20, 0, 18, 0, 2, 0]);
    assert.deepEqual(await acts.books(world), [70, 30, 0]);
  });

  it('finishes a move that was installed and held', async () => {
    const move = await acts.askMove(a, c, { hold: true });
    await acts.contact(a, a, c, c);
    assert.equal(await acts.stateOf(world, move), 'installed');
    await closes();
    assert.equal(await acts.stateOf(world, move), 'closed');
    await acts.contact(c);
    assert.deepEqual(await acts.counts(c), [20, 0, 18, 0, 2, 0]);
  });

  it('changes nothing of one that is committed, but that it is closed', async () => {
    const move = await acts.askMove(a, c);
    await acts.contact(a, a, c, c);
    assert.equal(await acts.stateOf(world, move), 'committed');
    await closes();
    assert.equal(await acts.stateOf(world, move), 'closed');
    await acts.contact(c);
    assert.deepEqual(await acts.books(world), [70, 30, 0]);
  });
});

it('by telephone a release counts in the state granted, and brings the held part; what waits opens after 89 days', async () => {
  const kits = await makeWorld(50);
  const [from, to] = [
    await kits.addServer('LS-F', { kit: true }),
    await kits.addServer('LS-T', { kit: true }),
  ];
  await acts.setUp(kits, from, 4);
  await acts.setUp(kits, to, 3);
  await acts.permanent(from, 'ws-1');
  const move = await acts.deskMove(kits, { from, to });
  const frozen = value(
    await freezeByTelephone(from.context, { ...device, to: acts.idOf(to), quantity: 'all' }),
  );
  const free = await acts.confirm(kits, frozen.code);
  const released = value(await releaseByTelephone(from.context, device));
  const held = await acts.confirm(kits, released.code);
  assert.equal(await acts.stateOf(kits, move), 'closed');
  await acts.typeCode(to, held.code ?? '', { from: acts.idOf(from) });
  await acts.typeCode(to, free.code ?? '');
  assert.deepEqual(await acts.counts(to), [7, 0, 6, 0, 1, 0]);
  const start = kits.clock.nowMs();
  kits.clock.advanceDays(90);
  assert.ok(kits.clock.nowMs() - start >= 89 * dayMs);
  await acts.permanents(
    to,
    Array.from({ length: 7 }, (_, index) => `new-${index}`),
  );
  assert.deepEqual(await acts.counts(to), [7, 7, 0, 0, 0, 0]);
  await assertConserved(kits);
  await kits.close();
});
