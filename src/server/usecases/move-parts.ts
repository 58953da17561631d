/**
 * Parts of long lists that the clearinghouse sends ahead of the message that they belong to (protocol §2.3):
 * they are kept until it is here.
 */
import type { JsonObject } from '../../core/json.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { ok } from '../../core/result.ts';
import type { Message } from '../../protocol/envelope.ts';
import { joinList } from '../../protocol/list-parts.ts';
import type { PartList } from '../../store/part-rows.ts';
import { keepPart, takeParts } from '../../store/part-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import type { Handled, On } from './move-messages.ts';
import { targetState } from './move-row.ts';

export type PartMessage = Extract<Message, { t: 'grant-part' | 'unfreeze-part' | 'source-closed-part' }>;

/** Which list a part belongs to, what it has of it, and whether anybody will ask for it. */
function listOf(
  message: PartMessage,
  move: ServerMoveRow | undefined,
): { readonly list: PartList['list']; readonly items: readonly JsonObject[]; readonly isWanted: boolean } {
  switch (message.t) {
    case 'grant-part':
      return { list: 'holders', items: message.body.holders, isWanted: targetState(move) === 'none' };
    case 'unfreeze-part':
      return { list: 'returned', items: message.body.holders, isWanted: move?.state === 'frozen' };
    case 'source-closed-part': {
      const isOver = move?.state === 'closed' || move?.state === 'relinquished';
      return { list: 'leases', items: message.body.leases, isWanted: !isOver };
    }
  }
}

/** Keeps a part; one that came after what it belongs to, or after the end of its move, is passed over. */
export async function onPart(tx: WriteTx, { message, id, move }: On<PartMessage>): Handled {
  const { list, items, isWanted } = listOf(message, move);
  if (!isWanted) return ok(null);
  const { part } = message.body;
  await keepPart(tx, { move: id, list }, { part, text: JSON.stringify(items) });
  return ok(null);
}

/** A list with the parts of it that came before. Refused: `message-invalid` where one is missing. */
export async function wholeList<Item>(
  tx: WriteTx,
  of: PartList & { readonly parts: number | undefined; readonly told: readonly Item[] },
): Promise<Result<readonly Item[], Refusal>> {
  const { parts = 0, told } = of;
  return joinList(parts === 0 ? [] : await takeParts(tx, of), { parts, rest: told });
}
