/** Certificates that are renewed: lines added later, and chains that are used up. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { addAgreement, showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { addProduct } from '../src/clearinghouse/usecases/products.ts';
import { readLicenseBundle, verifyLicense } from '../src/protocol/license-bundle.ts';
import type { OpenServer } from '../src/server/app.ts';
import { settleByContact } from '../src/server/usecases/contact.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { requestActivation, requestInstall } from '../src/server/usecases/requests.ts';
import { validateLicense } from '../src/server/usecases/return-license.ts';
import { readStatus } from '../src/server/usecases/status.ts';
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
