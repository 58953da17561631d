/** Long lists of a move, which come in parts ahead of the receipt that they belong to (protocol §2.3). */
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import type { PartList } from '../../store/part-rows.ts';
import { keepPart, takeParts } from '../../store/part-rows.ts';
import type { WriteTx } from '../../store/port.ts';

/** A part of a long list comes ahead of its receipt, and is looked at with it. */
export async function keepOnePart(
  tx: WriteTx,
  {
    move,
    message,
  }: { readonly move: MoveRow; readonly message: MessageOf<'frozen-part'> | MessageOf<'released-part'> },
): Promise<Result<null, Refusal>> {
  const { part } = message.body;
  if (message.t === 'frozen-part') {
    // A freeze that comes too late is not granted to anybody: nobody will ask for its holders.
    if (move.state !== 'reserved' && move.state !== 'dead-wait') return ok(null);
    await keepPart(
      tx,
      { move: move.id, list: 'holders' },
      { part, text: JSON.stringify(message.body.holders) },
    );
  } else {
    await keepPart(
      tx,
      { move: move.id, list: 'leases' },
      { part, text: JSON.stringify(message.body.leases) },
    );
  }
  return ok(null);
}

/** What a receipt says with the parts that came ahead of it. Refused: `message-invalid` where one is missing. */
async function withParts<Item>(
  tx: WriteTx,
  of: PartList & { readonly parts: number | undefined; readonly told: readonly Item[] },
): Promise<Result<readonly Item[], Refusal>> {
  const { parts = 0, told } = of;
  if (parts === 0) return ok(told);
  const texts = await takeParts(tx, of);
  if (texts.length !== parts) {
    return err({
      code: 'message-invalid',
      problem: `it speaks of ${parts} parts, ${texts.length} came before it`,
    });
  }
  return ok([...texts.flatMap((text) => JSON.parse(text) as Item[]), ...told]);
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
  const all = await withParts(tx, { move, list: 'holders', parts, told: holders });
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
  return withParts(tx, { move, list: 'leases', parts, told: leases });
}
