/** The rehearsal of a move: it says what the move then comes to, and changes nothing anywhere. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { exchangeMessages } from '../src/clearinghouse/usecases/exchange.ts';
import { dayMs } from '../src/core/time.ts';
import type { OpenServer } from '../src/server/app.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import type { Rehearsal, RehearsalOrder } from '../src/server/usecases/rehearse-move.ts';
import { rehearseMove } from '../src/server/usecases/rehearse-move.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { fromServer } from './world/forge.ts';
import { differences, takeSnapshot } from './world/snapshot.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, refusalOf, value } from './world/world.ts';

const device = { product, type: 'device' } as const;

let world: World;
let old: OpenServer;
let next: OpenServer;

before(async () => {
  world = await makeWorld(100);
  old = await world.addServer('LS-OLD', { connected: true });
  next = await world.addServer('LS-NEW', { connected: true });
  await acts.connect(old, 20);
  await acts.connect(next, 5);
  await acts.permanents(old, ['ws-1', 'ws-2', 'ws-3']);
  await acts.contact(old, next, old, next);
});

after(async () => {
  await assertConserved(world);
  await world.close();
});

/** Rehearses, and sees that no row of any database is another one afterwards. */
async function rehearse(change: Partial<RehearsalOrder> = {}, from = old) {
  const order = { agreement, to: acts.idOf(next), ...device, quantity: 'all', hold: false } as const;
  const start = await takeSnapshot(world.programs());
  const answer = await rehearseMove(from.context, { ...order, carrier: 'online', ...change });
  assert.deepEqual(differences(start, await takeSnapshot(world.programs())), []);
  return answer;
}

function sides({ source, clearinghouse }: Rehearsal) {
  assert.ok(clearinghouse.reached && clearinghouse.books !== null, JSON.stringify(clearinghouse));
  const counts = (['before', 'frozen', 'after'] as const).map((moment) => {
    const { installed, issued, unissued, held, reserved } = source[moment];
    return [installed, issued, unissued, held, reserved];
  });
  const books = (['before', 'frozen', 'after'] as const).map((moment) => {
    const { inHand, source: here, target, inTransit } = clearinghouse.books?.[moment] ?? {};
    return [inHand, here, target, inTransit];
  });
  return { counts, books };
}

describe('a rehearsal', () => {
  it('tells what is where before, meanwhile and after, and whom it concerns', async () => {
    const told = value(await rehearse());
    assert.deepEqual(sides(told), {
      counts: [
        [20, 3, 17, 0, 0],
        [20, 0, 0, 20, 0],
        [0, 0, 0, 0, 0],
      ],
      books: [
        [75, 20, 5, 0],
        [75, 0, 5, 20],
        [75, 0, 25, 0],
      ],
    });
    const { unissued, held, holders, resumes, clearinghouse } = told;
    assert.deepEqual([unissued, held, holders.named, holders.nameless, resumes], [17, 3, 3, 0, null]);
    const { firstLeaseEnd, lastLeaseEnd } = holders;
    const nowMs = world.clock.nowMs();
    for (const end of [firstLeaseEnd, lastLeaseEnd]) {
      const days = (Date.parse(end ?? '') - nowMs) / dayMs;
      assert.ok(days > 51 && days < 90, String(end));
    }
    assert.ok(clearinghouse.reached);
    assert.deepEqual([clearinghouse.refused, clearinghouse.entered], [null, false]);
    assert.match(clearinghouse.target.horizon ?? '', /^20\d\d-\d\d-\d\d$/);
    assert.equal(clearinghouse.target.name, 'LS-NEW');
    assert.ok(Math.abs(clearinghouse.clockDifferenceMs) < 2000);
  });

  it('tells how far the clocks are apart', async () => {
    const hourMs = 3_600_000;
    const clock = { ...old.context.clock, nowMs: () => world.clock.nowMs() - hourMs };
    const { clearinghouse } = value(await rehearse({}, { ...old, context: { ...old.context, clock } }));
    assert.ok(clearinghouse.reached);
    assert.ok(
      Math.abs(clearinghouse.clockDifferenceMs + hourMs) < 2000,
      `${clearinghouse.clockDifferenceMs}`,
    );
  });

  it('of a part, with the remainder that stays', async () => {
    const told = value(await rehearse({ quantity: 18 }));
    assert.deepEqual(sides(told).counts, [
      [20, 3, 17, 0, 0],
      [20, 2, 0, 18, 0],
      [2, 2, 0, 0, 0],
    ]);
    assert.equal(told.holders.named, 1);
  });

  it('by telephone of some who have holders says until when what stays is kept for theirs', async () => {
    const keptDays = async (order: { readonly quantity: number | 'all' }): Promise<number | null> => {
      const { keptUntil } = value(await rehearse({ ...order, carrier: 'telephone' }));
      return keptUntil === null ? null : Math.round((Date.parse(keptUntil) - world.clock.nowMs()) / dayMs);
    };
    assert.deepEqual([await keptDays({ quantity: 18 }), await keptDays({ quantity: 'all' })], [89, null]);
    assert.equal(await keptDays({ quantity: 17 }), null);
    assert.equal(value(await rehearse({ quantity: 18 })).keptUntil, null);
  });

  it('by telephone says whether the desk has entered the move', async () => {
    const told = value(await rehearse({ quantity: 5, carrier: 'telephone' }));
    assert.ok(told.clearinghouse.reached);
    assert.deepEqual([told.unissued, told.held, told.clearinghouse.entered], [5, 0, false]);
    await acts.deskMove(world, { from: old, to: next }, 5);
    const entered = value(await rehearse({ quantity: 5, carrier: 'telephone' }));
    assert.ok(entered.clearinghouse.reached && entered.clearinghouse.entered);
    const other = value(await rehearse({ quantity: 4, carrier: 'telephone' }));
    assert.ok(other.clearinghouse.reached);
    assert.equal(other.clearinghouse.refused?.['code'], 'quantity-differs');
    const online = value(await rehearse({ quantity: 4 }));
    assert.ok(online.clearinghouse.reached);
    assert.equal(online.clearinghouse.refused?.['code'], 'move-open');
    const frozen = value(
      await freezeByTelephone(old.context, { ...device, to: acts.idOf(next), quantity: 5 }),
    );
    const resumed = value(await rehearse({ quantity: 5, carrier: 'telephone' }));
    assert.deepEqual([resumed.resumes?.id, resumed.resumes?.state], [frozen.move, 'frozen']);
    assert.deepEqual(sides(resumed).books.at(-1), [75, 15, 10, 0]);
    await acts.confirm(world, frozen.code);
    await acts.confirm(world, value(await releaseByTelephone(old.context, device)).code);
  });

  it('is refused here as the move itself would be', async () => {
    assert.equal(refusalOf(await rehearse({ quantity: 21 })).code, 'move-more-than-there-is');
    assert.equal(refusalOf(await rehearse({ to: acts.idOf(old) })).code, 'move-to-itself');
    assert.equal(refusalOf(await rehearse({ agreement: undefined })).code, 'agreement-missing');
    assert.equal(refusalOf(await rehearse({ product: 'ts-2008' })).code, 'line-unknown');
  });

  it('says what the clearinghouse would refuse', async () => {
    const stranger = await world.addServer('LS-STRANGER', { connected: true });
    const told = value(await rehearse({ to: acts.idOf(stranger) }));
    assert.ok(told.clearinghouse.reached);
    assert.deepEqual(
      [told.clearinghouse.refused?.['code'], told.clearinghouse.books],
      ['server-unknown', null],
    );
  });

  it('says plainly when the clearinghouse cannot be asked', async () => {
    const alone = await world.addServer('LS-ALONE', { kit: true });
    await acts.setUp(world, alone, 3);
    const told = value(await rehearse({ carrier: 'telephone' }, alone));
    assert.deepEqual(told.clearinghouse, {
      reached: false,
      reason: 'This license server knows no address of it.',
    });
    assert.deepEqual([told.unissued, told.source.after.installed], [3, 0]);
  });

  it('goes on with an open move, and then the move comes to what was said', async () => {
    const told = value(await rehearse());
    const id = await acts.askMove(old, next, { hold: true });
    await acts.contact(old, old, next, next);
    const open = value(await rehearse({ hold: true }));
    assert.deepEqual([open.resumes?.id, open.resumes?.state], [id, 'frozen']);
    assert.deepEqual(sides(open).books.at(-1), sides(told).books.at(-1));
    await acts.askMove(old, next);
    await acts.contact(old, old, next, next, old, old, next);
    assert.equal(await acts.stateOf(world, id), 'closed');
    assert.deepEqual((await acts.counts(old)).slice(0, 5), sides(told).counts.at(-1));
    assert.deepEqual(await acts.books(world), [72, 28, 0]);
  });
});

describe('the question to the clearinghouse', () => {
  const body = (source: string, target: string) => ({
    ...{ agreement, ...device, quantity: 1, source, target, carrier: 'online', hold: false },
    ...{ reason: 'replaced', unissued: 1, held: 0 },
  });
  const ask = async (from: OpenServer, forged: { source: string; gen?: number }) => {
    const { source, ...more } = forged;
    const question = { t: 'rehearse', body: body(source, acts.idOf(next)), seq: 0, ...more } as const;
    const token = await fromServer(world, from, question);
    return exchangeMessages(world.clearinghouse.context, { messages: [token], waitMs: 0 });
  };

  it('is answered to the source alone, of its present generation', async () => {
    const start = await takeSnapshot(world.programs());
    assert.equal(refusalOf(await ask(old, { source: acts.idOf(next) })).code, 'message-untrusted');
    assert.equal(refusalOf(await ask(old, { source: acts.idOf(old), gen: 0 })).code, 'server-closed');
    assert.ok((await ask(old, { source: acts.idOf(old) })).ok);
    assert.deepEqual(differences(start, await takeSnapshot(world.programs())), []);
  });

  it('does not disturb the sequence: what is sent afterwards is taken as ever', async () => {
    value(await rehearse({ to: acts.idOf(old) }, next));
    value(await deactivateServer(old.context, { returnUnissued: true, by: 'message' }));
    await acts.contact(old);
    assert.deepEqual((await acts.counts(old)).slice(0, 1), [0]);
  });
});
