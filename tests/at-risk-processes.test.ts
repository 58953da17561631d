/** A part of what is recovered comes at once, and is shown as at risk: by the commands of real processes (protocol §5.5). */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from './ten-steps/answers.ts';
import { arrive, askPermanent } from './ten-steps/devices.ts';
import type { Site } from './ten-steps/site.ts';
import { agreement, cals, Machine, openSite } from './ten-steps/site.ts';

type AtRisk = Status & {
  readonly atRisk: readonly { readonly units: number; readonly suspendedAt: string | null }[];
};

let site: Site;
let server: Machine;

before(async () => {
  site = await openSite(100);
  const { clearinghouse } = site;
  await clearinghouse.serve();
  server = await site.addServer('LS-1', '--clearinghouse', clearinghouse.address);
  await server.done('server', 'activate', '--agreement', agreement);
  await server.done('server', 'install', '--agreement', agreement, ...cals, '--quantity', '20');
});
after(() => site.close());

/** The machine as it was: data and instance folder elsewhere, to be switched on again. */
function keepMachine(): void {
  const instance = join(site.dir, 'instances', 'ls-1');
  cpSync(server.data, `${server.data}-old`, { recursive: true });
  cpSync(instance, `${instance}-old`, { recursive: true });
  const config = join(`${server.data}-old`, 'config.json');
  writeFileSync(config, readFileSync(config, 'utf8').replace(instance, `${instance}-old`));
}

const untilTrue = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
  for (let tries = 0; tries < 60; tries += 1) {
    if (await holds()) return;
    await sleep(500);
  }
  assert.fail(`in vain: ${what}`);
};

it('the publisher has a part wait; the rest comes, and status and agreement say what is at risk', async () => {
  const { clearinghouse } = site;
  await server.serve();
  const held = await arrive(server.address, 'pc-1');
  await server.stop();
  const words = ['clearinghouse', 'agreement', 'recovery', agreement, '--policy', 'immediate'] as const;
  const policy = await clearinghouse.done<{ recoveryShare: number }>(...words, '--share', '50');
  assert.equal(policy.recoveryShare, 50);
  keepMachine();
  rmSync(join(site.dir, 'instances', 'ls-1'), { recursive: true });
  await server.done('server', 'activate', '--agreement', agreement);
  await server.done('server', 'recover', '--statement', 'Ann Lee: installed anew');
  await server.serve();
  const license = await askPermanent(server.address, 'pc-1');
  assert.equal(license.origin, held.origin);
  await server.stop();
  const status = await server.done<AtRisk>('server', 'status');
  // One for the holder, and half of the other nineteen.
  assert.equal(status.packs[0]?.installed, 10);
  assert.deepEqual(
    status.atRisk.map(({ units, suspendedAt }) => [units, suspendedAt]),
    [[9, null]],
  );
  const page = (await clearinghouse.page('clearinghouse', 'agreement', 'show', agreement)).replaceAll(
    /\s+/g,
    ' ',
  );
  assert.match(page, /50 % of what is unissued; the rest when the horizon of the old server has passed/);
  assert.match(page, /At risk, .*: 10, from/);
});

it('the old machine is switched on again: what nobody has is set aside, and a second person lifts it', async () => {
  const { clearinghouse } = site;
  const back = new Machine(site.calyx, { name: 'LS-OLD', kind: 'server', data: `${server.data}-old` });
  await back.serve();
  await server.serve();
  const packOf = async () => (await server.status()).packs[0];
  await untilTrue('set aside', async () => (await packOf())?.quarantined === 9);
  assert.equal((await packOf())?.issued, 1);
  await back.stop();
  const { items } = await clearinghouse.done<{ items: readonly { id: string; state: string }[] }>(
    'desk',
    'moves',
  );
  const move = items.find(({ state }) => state === 'closed')?.id ?? '';
  const page = await clearinghouse.page('desk', 'lift', move, '--by', 'Bo Berg');
  assert.match(page.replaceAll(/\s+/g, ' '), /may be given out again.*No longer set aside, by: Bo Berg/);
  await untilTrue('given out again', async () => (await packOf())?.unissued === 9);
  await server.stop();
});
