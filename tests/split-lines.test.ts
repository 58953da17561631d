/**
 * A telephone move takes a part of what is issued, and no code says whose. Somebody whose CAL has stayed can have
 * one of those that went; its own goes to nobody else as long as a license of those who went can run.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, it } from 'node:test';
import { longestLeaseMs } from '../src/core/cal.ts';
import { dayMs } from '../src/core/time.ts';
import type { OpenServer } from '../src/server/app.ts';
import { sweepLapsed } from '../src/server/usecases/reclaim.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { returnLicense } from '../src/server/usecases/return-license.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import { assertSound } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { makeWorld, product, refusalOf, value } from './world/world.ts';

const longestDays = longestLeaseMs / dayMs;

let world: World;
let a: OpenServer;
let b: OpenServer;
let c: OpenServer;
/** False where a clock was set back, of which the verdict on the journals says so. */
let isSound: boolean;

beforeEach(async () => {
  isSound = true;
  world = await makeWorld(50);
  [a, b, c] = (await Promise.all(
    ['LS-A', 'LS-B', 'LS-C'].map((name) => world.addServer(name, { kit: true, connected: true })),
  )) as [OpenServer, OpenServer, OpenServer];
  for (const server of [a, b, c]) await acts.connect(server, 0);
});

afterEach(async () => {
  await assertConserved(world);
  if (isSound) await assertSound(world);
  await world.close();
});

async function giveBack(server: OpenServer, holder: string): Promise<void> {
  value(await returnLicense(server.context, { product, type: 'device', holder }));
}

/** What somebody new ends up with, who has signed in. */
async function kindFor(server: OpenServer, holder: string): Promise<string> {
  return (await acts.permanent(server, holder)).kind;
}

/** LS-A has two holders, a day apart: the move by telephone takes one, the other one stays. */
async function splitLine(): Promise<{ readonly went: LicenseAnswer; readonly stayed: LicenseAnswer }> {
  await acts.installByContact(a, { quantity: 2 });
  const first = await acts.permanent(a, 'ws-1');
  const second = await acts.permanent(a, 'ws-2');
  await acts.moveByTelephone(world, { from: a, to: b, quantity: 1 });
  assert.deepEqual(await acts.counts(a), [1, 1, 0, 0, 0, 0]);
  const answer = await requestLicense(a.context, { product, type: 'device', holder: 'ws-1' });
  return !answer.ok ? { went: first, stayed: second } : { went: second, stayed: first };
}

const nameOf = (license: LicenseAnswer): string => (license.origin?.endsWith('/1') ? 'ws-1' : 'ws-2');

it('gives the CAL of one who stayed, and drew one that went, to nobody else while others may run', async () => {
  const { stayed } = await splitLine();
  const name = nameOf(stayed);
  assert.equal((await acts.permanent(b, name, acts.sourceOf(stayed))).origin, stayed.origin);
  // It lets its own lapse: on its last day but one, the license of the one who went may still run.
  world.clock.advanceDays(longestDays - 1);
  await acts.contact(a, b);
  assert.equal(await kindFor(a, 'ws-3'), 'temporary');
  assert.deepEqual(await acts.counts(a), [1, 1, 0, 0, 0, 0]);
  world.clock.advanceDays(2);
  await acts.contact(a, b);
  assert.equal(await kindFor(a, 'ws-4'), 'permanent');
});

it('keeps a CAL that is given back as long', async () => {
  const { stayed } = await splitLine();
  const name = nameOf(stayed);
  await acts.permanent(b, name, acts.sourceOf(stayed));
  await giveBack(a, name);
  assert.equal(await kindFor(a, 'ws-3'), 'temporary');
  world.clock.advanceDays(longestDays + 1);
  await acts.contact(a, b);
  assert.equal(await kindFor(a, 'ws-4'), 'permanent');
});

it('keeps one that was given out after the move as long', async () => {
  await splitLine();
  await acts.installByContact(a, { quantity: 1 });
  const later = await acts.permanent(a, 'ws-3');
  await acts.permanent(b, 'ws-3', acts.sourceOf(later));
  await giveBack(a, 'ws-3');
  assert.equal(await kindFor(a, 'ws-4'), 'temporary');
  assert.deepEqual(await acts.counts(a), [2, 2, 0, 0, 0, 0]);
});

it('keeps one whose own license ends later than all of those when it is given back', async () => {
  await splitLine();
  await acts.installByContact(a, { quantity: 1 });
  world.clock.advanceDays(longestDays - 40);
  await acts.contact(a, b);
  const later = await acts.permanent(a, 'ws-3');
  assert.ok(Date.parse(later.expiresAt) > world.clock.nowMs() + 40 * dayMs);
  await acts.permanent(b, 'ws-3', acts.sourceOf(later));
  await giveBack(a, 'ws-3');
  assert.equal(await kindFor(a, 'ws-4'), 'temporary');
});

it('counts from the newest time that was seen where the clock is set back for the release', async () => {
  await acts.installByContact(a, { quantity: 2 });
  await acts.permanents(a, ['ws-1', 'ws-2']);
  isSound = false;
  const behind = { ...a.context, clock: { nowMs: () => world.clock.nowMs() - 60 * dayMs } };
  const line = { product, type: 'device' } as const;
  await acts.deskMove(world, { from: a, to: b }, 1);
  value(await freezeByTelephone(a.context, { ...line, to: acts.idOf(b), quantity: 1 }));
  value(await releaseByTelephone(behind, line));
  const [kept] = await a.store.read((tx) =>
    tx.all<{ until: number }>('select nameless_until as until from lines where nameless_until is not null'),
  );
  assert.ok((kept?.until ?? 0) >= world.clock.nowMs() + longestLeaseMs - dayMs);
});

it('tells it where one who stayed moves on by name', async () => {
  const { stayed } = await splitLine();
  const name = nameOf(stayed);
  await acts.permanent(b, name, acts.sourceOf(stayed));
  await acts.askMove(a, c);
  await acts.contact(a, a, c, c, a, a, c);
  world.clock.advanceDays(longestDays - 1);
  await acts.contact(a, b, c);
  value(await sweepLapsed(c.context, 100));
  assert.equal(await kindFor(c, 'ws-3'), 'temporary');
  assert.deepEqual(await acts.counts(c), [1, 0, 0, 0, 1, 0]);
});

it('gives a CAL that was given back at once to the next one where a move took nobody along', async () => {
  await acts.installByContact(a, { quantity: 2 });
  await acts.permanent(a, 'ws-1');
  await acts.moveByTelephone(world, { from: a, to: b, quantity: 1 });
  await giveBack(a, 'ws-1');
  assert.equal(await kindFor(a, 'ws-2'), 'permanent');
});

it('keeps what somebody has drawn on a reserve until it opens: a part of it may have gone on', async () => {
  await acts.installByContact(a, { quantity: 3 });
  const first = await acts.permanent(a, 'ws-1');
  await acts.permanents(a, ['ws-2', 'ws-3']);
  await acts.moveByTelephone(world, { from: a, to: b });
  await acts.askMove(b, c, { quantity: 2 });
  await acts.contact(b, b, c, c, b, b, c);
  await acts.permanent(b, 'ws-1', acts.sourceOf(first));
  await acts.permanent(c, 'ws-1', acts.sourceOf(first));
  assert.deepEqual(
    [await acts.counts(b), await acts.counts(c)],
    [
      [1, 1, 0, 0, 0, 0],
      [2, 1, 0, 0, 1, 0],
    ],
  );
  world.clock.advanceDays(longestDays - 1);
  await giveBack(b, 'ws-1');
  assert.equal(await kindFor(b, 'ws-4'), 'temporary');
  world.clock.advanceDays(2);
  assert.equal(await kindFor(b, 'ws-5'), 'permanent');
});

/** LS-A gives up one of its CALs when all its leases have ended, and none of them was taken back. */
async function splitLapsed(): Promise<void> {
  await acts.installByContact(a, { quantity: 3 });
  await acts.permanents(a, ['ws-1', 'ws-2', 'ws-3']);
  const line = { product, type: 'device' } as const;
  await acts.deskMove(world, { from: a, to: b }, 1);
  const frozen = value(await freezeByTelephone(a.context, { ...line, to: acts.idOf(b), quantity: 1 }));
  await acts.confirm(world, frozen.code);
  world.clock.advanceDays(longestDays + 1);
  await acts.contact(a, b);
  await acts.confirm(world, value(await releaseByTelephone(a.context, line)).code);
}

it('keeps nothing of those whose leases had ended before the CALs went', async () => {
  await splitLapsed();
  assert.equal(await kindFor(a, 'ws-4'), 'permanent');
  assert.equal(value(await sweepLapsed(a.context, 100)).reclaimed, 1);
  assert.deepEqual(await acts.counts(a), [2, 1, 1, 0, 0, 0]);
});

it("keeps the CAL of one of them who comes again before it is somebody else's", async () => {
  await splitLapsed();
  const answers = await Promise.all(
    ['ws-1', 'ws-2', 'ws-3'].map((holder) => requestLicense(a.context, { product, type: 'device', holder })),
  );
  const again = answers.filter((answer) => answer.ok && answer.value.status === 'renewed');
  assert.equal(again.length, 2);
  for (const holder of ['ws-1', 'ws-2', 'ws-3']) {
    await returnLicense(a.context, { product, type: 'device', holder });
  }
  assert.equal(await kindFor(a, 'ws-4'), 'temporary');
  world.clock.advanceDays(longestDays - 1);
  await acts.contact(a, b);
  assert.equal(await kindFor(a, 'ws-5'), 'temporary');
});

const ask = (server: OpenServer, holder: string, shown?: LicenseAnswer) =>
  requestLicense(server.context, {
    ...{ product, type: 'device', holder },
    ...(shown === undefined ? {} : { source: acts.sourceOf(shown) }),
  });

const isSentOn = async (...asked: Parameters<typeof ask>): Promise<boolean> =>
  refusalOf(await ask(...asked)).code === 'license-moved';

it('serves one whose CAL somebody else drew as soon as none can wait for it there and one is free here', async () => {
  const { stayed, went } = await splitLine();
  await acts.permanent(b, nameOf(stayed), acts.sourceOf(stayed));
  await acts.installByContact(a, { quantity: 1 });
  const name = nameOf(went);
  world.clock.advanceDays(longestDays - 1);
  await acts.contact(a, b);
  // Its own license may have ended, but no code has told when those ended that went.
  assert.ok(await isSentOn(a, name));
  world.clock.advanceDays(2);
  await acts.contact(a, b);
  const served = value(await ask(a, name));
  assert.deepEqual([served.kind, served.status], ['permanent', 'issued']);
  assert.notEqual(served.origin, went.origin);
});

it('sends it on as long as nothing is free here', async () => {
  const { stayed, went } = await splitLine();
  await acts.permanent(b, nameOf(stayed), acts.sourceOf(stayed));
  world.clock.advanceDays(longestDays - 5);
  await acts.contact(a, b);
  assert.equal(value(await ask(a, nameOf(stayed))).kind, 'permanent');
  world.clock.advanceDays(10);
  await acts.contact(a, b);
  assert.ok(await isSentOn(a, nameOf(went)));
});

it('serves one whose CAL went with all others, and by name, when its lease has ended and CALs were bought again', async () => {
  await acts.installByContact(a, { quantity: 1 });
  const first = await acts.permanent(a, 'ws-1');
  await acts.askMove(a, b);
  await acts.contact(a, a, b, b, a, a, b);
  const there = await acts.permanent(b, 'ws-1');
  assert.equal(there.origin, first.origin);
  await acts.installByContact(a, { quantity: 1 });
  const days = (Date.parse(first.expiresAt) - world.clock.nowMs()) / dayMs;
  world.clock.advanceDays(days - 1);
  await acts.contact(a, b);
  assert.ok(await isSentOn(a, 'ws-1'));
  const renewed = value(await ask(b, 'ws-1'));
  world.clock.advanceDays(2);
  await acts.contact(a, b);
  // What it shows says where it has its CAL.
  assert.ok(await isSentOn(a, 'ws-1', renewed));
  assert.equal(value(await ask(a, 'ws-1')).kind, 'permanent');
});

it('serves it on the server in between as well, when the CALs went back to where they had come from', async () => {
  await acts.installByContact(a, { quantity: 1 });
  const first = await acts.permanent(a, 'ws-1');
  await acts.moveByTelephone(world, { from: a, to: b });
  const between = await acts.permanent(b, 'ws-1', acts.sourceOf(first));
  await acts.moveByTelephone(world, { from: b, to: a });
  assert.equal((await acts.permanent(a, 'ws-1', acts.sourceOf(between))).origin, first.origin);
  await acts.installByContact(b, { quantity: 1 });
  assert.ok(await isSentOn(b, 'ws-1'));
  world.clock.advanceDays(longestDays + 1);
  await acts.contact(a, b);
  assert.equal(value(await ask(b, 'ws-1')).kind, 'permanent');
});

it('leaves what waits for those whose CALs came back to them, whoever goes afterwards', async () => {
  await acts.installByContact(a, { quantity: 1 });
  const first = await acts.permanent(a, 'ws-1');
  await acts.moveByTelephone(world, { from: a, to: b });
  world.clock.advanceDays(1);
  await acts.moveByTelephone(world, { from: b, to: a });
  await acts.installByContact(a, { quantity: 1 });
  world.clock.advanceDays(1);
  await acts.permanent(a, 'ws-2');
  await acts.moveByTelephone(world, { from: a, to: c, quantity: 1 });
  assert.deepEqual(await acts.counts(a), [1, 0, 0, 0, 1, 0]);
  assert.ok(await isSentOn(a, 'ws-2'));
  assert.equal(value(await ask(a, 'ws-1')).origin, first.origin);
});

it('opens no reserve to others as long as a license of those who went can run', async () => {
  await acts.installByContact(b, { quantity: 1 });
  await acts.permanent(b, 'ws-9');
  await acts.moveByTelephone(world, { from: b, to: a });
  await acts.installByContact(a, { quantity: 1 });
  await acts.permanent(a, 'ws-1');
  world.clock.advanceDays(40);
  await acts.contact(a, b, c);
  await acts.moveByTelephone(world, { from: a, to: c, quantity: 1 });
  world.clock.advanceDays(longestDays - 1);
  await acts.contact(a, b, c);
  assert.equal(value(await sweepLapsed(a.context, 100)).reclaimed, 0);
  world.clock.advanceDays(2);
  assert.equal(value(await sweepLapsed(a.context, 100)).reclaimed, 1);
});

it('opens one whose licenses had all ended before the CALs went', async () => {
  await acts.installByContact(b, { quantity: 1 });
  await acts.permanent(b, 'ws-9');
  await acts.moveByTelephone(world, { from: b, to: a });
  world.clock.advanceDays(longestDays + 1);
  await acts.installByContact(a, { quantity: 1 });
  await acts.permanent(a, 'ws-1');
  await acts.moveByTelephone(world, { from: a, to: c, quantity: 1 });
  assert.equal(await kindFor(a, 'ws-2'), 'permanent');
});
