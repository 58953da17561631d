/** Certificates that are renewed: lines added later, and chains that are used up. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { addProduct } from '../src/clearinghouse/usecases/products.ts';
import { readLicenseBundle, verifyLicense } from '../src/protocol/license-bundle.ts';
import type { OpenServer } from '../src/server/app.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { freezeByTelephone } from '../src/server/usecases/telephone-move.ts';
import * as acts from './world/acts.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

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
