/** Moves by telephone (telephone.ts): the rules, the state of everything, and how that is written down. */
import type { Holders } from './holders.ts';
import { countOf, nobody, sum } from './holders.ts';

/** The rules that a design may be without. */
export type Rule =
  | 'a code is measured by its position, not by what is installed'
  | 'held units have a chain of their own'
  | 'a source token is honored once per server and move'
  | 'nothing is undone by telephone after the grant'
  | 'a target gives back only what was typed on it';

export type ServerIndex = 0 | 1;

export interface PlannedMove {
  readonly from: ServerIndex;
  readonly to: ServerIndex;
  readonly quantity: number;
}

export interface Design {
  readonly devices: number;
  readonly moves: readonly PlannedMove[];
  /** How many single CALs are bought on the way, for A and for B. */
  readonly purchases: readonly [number, number];
  /** Purchases wait until all moves are closed. */
  readonly purchasesLast: boolean;
  /** Also promised: the servers never hold more than was bought, holders or not. */
  readonly countsInstalled: boolean;
  readonly without: readonly Rule[];
}

/** What A has at the start; B has nothing. */
const cals = 2;

export interface Move {
  state: 'none' | 'frozen' | 'granted' | 'closed' | 'aborted';
  unissued: number;
  held: number;
  inTransit: number;
  /** Released after it was undone: its units went to hand. */
  returned: boolean;
  /** Its reserve was typed on the target. */
  reserveTyped: boolean;
  /** Live tokens of the holders that were released with it. */
  old: Holders;
}

interface Freeze {
  readonly state: 'frozen' | 'released' | 'undone';
  readonly unissued: number;
  readonly holders: Holders;
}

/** Held units that came by code: for holders of the move's source who show themselves. */
export interface Reserve {
  readonly move: number;
  readonly units: number;
}

export interface Server {
  free: number;
  issued: Holders;
  /** Of the issued, those who came from elsewhere. */
  inherited: Holders;
  live: Holders;
  reserves: readonly Reserve[];
  /** Positions reached on the two chains. */
  freePosition: number;
  heldPosition: number;
  /** By move. */
  freezes: (Freeze | null)[];
  /** By move, the holders whose token of its source was honored here. */
  honored: Holders[];
}

export type CodeKind = 'key pack' | 'held key pack' | 'frozen' | 'released' | 'relinquished' | 'undo';

export interface Code {
  readonly kind: CodeKind;
  /** The server that it is for, or the move that it is about. */
  readonly about: number;
  /** The position that it reveals, or the split of a freeze. */
  readonly position: number;
  readonly held: number;
}

export interface State {
  entitled: number;
  inHand: number;
  committed: number[];
  /** Units granted for ever, on the one chain of each server and on the other. */
  granted: number[];
  grantedHeld: number[];
  moves: Move[];
  servers: Server[];
  relinquished: boolean;
  /** Live tokens of holders whose unit their server gave back. */
  liveRelinquished: Holders;
  purchases: number[];
  codes: readonly Code[];
}

export const names = ['A', 'B'] as const;
export const both: readonly ServerIndex[] = [0, 1];

export function startOf(design: Design): State {
  const server = (units: number): Server => ({
    ...{ free: units, issued: nobody, inherited: nobody, live: nobody, reserves: [] },
    ...{ freePosition: units, heldPosition: 0 },
    ...{ freezes: design.moves.map(() => null), honored: design.moves.map(() => nobody) },
  });
  const move = (): Move => ({
    ...{ state: 'none', unissued: 0, held: 0, inTransit: 0 },
    ...{ returned: false, reserveTyped: false, old: nobody },
  });
  return {
    ...{ entitled: cals, inHand: 0, committed: [cals, 0], granted: [cals, 0], grantedHeld: [0, 0] },
    ...{ moves: design.moves.map(move), servers: [server(cals), server(0)], relinquished: false },
    ...{ liveRelinquished: nobody, purchases: [...design.purchases], codes: [] },
  };
}

export function copyOf(state: State): State {
  return {
    ...state,
    ...{ committed: [...state.committed], granted: [...state.granted], grantedHeld: [...state.grantedHeld] },
    ...{ moves: state.moves.map((move) => ({ ...move })), purchases: [...state.purchases] },
    servers: state.servers.map((server) => ({
      ...server,
      ...{ freezes: [...server.freezes], honored: [...server.honored] },
    })),
  };
}

export const codeKey = ({ kind, about, position, held }: Code): string =>
  `${kind} ${about} ${position}+${held}`;

function serverKey(server: Server): string {
  const { free, issued, inherited, live, freePosition, heldPosition } = server;
  let key = `|${free}/${issued}/${inherited}/${live}/${freePosition}/${heldPosition}/`;
  for (const { move, units } of server.reserves) key += `${units}of${move},`;
  key += '/';
  for (const each of server.freezes) {
    key += each === null ? ',' : `${each.state}${each.unissued}+${each.holders},`;
  }
  for (const honored of server.honored) key += `/${honored}`;
  return key;
}

function moveKey(move: Move): string {
  const flags = `${move.returned ? 1 : 0}${move.reserveTyped ? 1 : 0}`;
  return `|${move.state}${move.unissued}+${move.held}/${move.inTransit}/${flags}/${move.old}`;
}

const numbersKey = (numbers: readonly number[]): string => {
  let key = '|';
  for (const each of numbers) key += `${each},`;
  return key;
};

/** Put together by hand: where there are a million states, lists that are joined take half the time. */
export function keyOf(state: State): string {
  let key = `${state.entitled}|${state.inHand}|${state.relinquished}|${state.liveRelinquished}`;
  key += numbersKey(state.committed) + numbersKey(state.granted) + numbersKey(state.grantedHeld);
  key += numbersKey(state.purchases);
  for (const move of state.moves) key += moveKey(move);
  for (const server of state.servers) key += serverKey(server);
  for (const code of state.codes) key += `|${codeKey(code)}`;
  return key;
}

export const isFrozen = (freeze: Freeze | null): freeze is Freeze => freeze?.state === 'frozen';

export const heldOn = (server: Server): number =>
  sum(server.freezes.filter(isFrozen).map(({ unissued, holders }) => unissued + countOf(holders)));

export const installedOn = (server: Server): number =>
  server.free + countOf(server.issued) + sum(server.reserves.map(({ units }) => units)) + heldOn(server);

export type Add = (event: string, change: (next: State) => void) => void;

export interface Scene {
  readonly state: State;
  readonly design: Design;
  readonly keeps: (rule: Rule) => boolean;
  readonly add: Add;
}
