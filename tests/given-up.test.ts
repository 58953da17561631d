/**
 * What a target gives back that it has by a code only, while the grant of it is still on its way: it is counted once,
 * whatever becomes of the moves that were to bring it.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { returnByTelephone } from '../src/server/usecases/give-back.ts';
import { assertSound } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { makeWorld, product, value } from './world/world.ts';

const device = { product, type: 'device' } as const;

for (const undone of ['first', 'second', 'both'] as const) {
  it(`given back on account of two moves of which ${undone} ${undone === 'both' ? 'are' : 'is'} undone`, async () => {
    const world = await makeWorld(100, { kit: false });
    const context = world.clearinghouse.context;
    const first = await acts.addConnected(world, 'LS-1', 20);
    const second = await acts.addConnected(world, 'LS-2', 20);
    const target = await acts.addConnected(world, 'LS-NEW', 5);
    await acts.permanents(first, ['ws-1', 'ws-2']);
    await acts.permanents(second, ['ws-3', 'ws-4']);
    const one = await acts.askMove(first, target);
    await acts.contact(first, first);
    const other = await acts.askMove(second, target);
    await acts.contact(second, second);
    // A later position of the free chain: it brings the unissued CALs of both grants, which are still on their way.
    await acts.install(world, target, { quantity: 3 });
    const returned = value(await returnByTelephone(target.context, { ...device, quantity: 10 }));
    const { next } = await acts.confirm(world, returned.code);
    assert.match(String(next), /^8 CALs are back in hand\. 2 follow when /);
    assert.deepEqual(await acts.books(world), [60, 0, 40]);
    if (undone !== 'second') value(await cancelMove(context, one));
    if (undone !== 'first') value(await cancelMove(context, other));
    for (let round = 0; round < 3; round += 1) await acts.contact(target, first, second);
    // One that the target needs to cover what it has given back goes on to its end.
    const states = [await acts.stateOf(world, one), await acts.stateOf(world, other)].toSorted();
    assert.deepEqual(states, ['aborted', 'closed']);
    const [inHand, committed = 0, inTransit] = await acts.books(world);
    assert.deepEqual([inHand, committed, inTransit], [62, 38, 0]);
    let installed = 0;
    for (const server of [first, second, target]) installed += (await acts.counts(server))[0] ?? 0;
    assert.equal(installed, committed);
    await assertConserved(world);
    await assertSound(world);
    await world.close();
  });
}
