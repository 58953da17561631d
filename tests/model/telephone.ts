/**
 * Moves by telephone between two servers, A and B. A code carries only what 140 bits carry, never expires,
 * and may be typed at any time, in any order and any number of times; no list of holders can be read out.
 * What the clearinghouse hears are confirmations, and those may be read as late and as often (protocol §3.6).
 */
import type { Model, Step } from './explore.ts';
import type { Holders } from './holders.ts';
import { at, countOf, devices, has, lowest, nobody, numberOf, sum, without } from './holders.ts';
import type {
  Add,
  Code,
  CodeKind,
  Design,
  Move,
  Reserve,
  Scene,
  Server,
  ServerIndex,
  State,
} from './telephone-state.ts';
import {
  both,
  codeKey,
  copyOf,
  heldOn,
  installedOn,
  isFrozen,
  keyOf,
  names,
  startOf,
} from './telephone-state.ts';

const chainsApart = (keeps: Scene['keeps']): boolean => keeps('held units have a chain of their own');

function say(next: State, kind: CodeKind, code: Omit<Code, 'kind' | 'held'> & { held?: number }): void {
  const said = { held: 0, ...code, kind };
  if (next.codes.some((each) => codeKey(each) === codeKey(said))) return;
  next.codes = [...next.codes, said].sort((a, b) => (codeKey(a) < codeKey(b) ? -1 : 1));
}

interface Grant {
  readonly kind: 'key pack' | 'held key pack';
  readonly to: ServerIndex;
  readonly units: number;
}

/** Grants units to a server on one of its chains, and reads the position out. */
function readOut(next: State, { kind, to, units }: Grant, keeps: Scene['keeps']): void {
  const chain = kind === 'held key pack' && chainsApart(keeps) ? next.grantedHeld : next.granted;
  chain[to] = at(chain, to) + units;
  say(next, kind, { about: to, position: at(chain, to) });
}

function issue(server: Server, device: Holders): void {
  server.free -= 1;
  server.issued |= device;
  server.live |= device;
}

/** What a server does for a device, by itself. */
function serves({ state, keeps, add }: Scene, index: ServerIndex, device: Holders): void {
  const server = at(state.servers, index);
  const here = `${names[index]}`;
  const name = numberOf(device);
  const frozen = server.freezes.some((freeze) => isFrozen(freeze) && has(freeze.holders, device));
  const isHolder = has(server.issued, device);
  if (server.free > 0 && !isHolder && !frozen) {
    add(`${here} issues to ${name}`, (next) => issue(at(next.servers, index), device));
  }
  const livesElsewhere = has(server.inherited, device) && state.moves.some(({ old }) => has(old, device));
  if (isHolder && !livesElsewhere) {
    add(`${here} sees the lease end of ${name}`, (next) => {
      const mine = at(next.servers, index);
      mine.free += 1;
      mine.issued = without(mine.issued, device);
      mine.inherited = without(mine.inherited, device);
      mine.live = without(mine.live, device);
    });
  }
  if (frozen && has(server.live, device)) {
    add(`frozen token of ${here} lapses: ${name}`, (next) => {
      at(next.servers, index).live = without(server.live, device);
    });
  } else if (frozen) {
    add(`${here} renews the frozen ${name}`, (next) => {
      at(next.servers, index).live |= device;
    });
  }
  for (const reserve of server.reserves) {
    const shows = has(at(state.moves, reserve.move).old, device);
    const spent = keeps('a source token is honored once per server and move');
    const honored = spent && has(at(server.honored, reserve.move), device);
    if (!shows || honored || isHolder || frozen) continue;
    add(`${here} takes over ${name}`, (next) =>
      takeOver(at(next.servers, index), reserve, { device, spent }),
    );
  }
}

function takeOver(server: Server, reserve: Reserve, by: { device: Holders; spent: boolean }): void {
  server.reserves = server.reserves
    .map((each) => (each === reserve ? { ...each, units: each.units - 1 } : each))
    .filter(({ units }) => units > 0);
  if (by.spent) server.honored[reserve.move] = at(server.honored, reserve.move) | by.device;
  server.issued |= by.device;
  server.inherited |= by.device;
  server.live |= by.device;
}

/** A reserve is open to others when all tokens that its holders may have from elsewhere have ended. */
function reservesOpen({ state, add }: Scene, index: ServerIndex): void {
  if (state.moves.some(({ old }) => old !== nobody)) return;
  for (const reserve of at(state.servers, index).reserves) {
    add(`a reserve opens on ${names[index]}`, (next) => {
      const server = at(next.servers, index);
      server.free += reserve.units;
      server.reserves = server.reserves.filter((each) => each !== reserve);
    });
  }
}

function tokensLapse({ state, design, add }: Scene): void {
  for (const device of devices(design.devices)) {
    for (const [index, { old }] of state.moves.entries()) {
      if (!has(old, device)) continue;
      add(`token released with move ${index} lapses: ${numberOf(device)}`, (next) => {
        at(next.moves, index).old = without(old, device);
      });
    }
    if (has(state.liveRelinquished, device)) {
      add(`token given back lapses: ${numberOf(device)}`, (next) => {
        next.liveRelinquished = without(next.liveRelinquished, device);
      });
    }
  }
}

function purchases({ state, design, keeps, add }: Scene): void {
  for (const index of both) {
    if (at(state.purchases, index) === 0) continue;
    if (design.purchasesLast && state.moves.some((move) => move.state !== 'closed')) continue;
    add(`desk sells to ${names[index]}`, (next) => {
      next.purchases[index] = at(next.purchases, index) - 1;
      next.entitled += 1;
      next.committed[index] = at(next.committed, index) + 1;
      readOut(next, { kind: 'key pack', to: index, units: 1 }, keeps);
    });
  }
}

/** What the source of a move decides by itself, and reads out. */
function sourceActs({ state, design, keeps, add }: Scene, index: number): void {
  const { from, quantity } = at(design.moves, index);
  const server = at(state.servers, from);
  const freeze = at(server.freezes, index);
  const there = server.free + countOf(server.issued);
  if (freeze === null && at(state.moves, index).state === 'none' && there >= quantity) {
    add(`${names[from]} freezes for move ${index}`, (next) => {
      const mine = at(next.servers, from);
      const unissued = Math.min(mine.free, quantity);
      const holders = lowest(mine.issued, quantity - unissued);
      mine.free -= unissued;
      mine.issued = without(mine.issued, holders);
      mine.freezes[index] = { state: 'frozen', unissued, holders };
      say(next, 'frozen', { about: index, position: unissued, held: countOf(holders) });
    });
  }
  // A design with an undo is looked at without the release, which would end its move first.
  if (!isFrozen(freeze) || !keeps('nothing is undone by telephone after the grant')) return;
  add(`${names[from]} releases move ${index}`, (next) => {
    const mine = at(next.servers, from);
    mine.freezes[index] = { ...freeze, state: 'released' };
    at(next.moves, index).old = mine.live & freeze.holders;
    mine.live = without(mine.live, freeze.holders);
    say(next, 'released', { about: index, position: 0 });
  });
}

/** What the desk decides about a move. */
function deskActs({ state, design, keeps, add }: Scene, index: number): void {
  const { from, to } = at(design.moves, index);
  if (at(state.moves, index).state !== 'frozen') return;
  add(`desk grants move ${index}`, (next) => {
    const move = at(next.moves, index);
    move.state = 'granted';
    readOut(next, { kind: 'key pack', to, units: move.unissued }, keeps);
  });
  add(`desk undoes move ${index}`, (next) => undo(next, index, from));
}

function undo(next: State, index: number, from: ServerIndex): void {
  const move = at(next.moves, index);
  move.state = 'aborted';
  next.committed[from] = at(next.committed, from) + move.inTransit;
  move.inTransit = 0;
  say(next, 'undo', { about: index, position: 0 });
}

/** The mutant's undo: the target reads out that it gave the units back, without saying whose they were. */
function targetRelinquishes({ state, design, keeps, add }: Scene, index: number): void {
  const { to } = at(design.moves, index);
  const move = at(state.moves, index);
  if (keeps('nothing is undone by telephone after the grant')) return;
  if (move.state !== 'granted' || state.relinquished) return;
  const typed = at(state.servers, to).freePosition >= at(state.granted, to);
  if (keeps('a target gives back only what was typed on it') && !typed) return;
  add(`${names[to]} gives move ${index} back`, (next) => {
    const mine = at(next.servers, to);
    const all = typed ? move.unissued : 0;
    const free = Math.min(mine.free, all);
    const holders = lowest(mine.issued, all - free);
    mine.free -= free;
    mine.issued = without(mine.issued, holders);
    next.liveRelinquished |= mine.live & holders;
    mine.live = without(mine.live, holders);
    next.relinquished = true;
    say(next, 'relinquished', { about: index, position: 0 });
  });
}

type Change = ((next: State) => void) | null;

/** A grant is typed: what it adds is the way from the position reached to the one revealed. */
function typed({ state, design, keeps }: Scene, { kind, about, position }: Code): Change {
  const server = at(state.servers, about);
  const held = kind === 'held key pack';
  const own = held && chainsApart(keeps);
  const reached = own ? server.heldPosition : server.freePosition;
  if (position <= reached) return null;
  const byPosition = held || keeps('a code is measured by its position, not by what is installed');
  const added = byPosition ? position - reached : Math.max(0, position - installedOn(server));
  return (next) => {
    const mine = at(next.servers, about);
    if (own) mine.heldPosition = position;
    else mine.freePosition = position;
    if (!held) {
      mine.free += added;
      return;
    }
    // The administrator names the source that the reserve came from, as the desk says it.
    const move = next.moves.findIndex(
      (each, index) => at(design.moves, index).to === about && each.state === 'closed' && !each.reserveTyped,
    );
    at(next.moves, move).reserveTyped = true;
    mine.reserves = [...mine.reserves, { move, units: added }];
  };
}

/** A release is honored in every state in which its freeze was heard of (protocol §2.2). */
function released({ state, design, keeps }: Scene, { about }: Code): Change {
  const { from, to } = at(design.moves, about);
  const { state: was, returned } = at(state.moves, about);
  if (was === 'aborted' && !returned) {
    return (next) => {
      const move = at(next.moves, about);
      move.returned = true;
      next.committed[from] = at(next.committed, from) - move.unissued - move.held;
      next.inHand += move.unissued + move.held;
    };
  }
  if (was !== 'granted' && was !== 'frozen') return null;
  return (next) => {
    const move = at(next.moves, about);
    move.state = 'closed';
    next.committed[to] = at(next.committed, to) + move.inTransit;
    move.inTransit = 0;
    const { unissued, held } = move;
    if (was === 'frozen' && unissued > 0) readOut(next, { kind: 'key pack', to, units: unissued }, keeps);
    if (held > 0) readOut(next, { kind: 'held key pack', to, units: held }, keeps);
  };
}

const handlers: Readonly<Record<CodeKind, (scene: Scene, code: Code) => Change>> = {
  'key pack': typed,
  'held key pack': typed,
  released,
  frozen: ({ state, design }, { about, position, held }) => {
    if (at(state.moves, about).state !== 'none') return null;
    const { from } = at(design.moves, about);
    return (next) => {
      const move = at(next.moves, about);
      move.state = 'frozen';
      move.unissued = position;
      move.held = held;
      move.inTransit = position + held;
      next.committed[from] = at(next.committed, from) - move.inTransit;
    };
  },
  relinquished: ({ state, design }, { about }) => {
    if (at(state.moves, about).state !== 'granted') return null;
    return (next) => undo(next, about, at(design.moves, about).from);
  },
  undo: ({ state, design }, { about }) => {
    const { from } = at(design.moves, about);
    const freeze = at(at(state.servers, from).freezes, about);
    if (!isFrozen(freeze)) return null;
    return (next) => {
      const mine = at(next.servers, from);
      mine.freezes[about] = { ...freeze, state: 'undone' };
      mine.free += freeze.unissued;
      mine.issued |= freeze.holders;
    };
  },
};

const atTheDesk: ReadonlySet<CodeKind> = new Set(['frozen', 'released', 'relinquished']);

/** Events that only wait for somebody to do them: while there are any, nothing is lost yet. */
const pending = /^(?:desk |typed)/;

function stepsOf(state: State, design: Design): readonly Step<State>[] {
  const found: Step<State>[] = [];
  const add: Add = (event, change) => {
    const next = copyOf(state);
    change(next);
    found.push({ event, next });
  };
  const scene: Scene = { state, design, keeps: (rule) => !design.without.includes(rule), add };
  for (const index of both) {
    for (const device of devices(design.devices)) serves(scene, index, device);
    reservesOpen(scene, index);
  }
  tokensLapse(scene);
  purchases(scene);
  for (const index of design.moves.keys()) {
    sourceActs(scene, index);
    deskActs(scene, index);
    targetRelinquishes(scene, index);
  }
  for (const code of state.codes) {
    const change = handlers[code.kind](scene, code);
    if (change === null) continue;
    add(`${atTheDesk.has(code.kind) ? 'desk hears' : 'typed'}: ${code.kind} ${code.about}`, change);
  }
  return found;
}

const isOver = ({ state }: Move): boolean => state === 'none' || state === 'aborted' || state === 'closed';

function violationOf(state: State, design: Design, steps: readonly Step<State>[]): string | null {
  const { servers, moves, committed, entitled, inHand } = state;
  if (sum(committed) + sum(moves.map(({ inTransit }) => inTransit)) + inHand !== entitled) return 'books';
  const old = moves.reduce((all, move) => all | move.old, nobody);
  const live = servers.reduce((all, server) => all | server.live, nobody);
  if (countOf(live | old | state.liveRelinquished) > entitled) return 'duplicate';
  const installed = sum(servers.map(installedOn));
  const usable = installed - sum(servers.map(heldOn));
  if (design.countsInstalled && usable > entitled) return 'more installed than bought';
  const frozen = servers.some(({ freezes }) => freezes.some(isFrozen));
  const quiet = moves.every(isOver) && !frozen && !steps.some(({ event }) => pending.test(event));
  return quiet && installed < sum(committed) ? 'lost' : null;
}

export function telephone(design: Design): Model<State> {
  return {
    start: startOf(design),
    key: keyOf,
    steps: (state) => stepsOf(state, design),
    violation: (state, steps) => violationOf(state, design, steps),
    settled: ({ servers, moves, entitled, inHand }) =>
      sum(servers.map(installedOn)) + inHand === entitled && moves.every(isOver),
  };
}
