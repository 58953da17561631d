/** Whether a move may begin, and what is done then; the states that it passes through are in move.ts. */
import type { Carrier, MoveReason, MoveState, MoveStep } from './move.ts';
import type { Refusal } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';

const askFreeze = { do: 'send', to: 'source', message: 'freeze' } as const;

/**
 * Starts a move. One from a source that no longer functions starts like any other, and is declared so at
 * once (`declare-dead`); it takes the whole line. Refused: move-to-itself, move-open, server-declared-dead,
 * quantity-invalid, invalid-input, move-more-than-there-is. `committed` is what the books say is on the
 * source; `open` is a move of the same line from the same source that is not over: a server freezes
 * for one at a time (protocol §2.4, rule 6).
 */
export function startMove(request: {
  readonly reason: MoveReason;
  readonly carrier: Carrier;
  readonly source: string;
  readonly target: string;
  readonly quantity: number | 'all';
  readonly committed: number;
  /** Whether units are in transit to the source: it may be declared dead although nothing is its own yet. */
  readonly coming?: boolean;
  readonly open: { readonly id: string; readonly state: MoveState } | null;
}): Result<MoveStep, Refusal> {
  const { source, target, quantity, committed, open } = request;
  if (source === target) return err({ code: 'move-to-itself', licenseServerId: source });
  if (open?.state === 'dead-wait' || open?.state === 'fenced') {
    return err({ code: 'server-declared-dead', licenseServerId: source, move: open.id });
  }
  if (open !== null) return err({ code: 'move-open', move: open.id, state: open.state });
  if (request.reason === 'dead' && quantity !== 'all') {
    const problem = 'a source that no longer functions cannot keep a part: all CALs of the product are moved';
    return err({ code: 'invalid-input', field: 'quantity', problem });
  }
  if (quantity !== 'all' && (!Number.isInteger(quantity) || quantity < 1)) {
    return err({ code: 'quantity-invalid', quantity, most: committed });
  }
  const asked = quantity === 'all' ? committed : quantity;
  const empty = committed === 0 && !(request.reason === 'dead' && request.coming);
  if (asked > committed || empty) {
    return err({ code: 'move-more-than-there-is', asked, available: committed });
  }
  const effects = request.carrier === 'online' ? [askFreeze] : [];
  return ok({ state: 'reserved', effects, again: false });
}
