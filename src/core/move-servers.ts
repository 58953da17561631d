/**
 * The source's and the target's part in a move, as explicit tables (protocol §2.2). A move by
 * telephone has no target part: there, key packs are codes like any other.
 */
import type { Carrier } from './move.ts';
import type { Refusal } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';

/** `none`: never heard of. `undone` is a tombstone: a freeze that comes later is not obeyed. */
export type SourceState = 'none' | 'frozen' | 'closed' | 'undone';

/** Orders of the clearinghouse, or the administrator's own decisions. */
export type SourceEvent = 'freeze' | 'unfreeze' | 'release';

export type SourceEffect =
  /** Chosen units (split.ts) → held. */
  | { readonly do: 'freeze-units' }
  /** Held units → as the unfreeze says. */
  | { readonly do: 'unfreeze-units' }
  /** Held units → gone; tokens of their holders run on to their ends. */
  | { readonly do: 'release-units' }
  | { readonly do: 'send'; readonly message: 'frozen' | 'released' }
  | { readonly do: 'read-out'; readonly confirmation: 'frozen' | 'released' };

/** `relinquished` is a tombstone, too: a grant that comes later is not applied. */
export type TargetState = 'none' | 'provisional' | 'final' | 'relinquished';

export type TargetEvent = 'grant' | 'final' | 'cancel' | 'source-closed';

export type TargetEffect =
  | { readonly do: 'apply-grant' }
  | { readonly do: 'make-final' }
  | { readonly do: 'relinquish-units' }
  /** Inherited units may be given to others when their leases have ended (protocol §2.4, rule 1). */
  | { readonly do: 'open-inherited' }
  | { readonly do: 'send'; readonly message: 'installed' | 'relinquished' };

export interface Step<State, Effect> {
  readonly state: State;
  readonly effects: readonly Effect[];
  /** The event had happened before: nothing changes, and the stored receipt stands. */
  readonly again: boolean;
}

type Cell<State, Effect> = { readonly to: State; readonly effects: readonly Effect[] } | 'again' | 'unknown';
type Table<State extends string, Event extends string, Effect> = Readonly<
  Record<State, Readonly<Partial<Record<Event, Cell<State, Effect>>>>>
>;

const freezeUnits: SourceEffect = { do: 'freeze-units' };
const releaseUnits: SourceEffect = { do: 'release-units' };

/** The source's table; `told` is how a receipt leaves it. */
function sourceTable(
  told: (receipt: 'frozen' | 'released') => SourceEffect,
): Table<SourceState, SourceEvent, SourceEffect> {
  return {
    none: {
      freeze: { to: 'frozen', effects: [freezeUnits, told('frozen')] },
      unfreeze: { to: 'undone', effects: [] },
      release: 'unknown',
    },
    frozen: {
      freeze: 'again',
      unfreeze: { to: 'undone', effects: [{ do: 'unfreeze-units' }] },
      release: { to: 'closed', effects: [releaseUnits, told('released')] },
    },
    closed: { freeze: 'again', unfreeze: 'again', release: 'again' },
    undone: { freeze: 'again', unfreeze: 'again' },
  };
}

const sourceTables: Readonly<Record<Carrier, Table<SourceState, SourceEvent, SourceEffect>>> = {
  online: sourceTable((message) => ({ do: 'send', message })),
  telephone: sourceTable((confirmation) => ({ do: 'read-out', confirmation })),
};

const targetTable: Table<TargetState, TargetEvent, TargetEffect> = {
  none: {
    grant: { to: 'provisional', effects: [{ do: 'apply-grant' }, { do: 'send', message: 'installed' }] },
    // Its chains must pass over the grant that never came; the units of it are nobody's here.
    cancel: { to: 'relinquished', effects: [{ do: 'send', message: 'relinquished' }] },
    final: 'unknown',
    'source-closed': 'unknown',
  },
  provisional: {
    grant: 'again',
    final: { to: 'final', effects: [{ do: 'make-final' }] },
    cancel: {
      to: 'relinquished',
      effects: [{ do: 'relinquish-units' }, { do: 'send', message: 'relinquished' }],
    },
    // Only a committed move closes its source: the final message was overtaken.
    'source-closed': { to: 'final', effects: [{ do: 'make-final' }, { do: 'open-inherited' }] },
  },
  final: {
    grant: 'again',
    final: 'again',
    'source-closed': { to: 'final', effects: [{ do: 'open-inherited' }] },
  },
  relinquished: { grant: 'again', cancel: 'again' },
};

function step<State extends string, Event extends string, Effect>(
  table: Table<State, Event, Effect>,
  move: { readonly id: string; readonly state: State },
  event: Event,
): Result<Step<State, Effect>, Refusal> {
  const cell = table[move.state][event];
  if (cell === undefined) return err({ code: 'move-state', move: move.id, state: move.state, act: event });
  if (cell === 'unknown') return err({ code: 'move-unknown', move: move.id });
  if (cell === 'again') return ok({ state: move.state, effects: [], again: true });
  return ok({ state: cell.to, effects: cell.effects, again: false });
}

/**
 * What a source does about an event. After a release everything else about the move comes too late
 * and is ignored: the receipt wins. Refused: move-unknown for a release without a freeze (it is
 * then not confirmed, and comes again), move-state for a release after an undo.
 */
export function advanceSource(
  move: { readonly id: string; readonly state: SourceState },
  event: SourceEvent,
  carrier: Carrier,
): Result<Step<SourceState, SourceEffect>, Refusal> {
  return step(sourceTables[carrier], move, event);
}

/**
 * What a target does about an event. `open-inherited` may come again and has to do nothing then.
 * Refused: move-unknown for what follows a grant and came before it (it is then not confirmed, and
 * comes again), move-state for what contradicts an end that was reached.
 */
export function advanceTarget(
  move: { readonly id: string; readonly state: TargetState },
  event: TargetEvent,
): Result<Step<TargetState, TargetEffect>, Refusal> {
  return step(targetTable, move, event);
}

/**
 * Checks that a source may freeze: not for itself, and one open freeze per line and server
 * (protocol §2.4, rule 6). `open` is the freeze that is not over, if any. The same move again is no
 * matter of this check. Refused: move-to-itself, move-open.
 */
export function checkFreeze(request: {
  readonly move: string;
  readonly source: string;
  readonly target: string;
  readonly open: { readonly id: string; readonly state: SourceState } | null;
}): Result<null, Refusal> {
  if (request.source === request.target) {
    return err({ code: 'move-to-itself', licenseServerId: request.source });
  }
  const { open } = request;
  if (open === null || open.id === request.move) return ok(null);
  return err({ code: 'move-open', move: open.id, state: open.state });
}
