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
 * its units up. The target still has to give them back; they then go to hand, not to the source, when
 * the licenses on them have ended.
 * `fenced` is *granted* with a source that no longer functions: nothing is awaited from it any more.
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
  | 'dead-wait'
  | 'fenced';

/** Receipts of the servers, and what people or the clearinghouse itself decide. */
export type MoveEvent =
  | 'frozen'
  | 'grant'
  | 'installed'
  | 'verified'
  | 'released'
  | 'cancel'
  | 'relinquished'
  /** The target cannot give back: what the move brought has left it by a code, which nothing undoes. */
  | 'kept'
  | 'declare-dead'
  | 'horizon-passed'
  | 'early-release'
  | 'dead-abort'
  /** The source was declared dead, and there is nothing of its own that could be granted. */
  | 'nothing-left'
  /** The target was declared dead and is fenced off: nothing is heard from it any more. */
  | 'target-gone'
  /** Its last license must have ended: what was in transit to it is nobody's there any more. */
  | 'target-lapsed';

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
  /** Post elsewhere: in transit → in hand, or quarantined while licenses on them may run (lapse.ts). */
  | { readonly do: 'post-to-lapse' }
  /** The same of what is committed to the source. */
  | { readonly do: 'source-to-lapse' }
  /** Pending: committed to the source → quarantined, until its horizon has passed. */
  | { readonly do: 'quarantine' }
  /** Void: quarantined → committed to the source again. */
  | { readonly do: 'end-quarantine' }
  /** The source is closed: its generation is over, and its messages have no effect any more. */
  | { readonly do: 'fence-source' }
  | {
      readonly do: 'send';
      readonly to: 'source' | 'target';
      readonly message:
        | 'freeze'
        | 'unfreeze'
        | 'release'
        | 'grant'
        | 'cancel'
        | 'final'
        | 'source-closed'
        | 'source-dead'
        | 'source-lives';
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

/** `again`: seen before. `freeze-first`: its freeze has not been heard of. */
type Entry = Cell | 'again' | 'freeze-first';
type Table = Readonly<Record<MoveState, Readonly<Partial<Record<MoveEvent, Entry>>>>>;

const toSource = (message: 'unfreeze' | 'release'): MoveEffect => ({
  do: 'send',
  to: 'source',
  message,
});
const toTarget = (
  message: 'grant' | 'cancel' | 'final' | 'source-closed' | 'source-dead' | 'source-lives',
): MoveEffect => ({
  do: 'send',
  to: 'target',
  message,
});
const readOut = (code: 'key-pack' | 'held-key-pack'): MoveEffect => ({ do: 'read-out', code });

const reserveInTransit: MoveEffect = { do: 'reserve-in-transit' };
const postToTarget: MoveEffect = { do: 'post-to-target' };
const voidToSource: MoveEffect = { do: 'void-to-source' };
const postToLapse: MoveEffect = { do: 'post-to-lapse' };
const sourceToLapse: MoveEffect = { do: 'source-to-lapse' };

const frozen: Cell = { to: 'frozen', effects: [reserveInTransit] };
/**
 * Undone before anything was frozen, as far as is known: the message stays with the source as a
 * tombstone, so that a freeze that is still under way is refused there (protocol §2.6, M4).
 */
const abandoned: Cell = { to: 'aborted', effects: [toSource('unfreeze')] };
/**
 * The source released after the undo was decided: its receipt wins, and the units go to hand (§1.4), when
 * the licenses on them have ended.
 */
const releasedAfterUndo: Cell = { to: 'closed', effects: [sourceToLapse] };
/** Released by a source on its own decision counts as verify and commit (§2.2). */
const releasedOnline: Cell = {
  to: 'closed',
  effects: [postToTarget, toTarget('final'), toTarget('source-closed')],
};
const releasedByTelephone: Cell = { to: 'closed', effects: [postToTarget, readOut('held-key-pack')] };
const undo: Cell = { to: 'aborting', effects: [toTarget('cancel')] };
/** Undone as well, and given back when every license that the target may have given has ended (§2.5). */
const withoutTarget: Cell = { to: 'aborting', effects: [] };
/** The target has given back, or has nothing any more that it could give. */
const givenBack: Cell = { to: 'aborted', effects: [voidToSource, toSource('unfreeze')] };
const givenBackAfterRelease: Cell = { to: 'closed', effects: [postToLapse] };
/** Given up by its source while its target is still to give back; by one that was fenced off, too. */
const givenUp: Cell = { to: 'returning', effects: [] };

/**
 * Too late to undo: the target has passed on what it was to give back. The units are its own, and so
 * the books cover what it has given up.
 */
const kept: Cell = { to: 'committed', effects: [postToTarget, toSource('release'), toTarget('final')] };

/** The units of a source that was declared to function no longer wait for its horizon (§2.5). */
const quarantine: MoveEffect = { do: 'quarantine' };
/** The source has spoken after all, or its horizon has passed: the units are in transit from now on. */
const intoTransit: readonly MoveEffect[] = [{ do: 'end-quarantine' }, reserveInTransit];
const fence: MoveEffect = { do: 'fence-source' };
const undeclared: readonly MoveEffect[] = [{ do: 'end-quarantine' }, toSource('unfreeze')];
/** The horizon has passed, or a second person did not wait for it: the source is fenced, the target granted. */
const fencedOnline: Cell = { to: 'fenced', effects: [...intoTransit, fence, toTarget('grant')] };
const fencedByTelephone: Cell = {
  to: 'closed',
  effects: [...intoTransit, fence, postToTarget, readOut('key-pack'), readOut('held-key-pack')],
};

const online: Table = {
  reserved: {
    frozen,
    released: 'freeze-first',
    cancel: abandoned,
    'horizon-passed': abandoned,
    'target-gone': abandoned,
    'declare-dead': { to: 'dead-wait', effects: [quarantine, toTarget('source-dead')] },
  },
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
    'horizon-passed': releasedOnline,
    'target-gone': withoutTarget,
    cancel: undo,
  },
  installed: {
    frozen: 'again',
    grant: 'again',
    installed: 'again',
    verified: { to: 'committed', effects: [postToTarget, toSource('release'), toTarget('final')] },
    released: releasedOnline,
    'horizon-passed': releasedOnline,
    'target-gone': withoutTarget,
    cancel: undo,
  },
  committed: {
    frozen: 'again',
    grant: 'again',
    installed: 'again',
    verified: 'again',
    kept: 'again',
    released: { to: 'closed', effects: [toTarget('source-closed')] },
    'horizon-passed': { to: 'closed', effects: [toTarget('source-closed')] },
  },
  closed: {
    frozen: 'again',
    grant: 'again',
    installed: 'again',
    verified: 'again',
    released: 'again',
    relinquished: 'again',
    kept: 'again',
    'horizon-passed': 'again',
    'target-gone': 'again',
    'target-lapsed': 'again',
  },
  aborting: {
    frozen: 'again',
    installed: 'again',
    cancel: 'again',
    released: givenUp,
    'horizon-passed': givenUp,
    relinquished: givenBack,
    kept,
    'target-gone': 'again',
    'target-lapsed': givenBack,
  },
  returning: {
    frozen: 'again',
    installed: 'again',
    cancel: 'again',
    released: 'again',
    relinquished: givenBackAfterRelease,
    kept: releasedOnline,
    'horizon-passed': 'again',
    'target-gone': 'again',
    'target-lapsed': givenBackAfterRelease,
  },
  aborted: {
    frozen: 'again',
    installed: 'again',
    cancel: 'again',
    released: releasedAfterUndo,
    relinquished: 'again',
    'horizon-passed': 'again',
    'target-gone': 'again',
    'target-lapsed': 'again',
    'dead-abort': 'again',
    'nothing-left': 'again',
  },
  'dead-wait': {
    frozen: { to: 'frozen', effects: intoTransit },
    released: { to: 'closed', effects: [...intoTransit, toTarget('grant'), ...releasedOnline.effects] },
    'declare-dead': 'again',
    'horizon-passed': fencedOnline,
    'early-release': fencedOnline,
    'dead-abort': { to: 'aborted', effects: [...undeclared, toTarget('source-lives')] },
    'target-gone': { to: 'aborted', effects: undeclared },
    'nothing-left': { to: 'aborted', effects: [fence, toTarget('source-lives')] },
  },
  fenced: {
    // Its units are the target's, and go with the others of a target that was declared dead as well.
    'target-gone': { to: 'closed', effects: [postToTarget] },
    grant: 'again',
    installed: releasedOnline,
    verified: 'again',
    released: 'again',
    'horizon-passed': 'again',
    'early-release': 'again',
  },
};

/**
 * By telephone the source freezes and releases on its own decision and reports it; the target
 * reports nothing, and nothing can be undone: undo is release and a grant back (protocol §2.2).
 */
const telephone: Table = {
  reserved: {
    frozen,
    released: 'freeze-first',
    cancel: abandoned,
    'horizon-passed': abandoned,
    'target-gone': abandoned,
    'declare-dead': { to: 'dead-wait', effects: [quarantine] },
  },
  frozen: {
    frozen: 'again',
    grant: { to: 'granted', effects: [readOut('key-pack')] },
    released: {
      to: 'closed',
      effects: [postToTarget, readOut('key-pack'), readOut('held-key-pack')],
    },
  },
  granted: {
    frozen: 'again',
    grant: 'again',
    released: releasedByTelephone,
    'horizon-passed': releasedByTelephone,
    'target-gone': withoutTarget,
  },
  installed: { frozen: 'again', grant: 'again', installed: 'again', released: releasedByTelephone },
  committed: { frozen: 'again', grant: 'again', verified: 'again', released: { to: 'closed', effects: [] } },
  closed: {
    frozen: 'again',
    grant: 'again',
    released: 'again',
    'horizon-passed': 'again',
    'early-release': 'again',
    'target-lapsed': 'again',
  },
  aborting: {
    frozen: 'again',
    cancel: 'again',
    released: givenUp,
    'horizon-passed': givenUp,
    'target-gone': 'again',
    'target-lapsed': givenBack,
  },
  returning: {
    frozen: 'again',
    cancel: 'again',
    released: 'again',
    'horizon-passed': 'again',
    'target-gone': 'again',
    'target-lapsed': givenBackAfterRelease,
  },
  aborted: {
    cancel: 'again',
    released: releasedAfterUndo,
    'horizon-passed': 'again',
    'dead-abort': 'again',
    'target-gone': 'again',
    'target-lapsed': 'again',
    'nothing-left': 'again',
  },
  'dead-wait': {
    frozen: { to: 'frozen', effects: intoTransit },
    released: {
      to: 'closed',
      effects: [...intoTransit, postToTarget, readOut('key-pack'), readOut('held-key-pack')],
    },
    'declare-dead': 'again',
    'horizon-passed': fencedByTelephone,
    'early-release': fencedByTelephone,
    'dead-abort': { to: 'aborted', effects: undeclared },
    'target-gone': { to: 'aborted', effects: undeclared },
    'nothing-left': { to: 'aborted', effects: [fence] },
  },
  fenced: { released: 'again' },
};

const tables: Readonly<Record<Carrier, Table>> = { online, telephone };

/**
 * What becomes of a move by an event. `carrier` is the move's own, however this event was heard of:
 * a release that is read out closes a move by messages, too. An event that was seen before answers
 * `again` without effects, never a refusal. Refused: move-state, earlier-code-missing.
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
  if (entry === 'again') return ok({ state: move.state, effects: [], again: true });
  return ok({ state: entry.to, effects: entry.effects, again: false });
}

/** Whether nothing more is expected. (A release can still be heard of after an undo.) */
export function isOver(state: MoveState): boolean {
  return state === 'closed' || state === 'aborted';
}

/** Whether the units of a move are in transit in the books. */
export function isInTransit(state: MoveState): boolean {
  return ['granted', 'installed', 'fenced', 'aborting', 'returning'].includes(state);
}

/** Whether its source has nothing left to do for it, be it over or not. */
export function isDoneBySource(state: MoveState): boolean {
  return isOver(state) || state === 'returning' || state === 'fenced';
}
