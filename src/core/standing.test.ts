import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Standing } from './standing.ts';
import {
  checkClock,
  compareClocks,
  horizonPosition,
  horizonWarning,
  monthsAhead,
  monthsLeft,
  standing,
} from './standing.ts';
import { dayMs, endOfMonthMs, isoTime, monthOf, msOfIso } from './time.ts';

function at(text: string): number {
  const ms = msOfIso(text);
  if (ms === undefined) assert.fail(`not a time: ${text}`);
  return ms;
}

const november = 2026 * 12 + 10;
const anchor = { baseMonth: november, e: 0, sunsetMonths: 13 };

describe('standing', () => {
  const table: readonly [string, string, number, number, Standing['may']][] = [
    ['assigns in the first moment of the base month', '2026-11-01T00:00:00Z', 0, 13, 'assign'],
    ['assigns up to the last second of the month base + e', '2026-11-30T23:59:59Z', 0, 13, 'assign'],
    ['only renews from the next second on', '2026-12-01T00:00:00Z', 0, 13, 'renew'],
    ['renews up to the last second of horizon + 13 months', '2027-12-31T23:59:59Z', 0, 13, 'renew'],
    ['does nothing after sunset', '2028-01-01T00:00:00Z', 0, 13, 'nothing'],
    ['assigns longer with a horizon code', '2027-12-31T23:59:59Z', 13, 13, 'assign'],
    ['does nothing after a strict horizon', '2026-12-01T00:00:00Z', 0, 0, 'nothing'],
  ];
  for (const [name, now, e, sunsetMonths, may] of table) {
    it(name, () => assert.equal(standing({ ...anchor, e, sunsetMonths, nowMs: at(now) }).may, may));
  }

  it('tells both ends as the last millisecond of their months', () => {
    const found = standing({ ...anchor, e: 2, nowMs: at('2026-11-05T00:00:00Z') });
    assert.equal(found.horizonMs, endOfMonthMs(november + 2));
    assert.equal(found.sunsetMs, endOfMonthMs(november + 15));
    assert.equal(isoTime(found.horizonMs ?? 0), '2027-01-31T23:59:59Z');
  });

  const risk = { untilMs: at('2027-02-28T23:59:59Z'), heardMs: at('2026-11-05T00:00:00Z') };
  for (const [what, e, now, heard, horizon] of [
    [
      'ends three months after the last contact',
      13,
      '2026-11-20T00:00:00Z',
      '2026-11-05T00:00:00Z',
      '2027-02-28',
    ],
    ['moves on with each contact', 13, '2026-12-20T00:00:00Z', '2026-12-20T00:00:00Z', '2027-03-31'],
    ['is never longer than was signed', 1, '2026-11-20T00:00:00Z', '2026-11-05T00:00:00Z', '2026-12-31'],
    [
      'is what was signed when the old horizon has passed',
      13,
      '2027-03-01T00:00:00Z',
      '2026-11-05T00:00:00Z',
      '2027-12-31',
    ],
  ] as const) {
    it(`of a server with units at risk ${what}`, () => {
      const found = standing({ ...anchor, e, nowMs: at(now), risk: { ...risk, heardMs: at(heard) } });
      assert.equal(isoTime(found.horizonMs ?? 0).slice(0, 10), horizon);
      assert.equal(found.sunsetMs, endOfMonthMs(november + e + 13));
    });
  }

  it('has no end where the root has waived horizons', () => {
    const found = standing({ ...anchor, nowMs: at('2199-01-01T00:00:00Z'), waived: true });
    assert.deepEqual(found, { horizonMs: null, sunsetMs: null, may: 'assign' });
  });
});

describe('monthsAhead', () => {
  it('is that of the method, and short while units are at risk', () => {
    assert.equal(monthsAhead({ automatic: true, atRisk: false }), 3);
    assert.equal(monthsAhead({ automatic: false, atRisk: false }), 13);
    assert.equal(monthsAhead({ automatic: false, atRisk: true }), 3);
  });
});

describe('monthsLeft', () => {
  it('counts calendar months and stops at 0', () => {
    const horizonMs = endOfMonthMs(november + 13);
    assert.equal(monthsLeft(horizonMs, at('2026-11-24T00:00:00Z')), 13);
    assert.equal(monthsLeft(horizonMs, at('2027-12-31T23:59:59Z')), 0);
    assert.equal(monthsLeft(horizonMs, at('2029-01-01T00:00:00Z')), 0);
  });
});

describe('horizonPosition', () => {
  it('is the e whose month lies the wanted months ahead', () => {
    const nowMs = at('2027-06-15T00:00:00Z');
    const e = horizonPosition(november, nowMs, 13);
    assert.equal(e, 20);
    assert.equal(monthsLeft(standing({ ...anchor, e, nowMs }).horizonMs ?? 0, nowMs), 13);
    assert.equal(november + e, monthOf(nowMs) + 13);
  });

  it('never goes below the base month', () => {
    assert.equal(horizonPosition(november + 13, at('2026-11-24T00:00:00Z'), 3), 0);
  });
});

describe('horizonWarning', () => {
  const sinceMs = at('2026-11-01T00:00:00Z');
  const horizonMs = sinceMs + 90 * dayMs;
  const until: Standing = { horizonMs, sunsetMs: horizonMs + 400 * dayMs, may: 'assign' };

  it('is silent while more than one third of the time is left', () => {
    assert.equal(horizonWarning(until, sinceMs + 60 * dayMs - 1, sinceMs), 'none');
  });

  it('speaks from one third on, past the horizon and past sunset', () => {
    assert.equal(horizonWarning(until, sinceMs + 60 * dayMs, sinceMs), 'near');
    assert.equal(horizonWarning({ ...until, may: 'renew' }, horizonMs + 1, sinceMs), 'passed');
    assert.equal(
      horizonWarning({ ...until, may: 'nothing' }, horizonMs + 401 * dayMs, sinceMs),
      'sunset-passed',
    );
  });

  it('is silent for ever where horizons are waived', () => {
    assert.equal(horizonWarning({ horizonMs: null, sunsetMs: null, may: 'assign' }, 1e15, 0), 'none');
  });
});

describe('the clock', () => {
  const seen = at('2026-11-24T12:00:00Z');

  it('may be behind the newest thing seen by a day, not by more', () => {
    assert.deepEqual(checkClock(seen - dayMs, seen), { ok: true, value: seen - dayMs });
    assert.deepEqual(checkClock(seen - dayMs - 1000, seen), {
      ok: false,
      error: { code: 'clock-behind', now: '2026-11-23T11:59:59Z', seen: '2026-11-24T12:00:00Z' },
    });
  });

  it('may be any time after the newest thing seen: the server may have been off for a year', () => {
    assert.ok(checkClock(seen + 365 * dayMs, seen).ok);
  });

  it('is compared both ways in a live exchange', () => {
    assert.ok(compareClocks(seen, seen + dayMs).ok);
    assert.ok(compareClocks(seen, seen - dayMs).ok);
    const ahead = compareClocks(seen + 365 * dayMs, seen);
    assert.equal(!ahead.ok && ahead.error.code, 'clock-ahead');
    const behind = compareClocks(seen - 365 * dayMs, seen);
    assert.equal(!behind.ok && behind.error.code, 'clock-behind');
  });
});
