import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LineSettlement, ReportedLine } from './settle-report.ts';
import { settleLine } from './settle-report.ts';

const same: ReportedLine = {
  ...{ installed: 50, committed: 50, inHand: 100 },
  ...{ countedOut: 0, countedIn: 0, untyped: 0, moving: false },
};

describe('what a report makes of the books of a line', () => {
  const rows: readonly [string, Partial<ReportedLine>, LineSettlement][] = [
    ['nothing was forgotten', {}, { take: 0, give: 0, missing: 0 }],
    ['a grant was forgotten', { installed: 80 }, { take: 30, give: 0, missing: 0 }],
    ['a return was forgotten', { installed: 45 }, { take: 0, give: 5, missing: 0 }],
    ['more than is in hand was granted', { installed: 200 }, { take: 100, give: 0, missing: 50 }],
    ['a code is not typed yet', { committed: 60, untyped: 10 }, { take: 0, give: 0, missing: 0 }],
    [
      'frozen for a move in transit',
      { committed: 30, countedOut: 20, moving: true },
      { take: 0, give: 0, missing: 0 },
    ],
    [
      'come with a move in transit',
      { installed: 70, countedIn: 20, moving: true },
      { take: 0, give: 0, missing: 0 },
    ],
    [
      'a grant beside a move',
      { installed: 80, countedIn: 20, moving: true },
      { take: 10, give: 0, missing: 0 },
    ],
    [
      'beside a move nothing is taken back',
      { installed: 10, moving: true },
      { take: 0, give: 0, missing: 0 },
    ],
  ];
  for (const [name, change, expected] of rows) {
    it(name, () => assert.deepEqual(settleLine({ ...same, ...change }), expected));
  }

  it('leaves the account an upper bound, and what is in hand and committed together as it was', () => {
    const amounts = [0, 1, 7, 20, 33, 60];
    const all = amounts.flatMap((installed) =>
      amounts.flatMap((committed) =>
        amounts.flatMap((inHand) =>
          [true, false].map((moving) => ({ installed, committed, inHand, moving })),
        ),
      ),
    );
    for (const { installed, committed, inHand, moving } of all) {
      const { take, give, missing } = settleLine({ ...same, installed, committed, inHand, moving });
      const after = committed + take - give;
      assert.ok(after + missing >= installed && take <= inHand && give <= committed);
      assert.ok(moving || missing > 0 || after === installed);
    }
  });
});
