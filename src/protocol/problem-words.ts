/**
 * What every refusal says, as types, and the few phrases that all of them share. Words are for an
 * administrator at the end of a long day: what is wrong, with what, the numbers, what to do next.
 */
import { searchLimit } from '../core/chain.ts';
import type { RefusalCode, RefusalOf } from '../core/refusal.ts';

export interface Words {
  /** HTTP status (RFC 9110). */
  readonly status: number;
  /** The kind of problem, the same for every occurrence (RFC 9457). */
  readonly title: string;
  /** What is wrong here, with the numbers. */
  readonly message: string;
  /** What to do about it: a command where there is one. */
  readonly next: string;
}

/** One function per code; a missing one does not compile. */
export type WordsFor<Code extends RefusalCode> = {
  readonly [Each in Code]: (refusal: RefusalOf<Each>) => Words;
};

/** "1 CAL", "25 CALs". */
export function cals(count: number): string {
  return count === 1 ? '1 CAL' : `${count} CALs`;
}

/** What is typed for a key pack of so many CALs: a code of many is found only where it is said how many (protocol §3.4). */
export function installWords(from: string, units: number): string {
  const quantity = units > searchLimit ? ` --quantity ${units}` : '';
  return `calyx server install --code CODE --from ${from}${quantity}`;
}

/** "2026-11-24 15:04 UTC", wherever people read a time; to the second it stands in `--json`. */
export function when(iso: string): string {
  return iso.replace('T', ' ').replace(/(?::\d\d(?:\.\d+)?)?Z$/, ' UTC');
}

/** Why the past of a license server is in doubt (core/server-identity.ts). */
const doubts: Readonly<Record<string, string>> = {
  'mark-missing': 'The high-water mark beside the instance secret is missing or damaged',
  'seen-ahead': 'The clearinghouse has seen a journal of this license server that is not this one',
  forked: 'The database is that of a copy of this license server, which went on by itself',
  'rights-changed': 'The database is an older one, and CALs were installed, moved or given back since',
  'units-given-on': 'The database is an older one, and CALs were given from one holder to another since',
  'machine-changed': 'This is another machine, or a copy of the one that this license server ran on',
};

/** In a sentence. */
export function doubtWords(reason: string): string {
  return `${doubts[reason] ?? `Its past is in doubt (${reason})`}.`;
}

/** "a", "a or b", "a, b or c". */
export function anyOf(items: readonly string[]): string {
  const last = items.at(-1) ?? '';
  return items.length < 2 ? last : `${items.slice(0, -1).join(', ')} or ${last}`;
}
