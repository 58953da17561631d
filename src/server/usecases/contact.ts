/** One exchange with the clearinghouse over the network: the outbox out, its answers in and applied. */
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { readMeta } from '../../store/meta-rows.ts';
import type { ServerContext } from '../context.ts';
import type { AppliedMessages } from './apply-message.ts';
import { applyMessages } from './apply-message.ts';
import { continueLongMove } from './long-move.ts';
import { sealSome } from './outbox.ts';
import { askCertificates } from './recovery.ts';
import { readRequest } from './requests.ts';

export interface ContactCall {
  /** How long the clearinghouse may hold the contact back where it has nothing to say. */
  readonly waitMs: number;
  /**
   * The service's own contact: it is cut off as soon as somebody else wants one. What it had sent may
   * have arrived; the next contact sends it again, and an overtaken one says nothing any more.
   */
  readonly yields?: boolean;
}

const nothing: AppliedMessages = { applied: [], again: [], refused: [], failed: [], results: [] };

/**
 * Contacts the clearinghouse. Contacts follow one another: two at once could arrive out of order and
 * would look like a forked server. Refused: `no-clearinghouse-address`, `clearinghouse-unreachable`,
 * and what is refused of the messages.
 */
export async function contactClearinghouse(
  context: ServerContext,
  call: ContactCall,
): Promise<Result<AppliedMessages, Refusal>> {
  const { cache } = context;
  const poll = call.yields === true ? new AbortController() : null;
  if (poll === null) cache.poll?.abort();
  else cache.poll = poll;
  const before = cache.contact;
  const mine = before.then(() => contactOnce(context, { waitMs: call.waitMs, poll }));
  cache.contact = mine.then(
    () => undefined,
    () => undefined,
  );
  try {
    return await mine;
  } finally {
    if (cache.poll === poll) cache.poll = null;
  }
}

/** There is news for the clearinghouse: a service that is being held back comes at once. */
export function hastenContact(context: ServerContext): void {
  context.cache.poll?.abort();
}

async function contactOnce(
  context: ServerContext,
  call: { readonly waitMs: number; readonly poll: AbortController | null },
): Promise<Result<AppliedMessages, Refusal>> {
  if (isCut(call.poll)) return ok(nothing);
  const url = await context.store.read((tx) => readMeta(tx, 'clearinghouseUrl'));
  if (url === undefined || url === '') return err({ code: 'no-clearinghouse-address' });
  const { signal } = context.stopping;
  let done = nothing;
  let before: string | null = null;
  for (;;) {
    // So that there is something to send: what comes after it is made while this is under way.
    await continueLongMove(context);
    const { tokens, more, oldest } = await sealSome(context);
    const exchange = context.delivery.exchange({
      url,
      messages: tokens,
      // With more to say there is nothing to wait for.
      waitMs: more ? 0 : call.waitMs,
      signal: call.poll === null ? signal : AbortSignal.any([signal, call.poll.signal]),
    });
    const answer = await meanwhile(exchange, () => continueLongMove(context));
    if (!answer.ok) return isCut(call.poll) ? ok(done) : answer;
    const applied = await applyMessages(context, { messages: answer.value, ofOthers: 'refuse' });
    if (!applied.ok) return applied;
    await askCertificates(context);
    done = together(done, applied.value);
    // Where nothing of the last sending was received, sending it again at once would change nothing.
    if (!more || oldest === before) return ok(done);
    before = oldest;
  }
}

/** Works as long as something is waited for, and there is work: the other side has its own to do with each part. */
async function meanwhile<T>(waiting: Promise<T>, work: () => Promise<boolean>): Promise<T> {
  let isWaiting = true;
  const ended = waiting.finally(() => {
    isWaiting = false;
  });
  const working = (async () => {
    while (isWaiting && (await work()));
  })();
  const [answer] = await Promise.all([ended, working]);
  return answer;
}

/** What several exchanges of one contact have brought. */
function together(one: AppliedMessages, next: AppliedMessages): AppliedMessages {
  return {
    applied: [...one.applied, ...next.applied],
    again: [...one.again, ...next.again],
    refused: [...one.refused, ...next.refused],
    failed: [...one.failed, ...next.failed],
    results: [...one.results, ...next.results],
  };
}

const isCut = (poll: AbortController | null): boolean => poll?.signal.aborted === true;

/** How often an answer that is not there yet is asked for before the caller is told to wait. */
const attempts = 3;

/**
 * Contacts until a request is settled, and answers what came of it. Refused: what the clearinghouse
 * refused, `answer-pending` where it says nothing yet.
 */
export async function settleByContact(
  context: ServerContext,
  id: string,
): Promise<Result<Record<string, unknown>, Refusal>> {
  for (let attempt = 0; attempt <= attempts; attempt += 1) {
    const request = await readRequest(context, id);
    if (!request.ok) return request;
    if (request.value?.state === 'done')
      return ok(JSON.parse(request.value.answer ?? '{}') as Record<string, unknown>);
    if (attempt === attempts) break;
    const contact = await contactClearinghouse(context, { waitMs: 0 });
    if (!contact.ok) return contact;
  }
  return err({ code: 'answer-pending', waitingFor: 'the clearinghouse' });
}
