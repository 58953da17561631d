/** A move that was begun by message, and goes on by telephone because nothing reaches the clearinghouse any more. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { confirmByTelephone } from '../src/clearinghouse/usecases/desk-confirm.ts';
import { giveHorizonCode } from '../src/clearinghouse/usecases/desk-horizon.ts';
import { repeatCodes } from '../src/clearinghouse/usecases/desk-moves.ts';
import { startDeskMove } from '../src/clearinghouse/usecases/start-move.ts';
import type { OpenServer } from '../src/server/app.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { listMoves } from '../src/server/usecases/start-move.ts';
import { listEvents } from '../src/server/usecases/status.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import { undoMove } from '../src/server/usecases/undo-move.ts';
import { assertSound } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, refusalOf, value } from './world/world.ts';

const device = { product, type: 'device' } as const;

let world: World;
let old: OpenServer;
let next: OpenServer;

beforeEach(async () => {
  world = await makeWorld(100, { kit: false });
  old = await world.addServer('LS-OLD', { connected: true });
  next = await world.addServer('LS-NEW', { connected: true });
  await acts.connect(old, 20);
  await acts.connect(next, 0);
  await acts.permanents(old, ['ws-1', 'ws-2', 'ws-3']);
});

afterEach(async () => {
  await assertConserved(world);
  await assertSound(world);
  await world.close();
});

const freeze = async (quantity: number | 'all') =>
  freezeByTelephone(old.context, { ...device, to: acts.idOf(next), quantity });
const ownMove = async (server: OpenServer, id: string) =>
  (await listMoves(server.context)).find((move) => move.id === id);
const refusals = async (server: OpenServer): Promise<readonly number[]> =>
  (await listEvents(server.context, { cursor: '', limit: 500 })).items
    .map((event) => event.id)
    .filter((id) => id === 5019);

/** The key packs of the target as the desk reads them again, typed there: all of them, or those of one kind. */
async function typeRepeated(only = 'key-pack'): Promise<void> {
  const call = { agreement, serverId: acts.idOf(next) };
  for (const { code, kind } of value(await repeatCodes(world.clearinghouse.context, call)).codes) {
    if (!kind.endsWith(only)) continue;
    await acts.typeCode(next, code, kind === 'held-key-pack' ? { from: acts.idOf(old) } : {});
  }
}

/** A telephone move of what `freeze` has told, from the desk to the target. */
async function byTelephone(quantity: number | 'all'): Promise<string> {
  const move = await acts.deskMove(world, { from: old, to: next }, quantity);
  const frozen = value(await freeze(quantity));
  for (const { code } of (await acts.confirm(world, frozen.code)).codes) await acts.typeCode(next, code);
  const released = value(await releaseByTelephone(old.context, device));
  for (const { code } of (await acts.confirm(world, released.code)).codes) {
    await acts.typeCode(next, code, { from: acts.idOf(old) });
  }
  return move;
}

describe('asked for, and nothing frozen', () => {
  it('it is taken back at once, reached or not, and the clearinghouse hears of it later', async () => {
    const move = await acts.askMove(old, next);
    const undone = value(await undoMove(old.context, move));
    assert.deepEqual([undone.state, undone.awaited.from, undone.undoing], ['undone', 'nobody', true]);
    assert.match(undone.awaited.text, /nothing was frozen.*hears of it/);
    assert.equal(value(await undoMove(old.context, move)).state, 'undone');
    // Another may be asked for at once.
    const second = await acts.askMove(old, next, { quantity: 4 });
    await acts.contact(old, old, next, next, old, old, next);
    assert.equal(await acts.stateOf(world, move), 'aborted');
    assert.equal(await acts.stateOf(world, second), 'closed');
    assert.equal((await ownMove(old, move))?.undoing, false);
    assert.deepEqual(await acts.counts(old), [16, 3, 13, 0, 0, 0]);
    assert.deepEqual(await acts.counts(next), [4, 0, 4, 0, 0, 0]);
    assert.deepEqual(await refusals(old), []);
  });

  it('a freeze by telephone takes its place, and the clearinghouse that hears of both moves once', async () => {
    const move = await acts.askMove(old, next, { quantity: 5 });
    const told = await byTelephone(5);
    assert.equal((await ownMove(old, move))?.state, 'undone');
    assert.deepEqual(await acts.counts(old), [15, 3, 12, 0, 0, 0]);
    await acts.contact(old, next, old, next, old);
    assert.equal(await acts.stateOf(world, told), 'closed');
    assert.equal(await acts.stateOf(world, move), 'aborted');
    assert.deepEqual(await acts.counts(old), [15, 3, 12, 0, 0, 0]);
    assert.deepEqual(await acts.counts(next), [5, 0, 5, 0, 0, 0]);
    assert.deepEqual(await refusals(old), []);
  });

  it('so it does where the clearinghouse has heard of it, once the desk has cancelled that move', async () => {
    const move = await acts.askMove(old, next);
    // It arrives, and the answer with the order to freeze does not.
    await acts.answerTo(world, old);
    const order = {
      ...device,
      agreement,
      from: acts.idOf(old),
      to: acts.idOf(next),
      quantity: 'all',
    } as const;
    const asked = { ...order, reason: 'replaced' as const, requestId: acts.newRequest() };
    const open = refusalOf(await startDeskMove(world.clearinghouse.context, asked));
    assert.deepEqual(open, { code: 'move-open', move, state: 'reserved' });
    value(await cancelMove(world.clearinghouse.context, move));
    await byTelephone('all');
    await acts.contact(old, next, old);
    assert.equal(await acts.stateOf(world, move), 'aborted');
    assert.deepEqual(await acts.counts(old), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(await acts.counts(next), [20, 0, 17, 0, 3, 0]);
  });

  it('neither code of that freeze is taken for one of the move by messages, which is still open at the desk', async () => {
    const move = await acts.askMove(old, next);
    await acts.answerTo(world, old);
    const frozen = value(await freeze('all'));
    const released = value(await releaseByTelephone(old.context, device));
    const read = async (code: string) =>
      refusalOf(await confirmByTelephone(world.clearinghouse.context, { code }));
    assert.deepEqual(await read(released.code), { code: 'earlier-code-missing', kind: 'frozen' });
    assert.deepEqual(await read(frozen.code), { code: 'move-open', move, state: 'reserved' });
    value(await cancelMove(world.clearinghouse.context, move));
    await acts.deskMove(world, { from: old, to: next });
    for (const { code } of [frozen, released]) await acts.confirm(world, code);
    await typeRepeated();
    await acts.contact(old, next, old);
    assert.deepEqual(await acts.counts(next), [20, 0, 17, 0, 3, 0]);
    assert.deepEqual(await acts.books(world), [80, 20, 0]);
  });

  it('another number or target by telephone is another wish, and waits until that one is undone', async () => {
    const move = await acts.askMove(old, next, { quantity: 5 });
    assert.deepEqual(refusalOf(await freeze(6)), { code: 'move-open', move, state: 'requested' });
    value(await undoMove(old.context, move));
    assert.equal(value(await freeze(6)).unissued, 6);
  });
});

describe('frozen', () => {
  let move: string;

  beforeEach(async () => {
    move = await acts.askMove(old, next, { hold: true });
    await acts.contact(old);
    assert.equal((await ownMove(old, move))?.state, 'frozen');
    assert.equal(await acts.stateOf(world, move), 'reserved');
  });

  const release = async () => {
    const told = value(await releaseByTelephone(old.context, device));
    return acts.confirm(world, told.code);
  };

  it('is given up by a code, which tells the freeze as well where its receipt never arrived', async () => {
    const answer = await release();
    assert.equal(await acts.stateOf(world, move), 'closed');
    assert.match(answer.next, /calyx desk repeat --agreement/);
    assert.deepEqual(await acts.books(world), [80, 20, 0]);
    await typeRepeated();
    assert.deepEqual(await acts.counts(next), [20, 0, 17, 0, 3, 0]);
    // What lay on the way meanwhile comes in any order, and changes nothing.
    await acts.contact(next, old, next, old, next);
    assert.deepEqual(await acts.counts(next), [20, 0, 17, 0, 3, 0]);
    assert.deepEqual(await acts.counts(old), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(await acts.books(world), [80, 20, 0]);
    assert.equal(await acts.stateOf(world, move), 'closed');
  });

  it('so that the target has them by message where that reaches it', async () => {
    await release();
    await acts.contact(old, next, next, old);
    assert.deepEqual(await acts.counts(next), [20, 0, 17, 0, 3, 0]);
    assert.equal((await ownMove(next, move))?.state, 'closed');
  });

  it('with the receipt there, the desk reads out what has no holder before the source gives anything up', async () => {
    await acts.answerTo(world, old);
    assert.equal(await acts.stateOf(world, move), 'granted');
    await typeRepeated();
    assert.deepEqual(await acts.counts(next), [17, 0, 17, 0, 0, 0]);
    const running = await acts.permanent(old, 'ws-1');
    assert.equal((await acts.permanent(next, 'ws-1', acts.sourceOf(running))).kind, 'permanent');
    await release();
    await typeRepeated('held-key-pack');
    assert.deepEqual(await acts.counts(next), [20, 1, 17, 0, 2, 0]);
    await acts.contact(next, old, next, old);
    assert.equal(await acts.stateOf(world, move), 'closed');
    assert.deepEqual(await acts.counts(next), [20, 1, 17, 0, 2, 0]);
    assert.deepEqual(await acts.counts(old), [0, 0, 0, 0, 0, 0]);
  });

  it('what has holders is not read out while the source renews them: nobody else is given it', async () => {
    await acts.answerTo(world, old);
    const call = { agreement, serverId: acts.idOf(next) };
    const answer = value(await repeatCodes(world.clearinghouse.context, call));
    assert.deepEqual(
      answer.codes.map(({ kind }) => kind),
      ['key-pack'],
    );
    assert.match(answer.next, /read out when their source has given them up/);
    await typeRepeated();
    const months = value(await giveHorizonCode(world.clearinghouse.context, call));
    await acts.typeCode(next, months.code ?? '');
    const strangers = Array.from({ length: 17 }, (_, index) => `pc-${index}`);
    // As long as a reserve that is read out waits for its holders, and longer.
    for (let week = 0; week < 15; week += 1) {
      world.clock.advanceDays(7);
      assert.equal((await acts.permanent(old, 'ws-1')).kind, 'permanent');
      for (const holder of strangers) await acts.permanent(next, holder);
    }
    assert.equal((await acts.permanent(next, 'pc-17')).kind, 'temporary');
    await acts.contact(next);
    assert.deepEqual(await acts.counts(next), [20, 17, 0, 0, 3, 0]);
  });

  it('nor is what another source has given up, when it stands behind that on the same chain', async () => {
    await acts.answerTo(world, old);
    const third = await acts.addConnected(world, 'LS-3', 2);
    await acts.permanents(third, ['ws-4', 'ws-5']);
    await acts.deskMove(world, { from: third, to: next });
    const order = { ...device, to: acts.idOf(next), quantity: 'all' } as const;
    await acts.confirm(world, value(await freezeByTelephone(third.context, order)).code);
    const given = value(await releaseByTelephone(third.context, device));
    const answer = await acts.confirm(world, given.code);
    assert.deepEqual(answer.codes, []);
    assert.match(answer.next, /when the new license server has had contact.*calyx desk repeat/);
    // It has contact: what comes by name is told from what is read out.
    await acts.contact(next, next);
    assert.deepEqual(await acts.counts(next), [20, 0, 17, 0, 3, 0]);
    const call = { agreement, serverId: acts.idOf(next) };
    const { codes } = value(await repeatCodes(world.clearinghouse.context, call));
    const pack = codes.find(({ kind }) => kind === 'held-key-pack');
    await acts.typeCode(next, pack?.code ?? '', { from: acts.idOf(third) });
    assert.deepEqual(await acts.counts(next), [22, 0, 17, 0, 5, 0]);
  });

  it('undone at the desk meanwhile, its release sends the CALs to the publisher, and to nobody twice', async () => {
    value(await cancelMove(world.clearinghouse.context, move));
    await release();
    assert.equal(await acts.stateOf(world, move), 'closed');
    await acts.contact(old, next, old);
    assert.deepEqual(await acts.counts(old), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(await acts.counts(next), []);
  });
});

describe('a server that is deactivated by telephone while it holds what it froze by message', () => {
  /** Frozen, and the receipt does not leave; then closed. Answers the move and the codes that were printed. */
  async function frozenAndClosed(): Promise<{ readonly move: string; readonly codes: readonly string[] }> {
    const move = await acts.askMove(old, next);
    await acts.contact(old);
    assert.equal(await acts.stateOf(world, move), 'reserved');
    const order = { returnUnissued: true, by: 'telephone' } as const;
    const { codes, unissued, held } = value(await deactivateServer(old.context, order));
    assert.deepEqual(
      codes.map(({ kind }) => kind),
      ['released', 'deactivated'],
    );
    assert.deepEqual([unissued, held], [17, 3]);
    assert.deepEqual(value(await deactivateServer(old.context, order)).codes, codes);
    return { move, codes: codes.map(({ code }) => code) };
  }

  it('prints the code of that release ahead of its end, and the desk needs nothing else', async () => {
    const { move, codes } = await frozenAndClosed();
    for (const code of codes) await acts.confirm(world, code);
    assert.equal(await acts.stateOf(world, move), 'closed');
    await typeRepeated();
    assert.deepEqual(await acts.counts(next), [20, 0, 17, 0, 3, 0]);
    assert.deepEqual(await acts.books(world), [80, 20, 0]);
    // The receipts arrive after all, say nothing new, and nobody is warned of them.
    await acts.contact(old, next, old);
    assert.deepEqual(await acts.counts(next), [20, 0, 17, 0, 3, 0]);
    assert.deepEqual(await refusals(old), []);
  });

  it('also where the desk has cancelled the move meanwhile: they go to the publisher, those with licenses later', async () => {
    const { move, codes } = await frozenAndClosed();
    value(await cancelMove(world.clearinghouse.context, move));
    for (const code of codes) await acts.confirm(world, code);
    assert.equal(await acts.stateOf(world, move), 'closed');
    assert.deepEqual(await acts.books(world), [97, 0, 0]);
    world.clock.advanceDays(90);
    await acts.contact(old);
    assert.deepEqual(await acts.books(world), [100, 0, 0]);
    assert.deepEqual(await refusals(old), []);
  });

  it('also where the receipt had been heard, and the move undone since', async () => {
    const move = await acts.askMove(old, next);
    await acts.contact(old, old);
    value(await cancelMove(world.clearinghouse.context, move));
    await acts.contact(next, next);
    assert.equal(await acts.stateOf(world, move), 'aborted');
    const { codes } = value(await deactivateServer(old.context, { returnUnissued: true, by: 'telephone' }));
    for (const { code } of codes) await acts.confirm(world, code);
    assert.equal(await acts.stateOf(world, move), 'closed');
    // All of them were the target's for a time, and nobody says here whom it gave one.
    assert.deepEqual(await acts.books(world), [80, 0, 0]);
    world.clock.advanceDays(90);
    await acts.contact(next);
    assert.deepEqual(await acts.books(world), [100, 0, 0]);
  });
});
