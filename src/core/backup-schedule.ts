/** When a backup is due and which ones are too many. Times are milliseconds since 1970 UTC. */
import { dayMs, hourMs, minuteMs } from './time.ts';

/** After a backup that failed: the disk may have been emptied, the share may be back. */
export const retryAfterMs = hourMs;

/** Closer together they would hardly be made before the next is due. */
const shortestMs = 10 * minuteMs;
const longestMs = 366 * dayMs;

const units: Readonly<Record<string, number>> = { m: minuteMs, h: hourMs, d: dayMs, w: 7 * dayMs };

/** `30m`, `12h`, `1d`, `2w`, from 10 minutes to 366 days; undefined for anything else. */
export function intervalMs(text: string): number | undefined {
  const [, count = '', unit = ''] = /^([1-9][0-9]{0,5})([mhdw])$/.exec(text) ?? [];
  const ms = Number(count) * (units[unit] ?? 0);
  return ms >= shortestMs && ms <= longestMs ? ms : undefined;
}

/**
 * When the next one is due. It is counted from the newest that is kept: so a restart begins nothing anew,
 * and what was missed is made up at once. A backup from after `nowMs` (the clock was set back) counts as
 * made now.
 */
export function nextBackupMs(of: {
  readonly everyMs: number;
  readonly newestMs: number | null;
  /** When the last attempt failed, if none has gone well since. */
  readonly failedMs: number | null;
  readonly nowMs: number;
}): number {
  const { everyMs, newestMs, failedMs, nowMs } = of;
  const due = newestMs === null ? nowMs : Math.min(newestMs, nowMs) + everyMs;
  return failedMs === null ? due : Math.max(due, Math.min(failedMs, nowMs) + retryAfterMs);
}

/** What is too much where the newest `keep` are kept, oldest first. */
export function surplusOf<Kept extends { readonly atMs: number }>(
  kept: readonly Kept[],
  keep: number,
): readonly Kept[] {
  const oldestFirst = kept.toSorted((one, other) => one.atMs - other.atMs);
  return oldestFirst.slice(0, Math.max(0, oldestFirst.length - keep));
}
