/**
 * Long lists of a move, which travel in parts ahead of the message that they belong to (protocol §2.3). A part
 * is a message of its own; that message says how many there are, and has nothing in its own list then.
 */
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import type { MessageType } from './messages.ts';

/** A list of at most `size` fits its message: there are no parts then, and all of it is the rest. */
export function cutList<Item>(
  items: readonly Item[],
  size: number,
): { readonly parts: readonly (readonly Item[])[]; readonly rest: readonly Item[] } {
  if (items.length <= size) return { parts: [], rest: items };
  const parts: (readonly Item[])[] = [];
  for (let from = 0; from < items.length; from += size) parts.push(items.slice(from, from + size));
  return { parts, rest: [] };
}

/**
 * The whole list: the parts that came, as JSON texts, and what the message itself has. Refused:
 * `message-invalid` where a part that it speaks of is missing.
 */
export function joinList<Item>(
  texts: readonly string[],
  of: { readonly parts: number | undefined; readonly rest: readonly Item[] },
): Result<readonly Item[], Refusal> {
  const { parts = 0, rest } = of;
  if (parts === 0) return ok(rest);
  if (texts.length !== parts) {
    const problem = `it speaks of ${parts} parts, ${texts.length} came before it`;
    return err({ code: 'message-invalid', problem });
  }
  return ok([...texts.flatMap((text) => JSON.parse(text) as Item[]), ...rest]);
}

/**
 * Messages in their order, parts that follow one another together: they change nothing but what is kept of
 * their list, so they may share a commit. Everything else stands by itself.
 */
export function runsOf<Item extends { readonly envelope: { readonly t: MessageType } }>(
  messages: readonly Item[],
): readonly (readonly Item[])[] {
  const runs: Item[][] = [];
  let before: MessageType | undefined;
  for (const message of messages) {
    const { t } = message.envelope;
    const run = runs.at(-1);
    if (run !== undefined && t === before && t.endsWith('-part')) run.push(message);
    else runs.push([message]);
    before = t;
  }
  return runs;
}
