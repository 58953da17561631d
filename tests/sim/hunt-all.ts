/** `npm run sim:mutants`: looks for a seed that catches each mutant, and prints it with the check that fired. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { mutants, notYet } from './mutants.ts';

/** A mutant that lives longer than this is a hole in the simulation (protocol §2.6). */
const mostSeeds = 20_000;

for (const { name, rule, from = 1 } of mutants) {
  const args = [join(import.meta.dirname, 'hunt.ts'), name, String(from), String(mostSeeds)];
  const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const caught = status === 0 && stdout.trim() !== 'null';
  if (!caught) process.exitCode = 1;
  console.log(`${name} (${rule}): ${stdout.trim()}`);
}
for (const [name, why] of Object.entries(notYet)) console.log(`${name}: not applicable yet (${why})`);
