/** The rehearsal of a move as the desk would enter it: played on the real books to its end, and undone. */
import type { MoveReason } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { ok } from '../../core/result.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { rehearse } from '../../store/rehearse.ts';
import type { ClearinghouseContext } from '../context.ts';
import { newId } from './new-id.ts';
import type { PlayedMove } from './play-move.ts';
import { playMove } from './play-move.ts';
import { endOf } from './rehearse-move.ts';
import type { MoveOrder } from './start-move.ts';
import { deskStart } from './start-move.ts';

type End = BodyOf<'rehearsed'>['target'] & { readonly licenseServerId: string };

export type DeskRehearsal = Omit<PlayedMove, 'entered'> & {
  readonly agreement: string;
  readonly product: string;
  readonly type: string;
  readonly quantity: number | 'all';
  readonly reason: MoveReason;
  readonly source: End;
  readonly target: End;
};

/**
 * What a source would freeze is not known here, so that what is asked for counts as unissued, as far as a chain goes. What will be
 * said of a dead source need not be known yet. Refused: whatever the move would be refused, now or later.
 */
export async function rehearseDeskMove(
  context: ClearinghouseContext,
  order: Omit<MoveOrder, 'requestId'>,
): Promise<Result<DeskRehearsal, Refusal>> {
  const statement = order.statement ?? 'rehearsal: rehearsal';
  const planned = deskStart(context, { ...order, statement, requestId: newId(context) });
  if (!planned.ok) return planned;
  const start = planned.value;
  const played = await rehearse(context.store, (tx) =>
    playMove(context, tx, { start, present: undefined, frozen: null }),
  );
  if (!played.ok) return played;
  const { books, dead, following } = played.value;
  const { agreement, product, type, quantity, reason, from, to } = start;
  const ends = await context.store.read(async (tx) => ({
    source: { licenseServerId: from, ...(await endOf(context, tx, { licenseServerId: from, agreement })) },
    target: { licenseServerId: to, ...(await endOf(context, tx, { licenseServerId: to, agreement })) },
  }));
  return ok({ agreement, product, type, quantity, reason, books, dead, following, ...ends });
}
