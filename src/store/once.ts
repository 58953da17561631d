/** Promise 3 (protocol §1.1): a write that is sent again gets the first answer, and happens once. */
import type { JsonValue } from '../core/json.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import type { WriteTx } from './port.ts';

export interface OnceKey {
  /** The idempotency key, made by the outermost caller. */
  readonly id: string;
  /** Digest of what is asked, so that a key used for something else is noticed. */
  readonly requestDigest: string;
}

/**
 * The answer stored under the key where the same was asked before; else what `decide` answers, which
 * must post an entry that stores that answer under the same key. Refuses `idempotency-key-reused`
 * where something else was asked under the key. A refusal is not stored: asking again decides again.
 */
export async function once<T extends JsonValue>(
  tx: WriteTx,
  key: OnceKey,
  decide: () => Promise<Result<T, Refusal>>,
): Promise<Result<T, Refusal>> {
  const stored = await tx.answer(key.id);
  if (stored === undefined) return decide();
  if (stored.requestDigest !== key.requestDigest) return err({ code: 'idempotency-key-reused', id: key.id });
  // Whoever stored it under this key and for this request had the same type of answer.
  return ok(stored.body as T);
}
