/**
 * Messages from the clearinghouse to a license server: numbered and put into the outbox together with
 * the change that they speak of. They are signed when they leave (`exchange.ts`).
 */
import type { JsonObject } from '../core/json.ts';
import type { MessageType } from '../protocol/envelope.ts';
import { parseBody } from '../protocol/messages.ts';
import { nextCount } from '../store/meta-rows.ts';
import type { OutgoingMessage, WriteTx } from '../store/port.ts';

export interface Outgoing {
  readonly id: string;
  readonly type: MessageType;
  readonly to: string;
  /** The journal whose head the signature will speak of. */
  readonly agreement: string;
  readonly move?: string;
  readonly body: JsonObject;
}

/**
 * Numbers a message and gives it the form in which the outbox keeps it. Throws where the body is none:
 * that is a bug, and in the outbox it would stop every message after it.
 */
export async function outgoing(tx: WriteTx, message: Outgoing): Promise<OutgoingMessage> {
  const form = parseBody(message.type, message.body);
  if (!form.ok) throw new TypeError(`${message.type} cannot be said so: ${form.error}`);
  const seq = await nextCount(tx, 'seq');
  return {
    id: message.id,
    recipient: message.to,
    type: message.type,
    body: {
      t: message.type,
      id: message.id,
      seq,
      log: message.agreement,
      ...(message.move === undefined ? {} : { move: message.move }),
      body: message.body,
    },
  };
}
