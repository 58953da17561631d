/** Certificates that are renewed: lines added later, and chains that are used up. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { addAgreement, showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { activateByTelephone } from '../src/clearinghouse/usecases/desk-activate.ts';
import { confirmByTelephone } from '../src/clearinghouse/usecases/desk-confirm.ts';
import { grantKeyPack } from '../src/clearinghouse/usecases/desk-key-pack.ts';
import { addProduct } from '../src/clearinghouse/usecases/products.ts';
import { startDeskMove } from '../src/clearinghouse/usecases/start-move.ts';
import { readLicenseBundle, verifyLicense } from '../src/protocol/license-bundle.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyCode } from '../src/server/usecases/apply-code.ts';
import { settleByContact } from '../src/server/usecases/contact.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { requestActivation, requestInstall } from '../src/server/usecases/requests.ts';
import { validateLicense } from '../src/server/usecases/return-license.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { freezeByTelephone } from '../src/server/usecases/telephone-move.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

const type = 'device';

async function install(server: OpenServer, of: { product: string; quantity: number }): Promise<void> {
  const asked = value(await requestInstall(server.context, { agreement, type, ...of }));
  value(await settleByContact(server.context, asked.id));
}

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
  value(
    await settleByContact(server.context, value(await requestActivation(server.context, { agreement })).id),
  );
  await install(server, { product, quantity: 60_000 });
  const request = { product, type, holder: 'ws-1' } as const;
  value(await requestLicense(server.context, request));
  value(await validateLicense(server.context, request));
  const first = value(await requestLicense(server.context, request));
  assert.deepEqual([first.kind, verified(server, first)], ['permanent', 'valid']);
  await install(server, { product, quantity: 40_000 });
  const again = value(await requestLicense(server.context, request));
  assert.deepEqual([again.status, again.unit, again.expiresAt], ['unchanged', first.unit, first.expiresAt]);
  assert.equal(verified(server, again), 'valid');
  value(await addProduct(ch, { id: 'ts-2016', name: 'Terminal Server 2016', family: 'ts', version: 10 }));
  const more = {
    number: agreement,
    program: 'select',
    customer: 'Contoso',
    product: 'ts-2016',
    type,
  } as const;
  value(await addAgreement(ch, { ...more, quantity: 5, requestId: 'second' }));
  await install(server, { product: 'ts-2016', quantity: 5 });
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
  const ch = world.clearinghouse.context;
  const old = await world.addServer('LS-OLD', { kit: true });
  const next = await world.addServer('LS-NEW', { kit: true, connected: true });
  const ids = { from: old.context.licenseServerId, to: next.context.licenseServerId };
  for (const server of [old, next]) {
    const serverId = server.context.licenseServerId;
    const { code } = value(await activateByTelephone(ch, { agreement, serverId }));
    value(await applyCode(server.context, { text: code ?? '', confirmed: true }));
  }
  const pack = { agreement, serverId: ids.from, product, type, quantity: 1, requestId: 'one' };
  value(
    await applyCode(old.context, { text: value(await grantKeyPack(ch, pack)).code ?? '', confirmed: true }),
  );
  const request = { product, type, holder: 'ws-1' } as const;
  value(await requestLicense(old.context, request));
  value(await validateLicense(old.context, request));
  const held = value(await requestLicense(old.context, request));
  const order = {
    agreement,
    ...ids,
    product,
    type,
    quantity: 'all',
    reason: 'replaced',
    requestId: 'two',
  } as const;
  value(await startDeskMove(ch, order));
  value(
    await confirmByTelephone(ch, {
      code: value(await freezeByTelephone(old.context, { product, type, to: ids.to, quantity: 'all' })).code,
    }),
  );
  const [closing] = value(
    await deactivateServer(old.context, { returnUnissued: false, by: 'telephone' }),
  ).codes;
  assert.match(value(await confirmByTelephone(ch, { code: closing?.code ?? '' })).code ?? '', /^[89]/);
  // The code is not typed; the certificate brings the unit, and it is nobody else's.
  value(await settleByContact(next.context, value(await requestActivation(next.context, { agreement })).id));
  const [line] = (await readStatus(next.context)).packs;
  assert.deepEqual([line?.installed, line?.unissued, line?.reserved], [1, 0, 1]);
  const source = { token: held.token, bundle: JSON.parse(held.bundleText) as unknown };
  const taken = value(await requestLicense(next.context, { ...request, source }));
  assert.deepEqual([taken.kind, taken.origin], ['permanent', held.origin]);
  await world.close();
});
