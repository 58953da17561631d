/**
 * A source that is declared to function no longer, and may all the same be alive behind a cut line: it gives
 * CALs to new holders until its horizon, with leases that outlive it, and hears of nothing. So its amount
 * goes to the target as a reserve for those who show a token of it, and to others only when the last lease
 * that it can have given has ended (protocol §2.5).
 */
import type { Model, Step } from './explore.ts';
import type { Holders } from './holders.ts';
import { countOf, devices, has, lowest, nobody, numberOf, without } from './holders.ts';

/** The rules that a design may be without. */
type Rule =
  | 'the grant waits for the horizon'
  | 'at the horizon nothing is free for others'
  | 'the reserve waits for the end of the last lease'
  | 'a token that has ended is not honored'
  | 'a place by name is for a token that lives at the grant'
  | 'an early take-over is not counted against the reserve'
  | 'no horizon is signed for a server that is declared dead'
  | 'a renewal past the horizon counts as at risk'
  | 'what is released early counts as at risk';

export interface DeadDesign {
  readonly cals: number;
  readonly devices: number;
  /** What the target has of its own, before anything comes. */
  readonly own: number;
  /** A second person may release the units before the horizon. */
  readonly early: boolean;
  readonly without: Rule | null;
}

export interface State {
  move: 'none' | 'dead-wait' | 'granted' | 'aborted';
  releasedEarly: boolean;
  /** The latest horizon that was ever signed for the source, and the last lease that it can have given. */
  horizonPassed: boolean;
  leasesOver: boolean;
  source: { free: number; issued: Holders; closed: boolean };
  /** Whoever ever had a token of the source, and those whose token lives. */
  everAtSource: Holders;
  liveAtSource: Holders;
  /** Of those, renewed past the horizon: their tokens say so. */
  late: Holders;
  liveAtTarget: Holders;
  target: {
    free: number;
    /** Units for whoever shows a token of the source. */
    reserve: number;
    /** Holders who showed theirs while the target waited: a unit each. */
    named: Holders;
    issued: Holders;
    inherited: Holders;
    /** Of the issued, those who showed a token of the source and got a unit of the target's own. */
    early: Holders;
  };
}

function startOf({ cals, own }: DeadDesign): State {
  return {
    ...{ move: 'none', releasedEarly: false, horizonPassed: false, leasesOver: false },
    source: { free: cals, issued: nobody, closed: false },
    ...{ everAtSource: nobody, liveAtSource: nobody, late: nobody, liveAtTarget: nobody },
    target: { free: own, reserve: 0, named: nobody, issued: nobody, inherited: nobody, early: nobody },
  };
}

function keyOf(state: State): string {
  const { source, target } = state;
  const flags = [state.releasedEarly, state.horizonPassed, state.leasesOver, source.closed].map(Number);
  return [
    ...[state.move, flags.join(''), source.free, source.issued, state.everAtSource, state.liveAtSource],
    ...[state.late, state.liveAtTarget, ...Object.values(target)],
  ].join('|');
}

interface Scene {
  readonly state: State;
  readonly design: DeadDesign;
  readonly keeps: (rule: Rule) => boolean;
  readonly add: (event: string, change: (next: State) => void) => void;
}

/** The source as it goes on, knowing nothing. */
function sourceServes({ state, add }: Scene, device: Holders): void {
  const { source } = state;
  const name = numberOf(device);
  const isHolder = has(source.issued, device);
  if (has(state.liveAtSource, device)) {
    add(`token of the source lapses: ${name}`, (next) => {
      next.liveAtSource = without(next.liveAtSource, device);
      next.late = without(next.late, device);
    });
  }
  if (source.closed) return;
  if (!state.horizonPassed && source.free > 0 && !isHolder) {
    add(`source issues to ${name}`, (next) => {
      next.source.free -= 1;
      next.source.issued |= device;
      next.everAtSource |= device;
      next.liveAtSource |= device;
    });
  }
  if (isHolder && !has(state.liveAtSource, device)) {
    if (!state.horizonPassed) {
      add(`source renews ${name}`, (next) => {
        next.liveAtSource |= device;
      });
    }
    add(`source takes back from ${name}`, (next) => {
      next.source.free += 1;
      next.source.issued = without(next.source.issued, device);
    });
  }
  // Until its sunset it renews whose lease has not ended; who has lapsed counts as a new holder.
  if (state.horizonPassed && has(state.liveAtSource, device) && !has(state.late, device)) {
    add(`source renews late ${name}`, (next) => {
      next.late |= device;
    });
  }
}

function give(next: State, device: Holders, inherits: boolean): void {
  next.target.issued |= device;
  if (inherits) next.target.inherited |= device;
  next.liveAtTarget |= device;
}

/** What the target does for a device. */
function targetServes({ state, keeps, add }: Scene, device: Holders): void {
  const { target } = state;
  const name = numberOf(device);
  const alive = has(state.liveAtSource, device);
  const ended = has(state.everAtSource, device);
  const shows = alive || (ended && !keeps('a token that has ended is not honored'));
  const isNamed = has(target.named, device);
  // A gap license is temporary, and a token that has ended will do for it (protocol §1.5).
  if (state.move === 'dead-wait' && ended && !isNamed) {
    add(`target hears of ${name} and bridges the gap`, (next) => {
      next.target.named |= device;
    });
  }
  if (has(target.issued, device)) targetTakesBack({ state, add }, device);
  else if (isNamed && state.move === 'granted') {
    add(`target gives ${name} the place by name`, (next) => {
      next.target.named = without(next.target.named, device);
      give(next, device, true);
    });
  } else if (!isNamed && target.reserve > 0 && shows) {
    add(`target takes over ${name}`, (next) => {
      next.target.reserve -= 1;
      give(next, device, true);
    });
  }
  if (!has(target.issued, device) && !(isNamed && state.move === 'granted') && target.free > 0) {
    add(`target issues to ${name}`, (next) => {
      next.target.free -= 1;
      give(next, device, false);
      if (alive && state.move !== 'granted') next.target.early |= device;
    });
  }
}

/** An inherited unit is free again when the token of the source for that holder has ended, too. */
function targetTakesBack({ state, add }: Pick<Scene, 'state' | 'add'>, device: Holders): void {
  if (has(state.target.inherited, device) && has(state.liveAtSource, device)) return;
  add(`target sees the lease end of ${numberOf(device)}`, (next) => {
    next.target.free += 1;
    next.target.issued = without(next.target.issued, device);
    next.target.inherited = without(next.target.inherited, device);
    next.target.early = without(next.target.early, device);
    next.liveAtTarget = without(next.liveAtTarget, device);
  });
}

/**
 * The amount comes to the target. Who has come early is not counted against it: its source may have given the unit to
 * somebody else since. Who is known by name has a place in it, where the token lives. The rest is a reserve, or free.
 */
function grant(next: State, { design, keeps }: Scene, free: boolean): void {
  const { target, liveAtSource } = next;
  const apart = free || keeps('an early take-over is not counted against the reserve');
  const settled = apart ? nobody : target.early;
  const living = keeps('a place by name is for a token that lives at the grant');
  const left = design.cals - countOf(settled);
  target.named = lowest(target.named & ~target.issued & (living ? liveAtSource : ~nobody), left);
  if (free) target.inherited |= target.early;
  target.early = nobody;
  target.free += countOf(settled);
  next.move = 'granted';
  const rest = left - countOf(target.named);
  if (free) target.free += rest;
  else target.reserve = rest;
}

function clearinghouseActs(scene: Scene): void {
  const { state, design, keeps, add } = scene;
  if (state.move === 'none') {
    add('declare the source dead', (next) => {
      next.move = 'dead-wait';
    });
  }
  if (state.move === 'dead-wait') {
    if (!state.horizonPassed) {
      add('take the declaration back', (next) => {
        next.move = 'aborted';
        next.target.named = nobody;
      });
    }
    if (state.horizonPassed || !keeps('the grant waits for the horizon')) {
      const free = state.leasesOver || !keeps('at the horizon nothing is free for others');
      add('grant for the dead source', (next) => grant(next, scene, free));
    }
    if (design.early && !state.horizonPassed) {
      add('release early', (next) => {
        next.releasedEarly = true;
        grant(next, scene, true);
      });
    }
  }
  if (state.move === 'granted' && !state.source.closed) {
    add('source reads: close', (next) => {
      next.source.closed = true;
    });
    if (!keeps('no horizon is signed for a server that is declared dead') && state.horizonPassed) {
      add('source is given another horizon', (next) => {
        next.horizonPassed = false;
      });
    }
  }
}

/** Time goes on: past the horizon, and past the end of the last lease that was given before it. */
function timePasses({ state, keeps, add }: Scene): void {
  const declared = state.move === 'dead-wait' || state.move === 'granted';
  if (declared && !state.horizonPassed) {
    add('the horizon of the source passes', (next) => {
      next.horizonPassed = true;
    });
  }
  if (state.horizonPassed && !state.leasesOver) {
    add('the last lease of the source ends', (next) => {
      next.leasesOver = true;
      next.liveAtSource = next.late;
    });
  }
  const open = state.leasesOver || !keeps('the reserve waits for the end of the last lease');
  const { reserve, named } = state.target;
  if (state.move === 'granted' && open && reserve + named > 0) {
    add('the reserve opens', (next) => {
      next.target.free += reserve + countOf(named);
      next.target.reserve = 0;
      next.target.named = nobody;
    });
  }
}

function stepsOf(state: State, design: DeadDesign): readonly Step<State>[] {
  const found: Step<State>[] = [];
  const add: Scene['add'] = (event, change) => {
    const next = { ...state, source: { ...state.source }, target: { ...state.target } };
    change(next);
    found.push({ event, next });
  };
  const scene: Scene = { state, design, keeps: (rule) => design.without !== rule, add };
  for (const device of devices(design.devices)) {
    sourceServes(scene, device);
    targetServes(scene, device);
  }
  clearinghouseActs(scene);
  timePasses(scene);
  return found;
}

function violationOf(state: State, { cals, own, without: missing }: DeadDesign): string | null {
  const { target, source } = state;
  // Until the last lease of the source has ended, what was released early may be out there twice; and what
  // the source renewed past its horizon, until its sunset. Both are shown as units at risk.
  const early =
    missing !== 'what is released early counts as at risk' && state.releasedEarly && !state.leasesOver;
  const late = missing === 'a renewal past the horizon counts as at risk' ? 0 : countOf(state.late);
  const live = countOf(state.liveAtSource | state.liveAtTarget);
  if (live > cals + own + (early ? cals : 0) + late) return 'duplicate';
  if (source.free + countOf(source.issued) !== cals) return 'books of the source';
  const installed = target.free + target.reserve + countOf(target.named) + countOf(target.issued);
  const named = state.move === 'granted' ? 0 : countOf(target.named);
  if (installed - named !== own + (state.move === 'granted' ? cals : 0)) return 'books of the target';
  return null;
}

export function deadSource(design: DeadDesign): Model<State> {
  return {
    start: startOf(design),
    key: keyOf,
    steps: (state) => stepsOf(state, design),
    violation: (state) => violationOf(state, design),
    settled: ({ move, target }) =>
      move === 'aborted' || (move === 'granted' && target.reserve + target.named === 0),
  };
}
