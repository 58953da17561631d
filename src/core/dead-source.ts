/**
 * A source that no longer functions (protocol §2.5): how long its units wait, how they are granted
 * then, who may release them earlier, and what its known holders are given meanwhile. Whether it is
 * really dead nobody here can know; so everything is safe, or counted as at risk, where it is not.
 */
import { longestLeaseMs } from './cal.ts';
import type { Awaited } from './move-awaited.ts';
import type { Refusal } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';
import { dayMs, endOfMonthMs, isoDate } from './time.ts';

/** What was ever signed for a server: a certificate or slot, and how far its horizon was moved on. */
export interface SignedHorizon {
  readonly baseMonth: number;
  readonly horizonE: number;
  readonly sunsetMonths: number;
}

/** When a server that may still run is over for new holders, and for all of them. */
export interface Ending {
  /** The last millisecond in which it may give a unit to a new holder. */
  readonly horizonMs: number;
  /** None of its tokens ends after this. */
  readonly sunsetMs: number;
}

/**
 * The latest ending of all that was signed for a server, whichever of it has arrived there: one that
 * never received its certificate goes on under the slot before it. null: nothing was ever signed.
 */
export function endingOf(signed: readonly SignedHorizon[]): Ending | null {
  if (signed.length === 0) return null;
  const endings = signed.map(({ baseMonth, horizonE, sunsetMonths }) => ({
    horizonMs: endOfMonthMs(baseMonth + horizonE),
    sunsetMs: endOfMonthMs(baseMonth + horizonE + sunsetMonths),
  }));
  return {
    horizonMs: Math.max(...endings.map((ending) => ending.horizonMs)),
    sunsetMs: Math.max(...endings.map((ending) => ending.sunsetMs)),
  };
}

/**
 * When the units of a dead source are open to others than its holders: 89 days after its horizon, when
 * the longest lease that it may have given by then has ended; or at its sunset, where that is earlier.
 */
export function opensAtMs({ horizonMs, sunsetMs }: Ending): number {
  return Math.min(horizonMs + longestLeaseMs, sunsetMs);
}

/**
 * How the units of a dead source are granted: as one reserve for its holders; all of them unissued
 * where every lease must have ended, or where a second person did not wait for that.
 */
export function splitGrant(of: {
  readonly units: number;
  readonly opensAtMs: number;
  readonly nowMs: number;
  readonly early: boolean;
}): { readonly unissued: number; readonly held: number } {
  const free = of.early || of.nowMs > of.opensAtMs;
  return free ? { unissued: of.units, held: 0 } : { unissued: 0, held: of.units };
}

/** Units that may have a second holder for a time, should their source live (protocol §2.5). */
export interface Risk {
  readonly units: number;
  readonly fromMs: number;
  readonly untilMs: number;
}

/**
 * What is at risk once the units are granted, up to the sunset of the source: from its horizon on what it renews when
 * its leases could have ended; where they were released early, whatever it still gives out, and renews then.
 */
export function riskOf(of: {
  readonly units: number;
  readonly opensAtMs: number;
  readonly sunsetMs: number;
  readonly nowMs: number;
  readonly early: boolean;
}): Risk {
  const { units, opensAtMs, sunsetMs, nowMs } = of;
  if (of.early) return { units, fromMs: nowMs, untilMs: sunsetMs };
  return { units: sunsetMs > opensAtMs ? units : 0, fromMs: opensAtMs, untilMs: sunsetMs };
}

/** What a customer signs: who says so, and what happened. */
export interface Statement {
  readonly by: string;
  readonly text: string;
}

const mostName = 100;
const mostText = 1000;

/** Reads "NAME: what happened". Refused: invalid-input. */
export function parseStatement(words: string): Result<Statement, Refusal> {
  const at = words.indexOf(':');
  const by = words.slice(0, Math.max(0, at)).trim();
  const text = words.slice(at + 1).trim();
  const problem =
    by === '' || text === '' || by.length > mostName || text.length > mostText
      ? 'say who declares it and what happened, as in "Ann Lee: the disk failed on Monday"'
      : null;
  return problem === null ? ok({ by, text }) : err({ code: 'invalid-input', field: 'statement', problem });
}

/** Early releases of one agreement in a year (protocol §2.5). */
const mostEarlyReleases = 2;
const earlyReleaseYearMs = 365 * dayMs;

/** How many early releases an agreement has left in its year, and the day of the next where it has none. */
export function earlyReleasesLeft(of: {
  /** When those before were approved. */
  readonly earlier: readonly number[];
  readonly nowMs: number;
}): { readonly left: number; readonly next: string | null } {
  const { earlier, nowMs } = of;
  const recent = earlier.filter((at) => nowMs - at < earlyReleaseYearMs).sort((a, b) => a - b);
  const blocking = recent[recent.length - mostEarlyReleases];
  if (blocking === undefined) return { left: mostEarlyReleases - recent.length, next: null };
  return { left: 0, next: isoDate(blocking + earlyReleaseYearMs) };
}

/**
 * Whether a person may release the units before the horizon. Refused: approval-same-person for whoever
 * declared the source dead, early-release-limit beyond two in twelve months, with the day of the next.
 */
export function checkEarlyRelease(request: {
  readonly move: string;
  readonly agreement: string;
  readonly by: string;
  /** Who said that the source no longer functions, and who entered that at the desk. */
  readonly declaredBy: readonly string[];
  /** When early releases of this agreement were approved. */
  readonly earlier: readonly number[];
  readonly nowMs: number;
}): Result<null, Refusal> {
  const { move, agreement, by } = request;
  if (by.trim() === '') {
    return err({ code: 'invalid-input', field: 'by', problem: 'say who approves it' });
  }
  if (request.declaredBy.some((name) => isSamePerson(name, by))) {
    return err({ code: 'approval-same-person', move, name: by.trim() });
  }
  const { next } = earlyReleasesLeft(request);
  return next === null
    ? ok(null)
    : err({ code: 'early-release-limit', agreement, most: mostEarlyReleases, next });
}

/** Names are compared as people read them: spaces and capitals make nobody a second person. */
export function isSamePerson(one: string, other: string): boolean {
  const plain = (name: string): string => name.normalize('NFKC').trim().replaceAll(/\s+/g, ' ').toLowerCase();
  return plain(one) === plain(other);
}

/** A token that ended longer ago than this opens no gap license any more (protocol §1.5). */
export const gapTokenMs = 90 * dayMs;

/**
 * Since when a server may have moved CALs away whose holders still show its tokens: none is longer than the longest
 * lease, and one that has ended shows its holder for a while.
 */
export function shownSince(nowMs: number): number {
  return nowMs - longestLeaseMs - gapTokenMs;
}

/** Whether a token of a dead source still shows its holder to be one of its present holders. */
export function showsHolder(expiresAtMs: number, nowMs: number): boolean {
  return nowMs - expiresAtMs <= gapTokenMs;
}

/** What a move from a dead source waits for, with the days. */
export function awaitedDead(of: {
  readonly horizonMs: number;
  readonly opensAtMs: number;
  readonly nowMs: number;
}): Awaited {
  const until = isoDate(of.horizonMs);
  const opens = isoDate(of.opensAtMs);
  if (of.nowMs > of.horizonMs) {
    const text =
      `The horizon of the source has passed (${until}). The clearinghouse is to grant its CALs to the target; ` +
      'where it cannot, see that the target is activated, or undo the move (calyx desk cancel).';
    return { from: 'clearinghouse', text };
  }
  const text =
    `The source is to speak again, or its horizon (${until}) is to pass; its CALs are then the target's, ` +
    `for its present holders at once and for others after ${opens}. A second person may release them earlier ` +
    '(calyx desk approve).';
  return { from: 'source', text };
}

/** The CALs of a dead source that one grant could not bring, and what they wait for, in words. */
export type Following = { readonly units: number; readonly awaited: string };

export function followingText({ units, awaited }: Following): string {
  return `${units} more CALs of this source follow by a move of their own. ${awaited}`;
}

/** What waits for an earlier grant to the same target: its certificate is renewed for these units when that is taken in. */
export function awaitedEarlierGrant({
  id,
  target,
}: {
  readonly id: string;
  readonly target: string;
}): Awaited {
  const text =
    'These are the CALs of the source that one grant could not bring. They are granted by themselves, when license server ' +
    `${target} has reported that it installed those granted before (move ${id}): at its next contact, or with the next file ` +
    'that is carried from it.';
  return { from: 'target', text };
}

/** The same on the target, which has taken the first CALs of that source in. */
export function awaitedRest(horizonMs: number): Awaited {
  const text =
    'CALs of the source are here, and others are still to come. It had more than one grant can bring: then the clearinghouse ' +
    'grants them by itself when it has heard that those before are installed, at the next contact of this server or with ' +
    'the next file that is carried from it. Or the publisher has a part of them wait: then when the horizon of the source ' +
    `(${isoDate(horizonMs)}) has passed.`;
  return { from: 'clearinghouse', text };
}

/** What could be granted, and the target can be granted nothing: why, and what helps, in the words of the refusal. */
export function awaitedGrantable(why: { readonly message: string; readonly next: string }): Awaited {
  return {
    from: 'clearinghouse',
    text:
      `The CALs are due, and are granted as soon as that is possible. ${why.message} ${why.next} The move can also be ` +
      'undone: calyx desk cancel.',
  };
}
