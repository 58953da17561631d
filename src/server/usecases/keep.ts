/**
 * The target of a move that is to be undone has passed on what it was to give back: a code that was read out, or
 * may have been, cannot be taken back. It says so, and the move goes on to its end (protocol §2.4).
 */
import type { WriteTx } from '../../store/port.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { openFreeze } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { noteEvent } from './events.ts';
import { accountsOf, serverLog } from './license-token.ts';
import { moveEvent } from './move-row.ts';
import { newId } from './new-id.ts';

/**
 * Whether fewer than `amount` CALs of a line are left here, and will be: a freeze by telephone is final, while
 * one by messages may still come back.
 */
export async function hasPassedOn(
  tx: WriteTx,
  { line, amount }: { readonly line: LineRow; readonly amount: number },
): Promise<boolean> {
  const open = await openFreeze(tx, line.agreement, line.line);
  if (open?.carrier === 'online') return false;
  const { unissued, issued, reserved } = accountsOf(line);
  let left = 0;
  for (const account of [unissued, issued, reserved]) left += await tx.balance(account);
  return left < amount;
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
