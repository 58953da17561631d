import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Orphan } from './fenced-end.ts';
import { awaitedDeclared, saidForFenced, unitsAtStake } from './fenced-end.ts';
import type { Carrier, MoveState } from './move.ts';
import { advance, isOver } from './move.ts';
import { awaited } from './move-awaited.ts';
import { isoDate } from './time.ts';

type Row = readonly [
  state: MoveState,
  /** What is said for a fenced source, on the line that it was fenced for or past its horizon. */
  source: string | null,
  /** What is said for a fenced target. */
  target: string | null,
  /** Of 4 unissued and 3 held units: how many may have a second holder. */
  sourceStake: number,
  targetStake: number,
];

const rows: readonly Row[] = [
  ['reserved', 'horizon-passed', 'target-gone', 0, 0],
  ['frozen', null, null, 0, 0],
  ['granted', 'horizon-passed', 'target-gone', 3, 7],
  ['installed', 'horizon-passed', 'target-gone', 3, 7],
  ['committed', 'horizon-passed', null, 3, 0],
  ['closed', null, null, 0, 0],
  ['aborting', 'horizon-passed', null, 3, 7],
  ['returning', null, null, 0, 7],
  ['aborted', null, null, 0, 0],
  ['dead-wait', null, 'target-gone', 0, 0],
  ['fenced', null, 'target-gone', 0, 0],
];
const due = { sameLine: true, horizonPassed: false };

describe('what is said for a server that is fenced off', () => {
  for (const [state, source, target, sourceStake, targetStake] of rows) {
    it(`${state}: ${source} for the source, ${target} for the target`, () => {
      assert.equal(saidForFenced({ state, end: 'source', ...due }), source);
      assert.equal(saidForFenced({ state, end: 'source', sameLine: false, horizonPassed: true }), source);
      assert.equal(saidForFenced({ state, end: 'target', ...due }), target);
      const units = { unissued: 4, held: 3 };
      assert.equal(unitsAtStake({ state, end: 'source', ...units }), sourceStake);
      assert.equal(unitsAtStake({ state, end: 'target', ...units }), targetStake);
    });
  }

  it('waits for the horizon of a source that was released early for another line only', () => {
    for (const [state] of rows) {
      const other = { state, sameLine: false, horizonPassed: false } as const;
      assert.equal(saidForFenced({ ...other, end: 'source' }), null, state);
      const now = saidForFenced({ state, end: 'target', ...due });
      assert.equal(saidForFenced({ ...other, end: 'target' }), now, state);
    }
  });

  it('leaves no state in which a move waits for a fenced end for ever', () => {
    const ways = [...rows.map(([state]) => state)].filter((state) => state !== 'frozen' && !isOver(state));
    for (const carrier of ['online', 'telephone'] as const) {
      for (const gone of [['source', 'target'], ['target'], ['source']] as const) {
        // An end that lives says what is awaited of it.
        for (const state of ways.filter((each) => isReached(each, carrier, gone))) {
          assert.ok(isOver(endOf(state, carrier, gone)), `${carrier}: ${state}, gone: ${gone.join()}`);
        }
      }
    }
  });
});

/**
 * By telephone no target reports, what a dead source has left is granted and closed in one step, and nothing is
 * undone after the freeze but for a target that is gone.
 */
function isReached(state: MoveState, carrier: Carrier, gone: readonly Orphan['end'][]): boolean {
  if (carrier === 'online') return true;
  if (state === 'aborting' || state === 'returning') return gone.includes('target');
  return !['installed', 'committed', 'fenced'].includes(state);
}

/** How a move ends when ends of it are gone, time passes, and the others do what is awaited of them. */
function endOf(from: MoveState, carrier: Carrier, gone: readonly Orphan['end'][]): MoveState {
  let state = from;
  for (let round = 0; round < 4 && !isOver(state); round += 1) {
    const said = gone.map((end) => saidForFenced({ state, end, ...due })).filter((event) => event !== null);
    // Its own declaration ends by the horizon; what a gone target was to give back lapses.
    const own = state === 'dead-wait' ? (['horizon-passed'] as const) : [];
    const lapsed = gone.includes('target') ? (['target-lapsed'] as const) : [];
    const heard = gone.includes('target') ? [] : (['installed', 'relinquished'] as const);
    const released = gone.includes('source') ? [] : (['released'] as const);
    for (const event of [...said, ...own, ...heard, ...released, ...lapsed]) {
      const step = advance({ id: 'm1', state }, event, carrier);
      if (step.ok && !step.value.again) state = step.value.state;
    }
  }
  return state;
}

describe('what is awaited where an end was declared dead', () => {
  const horizonMs = Date.UTC(2026, 4, 31);
  const of = (state: MoveState, end: Orphan['end']): string =>
    awaitedDeclared({ awaited: awaited(state, 'online'), state, end, horizonMs }).text;

  it('says when the move ends without it', () => {
    assert.match(of('committed', 'source'), new RegExp(`source was declared.*ends.*${isoDate(horizonMs)}`));
    assert.match(of('granted', 'target'), new RegExp(`target was declared.*undone.*${isoDate(horizonMs)}`));
  });

  it('says nothing where nothing is awaited from it', () => {
    assert.equal(of('committed', 'target'), awaited('committed', 'online').text);
    assert.equal(of('returning', 'source'), awaited('returning', 'online').text);
  });
});
