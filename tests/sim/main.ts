/**
 * `npm run sim -- --seed N --steps M` runs one seed, or several with `--seeds`, and prints what broke, as a short
 * history; `--history` prints all of it, `--no-ending` looks at the steps alone. With `--minutes` it goes on for as
 * long, with seeds of every kind in turn (`soak.ts`).
 */
import { parseArgs } from 'node:util';
import { mostSteps } from './profile.ts';
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
async function runSeed(seed: number, { alone, steps }: { alone: boolean; steps: number }): Promise<Run> {
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
let runs = 0;
let stepped = 0;
const alone = values.seeds === '1' && untilMs === undefined;
// Kinds go by the thousand (profile.ts).
const stride = untilMs === undefined ? 1 : 1001;
let seed = first;
for (; goesOn(seed); seed += stride) {
  const most = untilMs === undefined ? steps : Math.min(steps, mostSteps(seed));
  const done = await runSeed(seed, { alone, steps: most });
  runs += 1;
  stepped += most;
  years += done.years;
  if (done.failure !== undefined) broken += 1;
}
const seconds = (performance.now() - began) / 1000;
console.log(
  `${runs} seeds from ${first} to ${seed - stride}, ${stepped} steps: ${broken} broken, ${years.toFixed(0)} server-years, ` +
    `${(stepped / seconds).toFixed(0)} steps a second`,
);
