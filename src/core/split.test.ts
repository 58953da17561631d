import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FreezeState } from './split.ts';
import { checkOneMove, earliestFirst, quantityAtOnce, roomAfter, splitFreeze } from './split.ts';

const state: FreezeState = { unissued: 10, issued: 20, reserved: 3, quarantined: 2, wanted: 'all' };

describe('splitFreeze', () => {
  type Row = readonly [string, FreezeState['wanted'], readonly [number, number, number, number, number]];
  const rows: readonly Row[] = [
    ['takes everything where all is wanted', 'all', [10, 20, 3, 2, 25]],
    ['takes everything where the number is all there is', 35, [10, 20, 3, 2, 25]],
    ['takes one unissued unit first', 1, [1, 0, 0, 0, 0]],
    ['takes all unissued units before any holder', 10, [10, 0, 0, 0, 0]],
    ['then holders', 11, [10, 1, 0, 0, 1]],
    ['then reserved units', 31, [10, 20, 1, 0, 21]],
    ['and quarantined units last', 34, [10, 20, 3, 1, 24]],
  ];
  for (const [name, wanted, [unissued, issued, reserved, quarantined, held]] of rows) {
    it(name, () => {
      assert.deepEqual(splitFreeze({ ...state, wanted }), {
        ok: true,
        value: { unissued, issued, reserved, quarantined, held },
      });
    });
  }

  it('refuses more than there is, with both numbers', () => {
    assert.deepEqual(splitFreeze({ ...state, wanted: 36 }), {
      ok: false,
      error: { code: 'move-more-than-there-is', asked: 36, available: 35 },
    });
  });

  it('refuses all of nothing', () => {
    const nothing = { unissued: 0, issued: 0, reserved: 0, quarantined: 0 };
    assert.deepEqual(splitFreeze({ ...nothing, wanted: 'all' }), {
      ok: false,
      error: { code: 'move-more-than-there-is', asked: 0, available: 0 },
    });
    assert.deepEqual(splitFreeze({ ...nothing, wanted: 1 }), {
      ok: false,
      error: { code: 'move-more-than-there-is', asked: 1, available: 0 },
    });
  });

  it('refuses what is no quantity', () => {
    for (const wanted of [0, -1, 1.5, Number.NaN]) {
      assert.deepEqual(splitFreeze({ ...state, wanted }), {
        ok: false,
        error: { code: 'quantity-invalid', quantity: wanted, most: 35 },
      });
    }
  });
});

describe('splitFreeze in what room is left', () => {
  type Row = readonly [
    string,
    FreezeState['wanted'],
    NonNullable<FreezeState['room']>,
    readonly [number, number, number, number, number],
  ];
  const rows: readonly Row[] = [
    ['leaves unissued ones behind', 'all', { unissued: 4, held: 25 }, [4, 20, 3, 2, 25]],
    ['takes holders instead, where so many are wanted', 12, { unissued: 4, held: 25 }, [4, 8, 0, 0, 8]],
    ['leaves quarantined ones behind first', 'all', { unissued: 10, held: 24 }, [10, 20, 3, 1, 24]],
    ['then reserved ones', 'all', { unissued: 10, held: 21 }, [10, 20, 1, 0, 21]],
    ['then holders', 35, { unissued: 10, held: 5 }, [10, 5, 0, 0, 5]],
    ['takes nothing where nothing is left', 'all', { unissued: 0, held: 0 }, [0, 0, 0, 0, 0]],
  ];
  for (const [name, wanted, room, [unissued, issued, reserved, quarantined, held]] of rows) {
    it(name, () => {
      assert.deepEqual(splitFreeze({ ...state, wanted, room }), {
        ok: true,
        value: { unissued, issued, reserved, quarantined, held },
      });
    });
  }
});

describe('what one move brings', () => {
  type Row = readonly [string, number, number, boolean];
  const rows: readonly Row[] = [
    ['as many of each kind as a chain has', 7, 7, true],
    ['not one unissued more', 8, 0, false],
    ['not one with a holder more', 0, 8, false],
  ];
  for (const [name, unissued, held, fits] of rows) {
    it(name, () => {
      const error = { code: 'move-too-large', asked: unissued + held, most: 7 };
      const expected = fits ? { ok: true, value: null } : { ok: false, error };
      assert.deepEqual(checkOneMove({ unissued, held }, 7), expected);
      assert.equal(quantityAtOnce({ unissued, held }, 7), fits ? 'all' : 7);
    });
  }

  it('is the length of a chain', () => {
    assert.ok(checkOneMove({ unissued: 65_535, held: 65_535 }).ok);
    assert.equal(quantityAtOnce({ unissued: 65_536, held: 0 }), 65_535);
  });

  it('is less what the parts before have taken', () => {
    assert.deepEqual(roomAfter({ unissued: 2, held: 7 }, 7), { unissued: 5, held: 0 });
  });
});

describe('earliestFirst', () => {
  const holders = [
    { unit: 5, leaseEndMs: 300 },
    { unit: 9, leaseEndMs: 100 },
    { unit: 2, leaseEndMs: 300 },
    { unit: 7, leaseEndMs: 200 },
  ];

  it('takes those whose leases end first, equal ends by unit', () => {
    assert.deepEqual(
      earliestFirst(holders, 3).map((holder) => holder.unit),
      [9, 7, 2],
    );
  });

  it('takes all where that many are wanted, none for none, and leaves the list alone', () => {
    assert.equal(earliestFirst(holders, 4).length, 4);
    assert.deepEqual(earliestFirst(holders, 0), []);
    assert.equal(holders[0]?.unit, 5);
  });
});
