/**
 * Which units of a line a freeze takes (protocol §2.3 message 2): those that nobody misses first.
 */
import { chainLength, freeChain } from './chain.ts';
import type { Refusal } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';

/** What a source has of the line, not counting what is frozen already. */
export interface FreezeState {
  readonly unissued: number;
  readonly issued: number;
  readonly reserved: number;
  readonly quarantined: number;
  readonly wanted: number | 'all';
  /** How many of each kind may still be taken for this move; as many as there are where it is not said. */
  readonly room?: { readonly unissued: number; readonly held: number };
}

/** What is taken from each account. A freeze counts reserved and quarantined units as held. */
export interface FreezeSplit {
  readonly unissued: number;
  readonly issued: number;
  readonly reserved: number;
  readonly quarantined: number;
  /** issued + reserved + quarantined: what moves with, or for, its holders. */
  readonly held: number;
}

/**
 * Divides the wanted quantity: unissued units first, then issued ones (their holders in the order
 * of `earliestFirst`), then reserved, then quarantined. Refused: quantity-invalid,
 * move-more-than-there-is with both numbers (`asked` is 0 where all of nothing was asked for).
 */
export function splitFreeze(state: FreezeState): Result<FreezeSplit, Refusal> {
  const available = state.unissued + state.issued + state.reserved + state.quarantined;
  const wanted = state.wanted === 'all' ? available : state.wanted;
  if (state.wanted !== 'all' && (!Number.isInteger(wanted) || wanted < 1)) {
    return err({ code: 'quantity-invalid', quantity: wanted, most: available });
  }
  if (wanted > available || available === 0) {
    return err({ code: 'move-more-than-there-is', asked: wanted, available });
  }
  let left = wanted;
  const take = (present: number, room: number): number => {
    const taken = Math.min(present, left, room);
    left -= taken;
    return taken;
  };
  const { unissued: roomUnissued, held: roomHeld } = state.room ?? { unissued: available, held: available };
  const unissued = take(state.unissued, roomUnissued);
  const issued = take(state.issued, roomHeld);
  const reserved = take(state.reserved, roomHeld - issued);
  const quarantined = take(state.quarantined, roomHeld - issued - reserved);
  return ok({ unissued, issued, reserved, quarantined, held: issued + reserved + quarantined });
}

type Kinds = Pick<FreezeSplit, 'unissued' | 'held'>;

/** One grant brings a chain of each kind at most (protocol §3.4). */
const mostOfKind = chainLength(freeChain(0));

/** Whether one move can bring what it would freeze. Refused: move-too-large. */
export function checkOneMove({ unissued, held }: Kinds, most = mostOfKind): Result<null, Refusal> {
  if (unissued <= most && held <= most) return ok(null);
  return err({ code: 'move-too-large', asked: unissued + held, most });
}

/** What a move in parts may still take: holders who give a CAL back meanwhile make more unissued than were counted. */
export function roomAfter({ unissued, held }: Kinds, most = mostOfKind): Kinds {
  return { unissued: most - unissued, held: most - held };
}

/** How many of a line go with one move where all of them are to go; the others follow when it is done. */
export function quantityAtOnce(line: Kinds, most = mostOfKind): number | 'all' {
  return checkOneMove(line, most).ok ? 'all' : most;
}

/**
 * The holders whose units go with a partial move: those whose leases end first are the likeliest to
 * be gone. Equal ends go by unit number, so that a freeze that is decided again decides the same.
 */
export function earliestFirst<Holder extends { readonly leaseEndMs: number; readonly unit: number }>(
  holders: readonly Holder[],
  count: number,
): readonly Holder[] {
  return [...holders]
    .sort((one, other) => one.leaseEndMs - other.leaseEndMs || one.unit - other.unit)
    .slice(0, count);
}
