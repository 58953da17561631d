/**
 * A clearinghouse that was restored (protocol §5.6): what a license server's report makes of the books of one line. Pure.
 * Its books must stay an upper bound of what may be assigned out there, and be exact where nothing is under way.
 */

export interface ReportedLine {
  /** As the server has it, with what it has given up in messages that are still to come. */
  readonly installed: number;
  /** Committed to the server by the books that were restored. */
  readonly committed: number;
  /** In hand by them. */
  readonly inHand: number;
  /** Frozen on the server for moves of which the books have the units in transit: they count there. */
  readonly countedOut: number;
  /** Come to the server with moves of which the books still have the units in transit. */
  readonly countedIn: number;
  /** Revealed to it by the books, and not applied: a code may still be typed. */
  readonly untyped: number;
  /** Whether a move of the line is under way for either side: then nothing is taken from its account. */
  readonly moving: boolean;
}

/** `take` (out of hand, to the server) and `give` (back to hand); `missing`: what is not in hand and would have to be. */
export interface LineSettlement {
  readonly take: number;
  readonly give: number;
  readonly missing: number;
}

/** What brings the account of a line to what the server has. */
export function settleLine(of: ReportedLine): LineSettlement {
  const counted = Math.max(0, of.installed - of.countedOut - of.countedIn);
  const due = of.moving ? counted : counted + of.untyped;
  const lacks = Math.max(0, due - of.committed);
  const take = Math.min(lacks, of.inHand);
  const give = of.moving ? 0 : Math.max(0, of.committed - due);
  return { take, give, missing: lacks - take };
}
