/**
 * Many seeds, every promise looked at after each of their steps. Their ends are not looked at: the people of
 * the simulation do not do yet all that the end of any schedule asks of them (fixed seeds have theirs).
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { shrink } from './shrink.ts';
import { loadSimulation } from './start.ts';

const steps = 1000;

/** Seeds that break a promise which is not kept yet; each is to be looked into, repaired and taken off here. */
const known: ReadonlyMap<number, string> = new Map([
  [2188, 'a holder is sent on to a server that has no unit for it (yet)'],
  [3137, 'a holder is sent on to a server that has no unit for it (yet)'],
]);

/** So many runs a failure is made shorter with. */
const mostRuns = 60;

export async function checkMany(first: number, seeds: number): Promise<void> {
  const { run } = await loadSimulation();
  it(`seeds ${first} to ${first + seeds - 1}, ${steps} steps each: every promise holds after each`, async (context) => {
    let years = 0;
    for (let seed = first; seed < first + seeds; seed += 1) {
      if (known.has(seed)) continue;
      const options = { seed, steps, ending: false } as const;
      const done = await run(options);
      years += done.years;
      if (done.failure === undefined) continue;
      const short = await shrink(run, { options, run: done }, mostRuns);
      const history = short.history.map((row) => `  ${row.step}  ${row.words}`);
      assert.fail(`seed ${seed}: ${short.failure?.stack}\n${history.join('\n')}`);
    }
    context.diagnostic(`${Math.round(years)} server-years; left out: ${[...known.keys()].join(', ')}`);
  });
}
