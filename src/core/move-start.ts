/** Whether a move may begin (protocol §2.2, §2.4); what becomes of it then is the table of move.ts. */
import { chainLength, freeChain } from './chain.ts';
import type { Carrier, MoveReason, MoveState, MoveStep } from './move.ts';
import type { Refusal } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';

/** What is asked for, and what the books have of it. */
export interface MoveWish {
  readonly reason: MoveReason;
  readonly carrier: Carrier;
  readonly source: string;
  readonly target: string;
  readonly quantity: number | 'all';
  /** What the books have committed to the source. */
  readonly committed: number;
  /** A move of the same line from the same source that is not over: the declaration, where it was declared dead. */
  readonly open: { readonly id: string; readonly state: MoveState } | null;
  /**
   * Whether moves of the line to or from the source are not over: it may be declared dead although nothing is
   * its own, so that they can end (§2.5).
   */
  readonly unfinished: boolean;
}

/**
 * Starts a move. One from a source that no longer functions starts like any other, and is declared so at
 * once (`declare-dead`); it takes the whole line, and does not wait for what the source had begun: a server
 * freezes for one move at a time (§2.4, rule 6), and this one will never freeze again. Refused:
 * move-to-itself, move-open, server-declared-dead, quantity-invalid, move-too-large, invalid-input, move-more-than-there-is.
 */
export function startMove(wish: MoveWish): Result<MoveStep, Refusal> {
  const { source, target, quantity, committed, open, carrier } = wish;
  const dead = wish.reason === 'dead';
  if (source === target) return err({ code: 'move-to-itself', licenseServerId: source });
  if (open?.state === 'dead-wait' || open?.state === 'fenced') {
    return err({ code: 'server-declared-dead', licenseServerId: source, move: open.id });
  }
  if (open !== null && !dead) return err({ code: 'move-open', move: open.id, state: open.state });
  if (dead && quantity !== 'all') {
    const problem = 'a source that no longer functions cannot keep a part: all CALs of the product are moved';
    return err({ code: 'invalid-input', field: 'quantity', problem });
  }
  if (quantity !== 'all' && (!Number.isInteger(quantity) || quantity < 1)) {
    return err({ code: 'quantity-invalid', quantity, most: committed });
  }
  const asked = quantity === 'all' ? committed : quantity;
  if (asked > committed || (committed === 0 && !(dead && wish.unfinished))) {
    return err({ code: 'move-more-than-there-is', asked, available: committed });
  }
  const most = chainLength(freeChain(0));
  // Whatever the split: there is a chain for each kind, and none brings more. Of all there is, only the source knows it.
  if (quantity !== 'all' && quantity > 2 * most)
    return err({ code: 'move-too-large', asked: quantity, most });
  // What has frozen for another move freezes for no second one; where it lives, that move goes on.
  const freezes = carrier === 'online' && (open === null || open.state === 'returning');
  const effects = freezes ? [{ do: 'send', to: 'source', message: 'freeze' } as const] : [];
  return ok({ state: 'reserved', effects, again: false });
}
