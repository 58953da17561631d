/**
 * Carries sealed messages to the clearinghouse and back over HTTP. It neither looks into them nor
 * trusts the line: the signatures are the authentication, TLS is transport (protocol §7.2).
 */
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';

export interface Delivery {
  /**
   * Posts messages and answers those that came back. `waitMs` is how long the clearinghouse may hold
   * the request back where it has nothing to say. Refused: `clearinghouse-unreachable`, and what the
   * clearinghouse itself refuses.
   */
  readonly exchange: (call: {
    readonly url: string;
    readonly messages: readonly string[];
    readonly waitMs: number;
    /** Cuts the exchange off; what was sent may have arrived all the same. */
    readonly signal: AbortSignal;
  }) => Promise<Result<readonly string[], Refusal>>;
}

/** Beyond the wait that was asked for: connecting, and signing on the other side. */
const graceMs = 15_000;

interface Answer {
  readonly messages?: unknown;
  readonly code?: unknown;
  readonly details?: unknown;
}

export const httpDelivery: Delivery = {
  exchange: async ({ url, messages, waitMs, signal }) => {
    try {
      const response = await fetch(new URL('/v1/messages', url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ messages, waitMs }),
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(waitMs + graceMs)]),
      });
      const answer = (await response.json()) as Answer;
      if (response.ok && Array.isArray(answer.messages)) return ok(answer.messages.map(String));
      return err(refusalOf(url, response.status, answer));
    } catch (error) {
      return err({ code: 'clearinghouse-unreachable', url, detail: wordsOf(error) });
    }
  },
};

/** A refusal of the clearinghouse as it was said; anything else that answers is not the clearinghouse. */
function refusalOf(url: string, status: number, answer: Answer): Refusal {
  if (typeof answer.code === 'string' && status < 500) {
    return { ...(answer.details as object), code: answer.code } as Refusal;
  }
  return { code: 'clearinghouse-unreachable', url, detail: `it answered with status ${status}` };
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message || error.cause.name}` : '';
  return error.name === 'TimeoutError' ? 'it did not answer in time' : `${error.message}${cause}`;
}
