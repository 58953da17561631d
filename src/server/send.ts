/**
 * Messages from this server to the clearinghouse: numbered and put into the outbox together with the
 * change that they speak of. They are signed when they leave (`usecases/outbox.ts`).
 */
import type { JsonObject } from '../core/json.ts';
import type { MessageType } from '../protocol/envelope.ts';
import { clearinghouseName } from '../protocol/envelope.ts';
import { nextCount, readMeta } from '../store/meta-rows.ts';
import type { OutgoingMessage, WriteTx } from '../store/port.ts';

export interface Outgoing {
  readonly id: string;
  readonly type: MessageType;
  readonly move?: string;
  readonly body: JsonObject;
}

/** Numbers a message and gives it the form in which the outbox keeps it. */
export async function outgoing(tx: WriteTx, message: Outgoing): Promise<OutgoingMessage> {
  const seq = await nextCount(tx, 'seq');
  const gen = Number((await readMeta(tx, 'generation')) ?? '1');
  return {
    id: message.id,
    recipient: clearinghouseName,
    type: message.type,
    body: {
      t: message.type,
      id: message.id,
      seq,
      gen,
      ...(message.move === undefined ? {} : { move: message.move }),
      body: message.body,
    },
  };
}
