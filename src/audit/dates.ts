/**
 * Whether the dates of a journal can be what they say. Leases, releases and exports are compared by them, and
 * nobody but the owner has set that clock: where they cannot be right, what they decide is not shown.
 */
import { dayMs, hourMs, isoTime } from '../core/time.ts';
import type { AuditEntry } from './entry.ts';
import type { Findings } from './finding.ts';
import type { Vouched } from './journal.ts';

interface Dates {
  readonly madeAtMs: number;
  /** Sizes that somebody else has signed, smallest first, and when. */
  readonly seen: readonly { readonly size: number; readonly atMs: number }[];
  readonly where: string;
  readonly findings: Findings;
}

/** Clocks differ a little, and commands that share a commit are dated before it. */
const betweenEntries = hourMs;
const betweenClocks = dayMs;

/** What looks at each entry's date; the first doubtful one of a journal is told. */
export function watchDates(
  vouched: readonly Vouched[],
  of: Omit<Dates, 'seen'>,
): (entry: AuditEntry, position: number) => void {
  const { madeAtMs, where, findings } = of;
  const seen = vouched
    .flatMap(({ size, seenAtMs: atMs }) => (atMs === undefined ? [] : [{ size, atMs }]))
    .sort((one, other) => one.size - other.size);
  let [latest, next, told] = [0, 0, false];
  return ({ at }, position) => {
    let [first] = [seen[next]];
    while (first !== undefined && first.size <= position) {
      next += 1;
      first = seen[next];
    }
    let problem: string | undefined;
    if (at > madeAtMs + betweenEntries) problem = 'after it was exported';
    else if (at < latest - betweenEntries)
      problem = `before an entry that stands earlier (${isoTime(latest)})`;
    else if (first !== undefined && at > first.atMs + betweenClocks) {
      problem = `after somebody else had signed it (${isoTime(first.atMs)})`;
    }
    latest = Math.max(latest, at);
    if (problem === undefined || told) return;
    told = true;
    const text = `entry ${position} is dated ${isoTime(at)}, ${problem}: some clock was wrong, and what ended when is not shown`;
    findings.add('not-shown', 'dates-doubtful', { where, text });
  };
}
