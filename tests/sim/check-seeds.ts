/** Runs of fixed seeds as tests, each with a short history where a promise broke. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { FixedSeed } from './seeds.ts';
import type { Runner } from './shrink.ts';
import { shrink } from './shrink.ts';

/** So many runs a failure is made shorter with. */
const mostRuns = 100;

export function checkSeeds(run: Runner, seeds: readonly FixedSeed[]): void {
  for (const { seed, steps, why } of seeds) {
    it(`seed ${seed}, ${steps} steps (${why}): every promise holds`, async () => {
      const done = await run({ seed, steps });
      if (done.failure === undefined) return;
      const short = await shrink(run, { options: { seed, steps }, run: done }, mostRuns);
      const history = short.history.map(({ step, words }) => `  ${step}  ${words}`);
      assert.fail(`${short.failure?.stack}\n${history.join('\n')}`);
    });
  }
}
