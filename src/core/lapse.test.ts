import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { awaitedLapse, lapseOf } from './lapse.ts';
import { dayMs } from './time.ts';

const nowMs = Date.UTC(2026, 0, 1);

describe('lapseOf', () => {
  const table: readonly (readonly [string, Parameters<typeof lapseOf>[0], ReturnType<typeof lapseOf>])[] = [
    [
      'nobody can have a license: all is in hand',
      { units: 10, free: 10, nowMs, leaseEnds: [] },
      { free: 10, waiting: 0, endsAtMs: nowMs + 89 * dayMs },
    ],
    [
      'the held ones wait for the longest lease',
      { units: 10, free: 7, nowMs, leaseEnds: [nowMs + 5 * dayMs] },
      { free: 7, waiting: 3, endsAtMs: nowMs + 89 * dayMs },
    ],
    [
      'a later end that was told is waited for',
      { units: 3, free: 0, nowMs, leaseEnds: [nowMs + 90 * dayMs, nowMs + 5 * dayMs] },
      { free: 0, waiting: 3, endsAtMs: nowMs + 90 * dayMs },
    ],
  ];
  for (const [name, returning, expected] of table) {
    it(name, () => assert.deepEqual(lapseOf(returning), expected));
  }
});

describe('awaitedLapse', () => {
  const endsAt = Date.UTC(2026, 3, 1);
  it('says how many licenses are waited for, and until when', () => {
    const { from, text } = awaitedLapse({ units: 5, endsAt, toCome: 0 });
    assert.deepEqual(
      [from, /Licenses on 5 of them may still run; they are in hand after 2026-04-01\.$/.test(text)],
      ['nobody', true],
    );
  });
  it('and how many of them have still to come', () => {
    assert.match(awaitedLapse({ units: 5, endsAt, toCome: 4 }).text, / 4 of these come when /);
  });
});
