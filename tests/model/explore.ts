/**
 * An explicit-state model checker: visits every state that a model can reach, breadth first, so that the
 * first violation comes with a shortest history. It then asks of every state whether a settled one can
 * still be reached: no move is stuck, and no CAL lost on the way. It knows nothing of licenses.
 */

export interface Step<State> {
  readonly event: string;
  readonly next: State;
}

export interface Model<State> {
  readonly start: State;
  /** Equal for equal states, and for no others. */
  readonly key: (state: State) => string;
  /** Everything that may happen next; an event that changes nothing is a step, too. */
  readonly steps: (state: State) => readonly Step<State>[];
  /** The promise that this state breaks, in words; `steps` is what may happen next. */
  readonly violation: (state: State, steps: readonly Step<State>[]) => string | null;
  readonly settled: (state: State) => boolean;
}

/** A history that leads to something, as the events from the start on. */
export type History = readonly string[];

export interface Exploration {
  readonly states: number;
  readonly transitions: number;
  /** Of the shortest ways to the states, the longest. */
  readonly depth: number;
  readonly settled: number;
  readonly violation: { readonly what: string; readonly history: History } | null;
  /** States from which no settled one can be reached, and the way to the first. */
  readonly stuck: { readonly count: number; readonly history: History } | null;
  /** How often each event was seen, without the digits that it ends in. */
  readonly events: ReadonlyMap<string, number>;
}

/** More states than any model here has: a model that grew by mistake ends in words, not in swapping. */
const mostStates = 5_000_000;

/** The graph as far as it is known: what came first to each state, and all edges. */
interface Graph<State> {
  readonly states: State[];
  readonly indexes: Map<string, number>;
  readonly parents: number[];
  readonly reasons: string[];
  readonly depths: number[];
  readonly from: number[];
  readonly to: number[];
}

function historyOf<State>(graph: Graph<State>, index: number): History {
  const events: string[] = [];
  for (let at = index; at > 0; at = graph.parents[at] ?? 0) events.push(graph.reasons[at] ?? '');
  return events.reverse();
}

/** The index of the state that an event leads to, which is new or was known. */
function arrive<State>(
  graph: Graph<State>,
  from: number,
  { event, key, next }: Step<State> & { key: string },
): number {
  const known = graph.indexes.get(key);
  if (known !== undefined) return known;
  const index = graph.states.length;
  if (index >= mostStates) throw new Error(`more than ${mostStates} states`);
  graph.indexes.set(key, index);
  graph.states.push(next);
  graph.parents.push(from);
  graph.reasons.push(event);
  graph.depths.push((graph.depths[from] ?? 0) + 1);
  return index;
}

/** Marks all states from which a marked one can be reached. */
function markBackwards<State>({ states, from, to }: Graph<State>, marks: Uint8Array): void {
  // The edges into each state as a chain: the last one, and from each the one before it.
  const last = new Int32Array(states.length).fill(-1);
  const before = new Int32Array(to.length);
  for (const [edge, end] of to.entries()) {
    before[edge] = last[end] ?? -1;
    last[end] = edge;
  }
  const queue = [...marks.keys()].filter((index) => marks[index] === 1);
  for (let index = queue.pop(); index !== undefined; index = queue.pop()) {
    for (let edge = last[index] ?? -1; edge >= 0; edge = before[edge] ?? -1) {
      const earlier = from[edge] ?? 0;
      if (marks[earlier] === 1) continue;
      marks[earlier] = 1;
      queue.push(earlier);
    }
  }
}

/** How often each event was seen, whatever digits it ends in. */
function withoutDigits(seen: ReadonlyMap<string, number>): Exploration['events'] {
  const events = new Map<string, number>();
  for (const [event, count] of seen) {
    const name = event.replace(/\d+$/, '');
    events.set(name, (events.get(name) ?? 0) + count);
  }
  return events;
}

type Watch<State> = (state: State, steps: readonly Step<State>[]) => void;

/** Visits every reachable state; stops at the first that breaks a promise. `watch` is shown each of them. */
export function explore<State>(model: Model<State>, watch?: Watch<State>): Exploration {
  const graph: Graph<State> = {
    ...{ states: [model.start], indexes: new Map([[model.key(model.start), 0]]) },
    ...{ parents: [-1], reasons: [''], depths: [0], from: [], to: [] },
  };
  const seen = new Map<string, number>();
  const end = (violation: Exploration['violation'], stuck: Exploration['stuck'], settled: number) => ({
    ...{ states: graph.states.length, transitions: graph.to.length, depth: graph.depths.at(-1) ?? 0 },
    ...{ settled, violation, stuck, events: withoutDigits(seen) },
  });
  for (let at = 0; at < graph.states.length; at += 1) {
    // The loop's bound says that it is there.
    const state = graph.states[at] as State;
    const steps = model.steps(state);
    const what = model.violation(state, steps);
    if (what !== null) return end({ what, history: historyOf(graph, at) }, null, 0);
    watch?.(state, steps);
    for (const { event, next } of steps) {
      seen.set(event, (seen.get(event) ?? 0) + 1);
      graph.from.push(at);
      graph.to.push(arrive(graph, at, { event, key: model.key(next), next }));
    }
  }
  const marks = Uint8Array.from(graph.states, (state) => (model.settled(state) ? 1 : 0));
  const settled = marks.reduce((sum, mark) => sum + mark, 0);
  markBackwards(graph, marks);
  const first = marks.indexOf(0);
  const count = marks.reduce((sum, mark) => sum + 1 - mark, 0);
  return end(null, first < 0 ? null : { count, history: historyOf(graph, first) }, settled);
}
