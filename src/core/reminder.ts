/**
 * When somebody is reminded of a move that has not come to its end. A reminder and never a deadline: a
 * timer that ended the overlap would stop somebody's work (protocol §2.4).
 */
import { dayMs } from './time.ts';

/** Days after the start of a move (protocol §2.4). */
const reminderDays = [14, 30, 60] as const;

/** Whole days since `sinceMs`; a clock that was put back makes none. */
export function ageDays(sinceMs: number, nowMs: number): number {
  return Math.max(0, Math.floor((nowMs - sinceMs) / dayMs));
}

/** The last reminder that a move of this age has reached, in days; 0 before the first. */
export function reminderReached(sinceMs: number, nowMs: number): number {
  const age = ageDays(sinceMs, nowMs);
  return reminderDays.findLast((days) => age >= days) ?? 0;
}
