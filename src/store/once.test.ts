import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { nodeDigest } from '../platform/digest.ts';
import { once } from './once.ts';
import { openSqliteStore } from './sqlite.ts';

describe('a write under an idempotency key', () => {
  const store = openSqliteStore({ file: ':memory:', migrations: 'server', digest: nodeDigest });
  after(() => store.close());
  let decided = 0;

  /** Asks for `amount` under `key`; the answer counts the decisions, so that a repeat can be told. */
  function ask(key: string, amount: number): Promise<Result<{ amount: number; decision: number }, Refusal>> {
    const requestDigest = `amount ${amount}`;
    return store.write((tx) =>
      once(tx, { id: key, requestDigest }, async () => {
        decided += 1;
        if (amount > 10) return err({ code: 'quantity-invalid', quantity: amount, most: 10 });
        const body = { amount, decision: decided };
        await tx.post({
          log: 'server',
          kind: 'ask',
          id: key,
          at: 1,
          body,
          answer: { id: key, requestDigest, body },
        });
        return ok(body);
      }),
    );
  }

  it('is decided the first time, and answered from the store after that', async () => {
    assert.deepEqual(await ask('a', 1), ok({ amount: 1, decision: 1 }));
    assert.deepEqual(await ask('a', 1), ok({ amount: 1, decision: 1 }));
    assert.equal(decided, 1);
  });

  it('is refused where something else is asked under the key', async () => {
    assert.deepEqual(await ask('a', 2), err({ code: 'idempotency-key-reused', id: 'a' }));
    assert.equal(decided, 1);
  });

  it('is decided again after a refusal', async () => {
    const refusal = err({ code: 'quantity-invalid', quantity: 11, most: 10 });
    assert.deepEqual(await ask('b', 11), refusal);
    assert.deepEqual(await ask('b', 11), refusal);
    assert.equal(decided, 3);
  });

  it('is decided once when it is sent twice at the same time', async () => {
    const [first, second] = await Promise.all([ask('c', 3), ask('c', 3)]);
    assert.deepEqual(first, ok({ amount: 3, decision: 4 }));
    assert.deepEqual(second, first);
    assert.equal(decided, 4);
  });
});
