/**
 * The rehearsal of a move from a source that no longer functions: what it says is what comes of it then, and
 * nothing is changed anywhere, neither on the target nor at the clearinghouse (protocol §2.3, §2.5).
 */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { approveMove } from '../src/clearinghouse/usecases/approve-release.ts';
import type { Books, DeadOutlook } from '../src/clearinghouse/usecases/play-move.ts';
import { rehearseDeskMove } from '../src/clearinghouse/usecases/rehearse-desk-move.ts';
import { startDeskMove } from '../src/clearinghouse/usecases/start-move.ts';
import type { Refusal } from '../src/core/refusal.ts';
import { dayMs, isoDate, msOfIso } from '../src/core/time.ts';
import type { OpenServer } from '../src/server/app.ts';
import type { DeadRehearsal, DeadRehearsalOrder } from '../src/server/usecases/rehearse-dead.ts';
import { rehearseDead } from '../src/server/usecases/rehearse-dead.ts';
import { setAddress } from '../src/server/usecases/settings.ts';
import * as acts from './world/acts.ts';
import type { Pair } from './world/dead.ts';
import * as dead from './world/dead.ts';
import { fromServer, tell } from './world/forge.ts';
import { differences, takeSnapshot } from './world/snapshot.ts';
import { agreement, product, refusalOf, value } from './world/world.ts';

after(dead.closeWorlds);

/** Does something, and sees that no row of any database is another one afterwards. */
async function unchanged<T>({ world }: Pick<Pair, 'world'>, act: () => Promise<T>): Promise<T> {
  const start = await takeSnapshot(world.programs());
  const answer = await act();
  assert.deepEqual(differences(start, await takeSnapshot(world.programs())), []);
  return answer;
}

const rehearse = (at: Pair, change: Partial<DeadRehearsalOrder> = {}) =>
  unchanged(at, () =>
    rehearseDead(at.target.context, {
      ...{ agreement, from: acts.idOf(at.source), ...dead.line, statement: dead.statement, by: 'message' },
      ...change,
    }),
  );

function outlookOf({ clearinghouse }: DeadRehearsal): DeadOutlook {
  assert.ok(clearinghouse.reached && clearinghouse.dead !== null, JSON.stringify(clearinghouse));
  return clearinghouse.dead;
}

const moments = ['before', 'frozen', 'after'] as const;

/** In hand, committed to the source and to the target, in transit, quarantined: now, meanwhile and then. */
function booksOf(books: Books | null): readonly (readonly number[])[] {
  assert.ok(books !== null);
  return moments.map((moment) => {
    const { inHand, source, target, inTransit, quarantined } = books[moment];
    return [inHand, source, target, inTransit, quarantined];
  });
}

function toldBooks({ clearinghouse }: DeadRehearsal): readonly (readonly number[])[] {
  assert.ok(clearinghouse.reached, JSON.stringify(clearinghouse));
  return booksOf(clearinghouse.books);
}

type Counts = DeadRehearsal['target']['before'];

function row(counts: Counts | null): readonly number[] | null {
  if (counts === null) return null;
  const { installed, issued, unissued, held, reserved, quarantined } = counts;
  return [installed, issued, unissued, held, reserved, quarantined];
}

const refusedCode = ({ clearinghouse }: DeadRehearsal): unknown => {
  assert.ok(clearinghouse.reached, JSON.stringify(clearinghouse));
  assert.deepEqual([clearinghouse.books, clearinghouse.dead], [null, null]);
  return clearinghouse.refused?.['code'];
};

describe('the rehearsal of a dead source', () => {
  it('says what is where, when the CALs come, and what is at risk until when', async () => {
    const at = await dead.pair(5);
    const told = value(await rehearse(at));
    assert.deepEqual(toldBooks(told), [
      [985, 10, 5, 0, 0],
      [985, 0, 5, 0, 10],
      [985, 0, 15, 0, 0],
    ]);
    const { target, holders, statement, resumes, carrier } = told;
    assert.deepEqual(row(target.before), [5, 0, 5, 0, 0, 0]);
    assert.deepEqual(row(target.granted), [15, 0, 5, 0, 10, 0]);
    assert.deepEqual(row(target.early), [15, 0, 15, 0, 0, 0]);
    assert.deepEqual(holders, { waiting: 0, takenOver: 0 });
    assert.deepEqual(statement, { by: 'Ann Lee', text: 'the disk burnt on Monday' });
    assert.deepEqual([resumes, carrier], [null, 'online']);
    const { units, horizon, opensAt, sunset, atRisk, early } = outlookOf(told);
    assert.equal(units, 10);
    assert.equal(((msOfIso(opensAt) ?? 0) - (msOfIso(horizon) ?? 0)) / dayMs, 89);
    assert.deepEqual(atRisk, { units: 10, from: opensAt, until: sunset });
    assert.deepEqual(
      [early?.left, early?.next, early?.atRisk.units, early?.atRisk.until],
      [...[2, null, 10, sunset]],
    );
  });

  it('is what the declaration then comes to', async () => {
    const at = await dead.pair(5);
    const told = value(await rehearse(at));
    const id = await dead.declare(at);
    assert.deepEqual(await dead.books(at), [985, 5, 0, 10]);
    const move = await dead.moveAt(at, id);
    const { horizon, opensAt } = outlookOf(told);
    assert.deepEqual([move.deadSource?.horizon, move.deadSource?.opensAt], [horizon, opensAt]);
    await dead.passTime(at, id, 'horizon');
    await acts.contact(at.target, at.target, at.target);
    assert.deepEqual(await acts.counts(at.target), row(told.target.granted));
    assert.deepEqual((await dead.moveAt(at, id)).deadSource?.atRisk, {
      ...{ move: id, line: 0, sourceSeenAt: null, suspendedAt: null },
      ...outlookOf(told).atRisk,
    });
    assert.equal(await dead.stateAt(at, id), 'closed');
    await dead.assertAll(at.world);
  });

  it('goes on with the declaration that is open, and counts who waits with a gap license', async () => {
    const at = await dead.pair(0);
    const id = await dead.declare(at);
    const [first, second] = at.held;
    value(await dead.ask(at.target, 'ws-1', first));
    value(await dead.ask(at.target, 'ws-2', second));
    const told = value(await rehearse(at, { statement: undefined }));
    assert.deepEqual([told.resumes?.id, told.resumes?.state, told.statement], [id, 'dead-wait', null]);
    assert.match(
      told.resumes?.awaited.text ?? '',
      new RegExp(isoDate(msOfIso(outlookOf(told).horizon) ?? 0)),
    );
    assert.deepEqual(told.holders, { waiting: 2, takenOver: 0 });
    assert.deepEqual(toldBooks(told)[0], [990, 0, 0, 0, 10]);
    assert.deepEqual(row(told.target.early), [10, 0, 8, 0, 2, 0]);
    value(await approveMove(at.world.clearinghouse.context, { move: id, by: 'Cat Ode' }));
    await acts.contact(at.target, at.target);
    assert.deepEqual(await acts.counts(at.target), row(told.target.early));
    assert.equal(await dead.stateOn(at.target, id), 'closed');
  });

  it('says how many early releases the agreement has left, and when there is one again', async () => {
    const world = await dead.newWorld(1000, { kit: false });
    const target = await world.addServer('LS-NEW', { connected: true });
    await acts.connect(target, 0);
    const left: (readonly [number | undefined, string | null | undefined])[] = [];
    let at: Pair | undefined;
    for (const name of ['LS-1', 'LS-2', 'LS-3']) {
      const source = await world.addServer(name, { connected: true });
      await acts.connect(source, 10);
      at = { world, source, target };
      const { early } = outlookOf(value(await rehearse(at)));
      left.push([early?.left, early?.next]);
      const id = await dead.declare(at);
      if (name !== 'LS-3') value(await approveMove(world.clearinghouse.context, { move: id, by: 'Cat Ode' }));
    }
    const next = isoDate(world.clock.nowMs() + 365 * dayMs);
    assert.deepEqual(left, [
      [2, null],
      [1, null],
      [0, next],
    ]);
  });

  it('comes to the CALs at once where the horizon has passed, free where every lease has ended', async () => {
    const at = await dead.pair(0);
    at.world.clock.advanceDays(340);
    await acts.contact(at.target);
    const told = value(await rehearse(at));
    assert.equal(outlookOf(told).early, null);
    assert.deepEqual(row(told.target.granted), [10, 0, 10, 0, 0, 0]);
    assert.equal(told.target.early, null);
  });
});

describe('the limits of rehearsing a dead source', () => {
  it('is refused here as the declaration would be', async () => {
    const at = await dead.pair(0);
    assert.equal(refusalOf(await rehearse(at, { statement: 'it burnt' })).code, 'invalid-input');
    assert.equal(refusalOf(await rehearse(at, { from: acts.idOf(at.target) })).code, 'move-to-itself');
    assert.equal(refusalOf(await rehearse(at, { agreement: undefined })).code, 'agreement-missing');
    assert.equal(refusalOf(await rehearse(at, { product: 'ts-2008' })).code, 'line-unknown');
    assert.equal(refusalOf(await rehearse(at, { from: 'ABC' })).code, 'code-unreadable');
  });

  it('says what the clearinghouse would refuse', async () => {
    const at = await dead.pair(0);
    const { world } = at;
    const third = await world.addServer('LS-3', { connected: true });
    assert.equal(refusedCode(value(await rehearse({ ...at, source: third }))), 'server-unknown');
    await acts.connect(third, 0);
    assert.equal(refusedCode(value(await rehearse({ ...at, source: third }))), 'move-more-than-there-is');
    const id = await dead.declare({ ...at, target: third });
    assert.equal(await dead.stateOn(third, id), 'dead-wait');
    assert.equal(refusedCode(value(await rehearse(at))), 'server-declared-dead');
  });

  it('brings nothing where all of it is under way, and says what is at risk of that', async () => {
    const at = await dead.pair(2);
    const third = await at.world.addServer('LS-3', { connected: true });
    await acts.connect(third, 0);
    await acts.askMove(at.source, third, { hold: true });
    await acts.contact(at.source, at.source, third);
    const told = value(await rehearse(at));
    const { units, atRisk } = outlookOf(told);
    assert.deepEqual([units, atRisk.units], [0, 3]);
    assert.deepEqual(row(told.target.granted), [2, 0, 2, 0, 0, 0]);
  });

  it('says plainly when the clearinghouse cannot be asked', async () => {
    const world = await dead.newWorld(100);
    const source = await world.addServer('LS-OLD', { kit: true });
    const target = await world.addServer('LS-NEW', { kit: true });
    await acts.setUp(world, source, 10);
    await acts.setUp(world, target, 3);
    const told = value(await rehearse({ world, source, target }, { by: 'telephone' }));
    const reason = 'This license server knows no address of it.';
    assert.deepEqual([told.carrier, told.clearinghouse], ['telephone', { reached: false, reason }]);
    assert.deepEqual(row(told.target.before), [3, 0, 3, 0, 0, 0]);
    assert.deepEqual([told.target.granted, told.target.early], [null, null]);
  });

  it('is told the other end by those of its agreement alone', async () => {
    const at = await dead.pair(0);
    value(await setAddress(at.source.context, 'http://ls-old:7410'));
    await acts.contact(at.source);
    const told = value(await rehearse(at));
    assert.ok(told.clearinghouse.reached);
    const { name, address, horizon } = told.clearinghouse.source;
    assert.deepEqual([name, address], ['LS-OLD', 'http://ls-old:7410']);
    assert.match(horizon ?? '', /^20\d\d-\d\d-\d\d$/);
    const ask = async (from: OpenServer, target: OpenServer) => {
      const question = {
        ...{ agreement, product, type: 'device', quantity: 'all', source: acts.idOf(at.source) },
        ...{
          target: acts.idOf(target),
          reason: 'dead',
          carrier: 'online',
          hold: false,
          unissued: 0,
          held: 0,
        },
      } as const;
      const token = await fromServer(at.world, from, { t: 'rehearse', body: question, seq: 0 });
      return unchanged(at, () => tell(at.world, token));
    };
    assert.equal(refusalOf(await ask(at.source, at.target)).code, 'message-untrusted');
    await acts.sell(at.world, { agreement: '777', quantity: 10 });
    const other = await at.world.addServer('LS-OTHER', { connected: true });
    await acts.activateByContact(other, '777');
    const [answer] = value(await ask(other, other));
    const nothing = { name: null, method: null, lastContactAt: null, horizon: null, address: null };
    const { refused, source, books } = answer?.body ?? {};
    assert.deepEqual([(refused as Refusal).code, source, books], ['not-activated', nothing, null]);
  });
});

describe('the rehearsal at the desk', () => {
  const order = ({ source, target }: Pair) =>
    ({ agreement, from: acts.idOf(source), to: acts.idOf(target), ...dead.line, quantity: 'all' }) as const;

  it('says the same of a dead source, and is refused as the move would be', async () => {
    const at = await dead.pair(5);
    const context = at.world.clearinghouse.context;
    const told = value(
      await unchanged(at, () => rehearseDeskMove(context, { ...order(at), reason: 'dead' })),
    );
    assert.deepEqual(booksOf(told.books), toldBooks(value(await rehearse(at))));
    assert.deepEqual([told.dead?.units, told.dead?.early?.left, told.source.name], [10, 2, 'LS-OLD']);
    const { statement } = dead;
    value(
      await startDeskMove(context, { ...order(at), reason: 'dead', statement, requestId: acts.newRequest() }),
    );
    const again = await unchanged(at, () => rehearseDeskMove(context, { ...order(at), reason: 'dead' }));
    assert.equal(refusalOf(again).code, 'server-declared-dead');
  });

  it('of a part that is being replaced', async () => {
    const at = await dead.pair(5);
    const context = at.world.clearinghouse.context;
    const some = { ...order(at), quantity: 4, reason: 'replaced' } as const;
    const told = value(await unchanged(at, () => rehearseDeskMove(context, some)));
    assert.deepEqual(booksOf(told.books), [
      [985, 10, 5, 0, 0],
      [985, 6, 5, 4, 0],
      [985, 6, 9, 0, 0],
    ]);
    assert.equal(told.dead, null);
    const much = await unchanged(at, () => rehearseDeskMove(context, { ...some, quantity: 11 }));
    assert.equal(refusalOf(much).code, 'move-more-than-there-is');
  });
});
