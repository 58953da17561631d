/** A license server that is put back to an older database with the same rights (protocol §5.2, RECONCILE). */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, it } from 'node:test';
import { exchangeMessages } from '../src/clearinghouse/usecases/exchange.ts';
import { applyAnswerFile } from '../src/server/usecases/apply-message.ts';
import { sealOutbox } from '../src/server/usecases/outbox.ts';
import { sweepLapsed } from '../src/server/usecases/reclaim.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { requestInstall } from '../src/server/usecases/requests.ts';
import { returnLicense } from '../src/server/usecases/return-license.ts';
import { settlePast } from '../src/server/usecases/revalidate.ts';
import { listEvents, readStatus } from '../src/server/usecases/status.ts';
import { findServer } from '../src/store/committed-server-rows.ts';
import * as acts from './world/acts.ts';
import type { Restorable } from './world/put-back.ts';
import { restorable, restorableWorld } from './world/put-back.ts';
import type { World } from './world/world.ts';
import { agreement, product, refusalOf, value } from './world/world.ts';

let world: World;
let old: Restorable;

beforeEach(async () => {
  ({ world, old } = await restorableWorld());
});
afterEach(async () => {
  await old.close();
  await world.close();
});

const device = (holder: string) => ({ product, type: 'device', holder }) as const;

async function issue(...holders: readonly string[]): Promise<readonly LicenseAnswer[]> {
  const answers: LicenseAnswer[] = [];
  for (const holder of holders) answers.push(await acts.permanent(old.server(), holder));
  return answers;
}

const counts = (): Promise<readonly number[]> => acts.counts(old.server());

const show = async (holder: string, answer: LicenseAnswer) =>
  requestLicense(old.server().context, { ...device(holder), source: acts.sourceOf(answer) });

async function eventNumbers(): Promise<readonly number[]> {
  const { items } = await listEvents(old.server().context, { cursor: '', limit: 1000 });
  return items.map(({ id }) => id);
}

async function stateThere(): Promise<string | undefined> {
  const id = acts.idOf(old.server());
  return (await world.clearinghouse.store.read((tx) => findServer(tx, id)))?.state;
}

async function pass(days: number): Promise<void> {
  world.clock.advanceDays(days);
  await settlePast(old.server().context);
  value(await sweepLapsed(old.server().context, 100));
}

it('is as it was where nothing has happened since', async () => {
  await old.save('copy');
  await old.putBack('copy');
  assert.deepEqual(await counts(), [6, 2, 4, 0, 0, 0]);
  assert.ok(!(await eventNumbers()).includes(5041));
});

it('sets aside what was issued since, and gives it back to whoever shows it', async () => {
  await old.save('copy');
  const [third, fourth] = await issue('ws-3', 'ws-4');
  assert.ok(third !== undefined && fourth !== undefined);
  await old.putBack('copy');
  assert.deepEqual(await counts(), [6, 2, 2, 0, 0, 2]);
  assert.ok((await eventNumbers()).includes(5041));
  // Two more are free, whose numbers nobody has; the next one finds none.
  const given = await issue('ws-5', 'ws-6');
  const units = [third, fourth, ...given].map(({ unit }) => unit);
  assert.equal(new Set(units).size, 4);
  assert.equal(
    refusalOf(await requestLicense(old.server().context, { ...device('u'), type: 'user' })).code,
    'product-not-installed',
  );
  const again = value(await show('ws-3', third));
  assert.deepEqual([again.kind, again.unit, again.origin], ['permanent', third.unit, third.origin]);
  assert.ok(again.expiresAt >= third.expiresAt);
  assert.deepEqual(await counts(), [6, 5, 0, 0, 0, 1]);
  // Shown once more, it is what it is; and for somebody else it shows nothing.
  assert.equal(value(await show('ws-3', third)).unit, third.unit);
  assert.notEqual(value(await show('ws-9', fourth)).kind, 'permanent');
  // ws-4 never comes: its unit is for others when its license must have ended, and not before.
  await pass(88);
  assert.equal((await counts())[5], 1);
  await pass(3);
  assert.equal((await counts())[5], 0);
});

it('keeps the unit of a holder who was renewed since for as long as that may run', async () => {
  const [first] = await issue('ws-1');
  const days = (Date.parse(first?.expiresAt ?? '') - world.clock.nowMs()) / 86_400_000;
  world.clock.advanceDays(days - 3);
  await old.save('copy');
  const [renewed] = await issue('ws-1');
  assert.ok(renewed !== undefined && renewed.expiresAt > (first?.expiresAt ?? ''));
  await old.putBack('copy');
  await pass(4);
  // For the older books its license has ended; it is nobody else's, and its holder is served.
  assert.equal((await counts())[1], 2);
  const shown = value(await show('ws-1', renewed));
  assert.deepEqual([shown.unit, shown.expiresAt >= renewed.expiresAt], [renewed.unit, true]);
});

it('serves a holder who had given its license back since, whose number nobody has', async () => {
  await old.save('copy');
  value(await returnLicense(old.server().context, device('ws-2')));
  await issue('ws-3');
  await old.putBack('copy');
  assert.deepEqual(await counts(), [6, 2, 3, 0, 0, 1]);
  const units = (await issue('ws-1', 'ws-2', 'ws-4', 'ws-5', 'ws-6')).map(({ unit }) => unit);
  assert.equal(new Set(units).size, 5);
});

it('does not use the number of a message again, and the clearinghouse goes on with it', async () => {
  await acts.contact(old.server());
  await old.save('copy');
  await issue('ws-3');
  await acts.contact(old.server());
  await issue('ws-4');
  await acts.contact(old.server());
  await old.putBack('copy');
  await acts.contact(old.server());
  await acts.contact(old.server());
  assert.equal(await stateThere(), 'ok');
  await acts.installByContact(old.server(), { quantity: 5 });
  await acts.contact(old.server());
  assert.deepEqual(await counts(), [11, 2, 7, 0, 0, 2]);
  assert.equal(await stateThere(), 'ok');
});

it('may be put back again and again', async () => {
  await old.save('first');
  const [third] = await issue('ws-3');
  await old.save('second');
  await issue('ws-4');
  await old.putBack('second');
  assert.deepEqual(await counts(), [6, 3, 2, 0, 0, 1]);
  await acts.contact(old.server());
  await old.putBack('first');
  assert.deepEqual(await counts(), [6, 2, 2, 0, 0, 2]);
  await acts.contact(old.server());
  await acts.contact(old.server());
  assert.equal(await stateThere(), 'ok');
  assert.equal(value(await show('ws-3', third ?? never())).unit, third?.unit);
  // That one has entries which are none of the present journal: it is a fork of it, however short.
  await old.putBack('second');
  assert.equal((await readStatus(old.server().context)).past?.reason, 'forked');
});

it('keeps for whoever has come back since what was set aside the time before', async () => {
  await old.save('first');
  const [third] = await issue('ws-3');
  const start = world.clock.nowMs();
  await old.putBack('first');
  await old.save('second');
  world.clock.set(Date.parse(third?.expiresAt ?? never()) - 86_400_000);
  const again = value(await show('ws-3', third ?? never()));
  assert.equal(again.unit, third?.unit);
  await old.putBack('second');
  await pass((start - world.clock.nowMs()) / 86_400_000 + 90);
  assert.equal((await counts())[5], 1);
  const units = (await issue('ws-4', 'ws-5', 'ws-6')).map(({ unit }) => unit);
  assert.ok(!units.includes(again.unit));
  assert.equal(value(await show('ws-3', again)).unit, again.unit);
});

it('keeps what was issued for the whole lease, also where the clock was set back at a start', async () => {
  await old.save('copy');
  const [third] = await issue('ws-3');
  world.clock.advanceDays(-80);
  await old.restart();
  await old.restart();
  await old.putBack('copy');
  const { past } = await readStatus(old.server().context);
  assert.ok((past?.until ?? '') >= (third?.expiresAt ?? never()));
});

it('is made good where a license of another line than the one that is wholly given came back since', async () => {
  await acts.sell(world, { quantity: 10, type: 'user' });
  await acts.installByContact(old.server(), { quantity: 3, type: 'user' });
  await issue('ws-3', 'ws-4', 'ws-5', 'ws-6');
  await old.save('copy');
  const ann = { product, type: 'user', holder: 'ann' } as const;
  value(await requestLicense(old.server().context, ann));
  value(await returnLicense(old.server().context, ann));
  await old.putBack('copy');
  assert.equal((await readStatus(old.server().context)).past?.state, 'restored');
});

function never(): never {
  throw new Error('it was not issued');
}

it('is a fork for the clearinghouse where it was put back, mark and all, without saying so', async () => {
  await acts.contact(old.server());
  const { cpSync, rmSync } = await import('node:fs');
  await old.restart(() => {
    cpSync(old.dir, `${old.dir}.copy`, { recursive: true });
    cpSync(old.instanceDir, `${old.instanceDir}.copy`, { recursive: true });
  });
  await issue('ws-3');
  await acts.contact(old.server());
  await old.restart(() => {
    for (const dir of [old.dir, old.instanceDir]) {
      rmSync(dir, { recursive: true });
      cpSync(`${dir}.copy`, dir, { recursive: true });
    }
  });
  assert.deepEqual(await counts(), [6, 2, 4, 0, 0, 0]);
  await acts.contact(old.server());
  assert.equal(await stateThere(), 'suspect');
});

it('shows in its status what is set aside, and until when', async () => {
  await old.save('copy');
  await issue('ws-3');
  await old.putBack('copy');
  const { past } = await readStatus(old.server().context);
  assert.equal(past?.state, 'restored');
});

it('has the horizon that it had', async () => {
  const horizon = async (): Promise<string | null> => (await readStatus(old.server().context)).horizon;
  await old.save('copy');
  const before = await horizon();
  world.clock.advanceDays(60);
  await acts.contact(old.server());
  const moved = await horizon();
  assert.notEqual(moved, before);
  await old.putBack('copy');
  assert.equal(await horizon(), moved);
});

it('is no fork for a letter of the lost time that comes out of a drawer', async () => {
  await acts.contact(old.server());
  await old.save('copy');
  value(await requestInstall(old.server().context, { agreement, product, type: 'device', quantity: 2 }));
  const drawer = await sealOutbox(old.server().context);
  await old.putBack('copy');
  await acts.contact(old.server());
  value(await exchangeMessages(world.clearinghouse.context, { messages: drawer, waitMs: 0 }));
  assert.equal(await stateThere(), 'ok');
  await acts.contact(old.server());
  assert.equal(await stateThere(), 'ok');
  assert.deepEqual(await counts(), [6, 2, 4, 0, 0, 0]);
});

for (const between of [[], ['ws-4']]) {
  it(`is no fork where it was put back twice before anybody heard of it, with ${between.length} issued in between`, async () => {
    await old.save('first');
    await issue('ws-3');
    await acts.contact(old.server());
    await old.putBack('first');
    await issue(...between);
    await old.putBack('first');
    await acts.contact(old.server());
    await acts.contact(old.server());
    assert.equal(await stateThere(), 'ok');
    assert.deepEqual(await counts(), [6, 2, 3 - between.length, 0, 0, 1 + between.length]);
    // What was seen of it from then on is held against the present journal.
    await old.restart();
    await acts.contact(old.server());
    assert.equal(await stateThere(), 'ok');
    assert.equal((await readStatus(old.server().context)).past?.state, 'restored');
  });
}

for (const times of [1, 2]) {
  it(`is in no doubt for an answer of the lost time that comes after it was put back, ${times} times`, async () => {
    await old.save('first');
    await issue('ws-3', 'ws-4');
    await acts.contact(old.server());
    const early = await acts.answerTo(world, old.server());
    for (let at = 0; at < times; at += 1) await old.putBack('first');
    await applyAnswerFile(old.server().context, early);
    await old.restart();
    assert.equal((await readStatus(old.server().context)).past?.state, 'restored');
  });
}

it('is no fork for what it had told of an earlier time, where it was put back before anybody knew of it', async () => {
  const server = await world.addServer('LS-2', { connected: true });
  const young = restorable(world, { name: 'LS-2', server });
  const ask = async (holder: string) => value(await requestLicense(young.server().context, device(holder)));
  await young.save('copy');
  await ask('ws-7');
  await young.putBack('copy');
  const drawer = await sealOutbox(young.server().context);
  await young.putBack('copy');
  await acts.activateByContact(young.server());
  value(await exchangeMessages(world.clearinghouse.context, { messages: drawer, waitMs: 0 }));
  const id = acts.idOf(young.server());
  const known = await world.clearinghouse.store.read((tx) => findServer(tx, id));
  assert.equal(known?.state, 'ok');
  await acts.installByContact(young.server(), { quantity: 2 });
  assert.deepEqual(await acts.counts(young.server()), [2, 0, 2, 0, 0, 0]);
  await young.close();
});
