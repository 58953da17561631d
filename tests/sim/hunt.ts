/**
 * Runs seeds with a rule left out until one catches it, and prints which. A process of its own, because
 * sources are changed as they are loaded:  node tests/sim/hunt.ts MUTANT FIRST COUNT
 */
import { chanceOf } from './chances.ts';
import { mutants } from './mutants.ts';
import { profileOf } from './profile.ts';
import { loadSimulation } from './start.ts';

const [name, first = '1', count = '1'] = process.argv.slice(2);
const mutant = mutants.find((each) => each.name === name);
if (mutant === undefined) throw new Error(`no mutant ${name}`);
const { patches, only, steps = 400, atEnd = false } = mutant;
const { run } = await loadSimulation(patches);
const shows = (seed: number): boolean => only?.(profileOf(seed, chanceOf(seed, -1, 0))) ?? true;
let caught: { seed: number; checker: string | undefined; message: string | undefined } | null = null;
for (let seed = Number(first); seed < Number(first) + Number(count) && caught === null; seed += 1) {
  if (!shows(seed)) continue;
  const { checker, failure } = await run({ seed, steps, ending: atEnd });
  if (failure !== undefined) caught = { seed, checker, message: failure.message.slice(0, 300) };
}
process.stdout.write(`${JSON.stringify(caught)}\n`);
