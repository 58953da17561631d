/**
 * A move as the clearinghouse sees it: an explicit table of states and events (protocol §2.2). What
 * is to be done comes out as data; the use case does it in the transaction that changes the state.
 * The source's and the target's part in it are in move-servers.ts.
 */
import type { Refusal } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';

/**
 * The states of protocol §2.2, and `returning`: a move that was being undone when its source gave
 * its units up. The target still has to give them back; they then go to hand, not to the source.
 */
export type MoveState =
  | 'reserved'
  | 'frozen'
  | 'granted'
  | 'installed'
  | 'committed'
  | 'closed'
  | 'aborting'
  | 'returning'
  | 'aborted'
  | 'dead-wait';

/** Receipts of the servers, and what people or the clearinghouse itself decide. */
export type MoveEvent =
  | 'frozen'
  | 'grant'
  | 'installed'
  | 'verified'
  | 'released'
  | 'cancel'
  | 'relinquished'
  | 'declare-dead'
  | 'horizon-passed'
  | 'dead-abort';

/** How a move's grant travels: as signed messages (HTTPS, file, QR), or as codes read out. */
export type Carrier = 'online' | 'telephone';

export type MoveReason = 'replaced' | 'dead';

/** What the clearinghouse does about an event. Amounts are those of the freeze. */
export type MoveEffect =
  /** Pending: committed to the source → in transit. */
  | { readonly do: 'reserve-in-transit' }
  /** Post: in transit → committed to the target. */
  | { readonly do: 'post-to-target' }
  /** Void: in transit → committed to the source again. */
  | { readonly do: 'void-to-source' }
  /** Post elsewhere: in transit → in hand. */
  | { readonly do: 'post-to-hand' }
  /** Transfer: committed to the source → in hand. */
  | { readonly do: 'source-to-hand' }
  | {
      readonly do: 'send';
      readonly to: 'source' | 'target';
      readonly message: 'freeze' | 'unfreeze' | 'release' | 'grant' | 'cancel' | 'final' | 'source-closed';
    }
  /** A code for the target: of the unissued part, or of the held part. Nothing where it is 0 units. */
  | { readonly do: 'read-out'; readonly code: 'key-pack' | 'held-key-pack' };

export interface MoveStep {
  readonly state: MoveState;
  readonly effects: readonly MoveEffect[];
  /** The event had happened before: nothing changes, and the first answer stands. */
  readonly again: boolean;
}

interface Cell {
  readonly to: MoveState;
  readonly effects: readonly MoveEffect[];
}

/** `again`: seen before. `freeze-first`: its freeze has not been heard of. `later`: a later version. */
type Entry = Cell | 'again' | 'freeze-first' | 'later';
type Table = Readonly<Record<MoveState, Readonly<Partial<Record<MoveEvent, Entry>>>>>;

const toSource = (message: 'freeze' | 'unfreeze' | 'release'): MoveEffect => ({
  do: 'send',
  to: 'source',
  message,
});
const toTarget = (message: 'grant' | 'cancel' | 'final' | 'source-closed'): MoveEffect => ({
  do: 'send',
  to: 'target',
  message,
});
const readOut = (code: 'key-pack' | 'held-key-pack'): MoveEffect => ({ do: 'read-out', code });

const reserveInTransit: MoveEffect = { do: 'reserve-in-transit' };
const postToTarget: MoveEffect = { do: 'post-to-target' };
const voidToSource: MoveEffect = { do: 'void-to-source' };
const postToHand: MoveEffect = { do: 'post-to-hand' };
const sourceToHand: MoveEffect = { do: 'source-to-hand' };

const frozen: Cell = { to: 'frozen', effects: [reserveInTransit] };
/**
 * Undone before anything was frozen, as far as is known: the message stays with the source as a
 * tombstone, so that a freeze that is still under way is refused there (protocol §2.6, M4).
 */
const abandoned: Cell = { to: 'aborted', effects: [toSource('unfreeze')] };
/** The source released after the undo was decided: its receipt wins, the units go to hand (§1.4). */
const releasedAfterUndo: Cell = { to: 'closed', effects: [sourceToHand] };
/** Released by a source on its own decision counts as verify and commit (§2.2). */
const releasedOnline: Cell = {
  to: 'closed',
  effects: [postToTarget, toTarget('final'), toTarget('source-closed')],
};
const releasedByTelephone: Cell = { to: 'closed', effects: [postToTarget, readOut('held-key-pack')] };
const undo: Cell = { to: 'aborting', effects: [toTarget('cancel')] };

const deadWait = {
  frozen: 'later',
  released: 'later',
  cancel: 'later',
  'horizon-passed': 'later',
  'dead-abort': 'later',
} as const;

const online: Table = {
  reserved: { frozen, released: 'freeze-first', cancel: abandoned, 'declare-dead': 'later' },
  frozen: {
    frozen: 'again',
    grant: { to: 'granted', effects: [toTarget('grant')] },
    released: { to: 'closed', effects: [toTarget('grant'), ...releasedOnline.effects] },
    cancel: { to: 'aborted', effects: [voidToSource, toSource('unfreeze')] },
  },
  granted: {
    frozen: 'again',
    grant: 'again',
    installed: { to: 'installed', effects: [] },
    released: releasedOnline,
    cancel: undo,
  },
  installed: {
    frozen: 'again',
    grant: 'again',
    installed: 'again',
    verified: { to: 'committed', effects: [postToTarget, toSource('release'), toTarget('final')] },
    released: releasedOnline,
    cancel: undo,
  },
  committed: {
    frozen: 'again',
    grant: 'again',
    installed: 'again',
    verified: 'again',
    released: { to: 'closed', effects: [toTarget('source-closed')] },
  },
  closed: {
    frozen: 'again',
    grant: 'again',
    installed: 'again',
    verified: 'again',
    released: 'again',
    relinquished: 'again',
  },
  aborting: {
    frozen: 'again',
    installed: 'again',
    cancel: 'again',
    released: { to: 'returning', effects: [] },
    relinquished: { to: 'aborted', effects: [voidToSource, toSource('unfreeze')] },
  },
  returning: {
    frozen: 'again',
    installed: 'again',
    cancel: 'again',
    released: 'again',
    relinquished: { to: 'closed', effects: [postToHand] },
  },
  aborted: {
    frozen: 'again',
    installed: 'again',
    cancel: 'again',
    released: releasedAfterUndo,
    relinquished: 'again',
  },
  'dead-wait': deadWait,
};

/**
 * By telephone the source freezes and releases on its own decision and reports it; the target
 * reports nothing, and nothing can be undone: undo is release and a grant back (protocol §2.2).
 */
const telephone: Table = {
  reserved: { frozen, released: 'freeze-first', cancel: abandoned, 'declare-dead': 'later' },
  frozen: {
    frozen: 'again',
    grant: { to: 'granted', effects: [readOut('key-pack')] },
    released: {
      to: 'closed',
      effects: [postToTarget, readOut('key-pack'), readOut('held-key-pack')],
    },
  },
  granted: { frozen: 'again', grant: 'again', released: releasedByTelephone },
  installed: { frozen: 'again', grant: 'again', installed: 'again', released: releasedByTelephone },
  committed: { frozen: 'again', grant: 'again', verified: 'again', released: { to: 'closed', effects: [] } },
  closed: { frozen: 'again', grant: 'again', released: 'again' },
  aborting: { frozen: 'again', cancel: 'again', released: { to: 'returning', effects: [] } },
  returning: { frozen: 'again', cancel: 'again', released: 'again' },
  aborted: { cancel: 'again', released: releasedAfterUndo },
  'dead-wait': deadWait,
};

const tables: Readonly<Record<Carrier, Table>> = { online, telephone };

const deadSource = 'a move from a license server that no longer functions';

/**
 * Starts a move. Refused: not-yet-supported for a source that no longer functions, move-to-itself,
 * move-open, quantity-invalid, move-more-than-there-is. `committed` is what the books say is on the
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
  readonly open: { readonly id: string; readonly state: MoveState } | null;
}): Result<MoveStep, Refusal> {
  const { source, target, quantity, committed, open } = request;
  if (source === target) return err({ code: 'move-to-itself', licenseServerId: source });
  if (request.reason === 'dead') return err({ code: 'not-yet-supported', what: deadSource });
  if (open !== null) return err({ code: 'move-open', move: open.id, state: open.state });
  if (quantity !== 'all' && (!Number.isInteger(quantity) || quantity < 1)) {
    return err({ code: 'quantity-invalid', quantity, most: committed });
  }
  const asked = quantity === 'all' ? committed : quantity;
  if (asked > committed || committed === 0) {
    return err({ code: 'move-more-than-there-is', asked, available: committed });
  }
  const effects = request.carrier === 'online' ? [toSource('freeze')] : [];
  return ok({ state: 'reserved', effects, again: false });
}

/**
 * What becomes of a move by an event. `carrier` is the move's own, however this event was heard of:
 * a release that is read out closes a move by messages, too. An event that was seen before answers
 * `again` without effects, never a refusal. Refused: move-state, earlier-code-missing,
 * not-yet-supported.
 */
export function advance(
  move: { readonly id: string; readonly state: MoveState },
  event: MoveEvent,
  carrier: Carrier,
): Result<MoveStep, Refusal> {
  const entry = tables[carrier][move.state][event];
  if (entry === undefined) {
    return err({ code: 'move-state', move: move.id, state: move.state, act: event });
  }
  if (entry === 'freeze-first') return err({ code: 'earlier-code-missing', kind: 'frozen' });
  if (entry === 'later') return err({ code: 'not-yet-supported', what: deadSource });
  if (entry === 'again') return ok({ state: move.state, effects: [], again: true });
  return ok({ state: entry.to, effects: entry.effects, again: false });
}

/** Whether nothing more is expected. (A release can still be heard of after an undo.) */
export function isOver(state: MoveState): boolean {
  return state === 'closed' || state === 'aborted';
}

/** Whether its source has nothing left to do for it, be it over or not. */
export function isDoneBySource(state: MoveState): boolean {
  return isOver(state) || state === 'returning';
}

/** From whom something is awaited, and what, as a sentence for people. */
export interface Awaited {
  readonly from: 'source' | 'target' | 'clearinghouse' | 'administrator' | 'nobody';
  readonly text: string;
}

const nothingMore: Awaited = { from: 'nobody', text: 'Nothing more: the move is finished.' };
const undone: Awaited = { from: 'nobody', text: 'Nothing more: the move was undone.' };

const awaitedOnline: Readonly<Record<MoveState, Awaited>> = {
  reserved: {
    from: 'source',
    text: 'The source is to freeze the CALs and send its receipt; it does so at its next contact.',
  },
  frozen: { from: 'clearinghouse', text: 'The clearinghouse is to grant the frozen CALs to the target.' },
  granted: { from: 'target', text: 'The target is to install the CALs and report it at its next contact.' },
  installed: {
    from: 'administrator',
    text: 'Try the target, then confirm that it works: repeat calyx server move without --hold.',
  },
  committed: {
    from: 'source',
    text: 'The source is to release the CALs and send its receipt; it does so at its next contact.',
  },
  closed: nothingMore,
  aborting: {
    from: 'target',
    text: 'The target is to give back what it installed, before the undo is complete.',
  },
  returning: {
    from: 'target',
    text: 'The source has given its CALs up; when the target gives back what it installed, they are in hand.',
  },
  aborted: undone,
  'dead-wait': { from: 'nobody', text: 'The horizon of the source is to pass.' },
};

const release =
  'Install and try the unissued CALs on the target, then deactivate the source (calyx server deactivate ' +
  '--code-out) or release this product there (calyx server move --release), and read its code: calyx desk confirm CODE.';

const awaitedByTelephone: Readonly<Record<MoveState, Awaited>> = {
  reserved: {
    from: 'source',
    text:
      'Freeze the CALs on the source (calyx server move --freeze) and read its code to the clearinghouse: ' +
      'calyx desk confirm CODE.',
  },
  frozen: {
    from: 'clearinghouse',
    text: 'The clearinghouse is to read out the key pack of the unissued CALs.',
  },
  granted: { from: 'source', text: release },
  installed: { from: 'source', text: release },
  committed: { from: 'source', text: release },
  closed: {
    from: 'nobody',
    text: 'Nothing more, once the codes that were read out are typed on the target (calyx desk repeat reads them again).',
  },
  aborting: awaitedOnline.aborting,
  returning: awaitedOnline.returning,
  aborted: undone,
  'dead-wait': awaitedOnline['dead-wait'],
};

/** What a move waits for, in words. */
export function awaited(state: MoveState, carrier: Carrier): Awaited {
  return (carrier === 'online' ? awaitedOnline : awaitedByTelephone)[state];
}
