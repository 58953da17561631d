/**
 * The simulation (tests/sim): people, devices, losses and crashes at random, every promise looked at after
 * every step. The same seed is the same run, to the byte; a seed that fails is told as a short history.
 */
import assert from 'node:assert/strict';
import { after, it } from 'node:test';
import { simulationAside } from './sim/aside.ts';
import { checkSeeds } from './sim/check-seeds.ts';
import { fixedSeeds } from './sim/seeds.ts';

const { run, close } = simulationAside();
after(close);

it('the same seed makes the same run, and another one another', async () => {
  const first = await run({ seed: 5, steps: 150 });
  const again = await run({ seed: 5, steps: 150 });
  const other = await run({ seed: 6, steps: 150 });
  assert.equal(first.failure, undefined);
  assert.match(first.hash, /^[0-9a-f]{64}$/);
  assert.equal(again.hash, first.hash);
  assert.notEqual(other.hash, first.hash);
});

checkSeeds(run, fixedSeeds);
