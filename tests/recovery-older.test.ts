/**
 * What a server before had only the clearinghouse says (protocol §5.5): a backup may be older than the CALs, and a server may
 * have come in between.
 */
import assert from 'node:assert/strict';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { setRecoveryPolicy } from '../src/clearinghouse/usecases/agreements.ts';
import { approveMove } from '../src/clearinghouse/usecases/approve-release.ts';
import { nodeDigest } from '../src/platform/digest.ts';
import { systemRandom } from '../src/platform/random.ts';
import { readPublisherBundle } from '../src/protocol/trust.ts';
import type { OpenServer } from '../src/server/app.ts';
import { succeed } from '../src/server/app-succession.ts';
import type { RecoveryOrder } from '../src/server/usecases/recover.ts';
import { recover } from '../src/server/usecases/recover.ts';
import { listEvents, readStatus } from '../src/server/usecases/status.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { ask, closeWorlds, newWorld } from './world/dead.ts';
import type { World } from './world/world.ts';
import { agreement, product, refusalOf, value } from './world/world.ts';

const statement = 'Ann Lee: the operating system was installed anew';
const name = 'LS-ONE';
const names = ['ws-1', 'ws-2', 'ws-3'];

after(closeWorlds);

async function scene(quantity: number, holders: readonly string[] = []): Promise<World> {
  const world = await newWorld(100, { kit: false });
  const old = await acts.addConnected(world, name, quantity);
  await acts.contact(old);
  for (const holder of holders) await acts.permanent(old, holder);
  await acts.contact(old);
  return world;
}

const serverOf = (world: World): OpenServer => {
  const server = world.servers.get(name);
  assert.ok(server);
  return server;
};

/** A copy of the data folder as it is now. */
async function copied(world: World): Promise<string> {
  const copy = join(world.dir, 'copy');
  await world.reopen(name, (home) => cpSync(home, copy, { recursive: true }));
  return copy;
}

/** The operating system is replaced; with a copy, that is what is restored on it. */
const replaceSystem = (world: World, copy?: string): Promise<OpenServer> =>
  world.reopen(name, (home, instance) => {
    rmSync(instance, { recursive: true });
    if (copy === undefined) return;
    rmSync(home, { recursive: true });
    cpSync(copy, home, { recursive: true });
  });

const rebuild = (world: World): Promise<OpenServer> =>
  world.reopen(name, async (home) => {
    const { trustListToken: trustList } = value(readPublisherBundle(nodeDigest, world.bundle));
    await succeed(home, {
      ...{ clock: world.clock, random: systemRandom, cause: 'rebuilt', reason: 'certificate-corrupt' },
      settings: { trustList, clearinghouseUrl: 'http://127.0.0.1:9' },
    });
  });

const askFor = (server: OpenServer, more: Partial<RecoveryOrder> = {}) =>
  recover(server.context, { statement, by: 'message', ...more });

const areRecovered = async ({ context }: OpenServer): Promise<readonly boolean[]> =>
  (await readStatus(context)).successions.map(({ recovered }) => recovered);

/** What was told of lines that did not come: warnings (5019) and mere information (5031). */
const nothingEvents = async ({ context }: OpenServer): Promise<readonly number[]> =>
  (await listEvents(context, { cursor: '', limit: 100 })).items
    .map(({ id }) => id)
    .filter((id) => id === 5019 || id === 5031);

const lostEvents = async ({ context }: OpenServer): Promise<readonly string[]> =>
  (await listEvents(context, { cursor: '', limit: 100 })).items
    .filter(({ id }) => id === 26)
    .map(({ text }) => text);

it('CALs of a line that the backup does not know come back with the others', async () => {
  const world = await scene(10);
  await acts.sell(world, { product, type: 'user', quantity: 50 });
  const copy = await copied(world);
  await acts.installByContact(serverOf(world), { quantity: 5, type: 'user' });
  await acts.contact(serverOf(world));
  const next = await replaceSystem(world, copy);
  await acts.activateByContact(next);
  assert.equal(value(await askFor(next)).moves.length, 2);
  assert.deepEqual(await areRecovered(next), [false]);
  await acts.contact(next, next, next);
  assert.deepEqual(await acts.counts(next), [10, 0, 10, 0, 0, 0]);
  assert.deepEqual(await acts.counts(next, 'user'), [5, 0, 5, 0, 0, 0]);
  assert.deepEqual(await areRecovered(next), [true]);
  assert.equal(refusalOf(await askFor(next)).code, 'nothing-to-recover');
  await assertConserved(world);
});

it('a backup that knows of no CALs says so, and they come back all the same', async () => {
  const world = await scene(0);
  const copy = await copied(world);
  await acts.installByContact(serverOf(world), { quantity: 5 });
  await acts.contact(serverOf(world));
  const next = await replaceSystem(world, copy);
  assert.match((await lostEvents(next)).join(), /^0 unissued licenses on \S+ not restored/);
  const [made] = (await readStatus(next.context)).successions;
  assert.match(made?.say ?? '', /knew of no CALs\. I ask for all that your books have/);
  await acts.activateByContact(next);
  assert.deepEqual(await areRecovered(next), [false]);
  value(await askFor(next));
  await acts.contact(next, next);
  assert.deepEqual(await acts.counts(next), [5, 0, 5, 0, 0, 0]);
  assert.deepEqual(await areRecovered(next), [true]);
  await assertConserved(world);
});

it('a line of which the clearinghouse has nothing is settled by its answer, and asked for again by name', async () => {
  const world = await scene(10);
  await acts.sell(world, { product, type: 'user', quantity: 50 });
  await acts.contact(serverOf(world), serverOf(world));
  const from = acts.idOf(serverOf(world));
  const next = await replaceSystem(world);
  await acts.activateByContact(next);
  value(await askFor(next));
  await acts.contact(next);
  await acts.contact(next);
  assert.deepEqual(await areRecovered(next), [true]);
  // The server before is not known to have had any of it.
  assert.deepEqual(await nothingEvents(next), [5031]);
  assert.equal(refusalOf(await askFor(next)).code, 'nothing-to-recover');
  const again = value(await askFor(next, { from })).moves;
  assert.deepEqual(
    again.map(({ type }) => type),
    ['user'],
  );
});

it('CALs that went to a server in between by a recovery that waited come from there, and nothing is left to ask for', async () => {
  const world = await scene(10, names);
  const ch = world.clearinghouse.context;
  value(await setRecoveryPolicy(ch, { agreement, policy: 'wait' }));
  const between = await replaceSystem(world);
  await acts.activateByContact(between);
  const first = value(await askFor(between)).moves[0]?.id ?? '';
  await acts.contact(between, between);
  const next = await replaceSystem(world);
  await acts.activateByContact(next);
  value(await approveMove(ch, { move: first, by: 'Bo Berg' }));
  const { moves } = value(await askFor(next));
  await acts.contact(next, next);
  value(await approveMove(ch, { move: moves[1]?.id ?? '', by: 'Bo Berg' }));
  await acts.contact(next, next);
  // Whom the first server knew has a place in what comes by way of the second one.
  assert.deepEqual(await acts.counts(next), [10, 0, 7, 0, 3, 0]);
  await acts.permanents(next, ['pc-1', 'pc-2', 'pc-3', 'pc-4', 'pc-5', 'pc-6', 'pc-7']);
  for (const holder of names) assert.equal(value(await ask(next, holder)).kind, 'permanent');
  assert.deepEqual(await acts.counts(next), [10, 10, 0, 0, 0, 0]);
  // The first answer was that it is declared dead for another one; now there is nothing of it.
  const told = await nothingEvents(next);
  value(await askFor(next));
  await acts.contact(next);
  assert.deepEqual(await areRecovered(next), [true, true]);
  // It is known to have had some, which have gone elsewhere.
  assert.deepEqual((await nothingEvents(next)).toSorted(), [...told, 5019].toSorted());
  assert.equal(refusalOf(await askFor(next)).code, 'nothing-to-recover');
  await assertConserved(world);
});

it('rebuilt twice before anything is recovered: the word for the server in between says nothing of the next', async () => {
  const world = await scene(10, names);
  await rebuild(world);
  const next = await rebuild(world);
  await acts.activateByContact(next);
  const wordless = refusalOf(await recover(next.context, { by: 'message' }));
  assert.deepEqual(
    [wordless.code, 'field' in wordless ? wordless.field : ''],
    ['invalid-input', 'statement'],
  );
  value(await askFor(next));
  await acts.contact(next, next);
  assert.deepEqual(await acts.counts(next), [10, 0, 7, 0, 3, 0]);
  assert.deepEqual(await areRecovered(next), [true, true]);
  await assertConserved(world);
});

it('counts what was set aside among what is not restored', async () => {
  const world = await scene(10, names);
  await world.reopen(name, (_home, instance) => {
    for (const file of readdirSync(instance)) if (file.endsWith('.high-water')) rmSync(join(instance, file));
  });
  assert.deepEqual(await acts.counts(serverOf(world)), [10, 3, 0, 0, 0, 7]);
  const next = await replaceSystem(world);
  assert.match((await lostEvents(next)).join(), /^7 unissued licenses of /);
  const [made] = (await readStatus(next.context)).successions;
  assert.equal(made?.unissued, 7);
  assert.match(made.say, /7 unissued CALs were not restored, 3 holders were/);
});
