/**
 * A license server that no longer functions while CALs are on their way to it (protocol §2.5): its source keeps
 * serving, and nothing waits for the dead for ever.
 */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { confirmByTelephone } from '../src/clearinghouse/usecases/desk-confirm.ts';
import { repeatCodes } from '../src/clearinghouse/usecases/desk-moves.ts';
import { startDeskMove } from '../src/clearinghouse/usecases/start-move.ts';
import type { OpenServer } from '../src/server/app.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import * as acts from './world/acts.ts';
import type { Pair } from './world/dead.ts';
import {
  assertAll,
  books,
  closeWorlds,
  declare,
  line,
  moveAt,
  newWorld,
  passTime,
  stateAt,
  statement,
  stateOn,
} from './world/dead.ts';
import { agreement, refusalOf, value } from './world/world.ts';

after(closeWorlds);

interface Three extends Pair {
  /** Where the move starts; `source` of the pair is the one that dies, `target` the one that takes its place. */
  readonly old: OpenServer;
}

/** LS-OLD with 10 CALs and two holders, LS-DEAD with so many of its own, LS-NEXT with none. */
async function three(own: number, kit = false): Promise<Three> {
  const world = await newWorld(100, { kit });
  const add = (name: string) => world.addServer(name, { connected: !kit, kit });
  const [old, source, target] = [await add('LS-OLD'), await add('LS-DEAD'), await add('LS-NEXT')];
  const begin = (server: OpenServer, quantity: number) =>
    kit ? acts.setUp(world, server, quantity) : acts.connect(server, quantity);
  await begin(old, 10);
  await begin(source, own);
  await begin(target, 0);
  await acts.permanents(old, ['ws-1', 'ws-2']);
  return { world, old, source, target };
}

/** Over the network, as far as the target has installed it on trial. */
async function onTrial({ old, source }: Three): Promise<string> {
  const move = await acts.askMove(old, source, { hold: true });
  await acts.contact(old, old, source, source);
  return move;
}

describe('a move to a server that is declared dead', () => {
  it('is undone when that server is fenced off, and its source has its CALs when the last license has ended', async () => {
    const at = await three(5);
    const { world, old, source, target } = at;
    const move = await onTrial(at);
    assert.equal(await stateAt(at, move), 'installed');
    const dead = await declare(at);
    assert.deepEqual(await books(at), [85, 0, 10, 5]);
    await passTime(at, dead, 'horizon');
    await acts.contact(target, target, target);
    // What is its own goes to the one that takes its place; what is on trial there does not.
    assert.deepEqual(await acts.counts(target), [5, 0, 0, 0, 5, 0]);
    const { state, awaited } = await moveAt(at, move);
    assert.deepEqual([state, awaited.from], ['aborting', 'nobody']);
    const { deadSource } = await moveAt(at, dead);
    assert.match(awaited.text, new RegExp(deadSource?.opensAt.slice(0, 10) ?? '-'));
    await acts.contact(old);
    assert.equal((await acts.permanent(old, 'ws-1')).kind, 'permanent');
    // A copy of it that turns up changes nothing.
    assert.equal(await stateOn(source, move), 'provisional');
    await acts.contact(source, source);
    assert.equal(await stateAt(at, move), 'aborting');
    // It has nothing any more, and waits for nobody.
    assert.equal(await stateOn(source, move), 'relinquished');
    assert.deepEqual(await acts.counts(source), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual((await readStatus(source.context)).openMoves, []);
    await assertAll(world);
    await passTime(at, dead, 'opensAt');
    await acts.contact(old, old);
    assert.equal(await stateAt(at, move), 'aborted');
    assert.equal((await acts.counts(old))[0], 10);
    assert.equal((await acts.counts(old))[3], 0);
    assert.deepEqual(await books(at), [85, 15, 0, 0]);
    await assertAll(world);
  });

  it('has it shown as at risk what a server that is fenced off for another line may renew of it', async () => {
    const world = await newWorld(100, { kit: false });
    await acts.sell(world, { quantity: 3, type: 'user' });
    const old = await acts.addConnected(world, 'LS-OLD', 10);
    const source = await acts.addConnected(world, 'LS-DEAD', 0);
    const target = await acts.addConnected(world, 'LS-NEXT', 0);
    const at = { world, old, source, target };
    await acts.installByContact(source, { quantity: 3, type: 'user' });
    await acts.contact(source, target);
    const move = await onTrial(at);
    const dead = await declare(at, 'user');
    await passTime(at, dead, 'horizon');
    await acts.contact(target, target);
    assert.deepEqual([await stateAt(at, dead), await stateAt(at, move)], ['closed', 'aborting']);
    const { atRisk } = value(await showAgreement(world.clearinghouse.context, agreement));
    assert.deepEqual(
      new Map(atRisk.map(({ move: of, line: number, units }) => [of, [number, units]])),
      new Map([
        [dead, [1, 3]],
        [move, [0, 10]],
      ]),
    );
    await assertAll(world);
  });

  it('ends also where nothing is that server’s own yet, and where its undoing was asked for before', async () => {
    const at = await three(0);
    const { world, old, target } = at;
    const move = await onTrial(at);
    value(await cancelMove(world.clearinghouse.context, move));
    const dead = await declare(at);
    assert.equal(await stateAt(at, dead), 'dead-wait');
    await passTime(at, dead, 'horizon');
    await acts.contact(old, target, target);
    assert.deepEqual([await stateAt(at, dead), await stateAt(at, move)], ['aborted', 'aborting']);
    await passTime(at, dead, 'opensAt');
    await acts.contact(old, old);
    assert.equal(await stateAt(at, move), 'aborted');
    assert.deepEqual((await acts.counts(old))[0], 10);
    assert.deepEqual(await books(at), [90, 10, 0, 0]);
    // Fenced off for good.
    const again = {
      agreement,
      from: acts.idOf(old),
      to: acts.idOf(at.source),
      ...line,
      quantity: 1,
    } as const;
    const order = { ...again, reason: 'replaced', requestId: acts.newRequest() } as const;
    assert.equal(
      refusalOf(await startDeskMove(world.clearinghouse.context, order)).code,
      'server-declared-dead',
    );
    await assertAll(world);
  });

  it('that is committed keeps the CALs back until its source has released them', async () => {
    const at = await three(0);
    const { world, old, source, target } = at;
    const move = await acts.askMove(old, source);
    await acts.contact(old, old, source, source);
    assert.equal(await stateAt(at, move), 'committed');
    const dead = await declare(at);
    await passTime(at, dead, 'opensAt');
    await acts.contact(target, target);
    const { state, awaited } = await moveAt(at, dead);
    assert.deepEqual([state, awaited.from], ['dead-wait', 'source']);
    assert.match(awaited.text, new RegExp(move));
    await acts.contact(old, old, old, target, target);
    assert.deepEqual([await stateAt(at, move), await stateAt(at, dead)], ['closed', 'closed']);
    // The licenses that it renewed until now run on: nobody else has these CALs before they have ended.
    assert.deepEqual(await acts.counts(target), [10, 0, 0, 0, 10, 0]);
    world.clock.advanceDays(90);
    await acts.contact(target);
    assert.equal((await acts.permanent(target, 'ws-9')).kind, 'permanent');
    assert.equal(await stateOn(source, move), 'final');
    await acts.contact(source, source);
    assert.equal(await stateOn(source, move), 'closed');
    assert.deepEqual(await acts.counts(source), [0, 0, 0, 0, 0, 0]);
    await assertAll(world);
  });

  it('brings along what a source that died before it had left to it', async () => {
    const at = await three(5);
    const { world, old, source, target } = at;
    const first = await declare({ world, source: old, target: source });
    await passTime(at, first, 'horizon');
    await acts.contact(target);
    assert.equal(await stateAt(at, first), 'fenced');
    // It dies before it has heard of it.
    const second = await declare(at);
    await passTime(at, second, 'horizon');
    await acts.contact(target, target, target);
    assert.deepEqual([await stateAt(at, first), await stateAt(at, second)], ['closed', 'closed']);
    assert.deepEqual(await acts.counts(target), [15, 0, 0, 0, 15, 0]);
    assert.deepEqual(await books(at), [85, 15, 0, 0]);
    await assertAll(world);
  });
});

describe('a move by telephone to a server that is declared dead', () => {
  const declareAtDesk = async ({ world, source, target }: Three): Promise<string> => {
    const started = await startDeskMove(world.clearinghouse.context, {
      ...{ agreement, from: acts.idOf(source), to: acts.idOf(target), ...line, quantity: 'all' },
      ...{ reason: 'dead', statement, by: 'Cy', requestId: acts.newRequest() },
    });
    return String(value(started)['move']);
  };

  const frozen = async ({ world, old, source }: Three): Promise<string> => {
    const move = await acts.deskMove(world, { from: old, to: source });
    const told = await freezeByTelephone(old.context, { ...line, to: acts.idOf(source), quantity: 'all' });
    const { code } = await acts.confirm(world, value(told).code);
    await acts.typeCode(source, code ?? '');
    return move;
  };

  const released = async ({ world, old }: Three) => {
    const { code } = value(await releaseByTelephone(old.context, line));
    return value(await confirmByTelephone(world.clearinghouse.context, { code }));
  };

  it('takes a release in while that server waits, and what it brings goes with its other CALs', async () => {
    const at = await three(5, true);
    const move = await frozen(at);
    const dead = await declareAtDesk(at);
    assert.deepEqual((await released(at)).codes, []);
    assert.equal(await stateAt(at, move), 'closed');
    const call = { agreement, serverId: acts.idOf(at.source) };
    assert.equal(
      refusalOf(await repeatCodes(at.world.clearinghouse.context, call)).code,
      'server-declared-dead',
    );
    await assertAll(at.world);
    await passTime(at, dead, 'horizon');
    assert.equal(await stateAt(at, dead), 'closed');
    const { codes } = value(
      await repeatCodes(at.world.clearinghouse.context, { agreement, serverId: acts.idOf(at.target) }),
    );
    const pack = codes.find(({ kind }) => kind === 'held-key-pack');
    await acts.typeCode(at.target, pack?.code ?? '', { from: acts.idOf(at.source) });
    assert.equal((await acts.counts(at.target))[0], 15);
    assert.deepEqual(await books(at), [85, 15, 0, 0]);
    await assertAll(at.world);
  });

  it('reads them out where the declaration was undone', async () => {
    const at = await three(5, true);
    await frozen(at);
    const dead = await declareAtDesk(at);
    await released(at);
    value(await cancelMove(at.world.clearinghouse.context, dead));
    const { codes } = value(
      await repeatCodes(at.world.clearinghouse.context, { agreement, serverId: acts.idOf(at.source) }),
    );
    const pack = codes.find(({ kind }) => kind === 'held-key-pack');
    await acts.typeCode(at.source, pack?.code ?? '', { from: acts.idOf(at.old) });
    assert.equal((await acts.counts(at.source))[0], 15);
    await assertAll(at.world);
  });

  it('has its CALs in hand, when it is released after that server was fenced off, and all licenses have ended', async () => {
    const at = await three(5, true);
    const move = await frozen(at);
    const dead = await declareAtDesk(at);
    await passTime(at, dead, 'horizon');
    assert.deepEqual([await stateAt(at, dead), await stateAt(at, move)], ['closed', 'aborting']);
    assert.deepEqual((await released(at)).codes, []);
    assert.equal(await stateAt(at, move), 'returning');
    await assertAll(at.world);
    await passTime(at, dead, 'opensAt');
    assert.equal(await stateAt(at, move), 'closed');
    assert.deepEqual(await books(at), [85, 5, 0, 10]);
    at.world.clock.advanceDays(90);
    assert.equal(await stateAt(at, move), 'closed');
    assert.deepEqual(await books(at), [95, 5, 0, 0]);
    await assertAll(at.world);
  });
});
