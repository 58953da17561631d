/** What the world of `calyx up` holds: a publisher's sample product and agreement, and CALs on LS-OLD. */
import { readFileSync } from 'node:fs';
import { writeFileAtomic } from '../platform/atomic-file.ts';
import type { ApiClient } from './client.ts';
import { pathOf } from './client.ts';
import { readStatus } from './server-answers.ts';

export const sample = {
  publisher: 'Sample Publisher',
  agreement: '4965437',
  program: 'select',
  customer: 'Contoso',
  product: { id: 'ts-2012r2', name: 'Terminal Server 2012 R2', family: 'ts', version: 9 },
  type: 'device',
  entitled: 1000,
  installed: 500,
  devices: Array.from({ length: 15 }, (_, index) => `ws-${String(index + 1).padStart(2, '0')}`),
} as const;

/** Product, agreement and kit; entered again they are as they were. */
export async function enterSample(clearinghouse: ApiClient, kitFile: string): Promise<void> {
  await clearinghouse.call('POST', '/v1/products', { body: { ...sample.product } });
  await clearinghouse.call('POST', '/v1/agreements', {
    body: {
      ...{ number: sample.agreement, program: sample.program, customer: sample.customer },
      ...{ product: sample.product.id, type: sample.type, quantity: sample.entitled },
    },
    // A second start of a killed first one must not buy a second time.
    idempotencyKey: 'up-agreement',
  });
  const path = pathOf('v1', 'agreements', sample.agreement, 'kit');
  const kit = await clearinghouse.call<{ readonly file: string }>('POST', path);
  writeFileAtomic(kitFile, kit.file, 0o644);
}

/** Activates LS-OLD by connection, installs its CALs and issues some of them. */
export async function fillOld(server: ApiClient): Promise<void> {
  const before = await readStatus(server);
  if (before.activation === 'not-activated') {
    await server.call('POST', '/v1/admin/activate', { body: { agreement: sample.agreement, by: 'contact' } });
  }
  if (before.packs.length === 0) {
    const { product, type, installed, agreement } = sample;
    const order = { agreement, product: product.id, type, quantity: installed, by: 'contact' };
    await server.call('POST', '/v1/admin/install', { body: order });
  }
  await Promise.all(sample.devices.map((device) => license(server, device)));
}

/** A permanent CAL for a device, as a session host gets it: temporary first, then after a sign-in. */
async function license(server: ApiClient, device: string): Promise<void> {
  const path = pathOf('v1', 'licenses', sample.product.id, 'devices', device);
  const first = await server.call<{ readonly kind: string }>('PUT', path);
  if (first.kind === 'permanent') return;
  await server.call('POST', `${path}/validate`);
  await server.call('PUT', path);
}

/** LS-NEW gets the kit that came with the paper, and nothing else. */
export async function fillNew(server: ApiClient, kitFile: string): Promise<void> {
  const state = await readStatus(server);
  if (state.kits.includes(sample.agreement)) return;
  await server.call('POST', '/v1/admin/kits', { body: { file: readFileSync(kitFile, 'utf8') } });
}
