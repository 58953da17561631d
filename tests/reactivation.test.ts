/** A deactivated server that is activated again: units are neither lost nor granted twice on the way. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { activateByTelephone } from '../src/clearinghouse/usecases/desk-activate.ts';
import { addProduct } from '../src/clearinghouse/usecases/products.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyCode } from '../src/server/usecases/apply-code.ts';
import { applyAnswerFile } from '../src/server/usecases/apply-message.ts';
import { settleByContact } from '../src/server/usecases/contact.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { returnByTelephone } from '../src/server/usecases/give-back.ts';
import { requestActivation, requestInstall } from '../src/server/usecases/requests.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import { assertSound } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

const type = 'device';

it('a code that was never typed keeps its units committed, whoever activates again and how', async () => {
  const world = await makeWorld(100);
  const ch = world.clearinghouse.context;
  const server = await world.addServer('LS', { kit: true, connected: true });
  const { context } = server;
  const books = async () => {
    const line = value(await showAgreement(ch, agreement)).lines[0];
    return [line?.inHand, line?.committed];
  };
  const installed = async () => (await readStatus(context)).packs[0]?.installed ?? 0;
  const activation = await acts.activationCode(world, server);
  await acts.typeCode(server, activation);
  await acts.install(world, server, { quantity: 10 });
  const untyped = await acts.packCode(world, server, { quantity: 25 });
  const closed = value(await deactivateServer(context, { returnUnissued: true, by: 'telephone' }));
  assert.deepEqual(
    closed.codes.map((code) => code.kind),
    ['returned', 'deactivated'],
  );
  for (const { code } of closed.codes) await acts.confirm(world, code);
  assert.deepEqual(await books(), [75, 25]);
  const refused = await applyCode(context, { text: untyped, confirmed: true });
  assert.equal(refused.ok ? '' : refused.error.code, 'deactivated');
  // The same activation code activates again, without a call; then the old key pack still installs.
  await acts.typeCode(server, activation);
  await acts.typeCode(server, untyped);
  assert.equal(await installed(), 25);
  assert.deepEqual(await books(), [75, 25]);
  // A call, and a certificate that names the key: still the same 25.
  assert.equal(await acts.activationCode(world, server), activation);
  assert.deepEqual(await books(), [75, 25]);
  await acts.activateByContact(server);
  assert.equal((await readStatus(context)).assurance, 'key');
  assert.equal(await installed(), 25);
  assert.deepEqual(await books(), [75, 25]);
  await world.close();
});

it('grants that were never applied stay committed, across a renewed certificate and a deactivation', async () => {
  const world = await makeWorld(100);
  const ch = world.clearinghouse.context;
  const server = await world.addServer('LS');
  const { context } = server;
  value(await requestActivation(context, { agreement }));
  value(await applyAnswerFile(context, await acts.answerTo(world, server)));
  // Two key packs, the second of a line that the certificate does not have: neither answer arrives.
  value(await requestInstall(context, { agreement, product, type, quantity: 10 }));
  await acts.answerTo(world, server);
  value(await addProduct(ch, { id: 'ts-2016', name: 'Terminal Server 2016', family: 'ts', version: 10 }));
  await acts.sell(world, { product: 'ts-2016', quantity: 7 });
  value(await requestInstall(context, { agreement, product: 'ts-2016', type, quantity: 7 }));
  const late = await acts.answerTo(world, server);
  value(await deactivateServer(context, { returnUnissued: true, by: 'message' }));
  await acts.answerTo(world, server);
  const committed = value(await showAgreement(ch, agreement)).lines.map((line) => line.committed);
  assert.deepEqual(committed, [10, 7]);
  // The stick turns up after all: what it brings is what is committed, and the server stays closed.
  value(await applyAnswerFile(context, late));
  const status = await readStatus(context);
  assert.equal(status.activation, 'deactivated');
  assert.deepEqual(
    status.packs.map((pack) => pack.installed),
    [10, 7],
  );
  await world.close();
});

const reasonsIn = async (program: Pick<OpenServer, 'store'>, kinds: readonly string[]) => {
  const rows = await program.store.read((tx) =>
    tx.all<{ kind: string; text: string }>('select kind, text from journal order by rowid'),
  );
  return rows
    .filter(({ kind }) => kinds.includes(kind))
    .map(({ text }) => (JSON.parse(text) as { body: { reason?: string } }).body.reason);
};

it('why it is activated again stands in the journals of both sides, by telephone and by message', async () => {
  const world = await makeWorld(100);
  const ch = world.clearinghouse;
  const server = await world.addServer('LS', { kit: true, connected: true });
  const code = await acts.activationCode(world, server);
  await acts.typeCode(server, code);
  await acts.closeByContact(server, true);
  const call = { agreement, serverId: acts.idOf(server), reason: 'upgraded' } as const;
  assert.equal(value(await activateByTelephone(ch.context, call)).code, code);
  await acts.typeCode(server, code, { reason: 'upgraded' });
  assert.deepEqual(await reasonsIn(server, ['activated', 'reactivated']), [undefined, 'upgraded']);
  assert.deepEqual(await reasonsIn(ch, ['activated', 'reactivated']), [undefined, 'upgraded']);
  await acts.closeByContact(server, true);
  const asked = value(await requestActivation(server.context, { agreement, reason: 'key-compromised' }));
  value(await settleByContact(server.context, asked.id));
  assert.deepEqual(await reasonsIn(server, ['activate-requested']), ['key-compromised']);
  assert.deepEqual(await reasonsIn(ch, ['certified-again']), ['key-compromised']);
  await assertSound(world);
  await world.close();
});

it('can be deactivated again by message although nobody has heard of the first time', async () => {
  const world = await makeWorld(100);
  const server = await world.addServer('LS', { kit: true, connected: true });
  const code = await acts.activationCode(world, server);
  await acts.typeCode(server, code);
  await acts.install(world, server, { quantity: 10 });
  value(await deactivateServer(server.context, { returnUnissued: true, by: 'message' }));
  // The same code opens it again, before the clearinghouse has heard anything.
  await acts.typeCode(server, code);
  value(await deactivateServer(server.context, { returnUnissued: true, by: 'message' }));
  await acts.contact(server, server);
  const [line] = value(await showAgreement(world.clearinghouse.context, agreement)).lines;
  assert.deepEqual([line?.inHand, line?.committed], [100, 0]);
  assert.equal((await readStatus(server.context)).activation, 'deactivated');
  await world.close();
});

it('what it got between two deactivations by message, both still on their way, comes back as well', async () => {
  const world = await makeWorld(100);
  const server = await world.addServer('LS', { kit: true, connected: true });
  const code = await acts.activationCode(world, server);
  await acts.typeCode(server, code);
  value(await deactivateServer(server.context, { returnUnissued: true, by: 'message' }));
  await acts.typeCode(server, code);
  await acts.install(world, server, { quantity: 10 });
  value(await deactivateServer(server.context, { returnUnissued: true, by: 'message' }));
  await acts.contact(server, server);
  assert.deepEqual(await acts.books(world), [100, 0, 0]);
  await assertConserved(world);
  await assertSound(world);
  await world.close();
});

/** LS-NEW has three CALs of its own, and has typed the four of LS-OLD, which has frozen them and not released. */
async function typedEarly() {
  const world = await makeWorld(100);
  const from = await world.addServer('LS-OLD', { kit: true, connected: true });
  const to = await world.addServer('LS-NEW', { kit: true, connected: true });
  await acts.setUp(world, from, 4);
  await acts.setUp(world, to, 3);
  await acts.deskMove(world, { from, to });
  const order = { product, type, to: acts.idOf(to), quantity: 'all' } as const;
  const frozen = value(await freezeByTelephone(from.context, order));
  await acts.typeCode(to, (await acts.confirm(world, frozen.code)).code ?? '');
  return { world, from, to };
}

for (const alsoRead of [0, 5]) {
  const others = alsoRead === 0 ? '' : ', and those that were read out and never typed stay committed';
  it(`CALs typed before their source released them, and given up, are in hand when it does${others}`, async () => {
    const { world, from, to } = await typedEarly();
    if (alsoRead > 0) await acts.packCode(world, to, { quantity: alsoRead });
    await acts.closeByContact(to, true);
    const [inHand = 0, committed = 0, inTransit] = await acts.books(world);
    assert.deepEqual([inHand + committed, inTransit], [96, 4]);
    const { code } = value(await releaseByTelephone(from.context, { product, type }));
    await acts.activateByContact(to);
    await acts.confirm(world, code);
    assert.deepEqual(await acts.books(world), [100 - alsoRead, alsoRead, 0]);
    assert.equal((await acts.counts(to))[0] ?? 0, alsoRead);
    await assertConserved(world);
    await assertSound(world);
    await world.close();
  });
}

it('closed again before that source has released, what was read out since and never typed stays committed', async () => {
  const { world, from, to } = await typedEarly();
  await acts.closeByContact(to, true);
  await acts.activateByContact(to);
  await acts.packCode(world, to, { quantity: 5 });
  await acts.closeByContact(to, true);
  const [inHand = 0, committed] = await acts.books(world);
  assert.deepEqual([inHand, committed], [91, 5]);
  await acts.activateByContact(to);
  assert.deepEqual(await acts.counts(to), [5, 0, 5, 0, 0, 0]);
  const { code } = value(await releaseByTelephone(from.context, { product, type }));
  await acts.confirm(world, code);
  assert.deepEqual(await acts.books(world), [95, 5, 0]);
  await assertConserved(world);
  await assertSound(world);
  await world.close();
});

it('what was typed before its source released it can be given back and read out, and is in hand when it does', async () => {
  const { world, from, to } = await typedEarly();
  // Five of seven: three of its own, and two of those that are still the old server's.
  const given = value(await returnByTelephone(to.context, { product, type, quantity: 5 }));
  await acts.confirm(world, given.code);
  assert.deepEqual(await acts.books(world), [96, 0, 4]);
  const { code } = value(await releaseByTelephone(from.context, { product, type }));
  await acts.confirm(world, code);
  assert.deepEqual(await acts.books(world), [98, 2, 0]);
  assert.deepEqual(await acts.counts(to), [2, 0, 2, 0, 0, 0]);
  // Deactivated afterwards, nothing is given up a second time.
  await acts.closeByContact(to, true);
  assert.deepEqual(await acts.books(world), [100, 0, 0]);
  await assertConserved(world);
  await assertSound(world);
  await world.close();
});

it('asked again, an end shows every code that was made since the one before, and all of them are taken in', async () => {
  const world = await makeWorld(100);
  const server = await world.addServer('LS', { kit: true });
  await acts.setUp(world, server, 20);
  const line = { product, type } as const;
  for (let each = 0; each < 18; each += 1) {
    value(await returnByTelephone(server.context, { ...line, quantity: 1 }));
  }
  const order = { returnUnissued: true, by: 'telephone' } as const;
  value(await deactivateServer(server.context, order));
  const { codes } = value(await deactivateServer(server.context, order));
  assert.equal(codes.length, 20);
  for (const { code } of codes) await acts.confirm(world, code);
  assert.deepEqual(await acts.books(world), [100, 0, 0]);
  await assertConserved(world);
  await assertSound(world);
  await world.close();
});
