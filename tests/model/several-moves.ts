/**
 * Several moves by message at the same time, each of a part: what stays goes on being given out, and the same
 * servers are source and target of one another. Nothing that was sent is ever lost for good, and nothing is applied
 * twice; so what a party has said follows from where it stands, and is not kept apart. Leases may end whenever they
 * like, and a move may be undone until its commit. Tokens that are alive in the world are counted by whom they name.
 */
import type { Model, Step } from './explore.ts';
import type { Holders } from './holders.ts';
import { at, countOf, devices, has, lowest, nobody, numberOf, without } from './holders.ts';
import type { Move, MovePlan, Scene, SeveralDesign, State } from './several-moves-state.ts';
import { cameTo, heldOf, isOver, keyOf, newMove, violationOf } from './several-moves-state.ts';

/** Whether a unit that came by a move, with this holder, can be given to somebody else. */
function isFreeAgain({ state, keeps }: Scene, index: number, device: Holders): boolean {
  const move = at(state.moves, index);
  const over = !has(move.lingering, device);
  if (move.source === 'undone') {
    return over || !keeps('who comes back waits for the end of the license of the target');
  }
  return over && (move.target === 'closed' || !keeps('an inherited unit waits until its source is closed'));
}

/**
 * What is known of older tokens for the units of some holders goes along with them: from the moves by which they came
 * to the server that gives them up now.
 */
function carry(
  scene: Scene,
  next: State,
  of: { readonly server: number; readonly to: number; readonly gone: Holders },
) {
  const later = at(next.moves, of.to);
  const known = scene.keeps('the end of a lease goes along the whole way');
  for (const earlier of cameTo(scene, of.server)) {
    if (earlier === of.to) continue;
    const move = at(next.moves, earlier);
    const told = known ? move.lingering & move.inherited & of.gone : nobody;
    later.lingering |= told;
    move.lingering &= ~told;
    move.inherited &= ~of.gone;
  }
}

function serves(scene: Scene, index: number, device: Holders): void {
  const { state, design, keeps, add } = scene;
  const server = at(state.servers, index);
  const who = `${index} ${numberOf(device)}`;
  const mine = design.moves.flatMap((plan, of) => (plan.from === index ? [at(state.moves, of)] : []));
  const isHeld = mine.some((move) => has(heldOf(move), device));
  const reservedBy = cameTo(scene, index).filter((of) => has(at(state.moves, of).reserved, device));
  const isHolder = has(server.issued, device);
  if (isHeld && !has(server.live, device)) {
    add(`held, and renewed by ${who}`, (next) => give(next, index, device));
  }
  if (isHeld && has(server.live, device)) {
    add(`held, and lapses on ${who}`, (next) => {
      at(next.servers, index).live = without(server.live, device);
    });
  }
  const [first] = reservedBy;
  if (!isHolder && !isHeld && first !== undefined) {
    add(`takes over ${who}`, (next) => {
      const move = at(next.moves, first);
      move.reserved = without(move.reserved, device);
      move.inherited |= device;
      at(next.servers, index).issued |= device;
      give(next, index, device);
    });
  } else if (!isHolder && !isHeld && server.free > 0) {
    add(`issues to ${who}`, (next) => {
      at(next.servers, index).free -= 1;
      at(next.servers, index).issued |= device;
      give(next, index, device);
    });
  }
  const loose = mine.find((move) => move.source === 'frozen' && (move.frozen?.free ?? 0) > 0);
  if (!keeps('a frozen source gives nothing to anybody new') && loose && !isHolder && !isHeld) {
    add(`frozen, issues to ${who}`, (next) => give(next, index, device));
  }
  if (isHolder) takesBack(scene, index, device);
  for (const of of reservedBy) freesReserve(scene, { index, of, device });
}

function give(next: State, index: number, device: Holders): void {
  at(next.servers, index).live |= device;
}

/** A license ends: what was inherited with it only when its former server is over. */
function takesBack(scene: Scene, index: number, device: Holders): void {
  const { state, add } = scene;
  const inherited = cameTo(scene, index).filter((of) => has(at(state.moves, of).inherited, device));
  if (inherited.some((of) => !isFreeAgain(scene, of, device))) return;
  add(`sees the lease end of ${index} ${numberOf(device)}`, (next) => {
    const server = at(next.servers, index);
    server.free += 1;
    server.issued = without(server.issued, device);
    server.live = without(server.live, device);
    for (const of of inherited) {
      const move = at(next.moves, of);
      move.inherited = without(move.inherited, device);
    }
  });
}

function freesReserve(
  scene: Scene,
  { index, of, device }: { readonly index: number; readonly of: number; readonly device: Holders },
): void {
  if (!isFreeAgain(scene, of, device)) return;
  scene.add(`frees the reserve of ${index} ${numberOf(device)}`, (next) => {
    const move = at(next.moves, of);
    move.reserved = without(move.reserved, device);
    at(next.servers, index).free += 1;
  });
}

/** All sets of so many of some holders. */
function choices(holders: Holders, count: number): readonly Holders[] {
  if (count === 0) return [nobody];
  const first = lowest(holders, 1);
  if (first === nobody) return [];
  const rest = without(holders, first);
  return [...choices(rest, count - 1).map((chosen) => chosen | first), ...choices(rest, count)];
}

/** The source freezes: unissued units first, then some of its holders, whose leases may end in any order. */
function freezes(scene: Scene, index: number): void {
  const { state, design, keeps, add } = scene;
  const { from, quantity } = at(design.moves, index);
  const server = at(state.servers, from);
  const others = design.moves.flatMap((plan, of) =>
    of === index ? [] : [{ plan, of, move: at(state.moves, of) }],
  );
  if (others.some(({ plan, move }) => plan.from === from && move.source === 'frozen')) return;
  const coming = others.filter(({ plan }) => plan.to === from);
  if (
    coming.some(({ move }) => move.target === 'provisional') &&
    keeps('what is provisional is not moved on')
  )
    return;
  const free = Math.min(server.free, quantity);
  const shared = coming.some(
    ({ move }) => move.target === 'final' && countOf(move.frozen?.holders ?? nobody) > 0,
  );
  if (free < quantity && shared && keeps('whom another source still renews is not moved on')) return;
  for (const holders of choices(server.issued, quantity - free)) {
    add(`source of ${index} freezes ${holders}`, (next) => {
      const move = at(next.moves, index);
      move.source = 'frozen';
      move.frozen = { free, holders };
      at(next.servers, from).free -= free;
      at(next.servers, from).issued = server.issued & ~holders;
    });
  }
}

/** It gives up: the ends of all tokens for these units go along, those of servers before it included. */
function gives(scene: Scene, index: number): void {
  const { state, design, add } = scene;
  const { from } = at(design.moves, index);
  const held = heldOf(at(state.moves, index));
  add(`source of ${index} releases`, (next) => {
    const move = at(next.moves, index);
    const server = at(next.servers, from);
    move.source = 'closed';
    move.lingering = held & server.live;
    server.live &= ~held;
    carry(scene, next, { server: from, to: index, gone: held });
  });
}

/** The target gives back as many as the move had brought: whom nobody came for, who came, and then others. */
function givesBack(scene: Scene, index: number): void {
  const { state, design, add } = scene;
  const move = at(state.moves, index);
  const { to } = at(design.moves, index);
  const server = at(state.servers, to);
  const { frozen } = move;
  if (move.target === 'none' || frozen === null) {
    add(`target of ${index} gives back what never came`, (next) => {
      at(next.moves, index).target = 'relinquished';
      at(next.moves, index).returned = frozen;
    });
    return;
  }
  const named = move.reserved | move.inherited;
  const left = frozen.free + countOf(frozen.holders) - countOf(named);
  const free = Math.min(left, server.free);
  // Whoever came by another move that is open is that one's to give back.
  const theirs = cameTo(scene, to)
    .map((of) => at(state.moves, of))
    .filter((other) => other.target === 'provisional' || other.target === 'final')
    .reduce((all, other) => all | other.inherited, nobody);
  for (const others of choices(server.issued & ~theirs, left - free)) {
    add(`target of ${index} gives back ${others}`, (next) => {
      const now = at(next.moves, index);
      const then = at(next.servers, to);
      const gone = move.inherited | others;
      now.target = 'relinquished';
      now.returned = { free, holders: named | others };
      // Those who have a license there keep it to its end; whom they were renewed by is the source's affair.
      now.lingering = gone & then.live;
      then.live &= ~gone;
      then.issued &= ~gone;
      then.free -= free;
      now.reserved = nobody;
      now.inherited = nobody;
      carry(scene, next, { server: to, to: index, gone });
    });
  }
}

/** The source has its units again: with the holders that it knows, and a place by name for the others. */
function takesUp(scene: Scene, index: number): void {
  const { state, design, add } = scene;
  const move = at(state.moves, index);
  const { from } = at(design.moves, index);
  add(`source of ${index} takes back`, (next) => {
    const now = at(next.moves, index);
    const server = at(next.servers, from);
    now.source = 'undone';
    if (move.source === 'none' || move.frozen === null) return;
    const units = move.returned ?? move.frozen;
    const known = units.holders & move.frozen.holders;
    server.free += units.free;
    // Whom it had frozen and the target has not given back has no unit any more.
    server.issued |= known;
    server.live &= ~(move.frozen.holders & ~known);
    now.inherited = known;
    now.reserved = units.holders & ~known;
  });
}

/** A step of one party in one move that changes nothing but where that party stands. */
function stand(scene: Scene, index: number, to: { readonly event: string } & Partial<Move>): void {
  const { event, ...change } = to;
  scene.add(`${event} ${index}`, (next) => {
    Object.assign(at(next.moves, index), change);
  });
}

function deskActs(scene: Scene, index: number): void {
  const { state, design, keeps } = scene;
  const { state: stands, source, target } = at(state.moves, index);
  const { from } = at(design.moves, index);
  const isOpen = (plan: MovePlan, of: number): boolean => {
    const other = at(state.moves, of);
    return of !== index && plan.from === from && !isOver(other) && other.state !== 'none';
  };
  if (stands === 'none' && !design.moves.some(isOpen))
    stand(scene, index, { event: 'start', state: 'reserved' });
  if (stands === 'reserved') {
    if (source === 'frozen') stand(scene, index, { event: 'grant', state: 'granted' });
    stand(scene, index, { event: 'undo', state: 'aborted' });
  }
  if (stands === 'granted') {
    if (target === 'provisional') stand(scene, index, { event: 'commit', state: 'committed' });
    const waits = keeps('an undo waits for the receipt of the target');
    stand(scene, index, { event: 'undo', state: waits ? 'aborting' : 'aborted' });
  }
  if (stands === 'committed' && source === 'closed') stand(scene, index, { event: 'close', state: 'closed' });
  if (stands === 'aborting' && target === 'relinquished') {
    stand(scene, index, { event: 'end the undo', state: 'aborted' });
  }
}

function sourceActs(scene: Scene, index: number): void {
  const { state: stands, source } = at(scene.state.moves, index);
  if (stands !== 'none' && stands !== 'aborted' && source === 'none') freezes(scene, index);
  if ((stands === 'committed' || stands === 'closed') && source === 'frozen') gives(scene, index);
  if (stands === 'aborted' && (source === 'none' || source === 'frozen')) takesUp(scene, index);
}

function targetActs(scene: Scene, index: number): void {
  const { state, design, add } = scene;
  const { state: stands, target, frozen } = at(state.moves, index);
  const { to } = at(design.moves, index);
  const sent = stands === 'granted' || stands === 'committed' || stands === 'closed' || stands === 'aborting';
  if (sent && target === 'none' && frozen !== null) {
    add(`target of ${index} installs`, (next) => {
      at(next.moves, index).target = 'provisional';
      at(next.moves, index).reserved = frozen.holders;
      at(next.servers, to).free += frozen.free;
    });
  }
  if (stands === 'aborting' && (target === 'none' || target === 'provisional')) givesBack(scene, index);
  const done = stands === 'committed' || stands === 'closed';
  if (done && target === 'provisional') stand(scene, index, { event: 'final', target: 'final' });
  if (stands === 'closed' && target === 'final') {
    stand(scene, index, { event: 'known to be closed', target: 'closed' });
  }
}

function tokensLapse(scene: Scene, index: number): void {
  const { lingering } = at(scene.state.moves, index);
  for (const device of devices(scene.design.devices)) {
    if (!has(lingering, device)) continue;
    const event = `token left by ${numberOf(device)} lapses:`;
    stand(scene, index, { event, lingering: without(lingering, device) });
  }
}

function stepsOf(state: State, design: SeveralDesign): readonly Step<State>[] {
  const found: Step<State>[] = [];
  const add: Scene['add'] = (event, change) => {
    const next = {
      servers: state.servers.map((server) => ({ ...server })),
      moves: state.moves.map((move) => ({ ...move })),
    };
    change(next);
    found.push({ event, next });
  };
  const scene: Scene = { state, design, keeps: (rule) => design.without !== rule, add };
  for (const index of state.servers.keys()) {
    for (const device of devices(design.devices)) serves(scene, index, device);
  }
  for (const index of state.moves.keys()) {
    for (const acts of [deskActs, sourceActs, targetActs, tokensLapse]) acts(scene, index);
  }
  return found;
}

export function severalMoves(design: SeveralDesign): Model<State> {
  return {
    start: {
      servers: design.cals.map((free) => ({ free, issued: nobody, live: nobody })),
      moves: design.moves.map(() => newMove),
    },
    key: keyOf,
    steps: (state) => stepsOf(state, design),
    violation: (state) => violationOf(state, design),
    settled: ({ moves }) =>
      moves.every((move) =>
        move.state === 'closed'
          ? move.target === 'closed'
          : move.state === 'aborted' && move.source === 'undone',
      ),
  };
}
