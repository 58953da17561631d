/**
 * A source that no longer functions and has more of a line than one grant can bring (protocol §2.5): it comes over whole,
 * in several moves one after another, and no unit is granted twice or forgotten.
 */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { approveMove } from '../src/clearinghouse/usecases/approve-release.ts';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import type { MoveView } from '../src/clearinghouse/usecases/desk-moves.ts';
import { listMoves } from '../src/clearinghouse/usecases/desk-moves.ts';
import { rehearseDeskMove } from '../src/clearinghouse/usecases/rehearse-desk-move.ts';
import { startDeskMove } from '../src/clearinghouse/usecases/start-move.ts';
import { mostUnits } from '../src/core/agreement.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyCode } from '../src/server/usecases/apply-code.ts';
import { declareDead } from '../src/server/usecases/declare-dead.ts';
import { rehearseDead } from '../src/server/usecases/rehearse-dead.ts';
import { requestActivation } from '../src/server/usecases/requests.ts';
import { listMoves as movesOn, startMove } from '../src/server/usecases/start-move.ts';
import * as acts from './world/acts.ts';
import type { Pair } from './world/dead.ts';
import {
  ask,
  assertAll,
  books,
  closeWorlds,
  declare,
  declareByTelephone,
  line,
  moveAt,
  newWorld,
  passTime,
  passTimeAlmost,
  readPack,
  stateAt,
  statement,
} from './world/dead.ts';
import { agreement, refusalOf, value } from './world/world.ts';

after(closeWorlds);

const bought = 200_000;
const units = mostUnits + 1000;

/** So many CALs, in key packs that a chain can carry. */
async function fill(server: OpenServer, total: number): Promise<void> {
  for (let left = total; left > 0; left -= mostUnits) {
    await acts.installByContact(server, { quantity: Math.min(left, mostUnits) });
  }
}

async function large(total = units): Promise<Pair> {
  const world = await newWorld(bought, { kit: false });
  const source = await world.addServer('LS-OLD', { connected: true });
  const target = await world.addServer('LS-NEW', { connected: true });
  await acts.connect(source, 0);
  await fill(source, total);
  await acts.connect(target, 0);
  await acts.contact(source);
  return { world, source, target };
}

/** A source with more than one grant brings, and a target under its kit or with a certificate that telephones. */
async function withTarget(has: 'a kit slot' | 'a certificate'): Promise<Pair> {
  const world = await newWorld(bought);
  const source = await world.addServer('LS-OLD', { connected: true });
  const target = await world.addServer('LS-NEW', { kit: true, connected: true });
  await acts.connect(source, 0);
  await fill(source, units);
  await (has === 'a kit slot' ? acts.activate(world, target) : acts.activateByContact(target));
  return { world, source, target };
}

/** The moves from dead sources at the clearinghouse, in the order in which they began. */
async function deadMoves({ world }: Pair): Promise<readonly MoveView[]> {
  const page = { after: '', limit: 100 };
  const { items } = await listMoves(world.clearinghouse.context, page);
  return items.filter(({ reason }) => reason === 'dead').reverse();
}

async function contacts(times: number, ...servers: readonly OpenServer[]): Promise<void> {
  for (let round = 0; round < times; round += 1) await acts.contact(...servers);
}

describe('a dead source with more than one grant can bring', () => {
  it('comes over whole when its horizon has passed, as often as that takes', async () => {
    const total = 2 * mostUnits + 1000;
    const at = await large(total);
    await acts.permanent(at.source, 'ws-1');
    const id = await declare(at);
    assert.deepEqual(await books(at), [bought - total, 0, 0, total]);
    await passTimeAlmost(at, id);
    const held = value(await ask(at.source, 'ws-1'));
    await passTime(at, id, 'horizon');
    await acts.contact(at.target);
    // The first part is granted, and the rest waits for no horizon any more: only for the target.
    const [first, second] = await deadMoves(at);
    assert.deepEqual([first?.id, first?.state, first?.held], [id, 'fenced', mostUnits]);
    assert.deepEqual([second?.state, second?.deadSource?.units], ['dead-wait', mostUnits + 1000]);
    assert.deepEqual(second?.deadSource?.statement, first?.deadSource?.statement);
    assert.match(second?.awaited.text ?? '', new RegExp(`granted before \\(move ${id}\\)`));
    assert.deepEqual(await books(at), [bought - total, 0, mostUnits, mostUnits + 1000]);
    const [waiting] = (await movesOn(at.target.context)).filter(({ state }) => state === 'dead-wait');
    assert.match(waiting?.awaited.text ?? '', /still to come/);
    await assertAll(at.world);
    await contacts(6, at.target);
    const moves = await deadMoves(at);
    assert.deepEqual(
      moves.map(({ state, held: amount }) => [state, amount]),
      [mostUnits, mostUnits, 1000].map((amount) => ['closed', amount]),
    );
    assert.deepEqual(await books(at), [bought - total, total, 0, 0]);
    assert.deepEqual(await acts.counts(at.target), [total, 0, 0, 0, total, 0]);
    const mine = value(await ask(at.target, 'ws-1', held));
    assert.equal(mine.origin, held.origin);
    for (const { deadSource } of moves) assert.equal(deadSource?.opensAt, moves[0]?.deadSource?.opensAt);
    assert.deepEqual(
      (await movesOn(at.target.context)).map(({ state }) => state),
      ['closed', 'closed', 'closed'],
    );
    await passTime(at, id, 'opensAt');
    await acts.contact(at.target);
    assert.equal((await acts.permanent(at.target, 'pc-9')).kind, 'permanent');
    await assertAll(at.world);
  });

  it('is rehearsed to its end', async () => {
    const at = await large();
    const order = { agreement, from: acts.idOf(at.source), ...line, statement, by: 'message' } as const;
    const { clearinghouse, target } = value(await rehearseDead(at.target.context, order));
    assert.ok(clearinghouse.reached && clearinghouse.refused === null);
    assert.deepEqual([clearinghouse.books?.after.target, target.granted?.reserved], [units, units]);
    assert.equal((await deadMoves(at)).length, 0);
  });

  it('is released early with one approval, all of it unissued, and all of it at risk', async () => {
    const at = await large();
    const { context } = at.world.clearinghouse;
    const id = await declare(at);
    const approved = value(await approveMove(context, { move: id, by: 'Ben' }));
    assert.deepEqual([approved['unitsAtRisk'], approved['state']], [units, 'fenced']);
    assert.match(approved.next, /1000 more CALs of this source follow.*They are granted by themselves/);
    const rest = (await deadMoves(at))[1];
    assert.deepEqual([rest?.deadSource?.approvedBy, rest?.deadSource?.units], ['Ben', 1000]);
    // Nobody has to approve it a second time, and nobody can.
    for (const by of ['Ben', 'Cat']) {
      assert.equal(refusalOf(await approveMove(context, { move: rest?.id ?? '', by })).code, 'move-state');
    }
    await contacts(6, at.target);
    assert.deepEqual(await acts.counts(at.target), [units, 0, units, 0, 0, 0]);
    const risks = value(await showAgreement(context, agreement)).atRisk;
    assert.deepEqual(
      risks.map((risk) => risk.units),
      [mostUnits, 1000],
    );
    await assertAll(at.world);
    // It was one of the two that an agreement has in a year.
    for (const [index, name] of ['LS-2', 'LS-3'].entries()) {
      const source = await acts.addConnected(at.world, name, 1);
      const move = await declare({ ...at, source });
      const answer = await approveMove(context, { move, by: 'Ben' });
      assert.equal(answer.ok ? 'yes' : answer.error.code, index === 0 ? 'yes' : 'early-release-limit');
    }
  });

  it('gives gap licenses to its holders until the last of it has come', async () => {
    const at = await large();
    const [one, other] = [await acts.permanent(at.source, 'ws-1'), await acts.permanent(at.source, 'ws-2')];
    const id = await declare(at);
    assert.equal(value(await ask(at.target, 'ws-1', one)).kind, 'temporary');
    value(await approveMove(at.world.clearinghouse.context, { move: id, by: 'Ben' }));
    await contacts(6, at.target);
    // The first part has reserved one for whom it knew; the next finds nobody who waits.
    assert.deepEqual(await acts.counts(at.target), [units, 0, units - 1, 0, 1, 0]);
    assert.equal(value(await ask(at.target, 'ws-1')).origin, one.origin);
    assert.equal(value(await ask(at.target, 'ws-2', other)).origin, other.origin);
    await assertAll(at.world);
  });
});

describe('a dead source with more than one grant can bring, which comes back', () => {
  it('before its horizon: as much as one move brings freezes, and the rest is moved like anything else', async () => {
    const at = await large(2 * mostUnits + 1000);
    const id = await declare(at);
    await contacts(5, at.source, at.target);
    assert.equal(await stateAt(at, id), 'closed');
    assert.equal((await acts.counts(at.target))[0], mostUnits);
    assert.deepEqual(await books(at), [bought - 2 * mostUnits - 1000, 2 * mostUnits + 1000, 0, 0]);
    const order = { agreement, to: acts.idOf(at.target), ...line, reason: 'replaced', hold: false } as const;
    const all = refusalOf(await startMove(at.source.context, { ...order, quantity: 'all' }));
    assert.deepEqual(all, { code: 'move-too-large', asked: mostUnits + 1000, most: mostUnits });
    for (const quantity of [mostUnits, 'all'] as const) {
      value(await startMove(at.source.context, { ...order, quantity }));
      await contacts(5, at.source, at.target);
    }
    assert.deepEqual(await acts.counts(at.source), [0, 0, 0, 0, 0, 0]);
    assert.equal((await acts.counts(at.target))[0], 2 * mostUnits + 1000);
    await assertAll(at.world);
  });

  it('after it, while the rest still waits: it is closed, gives everything up, and nothing comes twice', async () => {
    const at = await large();
    const id = await declare(at);
    await passTime(at, id, 'horizon');
    await acts.contact(at.target);
    assert.deepEqual(await books(at), [bought - units, 0, mostUnits, 1000]);
    await contacts(2, at.source);
    assert.deepEqual(await acts.counts(at.source), [0, 0, 0, 0, 0, 0]);
    await contacts(6, at.target, at.source);
    assert.deepEqual(await acts.counts(at.target), [units, 0, 0, 0, units, 0]);
    assert.notEqual((await moveAt(at, id)).deadSource?.sourceSeenAt, null);
    await assertAll(at.world);
  });
});

describe('the rest of a dead source', () => {
  it('can be taken back, and declared anew for another server', async () => {
    const at = await large();
    const id = await declare(at);
    await passTime(at, id, 'horizon');
    await acts.contact(at.target);
    const rest = (await deadMoves(at))[1]?.id ?? '';
    const order = { agreement, from: acts.idOf(at.source), ...line, statement, by: 'message' } as const;
    const third = await acts.addConnected(at.world, 'LS-3', 0);
    const refused = value(await declareDead(third.context, order));
    await acts.contact(third);
    assert.equal((await movesOn(third.context)).find((move) => move.id === refused.id)?.state, 'refused');
    value(await cancelMove(at.world.clearinghouse.context, rest));
    await contacts(6, at.target);
    assert.equal((await acts.counts(at.target))[0], mostUnits);
    assert.deepEqual(await books(at), [bought - units, units, 0, 0]);
    value(await declareDead(third.context, order));
    await contacts(4, third);
    assert.equal((await acts.counts(third))[0], 1000);
    await assertAll(at.world);
  });

  it('goes back to the books of its source where its target dies, too, and can be declared anew', async () => {
    const at = await large();
    const id = await declare(at);
    await passTime(at, id, 'horizon');
    await acts.contact(at.target);
    const third = await acts.addConnected(at.world, 'LS-3', 0);
    const next = { ...at, source: at.target, target: third };
    const dead = await declare(next);
    await passTime(next, dead, 'horizon');
    await contacts(4, third);
    const states = (await deadMoves(at)).map(({ state }) => state);
    assert.deepEqual(states, ['closed', 'aborted', 'closed']);
    assert.deepEqual(await acts.counts(third), [mostUnits, 0, 0, 0, mostUnits, 0]);
    await declare({ ...at, target: third });
    await contacts(4, third);
    assert.equal((await acts.counts(third))[0], units);
    assert.deepEqual(await books(at), [bought - units, units, 0, 0]);
    await assertAll(at.world);
  });

  it('waits by telephone for a certificate where the kit slot of the target is used up', async () => {
    const at = await withTarget('a kit slot');
    const { world, source, target } = at;
    const { context } = world.clearinghouse;
    await acts.permanents(source, ['ws-1', 'ws-2']);
    const ends = { agreement, from: acts.idOf(source), ...line, statement };
    value(await declareDead(target.context, { ...ends, by: 'telephone' }));
    const order = { ...ends, to: acts.idOf(target), quantity: 'all', reason: 'dead' } as const;
    const id = String(
      value(await startDeskMove(context, { ...order, requestId: acts.newRequest() }))['move'],
    );
    await passTimeAlmost(at, id);
    const [one, other] = [value(await ask(source, 'ws-1')), value(await ask(source, 'ws-2'))];
    await passTime(at, id, 'horizon');
    const heldPack = async (): Promise<string> => {
      await deadMoves(at);
      return readPack(at, 'held-key-pack');
    };
    await acts.typeCode(target, await heldPack(), { from: acts.idOf(source), quantity: mostUnits });
    assert.deepEqual(await acts.counts(target), [mostUnits, 0, 0, 0, mostUnits, 0]);
    const rest = (await deadMoves(at))[1];
    assert.equal(rest?.awaited.from, 'clearinghouse');
    assert.match(rest?.awaited.text ?? '', /has room for 0 more.*calyx server activate --agreement/);
    assert.equal(value(await ask(target, 'ws-1', one)).origin, one.origin);
    await acts.activateByContact(target);
    await acts.typeCode(target, await heldPack(), { from: acts.idOf(source) });
    assert.deepEqual(await acts.counts(target), [units, 1, 0, 0, units - 1, 0]);
    // Both are one reserve, which honors a token once.
    const reserves = await target.context.store.read((tx) =>
      tx.all<{ amount: number }>('select amount from reserves'),
    );
    assert.deepEqual(reserves, [{ amount: units - 1 }]);
    assert.equal(value(await ask(target, 'ws-2', other)).origin, other.origin);
    const [move, ...others] = await movesOn(target.context);
    assert.deepEqual([move?.state, move?.held, others.length], ['closed', units, 0]);
    assert.deepEqual(await books(at), [bought - units, units, 0, 0]);
    await assertAll(world);
  });

  it('waits by telephone for another way where the target has a certificate that is used up, and comes by that', async () => {
    const at = await large();
    const id = await declareByTelephone(at);
    await passTime(at, id, 'horizon');
    await deadMoves(at);
    const quantity = mostUnits;
    await acts.typeCode(at.target, await readPack(at, 'held-key-pack'), {
      from: acts.idOf(at.source),
      quantity,
    });
    const rest = (await deadMoves(at))[1];
    assert.match(rest?.awaited.text ?? '', /has a certificate already.*calyx server move.*calyx desk cancel/);
    assert.doesNotMatch(rest?.awaited.text ?? '', /kit slot|server activate/);
    assert.equal(
      refusalOf(await requestActivation(at.target.context, { agreement })).code,
      'already-activated',
    );
    value(await cancelMove(at.world.clearinghouse.context, rest?.id ?? ''));
    await declare(at);
    await contacts(4, at.target);
    assert.deepEqual(await acts.counts(at.target), [units, 0, 0, 0, units, 0]);
    assert.deepEqual(await books(at), [bought - units, units, 0, 0]);
    await assertAll(at.world);
  });

  for (const has of ['a kit slot', 'a certificate'] as const) {
    it(`is rehearsed at the desk to where it would wait: the target has ${has}`, async () => {
      const at = await withTarget(has);
      const { world, source, target } = at;
      const ends = { agreement, from: acts.idOf(source), to: acts.idOf(target), ...line } as const;
      const { context } = world.clearinghouse;
      const told = value(await rehearseDeskMove(context, { ...ends, quantity: 'all', reason: 'dead' }));
      const { before, frozen, after: end } = told.books;
      assert.deepEqual([before.source, frozen.quarantined], [units, units]);
      assert.deepEqual([end.source, end.target, end.inTransit, end.quarantined], [0, mostUnits, 0, 1000]);
      assert.equal(told.following?.units, 1000);
      const words = has === 'a kit slot' ? /calyx server activate/ : /has a certificate already/;
      assert.match(told.following?.awaited ?? '', words);
      assert.equal((await deadMoves(at)).length, 0);
      // What it says is what comes.
      const id = await declareByTelephone(at);
      await passTime(at, id, 'horizon');
      const [first, rest] = await deadMoves(at);
      assert.deepEqual([first?.held, rest?.deadSource?.units], [mostUnits, 1000]);
      assert.equal(rest?.awaited.text, told.following?.awaited);
    });
  }

  for (const brought of ['its code', 'a certificate'] as const) {
    it(`is released early by telephone, and counts with the first part, which ${brought} has brought`, async () => {
      const at = await withTarget('a kit slot');
      const { world, source, target } = at;
      const [one, other] = [await acts.permanent(source, 'ws-1'), await acts.permanent(source, 'ws-2')];
      const id = await declareByTelephone(at);
      assert.equal(value(await ask(target, 'ws-1', one)).kind, 'temporary');
      const approved = value(await approveMove(world.clearinghouse.context, { move: id, by: 'Ben' }));
      assert.match(approved.next, /1000 more CALs of this source follow.*kit slot.*calyx server activate/);
      assert.match(
        approved.next,
        new RegExp(`install --code CODE --from ${acts.idOf(source)} --quantity ${mostUnits}$`),
      );
      const typed = {
        text: approved.code ?? '',
        from: acts.idOf(source),
        quantity: mostUnits,
        confirmed: true,
      };
      if (brought === 'its code') value(await applyCode(target.context, typed));
      const here = async () =>
        (await movesOn(target.context)).map(({ state, unissued }) => [state, unissued]);
      await acts.activateByContact(target);
      assert.deepEqual(await here(), [['closed', mostUnits]]);
      await deadMoves(at);
      const rest = await readPack(at, 'key-pack');
      world.clock.advanceDays(1);
      const again = { text: rest, from: acts.idOf(source), confirmed: true };
      if (brought === 'a certificate') {
        // Typed without its source it is a key pack like any other; typed again with it, it is counted, once.
        await acts.typeCode(target, rest);
        assert.deepEqual(await here(), [['closed', mostUnits]]);
        assert.partialDeepStrictEqual(value(await applyCode(target.context, again)), { added: 0 });
      } else {
        assert.partialDeepStrictEqual(value(await applyCode(target.context, again)), { added: 1000 });
      }
      assert.equal(refusalOf(await applyCode(target.context, again)).code, 'already-applied');
      assert.deepEqual(await here(), [['closed', units]]);
      assert.deepEqual(await acts.counts(target), [units, 0, units - 1, 0, 1, 0]);
      assert.equal(value(await ask(target, 'ws-1')).origin, one.origin);
      assert.equal(value(await ask(target, 'ws-2', other)).origin, other.origin);
      assert.deepEqual(await books(at), [bought - units, units, 0, 0]);
      await assertAll(world);
    });
  }
});
