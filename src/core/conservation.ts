/**
 * The equation of a move across three books (protocol §1.3): what the clearinghouse, the source and the
 * target each say of one line, held against each other. Says whether it fits, what does not, and where
 * every CAL that was bought is. Who signed what is for protocol/move-report.ts.
 */

/** What a license server says of a line. */
export interface ServerNumbers {
  readonly installed: number;
  readonly unissued: number;
  readonly issued: number;
  readonly held: number;
  readonly reserved: number;
  readonly quarantined: number;
  /** Units that were proven to it, in all, ever; what it does not have of them it has given up. */
  readonly granted: number;
}

/** What the clearinghouse says of a line. */
export interface ClearinghouseNumbers {
  readonly entitled: number;
  readonly inHand: number;
  readonly retired: number;
  /** Of a source that no longer functions, until its horizon has passed; or until licenses on them have ended. */
  readonly quarantined: readonly {
    readonly move: string;
    /** null where its source has given them up, and licenses on them may still run. */
    readonly source: string | null;
    readonly amount: number;
  }[];
  readonly committed: readonly {
    readonly licenseServerId: string;
    readonly generation: number;
    readonly amount: number;
  }[];
  readonly inTransit: readonly { readonly move: string; readonly target: string; readonly amount: number }[];
}

/** What the clearinghouse's books said of a server when they took its statement in. */
export interface Heard {
  /** Of the server's journal, as its statement told: which statement this was. */
  readonly size: number;
  readonly committed: number;
  /** In transit to it, or in quarantine since it was declared to function no longer. */
  readonly coming: number;
  /** Units revealed to it, in all, ever. */
  readonly granted: number;
}

export interface MovedAmounts {
  readonly unissued: number;
  readonly held: number;
}

export interface ServerWord {
  readonly licenseServerId: string;
  /** The size of its journal where it says this. */
  readonly size: number;
  readonly numbers: ServerNumbers;
  /** What the move took along, where the statement is about this move. */
  readonly moved: MovedAmounts | null;
}

export interface ClearinghouseWord {
  readonly numbers: ClearinghouseNumbers;
  readonly moved: MovedAmounts;
  /**
   * Whose statement is not waited for: of a source that functions no longer and was closed, and of a side that
   * a move had not reached when it was undone.
   */
  readonly silent: readonly Side[];
  readonly heard: { readonly source: Heard | null; readonly target: Heard | null };
}

export type Side = 'clearinghouse' | 'source' | 'target';

/** What is known of a move; null: that statement is missing. */
export interface Evidence {
  readonly clearinghouse: ClearinghouseWord | null;
  readonly source: ServerWord | null;
  readonly target: ServerWord | null;
}

export interface Finding {
  readonly code:
    | 'sum-differs'
    | 'more-than-granted'
    | 'more-than-committed'
    | 'moved-differs'
    | 'statement-missing'
    /** The clearinghouse's statement does not speak of this one of the server yet. */
    | 'statement-unheard';
  readonly side: Side;
  readonly expected: number;
  readonly found: number;
}

/** Where all that was bought is; the parts add up to `purchased`. */
export interface Totals {
  readonly purchased: number;
  /** Given to no server. */
  readonly inHand: number;
  /** On source and target together. */
  readonly unissued: number;
  readonly issued: number;
  readonly reserved: number;
  /** On source, target and at the clearinghouse. */
  readonly quarantined: number;
  /** Between servers, and not the target's yet; what a source still holds of it is in `held`. */
  readonly inTransit: number;
  readonly retired: number;
  /** Committed to other servers of the agreement. */
  readonly elsewhere: number;
  /** Granted to source or target and not installed there yet. */
  readonly underWay: number;
  /** Given up by source or target, and not heard of by the clearinghouse yet. */
  readonly unheard: number;
  /** Given to source and target since they said this, less what was taken. */
  readonly since: number;
  /** Committed to source or target, whose statement is missing. */
  readonly unstated: number;
  /** Frozen on source or target: no part of the sum, because the clearinghouse has it in transit. */
  readonly held: number;
}

export interface Conservation {
  readonly verdict: 'ok' | 'broken' | 'incomplete';
  readonly findings: readonly Finding[];
  /** null where the clearinghouse's statement is missing. */
  readonly totals: Totals | null;
}

const sum = (amounts: readonly number[]): number => amounts.reduce((total, amount) => total + amount, 0);
const sumOf = (rows: readonly { readonly amount: number }[]): number => sum(rows.map((row) => row.amount));

/** I1 of the clearinghouse, every part counted. */
function checkBooks({ numbers }: ClearinghouseWord): readonly Finding[] {
  const { entitled, inHand, retired, quarantined, committed, inTransit } = numbers;
  const found = inHand + retired + sumOf(quarantined) + sumOf(committed) + sumOf(inTransit);
  return found === entitled
    ? []
    : [{ code: 'sum-differs', side: 'clearinghouse', expected: entitled, found }];
}

/** I2 of a server. */
function checkServer(side: Side, { numbers }: ServerWord): readonly Finding[] {
  const { installed, unissued, issued, held, reserved, quarantined } = numbers;
  const found = unissued + issued + held + reserved + quarantined;
  return found === installed ? [] : [{ code: 'sum-differs', side, expected: installed, found }];
}

/** What becomes of the difference between a server's books and the clearinghouse's account of it. */
interface Difference {
  readonly underWay: number;
  readonly unheard: number;
}

/**
 * The link between both books (protocol §1.3, I3), to the unit: installed − held = committed + in transit to
 * it − what is under way − what it has given up and is not booked yet; neither may be below zero.
 */
function differenceOf({ numbers }: ServerWord, heard: Heard): Difference {
  const { granted, installed, held } = numbers;
  const bookedOut = heard.granted - heard.committed - heard.coming;
  return { underWay: heard.granted - granted, unheard: granted - installed + held - bookedOut };
}

function checkLink(side: Side, word: ServerWord, heard: Heard): readonly Finding[] {
  const { underWay, unheard } = differenceOf(word, heard);
  const { granted, installed, held } = word.numbers;
  const findings: Finding[] = [];
  if (underWay < 0) {
    findings.push({ code: 'more-than-granted', side, expected: heard.granted, found: granted });
  }
  if (unheard < 0) {
    const expected = heard.committed + heard.coming;
    findings.push({ code: 'more-than-committed', side, expected, found: installed - held });
  }
  return findings;
}

function checkMoved(side: Side, word: ServerWord, moved: MovedAmounts): readonly Finding[] {
  if (word.moved === null) return [];
  const wrong = (['unissued', 'held'] as const).find((part) => word.moved?.[part] !== moved[part]);
  if (wrong === undefined) return [];
  return [{ code: 'moved-differs', side, expected: moved[wrong], found: word.moved[wrong] }];
}

const missing = (side: Side): Finding => ({ code: 'statement-missing', side, expected: 1, found: 0 });

/** A server's statement that the clearinghouse has taken in, with what its books said of it then. */
interface Heeded {
  readonly side: 'source' | 'target';
  readonly word: ServerWord;
  readonly heard: Heard;
}

function heeded(evidence: Evidence): readonly Heeded[] {
  return (['source', 'target'] as const).flatMap((side) => {
    const word = evidence[side];
    const heard = evidence.clearinghouse?.heard[side] ?? null;
    return word !== null && heard !== null && heard.size === word.size ? [{ side, word, heard }] : [];
  });
}

/**
 * Holds the three statements against each other. `broken` where one does not add up by itself, where a
 * server has more than was granted or committed to it, or where they differ over what the move took;
 * `incomplete` where one is missing that is waited for, or the clearinghouse's is older than a server's.
 */
export function checkConservation(
  evidence: Evidence,
  ends: { readonly source: string; readonly target: string },
): Conservation {
  const { clearinghouse } = evidence;
  const broken: Finding[] = clearinghouse === null ? [] : [...checkBooks(clearinghouse)];
  const lacking: Finding[] = clearinghouse === null ? [missing('clearinghouse')] : [];
  const linked = heeded(evidence);
  for (const side of ['source', 'target'] as const) {
    const word = evidence[side];
    if (word === null) {
      if (clearinghouse?.silent.includes(side) !== true) lacking.push(missing(side));
      continue;
    }
    broken.push(...checkServer(side, word));
    if (clearinghouse === null) continue;
    broken.push(...checkMoved(side, word, clearinghouse.moved));
    const link = linked.find((each) => each.side === side);
    if (link !== undefined) broken.push(...checkLink(side, word, link.heard));
    else {
      const found = clearinghouse.heard[side]?.size ?? 0;
      lacking.push({ code: 'statement-unheard', side, expected: word.size, found });
    }
  }
  const verdict = lacking.length > 0 ? 'incomplete' : 'ok';
  return {
    verdict: broken.length > 0 ? 'broken' : verdict,
    findings: [...broken, ...lacking],
    totals: clearinghouse === null ? null : totalsOf(clearinghouse.numbers, linked, ends),
  };
}

function totalsOf(
  numbers: ClearinghouseNumbers,
  linked: readonly Heeded[],
  ends: { readonly source: string; readonly target: string },
): Totals {
  const { entitled, inHand, retired, committed, inTransit, quarantined } = numbers;
  const stating = new Set(linked.map(({ word }) => word.licenseServerId));
  const committedTo = (wanted: (licenseServerId: string) => boolean): number =>
    sumOf(committed.filter((row) => wanted(row.licenseServerId)));
  const into = inTransit.filter((row) => stating.has(row.target));
  const doubted = quarantined.filter((row) => row.source !== null && stating.has(row.source));
  const isEnd = (id: string): boolean => id === ends.source || id === ends.target;
  const of = (part: keyof ServerNumbers): number => sum(linked.map(({ word }) => word.numbers[part]));
  const differences = linked.map(({ word, heard }) => differenceOf(word, heard));
  const then = sum(linked.map(({ heard }) => heard.committed + heard.coming));
  return {
    ...{ purchased: entitled, inHand, retired },
    ...{ unissued: of('unissued'), issued: of('issued'), reserved: of('reserved'), held: of('held') },
    quarantined: sumOf(quarantined) - sumOf(doubted) + of('quarantined'),
    inTransit: sumOf(inTransit) - sumOf(into),
    elsewhere: committedTo((id) => !isEnd(id)),
    underWay: sum(differences.map((difference) => difference.underWay)),
    unheard: sum(differences.map((difference) => difference.unheard)),
    since: committedTo((id) => stating.has(id)) + sumOf(into) + sumOf(doubted) - then,
    unstated: committedTo((id) => isEnd(id) && !stating.has(id)),
  };
}
