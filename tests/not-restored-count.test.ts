/** Event 26 with several products: one for each line, with its own count (protocol §5.2), on real processes and files. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { arrive } from './ten-steps/devices.ts';
import type { Site } from './ten-steps/site.ts';
import { agreement, openSite, product } from './ten-steps/site.ts';

const newer = 'ts-2016';
let site: Site | undefined;
after(() => site?.close());

it('counts what is unissued of each product and type by itself', async () => {
  site = await openSite(20);
  const { clearinghouse } = site;
  const name = ['--id', newer, '--name', 'Terminal Server 2016', '--family', 'ts', '--version', '10'];
  await clearinghouse.done('clearinghouse', 'product', 'add', ...name);
  const bought = ['--number', agreement, '--program', 'select', '--customer', 'Contoso'];
  const lines = [
    ['--product', product, '--type', 'device', '--quantity', '5'],
    ['--product', product, '--type', 'user', '--quantity', '7'],
    ['--product', newer, '--type', 'device', '--quantity', '3'],
  ];
  for (const line of lines.slice(1)) {
    await clearinghouse.done('clearinghouse', 'agreement', 'add', ...bought, ...line);
  }
  const url = await clearinghouse.serve();
  const server = await site.addServer('LS-ONE', '--clearinghouse', url);
  await server.done('server', 'activate', '--agreement', agreement);
  for (const line of lines) await server.done('server', 'install', '--agreement', agreement, ...line);
  await server.serve();
  for (const device of ['pc-1', 'pc-2']) await arrive(server.address, device);
  await server.stop();
  const { licenseServerId } = await server.status();
  rmSync(join(site.dir, 'instances', 'ls-one'), { recursive: true });
  const { items } = await server.done<{
    items: readonly { id: number; text: string; data: Readonly<Record<string, unknown>> }[];
  }>('server', 'events');
  const told = items.filter(({ id }) => id === 26);
  assert.deepEqual(
    told.map(({ data }) => [data['product'], data['type'], data['count']]).sort(),
    [
      [newer, 'device', 3],
      [product, 'device', 3],
      [product, 'user', 7],
    ].sort(),
  );
  assert.ok(told.every(({ data }) => data['server'] === licenseServerId && data['agreement'] === agreement));
  const page = (await server.page('server', 'status')).replaceAll(/\s+/g, ' ');
  assert.match(
    page,
    /ts-2012r2 per device: 3 unissued .* per user: 7 unissued .* ts-2016 per device: 3 unissued/,
  );
});
