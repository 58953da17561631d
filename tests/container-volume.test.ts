/**
 * A license server in a container is known by its volume, as `calyx server init --volume` names it (protocol §5.3), on real
 * processes and files: the same one raises no question, another one does.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import type { Status } from './ten-steps/answers.ts';
import { arrive, ask, askPermanent } from './ten-steps/devices.ts';
import type { Machine, Site } from './ten-steps/site.ts';
import { openSite, supplyByTelephone } from './ten-steps/site.ts';

type Known = Status & { readonly past: { readonly state: string; readonly reason: string } | null };

let site: Site;
let server: Machine;

before(async () => {
  site = await openSite(20);
  server = await site.addServer('LS-BOX', '--kit', site.kit, '--volume', 'volume-1');
  await supplyByTelephone(site, server, 10);
  await server.serve();
  await arrive(server.address, 'pc-1');
  await server.stop();
});
after(() => site.close());

/** As whoever moves the data onto another volume has to say it. */
function nameVolume(volume: string): void {
  const file = join(server.data, 'config.json');
  const text = readFileSync(file, 'utf8');
  const config = JSON.parse(text) as { settings: Record<string, unknown> };
  assert.equal(typeof config.settings['volume'], 'string');
  writeFileSync(file, JSON.stringify({ ...config, settings: { ...config.settings, volume } }));
}

it('on the same volume goes on as ever, at each start', async () => {
  for (const device of ['pc-2', 'pc-3']) {
    await server.serve();
    await arrive(server.address, device);
    await server.stop();
  }
  const { past, packs } = await server.done<Known>('server', 'status');
  assert.equal(past, null);
  assert.partialDeepStrictEqual(packs, [{ issued: 3, unissued: 7, quarantined: 0 }]);
});

it('on another volume is in doubt: nothing new is given out, and whoever has a license is served', async () => {
  nameVolume('volume-2');
  const { past, packs } = await server.done<Known>('server', 'status');
  assert.deepEqual([past?.state, past?.reason], ['doubted', 'machine-changed']);
  assert.partialDeepStrictEqual(packs, [{ issued: 3, unissued: 0, quarantined: 7 }]);
  assert.match(await server.page('server', 'status'), /In doubt: +This is another machine/);
  await server.serve();
  assert.equal((await ask(server.address, 'pc-9')).body.kind, 'temporary');
  await askPermanent(server.address, 'pc-1');
  await server.stop();
});

it('back on the first one it stays in doubt until that is settled', async () => {
  nameVolume('volume-1');
  assert.equal((await server.done<Known>('server', 'status')).past?.state, 'doubted');
});
