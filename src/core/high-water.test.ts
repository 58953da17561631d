import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HighWater } from './high-water.ts';
import { reconcile, sameRights, standingOf } from './high-water.ts';

const line = { agreement: '4965437', line: 0, installed: 10, unissued: 6, freeK: 10, heldK: 0 };
const counts = { aid: 'a', seq: 3, freezes: 1, releases: 1, returns: 1 };
const mark: HighWater = {
  ...{ generation: 2, seq: 9, logSize: 40, logRoot: 'aa', seenAtMs: 1000 },
  ...{ lines: [line], counts: [counts] },
};
const roots = (size: number): string => (size === 40 ? 'aa' : 'bb');

describe('standingOf', () => {
  const cases: readonly [string, Partial<HighWater>, (size: number) => string, string][] = [
    ['the same', {}, roots, 'ahead'],
    ['further, as after a crash', { logSize: 41, seq: 10 }, roots, 'ahead'],
    ['a shorter journal', { logSize: 39 }, roots, 'behind'],
    ['an older generation', { generation: 1, logSize: 50 }, roots, 'behind'],
    ['an earlier message', { seq: 8 }, roots, 'behind'],
    ['another root at that size', { logSize: 41 }, () => 'cc', 'forked'],
  ];
  for (const [name, change, rootAt, expected] of cases) {
    it(`${name}: ${expected}`, () => {
      assert.equal(standingOf(mark, { ...mark, ...change }, rootAt), expected);
    });
  }
});

describe('sameRights', () => {
  it('whoever has a license makes no difference', () => {
    const issued = { ...mark, logSize: 30, lines: [{ ...line, unissued: 9 }] };
    assert.ok(sameRights(mark, issued));
  });

  const others: readonly [string, Partial<HighWater>][] = [
    ['a deactivation', { generation: 1 }],
    ['an installation', { lines: [{ ...line, installed: 9 }] }],
    ['a position of the free chain', { lines: [{ ...line, freeK: 9 }] }],
    ['a position of the held chain', { lines: [{ ...line, heldK: 1 }] }],
    ['a line', { lines: [] }],
    ['another line', { lines: [{ ...line, line: 1 }] }],
    ['an authority', { counts: [] }],
    ['another authority', { counts: [{ ...counts, aid: 'b' }] }],
    ['a code', { counts: [{ ...counts, seq: 2 }] }],
    ['a freeze', { counts: [{ ...counts, freezes: 0 }] }],
    ['a release', { counts: [{ ...counts, releases: 0 }] }],
    ['a return', { counts: [{ ...counts, returns: 0 }] }],
  ];
  for (const [name, change] of others) {
    it(`${name} since makes them others`, () => {
      assert.equal(sameRights(mark, { ...mark, ...change }), false);
    });
  }
});

describe('reconcile', () => {
  const cases: readonly [string, number, number, number, number][] = [
    ['issued since: the difference is quarantined', 9, 6, 6, 3],
    ['given back since: what the older books gave out stays with its holders', 4, 6, 4, 0],
    ['nothing since', 6, 6, 6, 0],
    ['all issued since', 10, 0, 0, 10],
  ];
  for (const [name, older, last, unissued, quarantined] of cases) {
    it(name, () => {
      const newest = { ...mark, lines: [{ ...line, unissued: last }] };
      const database = { ...mark, lines: [{ ...line, unissued: older }] };
      assert.deepEqual(reconcile(newest, database), [
        { agreement: '4965437', line: 0, unissued, quarantined },
      ]);
    });
  }

  it('a line that the mark does not have keeps nothing unissued', () => {
    const database = { ...mark, lines: [{ ...line, line: 1 }] };
    assert.deepEqual(reconcile(mark, database), [
      { agreement: '4965437', line: 1, unissued: 0, quarantined: 6 },
    ]);
  });
});
