/**
 * Long lists of a move, which travel in parts ahead of the message that they belong to (protocol §2.3). A part
 * is a message of its own; that message says how many there are, and has nothing in its own list then.
 */
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';

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
