/**
 * The grant from a source that no longer functions, where it goes past key packs that were read out and never typed:
 * what those bring is divided as theirs, and not among the holders of that source (protocol §2.5, §3.4).
 */
import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { approveMove } from '../src/clearinghouse/usecases/approve-release.ts';
import { msOfIso } from '../src/core/time.ts';
import { sweepLapsed } from '../src/server/usecases/reclaim.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import * as acts from './world/acts.ts';
import type { Pair } from './world/dead.ts';
import { ask, assertAll, closeWorlds, declare, line, newWorld, passTime, stateAt } from './world/dead.ts';
import { value } from './world/world.ts';

after(closeWorlds);

describe('past the key pack of three CALs with holders, of another server', () => {
  let at: Pair;
  let others: readonly LicenseAnswer[];

  beforeEach(async () => {
    const world = await newWorld(100, { kit: false });
    const other = await acts.addConnected(world, 'LS-A', 3);
    const source = await acts.addConnected(world, 'LS-B', 2);
    const target = await acts.addConnected(world, 'LS-T', 0);
    at = { world, source, target };
    await acts.permanents(source, ['b-1', 'b-2']);
    // Late enough that their leases outlive the horizon of a source that nobody has heard of since.
    world.clock.advanceDays(75);
    const given: LicenseAnswer[] = [];
    for (const holder of ['a-1', 'a-2', 'a-3']) given.push(await acts.permanent(other, holder));
    others = given;
    await acts.deskMove(world, { from: other, to: target });
    const order = { ...line, to: acts.idOf(target), quantity: 'all' } as const;
    await acts.confirm(world, value(await freezeByTelephone(other.context, order)).code);
    await acts.confirm(world, value(await releaseByTelephone(other.context, line)).code);
  });

  async function serveOthers(): Promise<void> {
    for (const [index, shown] of others.entries()) {
      const answer = await acts.permanent(at.target, `a-${index + 1}`, acts.sourceOf(shown));
      assert.deepEqual([answer.kind, answer.origin], ['permanent', shown.origin]);
    }
  }

  it('each reserve has what came for it, and opens with that', async () => {
    const id = await declare(at);
    await passTime(at, id, 'horizon');
    await acts.contact(at.target, at.target);
    assert.deepEqual(await acts.counts(at.target), [5, 0, 0, 0, 5, 0]);
    await assertAll(at.world);
    await serveOthers();
    assert.deepEqual(await acts.counts(at.target), [5, 3, 0, 0, 2, 0]);
    await passTime(at, id, 'opensAt');
    at.world.clock.advanceDays(1);
    value(await sweepLapsed(at.target.context, 100));
    assert.deepEqual(await acts.counts(at.target), [5, 0, 5, 0, 0, 0]);
    await assertAll(at.world);
  });

  it('released early there is no reserve but that of the key pack', async () => {
    const id = await declare(at);
    value(await approveMove(at.world.clearinghouse.context, { move: id, by: 'Ben' }));
    await acts.contact(at.target, at.target);
    assert.deepEqual(await acts.counts(at.target), [5, 0, 2, 0, 3, 0]);
    await assertAll(at.world);
    await serveOthers();
    assert.deepEqual(await acts.counts(at.target), [5, 3, 2, 0, 0, 0]);
    await assertAll(at.world);
  });
});

describe('past a key pack of two CALs without holders', () => {
  /** Two holders wait here for one CAL: the lease of one ended at the source, which then gave it to the other. */
  async function twoForOne(): Promise<Pair & { readonly id: string }> {
    const world = await newWorld(10, { kit: false });
    const source = await acts.addConnected(world, 'LS-OLD', 1);
    const target = await acts.addConnected(world, 'LS-NEW', 0);
    const first = await acts.permanent(source, 'ws-1');
    world.clock.set((msOfIso(first.expiresAt) ?? 0) + 1000);
    await acts.contact(source, target);
    const second = await acts.permanent(source, 'ws-2');
    const id = await declare({ world, source, target });
    assert.equal(value(await ask(target, 'ws-1', first)).kind, 'temporary');
    assert.equal(value(await ask(target, 'ws-2', second)).kind, 'temporary');
    await acts.packCode(world, target, { quantity: 2 });
    return { world, source, target, id };
  }

  for (const granted of ['horizon', 'opensAt'] as const) {
    it(`one of two is named for the one CAL that came, where it was granted after the ${granted}`, async () => {
      const at = await twoForOne();
      await passTime(at, at.id, granted);
      assert.equal(await stateAt(at, at.id), 'fenced');
      // It is taken in when every lease of the source has ended, and whoever had one may be named.
      await passTime(at, at.id, 'opensAt');
      await acts.contact(at.target, at.target);
      assert.equal(await stateAt(at, at.id), 'closed');
      assert.deepEqual(await acts.counts(at.target), [3, 0, 2, 0, 1, 0]);
      for (const holder of ['ws-1', 'ws-2']) {
        assert.equal(value(await ask(at.target, holder)).kind, 'permanent');
      }
      assert.deepEqual(await acts.counts(at.target), [3, 2, 1, 0, 0, 0]);
      await assertAll(at.world);
    });
  }
});

describe('a key pack of three CALs with holders, read to a source that ends by itself and has never typed it', () => {
  it('the CALs are nobody else’s at the target until the licenses of their holders have ended', async () => {
    const world = await newWorld(100, { kit: false });
    const other = await acts.addConnected(world, 'LS-A', 3);
    const source = await acts.addConnected(world, 'LS-B', 0);
    const target = await acts.addConnected(world, 'LS-T', 0);
    const at = { world, source, target };
    const given: LicenseAnswer[] = [];
    for (const holder of ['a-1', 'a-2', 'a-3']) given.push(await acts.permanent(other, holder));
    await acts.deskMove(world, { from: other, to: source });
    const order = { ...line, to: acts.idOf(source), quantity: 'all' } as const;
    await acts.confirm(world, value(await freezeByTelephone(other.context, order)).code);
    await acts.confirm(world, value(await releaseByTelephone(other.context, line)).code);
    const id = await declare(at);
    await acts.closeByContact(source, false);
    await acts.contact(target, target);
    assert.deepEqual(await acts.counts(target), [3, 0, 0, 0, 3, 0]);
    assert.equal((await acts.permanent(target, 'stranger')).kind, 'temporary');
    for (const [index, shown] of given.entries()) await ask(target, `a-${index + 1}`, shown);
    assert.equal((await readStatus(target.context)).gap, 3);
    assert.deepEqual(await acts.counts(target), [3, 0, 0, 0, 3, 0]);
    await assertAll(world);
    await passTime(at, id, 'opensAt');
    world.clock.advanceDays(1);
    value(await sweepLapsed(target.context, 100));
    assert.deepEqual(await acts.counts(target), [3, 0, 3, 0, 0, 0]);
    await assertAll(world);
  });
});
