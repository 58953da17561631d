/** Several moves at the same time (several-moves.ts): rules, the state of everything, and what must hold in it. */
import type { Holders } from './holders.ts';
import { at, countOf, nobody, sum } from './holders.ts';

/** The rules that a design may be without. */
type Rule =
  | 'a frozen source gives nothing to anybody new'
  | 'what is provisional is not moved on'
  | 'whom another source still renews is not moved on'
  | 'the end of a lease goes along the whole way'
  | 'an inherited unit waits until its source is closed'
  | 'an undo waits for the receipt of the target'
  | 'who comes back waits for the end of the license of the target';

export interface MovePlan {
  readonly from: number;
  readonly to: number;
  readonly quantity: number;
}

export interface SeveralDesign {
  /** What each server has before anything moves. */
  readonly cals: readonly number[];
  readonly devices: number;
  readonly moves: readonly MovePlan[];
  readonly without: Rule | null;
}

interface Server {
  free: number;
  /** Holders of its own units and of inherited ones; none of them is frozen. */
  issued: Holders;
  /** Whose token of this server lives, for the unit that they have here. */
  live: Holders;
}

/** Units of a move: those that nobody has, and the holders of the others. */
interface Split {
  readonly free: number;
  readonly holders: Holders;
}

export interface Move {
  /** The clearinghouse. */
  state: 'none' | 'reserved' | 'granted' | 'committed' | 'closed' | 'aborting' | 'aborted';
  source: 'none' | 'frozen' | 'closed' | 'undone';
  target: 'none' | 'provisional' | 'final' | 'closed' | 'relinquished';
  /** What was frozen, and what the target has given back; null before. */
  frozen: Split | null;
  returned: Split | null;
  /** Whose tokens live at the end that has given the unit up, or that it knew of from before. */
  lingering: Holders;
  /** On the target: who has not come yet, and who has. After an undo, the same on the source. */
  reserved: Holders;
  inherited: Holders;
}

export interface State {
  readonly servers: readonly Server[];
  readonly moves: readonly Move[];
}

export const newMove: Move = {
  ...{ state: 'none', source: 'none', target: 'none', frozen: null, returned: null },
  ...{ lingering: nobody, reserved: nobody, inherited: nobody },
};

export interface Scene {
  readonly state: State;
  readonly design: SeveralDesign;
  readonly keeps: (rule: Rule) => boolean;
  readonly add: (event: string, change: (next: State) => void) => void;
}

export const heldOf = ({ source, frozen }: Move): Holders =>
  source === 'frozen' ? (frozen?.holders ?? nobody) : nobody;

/** Where what a move has brought is now: on its target, or back on its source. */
const keeperOf = (plan: MovePlan, move: Move): number => (move.source === 'undone' ? plan.from : plan.to);

/** Moves by which a server has units of others, with who they are. */
export function cameTo(
  { state, design }: Pick<Scene, 'state' | 'design'>,
  server: number,
): readonly number[] {
  return design.moves.flatMap((plan, index) =>
    keeperOf(plan, at(state.moves, index)) === server ? [index] : [],
  );
}

export const isOver = ({ state }: Move): boolean => state === 'closed' || state === 'aborted';

/** Units that a server has and has not frozen. */
function usable(state: State, design: SeveralDesign, index: number): number {
  const { free, issued } = at(state.servers, index);
  const reserved = cameTo({ state, design }, index).map((of) => countOf(at(state.moves, of).reserved));
  return free + countOf(issued) + sum(reserved);
}

/** What the books have committed to a server, or have under way to it. */
function given(state: State, design: SeveralDesign, index: number): number {
  const moved = design.moves.map((plan, of) => {
    const { state: stands, frozen } = at(state.moves, of);
    const amount = frozen === null ? 0 : frozen.free + countOf(frozen.holders);
    if (stands === 'none' || stands === 'reserved' || stands === 'aborted') return 0;
    if (plan.to === index) return amount;
    return plan.from === index ? -amount : 0;
  });
  return at(design.cals, index) + sum(moved);
}

export function violationOf(state: State, design: SeveralDesign): string | null {
  const tokens = [...state.servers.map(({ live }) => live), ...state.moves.map(({ lingering }) => lingering)];
  const live = tokens.reduce((all, each) => all | each, nobody);
  if (countOf(live) > sum(design.cals)) return 'duplicate';
  for (const index of state.servers.keys()) {
    if (usable(state, design, index) > given(state, design, index)) return `books of server ${index}`;
  }
  return null;
}

const splitKey = (split: Split | null): string => (split === null ? '-' : `${split.free}+${split.holders}`);

export function keyOf({ servers, moves }: State): string {
  const there = servers.map(({ free, issued, live }) => `${free},${issued},${live}`);
  const under = moves.map((move) => {
    const { state, source, target, frozen, returned, lingering, reserved, inherited } = move;
    const split = `${splitKey(frozen)},${splitKey(returned)}`;
    return `${state},${source},${target},${split},${lingering},${reserved},${inherited}`;
  });
  return [...there, ...under].join('|');
}
