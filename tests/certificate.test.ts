/** Certificates that are renewed: lines added later, and chains that are used up. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { exchangeMessages } from '../src/clearinghouse/usecases/exchange.ts';
import { addProduct } from '../src/clearinghouse/usecases/products.ts';
import { dayMs } from '../src/core/time.ts';
import { readLicenseBundle, verifyLicense } from '../src/protocol/license-bundle.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyAnswerFile, applyMessages } from '../src/server/usecases/apply-message.ts';
import { settleByContact } from '../src/server/usecases/contact.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { sealOutbox } from '../src/server/usecases/outbox.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { requestActivation } from '../src/server/usecases/requests.ts';
import { startMove } from '../src/server/usecases/start-move.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { freezeByTelephone, heartbeatByTelephone } from '../src/server/usecases/telephone-move.ts';
import { assertSound } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { contentOf } from './world/forge.ts';
import { agreement, makeWorld, product, refusalOf, value } from './world/world.ts';

const type = 'device';

function verified(server: OpenServer, license: LicenseAnswer): unknown {
  const bundle = value(readLicenseBundle(JSON.parse(license.bundleText)));
  const { digest, clock, root } = server.context;
  const shown = { token: license.token, bundle, root: root.publicKey, nowMs: clock.nowMs(), digest };
  const checked = verifyLicense(shown);
  return checked.ok ? 'valid' : checked.error;
}

it('a certificate grows with the agreement and past 65,535 units, and tokens follow it', async () => {
  const world = await makeWorld(100_000);
  const ch = world.clearinghouse.context;
  const server = await world.addServer('LS', { connected: true });
  await acts.activateByContact(server);
  await acts.installByContact(server, { quantity: 60_000 });
  const request = { product, type, holder: 'ws-1' } as const;
  const first = await acts.permanent(server, request.holder);
  assert.deepEqual([first.kind, verified(server, first)], ['permanent', 'valid']);
  await acts.installByContact(server, { quantity: 40_000 });
  const again = value(await requestLicense(server.context, request));
  assert.deepEqual([again.status, again.unit, again.expiresAt], ['unchanged', first.unit, first.expiresAt]);
  assert.equal(verified(server, again), 'valid');
  value(await addProduct(ch, { id: 'ts-2016', name: 'Terminal Server 2016', family: 'ts', version: 10 }));
  await acts.sell(world, { product: 'ts-2016', quantity: 5 });
  await acts.installByContact(server, { product: 'ts-2016', quantity: 5 });
  const packs = (await readStatus(server.context)).packs.map((pack) => [pack.product, pack.installed]);
  assert.deepEqual(packs, [
    [product, 100_000],
    ['ts-2016', 5],
  ]);
  const books = value(await showAgreement(ch, agreement)).lines.map((line) => [line.inHand, line.committed]);
  assert.deepEqual(books, [
    [0, 100_000],
    [0, 5],
  ]);
  await world.close();
});

it('a held key pack that was read out and never typed still belongs to the holders of its source', async () => {
  const world = await makeWorld(100);
  const old = await world.addServer('LS-OLD', { kit: true });
  const next = await world.addServer('LS-NEW', { kit: true, connected: true });
  await acts.setUp(world, old, 1);
  await acts.setUp(world, next, 0);
  const held = await acts.permanent(old, 'ws-1');
  await acts.deskMove(world, { from: old, to: next });
  const order = { product, type, to: acts.idOf(next), quantity: 'all' } as const;
  await acts.confirm(world, value(await freezeByTelephone(old.context, order)).code);
  const [closing] = value(
    await deactivateServer(old.context, { returnUnissued: false, by: 'telephone' }),
  ).codes;
  assert.match((await acts.confirm(world, closing?.code ?? '')).code ?? '', /^[89]/);
  // The code is not typed; the certificate brings the unit, and it is nobody else's.
  await acts.activateByContact(next);
  const [line] = (await readStatus(next.context)).packs;
  assert.deepEqual([line?.installed, line?.unissued, line?.reserved], [1, 0, 1]);
  const shown = { product, type, holder: 'ws-1', source: acts.sourceOf(held) } as const;
  const taken = value(await requestLicense(next.context, shown));
  assert.deepEqual([taken.kind, taken.origin], ['permanent', held.origin]);
  await world.close();
});

it('a certificate is renewed for its age, once, and what was issued under it is believed on', async () => {
  const world = await makeWorld(100, { kit: false });
  const server = await world.addServer('LS', { connected: true });
  await acts.connect(server, 10);
  const before = await acts.permanent(server, 'ws-1');
  const certified = async (): Promise<number> =>
    world.clearinghouse.store.read(async (tx) => {
      const rows = await tx.all("select id from journal where kind = 'certified-again'");
      return rows.length;
    });
  world.clock.advanceDays(60);
  await acts.contact(server, server);
  assert.equal(await certified(), 0);
  // A year after the first, when 14 of its 25 months are left.
  for (let month = 0; month < 10; month += 1) {
    world.clock.advanceDays(30);
    await acts.contact(server, server);
  }
  assert.equal(await certified(), 1);
  const after = value(await requestLicense(server.context, { product, type, holder: 'ws-1' }));
  assert.deepEqual([after.kind, after.unit, after.origin], ['permanent', before.unit, before.origin]);
  assert.equal(verified(server, after), 'valid');
  assert.deepEqual((await acts.counts(server)).slice(0, 3), [10, 1, 9]);
  await assertConserved(world);
  await assertSound(world);
  await world.close();
});

it('a renewal that arrives late does not stop an activation that was asked for since', async () => {
  const world = await makeWorld(100, { kit: false });
  const server = await world.addServer('LS', { connected: true });
  await acts.connect(server, 10);
  // Renewed for its age, and the answer does not arrive.
  world.clock.advanceDays(360);
  await acts.answerTo(world, server);
  value(await deactivateServer(server.context, { returnUnissued: true, by: 'message' }));
  value(await requestActivation(server.context, { agreement }));
  await acts.contact(server, server);
  assert.equal((await readStatus(server.context)).activation, 'activated');
  await acts.installByContact(server, { quantity: 3 });
  assert.deepEqual(await acts.counts(server), [3, 0, 3, 0, 0, 0]);
  await assertConserved(world);
  await assertSound(world);
  await world.close();
});

it('a deactivation by telephone is heard before the server is certified again', async () => {
  const world = await makeWorld(100, { kit: true });
  const server = await world.addServer('LS', { kit: true, connected: true });
  await acts.setUp(world, server, 40);
  const told = value(await deactivateServer(server.context, { returnUnissued: true, by: 'telephone' }));
  const asked = value(await requestActivation(server.context, { agreement }));
  assert.equal(refusalOf(await settleByContact(server.context, asked.id)).code, 'earlier-code-missing');
  assert.deepEqual(await acts.books(world), [60, 40, 0]);
  for (const { code } of told.codes) await acts.confirm(world, code);
  assert.deepEqual(await acts.books(world), [100, 0, 0]);
  await acts.activateByContact(server);
  await acts.installByContact(server, { quantity: 100 });
  assert.deepEqual(await acts.books(world), [0, 100, 0]);
  await assertConserved(world);
  await world.close();
});

it('a server is not certified while CALs for the holders of a source are on their way to it', async () => {
  const world = await makeWorld(100);
  const old = await world.addServer('LS-OLD', { connected: true });
  const next = await world.addServer('LS-NEW', { kit: true, connected: true });
  await acts.connect(old, 2);
  await acts.permanents(old, ['ws-1', 'ws-2']);
  // Activated at the desk; the code is not typed, and the grant waits for a server that has no activation.
  const code = await acts.activationCode(world, next);
  const order = {
    agreement,
    to: acts.idOf(next),
    product,
    type,
    quantity: 'all',
    reason: 'replaced',
  } as const;
  value(await startMove(old.context, { ...order, hold: true }));
  await acts.contact(old, old);
  const asked = value(await requestActivation(next.context, { agreement }));
  assert.equal(refusalOf(await settleByContact(next.context, asked.id)).code, 'move-open');
  await acts.typeCode(next, code);
  await acts.contact(next, next);
  assert.deepEqual(await acts.counts(next), [2, 0, 0, 0, 2, 0]);
  await acts.activateByContact(next);
  assert.deepEqual(await acts.counts(next), [2, 0, 0, 0, 2, 0]);
  await assertConserved(world);
  await world.close();
});

it('a server with a certificate that only telephones renews its holders for years, and hosts let them in', async () => {
  const world = await makeWorld(100, { kit: false });
  const server = await world.addServer('LS', { connected: true });
  await acts.connect(server, 10);
  const first = await acts.permanent(server, 'ws-1');
  // Its connection is gone for good. A certificate is to be renewed within 25 months; no code brings one.
  for (let day = 10; day <= 1200; day += 10) {
    world.clock.advanceDays(10);
    if (day % 300 === 30) {
      const told = value(await heartbeatByTelephone(server.context));
      for (const { code } of (await acts.confirm(world, told.code)).codes) await acts.typeCode(server, code);
    }
    const renewed = value(await requestLicense(server.context, { product, type, holder: 'ws-1' }));
    assert.deepEqual([renewed.kind, renewed.unit], ['permanent', first.unit], `day ${day}`);
    assert.equal(verified(server, renewed), 'valid', `day ${day}`);
  }
  await assertConserved(world);
  await world.close();
});

it('a certificate waits for a grant that has not arrived, also where its source has ended the move meanwhile', async () => {
  const world = await makeWorld(100);
  const old = await world.addServer('LS-OLD', { kit: true, connected: true });
  const next = await world.addServer('LS-NEW', { kit: true, connected: true });
  await acts.setUp(world, old, 1);
  await acts.setUp(world, next, 0);
  const first = await acts.permanent(old, 'ws-1');
  const move = await acts.askMove(old, next);
  await acts.contact(old, old);
  await acts.closeByContact(old, false);
  assert.equal(await acts.stateOf(world, move), 'closed');
  const asked = value(await requestActivation(next.context, { agreement }));
  const refused = refusalOf(await settleByContact(next.context, asked.id));
  assert.deepEqual(refused, { code: 'move-open', move, state: 'closed' });
  assert.deepEqual(await acts.counts(next), [1, 0, 0, 0, 1, 0]);
  await acts.contact(next);
  await acts.activateByContact(next);
  assert.deepEqual(await acts.counts(next), [1, 0, 0, 0, 1, 0]);
  assert.equal((await acts.permanent(next, 'ws-1')).origin, first.origin);
  await assertConserved(world);
  await world.close();
});

it('a file that tells of such a grant is enough for the certificate that is asked for in it', async () => {
  const world = await makeWorld(100);
  const old = await world.addServer('LS-OLD', { kit: true, connected: true });
  const next = await world.addServer('LS-NEW', { kit: true });
  await acts.setUp(world, old, 1);
  await acts.setUp(world, next, 0);
  await acts.permanent(old, 'ws-1');
  await acts.askMove(old, next);
  await acts.contact(old, old);
  await acts.closeByContact(old, false);
  value(await applyAnswerFile(next.context, await acts.answerTo(world, next)));
  value(await requestActivation(next.context, { agreement }));
  const done = value(await applyAnswerFile(next.context, await acts.answerTo(world, next)));
  assert.deepEqual([done.applied.includes('activated'), done.refused], [true, []]);
  assert.deepEqual(await acts.counts(next), [1, 0, 0, 0, 1, 0]);
  await world.close();
});

it('a license that is signed again with the clock set back is no older than its certificate', async () => {
  const world = await makeWorld(100);
  const server = await world.addServer('LS', { kit: true, connected: true });
  await acts.setUp(world, server, 1);
  const before = await acts.permanent(server, 'ws-1');
  world.clock.advanceDays(10);
  await acts.activateByContact(server);
  const clock = { nowMs: (): number => world.clock.nowMs() - 30 * dayMs };
  const setBack = { ...server, context: { ...server.context, clock } };
  const again = value(await requestLicense(setBack.context, { product, type, holder: 'ws-1' }));
  assert.deepEqual([again.status, again.expiresAt], ['unchanged', before.expiresAt]);
  assert.equal(verified(server, again), 'valid');
  await world.close();
});

it('a license that is signed again past the horizon of the certificate says so, and is believed', async () => {
  const world = await makeWorld(100);
  const server = await world.addServer('LS', { kit: true, connected: true });
  await acts.setUp(world, server, 1);
  value(await requestActivation(server.context, { agreement }));
  // The certificate is good for new holders until the end of the fourth month at most, and comes late.
  const asked = { messages: await sealOutbox(server.context), waitMs: 0 };
  const mail = value(await exchangeMessages(world.clearinghouse.context, asked)).messages;
  const messages = mail.filter((token) => contentOf(token).t === 'activated');
  world.clock.advanceDays(55);
  const random = { ...server.context.random, between: (_low: number, high: number) => high };
  await acts.permanent({ ...server, context: { ...server.context, random } }, 'ws-1');
  value(await applyMessages(server.context, { messages, ofOthers: 'refuse' }));
  world.clock.advanceDays(75);
  const again = value(await requestLicense(server.context, { product, type, holder: 'ws-1' }));
  assert.equal(again.status, 'unchanged');
  assert.equal(verified(server, again), 'valid');
  await world.close();
});
