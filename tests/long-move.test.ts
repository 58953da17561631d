/**
 * Moves of more licenses than one transaction takes: they are frozen and given up in parts. Whatever stops
 * them in between, the books are whole after each part, holders are served, and the move goes on.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { ok } from '../src/core/result.ts';
import type { OpenServer } from '../src/server/app.ts';
import { contactClearinghouse } from '../src/server/usecases/contact.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { partSize } from '../src/server/usecases/move-progress.ts';
import { rehearseMove } from '../src/server/usecases/rehearse-move.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { startMove } from '../src/server/usecases/start-move.ts';
import { findMove } from '../src/store/clearinghouse-rows.ts';
import { findServerMove } from '../src/store/server-rows.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, refusalOf, value } from './world/world.ts';

const type = 'user' as const;
const people = 2 * partSize + 50;
const installed = people + 40;

interface Place {
  readonly world: World;
  readonly source: OpenServer;
  readonly target: OpenServer;
}

async function withPlace(use: (place: Place) => Promise<void>): Promise<void> {
  const world = await makeWorld(10, { kit: false });
  try {
    await acts.sell(world, { quantity: 5000, type });
    const source = await world.addServer('LS-OLD', { connected: true });
    const target = await world.addServer('LS-NEW', { connected: true });
    await acts.activateByContact(source);
    await acts.activateByContact(target);
    await acts.installByContact(source, { quantity: installed, type });
    await Promise.all(Array.from({ length: people }, (_, number) => ask(source, `user-${number}`)));
    await use({ world, source, target });
    await assertConserved(world);
  } finally {
    await world.close();
  }
}

const ask = (server: OpenServer, holder: string) => requestLicense(server.context, { product, type, holder });

async function begin({ source, target }: Place): Promise<string> {
  const order = {
    agreement,
    to: acts.idOf(target),
    product,
    type,
    quantity: 'all',
    reason: 'replaced',
  } as const;
  return value(await startMove(source.context, { ...order, hold: false })).id;
}

const states = async ({ world, source, target }: Place, id: string): Promise<readonly unknown[]> => [
  (await source.store.read((tx) => findServerMove(tx, id)))?.state,
  (await world.clearinghouse.store.read((tx) => findMove(tx, id)))?.state,
  (await target.store.read((tx) => findServerMove(tx, id)))?.state,
];

/** Lets a server contact the clearinghouse, and stops it when it has written a part of a move so often. */
async function stopAfter(server: OpenServer, parts: number): Promise<void> {
  const { store } = server;
  const write = store.write.bind(store);
  let left = parts;
  Reflect.set(store, 'write', async (work: Parameters<typeof write>[0]) => {
    const before = await store.read((tx) => tx.head('server'));
    const done = await write(work);
    const [entry] = await store.read((tx) => tx.journal('server', before.size, 1));
    if (entry?.kind === 'freezing' || entry?.kind === 'releasing') left -= 1;
    if (left === 0) throw new Error('stopped here');
    return done;
  });
  try {
    for (let contacts = 0; contacts < 6; contacts += 1) {
      value(await contactClearinghouse(server.context, { waitMs: 0 }));
    }
    assert.fail('it was not stopped');
  } catch (error) {
    assert.equal(error instanceof Error ? error.message : error, 'stopped here');
  } finally {
    Reflect.deleteProperty(store, 'write');
  }
}

/** How many holders or leases a message has. */
function listedIn(body: unknown): number {
  const {
    holders = [],
    leases = [],
    returned,
  } = body as {
    readonly holders?: readonly unknown[];
    readonly leases?: readonly unknown[];
    readonly returned?: unknown;
  };
  return holders.length + leases.length + (returned === undefined ? 0 : listedIn(returned));
}

async function toTheEnd(place: Place, id: string): Promise<void> {
  for (let round = 0; round < 6; round += 1) await acts.contact(place.source, place.target);
  assert.deepEqual(await states(place, id), ['closed', 'closed', 'closed']);
  assert.deepEqual(await acts.counts(place.source, type), [0, 0, 0, 0, 0, 0]);
  assert.deepEqual(await acts.counts(place.target, type), [installed, 0, installed - people, 0, people, 0]);
  for (const number of [0, partSize, people - 1]) {
    const answer = value(await ask(place.target, `user-${number}`));
    assert.match(answer.origin ?? '', new RegExp(`^${acts.idOf(place.source)}/`), 'by name, with its origin');
  }
}

describe('a move of many licenses', () => {
  it('arrives whole, and everybody by name', () =>
    withPlace(async (place) => {
      const order = {
        agreement,
        to: acts.idOf(place.target),
        product,
        type,
        quantity: 'all',
        hold: false,
      } as const;
      const rehearsed = value(await rehearseMove(place.source.context, { ...order, carrier: 'online' }));
      assert.deepEqual([rehearsed.unissued, rehearsed.held], [installed - people, people]);
      const id = await begin(place);
      await toTheEnd(place, id);
      const journal = await place.source.store.read((tx) => tx.journal('server', 0, 10_000));
      const count = (kind: string): number => journal.filter((entry) => entry.kind === kind).length;
      assert.deepEqual(['freezing', 'frozen', 'releasing', 'released'].map(count), [2, 1, 2, 1]);
    }));

  it('goes on where it was stopped while it froze; who is held is renewed, and nobody new gets any', () =>
    withPlace(async (place) => {
      const { world, source } = place;
      const id = await begin(place);
      await stopAfter(source, 1);
      assert.deepEqual(await states(place, id), ['frozen', 'reserved', undefined]);
      const free = installed - people;
      assert.deepEqual(await acts.counts(source, type), [
        installed,
        people - partSize,
        0,
        partSize + free,
        0,
        0,
      ]);
      await assertConserved(world);
      for (const holder of ['user-0', `user-${people - 1}`]) {
        assert.equal(value(await ask(source, holder)).status, 'unchanged');
      }
      assert.equal(refusalOf(await ask(source, 'somebody new')).code, 'none-available');
      await toTheEnd(place, id);
    }));

  it('is undone from the middle of its freeze: everything is as it was', () =>
    withPlace(async (place) => {
      const { world, source } = place;
      const id = await begin(place);
      await stopAfter(source, 2);
      value(await cancelMove(world.clearinghouse.context, id));
      await acts.contact(source);
      await acts.contact(source);
      assert.deepEqual(await states(place, id), ['undone', 'aborted', undefined]);
      assert.deepEqual(await acts.counts(source, type), [installed, people, installed - people, 0, 0, 0]);
      await toTheEnd(place, await begin(place));
    }));

  it('tells everybody by name in every message of it: no list is longer than its parts', () =>
    withPlace(async (place) => {
      const { world, source, target } = place;
      const told: [string, number][] = [];
      for (const { store } of [source, target, world.clearinghouse]) {
        const write = store.write.bind(store);
        Reflect.set(store, 'write', (work: Parameters<typeof write>[0]) =>
          write((tx) => {
            const post = tx.post.bind(tx);
            Reflect.set(tx, 'post', (entry: Parameters<typeof post>[0]) => {
              for (const { type: t, body } of entry.outbox ?? []) told.push([t, listedIn(body['body'])]);
              return post(entry);
            });
            return work(tx);
          }),
        );
      }
      const id = await begin(place);
      await acts.contact(source);
      await acts.contact(source, target);
      await Promise.all(Array.from({ length: people }, (_, number) => ask(target, `user-${number}`)));
      value(await cancelMove(world.clearinghouse.context, id));
      await acts.contact(target, target, source, source);
      assert.deepEqual(await states(place, id), ['undone', 'aborted', 'relinquished']);
      assert.deepEqual(await acts.counts(source, type), [installed, people, installed - people, 0, 0, 0]);
      await toTheEnd(place, await begin(place));
      for (const [part, count] of [
        ['frozen-part', 2 * people],
        ['grant-part', 2 * people],
        ['relinquished-part', people],
        ['unfreeze-part', people],
        ['released-part', people],
        ['source-closed-part', people],
      ] as const) {
        const sizes = told.filter(([t]) => t === part).map(([, size]) => size);
        assert.equal(
          sizes.reduce((sum, size) => sum + size, 0),
          count,
          part,
        );
      }
      assert.ok(Math.max(...told.map(([, size]) => size)) <= 400);
    }));

  it('leaves licenses behind that no change of their state alone brings back', () =>
    withPlace(async (place) => {
      const { store } = place.source;
      await toTheEnd(place, await begin(place));
      const revive = async (sql: string) => store.write(async (tx) => ok(await tx.run(sql)));
      await assert.rejects(
        revive(`update licenses set state = 'issued' where holder = 'user-0'`),
        /ended where its state says so/,
      );
    }));

  it('goes on where it was stopped while it gave up, and a deactivation gives up the rest at once', () =>
    withPlace(async (place) => {
      const { world, source, target } = place;
      const id = await begin(place);
      await acts.contact(source);
      await acts.contact(source, target, target);
      await stopAfter(source, 1);
      assert.deepEqual(await states(place, id), ['frozen', 'committed', 'final']);
      await assertConserved(world);
      value(await deactivateServer(source.context, { returnUnissued: false, by: 'message' }));
      assert.equal((await states(place, id))[0], 'closed');
      await acts.contact(source, target);
      await acts.contact(source, target);
      assert.deepEqual(await states(place, id), ['closed', 'closed', 'closed']);
      assert.deepEqual(await acts.counts(target, type), [installed, 0, installed - people, 0, people, 0]);
    }));
});
