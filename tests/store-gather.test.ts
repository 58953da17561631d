/** Whom a group of the SQLite engine waits for before it begins, and whom not (src/store/sqlite.ts). */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ok } from '../src/core/result.ts';
import { nodeDigest } from '../src/platform/digest.ts';
import { writeMeta } from '../src/store/meta-rows.ts';
import { openSqliteStore } from '../src/store/sqlite.ts';

const clients = 16;
const rounds = 20;

/** Clients that write again and again, with `turns` of the event loop between; the sizes of their groups. */
async function groupSizes(turnsBetween: number): Promise<readonly number[]> {
  const sizes: number[] = [];
  const onCommit = (commands: number): void => {
    sizes.push(commands);
  };
  const store = openSqliteStore({ file: ':memory:', migrations: 'server', digest: nodeDigest, onCommit });
  const client = async (number: number): Promise<void> => {
    // Every second one comes a turn later than the first.
    if (number % 2 === 1) await nextTurn();
    for (let round = 0; round < rounds; round += 1) {
      await store.write(async (tx) => {
        await writeMeta(tx, `client-${number}`, String(round));
        return ok(null);
      });
      for (let turn = 0; turn < turnsBetween; turn += 1) await nextTurn();
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
  await store.close();
  return sizes;
}

it('lets those share a commit who are on their way back from the last one', async () => {
  const sizes = await groupSizes(2);
  const whole = sizes.filter((size) => size === clients).length;
  assert.ok(whole >= rounds - 3, `groups of ${sizes.join(', ')}`);
});

it('keeps nobody waiting who writes alone', async () => {
  const store = openSqliteStore({ file: ':memory:', migrations: 'server', digest: nodeDigest });
  let turns = 0;
  let counting = true;
  const count = (): void => {
    turns += 1;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  for (let round = 0; round < 50; round += 1) await store.write(async () => ok(null));
  counting = false;
  await store.close();
  assert.ok(turns <= 1.5 * 50, `${turns} turns for 50 writes`);
});
