/** The receipt of a freeze, the same by message and read out: what it counts is granted to the target. */
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err } from '../../core/result.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import type { MoveHappening, MoveOutcome } from './advance-move.ts';
import { advanceMove } from './advance-move.ts';

/**
 * Takes in what a source has frozen for a move that is reserved: it leaves the source's account, and is
 * granted at once. The split is the server's word, and stands in the row. Refused: `quantity-differs`
 * where the move was for another amount, and what `advanceMove` refuses.
 */
export async function takeFreeze(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: Pick<MoveHappening, 'move' | 'nowMs' | 'holders' | 'alsoFrom'>,
): Promise<Result<MoveOutcome, Refusal>> {
  const { move, nowMs, holders, alsoFrom } = of;
  const { quantity, unissued, held } = move;
  if (quantity !== 'all' && quantity !== unissued + held) {
    return err({ code: 'quantity-differs', expected: quantity, found: unissued + held });
  }
  const frozen = await advanceMove(context, tx, { move, event: 'frozen', nowMs });
  if (!frozen.ok) return frozen;
  return advanceMove(context, tx, { move: frozen.value.move, event: 'grant', nowMs, holders, alsoFrom });
}
