/** A CAL that is given back where a move was undone, while its holder has a license of it from the target as well. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import type { OpenServer } from '../src/server/app.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { returnLicense } from '../src/server/usecases/return-license.ts';
import { assertSound } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { makeWorld, product, value } from './world/world.ts';

const device = { product, type: 'device' } as const;

/** A server whose licenses last as long as they may, or as short. */
const drawing = (server: OpenServer, between: (low: number, high: number) => number) => ({
  context: { ...server.context, random: { ...server.context.random, between } },
});

const draws = [
  ['ends earlier', (low: number) => low],
  ['ends at the same time', (_low: number, high: number) => high],
] as const;

for (const quantity of [2, 'all'] as const) {
  for (const [there, draw] of draws) {
    const moved = quantity === 'all' ? 'all were moved' : 'some were moved';
    it(`is not free while the license from there lives, which ${there}, where ${moved}`, async () => {
      const world = await makeWorld(3, { kit: false });
      const source = await acts.addConnected(world, 'LS-OLD', 3);
      const target = await acts.addConnected(world, 'LS-NEW', 0);
      const longest = drawing(source, (_low, high) => high);
      const own = await acts.permanent(longest, 'ws-1');
      const move = await acts.askMove(source, target, { quantity, hold: true });
      await acts.contact(source, source, target, target);
      const other = await acts.permanent(drawing(target, draw), 'ws-1');
      assert.equal(other.kind, 'permanent');
      // The clock of a test runs on: the same time is a second later, at most a few.
      assert.ok(Date.parse(other.expiresAt) <= Date.parse(own.expiresAt) + 5000);
      value(await cancelMove(world.clearinghouse.context, move));
      await acts.contact(target, target, source, source);
      assert.equal(await acts.stateOf(world, move), 'aborted');
      value(await returnLicense(source.context, { ...device, holder: 'ws-1' }));
      // Three CALs, of which one has a living license on the target: two more, and no third.
      const kinds: string[] = [];
      for (const holder of ['ws-2', 'ws-3', 'ws-4']) kinds.push((await acts.permanent(source, holder)).kind);
      assert.deepEqual(kinds, ['permanent', 'permanent', 'temporary']);
      // When every license of it has ended it is free again.
      world.clock.advanceDays(91);
      await acts.contact(source);
      assert.equal(
        value(await requestLicense(source.context, { ...device, holder: 'ws-4' })).kind,
        'permanent',
      );
      await assertConserved(world);
      await assertSound(world);
      await world.close();
    });
  }
}
