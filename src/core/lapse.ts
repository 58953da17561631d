/**
 * Units that come back to the clearinghouse from a move that was being undone while its source gave them
 * up. Licenses on them run on where they were given, on the source and perhaps on the target: in hand at
 * once they would be granted a second time. They wait until the last of those licenses has ended.
 */
import { longestLeaseMs } from './cal.ts';
import type { Awaited } from './move-awaited.ts';
import { isoDate } from './time.ts';

export interface Returning {
  /** All that comes back. */
  readonly units: number;
  /** How many of them nobody can have a license on. */
  readonly free: number;
  readonly nowMs: number;
  /** Ends of licenses that the servers have told. */
  readonly leaseEnds: readonly number[];
}

export interface Lapse {
  /** In hand at once. */
  readonly free: number;
  /** Quarantined until `endsAtMs`. */
  readonly waiting: number;
  readonly endsAtMs: number;
}

/**
 * What is in hand at once, and how long the rest waits: as long as the longest lease runs from now on,
 * since nothing new is given on these units any more; longer where a server has told a later end.
 */
export function lapseOf({ units, free, nowMs, leaseEnds }: Returning): Lapse {
  const endsAtMs = leaseEnds.reduce((latest, end) => Math.max(latest, end), nowMs + longestLeaseMs);
  return { free, waiting: units - free, endsAtMs };
}

/**
 * What such a move waits for, with the day. `toCome` of the units came to its source by a move by telephone whose own
 * source has still to release.
 */
export function awaitedLapse({
  units,
  endsAt,
  toCome,
}: {
  readonly units: number;
  readonly endsAt: number;
  readonly toCome: number;
}): Awaited {
  const later =
    toCome === 0 ? '' : ` ${toCome} of these come when the source of an earlier move has released them.`;
  const text =
    `Nothing more from anybody: the move was undone and its source has given the CALs up. Licenses on ${units} of ` +
    `them may still run; they are in hand after ${isoDate(endsAt)}.${later}`;
  return { from: 'nobody', text };
}
