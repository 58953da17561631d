/** Many seeds, every promise looked at after each of their steps, and at their ends that nothing is left open or missing. */
import assert from 'node:assert/strict';
import { after, it } from 'node:test';
import { simulationAside } from './aside.ts';
import type { RunOptions } from './run.ts';
import { shrink } from './shrink.ts';

/** So many runs a failure is made shorter with. */
const mostRuns = 60;
/** In long runs something arrives that was on its way for longer: a stick is found, a line comes back. */
const lateDays = 400;

const { run, close } = simulationAside();
after(close);

export function checkMany(
  first: number,
  seeds: number,
  { steps = 1000 }: Pick<Partial<RunOptions>, 'steps'> = {},
): void {
  it(`seeds ${first} to ${first + seeds - 1}, ${steps} steps each: every promise holds after each, and at the end`, async (context) => {
    let years = 0;
    let slowestDays = 0;
    for (let seed = first; seed < first + seeds; seed += 1) {
      const options = { seed, steps };
      const done = await run(options);
      years += done.years;
      slowestDays = Math.max(slowestDays, done.slowestDays);
      if (done.failure === undefined) continue;
      const short = await shrink(run, { options, run: done }, mostRuns);
      const history = short.history.map((row) => `  ${row.step}  ${row.words}`);
      assert.fail(`seed ${seed}: ${short.failure?.stack}\n${history.join('\n')}`);
    }
    context.diagnostic(
      `${Math.round(years)} server-years, and what came last was ${slowestDays} days on its way`,
    );
    if (steps >= 1000) assert.ok(slowestDays > lateDays, `nothing was as late as ${lateDays} days`);
  });
}
