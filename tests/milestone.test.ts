/** A start reads the journal from its milestone on, and comes to what the whole journal says (protocol §5.2). */
import assert from 'node:assert/strict';
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, it } from 'node:test';
import type { HighWater } from '../src/core/high-water.ts';
import { ok } from '../src/core/result.ts';
import type { Milestone } from '../src/server/usecases/milestone.ts';
import { keepMilestone, readMilestone } from '../src/server/usecases/milestone.ts';
import { returnLicense } from '../src/server/usecases/return-license.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { highWaterOf } from '../src/store/high-water-rows.ts';
import { readMeta, writeMeta } from '../src/store/meta-rows.ts';
import * as acts from './world/acts.ts';
import type { Restorable } from './world/put-back.ts';
import { restorableWorld } from './world/put-back.ts';
import type { World } from './world/world.ts';
import { product, value } from './world/world.ts';

let world: World;
let old: Restorable;

beforeEach(async () => {
  ({ world, old } = await restorableWorld());
});
afterEach(async () => {
  await old.close();
  await world.close();
});

const context = () => old.server().context;
const found = (): Promise<Milestone | null> => context().store.read((tx) => readMilestone(context(), tx));
const past = async () => (await readStatus(context())).past;

/** As a start reads it, at some time to come. */
const laterMs = Date.parse('2040-01-01T00:00:00Z');
async function read(before: HighWater | null): Promise<HighWater> {
  return highWaterOf(context().store.committed(), { nowMs: laterMs, before });
}

async function giveBack(holder: string): Promise<void> {
  value(await returnLicense(context(), { product, type: 'device', holder }));
}

const markFile = (): string =>
  join(old.instanceDir, readdirSync(old.instanceDir).find((name) => name.endsWith('.high-water')) ?? 'none');

it('is set after so many entries, and not before', async () => {
  await keepMilestone(context(), 1_000);
  assert.equal(await found(), null);
  await keepMilestone(context(), 5);
  const first = await found();
  assert.ok(first !== null && first.mark.logSize >= 5);
  await acts.permanent(old.server(), 'ws-3');
  await keepMilestone(context(), 100);
  assert.deepEqual(await found(), first);
  await keepMilestone(context(), 3);
  assert.equal((await found())?.mark.logSize, first.mark.logSize + 3);
});

it('leads to the mark that the whole journal leads to', async () => {
  await giveBack('ws-1');
  await keepMilestone(context(), 1);
  const before = (await found())?.mark ?? null;
  assert.ok(before !== null);
  assert.deepEqual(await read(before), await read(null));
  await acts.permanents(old.server(), ['ws-3', 'ws-4']);
  assert.deepEqual(await read(before), await read(null));
  await giveBack('ws-3');
  await acts.installByContact(old.server(), { quantity: 2 });
  const whole = await read(null);
  assert.deepEqual(await read(before), whole);
  assert.ok(whole.rightsAt > before.rightsAt);
});

it('spares the entries before it', async () => {
  await keepMilestone(context(), 1);
  const before = (await found())?.mark;
  assert.ok(before !== undefined);
  // No journal that is read from its beginning says so.
  const other = { ...before, rightsAt: before.logSize - 1 };
  assert.notEqual(before.rightsAt, other.rightsAt);
  assert.equal((await read(other)).rightsAt, other.rightsAt);
});

it('is not believed where it was set for other questions, or does not agree with itself', async () => {
  await keepMilestone(context(), 1);
  const { store } = context();
  const text = (await store.read((tx) => readMeta(tx, 'milestone'))) ?? '';
  const { lookedFor, mark, frontier } = JSON.parse(text) as Readonly<Record<string, string>>;
  const digit = frontier?.at(-3) === 'A' ? 'B' : 'A';
  const altered = [
    { lookedFor: `${lookedFor} other`, mark, frontier },
    { lookedFor, mark, frontier: `${frontier?.slice(0, -3)}${digit}${frontier?.slice(-2)}` },
    { lookedFor, mark: mark?.replace('"v":1', '"v":2'), frontier },
    { lookedFor, mark, frontier: '' },
  ];
  assert.notEqual(await found(), null);
  for (const kept of altered) {
    await store.write(async (tx) => ok(await writeMeta(tx, 'milestone', JSON.stringify(kept))));
    assert.equal(await found(), null);
  }
});

it('does not keep a start from finding a mark that is behind, or a fork', async () => {
  await keepMilestone(context(), 1);
  const copy = join(world.dir, 'copy.mark');
  await old.save('copy');
  copyFileSync(markFile(), copy);
  await acts.permanents(old.server(), ['ws-3', 'ws-4']);
  // Killed between commit and mark.
  await old.restart(() => copyFileSync(copy, markFile()));
  assert.equal(await past(), null);
  const one = join(world.dir, 'one.mark');
  copyFileSync(markFile(), one);
  // A copy with a mark of its own goes on for itself, and further: neither is the beginning of the other.
  await old.restart(() => {
    copyFileSync(join(`${old.dir}.copy`, 'license-server.db'), join(old.dir, 'license-server.db'));
    copyFileSync(copy, markFile());
  });
  await acts.permanents(old.server(), ['ws-5', 'ws-6', 'ws-7']);
  assert.equal(await past(), null);
  await old.restart(() => copyFileSync(one, markFile()));
  assert.equal((await past())?.reason, 'forked');
});

it('does not keep a start from making an older database good', async () => {
  await keepMilestone(context(), 1);
  await old.save('copy');
  await acts.permanents(old.server(), ['ws-3', 'ws-4']);
  await old.putBack('copy');
  assert.notEqual(await found(), null);
  assert.equal((await past())?.state, 'restored');
  assert.deepEqual(await acts.counts(old.server()), [6, 2, 2, 0, 0, 2]);
});
