/**
 * The content of a message: what its sender's outbox keeps from the moment it was decided until it was
 * received. It is numbered and checked when it is made, and signed each time that it leaves (protocol §2.3).
 */
import { base64url } from '../core/bytes.ts';
import type { JsonObject } from '../core/json.ts';
import { dayMs, isoTime } from '../core/time.ts';
import { sealEnvelope } from './envelope.ts';
import type { MessageType } from './messages.ts';
import { parseBody } from './messages.ts';
import type { SigningKey } from './paseto.ts';

/** How long a message may be under way: one that lay in a drawer for longer is asked for again. */
const messageDays = 60;

/** A message as a use case says it. */
export interface Draft {
  readonly id: string;
  readonly type: MessageType;
  readonly move?: string;
  readonly body: JsonObject;
}

/** What every content has; a sender adds what it needs to know when it signs. */
export type MessageContent = JsonObject & {
  readonly t: MessageType;
  readonly id: string;
  readonly seq: number;
  readonly move?: string;
  readonly body: JsonObject;
};

/**
 * The content of a message under its number and what else its sender marks it with. Throws where the body
 * is none: that is a bug, and in the outbox it would stop every message after it.
 */
export function contentOf<Marks extends JsonObject & { readonly seq: number }>(
  { id, type, move, body }: Draft,
  marks: Marks,
): MessageContent & Marks {
  const form = parseBody(type, body);
  if (!form.ok) throw new TypeError(`${type} cannot be said so: ${form.error}`);
  return { t: type, id, ...marks, ...(move === undefined ? {} : { move }), body };
}

/** What belongs to the sending and not to the message: it differs each time. */
export interface Sending {
  /** The sender, its generation and the head of the journal that the message speaks of. */
  readonly from: {
    readonly id: string;
    readonly gen: number;
    readonly head: { readonly size: number; readonly root: Uint8Array };
  };
  readonly to: string;
  readonly nowMs: number;
  readonly key: SigningKey;
}

/** Signs a content now, as `contentOf` has made it. Throws where its claims are none (a bug). */
export function sealContent(content: MessageContent, { from, to, nowMs, key }: Sending): string {
  const { id, gen, head } = from;
  return sealEnvelope(
    {
      ...{ t: content.t, v: 1, id: content.id },
      iat: isoTime(nowMs),
      exp: isoTime(nowMs + messageDays * dayMs),
      from: { id, gen, seq: content.seq, log: { size: head.size, root: base64url(head.root) } },
      to,
      ...(content.move === undefined ? {} : { move: content.move }),
      body: content.body,
    },
    { key },
  );
}
