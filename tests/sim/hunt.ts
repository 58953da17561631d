/**
 * Runs seeds with a rule left out until one catches it, and prints which. A process of its own, because
 * sources are changed as they are loaded:  node tests/sim/hunt.ts MUTANT FIRST COUNT STEPS
 */
import { mutants } from './mutants.ts';
import { loadSimulation } from './start.ts';

const [name, first = '1', count = '1', steps = '1000'] = process.argv.slice(2);
const mutant = mutants.find((each) => each.name === name);
if (mutant === undefined) throw new Error(`no mutant ${name}`);
const { run } = await loadSimulation(mutant.patches);
let caught: { seed: number; checker: string | undefined; message: string | undefined } | null = null;
for (let seed = Number(first); seed < Number(first) + Number(count) && caught === null; seed += 1) {
  const { checker, failure } = await run({ seed, steps: Number(steps) });
  if (failure !== undefined) caught = { seed, checker, message: failure.message.slice(0, 300) };
}
process.stdout.write(`${JSON.stringify(caught)}\n`);
