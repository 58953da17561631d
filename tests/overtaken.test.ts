/**
 * A key pack of CALs with holders that was read out and not typed yet, when a later move to the same license server
 * goes past it on the held chain: its holders are served all the same, each once and with its CAL.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyCode } from '../src/server/usecases/apply-code.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import { assertSound } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { makeWorld, product, refusalOf, value } from './world/world.ts';

const device = { product, type: 'device' } as const;

let world: World;
let a: OpenServer;
let b: OpenServer;
let target: OpenServer;
/** What the holders of A have from there. */
let had: readonly LicenseAnswer[];
/** The key pack of A's holders, as it was read out. */
let untyped: string;

beforeEach(async () => {
  world = await makeWorld(100, { kit: false });
  a = await acts.addConnected(world, 'LS-A', 3);
  b = await acts.addConnected(world, 'LS-B', 2);
  target = await acts.addConnected(world, 'LS-T', 0);
  const given: LicenseAnswer[] = [];
  for (const holder of ['a-1', 'a-2', 'a-3']) given.push(await acts.permanent(a, holder));
  had = given;
  await acts.permanents(b, ['b-1', 'b-2']);
  await acts.deskMove(world, { from: a, to: target });
  const order = { ...device, to: acts.idOf(target), quantity: 'all' } as const;
  await acts.confirm(world, value(await freezeByTelephone(a.context, order)).code);
  const read = await acts.confirm(world, value(await releaseByTelephone(a.context, device)).code);
  untyped = String(read.code);
});

afterEach(async () => {
  await assertConserved(world);
  await assertSound(world);
  await world.close();
});

async function serveAll(): Promise<void> {
  for (const [at, shown] of had.entries()) {
    const answer = await acts.permanent(target, `a-${at + 1}`, acts.sourceOf(shown));
    assert.deepEqual([answer.kind, answer.origin], ['permanent', shown.origin]);
  }
}

it('a grant by message brings it for its own holders, as if it had been typed', async () => {
  await acts.askMove(b, target);
  await acts.contact(b, b, target, target, b, b, target);
  assert.deepEqual(await acts.counts(target), [5, 0, 0, 0, 5, 0]);
  assert.equal((await acts.permanent(target, 'stranger')).kind, 'temporary');
  await serveAll();
  for (const holder of ['b-1', 'b-2']) assert.equal((await acts.permanent(target, holder)).kind, 'permanent');
  assert.deepEqual(await acts.counts(target), [5, 5, 0, 0, 0, 0]);
  const typed = { text: untyped, from: acts.idOf(a), confirmed: true };
  const refused = refusalOf(await applyCode(target.context, typed));
  assert.ok(refused.code === 'already-applied');
  assert.deepEqual([refused.added, refused.installed], [3, 3]);
});

it('the undoing of a grant that never came leaves it to its own holders', async () => {
  const move = await acts.askMove(b, target);
  await acts.contact(b, b);
  assert.equal(await acts.stateOf(world, move), 'granted');
  value(await cancelMove(world.clearinghouse.context, move));
  await acts.contact(target, target, b, b);
  assert.equal(await acts.stateOf(world, move), 'aborted');
  assert.deepEqual(await acts.counts(target), [3, 0, 0, 0, 3, 0]);
  await serveAll();
  assert.deepEqual(await acts.counts(b), [2, 2, 0, 0, 0, 0]);
});

it('typed in time, it is not brought a second time', async () => {
  await acts.typeCode(target, untyped, { from: acts.idOf(a) });
  await acts.askMove(b, target);
  await acts.contact(b, b, target, target, b, b, target);
  assert.deepEqual(await acts.counts(target), [5, 0, 0, 0, 5, 0]);
  await serveAll();
  assert.deepEqual(await acts.counts(target), [5, 3, 0, 0, 2, 0]);
});

it('a later key pack by telephone takes it along: typed after all, its holders are served from that reserve', async () => {
  await acts.moveByTelephone(world, { from: b, to: target });
  assert.deepEqual(await acts.counts(target), [5, 0, 0, 0, 5, 0]);
  const unsaid = refusalOf(await applyCode(target.context, { text: untyped, confirmed: true }));
  assert.equal(unsaid.code, 'source-needed');
  const typed = { from: acts.idOf(a) };
  for (const _ of ['once', 'twice']) {
    const told = await acts.typeCode(target, untyped, typed);
    assert.ok(told.kind === 'held-key-pack');
    assert.deepEqual([told.added, told.installed], [0, 5]);
  }
  assert.equal((await acts.permanent(target, 'stranger')).kind, 'temporary');
  await serveAll();
  assert.deepEqual(await acts.counts(target), [5, 3, 0, 0, 2, 0]);
});

it('of holders who came early to the one that took it along, the CALs they had used are free again', async () => {
  await acts.installByContact(target, { quantity: 1 });
  const [shown] = had;
  assert.ok(shown !== undefined);
  await acts.permanent(target, 'a-1', acts.sourceOf(shown));
  await acts.moveByTelephone(world, { from: b, to: target });
  assert.deepEqual(await acts.counts(target), [6, 1, 0, 0, 5, 0]);
  await acts.typeCode(target, untyped, { from: acts.idOf(a) });
  assert.deepEqual(await acts.counts(target), [6, 1, 1, 0, 4, 0]);
  await serveAll();
  assert.deepEqual(await acts.counts(target), [6, 3, 1, 0, 2, 0]);
});
