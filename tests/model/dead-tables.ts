/**
 * The model of a dead source held against what the programs run (core/move.ts, core/dead-source.ts): which state
 * follows by which event, how the units are split at the grant, and that no more may be out there twice than is
 * shown to be at risk. Every step of every reachable state is looked at.
 */
import assert from 'node:assert/strict';
import type { Ending } from '../../src/core/dead-source.ts';
import { opensAtMs, riskOf, splitGrant } from '../../src/core/dead-source.ts';
import type { MoveEvent, MoveState } from '../../src/core/move.ts';
import { advance } from '../../src/core/move.ts';
import { startMove } from '../../src/core/move-start.ts';
import { dayMs } from '../../src/core/time.ts';
import type { DeadDesign, State } from './dead-source.ts';
import type { Step } from './explore.ts';
import { countOf, nobody } from './holders.ts';
import { anyMove } from './tables.ts';

const id = 'the move';

const events: Readonly<Record<string, MoveEvent>> = {
  'declare the source dead': 'declare-dead',
  'take the declaration back': 'dead-abort',
  'grant for the dead source': 'horizon-passed',
  'release early': 'early-release',
};

/** Any horizon and sunset will do: the model knows only whether they have passed. */
const ending: Ending = { horizonMs: 100 * dayMs, sunsetMs: 500 * dayMs };
const opens = opensAtMs(ending);

/** A time of which a state knows the same: before the horizon, until all leases have ended, or after that. */
function timeOf({ horizonPassed, leasesOver }: State): number {
  if (!horizonPassed) return ending.horizonMs - dayMs;
  return leasesOver ? opens + dayMs : ending.horizonMs + dayMs;
}

/** By message and by telephone alike: a grant fences the source off, and is the target's. */
const moves: Readonly<Record<State['move'], readonly MoveState[]>> = {
  ...{ none: ['reserved'], 'dead-wait': ['dead-wait'], granted: ['fenced', 'closed'], aborted: ['aborted'] },
};

function compareMove(state: State, { event, next }: Step<State>, named: MoveEvent): void {
  for (const carrier of ['online', 'telephone'] as const) {
    const begun = startMove({ reason: 'dead', carrier, ...anyMove });
    assert.ok(begun.ok);
    const from = state.move === 'none' ? begun.value.state : state.move;
    assert.ok(moves[state.move].includes(from), event);
    const step = advance({ id, state: from as MoveState }, named, carrier);
    assert.ok(step.ok && !step.value.again, event);
    assert.ok(moves[next.move].includes(step.value.state), `${event}: ${step.value.state}`);
    const fences = step.value.effects.some((effect) => effect.do === 'fence-source');
    assert.equal(fences, next.move === 'granted', event);
  }
}

/** What the grant brings: free for everybody, or kept for the holders of the source. */
function compareSplit(state: State, { event, next }: Step<State>, design: DeadDesign): void {
  const early = event === 'release early';
  const nowMs = timeOf(state);
  const { unissued, held } = splitGrant({ units: design.cals, opensAtMs: opens, nowMs, early });
  const { target } = next;
  const settled = countOf(target.inherited & ~state.target.inherited);
  // Who came early and is counted against the reserve has freed a unit of the target's own.
  const kept = target.reserve + countOf(target.named);
  const freed = target.free - state.target.free;
  assert.equal(kept + freed, unissued + held, event);
  if (held > 0) assert.ok(freed <= settled, event);
  else assert.equal(target.reserve, 0, event);
}

/** What is shown to be at risk at the time of a state, by the way its units were granted. */
function shownAtRisk(state: State, { cals: units }: DeadDesign): number {
  if (state.move !== 'granted') return 0;
  const nowMs = timeOf(state);
  const grantedMs = state.releasedEarly ? ending.horizonMs - dayMs : ending.horizonMs + dayMs;
  const of = { units, opensAtMs: opens, sunsetMs: ending.sunsetMs, nowMs: grantedMs };
  const risk = riskOf({ ...of, early: state.releasedEarly });
  return risk.fromMs <= nowMs && nowMs <= risk.untilMs ? risk.units : 0;
}

/** Holders with a license that lives, beyond what was bought. */
function twice(state: State, { cals, own }: DeadDesign): number {
  return Math.max(0, countOf(state.liveAtSource | state.liveAtTarget) - cals - own);
}

/** Compares all steps of one state; answers how many were compared. */
export function compareDead(state: State, steps: readonly Step<State>[], design: DeadDesign): number {
  assert.ok(twice(state, design) <= shownAtRisk(state, design), 'more is out there twice than is shown');
  let compared = 0;
  for (const step of steps) {
    const named = events[step.event];
    if (named === undefined) {
      assert.equal(step.next.move, state.move, step.event);
      continue;
    }
    compareMove(state, step, named);
    if (step.next.move === 'granted') compareSplit(state, step, design);
    else assert.equal(step.next.target.issued & ~state.target.issued, nobody, step.event);
    compared += 1;
  }
  return compared;
}
