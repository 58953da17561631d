/** What a failing seed prints: a short history, with the steps that the failure needs and few others. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mutants } from './sim/mutants.ts';
import type { Runner } from './sim/shrink.ts';
import { shrink } from './sim/shrink.ts';
import { loadSimulation } from './sim/start.ts';

/** Fails with `I3` at the last of some steps if all are there, and in another way where the last is there alone. */
const needing =
  (needed: readonly number[]): Runner =>
  async ({ steps, without }) => {
    const kept = Array.from({ length: steps }, (_, step) => step).filter((step) => !without?.has(step));
    const last = needed.at(-1) ?? 0;
    const checker = needed.every((step) => kept.includes(step)) ? 'I3' : 'exception';
    const fails = kept.includes(last);
    return {
      failure: fails ? new Error(checker) : undefined,
      checker: fails ? checker : undefined,
      failedAt: fails ? last : -1,
      history: kept.filter((step) => !fails || step <= last).map((step) => ({ step, words: `${step}` })),
      ...{ hash: '', years: 0, slowestDays: 0 },
    };
  };

describe('a failing run', () => {
  it('is cut down to the steps that its failure needs, and to no other failure', async () => {
    const needed = [3, 250, 612];
    const runner = needing(needed);
    const options = { seed: 1, steps: 1000 };
    const short = await shrink(runner, { options, run: await runner(options) }, 1000);
    assert.equal(short.checker, 'I3');
    assert.deepEqual(
      short.history.map(({ step }) => step),
      needed,
    );
  });

  it('is what it was where no runs are left for that', async () => {
    const runner = needing([3, 6]);
    const options = { seed: 1, steps: 10 };
    const run = await runner(options);
    assert.equal(await shrink(runner, { options, run }, 0), run);
  });

  it('of programs with a rule left out is short, and fails by itself in the same way', async () => {
    const mutant = mutants.find(({ name }) => name === 'M3');
    assert.ok(mutant);
    const { run } = await loadSimulation(mutant.patches);
    const options = { seed: mutant.caught.seed, steps: 400, ending: false };
    const failed = await run(options);
    const short = await shrink(run, { options, run: failed }, 60);
    assert.deepEqual([failed.checker, short.checker], [mutant.caught.checker, mutant.caught.checker]);
    assert.ok(
      short.history.length * 4 < failed.history.length,
      `${short.history.length} of ${failed.history.length}`,
    );
    // Each step draws from a stream of its own: those that are left say what they said.
    const kept = new Set(short.history.map(({ step }) => step));
    const without = new Set(
      Array.from({ length: options.steps }, (_, step) => step).filter((step) => !kept.has(step)),
    );
    const again = await run({ ...options, without });
    assert.deepEqual(again.history, short.history);
    assert.equal(again.failure?.message, short.failure?.message);
  });
});
