/**
 * Messages from the clearinghouse to a license server: numbered and put into the outbox together with
 * the change that they speak of. They are signed when they leave (`exchange.ts`).
 */
import type { Draft, MessageContent } from '../protocol/message-content.ts';
import { contentOf } from '../protocol/message-content.ts';
import { nextCount } from '../store/meta-rows.ts';
import type { OutgoingMessage, WriteTx } from '../store/port.ts';

export interface Outgoing extends Draft {
  readonly to: string;
  /** The journal whose head the signature will speak of. */
  readonly agreement: string;
}

/** What the clearinghouse's outbox keeps of a message; `log` is the journal that the signature will speak of. */
export type ClearinghouseContent = MessageContent & { readonly log: string };

/** Numbers a message and gives it the form in which the outbox keeps it. Throws where the body is none. */
export async function outgoing(tx: WriteTx, message: Outgoing): Promise<OutgoingMessage> {
  const seq = await nextCount(tx, 'seq');
  const { id, type, to: recipient, agreement: log } = message;
  return { id, recipient, type, body: contentOf(message, { seq, log }) };
}
