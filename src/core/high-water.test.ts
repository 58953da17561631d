import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Branch, FreeRange, HighWater } from './high-water.ts';
import { readHighWater, reconcile, sameRights, standingOf, writeHighWater } from './high-water.ts';

const line = {
  ...{ agreement: '4965437', line: 0, installed: 10, unissued: 6, freeK: 10, heldK: 0 },
  ...{ nextRange: 1, nextUnit: 5, freedAt: 0 },
};
const branch = (from: number, id: string): Branch => ({ from, id, size: 60, root: 'dd', seq: 8 });
const counts = { aid: 'a', seq: 3, freezes: 1, releases: 1, returns: 1, horizonE: 3, horizonValue: 'v' };
const mark: HighWater = {
  ...{ generation: 2, seq: 9, logSize: 40, logRoot: 'aa', rightsAt: 30, seenAtMs: 1000 },
  ...{ lines: [line], counts: [counts], branches: [branch(20, 'b')] },
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
    ['shorter than where one was put back', { logSize: 20, branches: [] }, roots, 'behind'],
    ['longer, and never put back', { logSize: 21, branches: [] }, roots, 'forked'],
    ['put back otherwise', { logSize: 30, branches: [branch(20, 'c')] }, roots, 'forked'],
    ['put back once more', { logSize: 41, branches: [...mark.branches, branch(39, 'd')] }, roots, 'forked'],
    [
      'put in doubt once more, as a crash leaves it',
      { logSize: 41, branches: [...mark.branches, branch(40, 'd')] },
      roots,
      'ahead',
    ],
  ];
  for (const [name, change, rootAt, expected] of cases) {
    it(`${name}: ${expected}`, () => {
      assert.equal(standingOf(mark, { ...mark, ...change }, rootAt), expected);
    });
  }

  it('no longer than where it was put back first, and longer than where it was put back then: forked', () => {
    const twice = { ...mark, branches: [branch(20, 'b'), branch(15, 'c')] };
    const copy = { ...mark, logSize: 20, branches: [] };
    assert.equal(standingOf(twice, copy, roots), 'forked');
    assert.equal(standingOf(twice, { ...copy, logSize: 15 }, roots), 'behind');
  });
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
    ['anything else that its journal does not have', { logSize: 29 }],
  ];
  for (const [name, change] of others) {
    it(`${name} since makes them others`, () => {
      assert.equal(sameRights(mark, { ...mark, ...change }), false);
    });
  }
});

describe('a mark as text', () => {
  it('is read as it was written, and nothing else is', () => {
    const text = writeHighWater(mark);
    assert.deepEqual(readHighWater(text), { v: 1, ...mark });
    const damaged = [
      ...['', '7', '{}', text.slice(1), text.replace('"v":1', '"v":2'), text.replace('"seq":9', '"seq":-9')],
      ...[text.replace('"nextUnit":5', '"nextUnit":null'), text.replace('"lines":[', '"lines":[1,')],
    ];
    for (const other of damaged) assert.equal(readHighWater(other), undefined, other);
  });
});

describe('a mark as it was first written', () => {
  const { freedAt: _, ...unlined } = line;
  const first = { ...mark, lines: [unlined] };

  it('has the entry with which units became free of any line for each of them', () => {
    assert.deepEqual(readHighWater(JSON.stringify({ v: 1, ...first, freedAt: 36 })), {
      ...{ v: 1, ...mark },
      lines: [{ ...line, freedAt: 36 }],
    });
    assert.equal(readHighWater(JSON.stringify({ v: 1, ...first })), undefined);
    assert.equal(readHighWater(JSON.stringify({ v: 1, ...first, freedAt: 'late' })), undefined);
  });
});

describe('reconcile', () => {
  const at = { agreement: '4965437', line: 0 };
  const range = (position: number, first: number, last: number): FreeRange => ({
    ...at,
    position,
    first,
    last,
  });
  type Row = readonly [string, readonly FreeRange[], readonly [number, number], readonly [number, number]];
  const cases: readonly Row[] = [
    ['nothing since', [range(1, 5, 10)], [1, 5], [6, 0]],
    ['three given since, the first ones', [range(1, 2, 10)], [1, 5], [6, 3]],
    ['all of a range given, and one of the next', [range(1, 2, 4), range(2, 7, 9)], [2, 8], [2, 4]],
    ['all given', [range(1, 2, 4)], [0, 0], [0, 3]],
    ['all given, and one given back is next', [range(1, 2, 4)], [3, 1], [0, 3]],
    ['given back since: it is with its holder, for the database', [range(1, 5, 10)], [1, 5], [6, 0]],
    ['none was free', [], [0, 0], [0, 0]],
  ];
  for (const [name, free, [nextRange, nextUnit], [unissued, quarantined]] of cases) {
    it(name, () => {
      const newest = { ...mark, lines: [{ ...line, nextRange, nextUnit }] };
      const before = free.reduce((sum, { first, last }) => sum + last - first + 1, 0);
      const database = { ...mark, lines: [{ ...line, unissued: before }] };
      assert.deepEqual(reconcile(newest, database, free), [{ ...at, unissued, quarantined }]);
    });
  }

  it('a line that the mark does not have keeps nothing unissued', () => {
    const database = { ...mark, lines: [{ ...line, line: 1 }] };
    const free = [{ ...range(1, 5, 10), line: 1 }];
    assert.deepEqual(reconcile(mark, database, free), [
      { agreement: '4965437', line: 1, unissued: 0, quarantined: 6 },
    ]);
  });

  it('does not tell where units of holders may have gone to others', () => {
    const database = { ...mark, logSize: 35, lines: [{ ...line, unissued: 2 }] };
    const given = { ...line, nextRange: 4, nextUnit: 1 };
    const newest = { ...mark, lines: [{ ...given, freedAt: 36 }] };
    assert.equal(reconcile(newest, database, [range(1, 9, 10)]), undefined);
    // Freed before the older database, or with numbers left that went before: nobody has one of them.
    const earlier = { ...mark, lines: [{ ...given, freedAt: 35 }] };
    assert.notEqual(reconcile(earlier, database, [range(1, 9, 10)]), undefined);
    const left = { ...mark, lines: [{ ...line, nextRange: 1, nextUnit: 10, freedAt: 36 }] };
    assert.deepEqual(reconcile(left, database, [range(1, 9, 10)]), [{ ...at, unissued: 1, quarantined: 1 }]);
  });

  it('looks at each line by itself: a line that is given is in no doubt for what became free of another', () => {
    const given = { ...line, unissued: 0, nextRange: 0, nextUnit: 0 };
    const freed = { ...line, line: 1, freedAt: 36 };
    const database = { ...mark, logSize: 35, lines: [given, { ...line, line: 1 }] };
    assert.deepEqual(
      reconcile({ ...mark, lines: [given, freed] }, database, [{ ...range(1, 5, 10), line: 1 }]),
      [
        { ...at, unissued: 0, quarantined: 0 },
        { ...at, line: 1, unissued: 6, quarantined: 0 },
      ],
    );
  });

  // Whatever happens in between: no number is free here that somebody has, and none is with a holder here and with another there.
  it('holds for every history of giving and giving back', () => {
    for (let seed = 0; seed < 3000; seed += 1) checkHistory(seed);
  });
});

interface Pool {
  ranges: { position: number; units: number[] }[];
  holders: Map<number, string>;
  next: number;
}

const rangesOf = (pool: Pool): readonly FreeRange[] =>
  pool.ranges.flatMap(({ position, units }) =>
    units.length === 0
      ? []
      : [
          {
            ...{ agreement: '4965437', line: 0, position },
            ...{ first: units[0] ?? 0, last: units.at(-1) ?? 0 },
          },
        ],
  );

function checkHistory(seed: number): void {
  let state = seed + 1;
  const draw = (below: number): number => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
  const size = 1 + draw(6);
  const units = Array.from({ length: size }, (_, at) => at + 1);
  const pool: Pool = { ranges: [{ position: 1, units }], holders: new Map(), next: 2 };
  let hasFreed = false;
  const step = (name: string): void => {
    const held = [...pool.holders.keys()];
    if (draw(3) === 0 && held.length > 0) {
      const unit = held[draw(held.length)] ?? 0;
      pool.holders.delete(unit);
      pool.ranges.push({ position: pool.next, units: [unit] });
      pool.next += 1;
      hasFreed = true;
      return;
    }
    const range = pool.ranges.find((each) => each.units.length > 0);
    const unit = range?.units.shift();
    if (unit !== undefined) pool.holders.set(unit, name);
  };
  for (let at = draw(8); at > 0; at -= 1) step(`before-${at}`);
  const older = rangesOf(pool);
  const known = new Map(pool.holders);
  hasFreed = false;
  for (let at = draw(8); at > 0; at -= 1) step(`since-${at}`);
  const [next] = rangesOf(pool);
  const [nextRange, nextUnit] = [next?.position ?? 0, next?.first ?? 0];
  const unissued = older.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const freedAt = hasFreed ? 36 : 0;
  const newest = { ...mark, lines: [{ ...line, nextRange, nextUnit, freedAt }] };
  const kept = reconcile(newest, { ...mark, logSize: 35, lines: [{ ...line, unissued }] }, older);
  if (kept === undefined) return;
  const order = older.flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, at) => first + at),
  );
  const free = order.slice(kept[0]?.quarantined ?? 0);
  for (const unit of free) assert.ok(!pool.holders.has(unit), `seed ${seed}: ${unit} is free and somebody's`);
  for (const [unit, holder] of known) {
    const now = pool.holders.get(unit);
    assert.ok(now === undefined || now === holder, `seed ${seed}: ${unit} is ${holder}'s and ${now}'s`);
  }
}
