/**
 * Messages from this server to the clearinghouse: numbered and put into the outbox together with the
 * change that they speak of. They are signed when they leave (`usecases/outbox.ts`).
 */
import { clearinghouseName } from '../protocol/envelope.ts';
import type { Draft, MessageContent } from '../protocol/message-content.ts';
import { contentOf } from '../protocol/message-content.ts';
import { nextCount } from '../store/meta-rows.ts';
import type { OutgoingMessage, WriteTx } from '../store/port.ts';
import { readGeneration } from './generation.ts';

/** What this server's outbox keeps of a message; `gen` is the generation in which it was said. */
export type ServerContent = MessageContent & { readonly gen: number };

/** Numbers a message and gives it the form in which the outbox keeps it. Throws where the body is none. */
export async function outgoing(tx: WriteTx, message: Draft): Promise<OutgoingMessage> {
  const seq = await nextCount(tx, 'seq');
  const gen = await readGeneration(tx);
  const { id, type } = message;
  return { id, recipient: clearinghouseName, type, body: contentOf(message, { seq, gen }) };
}
