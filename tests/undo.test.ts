/** Undoing a move: before the grant, after it, from the desk and from either end, and when it is too late. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { confirmByTelephone } from '../src/clearinghouse/usecases/desk-confirm.ts';
import { exchangeMessages } from '../src/clearinghouse/usecases/exchange.ts';
import { settleDue } from '../src/clearinghouse/usecases/settle-due.ts';
import type { Refusal } from '../src/core/refusal.ts';
import { nodeDigest } from '../src/platform/digest.ts';
import { problemOf } from '../src/protocol/problem.ts';
import { openReferral } from '../src/protocol/referral.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyAnswerFile, applyMessages } from '../src/server/usecases/apply-message.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { returnByTelephone } from '../src/server/usecases/give-back.ts';
import { sealOutbox } from '../src/server/usecases/outbox.ts';
import { sweepLapsed } from '../src/server/usecases/reclaim.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { validateLicense } from '../src/server/usecases/return-license.ts';
import { listMoves } from '../src/server/usecases/start-move.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import { undoMove } from '../src/server/usecases/undo-move.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { contentOf } from './world/forge.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, refusalOf, value } from './world/world.ts';

const device = { product, type: 'device' } as const;
const ends = ['ws-1', 'ws-2', 'ws-3'];

let world: World;
let old: OpenServer;
let next: OpenServer;

beforeEach(async () => {
  world = await makeWorld(100, { kit: false });
  old = await world.addServer('LS-OLD', { connected: true });
  next = await world.addServer('LS-NEW', { connected: true });
  await acts.connect(old, 20);
  await acts.connect(next, 0);
  await acts.permanents(old, ends);
});

afterEach(async () => {
  await assertConserved(world);
  await world.close();
});

const cancel = async (move: string) => value(await cancelMove(world.clearinghouse.context, move));
const refusedFor = async (server: OpenServer, holder: string) =>
  refusalOf(await requestLicense(server.context, { ...device, holder }));

/** A device asks, and signs in; answers what it has then. */
async function asks(server: OpenServer, holder: string) {
  const request = { ...device, holder };
  const { kind } = value(await requestLicense(server.context, request));
  if (kind === 'temporary') await validateLicense(server.context, request);
  return value(await requestLicense(server.context, request));
}

/** What the clearinghouse has for a server now, without the server hearing of it. */
async function mailOf(server: OpenServer): Promise<readonly string[]> {
  const messages = await sealOutbox(server.context);
  return value(await exchangeMessages(world.clearinghouse.context, { messages, waitMs: 0 })).messages;
}

async function gets(server: OpenServer, mail: readonly string[], type: string): Promise<void> {
  const messages = mail.filter((token) => contentOf(token).t === type);
  const done = value(await applyMessages(server.context, { messages, ofOthers: 'refuse' }));
  assert.deepEqual(done.failed, []);
}

describe('before the grant', () => {
  it('it is undone at once, and a freeze that comes late is not obeyed', async () => {
    const move = await acts.askMove(old, next);
    const mail = await mailOf(old);
    assert.equal((await cancel(move)).state, 'aborted');
    await acts.contact(old);
    await gets(old, mail, 'freeze');
    await acts.contact(old, next);
    assert.deepEqual(await acts.counts(old), [20, 3, 17, 0, 0, 0]);
    assert.deepEqual(await acts.books(world), [80, 20, 0]);
    assert.equal((await listMoves(old.context))[0]?.state, 'undone');
  });

  it('so it is where the source itself asks, before it was ever answered', async () => {
    const move = await acts.askMove(old, next);
    value(await undoMove(old.context, move));
    await acts.contact(old, old);
    assert.equal(await acts.stateOf(world, move), 'aborted');
    assert.deepEqual(await acts.counts(old), [20, 3, 17, 0, 0, 0]);
  });
});

describe('after the grant', () => {
  let move: string;

  beforeEach(async () => {
    move = await acts.askMove(old, next, { hold: true });
    await acts.contact(old, old, next);
    assert.deepEqual(await acts.counts(next), [20, 0, 17, 0, 3, 0]);
  });

  it('the source has its CALs again when the target has given them back, not before', async () => {
    await acts.permanent(next, 'ws-1');
    assert.equal((await cancel(move)).state, 'aborting');
    assert.equal((await cancel(move)).awaited.from, 'target');
    await acts.contact(old);
    assert.deepEqual(await acts.counts(old), [20, 0, 0, 20, 0, 0]);
    await acts.contact(next, next);
    assert.equal(await acts.stateOf(world, move), 'aborted');
    assert.deepEqual(await acts.counts(next), [0, 0, 0, 0, 0, 0]);
    assert.equal((await refusedFor(next, 'ws-1')).code, 'license-moved');
    await acts.contact(old);
    assert.deepEqual(await acts.counts(old), [20, 3, 17, 0, 0, 0]);
    assert.deepEqual(await acts.books(world), [80, 20, 0]);
    assert.equal(value(await requestLicense(old.context, { ...device, holder: 'ws-1' })).unit, 1);
  });

  it('whom the target gave a unit meanwhile finds it at the source, and nobody else gets it', async () => {
    const given = await acts.permanent(next, 'ws-new');
    value(await undoMove(old.context, move));
    await acts.contact(old, next, next, old);
    assert.deepEqual(await acts.counts(old), [20, 3, 16, 0, 1, 0]);
    const { referral, ...moved } = (await refusedFor(next, 'ws-new')) as Refusal & { referral?: string };
    assert.deepEqual(moved, { code: 'license-moved', product, licenseServerId: acts.idOf(old) });
    const expected = { from: acts.idOf(next), roots: [], nowMs: world.clock.nowMs(), digest: nodeDigest };
    assert.equal(value(openReferral(referral ?? '', expected)).target, acts.idOf(old));
    for (let index = 0; index < 16; index += 1) await acts.permanent(old, `other-${index}`);
    assert.equal((await asks(old, 'other-16')).kind, 'temporary');
    const again = await acts.permanent(old, 'ws-new', acts.sourceOf(given));
    assert.equal(again.origin, given.origin);
    assert.deepEqual(await acts.counts(old), [20, 20, 0, 0, 0, 0]);
  });

  it('one who never comes to the source frees the unit when its last token has ended', async () => {
    await acts.permanent(next, 'ws-new');
    await cancel(move);
    await acts.contact(next, next, old);
    for (let index = 0; index < 16; index += 1) await acts.permanent(old, `other-${index}`);
    assert.equal((await asks(old, 'last')).kind, 'temporary');
    assert.equal((await asks(old, 'last')).kind, 'temporary');
    world.clock.advanceDays(89);
    value(await sweepLapsed(old.context, 1));
    assert.equal((await acts.counts(old))[4], 0);
    assert.equal((await asks(old, 'last')).kind, 'permanent');
  });

  it('a renewal by the target counts at the source: no earlier than that end is the unit free', async () => {
    world.clock.advanceDays(40);
    const renewed = await acts.permanent(next, 'ws-1');
    await cancel(move);
    await acts.contact(next, next, old);
    const end = await old.store.read((tx) =>
      tx.get<{ end: number }>(`select lease_end as end from licenses where holder = 'ws-1'`),
    );
    assert.ok((end?.end ?? 0) >= Date.parse(renewed.expiresAt));
  });

  it('where the target had CALs of its own, it keeps as many, and its own holders', async () => {
    const third = await world.addServer('LS-THIRD', { connected: true });
    await acts.connect(third, 5);
    await acts.permanents(third, ['th-1', 'th-2', 'th-3', 'th-4']);
    await acts.askMove(third, next);
    await acts.contact(third, third, next, next, third);
    assert.deepEqual(await acts.counts(next), [25, 0, 18, 0, 7, 0]);
    await acts.permanents(next, ['th-1', 'ws-1', 'new-1', 'new-2']);
    await cancel(move);
    await acts.contact(next, next, old);
    assert.deepEqual(await acts.counts(next), [5, 2, 0, 0, 3, 0]);
    assert.equal((await acts.permanent(next, 'th-1')).status, 'unchanged');
    assert.deepEqual(await acts.counts(old), [20, 3, 16, 0, 1, 0]);
    assert.deepEqual(await acts.books(world), [75, 25, 0]);
  });

  it('a source that gave its CALs up meanwhile is believed: they are in hand when the target has given back', async () => {
    await cancel(move);
    await acts.closeByContact(old, false);
    assert.equal(await acts.stateOf(world, move), 'returning');
    await acts.contact(next, next);
    assert.equal(await acts.stateOf(world, move), 'closed');
    assert.deepEqual(await acts.counts(next), [0, 0, 0, 0, 0, 0]);
    // Licenses on three of them may still run, and nobody else is given those until they have ended.
    assert.deepEqual(await acts.books(world), [97, 0, 0]);
    world.clock.advanceDays(90);
    await settleDue(world.clearinghouse.context);
    assert.deepEqual(await acts.books(world), [100, 0, 0]);
  });

  it('the target may ask for it as well, and asking twice asks once', async () => {
    assert.equal(value(await undoMove(next.context, move)).resumed, false);
    const again = value(await undoMove(next.context, move));
    assert.deepEqual([again.resumed, again.undoing, again.awaited.from], [true, true, 'clearinghouse']);
    await acts.contact(next, next, next, old);
    assert.equal(await acts.stateOf(world, move), 'aborted');
    assert.equal(value(await undoMove(next.context, move)).undoing, false);
  });

  it('then it can be moved again, and back', async () => {
    await cancel(move);
    await acts.contact(next, next, old);
    await acts.askMove(old, next);
    await acts.contact(old, old, next, next, old, old, next);
    assert.deepEqual(await acts.counts(next), [20, 0, 17, 0, 3, 0]);
    await acts.permanents(next, ends);
    await acts.askMove(next, old);
    await acts.contact(next, next, old, old, next, next, old);
    assert.deepEqual(await acts.counts(old), [20, 0, 17, 0, 3, 0]);
    assert.match((await acts.permanent(old, 'ws-1')).origin ?? '', new RegExp(`^${acts.idOf(old)}/`));
  });

  it('a target that is to be deactivated, or to give CALs back, has to wait for the end of it', async () => {
    const closing = await deactivateServer(next.context, { returnUnissued: true, by: 'message' });
    assert.equal(refusalOf(closing).code, 'move-open');
    const back = await returnByTelephone(next.context, { ...device, quantity: 1 });
    assert.equal(refusalOf(back).code, 'move-open');
  });
});

it('a grant that never came is undone without a trace, whatever comes later', async () => {
  const move = await acts.askMove(old, next);
  await acts.contact(old, old);
  const late = await mailOf(next);
  await cancel(move);
  await gets(next, await mailOf(next), 'cancel');
  assert.deepEqual(await acts.counts(next), [0, 0, 0, 0, 0, 0]);
  await gets(next, late, 'grant');
  await acts.contact(next, old);
  assert.equal(await acts.stateOf(world, move), 'aborted');
  await acts.installByContact(next, { quantity: 10 });
  assert.deepEqual(await acts.counts(next), [10, 0, 10, 0, 0, 0]);
  assert.deepEqual(await acts.books(world), [70, 30, 0]);
});

describe('what a later code brought, and a move by telephone took, cannot be given back', () => {
  let third: OpenServer;
  let move: string;
  let frozen: string;

  beforeEach(async () => {
    third = await world.addServer('LS-THIRD', { connected: true });
    await acts.connect(third, 0);
    move = await acts.askMove(old, next);
    await acts.contact(old, old);
    // The later position of the free chain brings the 17 of the grant that is still under way.
    await acts.install(world, next, { quantity: 1 });
    assert.deepEqual(await acts.counts(next), [18, 0, 18, 0, 0, 0]);
    const order = { ...device, to: acts.idOf(third), quantity: 'all' } as const;
    frozen = value(await freezeByTelephone(next.context, order)).code;
    await acts.deskMove(world, { from: next, to: third });
  });

  const goesOn = async (): Promise<void> => {
    for (const code of [frozen, value(await releaseByTelephone(next.context, device)).code]) {
      for (const told of (await acts.confirm(world, code)).codes) await acts.typeCode(third, told.code);
    }
    assert.deepEqual(await acts.counts(third), [18, 0, 18, 0, 0, 0]);
    assert.deepEqual(await acts.counts(next), [3, 0, 0, 0, 3, 0]);
    await acts.permanents(next, ends);
    assert.deepEqual(await acts.counts(old), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(await acts.books(world), [79, 21, 0]);
  };

  it('so the move goes on to its end, and whoever asked for the undo is told that it came too late', async () => {
    value(await undoMove(old.context, move));
    await acts.contact(old);
    assert.equal(await acts.stateOf(world, move), 'aborting');
    const refused = await confirmByTelephone(world.clearinghouse.context, {
      code: frozen,
    });
    assert.deepEqual(refusalOf(refused), { code: 'move-more-than-there-is', asked: 18, available: 1 });
    await acts.contact(next);
    assert.equal(await acts.stateOf(world, move), 'aborting');
    await acts.contact(next);
    assert.equal(await acts.stateOf(world, move), 'committed');
    assert.equal((await listMoves(next.context)).find(({ id }) => id === move)?.state, 'final');
    await acts.contact(old, old, next);
    assert.equal(await acts.stateOf(world, move), 'closed');
    const late = refusalOf(await undoMove(old.context, move));
    assert.equal(late.code, 'undo-too-late');
    assert.equal((await listMoves(old.context)).find(({ id }) => id === move)?.undoing, false);
    await goesOn();
  });

  it('nor where the source has given its CALs up meanwhile: they are not in hand, but the target’s', async () => {
    await cancel(move);
    await acts.closeByContact(old, false);
    assert.equal(await acts.stateOf(world, move), 'returning');
    await acts.contact(next, next);
    assert.equal(await acts.stateOf(world, move), 'closed');
    await goesOn();
  });

  it('the desk is told the same when it asks again', async () => {
    await cancel(move);
    await acts.contact(next, next);
    const late = refusalOf(await cancelMove(world.clearinghouse.context, move));
    assert.equal(late.code, 'undo-too-late');
    await acts.contact(old, old, next);
    await goesOn();
  });
});

describe('what is being undone, as its source has asked,', () => {
  let move: string;

  beforeEach(async () => {
    move = await acts.askMove(old, next, { hold: true });
    await acts.contact(old, old, next);
    value(await undoMove(old.context, move));
  });

  const giveUp = async (): Promise<readonly Refusal[]> => [
    refusalOf(await deactivateServer(old.context, { returnUnissued: true, by: 'message' })),
    refusalOf(await deactivateServer(old.context, { returnUnissued: true, by: 'telephone' })),
    refusalOf(await releaseByTelephone(old.context, device)),
  ];

  it('is not given up there meanwhile: nobody would have it', async () => {
    const refused = { code: 'undo-open', move, target: acts.idOf(next) };
    assert.deepEqual(await giveUp(), [refused, refused, refused]);
    await acts.contact(old);
    assert.deepEqual(await giveUp(), [refused, refused, refused]);
    await acts.contact(next, next, old);
    assert.deepEqual(await acts.counts(old), [20, 3, 17, 0, 0, 0]);
    assert.equal((await acts.permanent(old, 'ws-1')).unit, 1);
  });
});

it('by files the same: one more round of the stick', async () => {
  const stick = async (from: OpenServer, to: readonly OpenServer[]): Promise<void> => {
    const answer = await acts.answerTo(world, from);
    for (const server of to) await applyAnswerFile(server.context, answer);
  };
  const move = await acts.askMove(old, next, { hold: true });
  for (let round = 0; round < 2; round += 1) await stick(old, [old, next]);
  assert.deepEqual(await acts.counts(next), [20, 0, 17, 0, 3, 0]);
  await acts.permanent(next, 'ws-new');
  value(await undoMove(old.context, move));
  await stick(old, [old, next]);
  await stick(next, [next, old]);
  assert.deepEqual(await acts.counts(old), [20, 3, 16, 0, 1, 0]);
  assert.deepEqual(await acts.counts(next), [0, 0, 0, 0, 0, 0]);
});

describe('too late', () => {
  it('what the clearinghouse refuses to undo can be given up again', async () => {
    const move = await acts.askMove(old, next);
    await acts.contact(old, old, next, next);
    value(await undoMove(old.context, move));
    const close = { returnUnissued: false, by: 'message' } as const;
    assert.equal(refusalOf(await deactivateServer(old.context, close)).code, 'undo-open');
    await acts.contact(old, old, next);
    assert.equal(await acts.stateOf(world, move), 'closed');
    await acts.closeByContact(old, false);
    assert.deepEqual(await acts.counts(next), [20, 0, 17, 0, 3, 0]);
  });

  it('after the commit it is refused at the desk and at both ends, with the way back', async () => {
    const move = await acts.askMove(old, next);
    await acts.contact(old, old, next, next);
    assert.equal(await acts.stateOf(world, move), 'committed');
    // The source has not heard of the commit: it asks, and the clearinghouse says no.
    value(await undoMove(old.context, move));
    await acts.contact(old, old, next);
    const back = { code: 'undo-too-late', agreement, ...device, quantity: 20, source: acts.idOf(old) };
    for (const refused of [
      refusalOf(await undoMove(old.context, move)),
      refusalOf(await undoMove(next.context, move)),
      refusalOf(await cancelMove(world.clearinghouse.context, move)),
    ]) {
      assert.partialDeepStrictEqual(refused, { ...back, target: acts.idOf(next), carrier: 'online' });
    }
    assert.equal(await acts.stateOf(world, move), 'closed');
    // What is advised is possible: a source that was deactivated meanwhile is activated again first.
    await acts.closeByContact(old, false);
    const source = { sourceIs: 'deactivated' };
    assert.partialDeepStrictEqual(refusalOf(await undoMove(old.context, move)), source);
    const refused = refusalOf(await cancelMove(world.clearinghouse.context, move));
    assert.partialDeepStrictEqual(refused, source);
    assert.match(
      problemOf(refused).next,
      /activate it again first.*calyx server activate.*Then move them back/,
    );
    const elsewhere = refusalOf(await undoMove(next.context, move));
    assert.partialDeepStrictEqual(elsewhere, { sourceIs: 'not-known' });
    assert.match(problemOf(elsewhere).next, /^Where .* was deactivated meanwhile/);
  });

  it('by telephone from the freeze on', async () => {
    const third = await world.addServer('LS-THIRD', { connected: true });
    await acts.connect(third, 5);
    const to = acts.idOf(next);
    await acts.deskMove(world, { from: third, to: next });
    const { move } = value(await freezeByTelephone(third.context, { ...device, to, quantity: 'all' }));
    const refused = refusalOf(await undoMove(third.context, move ?? ''));
    assert.partialDeepStrictEqual(refused, { code: 'undo-too-late', carrier: 'telephone', quantity: 5 });
  });
});
