/** Units in quarantine that a move takes along: whoever has a license of one is served, and finds it where it went (protocol §5.2). */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import type { OpenServer } from '../src/server/app.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import * as acts from './world/acts.ts';
import type { Restorable } from './world/put-back.ts';
import { restorableWorld } from './world/put-back.ts';
import type { World } from './world/world.ts';
import { product, refusalOf, value } from './world/world.ts';

let world: World;
let old: Restorable;
let target: OpenServer;
/** What LS-1 gave ws-3, and does not know of any more. */
let third: LicenseAnswer;

beforeEach(async () => {
  ({ world, old } = await restorableWorld());
  target = await acts.addConnected(world, 'LS-2', 0);
  await old.save('copy');
  third = await acts.permanent(old.server(), 'ws-3');
  await old.putBack('copy');
});
afterEach(async () => {
  await old.close();
  await world.close();
});

const show = (server: OpenServer, holder: string) =>
  requestLicense(server.context, { product, type: 'device', holder, source: acts.sourceOf(third) });

/** LS-1 freezes all that it has, and has told so. */
async function freeze(): Promise<string> {
  const move = await acts.askMove(old.server(), target);
  await acts.contact(old.server(), old.server());
  assert.deepEqual(await acts.counts(old.server()), [6, 0, 0, 6, 0, 0]);
  return move;
}

it('what is frozen stays the license of whoever shows it, and of nobody else', async () => {
  await freeze();
  const kept = value(await show(old.server(), 'ws-3'));
  assert.deepEqual([kept.status, kept.kind, kept.unit], ['unchanged', 'permanent', third.unit]);
  assert.deepEqual([kept.token, kept.expiresAt], [third.token, third.expiresAt]);
  assert.ok(kept.referral !== null, 'it can go where its CAL goes');
  assert.deepEqual(acts.sourceOf(kept), acts.sourceOf(third));
  assert.notEqual(value(await show(old.server(), 'ws-9')).kind, 'permanent');
  assert.deepEqual(await acts.counts(old.server()), [6, 0, 0, 6, 0, 0]);
});

it('what is given up is found where it went, by whoever shows it and nobody else', async () => {
  const move = await freeze();
  await acts.contact(target, target, old.server(), old.server(), target);
  assert.equal(await acts.stateOf(world, move), 'closed');
  const sent = refusalOf(await show(old.server(), 'ws-3'));
  assert.equal(sent.code, 'license-moved');
  assert.equal(sent.code === 'license-moved' && sent.licenseServerId, acts.idOf(target));
  for (const server of [old.server(), target]) {
    assert.equal(value(await show(server, 'ws-9')).kind, 'temporary');
  }
  const there = value(await show(target, 'ws-3'));
  assert.deepEqual([there.kind, there.origin], ['permanent', third.origin]);
});

it('what comes back when the move is undone is had back', async () => {
  const move = await freeze();
  value(await cancelMove(world.clearinghouse.context, move));
  await acts.contact(target, target, old.server(), old.server());
  assert.deepEqual(await acts.counts(old.server()), [6, 2, 3, 0, 0, 1]);
  const back = value(await show(old.server(), 'ws-3'));
  assert.deepEqual([back.unit, back.origin], [third.unit, third.origin]);
  assert.deepEqual(await acts.counts(old.server()), [6, 3, 3, 0, 0, 0]);
});
