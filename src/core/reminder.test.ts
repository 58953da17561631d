import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ageDays, reminderReached } from './reminder.ts';
import { dayMs } from './time.ts';

const start = 1_700_000_000_000;

describe('reminders of a move that waits', () => {
  const rows: readonly (readonly [age: number, reached: number])[] = [
    [-3 * dayMs, 0],
    [0, 0],
    [14 * dayMs - 1, 0],
    [14 * dayMs, 14],
    [30 * dayMs - 1, 14],
    [30 * dayMs, 30],
    [60 * dayMs - 1, 30],
    [60 * dayMs, 60],
    [400 * dayMs, 60],
  ];
  for (const [age, reached] of rows) {
    it(`come to ${reached} days when it has waited for ${age / dayMs}`, () => {
      assert.equal(reminderReached(start, start + age), reached);
    });
  }

  it('count whole days', () => {
    assert.deepEqual([ageDays(start, start + 2 * dayMs - 1), ageDays(start, start - dayMs)], [1, 0]);
  });
});
