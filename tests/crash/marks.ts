/** What a scenario acknowledges, line by line, and what an image of its disk is held against. */

/** What one device was told that it has. */
export interface Claim {
  readonly permanent: { readonly unit: number; readonly jti: string } | null;
  /** The name of its temporary license. */
  readonly temporary: string | null;
  readonly validated: boolean;
}

/** Where a move stands with each of its three parties; empty where one has not heard of it. */
export interface MoveStates {
  readonly clearinghouse: string;
  readonly source: string;
  readonly target: string;
}

/** One answer that has left: from here on it may not be lost. */
export type Acknowledged =
  | { readonly place: { readonly dir: string; readonly servers: Readonly<Record<string, string>> } }
  | { readonly ready: true }
  /** A device asks: until it is answered, it is not known what became of it. */
  | { readonly asking: string }
  | { readonly holder: string; readonly claim: Claim }
  /** The pseudonym of somebody who has a CAL, and keeps it through every move. */
  | { readonly served: string }
  /** It has given its CAL back. */
  | { readonly gone: string }
  | {
      readonly move: string;
      readonly source: string;
      readonly target: string;
      readonly states: MoveStates;
    };
