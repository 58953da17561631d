/**
 * One journal, from its lines: every leaf hashed, the root compared at each size that somebody has signed,
 * and each entry handed to whoever replays it.
 */
import { base64url, equalBytes, hex } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import type { Frontier } from '../core/merkle.ts';
import { append, emptyFrontier, leafHash, rootOf } from '../core/merkle.ts';
import type { AuditEntry } from './entry.ts';
import { readEntry } from './entry.ts';
import type { Findings } from './finding.ts';

/** A size and root that a signature vouches for. */
export interface Vouched {
  readonly size: number;
  readonly root: Uint8Array;
  /** Who signed it and where it was found, in words. */
  readonly by: string;
  /** When another side than the journal's own says that it saw it so; undefined: none has signed it. */
  readonly seenAtMs: number | undefined;
}

export interface JournalToRead {
  readonly digest: Digest;
  readonly log: string;
  readonly size: number;
  readonly where: string;
  readonly vouched: readonly Vouched[];
  readonly findings: Findings;
  /** Whether such a head is of entries that are lost, as the entries before it have declared; undefined: none can be. */
  readonly isLost?: ((head: Omit<Vouched, 'root' | 'by'> & { readonly root: string }) => boolean) | undefined;
  readonly onEntry: (entry: AuditEntry, position: number, line: Uint8Array) => void;
  /** Where all leaves are to be kept, for proofs; undefined: they are not. */
  readonly leaves?: Uint8Array[] | undefined;
}

/** Reads exactly `size` entries. Answers whether there were so many. */
export function readJournal(lines: Iterator<Uint8Array>, journal: JournalToRead): boolean {
  const { digest, where, findings } = journal;
  const due = [...journal.vouched].sort((one, other) => one.size - other.size);
  const ids = new Set<string>();
  let frontier: Frontier = emptyFrontier;
  let next = compareAt(journal, due, { next: 0, frontier });
  for (let position = 0; position < journal.size; position += 1) {
    const line = lines.next();
    if (line.done === true) {
      const text = `it ends after ${position} of ${journal.size} entries`;
      findings.add('break', 'journal-short', { where, text });
      return false;
    }
    const leaf = leafHash(digest, line.value);
    journal.leaves?.push(leaf);
    frontier = append(digest, frontier, leaf);
    const entry = readEntry(line.value);
    if (entry === undefined || entry.log !== journal.log || ids.has(entry.id)) {
      const text = `entry ${position} ${problemOf(entry, journal.log)}`;
      findings.add('break', 'entry-unreadable', { where, text });
    } else {
      ids.add(entry.id);
      journal.onEntry(entry, position, line.value);
    }
    next = compareAt(journal, due, { next, frontier });
  }
  return true;
}

function problemOf(entry: AuditEntry | undefined, log: string): string {
  if (entry === undefined) return 'is not the one text of an entry';
  return entry.log === log
    ? `has the id of an earlier one (${entry.id})`
    : `is of another journal (${entry.log})`;
}

/** Of a head of entries that are lost. */
export function lostText({ by, size }: Vouched): string {
  return `${by} is of ${size} entries, of which those at the end were lost when an older database was put back, as is declared`;
}

/** Compares with everything that was signed at this size; answers what is to be compared next. */
function compareAt(
  { digest, where, findings, isLost }: JournalToRead,
  due: readonly Vouched[],
  at: { readonly next: number; readonly frontier: Frontier },
): number {
  let { next } = at;
  const { size } = at.frontier;
  const told = new Set<string>();
  for (let one = due[next]; one !== undefined && one.size === size; one = due[next]) {
    next += 1;
    const root = rootOf(digest, at.frontier);
    // The manifest and the checkpoint beside it say the same: that is one finding.
    if (equalBytes(root, one.root) || told.has(hex(one.root))) continue;
    told.add(hex(one.root));
    if (isLost?.({ size, root: base64url(one.root), seenAtMs: one.seenAtMs }) === true) {
      findings.add('note', 'lost-entries', { where, text: lostText(one) });
      continue;
    }
    const text = `its first ${size} entries have the root ${hex(root)}, ${one.by} says ${hex(one.root)}`;
    findings.add('break', 'root-differs', { where, text });
  }
  return next;
}
