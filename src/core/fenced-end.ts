/**
 * A move at one end of which is a license server that was declared to function no longer (protocol §2.5):
 * whatever state it is in, it ends without that server, and its units are at one place then.
 */
import type { MoveEvent, MoveState } from './move.ts';
import type { Awaited } from './move-awaited.ts';
import { isoDate } from './time.ts';

/** A move of which one end has been fenced off, as the books have it. */
export interface Orphan {
  readonly state: MoveState;
  /** Which of its ends is gone. */
  readonly end: 'source' | 'target';
  /** Whether the fence was put up for this very line, and whether the horizon of what is fenced has passed. */
  readonly sameLine: boolean;
  readonly horizonPassed: boolean;
}

/**
 * What is taken for said, since the one that should say it is fenced off (protocol §2.5); null: nothing, or
 * nothing yet. A source gives up what it had frozen: its horizon has passed, or a second person did not wait for
 * that on this line. A target gives back what it was granted, when its last license has ended; what came to it
 * from another dead source is its own, and what it was to get from one stays there.
 */
export function saidForFenced({ state, end, sameLine, horizonPassed }: Orphan): MoveEvent | null {
  switch (state) {
    case 'reserved':
    case 'granted':
    case 'installed':
      if (end === 'target') return 'target-gone';
      return sameLine || horizonPassed ? 'horizon-passed' : null;
    // Its target has the units, or is asked to give them back: only its source is awaited.
    case 'committed':
    case 'aborting':
      return end === 'source' && (sameLine || horizonPassed) ? 'horizon-passed' : null;
    // A declaration of its own: fenced by another line, it waits on for the horizon.
    case 'dead-wait':
    case 'fenced':
      return end === 'target' ? 'target-gone' : null;
    case 'frozen':
    case 'returning':
    case 'closed':
    case 'aborted':
      return null;
  }
}

/**
 * How many units of a move may have a second holder should the fenced end live: what a source had frozen for
 * holders, whom it renews; whatever a target was granted, if it does not go on with its other units.
 */
export function unitsAtStake(
  of: Pick<Orphan, 'state' | 'end'> & { readonly unissued: number; readonly held: number },
): number {
  const { state, end, unissued, held } = of;
  if (end === 'source') {
    return ['granted', 'installed', 'committed', 'aborting'].includes(state) ? held : 0;
  }
  return ['granted', 'installed', 'aborting', 'returning'].includes(state) ? unissued + held : 0;
}

/** What a move to a server waits for that was declared to function no longer, and is fenced off. */
export function awaitedWithoutTarget(of: {
  readonly state: 'aborting' | 'returning';
  readonly opensAtMs: number;
}): Awaited {
  const then = of.state === 'aborting' ? 'the source then has its CALs again' : 'they are then in hand';
  const text =
    'Nothing more from anybody: the target was declared to function no longer. The last license that it may have ' +
    `given on the CALs has ended after ${isoDate(of.opensAtMs)}; ${then}.`;
  return { from: 'nobody', text };
}

/** What an open move waits for of which one end was declared to function no longer, and may still speak. */
export function awaitedDeclared(of: {
  readonly awaited: Awaited;
  readonly state: MoveState;
  readonly end: Orphan['end'];
  readonly horizonMs: number;
}): Awaited {
  const { awaited, end, state } = of;
  if (saidForFenced({ state, end, sameLine: true, horizonPassed: true }) === null) return awaited;
  const then = end === 'source' ? 'this move ends without it' : 'the move is undone';
  const text =
    `${awaited.text} Its ${end} was declared to function no longer: if it does not speak, ${then} when its horizon ` +
    `(${isoDate(of.horizonMs)}) has passed, or a second person has not waited for that (calyx desk approve).`;
  return { ...awaited, text };
}

/** A declaration that had nothing to bring, since all that its source had was under way. */
export const awaitedNothing: Awaited = {
  from: 'nobody',
  text: 'Nothing more: the source is fenced off and had nothing left; the moves that it had begun were ended with it.',
};

/** What a move from a dead source waits for to which another server has still to release what it moved there. */
export function awaitedUnreleased({ id, source }: { readonly id: string; readonly source: string }): Awaited {
  const text =
    `License server ${source} has still to release what it moved to this source (move ${id}): at its next contact, or ` +
    'calyx server move --release, and its code read here. Where it no longer functions either, declare it so.';
  return { from: 'source', text };
}
