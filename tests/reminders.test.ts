/** Moves that wait: who is reminded, when, and what people see of it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { listMoves as listDeskMoves } from '../src/clearinghouse/usecases/desk-moves.ts';
import { dayMs } from '../src/core/time.ts';
import type { OpenServer } from '../src/server/app.ts';
import { remindOfMoves } from '../src/server/usecases/remind-of-moves.ts';
import { listMoves } from '../src/server/usecases/start-move.ts';
import { listEvents, readStatus } from '../src/server/usecases/status.ts';
import { freezeByTelephone } from '../src/server/usecases/telephone-move.ts';
import { until } from './in-time.ts';
import { cals, openSite, agreement as siteAgreement } from './ten-steps/site.ts';
import * as acts from './world/acts.ts';
import { differences, takeSnapshot } from './world/snapshot.ts';
import { makeWorld, product, value } from './world/world.ts';

async function reminders(server: OpenServer): Promise<readonly (readonly [number, unknown])[]> {
  const { items } = await listEvents(server.context, { cursor: '', limit: 1000 });
  return items.filter(({ id }) => id === 5050 || id === 5051).map(({ id, data }) => [id, data['days']]);
}

it('source and target are reminded of a move after 14, 30 and 60 days, once each, until it is over', async () => {
  const world = await makeWorld(100, { kit: false });
  const old = await world.addServer('LS-OLD', { connected: true });
  const next = await world.addServer('LS-NEW', { connected: true });
  await acts.connect(old, 20);
  await acts.connect(next, 0);
  await acts.askMove(old, next, { hold: true });
  await acts.contact(old, old, next, next);
  const look = async (): Promise<void> => {
    for (const server of [old, next, old]) value(await remindOfMoves(server.context));
  };
  const seen: (readonly [number, unknown])[][] = [[], []];
  for (const [days, told] of [
    [13, null],
    [1, 14],
    [15, null],
    [1, 30],
    [40, 60],
    [30, null],
  ] as const) {
    world.clock.advanceDays(days);
    await look();
    if (told !== null) {
      seen[0]?.push([5050, told]);
      seen[1]?.push([5051, told]);
    }
    assert.deepEqual([await reminders(old), await reminders(next)], seen, `after ${days} more days`);
  }
  const [desk] = (await listDeskMoves(world.clearinghouse.context, { after: '', limit: 10 })).items;
  const [here] = await listMoves(old.context);
  const [open] = (await readStatus(next.context)).openMoves;
  for (const move of [desk, here, open]) assert.deepEqual([move?.ageDays, move?.reminder], [100, 60]);
  assert.equal(desk?.awaited.from, 'administrator');
  const text = (await listEvents(old.context, { cursor: '', limit: 1000 })).items.at(-1)?.text ?? '';
  assert.match(text, /^A move of ts-2012r2 per device to license server .* has waited for 60 days/);
  assert.match(text, /finish it here: repeat calyx server move without --hold/);
  assert.equal(here?.awaited.from, 'administrator');
  await acts.askMove(old, next);
  await acts.contact(old, old, next);
  const [over] = await listMoves(old.context);
  assert.deepEqual([over?.state, over?.ageDays, over?.reminder], ['closed', 0, 0]);
  world.clock.advanceDays(100);
  const before = await takeSnapshot(world.programs());
  await look();
  assert.deepEqual(differences(before, await takeSnapshot(world.programs())), []);
  assert.deepEqual((await readStatus(old.context)).openMoves, []);
  await world.close();
});

it('the source of a move by telephone is reminded; one look after a long time tells the last step only', async () => {
  const world = await makeWorld(100);
  const old = await world.addServer('LS-OLD', { kit: true });
  const next = await world.addServer('LS-NEW', { kit: true });
  await acts.setUp(world, old, 10);
  await acts.setUp(world, next, 0);
  await acts.deskMove(world, { from: old, to: next });
  value(
    await freezeByTelephone(old.context, { product, type: 'device', to: acts.idOf(next), quantity: 'all' }),
  );
  world.clock.advanceDays(75);
  assert.equal(value(await remindOfMoves(old.context)), 1);
  assert.deepEqual(await reminders(old), [[5050, 60]]);
  await world.close();
});

it('a running license server reminds by itself, of what is to be done on it', async () => {
  const site = await openSite(20, { clock: true });
  const old = await site.addServer('LS-OLD', '--kit', site.kit);
  const next = await site.addServer('LS-NEW', '--kit', site.kit);
  const desk = async (...words: readonly string[]): Promise<string> => {
    const paper = ['--agreement', siteAgreement];
    return (await site.clearinghouse.done<{ code: string }>('desk', ...words, ...paper)).code;
  };
  const to = (await next.status()).licenseServerId;
  const from = ['--server-id', (await old.status()).licenseServerId];
  await old.done('server', 'activate', '--code', await desk('activate', ...from));
  const pack = await desk('key-pack', ...from, ...cals, '--quantity', '5');
  await old.done('server', 'install', '--code', pack);
  await old.done('server', 'move', '--freeze', '--to', to, ...cals, '--quantity', 'all');
  site.setClock(Date.now() + 15 * dayMs);
  await old.serve();
  const reminder = await until('the reminder is in the System log', async () => {
    const { items } = await old.done<{ items: readonly { id: number; text: string }[] }>('server', 'events');
    return items.find(({ id }) => id === 5050);
  });
  assert.match(reminder.text, /has waited for 14 days.*calyx server deactivate --code-out/);
  const page = (await old.page('server', 'move', '--status')).replaceAll(/\s+/g, ' ');
  assert.match(page, /Open for: 15 days; the reminder of day 14 is reached/);
  await old.stop();
  await site.close();
});
