/**
 * How far a license server's authority reaches: until its *horizon* it may give units to new
 * holders, until its *sunset* it may renew the holders it has (protocol §2.1). And whether its
 * clock can be believed. One agreement at a time: each has its own horizon.
 */
import type { Refusal } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';
import { dayMs, endOfMonthMs, isoTime, monthOf } from './time.ts';

/** Months from issue to the base month of kits and of certificates (protocol §3.4). */
export const horizonMonths = { automatic: 3, other: 13 } as const;
/** How far ahead a contact or a horizon code leads: not beyond that of a connection while units are at risk (protocol §5.5). */
export function monthsAhead(of: { readonly automatic: boolean; readonly atRisk: boolean }): number {
  return of.automatic || of.atRisk ? horizonMonths.automatic : horizonMonths.other;
}

/** From horizon to sunset; a publisher may choose fewer, 0 being strict (protocol §2.1). */
export const defaultSunsetMonths = 13;
/** Activation by telephone also hands out a horizon code with less than this left (protocol §3.4). */
export const renewBelowMonths = 12;

/** What a server may still do: give to anyone, renew its holders, or neither. */
export type Allowance = 'assign' | 'renew' | 'nothing';

export interface Standing {
  /** The last millisecond in which a new holder may be given a unit; null: without end. */
  readonly horizonMs: number | null;
  /** No token ends after this millisecond; null: without end. */
  readonly sunsetMs: number | null;
  readonly may: Allowance;
}

/**
 * The standing at `nowMs`. "May assign until the end of month base + e (UTC)" (protocol §3.4), and
 * renew for `sunsetMonths` more. `waived`: a trust list signed by the root has lifted horizons for
 * good (the publisher is gone). `risk`: CALs came here that may have a second holder, so what was signed further ahead
 * does not count until `untilMs`; what counts is that the clearinghouse was heard lately (protocol §5.5).
 */
export function standing(anchor: {
  /** `year * 12 + month - 1` of the kit or certificate. */
  readonly baseMonth: number;
  /** Position on the horizon chain. */
  readonly e: number;
  readonly sunsetMonths: number;
  readonly nowMs: number;
  readonly waived?: boolean;
  readonly risk?: { readonly untilMs: number; readonly heardMs: number } | null;
}): Standing {
  if (anchor.waived === true) return { horizonMs: null, sunsetMs: null, may: 'assign' };
  const signedMs = endOfMonthMs(anchor.baseMonth + anchor.e);
  const horizonMs = Math.min(signedMs, limitMs(anchor));
  const sunsetMs = endOfMonthMs(anchor.baseMonth + anchor.e + anchor.sunsetMonths);
  return { horizonMs, sunsetMs, may: allowance(anchor.nowMs, { horizonMs, sunsetMs }) };
}

/** How far units at risk let a horizon reach. */
function limitMs({ risk, nowMs }: Pick<Parameters<typeof standing>[0], 'risk' | 'nowMs'>): number {
  if (risk === undefined || risk === null || nowMs > risk.untilMs) return Number.MAX_SAFE_INTEGER;
  return endOfMonthMs(monthOf(risk.heardMs) + horizonMonths.automatic);
}

function allowance(nowMs: number, until: { horizonMs: number; sunsetMs: number }): Allowance {
  if (nowMs <= until.horizonMs) return 'assign';
  return nowMs <= until.sunsetMs ? 'renew' : 'nothing';
}

/** Whole calendar months from the month of `nowMs` to that of the horizon; 0 once it has passed. */
export function monthsLeft(horizonMs: number, nowMs: number): number {
  return nowMs > horizonMs ? 0 : monthOf(horizonMs) - monthOf(nowMs);
}

/** The position on the horizon chain that reaches `months` beyond the month of `nowMs`. */
export function horizonPosition(baseMonth: number, nowMs: number, months: number): number {
  return Math.max(0, monthOf(nowMs) + months - baseMonth);
}

export type HorizonWarning = 'none' | 'near' | 'passed' | 'sunset-passed';

/**
 * What to tell the administrator of a server that has had no contact: nothing until one third of
 * the time is left (protocol §5.4), counted from `sinceMs`, when the present horizon was received.
 */
export function horizonWarning(of: Standing, nowMs: number, sinceMs: number): HorizonWarning {
  if (of.horizonMs === null) return 'none';
  if (of.may === 'nothing') return 'sunset-passed';
  if (of.may === 'renew') return 'passed';
  return (of.horizonMs - nowMs) * 3 <= of.horizonMs - sinceMs ? 'near' : 'none';
}

/** A day apart is a time zone or a dead battery being set right; more is a clock that lies. */
export const clockToleranceMs = dayMs;

/**
 * Compares the clock with the newest time that this server has ever seen: its own last entry, or
 * the date of a signed message. Setting the clock back would stretch leases and horizon.
 * Refused: clock-behind.
 */
export function checkClock(nowMs: number, lastSeenMs: number): Result<number, Refusal> {
  if (lastSeenMs - nowMs <= clockToleranceMs) return ok(nowMs);
  return err({ code: 'clock-behind', now: isoTime(nowMs), seen: isoTime(lastSeenMs) });
}

/**
 * Compares two clocks that met in a live exchange, where the other side's time is that of this
 * moment. Refused: clock-behind, clock-ahead, for the clock that reads `nowMs`.
 */
export function compareClocks(nowMs: number, theirMs: number): Result<number, Refusal> {
  if (nowMs - theirMs > clockToleranceMs) {
    return err({ code: 'clock-ahead', now: isoTime(nowMs), seen: isoTime(theirMs) });
  }
  return checkClock(nowMs, theirMs);
}
