/**
 * A release that a code tells and a message as well, where the desk has undone its move and others since: its CALs
 * leave the account of their server once (protocol §1.4, §3.6).
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import type { OpenServer } from '../src/server/app.ts';
import { declareDead } from '../src/server/usecases/declare-dead.ts';
import { releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import { assertSound } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { statement } from './world/dead.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

const device = { product, type: 'device' } as const;

interface Ends {
  readonly from: OpenServer;
  readonly to: OpenServer;
}

/** What is asked for at the desk, and undone there, before the source is heard of again. */
const others: readonly [string, (world: World, ends: Ends) => Promise<readonly string[]>][] = [
  ['nothing else was', async () => []],
  ['a move by telephone was', async (world, ends) => [await acts.deskMove(world, ends)]],
  [
    'a declaration that it functions no longer was',
    async (_world, { from, to }) => {
      const order = { agreement, from: acts.idOf(from), ...device, statement } as const;
      const { id } = value(await declareDead(to.context, { ...order, by: 'message' }));
      await acts.contact(to);
      return [id];
    },
  ],
];

for (const [asked, ask] of others) {
  for (const first of ['code', 'message'] as const) {
    it(`is counted once, the ${first} first, where ${asked} asked for and undone meanwhile`, async () => {
      const world = await makeWorld(20, { kit: false });
      const from = await acts.addConnected(world, 'LS-OLD', 4);
      const to = await acts.addConnected(world, 'LS-NEW', 0);
      const move = await acts.askMove(from, to);
      // It has frozen, and its receipt is still to be heard.
      await acts.contact(from);
      value(await cancelMove(world.clearinghouse.context, move));
      for (const id of await ask(world, { from, to })) {
        value(await cancelMove(world.clearinghouse.context, id));
      }
      // What the account holds besides must not be taken for it.
      await acts.packCode(world, from, { quantity: 6 });
      const { code } = value(await releaseByTelephone(from.context, device));
      const tell = { code: () => acts.confirm(world, code), message: () => acts.contact(from, from) };
      await tell[first]();
      await tell[first === 'code' ? 'message' : 'code']();
      assert.deepEqual(await acts.books(world), [14, 6, 0]);
      assert.equal(await acts.stateOf(world, move), 'closed');
      await assertConserved(world);
      await assertSound(world);
      await world.close();
    });
  }
}
