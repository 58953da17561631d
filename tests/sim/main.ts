/**
 * `npm run sim -- --seed N --steps M` runs one seed, or several with `--seeds`, and prints what broke, as
 * a short history; `--history` prints all of it, `--no-ending` looks at the steps alone. With `--minutes` it goes on for as long (`soak.ts`).
 */
import { parseArgs } from 'node:util';
import type { Run } from './run.ts';
import { shrink } from './shrink.ts';
import { loadSimulation } from './start.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    steps: { type: 'string', default: '1000' },
    minutes: { type: 'string' },
    shrink: { type: 'string', default: '150' },
    history: { type: 'boolean', default: false },
    'no-ending': { type: 'boolean', default: false },
  },
});
const { run } = await loadSimulation();
const steps = Number(values.steps);

function print(history: Run['history']): void {
  for (const { step, words } of history) console.log(`  ${step}  ${words}`);
}

/** Runs a seed and prints it where it failed, or where it is the only one. */
async function runSeed(seed: number, alone: boolean): Promise<Run> {
  const ending = !values['no-ending'];
  const done = await run({ seed, steps, ending });
  const { checker, failure, years, hash } = done;
  if (alone || failure !== undefined) {
    console.log(
      `seed ${seed}: ${checker ?? 'every promise held'}, ${years.toFixed(1)} server-years, trace ${hash}`,
    );
  }
  if (values.history) print(done.history);
  if (failure === undefined) return done;
  process.exitCode = 1;
  const short = await shrink(run, { options: { seed, steps, ending }, run: done }, Number(values.shrink));
  console.log(checker === 'exception' ? short.failure?.stack : short.failure?.message);
  if (values.shrink !== '0') print(short.history);
  return done;
}

const first = Number(values.seed);
const began = performance.now();
const untilMs = values.minutes === undefined ? undefined : began + Number(values.minutes) * 60_000;
const goesOn = (seed: number): boolean =>
  untilMs === undefined ? seed < first + Number(values.seeds) : performance.now() < untilMs;
let years = 0;
let broken = 0;
let seed = first;
for (; goesOn(seed); seed += 1) {
  const done = await runSeed(seed, values.seeds === '1' && untilMs === undefined);
  years += done.years;
  if (done.failure !== undefined) broken += 1;
}
const seconds = (performance.now() - began) / 1000;
const rate = ((seed - first) * steps) / seconds;
console.log(
  `seeds ${first} to ${seed - 1}, ${steps} steps each: ${broken} broken, ${years.toFixed(0)} server-years, ` +
    `${rate.toFixed(0)} steps a second`,
);
