/**
 * A license server that dies in the middle of a move of its CALs (protocol §2.5): whatever state the move is in,
 * it can be declared dead, and after its horizon, or an early release, every CAL is at one place, every move
 * has ended, and its holders have theirs.
 */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { approveMove } from '../src/clearinghouse/usecases/approve-release.ts';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { repeatCodes } from '../src/clearinghouse/usecases/desk-moves.ts';
import { startDeskMove } from '../src/clearinghouse/usecases/start-move.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { listMoves } from '../src/server/usecases/start-move.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import * as acts from './world/acts.ts';
import type { Pair } from './world/dead.ts';
import {
  ask,
  assertAll,
  books,
  closeWorlds,
  declare,
  line,
  moveAt,
  newWorld,
  pair,
  passTime,
  stateAt,
  statement,
  stateOn,
} from './world/dead.ts';
import { agreement, value } from './world/world.ts';

after(closeWorlds);

type At = Pair & { readonly held: readonly LicenseAnswer[] };

interface Way {
  readonly name: string;
  readonly quantity: number | 'all';
  readonly hold: boolean;
  /** Contacts of source and target, until the source dies. */
  readonly contacts: string;
  readonly state: string;
  /** What of the 10 CALs is committed to the source then. */
  readonly left: number;
}

const ways: readonly Way[] = [
  { name: 'asked for', quantity: 'all', hold: false, contacts: 's', state: 'reserved', left: 10 },
  { name: 'granted', quantity: 'all', hold: false, contacts: 'ss', state: 'granted', left: 0 },
  { name: 'granted, a part', quantity: 8, hold: false, contacts: 'ss', state: 'granted', left: 2 },
  { name: 'installed, on trial', quantity: 'all', hold: true, contacts: 'sstt', state: 'installed', left: 0 },
  { name: 'committed', quantity: 'all', hold: false, contacts: 'sstt', state: 'committed', left: 0 },
  { name: 'committed, a part', quantity: 8, hold: false, contacts: 'sstt', state: 'committed', left: 2 },
];

/** As far as the source comes before it dies. */
async function die(at: At, way: Way): Promise<string> {
  const move = await acts.askMove(at.source, at.target, way);
  for (const one of way.contacts) await acts.contact(one === 's' ? at.source : at.target);
  assert.equal(await stateAt(at, move), way.state);
  return move;
}

/** Everything is the target's, no move is open, and each holder has the CAL that it had. */
async function assertTaken(at: At, moves: readonly string[]): Promise<void> {
  for (const id of moves) {
    assert.match(await stateAt(at, id), /^(closed|aborted)$/);
    const { awaited } = await moveAt(at, id);
    assert.equal(awaited.from, 'nobody', awaited.text);
  }
  assert.deepEqual(await books(at), [990, 10, 0, 0]);
  assert.equal((await acts.counts(at.target))[0], 10);
  await assertAll(at.world);
}

describe('a source that dies while a move of its CALs is', () => {
  for (const way of ways) {
    it(`${way.name}: is settled by its horizon`, async () => {
      const at = await pair();
      const move = await die(at, way);
      const dead = await declare(at);
      assert.equal(await stateAt(at, dead), 'dead-wait');
      assert.equal((await books(at))[3], way.left);
      await assertAll(at.world);
      await acts.contact(at.target, at.target);
      // They work on meanwhile, with the CAL that came along or with what bridges the gap.
      for (const [index, license] of at.held.entries()) {
        assert.ok((await ask(at.target, `ws-${index + 1}`, license)).ok);
      }
      await passTime(at, dead, 'horizon');
      await acts.contact(at.target, at.target, at.target, at.target);
      await assertTaken(at, [move, dead]);
      const { deadSource } = await moveAt(at, dead);
      assert.ok(deadSource?.atRisk !== null, 'what the source may renew is shown as at risk');
      await passTime(at, dead, 'opensAt');
      for (const [index, license] of at.held.entries()) {
        const own = await acts.permanent(at.target, `ws-${index + 1}`);
        assert.deepEqual([own.kind, own.origin], ['permanent', license.origin]);
      }
      for (let index = 0; index < 7; index += 1) {
        assert.equal((await acts.permanent(at.target, `new-${index}`)).kind, 'permanent', `new-${index}`);
      }
      assert.equal((await acts.permanent(at.target, 'one-too-many')).kind, 'temporary');
      await assertAll(at.world);
    });

    it(`${way.name}: is settled by an early release`, async () => {
      const at = await pair();
      const move = await die(at, way);
      const dead = await declare(at);
      value(await approveMove(at.world.clearinghouse.context, { move: dead, by: 'Cat Ode' }));
      await acts.contact(at.target, at.target, at.target, at.target);
      await assertTaken(at, [move, dead]);
      for (const [index, license] of at.held.entries()) {
        const own = value(await ask(at.target, `ws-${index + 1}`, license));
        assert.deepEqual([own.kind, own.origin], ['permanent', license.origin]);
      }
      await assertAll(at.world);
    });

    it(`${way.name}: lives after all, and nothing of it is lost`, async () => {
      const at = await pair();
      const move = await die(at, way);
      const dead = await declare(at);
      value(await cancelMove(at.world.clearinghouse.context, dead));
      for (let round = 0; round < 4; round += 1) await acts.contact(at.source, at.target);
      assert.equal(await stateAt(at, dead), 'aborted');
      if (way.hold) assert.equal(await stateAt(at, move), 'installed');
      else if (way.state !== 'reserved') assert.equal(await stateAt(at, move), 'closed');
      assert.deepEqual((await books(at))[0], 990);
      await assertAll(at.world);
    });
  }

  it('committed, a part: lives after all, and freezes what was left when it has released', async () => {
    const at = await pair();
    const move = await die(at, ways[5] as Way);
    const dead = await declare(at);
    for (let round = 0; round < 8; round += 1) await acts.contact(at.source, at.target);
    await assertTaken(at, [move, dead]);
    assert.equal((await acts.counts(at.source))[0], 0);
    assert.equal(await stateOn(at.source, dead), 'closed');
  });

  it('being undone: what the target gives back goes with the rest', async () => {
    const at = await pair();
    const move = await die(at, ways[3] as Way);
    const dead = await declare(at);
    value(await cancelMove(at.world.clearinghouse.context, move));
    await acts.contact(at.target, at.target);
    assert.equal(await stateAt(at, move), 'aborted');
    await passTime(at, dead, 'horizon');
    await acts.contact(at.target, at.target, at.target);
    await assertTaken(at, [move, dead]);
    assert.deepEqual(await acts.counts(at.target), [10, 0, 0, 0, 10, 0]);
  });

  it('being undone, and is not given back before its horizon: those CALs are in hand when all has ended', async () => {
    const at = await pair();
    const move = await die(at, ways[3] as Way);
    value(await cancelMove(at.world.clearinghouse.context, move));
    const third = await at.world.addServer('LS-3', { connected: true });
    await acts.connect(third, 0);
    const dead = await declare({ ...at, target: third });
    await passTime(at, dead, 'horizon');
    await acts.contact(third);
    assert.equal(await stateAt(at, move), 'returning');
    await acts.contact(at.target, at.target);
    assert.equal(await stateAt(at, move), 'closed');
    at.world.clock.advanceDays(90);
    await acts.contact(third);
    assert.deepEqual(await books(at), [1000, 0, 0, 0]);
    assert.equal(await stateOn(third, dead), 'undone');
    await assertAll(at.world);
  });
});

describe('a source that died in the middle of a move and comes back', () => {
  it('gives up what it had frozen, and what it had left, each for whom it went to', async () => {
    const at = await pair();
    const move = await die(at, ways[5] as Way);
    const third = await at.world.addServer('LS-3', { connected: true });
    await acts.connect(third, 0);
    const dead = await declare({ ...at, target: third });
    await passTime(at, dead, 'horizon');
    await acts.contact(third, third, third, at.target, at.target);
    assert.deepEqual([await stateAt(at, move), await stateAt(at, dead)], ['closed', 'closed']);
    assert.deepEqual([(await acts.counts(at.target))[0], (await acts.counts(third))[0]], [8, 2]);
    await acts.contact(at.source, at.source);
    assert.deepEqual(await acts.counts(at.source), [0, 0, 0, 0, 0, 0]);
    assert.equal(await stateOn(at.source, move), 'closed');
    const listed = await listMoves(at.source.context);
    assert.deepEqual(
      listed.map(({ state, target }) => [state, target]),
      [
        ['closed', acts.idOf(at.target)],
        ['closed', acts.idOf(third)],
      ],
    );
    await assertAll(at.world);
  });

  it('released early for one line, it keeps the moves of another until its horizon', async () => {
    const world = await newWorld(1000, { kit: false });
    await acts.sell(world, { type: 'user', quantity: 10 });
    const source = await world.addServer('LS-OLD', { connected: true });
    const target = await world.addServer('LS-NEW', { connected: true });
    await acts.connect(source, 10);
    await acts.installByContact(source, { type: 'user', quantity: 5 });
    await acts.connect(target, 0);
    await acts.permanents(source, ['ws-1', 'ws-2']);
    const at = { world, source, target };
    const move = await acts.askMove(source, target);
    await acts.contact(source, source, target, target);
    const dead = await declare(at, 'user');
    value(await approveMove(world.clearinghouse.context, { move: dead, by: 'Cat Ode' }));
    await acts.contact(target, target, target);
    assert.deepEqual([await stateAt(at, dead), await stateAt(at, move)], ['closed', 'committed']);
    assert.equal((await moveAt(at, dead)).deadSource?.atRisk?.units, 5);
    await passTime(at, dead, 'horizon');
    await acts.contact(target, target);
    assert.equal(await stateAt(at, move), 'closed');
    // What it may renew of that line past its horizon, should it live, is shown beside what was released early.
    const { atRisk } = value(await showAgreement(world.clearinghouse.context, agreement));
    assert.deepEqual(
      atRisk.map(({ move: of, line, units }) => [of, line, units]),
      [
        [dead, 1, 5],
        [move, 0, 2],
      ],
    );
    await assertAll(world);
  });
});

describe('a target that dies in the middle of a move', () => {
  it('is not waited for where a second person has not: its source has its CALs at once, shown as at risk', async () => {
    const at = await pair(2);
    const move = await die(at, ways[3] as Way);
    const third = await at.world.addServer('LS-3', { connected: true });
    await acts.connect(third, 0);
    const dead = await declare({ ...at, source: at.target, target: third });
    const waiting = await moveAt(at, move);
    assert.match(waiting.awaited.text, /Its target was declared to function no longer/);
    const { deadSource } = await moveAt(at, dead);
    assert.deepEqual([deadSource?.units, deadSource?.underWay], [2, 10]);
    const approved = value(await approveMove(at.world.clearinghouse.context, { move: dead, by: 'Cat Ode' }));
    assert.equal(approved['unitsAtRisk'], 12);
    await acts.contact(at.source, third, third, third);
    assert.deepEqual([await stateAt(at, move), await stateAt(at, dead)], ['aborted', 'closed']);
    assert.deepEqual(await acts.counts(at.source), [10, 3, 7, 0, 0, 0]);
    assert.deepEqual(await acts.counts(third), [2, 0, 2, 0, 0, 0]);
    assert.deepEqual(await books(at), [988, 12, 0, 0]);
    await assertAll(at.world);
  });

  it('takes the declaration of its own source with it, and that one can be declared dead anew', async () => {
    const at = await pair();
    const first = await declare(at);
    const third = await at.world.addServer('LS-3', { connected: true });
    await acts.connect(third, 0);
    await acts.installByContact(at.target, { quantity: 1 });
    const second = await declare({ ...at, source: at.target, target: third });
    await passTime(at, second, 'horizon');
    await acts.contact(third, third, third);
    assert.deepEqual([await stateAt(at, first), await stateAt(at, second)], ['aborted', 'closed']);
    const again = await declare({ ...at, target: third });
    await acts.contact(third, third, third);
    assert.equal(await stateAt(at, again), 'closed');
    assert.equal((await acts.counts(third))[0], 11);
    await assertAll(at.world);
  });
});

describe('a source that dies when its freeze was read by telephone', () => {
  interface Frozen extends Pair {
    readonly move: string;
    readonly held: readonly LicenseAnswer[];
  }

  /** 10 CALs, three of them with holders; the key pack of the others is typed on the target. */
  async function frozen(): Promise<Frozen> {
    const world = await newWorld(1000);
    const source = await world.addServer('LS-OLD', { kit: true });
    const target = await world.addServer('LS-NEW', { kit: true });
    await acts.setUp(world, source, 10);
    await acts.setUp(world, target, 0);
    const held: LicenseAnswer[] = [];
    for (const name of ['ws-1', 'ws-2', 'ws-3']) held.push(await acts.permanent(source, name));
    const move = await acts.deskMove(world, { from: source, to: target });
    const told = await freezeByTelephone(source.context, { ...line, to: acts.idOf(target), quantity: 'all' });
    const { code } = await acts.confirm(world, value(told).code);
    await acts.typeCode(target, code ?? '');
    return { world, source, target, move, held };
  }

  const declareAtDesk = async ({ world, source, target }: Pair): Promise<string> => {
    const started = await startDeskMove(world.clearinghouse.context, {
      ...{ agreement, from: acts.idOf(source), to: acts.idOf(target), ...line, quantity: 'all' },
      ...{ reason: 'dead', statement, by: 'Ben Roe', requestId: acts.newRequest() },
    });
    return String(value(started)['move']);
  };

  const heldPack = async ({ world, target }: Pair): Promise<string> => {
    const call = { agreement, serverId: acts.idOf(target) };
    const { codes } = value(await repeatCodes(world.clearinghouse.context, call));
    return codes.find(({ kind }) => kind === 'held-key-pack')?.code ?? '';
  };

  it('leaves the key pack of its holders to be read out by its horizon', async () => {
    const at = await frozen();
    const dead = await declareAtDesk(at);
    assert.deepEqual(await books(at), [990, 0, 10, 0]);
    await passTime(at, dead, 'horizon');
    assert.deepEqual([await stateAt(at, at.move), await stateAt(at, dead)], ['closed', 'aborted']);
    await acts.typeCode(at.target, await heldPack(at), { from: acts.idOf(at.source) });
    assert.deepEqual(await acts.counts(at.target), [10, 0, 7, 0, 3, 0]);
    await assertTaken(at, [at.move, dead]);
  });

  it('has it read out with an early release', async () => {
    const at = await frozen();
    const dead = await declareAtDesk(at);
    const approved = value(await approveMove(at.world.clearinghouse.context, { move: dead, by: 'Cat Ode' }));
    const [pack] = approved.codes;
    assert.equal(pack?.kind, 'held-key-pack');
    assert.equal(pack?.code, await heldPack(at));
    await acts.typeCode(at.target, pack?.code ?? '', { from: acts.idOf(at.source) });
    const { deadSource } = await moveAt(at, dead);
    assert.equal(deadSource?.atRisk?.units, 3);
    assert.deepEqual(await acts.counts(at.target), [10, 0, 7, 0, 3, 0]);
    assert.deepEqual(await books(at), [990, 10, 0, 0]);
    for (const [index, license] of at.held.entries()) {
      const own = value(await ask(at.target, `ws-${index + 1}`, license));
      assert.deepEqual([own.kind, own.origin], ['permanent', license.origin]);
    }
    await assertAll(at.world);
  });

  it('lives after all: its release is that of the move, not of the declaration', async () => {
    const at = await frozen();
    const dead = await declareAtDesk(at);
    const { codes } = await acts.confirm(
      at.world,
      value(await releaseByTelephone(at.source.context, line)).code,
    );
    await acts.typeCode(at.target, codes[0]?.code ?? '', { from: acts.idOf(at.source) });
    assert.deepEqual([await stateAt(at, at.move), await stateAt(at, dead)], ['closed', 'dead-wait']);
    assert.deepEqual(await acts.counts(at.target), [10, 0, 7, 0, 3, 0]);
    // Nothing is left that could wait: the declaration comes to nothing, and the source is not closed.
    await passTime(at, dead, 'horizon');
    assert.equal(await stateAt(at, dead), 'aborted');
    await acts.install(at.world, at.source, { quantity: 1 });
    await assertAll(at.world);
  });
});
