/**
 * A license server that is declared dead after CALs had come to it from another one (protocol §1.5, §2.5): holders who
 * never went to the server in between work on, and then have a CAL; nobody else loses his by that.
 */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { approveMove } from '../src/clearinghouse/usecases/approve-release.ts';
import { repeatCodes } from '../src/clearinghouse/usecases/desk-moves.ts';
import { startDeskMove } from '../src/clearinghouse/usecases/start-move.ts';
import { msOfIso } from '../src/core/time.ts';
import type { OpenServer } from '../src/server/app.ts';
import { declareDead } from '../src/server/usecases/declare-dead.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import * as acts from './world/acts.ts';
import type { Pair } from './world/dead.ts';
import {
  ask,
  assertAll,
  closeWorlds,
  declare,
  line,
  newWorld,
  passTime,
  stateAt,
  statement,
} from './world/dead.ts';
import { agreement, value } from './world/world.ts';

after(closeWorlds);

type Carrier = 'telephone' | 'messages';

interface Chain extends Pair {
  /** Where the CALs were first, and the license that a holder has of it. */
  readonly first: OpenServer;
  readonly had: LicenseAnswer;
}

/** 4 CALs on the first of three servers, and one holder; all of them have gone on to the second, which will die. */
async function chain(by: Carrier, quantity: number | 'all' = 'all'): Promise<Chain> {
  const world = await newWorld(50);
  const add = async (name: string): Promise<OpenServer> => {
    const server = await world.addServer(name, { kit: true, connected: true });
    await acts.connect(server, 0);
    return server;
  };
  const first = await add('LS-FIRST');
  const source = await add('LS-BETWEEN');
  const target = await add('LS-NEW');
  await acts.installByContact(first, { quantity: 4 });
  const had = await acts.permanent(first, 'ws-1');
  await go(world, { by, from: first, to: source }, quantity);
  return { world, first, source, target, had };
}

async function go(
  world: Pair['world'],
  { by, from, to }: { readonly by: Carrier; readonly from: OpenServer; readonly to: OpenServer },
  quantity: number | 'all' = 'all',
): Promise<void> {
  if (by === 'telephone') {
    await acts.moveByTelephone(world, { from, to });
    return;
  }
  await acts.askMove(from, to, { quantity });
  await acts.contact(from, from, to, to, from, from, to);
}

const gaps = async ({ target }: Pair): Promise<number> => (await readStatus(target.context)).gap;
const endOf = ({ expiresAt }: LicenseAnswer): number => msOfIso(expiresAt) ?? 0;

async function grantAtHorizon(at: Chain, id: string): Promise<void> {
  await passTime(at, id, 'horizon');
  await acts.contact(at.target, at.target, at.target);
}

for (const by of ['messages', 'telephone'] as const) {
  describe(`a server that CALs had come to by ${by}, and that is declared dead`, () => {
    it('leaves nobody without a license who was never there, and with a CAL of his own in the end', async () => {
      const at = await chain(by);
      const id = await declare(at);
      const gap = value(await ask(at.target, 'ws-1', at.had));
      assert.deepEqual([gap.kind, await gaps(at)], ['temporary', 1]);
      at.world.clock.set(endOf(gap) - 1000);
      await acts.contact(at.target);
      assert.equal(value(await ask(at.target, 'ws-1')).status, 'renewed');
      await grantAtHorizon(at, id);
      assert.equal(value(await ask(at.target, 'ws-1')).kind, 'temporary');
      assert.deepEqual(await acts.counts(at.target), [4, 0, 0, 0, 4, 0]);
      await passTime(at, id, 'opensAt');
      await acts.contact(at.target, at.target);
      const own = value(await ask(at.target, 'ws-1'));
      assert.deepEqual([own.kind, own.origin], ['permanent', at.had.origin]);
      assert.deepEqual(await acts.counts(at.target), [4, 1, 3, 0, 0, 0]);
      await assertAll(at.world);
    });

    it('gives them a gap license also when they come after its CALs, and as long as those wait', async () => {
      const at = await chain(by);
      const id = await declare(at);
      await grantAtHorizon(at, id);
      assert.equal(value(await ask(at.target, 'ws-1', at.had)).kind, 'temporary');
      assert.equal(await gaps(at), 1);
      assert.deepEqual(await acts.counts(at.target), [4, 0, 0, 0, 4, 0]);
      await passTime(at, id, 'opensAt');
      await acts.contact(at.target, at.target);
      assert.equal(value(await ask(at.target, 'ws-1')).origin, at.had.origin);
      await assertAll(at.world);
    });

    it('gives them a free CAL like everybody where it is released early', async () => {
      const at = await chain(by);
      const id = await declare(at);
      value(await ask(at.target, 'ws-1', at.had));
      value(await approveMove(at.world.clearinghouse.context, { move: id, by: 'Ben' }));
      await acts.contact(at.target, at.target);
      assert.deepEqual(await acts.counts(at.target), [4, 0, 4, 0, 0, 0]);
      assert.equal(value(await ask(at.target, 'ws-1')).origin, at.had.origin);
      await assertAll(at.world);
    });
  });
}

it('gives a holder whose CAL stayed on the first server nothing of what came to the dead one', async () => {
  const at = await chain('messages', 3);
  const id = await declare(at);
  const between = await acts.permanent(at.source, 'ws-2');
  assert.equal(value(await ask(at.target, 'ws-1', at.had)).kind, 'temporary');
  await grantAtHorizon(at, id);
  assert.equal(value(await ask(at.target, 'ws-1', at.had)).kind, 'temporary');
  assert.deepEqual(await acts.counts(at.target), [3, 0, 0, 0, 3, 0]);
  // Whoever has it there has its CAL: the reserve was drawn on for nobody else.
  assert.equal(between.kind, 'permanent');
  await assertAll(at.world);
});

it('knows holders of servers before the first one, and none of a server that no CAL came from', async () => {
  const at = await chain('telephone');
  const last = await at.world.addServer('LS-LAST', { kit: true, connected: true });
  await acts.connect(last, 0);
  const elsewhere = await at.world.addServer('LS-ELSEWHERE', { kit: true, connected: true });
  await acts.connect(elsewhere, 1);
  const other = await acts.permanent(elsewhere, 'other');
  await go(at.world, { by: 'telephone', from: at.source, to: last });
  const dead = { ...at, source: last };
  await declare(dead);
  value(await ask(at.target, 'ws-1', at.had));
  assert.equal(await gaps(at), 1);
  value(await ask(at.target, 'other', other));
  assert.equal(await gaps(at), 1);
});

describe('the same, declared by telephone', () => {
  const order = { ...line, agreement, statement, by: 'telephone' } as const;

  it('needs the servers that the desk names, with the declaration', async () => {
    const at = await chain('telephone');
    const { context } = at.world.clearinghouse;
    const from = acts.idOf(at.source);
    value(await declareDead(at.target.context, { ...order, from }));
    value(await ask(at.target, 'ws-1', at.had));
    assert.equal(await gaps(at), 0);
    const told = value(
      await startDeskMove(context, {
        ...{ ...line, agreement, statement, from, to: acts.idOf(at.target), quantity: 'all' },
        ...{ reason: 'dead', requestId: acts.newRequest() },
      }),
    );
    const named = `--from ${from},${acts.idOf(at.first)}`;
    assert.ok(told.next.includes(named), told.next);
    const again = value(
      await declareDead(at.target.context, { ...order, from, alsoFrom: [acts.idOf(at.first)] }),
    );
    assert.equal(again.resumed, true);
    // Its temporary license runs: the gap license follows.
    at.world.clock.advanceDays(91);
    value(await ask(at.target, 'ws-1', at.had));
    assert.equal(await gaps(at), 1);
    // By then the horizon of the dead server has passed, whichever day of the month it was.
    at.world.clock.advanceDays(32);
    assert.equal(await stateAt(at, String(told['move'])), 'closed');
    const serverId = acts.idOf(at.target);
    const codes = value(await repeatCodes(context, { agreement, serverId })).codes;
    const held = codes.find(({ kind }) => kind === 'held-key-pack');
    await acts.typeCode(at.target, held?.code ?? '', { from });
    assert.deepEqual(await acts.counts(at.target), [4, 0, 0, 0, 4, 0]);
    await assertAll(at.world);
  });

  it('takes them with the key pack, too', async () => {
    const at = await chain('telephone');
    const { context } = at.world.clearinghouse;
    const from = acts.idOf(at.source);
    value(await declareDead(at.target.context, { ...order, from }));
    const told = value(
      await startDeskMove(context, {
        ...{ ...line, agreement, statement, from, to: acts.idOf(at.target), quantity: 'all' },
        ...{ reason: 'dead', requestId: acts.newRequest() },
      }),
    );
    const released = value(await approveMove(context, { move: String(told['move']), by: 'Ben' }));
    assert.ok(released.next.includes(acts.idOf(at.first)), released.next);
    const alsoFrom = [acts.idOf(at.first)];
    await acts.typeCode(at.target, released.code ?? '', { from, alsoFrom });
    await acts.permanents(at.target, ['ws-5', 'ws-6', 'ws-7', 'ws-8']);
    assert.equal(value(await ask(at.target, 'ws-1', at.had)).kind, 'temporary');
    assert.equal(await gaps(at), 1);
    await assertAll(at.world);
  });
});
