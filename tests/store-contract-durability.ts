/** Store contract: what was acknowledged is there after closing, and after kill -9. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ok } from '../src/core/result.ts';
import type { Store } from '../src/store/port.ts';
import { headOf } from './store-contract-journal.ts';
import type { StoreEngine } from './store-engine.ts';
import {
  entryOf,
  install,
  issued,
  post,
  setMeta,
  shownHead,
  snapshot,
  transfer,
  unissued,
  withReopened,
  withStore,
} from './store-engine.ts';

/** What a writing process (store-writer.ts) said until it ended, and the numbers it acknowledged. */
export interface Said {
  readonly lines: readonly string[];
  readonly acknowledged: readonly number[];
}

/** Starts a process; kills it after `killAfterMs` from its first acknowledgment, where that is given. */
export async function runWriter(command: readonly string[], killAfterMs?: number): Promise<Said> {
  const [program = '', ...rest] = command;
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const ended = once(child, 'exit');
  if (killAfterMs !== undefined) {
    await once(child.stdout, 'data');
    await sleep(killAfterMs);
    child.kill('SIGKILL');
  }
  await ended;
  const lines = text.split('\n').slice(0, -1);
  const acknowledged = lines
    .filter((line) => line.startsWith('acknowledged '))
    .map((line) => Number(line.slice('acknowledged '.length)));
  return { lines, acknowledged };
}

/** Every acknowledged write is there, each write that is there is there whole, and the books agree. */
export async function assertWritten(store: Store, acknowledged: readonly number[]): Promise<void> {
  const rows = await store.read((tx) => tx.journal('server', 0, 1_000_000));
  const numbers = rows.map((row) => Number(row.id.slice(1)));
  assert.deepEqual(new Set(numbers), new Set(rows.keys()), 'no number twice, none left out');
  for (const number of acknowledged)
    assert.ok(number < rows.length, `write ${number} was acknowledged and is lost`);
  await store.read(async (tx) => {
    assert.deepEqual(shownHead(await tx.head('server')), shownHead(headOf(rows)));
    assert.equal(await tx.balance('A/0/installed'), 2 * rows.length);
    assert.equal(await tx.balance(unissued), rows.length);
    assert.equal(await tx.balance(issued), rows.length);
    const ids = new Set(rows.map((row) => row.id));
    for (const table of ['answers', 'outbox']) {
      const found = await tx.all<{ id: string }>(`select id from ${table}`);
      assert.deepEqual(new Set(found.map((row) => row.id)), ids, table);
    }
    const meta = await tx.all<{ key: string }>('select key from meta');
    assert.deepEqual(new Set(meta.map((row) => row.key)), ids, 'meta');
  });
}

export function durabilityContract(engine: StoreEngine, lasting: NonNullable<StoreEngine['lasting']>): void {
  describe('what was acknowledged', () => {
    it('is there after the store was closed and opened again', () =>
      withStore(engine, async ({ store, place }) => {
        await install(store, 10);
        await store.write(async (tx) => {
          await setMeta(tx, 'name', 'LS-OLD');
          const hold = { debit: unissued, hold: 'A/0/held', credit: issued, amount: 2 };
          await tx.post(
            entryOf('all', {
              postings: [transfer(unissued, issued, 3), { kind: 'pending', id: 'p', ...hold }],
              answer: { id: 'k', requestDigest: 'd', body: { n: 1 } },
              outbox: [{ id: 'm', recipient: 'target', type: 't', body: { n: 2 } }],
            }),
          );
          return ok(undefined);
        });
        const before = await snapshot(store);
        await store.close();
        await withReopened(engine, place, async (again) => {
          assert.deepEqual(await snapshot(again), before);
          await post(again, entryOf('later', { postings: [{ kind: 'post', pending: 'p' }] }));
          assert.equal(await again.read((tx) => tx.balance(issued)), 5);
        });
      }));

    it('is there after the writing process was killed, time and again', async () => {
      const place = engine.newPlace();
      const command = [process.execPath, ...lasting.writerArguments(place)];
      let least = 0;
      for (const killAfterMs of [0, 7, 40, 90, 150]) {
        const { acknowledged } = await runWriter(command, killAfterMs);
        assert.ok(acknowledged.length > 0);
        least = Math.max(least, ...acknowledged.map((number) => number + 1));
        await withReopened(engine, place, async (store) => {
          await assertWritten(store, acknowledged);
          assert.ok((await store.read((tx) => tx.head('server'))).size >= least);
        });
      }
    });
  });
}
