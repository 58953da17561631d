/**
 * A simulation that has gone blind finds nothing either: with a rule left out (tests/sim/mutants.ts) the
 * same check fires at the same seed as it did before. Without the change these seeds pass (sim.test.ts).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { mutants } from './sim/mutants.ts';

const execute = promisify(execFile);
const hunt = join(import.meta.dirname, 'sim/hunt.ts');

for (const { name, rule, caught } of mutants) {
  it(`${name} is caught: without "${rule}", ${caught.checker}`, async () => {
    const args = [hunt, name, String(caught.seed), '1'];
    const { stdout } = await execute(process.execPath, args);
    const found = JSON.parse(stdout) as { seed: number; checker: string } | null;
    assert.deepEqual([found?.seed, found?.checker], [caught.seed, caught.checker]);
  });
}
