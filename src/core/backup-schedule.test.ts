import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { intervalMs, nextBackupMs, surplusOf } from './backup-schedule.ts';
import { dayMs, hourMs, minuteMs } from './time.ts';

describe('an interval', () => {
  const table: readonly [string, number | undefined][] = [
    ['10m', 10 * minuteMs],
    ['90m', 90 * minuteMs],
    ['12h', 12 * hourMs],
    ['1d', dayMs],
    ['2w', 14 * dayMs],
    ['366d', 366 * dayMs],
    ...['9m', '367d', '0d', '01d', '1', 'd', '1D', '1.5d', '-1d', ' 1d', '1d ', '1y', '9999999m', ''].map(
      (text): [string, undefined] => [text, undefined],
    ),
  ];
  for (const [text, ms] of table) {
    it(`"${text}" is ${ms ?? 'none'}`, () => assert.equal(intervalMs(text), ms));
  }
});

describe('the next backup', () => {
  const nowMs = 1000 * dayMs;
  const due = (newestMs: number | null, failedMs: number | null): number =>
    nextBackupMs({ everyMs: dayMs, newestMs, failedMs, nowMs }) - nowMs;

  it('is due at once where there is none', () => assert.equal(due(null, null), 0));
  it('is due so long after the newest', () => assert.equal(due(nowMs - hourMs, null), 23 * hourMs));
  it('is overdue where it was missed', () => assert.equal(due(nowMs - 3 * dayMs, null), -2 * dayMs));
  it('waits an hour after a failure', () => {
    assert.equal(due(null, nowMs - 10 * minuteMs), 50 * minuteMs);
    assert.equal(due(nowMs - 2 * dayMs, nowMs), hourMs);
  });
  it('does not wait for the failure of one that was asked for in between', () =>
    assert.equal(due(nowMs - hourMs, nowMs), 23 * hourMs));
  it('does not wait for years where the clock was put back', () => {
    assert.equal(due(nowMs + 400 * dayMs, null), dayMs);
    assert.equal(due(null, nowMs + 400 * dayMs), hourMs);
  });
});

describe('what is too much', () => {
  const kept = [5, 1, 4, 2, 3].map((atMs) => ({ atMs }));
  const table: readonly [number, readonly number[]][] = [
    [1, [1, 2, 3, 4]],
    [3, [1, 2]],
    [5, []],
    [14, []],
  ];
  for (const [keep, surplus] of table) {
    it(`is ${surplus.length} of five where ${keep} are kept, the oldest first`, () =>
      assert.deepEqual(
        surplusOf(kept, keep).map(({ atMs }) => atMs),
        surplus,
      ));
  }
});
