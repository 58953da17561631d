/** Long lists of a move, which come in parts ahead of the receipt that they belong to (protocol §2.3). */
import type { JsonObject } from '../../core/json.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { ok } from '../../core/result.ts';
import type { Message } from '../../protocol/envelope.ts';
import { joinList } from '../../protocol/list-parts.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import type { PartList } from '../../store/part-rows.ts';
import { keepPart, takeParts } from '../../store/part-rows.ts';
import type { WriteTx } from '../../store/port.ts';

type PartMessage = Extract<Message, { t: 'frozen-part' | 'released-part' | 'relinquished-part' }>;

/** Which list a part belongs to, and what it has of it. */
function listOf(message: PartMessage): {
  readonly list: PartList['list'];
  readonly items: readonly JsonObject[];
} {
  switch (message.t) {
    case 'frozen-part':
      return { list: 'holders', items: message.body.holders };
    case 'released-part':
      return { list: 'leases', items: message.body.leases };
    case 'relinquished-part':
      return { list: 'returned', items: message.body.holders };
  }
}

/** A part of a long list comes ahead of its receipt, and is looked at with it. */
export async function keepOnePart(
  tx: WriteTx,
  { move, message }: { readonly move: MoveRow; readonly message: PartMessage },
): Promise<Result<null, Refusal>> {
  // A freeze that comes too late is not granted to anybody: nobody will ask for its holders.
  if (message.t === 'frozen-part' && move.state !== 'reserved' && move.state !== 'dead-wait') return ok(null);
  const { list, items } = listOf(message);
  const { part } = message.body;
  await keepPart(tx, { move: move.id, list }, { part, text: JSON.stringify(items) });
  return ok(null);
}

/** What a receipt says with the parts that came ahead of it. Refused: `message-invalid` where one is missing. */
async function withParts<Item>(
  tx: WriteTx,
  of: PartList & { readonly parts: number | undefined; readonly rest: readonly Item[] },
): Promise<Result<readonly Item[], Refusal>> {
  return joinList((of.parts ?? 0) === 0 ? [] : await takeParts(tx, of), of);
}

type NamedHolder = BodyOf<'frozen'>['holders'][number];

/**
 * The holders of a freeze. In parts one may stand twice, with a license and with another unit that was
 * reserved for it: it goes with the first, to the later end, and the other unit goes without a name.
 * Refused: `message-invalid` where a part is missing.
 */
export async function allHolders(
  tx: WriteTx,
  move: string,
  { parts, holders }: BodyOf<'frozen'>,
): Promise<Result<readonly NamedHolder[], Refusal>> {
  const all = await withParts(tx, { move, list: 'holders', parts, rest: holders });
  if (!all.ok || (parts ?? 0) === 0) return all;
  const named = new Map<string, NamedHolder>();
  for (const holder of all.value) {
    const first = named.get(holder.sub);
    // Times are ISO text of one form, which sorts as they do.
    if (first !== undefined && first.leaseEnd >= holder.leaseEnd) continue;
    named.set(holder.sub, { ...(first ?? holder), leaseEnd: holder.leaseEnd });
  }
  return ok([...named.values()]);
}

/** The lease ends of a release. Refused: `message-invalid` where a part is missing. */
export async function allLeases(
  tx: WriteTx,
  move: string,
  { parts, leases }: BodyOf<'released'>,
): Promise<Result<BodyOf<'released'>['leases'], Refusal>> {
  return withParts(tx, { move, list: 'leases', parts, rest: leases });
}

/** The holders of what is given back. Refused: `message-invalid` where a part is missing. */
export async function allReturned(
  tx: WriteTx,
  move: string,
  { parts, holders }: BodyOf<'relinquished'>,
): Promise<Result<BodyOf<'relinquished'>['holders'], Refusal>> {
  return withParts(tx, { move, list: 'returned', parts, rest: holders });
}
