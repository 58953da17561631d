/**
 * A source that was declared dead by telephone, whose key pack is not typed in time (protocol §2.5): a certificate or a later
 * code has brought its CALs. Its move on the new server ends all the same, and its holders have theirs.
 */
import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { approveMove } from '../src/clearinghouse/usecases/approve-release.ts';
import { applyCode } from '../src/server/usecases/apply-code.ts';
import { sweepLapsed } from '../src/server/usecases/reclaim.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { listMoves } from '../src/server/usecases/start-move.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import { undoMove } from '../src/server/usecases/undo-move.ts';
import * as acts from './world/acts.ts';
import type { Pair } from './world/dead.ts';
import {
  ask,
  assertAll,
  closeWorlds,
  declareByTelephone,
  events,
  line,
  newWorld,
  passTime,
  passTimeAlmost,
  readPack,
  stateAt,
} from './world/dead.ts';
import { refusalOf, value } from './world/world.ts';

after(closeWorlds);

let at: Pair;
let id: string;
let held: LicenseAnswer;

/** The moves of the new server: their states, and what they have brought. */
const movesHere = async (): Promise<readonly unknown[]> =>
  (await listMoves(at.target.context)).map(({ state, unissued, held: named }) => [state, unissued, named]);

/** The holder whose lease at the source outlives its horizon shows it at the new server, and waits there. */
async function waitAtTarget(): Promise<void> {
  await passTimeAlmost(at, id);
  held = value(await ask(at.source, 'ws-1'));
  assert.equal(value(await ask(at.target, 'ws-1', held)).kind, 'temporary');
  assert.equal((await readStatus(at.target.context)).gap, 1);
}

async function assertServed(): Promise<void> {
  const own = value(await ask(at.target, 'ws-1'));
  assert.deepEqual([own.kind, own.origin], ['permanent', held.origin]);
  assert.equal((await readStatus(at.target.context)).gap, 0);
}

beforeEach(async () => {
  const world = await newWorld(1000);
  const source = await world.addServer('LS-OLD', { kit: true });
  const target = await world.addServer('LS-NEW', { kit: true, connected: true });
  await acts.setUp(world, source, 10);
  await acts.setUp(world, target, 0);
  await acts.permanent(source, 'ws-1');
  at = { world, source, target };
  id = await declareByTelephone(at);
  await waitAtTarget();
});

describe('a certificate brings the CALs of a source that was declared dead by telephone', () => {
  it('with holders: the move ends, the one who waits has its CAL, and the others are served until the reserve opens', async () => {
    await passTime(at, id, 'horizon');
    assert.equal(await stateAt(at, id), 'closed');
    await acts.activateByContact(at.target);
    assert.deepEqual(await movesHere(), [['closed', 0, 10]]);
    assert.deepEqual(await acts.counts(at.target), [10, 0, 0, 0, 10, 0]);
    assert.ok((await events(at.target)).includes(93));
    await assertServed();
    assert.equal((await acts.permanent(at.target, 'pc-1')).kind, 'temporary');
    await assertAll(at.world);
    at.world.clock.advanceDays(88);
    assert.equal((await acts.permanent(at.target, 'pc-2')).kind, 'temporary');
    at.world.clock.advanceDays(2);
    value(await sweepLapsed(at.target.context, 100));
    assert.equal((await acts.permanent(at.target, 'pc-1')).kind, 'permanent');
    await assertAll(at.world);
  });

  it('not yet those of the declaration, but of a move before it: the move from the dead source waits for its own', async () => {
    const world = await newWorld(1000);
    const source = await world.addServer('LS-OLD', { kit: true });
    const target = await world.addServer('LS-NEW', { kit: true, connected: true });
    await acts.setUp(world, source, 5);
    await acts.setUp(world, target, 0);
    await acts.permanents(source, ['ws-1', 'ws-2', 'ws-3', 'ws-4', 'ws-5']);
    await acts.deskMove(world, { from: source, to: target }, 2);
    const order = { ...line, to: acts.idOf(target), quantity: 2 } as const;
    await acts.confirm(world, value(await freezeByTelephone(source.context, order)).code);
    await acts.confirm(world, value(await releaseByTelephone(source.context, line)).code);
    at = { world, source, target };
    id = await declareByTelephone(at);
    await acts.activateByContact(target);
    assert.deepEqual(await movesHere(), [['dead-wait', 0, 0]]);
    assert.deepEqual(await acts.counts(target), [2, 0, 0, 0, 2, 0]);
    await passTime(at, id, 'horizon');
    assert.equal(await stateAt(at, id), 'closed');
    await acts.typeCode(target, await readPack(at, 'held-key-pack'), { from: acts.idOf(source) });
    assert.deepEqual(await movesHere(), [['closed', 0, 3]]);
    assert.deepEqual(await acts.counts(target), [5, 0, 0, 0, 5, 0]);
    await assertAll(world);
  });

  for (const typed of ['not at all', 'without its source', 'with its source'] as const) {
    it(`released early, and the key pack was typed ${typed}: the move ends once, and who waits has its CAL`, async () => {
      const approved = value(await approveMove(at.world.clearinghouse.context, { move: id, by: 'Ben' }));
      const code = approved.code ?? '';
      if (typed === 'without its source') await acts.typeCode(at.target, code);
      if (typed === 'with its source') await acts.typeCode(at.target, code, { from: acts.idOf(at.source) });
      await acts.activateByContact(at.target);
      assert.deepEqual(await movesHere(), [['closed', 10, 0]]);
      assert.deepEqual(await acts.counts(at.target), [10, 0, 9, 0, 1, 0]);
      await assertServed();
      await assertAll(at.world);
    });
  }

  it('released early, and the key pack of others was typed first: that one ends nothing, the certificate does', async () => {
    value(await approveMove(at.world.clearinghouse.context, { move: id, by: 'Ben' }));
    await acts.install(at.world, at.target, { quantity: 5 });
    assert.deepEqual(await movesHere(), [['dead-wait', 0, 0]]);
    await acts.activateByContact(at.target);
    assert.deepEqual(await movesHere(), [['closed', 10, 0]]);
    assert.deepEqual(await acts.counts(at.target), [15, 0, 14, 0, 1, 0]);
    await assertServed();
    await assertAll(at.world);
  });

  it('and those of a move that was taken back at the new server: they are for whoever shows a license', async () => {
    const [move] = await listMoves(at.target.context);
    value(await undoMove(at.target.context, move?.id ?? ''));
    await passTime(at, id, 'horizon');
    assert.equal(await stateAt(at, id), 'closed');
    await acts.activateByContact(at.target);
    assert.deepEqual(await movesHere(), [['undone', 0, 0]]);
    assert.deepEqual(await acts.counts(at.target), [10, 0, 0, 0, 10, 0]);
    assert.equal(value(await ask(at.target, 'ws-1', held)).origin, held.origin);
    await assertAll(at.world);
  });
});

describe('a key pack that was released early, and is overtaken by a later code', () => {
  let code: string;
  const typed = (confirmed: boolean, from = acts.idOf(at.source)) =>
    applyCode(at.target.context, { text: code, from, confirmed });

  beforeEach(async () => {
    const approved = value(await approveMove(at.world.clearinghouse.context, { move: id, by: 'Ben' }));
    code = approved.code ?? '';
  });

  it('brings nothing when it is typed after that; its move ends, and who waits has a CAL', async () => {
    await acts.install(at.world, at.target, { quantity: 5 });
    assert.deepEqual(await acts.counts(at.target), [15, 0, 15, 0, 0, 0]);
    assert.deepEqual(await movesHere(), [['dead-wait', 0, 0]]);
    assert.equal(refusalOf(await typed(true, acts.idOf(at.target))).code, 'already-applied');
    assert.partialDeepStrictEqual(value(await typed(false)), { applied: false, added: 0 });
    assert.deepEqual(await movesHere(), [['dead-wait', 0, 0]]);
    assert.partialDeepStrictEqual(value(await typed(true)), { applied: true, added: 0, installed: 15 });
    assert.deepEqual(await movesHere(), [['closed', 10, 0]]);
    assert.deepEqual(await acts.counts(at.target), [15, 0, 14, 0, 1, 0]);
    await assertServed();
    assert.equal(refusalOf(await typed(true)).code, 'already-applied');
    await assertAll(at.world);
  });

  it('ends its move also where nobody has left any of its CALs', async () => {
    await acts.install(at.world, at.target, { quantity: 1 });
    for (let number = 1; number <= 11; number += 1) await acts.permanent(at.target, `pc-${number}`);
    assert.deepEqual(await acts.counts(at.target), [11, 11, 0, 0, 0, 0]);
    value(await typed(true));
    assert.deepEqual(await movesHere(), [['closed', 10, 0]]);
    assert.deepEqual(await acts.counts(at.target), [11, 11, 0, 0, 0, 0]);
    await assertAll(at.world);
  });
});
