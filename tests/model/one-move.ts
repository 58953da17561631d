/**
 * One move of all CALs of a line, by message: clearinghouse, source and target, and the tokens that are
 * alive in the world, which are no rows of anybody's database. Any message may come at any time and as
 * often as it likes, a lease may end whenever it likes, the source may die and its disk be put back to an
 * earlier state once. Each rule of the design can be taken away, to see what it is good for (protocol §2.4).
 */
import type { Model, Step } from './explore.ts';
import type { Holders, Split } from './holders.ts';
import { countOf, devices, has, nobody, numberOf, without } from './holders.ts';
import { handlers, receivers } from './one-move-mail.ts';
import type { Add, Design, MoveState, Scene, State } from './one-move-state.ts';
import { backToSource, keyOf, send, serves, startOf, toTransit } from './one-move-state.ts';

function issueAtSource(next: State, device: Holders): void {
  next.source.free -= 1;
  next.source.issued |= device;
  next.liveAtSource |= device;
}

const renew = (device: Holders) => (next: State) => {
  next.liveAtSource |= device;
};

/** What the source does for a device, by itself. */
function sourceServes(scene: Scene, device: Holders): void {
  const { state, keeps, add } = scene;
  const { source } = state;
  const name = numberOf(device);
  const mayAssign = !state.dead && !state.horizonPassed;
  const isHolder = has(source.issued, device);
  const open = source.state === 'ok' && !source.suspect;
  if (mayAssign && open && source.free > 0 && !isHolder) {
    add(`source issues to ${name}`, (next) => issueAtSource(next, device));
  }
  const known = keeps('ends of leases are carried to the new owner') && has(state.liveAtTarget, device);
  if (!state.dead && open && isHolder && !known) {
    add(`source sees the lease end of ${name}`, (next) => {
      next.source.free += 1;
      next.source.issued = without(next.source.issued, device);
      next.liveAtSource = without(next.liveAtSource, device);
    });
  }
  const lapsed = isHolder && !has(state.liveAtSource, device) && !state.cutOff;
  if (mayAssign && source.state !== 'closed' && lapsed) {
    if (!source.suspect) add(`source renews ${name}`, renew(device));
    else if (!keeps('a suspect server renews nobody who has lapsed')) {
      add(`suspect source renews ${name}`, renew(device));
    }
  }
  const loose = !keeps('a frozen source gives nothing to anybody new') && source.state === 'frozen';
  if (loose && mayAssign && source.free > 0 && !isHolder) {
    add(`frozen source issues to ${name}`, (next) => issueAtSource(next, device));
  }
}

/** What the target does for a device, by itself. */
function targetServes({ state, keeps, add }: Scene, device: Holders): void {
  const { source, target } = state;
  const name = numberOf(device);
  const isHolder = has(target.issued, device);
  const sourceOver = source.state === 'closed' || state.horizonPassed;
  if (serves(state) && !isHolder) {
    if (has(target.reserved, device)) {
      add(`target takes over ${name}`, (next) => {
        next.target.reserved = without(next.target.reserved, device);
        next.target.issued |= device;
        next.target.inherited |= device;
        next.liveAtTarget |= device;
      });
    } else if (target.free > 0) {
      add(`target issues to ${name}`, (next) => {
        next.target.free -= 1;
        next.target.issued |= device;
        next.liveAtTarget |= device;
      });
    }
  }
  const lapsedAtSource = !has(state.liveAtSource, device);
  const waits = keeps('an inherited unit waits until its source is closed');
  const ownEnough = !keeps('ends of leases are carried to the new owner') || !has(target.inherited, device);
  if (target.state === 'final' && isHolder && (ownEnough || (lapsedAtSource && (sourceOver || !waits)))) {
    add(`target sees the lease end of ${name}`, (next) => {
      next.target.free += 1;
      next.target.issued = without(next.target.issued, device);
      next.target.inherited = without(next.target.inherited, device);
      next.liveAtTarget = without(next.liveAtTarget, device);
    });
  }
  const early = !keeps('a reserved unit waits until its source is closed');
  if (serves(state) && has(target.reserved, device) && lapsedAtSource && (sourceOver || early)) {
    add(`target frees the reserve of ${name}`, (next) => {
      next.target.free += 1;
      next.target.reserved = without(next.target.reserved, device);
    });
  }
}

/** Tokens lapse where the server that gave them does nothing about it any more. */
function tokensLapse({ state, add }: Scene, device: Holders): void {
  const { source, target } = state;
  const name = numberOf(device);
  const quiet = source.state !== 'ok' || source.suspect || state.dead || state.horizonPassed;
  if (has(state.liveAtSource, device) && quiet) {
    add(`token of the source lapses: ${name}`, (next) => {
      next.liveAtSource = without(next.liveAtSource, device);
    });
  }
  if (has(state.liveAtTarget, device) && target.state === 'relinquished') {
    add(`token of the target lapses: ${name}`, (next) => {
      next.liveAtTarget = without(next.liveAtTarget, device);
    });
  }
}

/** What people and the clearinghouse decide. */
function decisions({ state, design, keeps, add }: Scene): void {
  const { move } = state.ch;
  const all: Split = { free: design.cals, holders: nobody };
  if (move === 'none') {
    add('start', (next) => {
      next.ch.move = 'reserved';
      send(next, 'freeze');
    });
  }
  const hasty = !keeps('the grant waits for the freeze receipt') && move === 'reserved';
  if (move === 'frozen' || hasty) {
    add('grant', (next) => {
      if (hasty) {
        next.ch.frozen = all;
        toTransit(next.ch);
      }
      next.ch.move = 'granted';
      send(next, 'grant', next.ch.frozen);
    });
  }
  const early = !keeps('the commit waits until the target has installed') && move === 'granted';
  if (move === 'installed' || early) {
    add('commit', (next) => {
      next.ch.move = 'committed';
      next.ch.committedToTarget += next.ch.inTransit;
      next.ch.inTransit = 0;
      send(next, 'release');
      send(next, 'final');
    });
  }
  if (move === 'reserved' || move === 'frozen') {
    add('undo before the grant', (next) => backToSource(next, move === 'frozen' ? next.ch.frozen : null));
  }
  if ((move === 'granted' || move === 'installed') && !state.ch.ofDead) {
    add('undo after the grant', (next) => {
      if (!keeps('an undo waits for the receipt of the target')) {
        backToSource(next, next.ch.frozen);
        return;
      }
      next.ch.move = 'aborting';
      send(next, 'cancel');
    });
  }
}

/** The way of a source that is declared dead. */
function deadSource({ state, design, keeps, add }: Scene): void {
  const { move } = state.ch;
  if (move === 'none' || move === 'reserved') {
    add('declare the source dead', (next) => {
      next.ch.move = 'dead-wait';
    });
  }
  if (move !== 'dead-wait') return;
  if (!state.horizonPassed) add('take the declaration back', (next) => backToSource(next, null));
  const waits = keeps('a dead source has its horizon to pass');
  if (state.horizonPassed || state.clockLies || !waits) {
    add('grant for the dead source', (next) => {
      next.ch.move = 'granted';
      next.ch.ofDead = true;
      toTransit(next.ch);
      next.ch.frozen = { free: design.cals, holders: nobody };
      send(next, 'grant', next.ch.frozen);
      send(next, 'close');
    });
  }
}

const underWay: readonly MoveState[] = ['frozen', 'granted', 'installed', 'committed'];

/** Time, death, and copies of disks. */
function accidents(scene: Scene): void {
  const { state, design, keeps, add } = scene;
  const { ch, source } = state;
  const abandoned = state.dead && source.state === 'frozen' && underWay.includes(ch.move);
  if ((ch.move === 'dead-wait' || abandoned) && !state.horizonPassed && !state.clockLies) {
    add('the horizon of the source passes', (next) => {
      if (!keeps('a source keeps its horizon')) {
        next.clockLies = true;
        return;
      }
      // The model ends the leases with the horizon; dead-source.ts lets them outlive it.
      next.horizonPassed = true;
      next.liveAtSource = nobody;
    });
  }
  if (!keeps('no timer cuts the source off') && !state.cutOff && source.freeze === 'standing') {
    add('the timer cuts the source off', (next) => {
      next.cutOff = true;
      next.liveAtSource = nobody;
    });
  }
  if (!state.dead) {
    add('the source dies', (next) => {
      next.dead = true;
    });
  }
  if (design.rollback && !state.dead && !state.wasPutBack) rollback(scene);
  const idle = ch.move === 'none' || ch.move === 'aborted';
  if (!state.dead && source.suspect && source.state !== 'closed' && idle && !state.horizonPassed) {
    revalidate(scene);
  }
}

function rollback({ state, keeps, add }: Scene): void {
  const { copy } = state.source;
  if (copy === null) {
    add('the disk of the source is copied', (next) => {
      next.source.copy = { ...next.source };
    });
    return;
  }
  add('the disk of the source is put back', (next) => {
    next.wasPutBack = true;
    next.source = { ...copy, suspect: keeps('a rollback is detected at start') };
  });
}

function revalidate({ state, design, keeps, add }: Scene): void {
  const quarantine = keeps('what a suspect server counts is quarantined');
  if (quarantine && (state.liveAtSource | state.liveAtTarget) !== nobody) return;
  add('the source is validated again', (next) => {
    next.source.suspect = false;
    next.source.state = 'ok';
    next.source.freeze = 'over';
    next.cutOff = false;
    if (quarantine) {
      next.source.issued = nobody;
      next.source.free = design.cals;
    }
    if (next.ch.move === 'aborted') next.source.tombstone = true;
  });
}

function copyOf(state: State): State {
  const { ch, source, target } = state;
  return { ...state, ch: { ...ch }, source: { ...source }, target: { ...target } };
}

function stepsOf(state: State, design: Design): readonly Step<State>[] {
  const found: Step<State>[] = [];
  const add: Add = (event, change) => {
    const next = copyOf(state);
    change(next);
    found.push({ event, next });
  };
  const scene: Scene = { state, design, keeps: (rule) => design.without !== rule, add };
  for (const device of devices(design.devices)) {
    sourceServes(scene, device);
    targetServes(scene, device);
    tokensLapse(scene, device);
  }
  decisions(scene);
  deadSource(scene);
  accidents(scene);
  for (const letter of state.mail) {
    const change = handlers[letter.kind](scene, letter);
    if (change !== null) add(`${receivers[letter.kind]} reads: ${letter.kind}`, change);
  }
  return found;
}

function violationOf(state: State, { cals, availability }: Design): string | null {
  const { ch, source, target } = state;
  const alive = countOf(state.liveAtSource | state.liveAtTarget);
  if (alive > cals) return 'duplicate';
  if (ch.committedToSource + ch.committedToTarget + ch.inTransit !== cals)
    return 'books of the clearinghouse';
  const installed = target.free + countOf(target.reserved) + countOf(target.issued);
  if (serves(state) && installed !== cals) return 'books of the target';
  const open = source.state === 'ok' && !state.horizonPassed && !source.suspect;
  if (open && source.free + countOf(source.issued) !== cals) return 'books of the source';
  if (serves(state) && open && !state.dead) return 'two issuers';
  if (!availability || state.dead || state.horizonPassed || source.suspect) return null;
  const sourceServing = source.state === 'ok' || (source.state === 'frozen' && !state.cutOff);
  return sourceServing || serves(state) ? null : 'service gap';
}

function isSettled({ ch, source, target, dead }: State): boolean {
  if (target.state === 'final' && (ch.move === 'committed' || ch.move === 'closed')) return true;
  if (ch.move !== 'aborted') return false;
  return dead || (source.state === 'ok' && !source.suspect && target.state !== 'provisional');
}

export function oneMove(design: Design): Model<State> {
  return {
    start: startOf(design),
    key: keyOf,
    steps: (state) => stepsOf(state, design),
    violation: (state) => violationOf(state, design),
    settled: isSettled,
  };
}
