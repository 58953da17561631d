/**
 * People and devices do whatever comes to their minds, by telephone, by message and in any order; requests
 * and answers are lost and come twice. After each step the books must balance, and no unit may have two
 * holders. A walk that fails is repeated with CALYX_WALK_SEED and CALYX_WALK_STEPS.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Chance } from './kill/random.ts';
import type { Walk } from './walk/people.ts';
import { steps } from './walk/people.ts';
import { assertConserved } from './world/conserved.ts';
import { agreement, makeWorld } from './world/world.ts';

const entitled = 40;

async function makeWalk(seed: number): Promise<Walk> {
  const world = await makeWorld(entitled);
  const chance = new Chance(seed);
  const made = ['LS-A', 'LS-B', 'LS-C'].map((name) => world.addServer(name, { kit: true, connected: true }));
  const servers = await Promise.all(made);
  return { world, servers, chance, codes: [], told: [], answers: [], tokens: new Map() };
}

/** One live token of a unit at most, and no more holders than units given out (protocol §1.3, I5). */
async function assertOneHolderEach({ world, tokens }: Walk): Promise<void> {
  const nowMs = world.clock.nowMs();
  const holders = new Map<string, string>();
  const alive = new Set<string>();
  for (const [holder, each] of tokens) {
    for (const { server, unit, expiresAt } of each) {
      if (expiresAt <= nowMs) continue;
      const key = `${server}/${unit}`;
      assert.equal(holders.get(key) ?? holder, holder, `unit ${key}`);
      holders.set(key, holder);
      alive.add(holder);
    }
  }
  const inHand = await world.clearinghouse.store.read((tx) => tx.balance(`${agreement}/0/in-hand`));
  assert.ok(alive.size <= entitled - inHand, `${alive.size} holders, ${entitled - inHand} units out`);
}

async function walkOn(walk: Walk, count: number): Promise<void> {
  const path: string[] = [];
  const names = Object.keys(steps);
  for (let step = 0; step < count; step += 1) {
    const name = walk.chance.pick(names);
    path.push(name);
    try {
      path.push(`  ${await steps[name]?.(walk)}`);
      await assertConserved(walk.world);
      await assertOneHolderEach(walk);
    } catch (error) {
      throw new Error(`step ${step} of seed ${walk.chance.seed}:\n${path.slice(-40).join('\n')}`, {
        cause: error,
      });
    }
  }
}

const given = process.env['CALYX_WALK_SEED'];
const seeds = given === undefined || given === '' ? [1, 2] : [Number(given)];
const count = Number(process.env['CALYX_WALK_STEPS'] ?? '150');

for (const seed of seeds) {
  it(`${count} steps at random (seed ${seed}) lose nothing and double nothing`, async () => {
    const walk = await makeWalk(seed);
    await walkOn(walk, count);
    await walk.world.close();
  });
}
