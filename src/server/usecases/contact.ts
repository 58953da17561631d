/** One exchange with the clearinghouse over the network: the outbox out, its answers in and applied. */
import type { Refusal } from '../../core/refusal.ts';
import { err, ok, type Result } from '../../core/result.ts';
import { readMeta } from '../../store/meta-rows.ts';
import type { ServerContext } from '../context.ts';
import { type AppliedMessages, applyMessages } from './apply-message.ts';
import { sealOutbox } from './outbox.ts';
import { readRequest } from './requests.ts';

/**
 * Contacts the clearinghouse. Contacts follow one another: two at once could arrive out of order and
 * would look like a forked server. Refused: `no-clearinghouse-address`, `clearinghouse-unreachable`,
 * and what is refused of the messages.
 */
export async function contactClearinghouse(
  context: ServerContext,
  call: { readonly waitMs: number },
): Promise<Result<AppliedMessages, Refusal>> {
  const before = context.cache.contact;
  const mine = before.then(() => contactOnce(context, call));
  context.cache.contact = mine.then(
    () => undefined,
    () => undefined,
  );
  return mine;
}

async function contactOnce(
  context: ServerContext,
  call: { readonly waitMs: number },
): Promise<Result<AppliedMessages, Refusal>> {
  const url = await context.store.read((tx) => readMeta(tx, 'clearinghouseUrl'));
  if (url === undefined || url === '') return err({ code: 'no-clearinghouse-address' });
  const messages = await sealOutbox(context);
  const answer = await context.delivery.exchange({
    ...{ url, messages, waitMs: call.waitMs, signal: context.stopping.signal },
  });
  if (!answer.ok) return answer;
  return applyMessages(context, { messages: answer.value, ofOthers: 'refuse' });
}

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
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const contact = await contactClearinghouse(context, { waitMs: 0 });
    if (!contact.ok) return contact;
    const request = await readRequest(context, id);
    if (!request.ok) return request;
    if (request.value?.state === 'done') return ok(JSON.parse(request.value.answer ?? '{}') as Record<string, unknown>);
  }
  return err({ code: 'answer-pending', waitingFor: 'the clearinghouse' });
}
