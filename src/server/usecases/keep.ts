/**
 * The target of a move that is to be undone has passed on what it was to give back: a code that was read out, or
 * may have been, cannot be taken back. It says so, and the move goes on to its end (protocol §2.4).
 */
import type { WriteTx } from '../../store/port.ts';
import { countReserved, lineReserves } from '../../store/reserve-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { openFreeze } from '../../store/server-rows.ts';
import { countLeaving } from '../../store/undo-rows.ts';
import type { ServerContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { noteEvent } from './events.ts';
import { accountsOf, serverLog } from './license-token.ts';
import { moveEvent } from './move-row.ts';
import { newId } from './new-id.ts';

/**
 * Whether fewer CALs are left here, and will be, than a move is to give back: of others those that came with a move of
 * their own are not taken for it (`giveUp`). A freeze by telephone is final, while one by messages may still come back.
 */
export async function hasPassedOn(
  tx: WriteTx,
  of: { readonly line: LineRow; readonly move: string; readonly source: string; readonly amount: number },
): Promise<boolean> {
  const { line, move } = of;
  const open = await openFreeze(tx, line.agreement, line.line);
  if (open?.carrier === 'online') return false;
  const named = await countReserved(tx, move);
  const reserves = (await lineReserves(tx, line.id)).filter(
    ({ id, source }) => id === move || source === of.source,
  );
  const nameless = reserves.reduce((sum, { amount }) => sum + amount, 0);
  const issued = await countLeaving(tx, { lineId: line.id, move });
  return (await tx.balance(accountsOf(line).unissued)) + issued + named + nameless < of.amount;
}

/** Tells the clearinghouse that a move keeps what it has brought. It is final here when that has been heard. */
export async function keep(
  context: ServerContext,
  tx: WriteTx,
  { line, move }: { readonly line: LineRow; readonly move: ServerMoveRow },
): Promise<void> {
  const { id, source } = move;
  await tx.post({
    log: serverLog,
    kind: 'kept',
    id: `keep:${id}`,
    at: context.clock.nowMs(),
    outbox: [await outgoing(tx, { id: newId(context), type: 'kept', move: id, body: {} })],
    body: { agreement: line.agreement, line: line.line, move: id, source },
  });
  await noteEvent(context, tx, { number: 5034, data: moveEvent(move) });
}
