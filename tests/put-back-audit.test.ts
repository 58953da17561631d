/** An auditor is shown a database that was put back and declared as such, and finds one that was not. */
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, it } from 'node:test';
import { auditOf, clearinghouseBundle, codesOf, serverBundle } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import type { Restorable } from './world/put-back.ts';
import { restorableWorld } from './world/put-back.ts';
import type { World } from './world/world.ts';

let world: World;
let old: Restorable;

beforeEach(async () => {
  ({ world, old } = await restorableWorld());
});
afterEach(async () => {
  await old.close();
  await world.close();
});

const bundles = async () => ({
  'LS-1': await serverBundle(old.server()),
  ch: await clearinghouseBundle(world.clearinghouse),
});

it('where it was declared: before the clearinghouse has heard of it, and after', async () => {
  await old.save('copy');
  const third = await acts.permanent(old.server(), 'ws-3');
  const fourth = await acts.permanent(old.server(), 'ws-4');
  await acts.contact(old.server());
  await old.putBack('copy');
  const before = auditOf(await bundles());
  assert.deepEqual([before.verdict, codesOf(before, 'break')], ['ok', []]);
  assert.ok(codesOf(before, 'note').includes('lost-entries'), 'what was cosigned is lost');
  await acts.contact(old.server());
  await acts.permanents(old.server(), ['ws-5', 'ws-6']);
  // ws-3 shows its license, and has its unit back; ws-4 never comes.
  await acts.permanent(old.server(), 'ws-3', acts.sourceOf(third));
  await acts.contact(old.server());
  await acts.contact(old.server());
  const tokens = [third.token, fourth.token];
  const after = auditOf(await bundles(), { tokens });
  assert.deepEqual([after.verdict, codesOf(after, 'break')], ['ok', []]);
  assert.deepEqual(codesOf(after, 'not-shown'), ['token-lost']);
  assert.ok(codesOf(after, 'note').includes('put-back'));
});

it('where it was not declared it is a break', async () => {
  const dirs = [old.dir, old.instanceDir];
  await old.restart(() => {
    for (const dir of dirs) cpSync(dir, `${dir}.copy`, { recursive: true });
  });
  const lost = await acts.permanent(old.server(), 'ws-3');
  await acts.contact(old.server());
  await old.restart(() => {
    for (const dir of dirs) {
      rmSync(dir, { recursive: true });
      cpSync(`${dir}.copy`, dir, { recursive: true });
    }
  });
  await acts.permanents(old.server(), ['ws-4', 'ws-5', 'ws-6']);
  const result = auditOf(await bundles(), { tokens: [lost.token] });
  assert.equal(result.verdict, 'broken');
  assert.deepEqual(codesOf(result, 'break'), ['root-differs', 'token-not-journaled']);
});
