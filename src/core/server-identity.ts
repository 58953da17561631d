/**
 * Whether a license server is still the one that its database belongs to, and how its database stands to what it has told
 * (protocol §5.2). Pure: what was read of machine, mark and database comes in.
 */
import type { FreeRange, HighWater, Reconciled, Standing } from './high-water.ts';
import { reconcile, sameRights } from './high-water.ts';

/** A signal as it was at the last start, compared with now; `unknown` where one of the two could not be read. */
export type Signal = 'same' | 'changed' | 'unknown';

/** What was found (protocol §5.1, §5.3). */
export interface IdentityFacts {
  /** `undecryptable`: there is one, and it does not open the server's key. */
  readonly secret: 'present' | 'absent' | 'undecryptable';
  readonly mark: HighWater | null;
  readonly database: HighWater;
  /** The unit numbers that the database has for new holders; looked at where it is older. */
  readonly free: readonly FreeRange[];
  /** Of the database to the mark; null without a mark. */
  readonly standing: Standing | null;
  /** DMI product UUID, VM generation id; in a container the id of its volume. */
  readonly machine: Signal;
  /** A host, a client or the clearinghouse has seen more of the journal, or another one. */
  readonly seenAhead: boolean;
  /** Why the past of the database is in doubt already; null: it is not. */
  readonly doubted: IdentityReason | null;
}

export type IdentityReason =
  | 'secret-absent'
  | 'secret-undecryptable'
  | 'mark-missing'
  | 'seen-ahead'
  | 'forked'
  | 'rights-changed'
  | 'units-given-on'
  | 'machine-changed'
  | 'older-database';

export type IdentityDecision =
  /** As it should be: the mark is brought up to date. */
  | { readonly result: 'ok' }
  /** An older database with the same rights: what was issued since is quarantined. */
  | { readonly result: 'reconcile'; readonly reason: 'older-database'; readonly lines: readonly Reconciled[] }
  /** Nothing new is given out until the clearinghouse has answered a fresh question. */
  | { readonly result: 'revalidate'; readonly reason: IdentityReason }
  /** A new key and License Server ID; issued holders are honored, nothing is unissued. */
  | { readonly result: 'system-replaced'; readonly reason: 'secret-absent' | 'secret-undecryptable' };

/**
 * The table of protocol §5.2, the gravest first: without its secret nothing else counts; then what shows that another copy
 * of this server has gone on; then what is only older.
 */
export function decideIdentity(facts: IdentityFacts): IdentityDecision {
  const { secret, mark, database, standing } = facts;
  if (secret === 'absent') return { result: 'system-replaced', reason: 'secret-absent' };
  if (secret === 'undecryptable') return { result: 'system-replaced', reason: 'secret-undecryptable' };
  if (facts.seenAhead) return { result: 'revalidate', reason: 'seen-ahead' };
  if (mark === null || standing === null) return { result: 'revalidate', reason: 'mark-missing' };
  if (standing === 'forked') return { result: 'revalidate', reason: 'forked' };
  // Another machine is either new hardware or a copy: with the same system or with one that was made another, nobody can tell.
  if (facts.machine === 'changed') return { result: 'revalidate', reason: 'machine-changed' };
  if (standing === 'ahead') return { result: 'ok' };
  if (!sameRights(mark, database)) return { result: 'revalidate', reason: 'rights-changed' };
  // What it was in doubt for is no more certain for its being older.
  if (facts.doubted !== null) return { result: 'revalidate', reason: facts.doubted };
  const lines = reconcile(mark, database, facts.free);
  return lines === undefined
    ? { result: 'revalidate', reason: 'units-given-on' }
    : { result: 'reconcile', reason: 'older-database', lines };
}
