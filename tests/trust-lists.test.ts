/** The trust list ends once a year (protocol §4.5): the next one, and how it reaches whom it is for. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { answerFile } from '../src/clearinghouse/usecases/exchange.ts';
import { makeKit } from '../src/clearinghouse/usecases/make-kit.ts';
import {
  importTrustList,
  renewalReminder,
  showTrustList,
} from '../src/clearinghouse/usecases/trust-lists.ts';
import { nodeDigest } from '../src/platform/digest.ts';
import { readKitFile, writeKitFile } from '../src/protocol/authority.ts';
import { readPublisherBundle } from '../src/protocol/trust.ts';
import type { OpenServer } from '../src/server/app.ts';
import { initServer, openServer } from '../src/server/app.ts';
import { applyAnswerFile } from '../src/server/usecases/apply-message.ts';
import { contactClearinghouse } from '../src/server/usecases/contact.ts';
import { requestFile } from '../src/server/usecases/outbox.ts';
import { addKit } from '../src/server/usecases/settings.ts';
import { listEvents } from '../src/server/usecases/status.ts';
import { readTrustList } from '../src/server/usecases/trust-list.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { bundleOf, renewTrust, signNext } from './world/trust.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, refusalOf, value } from './world/world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld(100, { kit: false });
});
afterEach(() => world.close());

async function connected(name: string, quantity: number): Promise<OpenServer> {
  const server = await world.addServer(name, { connected: true });
  await acts.connect(server, quantity);
  return server;
}

const contact = (server: OpenServer) => contactClearinghouse(server.context, { waitMs: 0 });
const versionAt = async (server: OpenServer): Promise<number> =>
  (await readTrustList(server.context)).list.version;

async function eventsOf(server: OpenServer, number: number): Promise<readonly string[]> {
  const { items } = await listEvents(server.context, { cursor: '', limit: 500 });
  return items.filter(({ id }) => id === number).map(({ text }) => text);
}

/** A request file of a server carried to the clearinghouse, and the answer back to each of `to`. */
async function byFile(server: OpenServer, ...to: readonly OpenServer[]): Promise<void> {
  const answered = value(await answerFile(world.clearinghouse.context, await requestFile(server.context)));
  for (const each of to) value(await applyAnswerFile(each.context, answered.file));
}

describe('a trust list that has ended', () => {
  it('makes a license server refuse what the clearinghouse says, until the next one is in force', async () => {
    const server = await connected('LS', 5);
    world.clock.advanceDays(401);
    assert.equal(refusalOf(await contact(server)).code, 'message-untrusted');
    await renewTrust(world);
    value(await contact(server));
    assert.equal(await versionAt(server), 2);
    const [told, ...more] = await eventsOf(server, 5047);
    assert.deepEqual(more, []);
    assert.match(told ?? '', /^Trust list 2 of the publisher is in force; it ends on 20\d\d-/);
    await acts.installByContact(server, { quantity: 3 });
    assert.deepEqual(await acts.counts(server), [8, 0, 8, 0, 0, 0]);
    await assertConserved(world);
  });

  it('is followed over as many years as a license server was away', async () => {
    const server = await connected('LS', 5);
    for (let year = 0; year < 4; year++) {
      world.clock.advanceDays(350);
      await renewTrust(world);
    }
    value(await contact(server));
    assert.equal(await versionAt(server), 5);
    assert.deepEqual((await eventsOf(server, 5047)).length, 1);
  });

  it('is followed by file, by the other end of a move as well', async () => {
    const source = await connected('LS-OLD', 5);
    const target = await connected('LS-NEW', 0);
    await acts.askMove(source, target, { hold: true });
    await acts.contact(source, target);
    world.clock.advanceDays(399);
    await renewTrust(world);
    world.clock.advanceDays(399);
    await renewTrust(world);
    await byFile(source, source, target);
    assert.deepEqual([await versionAt(source), await versionAt(target)], [3, 3]);
  });

  it('is followed with an agreement kit, by a license server that was made with the first publisher bundle', async () => {
    const server = await world.addServer('LS');
    await renewTrust(world);
    await renewTrust(world);
    const kit = value(await makeKit(world.clearinghouse.context, agreement));
    value(await addKit(server.context, kit.file));
    assert.equal(await versionAt(server), 3);
    const dir = join(world.dir, 'LS-LATER');
    await initServer({ dir, name: 'LS-LATER', bundle: bundleOf(world), clock: world.clock });
    const later = await openServer(dir, { clock: world.clock });
    assert.equal(await versionAt(later), 3);
    await later.close();
  });
});

describe('an import', () => {
  it('of the same list or an older one changes nothing', async () => {
    const { context } = world.clearinghouse;
    const first = bundleOf(world);
    const second = signNext(world);
    assert.equal(value(await importTrustList(context, second)).imported, true);
    const bundle = bundleOf(world);
    for (const file of [second, first]) {
      const again = value(await importTrustList(context, file));
      assert.deepEqual([again.imported, again.version, bundleOf(world)], [false, 2, bundle]);
    }
  });

  it('of a list whose predecessor is missing, or of another publisher, is refused', async () => {
    const { context } = world.clearinghouse;
    const third = signNext(world, signNext(world));
    const gap = refusalOf(await importTrustList(context, third));
    assert.deepEqual(gap, { code: 'message-out-of-order', expected: 2, found: 3 });
    const elsewhere = await makeWorld(1, { kit: false });
    assert.equal(refusalOf(await importTrustList(context, signNext(elsewhere))).code, 'message-untrusted');
    await elsewhere.close();
    assert.equal(refusalOf(await importTrustList(context, '{')).code, 'file-damaged');
    assert.equal(showTrustList(context).version, 1);
  });

  it('that was ended before the publisher bundle was written is ended by the next start', async () => {
    const first = bundleOf(world);
    await renewTrust(world);
    const second = bundleOf(world);
    const file = join(world.dir, 'ch', 'publisher-bundle.json');
    await world.reopenClearinghouse(async () => writeFileSync(file, first));
    assert.equal(bundleOf(world), second);
    assert.equal(showTrustList(world.clearinghouse.context).version, 2);
  });
});

it('two lists of one version stop nobody: each goes on with the one that it has, until the next', async () => {
  const server = await connected('LS', 5);
  const other = signNext(world);
  const kit = value(readKitFile(value(await makeKit(world.clearinghouse.context, agreement)).file));
  world.clock.advanceDays(1);
  await renewTrust(world);
  value(await contact(server));
  const own = await readTrustList(server.context);
  const trustLists = [...kit.trustLists, value(readPublisherBundle(nodeDigest, other)).trustListToken];
  const refused = refusalOf(await addKit(server.context, writeKitFile({ ...kit, trustLists })));
  assert.deepEqual(refused, { code: 'message-invalid', problem: 'there are two trust lists of version 2' });
  assert.equal((await readTrustList(server.context)).token, own.token);
  // The same from the clearinghouse itself, which the publisher had sign the other one.
  const { context } = world.clearinghouse;
  const [first = '', second = ''] = context.trustLists;
  context.trustLists = trustLists;
  value(await contact(server));
  assert.equal((await readTrustList(server.context)).token, own.token);
  context.trustLists = [first, second];
  await renewTrust(world);
  value(await contact(server));
  assert.equal((await readTrustList(server.context)).token, context.trustLists.at(-1));
});

it('the publisher is reminded from sixty days before the end on', async () => {
  const { context } = world.clearinghouse;
  const reminder = () => renewalReminder(showTrustList(context));
  world.clock.advanceDays(338);
  assert.equal(reminder(), undefined);
  world.clock.advanceDays(3);
  assert.match(reminder() ?? '', /^Trust list 1 ends on 20\d\d-\d\d-\d\d\. Sign the next one/);
  world.clock.advanceDays(60);
  assert.match(
    reminder() ?? '',
    /^Trust list 1 ended on .*: license servers refuse what this clearinghouse sends/,
  );
  await renewTrust(world);
  assert.equal(reminder(), undefined);
});
