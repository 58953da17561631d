/**
 * Who holds which unit of a license server, entry by entry: for how long, and whether there are as many
 * holders as the books have units with one. Amounts are of the postings, names and dates of the words, and
 * neither is believed without the other.
 */
import type { LeaseKind } from '../core/cal.ts';
import { longestLeaseOf } from '../core/cal.ts';
import { lineOf } from '../core/ledger.ts';
import type { CalType } from '../core/product.ts';
import { dayMs, isoTime } from '../core/time.ts';
import type { AuditBooks, Movement } from './books.ts';
import type { AuditEntry } from './entry.ts';
import { numberIn, textIn } from './entry.ts';

interface Holder {
  readonly sub: string;
  /** When its last license ends, as far as this journal knows. */
  readonly until: number;
  /** When the last one of those ends that it had before; without end where one of another server may run on. */
  readonly others: number;
}

/** The holders of one line. */
interface Holders {
  readonly byUnit: Map<number, Holder>;
  /** Units with a holder that are frozen for a move out. */
  held: number;
  /** How many of `byUnit` have left: what gives licenses up says how many, and not which. */
  left: number;
  /** Those of `byUnit` of whom something was heard since: they have not left. */
  readonly heard: Set<number>;
  /** By how many holders and books have differed already: each difference is told once. */
  differs: number;
}

/** All lines of one server, by `agreement/line`. */
export interface HolderBooks {
  readonly server: string;
  /** What lines are for, by `agreement/line`, where a kit or a certificate says it. */
  readonly types: ReadonlyMap<string, CalType>;
  readonly lines: Map<string, Holders>;
  /** The latest date of any entry so far. */
  latestMs: number;
}

export interface HolderProblem {
  readonly code: string;
  readonly text: string;
}

interface OnEntry {
  readonly books: AuditBooks;
  readonly moved: readonly Movement[];
  /** How many units ever came into a line. */
  readonly cameIn: (agreement: string, line: number) => number;
}

/** Replays what an entry says of holders. Answers in words what cannot be. */
export function replayHolders(
  holding: HolderBooks,
  entry: AuditEntry,
  { books, moved, cameIn }: OnEntry,
): readonly HolderProblem[] {
  const problems: HolderProblem[] = [];
  const { kind, body } = entry;
  holding.latestMs = Math.max(holding.latestMs, entry.at);
  const { latestMs } = holding;
  const lines = new Set<string>();
  for (const movement of moved) {
    noteMoved(holding, movement);
    lines.add(lineIn(movement.from));
  }
  const isGiven = giving.has(kind);
  if (isGiven || kind === 'returned' || kind === 'expired') {
    const [agreement, number] = [textIn(body, 'agreement'), numberIn(body, 'line')];
    const line = `${agreement}/${number}`;
    const on = { line, holders: holdersOf(holding, line), problems };
    if (isGiven) noteGiven(holding, entry, { ...on, brought: cameIn(agreement, number) });
    else noteUnits(entry, on);
    lines.add(line);
  }
  if (withoutUnit.has(kind)) {
    checkLease(entry, { kind: 'temporary', what: 'a temporary license', latestMs, problems });
  }
  for (const line of lines) compare(holdersOf(holding, line), { line, books, problems });
  return problems;
}

/** Licenses that spend no unit (protocol §1.5). */
export const withoutUnit: ReadonlySet<string> = new Set(['temporary', 'gap-license', 'gap-license-renewed']);

const giving: ReadonlySet<string> = new Set(['issued', 'taken-over', 'recovered', 'renewed']);

const lineIn = (account: string): string => lineOf(account) ?? '';
const nameIn = (account: string): string => account.slice(lineIn(account).length + 1);

function holdersOf({ lines }: HolderBooks, line: string): Holders {
  const holders = lines.get(line) ?? {
    ...{ byUnit: new Map(), held: 0, left: 0, heard: new Set(), differs: 0 },
  };
  lines.set(line, holders);
  return holders;
}

/** Licenses that a move holds, that it does not hold any more, and that have left. */
function noteMoved(holding: HolderBooks, { by, origin, to, amount }: Movement): void {
  if (nameIn(origin) !== 'issued') return;
  const holders = holdersOf(holding, lineIn(origin));
  if (by === 'pending') holders.held += amount;
  if (by === 'post' || by === 'void') holders.held -= amount;
  if (nameIn(to) !== 'installed') return;
  holders.left += amount;
  holders.heard.clear();
  settle(holders);
}

/** Who has left is known as soon as of as many as are still here something was heard. */
function settle(holders: Holders): void {
  const { byUnit, heard } = holders;
  if (holders.left === 0 || heard.size !== byUnit.size - holders.left) return;
  for (const unit of byUnit.keys()) if (!heard.has(unit)) byUnit.delete(unit);
  holders.left = 0;
}

interface OnLine {
  readonly line: string;
  readonly holders: Holders;
  readonly problems: HolderProblem[];
}

/** A unit is given, renewed, given back or free again. */
function noteUnits({ kind, body, at }: AuditEntry, on: OnLine): void {
  const { line, holders } = on;
  const [unit, sub] = [numberIn(body, 'unit'), textIn(body, 'sub')];
  const holder = holders.byUnit.get(unit);
  if (kind === 'returned') {
    const text = `${sub} gives unit ${line}/${unit} back and does not hold it`;
    if (holder?.sub !== sub) on.problems.push({ code: 'holder-unknown', text });
    heardOf(holders, unit);
    // Where it waits, its number is free when its lease has ended, like any other.
    if (body['waits'] === false) free(on, { unit, at, runs: holder?.others ?? 0 });
  }
  if (kind !== 'expired') return;
  for (const each of unitsIn(body)) {
    const known = holders.byUnit.get(each);
    const text = `unit ${line}/${each} is taken back, and nobody holds it`;
    if (known === undefined) on.problems.push({ code: 'holder-unknown', text });
    heardOf(holders, each);
    free(on, { unit: each, at, runs: known?.until ?? 0 });
  }
}

/** A unit is given to a holder, or again to the one that it has. */
function noteGiven(
  { server, types, latestMs }: HolderBooks,
  entry: AuditEntry,
  on: OnLine & { readonly brought: number },
): void {
  const { line, holders, problems, brought } = on;
  const { kind, body } = entry;
  const [unit, sub] = [numberIn(body, 'unit'), textIn(body, 'sub')];
  const what = `unit ${line}/${unit}`;
  const holder = holders.byUnit.get(unit);
  const told = (code: string, text: string): void => void problems.push({ code, text });
  if (holder !== undefined && holder.sub !== sub) {
    told('unit-twice', `${what} goes to ${sub} and is held by ${holder.sub}`);
  } else if (kind === 'renewed' && holder === undefined) {
    told('holder-unknown', `${what} is renewed for ${sub}, who does not hold it`);
  }
  if (unit > brought) told('unit-twice', `${what} is given out, and ${brought} ever came in`);
  checkLease(entry, { kind: types.get(line) ?? 'device', what, latestMs, problems });
  const before = holder?.until ?? 0;
  const foreign = kind !== 'renewed' && textIn(body, 'origin') !== `${server}/${unit}`;
  const others = foreign ? Number.POSITIVE_INFINITY : Math.max(before, holder?.others ?? 0);
  holders.byUnit.set(unit, { sub, until: Math.max(numberIn(body, 'until'), before), others });
  heardOf(holders, unit);
}

function unitsIn(body: AuditEntry['body']): readonly number[] {
  const units = body['units'];
  return Array.isArray(units) ? units.filter((unit) => typeof unit === 'number') : [];
}

/** Whoever is heard of is here. */
function heardOf(holders: Holders, unit: number): void {
  if (holders.left === 0 || !holders.byUnit.has(unit)) return;
  holders.heard.add(unit);
  settle(holders);
}

/** Its number may be somebody else's now: no license for it can run any more (protocol §2.4, §3.6). */
function free(
  { line, holders, problems }: OnLine,
  of: { readonly unit: number; readonly at: number; readonly runs: number },
): void {
  const { unit, at, runs } = of;
  holders.byUnit.delete(unit);
  holders.heard.delete(unit);
  settle(holders);
  if (at >= runs) return;
  const until = Number.isFinite(runs)
    ? `until ${isoTime(runs)}`
    : 'on another license server, for all that is known';
  problems.push({
    code: 'lease-runs',
    text: `unit ${line}/${unit} is free for others on ${isoTime(at)}, and a license for it runs ${until}`,
  });
}

/**
 * No license is longer than the rules allow (protocol §1.5, §9): everything waits no longer than that. One that is
 * signed anew under another certificate keeps its end, though the clock was put back meanwhile.
 */
function checkLease(
  { body }: AuditEntry,
  of: {
    readonly kind: LeaseKind;
    readonly what: string;
    readonly latestMs: number;
    readonly problems: HolderProblem[];
  },
): void {
  const until = numberIn(body, 'until');
  const longest = longestLeaseOf(of.kind);
  if (until - of.latestMs <= longest) return;
  const text = `${of.what} is given until ${isoTime(until)}, and ${longest / dayMs} days are the longest lease`;
  of.problems.push({ code: 'lease-too-long', text });
}

/** As many holders as there are units with one: issued, and held for moves. */
function compare(
  holders: Holders,
  of: { readonly line: string; readonly books: AuditBooks; readonly problems: HolderProblem[] },
): void {
  const { line, books, problems } = of;
  const counted = (books.balances.get(`${line}/issued`) ?? 0) + holders.held;
  const there = holders.byUnit.size - holders.left;
  const differs = there - counted;
  if (differs !== holders.differs) {
    const text = `line ${line} has ${there} holders, and ${counted} units that are issued or held for them`;
    problems.push({ code: 'holders-differ', text });
  }
  holders.differs = differs;
}
