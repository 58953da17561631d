/**
 * A disk that is full or reports an error, at one call after the other: the store stops for good, a
 * program that is served ends with words and an exit code, nothing that was acknowledged is lost, and the
 * next start goes on. `npm run crash -- --faults enospc|eio` takes every call, not one of many.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { initClearinghouse } from '../src/clearinghouse/app.ts';
import { adminTokenFile } from '../src/platform/data-folder.ts';
import { faults } from './crash/fault-run.ts';
import { compileRecorder, startOver, whyNoRecorder } from './crash/recorder.ts';
import { until } from './in-time.ts';
import { Chance, seedOf } from './kill/random.ts';
import { Calyx } from './ten-steps/program.ts';

const dir = mkdtempSync(join(tmpdir(), 'calyx-faults-'));
const calyxProgram = join(import.meta.dirname, '../src/bin/calyx.ts');

after(() => rmSync(dir, { recursive: true, force: true }));

describe('a disk that fails', { concurrency: 1, skip: whyNoRecorder() }, () => {
  const seed = seedOf(process.env);
  const chance = new Chance(seed);
  const stride = 29;

  for (const kind of ['enospc', 'eio'] as const) {
    it(`stops the store and loses nothing, whichever call fails (${kind})`, async (t) => {
      const first = chance.between(1, stride);
      const { rounds, stopped } = await faults({ kind, first, stride });
      t.diagnostic(
        `seed ${seed}: every ${stride}th call from ${first} on, ${rounds} rounds, ${stopped} failures`,
      );
      assert.ok(rounds > 15, 'there are several hundred calls in a round');
      assert.ok(stopped > rounds / 2, 'most calls cannot fail unnoticed');
    });
  }

  it('ends a program that is served, in words, and the next start has all that it had answered', async (t) => {
    const data = join(dir, 'clearinghouse');
    await initClearinghouse({ dir: data, publisher: 'Sample Publisher' });
    const library = compileRecorder(dir);
    const answered: string[] = [];
    for (const fault of ['eio:9', 'eio:40', 'enospc:60', 'eio:61', 'eio:62', 'eio:63']) {
      const before = answered.length;
      await serveUntilItFails({ data, library, fault, answered });
      t.diagnostic(`${fault}: ended after ${answered.length - before} answers`);
    }
    assert.ok(answered.length > 5);
    const calyx = new Calyx();
    const listed = await calyx.run('--data', data, '--json', 'clearinghouse', 'product', 'list');
    await calyx.close();
    const { items } = JSON.parse(listed.stdout) as { items: { id: string }[] };
    const there = new Set(items.map(({ id }) => id));
    assert.deepEqual(
      answered.filter((id) => !there.has(id)),
      [],
      'every product that was answered is there',
    );
  });
});

interface Serving {
  readonly data: string;
  readonly library: string;
  readonly fault: string;
  /** Products whose making was answered. */
  readonly answered: string[];
}

/** Serves a clearinghouse and makes products until it ends by itself. */
async function serveUntilItFails({ data, library, fault, answered }: Serving): Promise<void> {
  const args = [calyxProgram, '--data', data, '--json', 'clearinghouse', 'serve', '--port', '0'];
  const started = startOver({ library, args, env: { CALYX_DISK_FAIL: fault } });
  try {
    let over = false;
    const ended = started.ended.finally(() => {
      over = true;
    });
    const said = await until('the first line', () =>
      over || started.said().stdout.includes('\n') ? started.said() : undefined,
    );
    const address = said.stdout.includes('\n')
      ? (JSON.parse(said.stdout) as { address: string }).address
      : undefined;
    const token = readFileSync(adminTokenFile(data), 'utf8').trim();
    for (let number = 1; address !== undefined && !over; number += 1) {
      const id = `p-${fault.replace(':', '-')}-${number}`;
      if (await makeProduct(address, token, id)) answered.push(id);
    }
    const { code, stdout, stderr } = await ended;
    const shown = `${fault}: ${stdout}${stderr}`;
    assert.equal(code, 1, shown);
    // One that could not even be opened says so where `--json` has its one object.
    const words = address === undefined ? stdout : stderr;
    assert.match(words, /database-(?:outcome-unknown|damaged)/, shown);
    assert.match(words, /See that the disk is not full|Nothing was changed/, shown);
  } finally {
    started.kill();
  }
}

async function makeProduct(address: string, token: string, id: string): Promise<boolean> {
  try {
    const response = await fetch(`${address}/v1/products`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ id, name: id, family: 'ts', version: 1 }),
    });
    await response.text();
    return response.ok;
  } catch {
    return false;
  }
}
