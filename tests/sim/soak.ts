/** `npm run sim:soak -- --minutes M`: seeds that nobody has tried, on every core, for so long. */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/** Each process has so many seeds of its own, more than it can get through. */
const apart = 10_000_000;
const first = Math.floor(Math.random() * 1_000) * 100_000;

const children = Array.from({ length: availableParallelism() }, (_, index) => {
  const seed = String(first + index * apart);
  const args = [join(import.meta.dirname, 'main.ts'), '--seed', seed, ...process.argv.slice(2)];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  return new Promise<number | null>((resolve) => child.once('exit', resolve));
});
const codes = await Promise.all(children);
process.exitCode = codes.every((code) => code === 0) ? 0 : 1;
