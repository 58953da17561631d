/** Promise 3 for what an administrator does: under one idempotency key it is done once. */
import { canonicalJson } from '../../core/canonical.ts';
import type { JsonValue } from '../../core/json.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { ok } from '../../core/result.ts';
import { once } from '../../store/once.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ServerContext } from '../context.ts';
import { serverLog } from './license-token.ts';
import { checkPast } from './past.ts';
import { administer } from './server-facts.ts';

export interface Keyed {
  /** The idempotency key of the request; without one the act stands for itself. */
  readonly requestId?: string | undefined;
}

/** What gives up, freezes or confirms something: not while the past is in doubt (protocol §5.2). */
const actsOfRight: ReadonlySet<string> = new Set([
  'return',
  'declare-dead',
  'freeze',
  'release',
  'heartbeat',
]);

/**
 * Runs an administrator's act as `administer` does. Under a key that was used before for the same, the
 * first answer comes back and nothing happens; for something else it is refused
 * `idempotency-key-reused`, and `server-in-doubt` where it gives up or confirms anything. Effect and answer are in one transaction. A refusal is not stored.
 */
export async function administerOnce<T extends JsonValue>(
  context: ServerContext,
  asked: { readonly act: string; readonly order: Keyed },
  perform: (tx: WriteTx) => Promise<Result<T, Refusal>>,
): Promise<Result<T, Refusal>> {
  const { act } = asked;
  const { requestId, ...order } = asked.order;
  const work: typeof perform = async (tx) => {
    const certain = actsOfRight.has(act) ? await checkPast(tx) : ok(null);
    return certain.ok ? perform(tx) : certain;
  };
  if (requestId === undefined) return administer(context, work);
  // Through JSON, so that a field that is absent and one that is undefined are the same.
  const what = JSON.parse(JSON.stringify({ act, ...order })) as JsonValue;
  const key = { id: `request:${requestId}`, requestDigest: canonicalJson(what) };
  return administer(context, (tx) =>
    once(tx, key, async () => {
      const effect = await work(tx);
      if (!effect.ok) return effect;
      await tx.post({
        log: serverLog,
        kind: 'answered',
        id: key.id,
        at: context.clock.nowMs(),
        body: { act },
        answer: { ...key, body: effect.value },
      });
      return effect;
    }),
  );
}
