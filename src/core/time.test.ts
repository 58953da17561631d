import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dayMs, endOfMonthMs, isoDate, isoTime, monthOf, msOfIso } from './time.ts';

/** The platform's calendar, to compare ours with. */
const reference = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');

describe('isoTime', () => {
  const times: readonly string[] = [
    '1970-01-01T00:00:00Z',
    '1999-12-31T23:59:59Z',
    '2000-02-29T12:00:00Z',
    '2024-02-29T23:59:59Z',
    '2026-11-24T15:04:05Z',
    '2038-01-19T03:14:08Z',
    '2100-02-28T23:59:59Z',
    '2100-03-01T00:00:00Z',
    '1900-03-01T00:00:00Z',
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
  ];
  for (const text of times) {
    it(`writes and reads ${text} as the platform does`, () => {
      const ms = new Date(text).getTime();
      assert.equal(isoTime(ms), text);
      assert.equal(msOfIso(text), ms);
    });
  }

  it('agrees with the platform on every day of four hundred years, and on odd seconds', () => {
    const start = new Date('1850-01-01T00:00:00Z').getTime();
    for (let day = 0; day < 146_097; day += 1) {
      const ms = start + day * dayMs + ((day * 7919) % dayMs);
      if (isoTime(ms) !== reference(ms)) assert.equal(isoTime(ms), reference(ms));
    }
  });

  it('leaves milliseconds off, before 1970 too, without reaching the next second', () => {
    assert.equal(isoTime(999), '1970-01-01T00:00:00Z');
    assert.equal(isoTime(-1), '1969-12-31T23:59:59Z');
  });

  it('has the UTC day as its first part', () => {
    assert.equal(isoDate(new Date('2026-11-24T23:59:59.999Z').getTime()), '2026-11-24');
  });
});

describe('msOfIso', () => {
  it('reads milliseconds where they are written', () => {
    assert.equal(msOfIso('2026-11-24T15:04:05.678Z'), new Date('2026-11-24T15:04:05.678Z').getTime());
  });

  const wrong: readonly string[] = [
    '',
    '2026-11-24',
    '2026-11-24T15:04:05',
    '2026-11-24T15:04:05+01:00',
    '2026-11-24 15:04:05Z',
    '2026-11-24T15:04:05.6Z',
    '2026-11-24T15:04:05Z ',
    '2026-11-24T15:04:05Z\n',
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2100-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-13-10T00:00:00Z',
    '2026-10-00T00:00:00Z',
    '2026-10-32T00:00:00Z',
    '2026-10-10T24:00:00Z',
    '2026-10-10T23:60:00Z',
    '2026-10-10T23:59:60Z',
  ];
  for (const text of wrong) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(msOfIso(text), undefined));
  }
});

describe('months', () => {
  it('count from year 0, so that base month + e is an addition', () => {
    assert.equal(monthOf(new Date('2026-11-24T00:00:00Z').getTime()), 2026 * 12 + 10);
    assert.equal(monthOf(new Date('2026-12-31T23:59:59.999Z').getTime()) + 1, 2027 * 12);
  });

  const ends: readonly [number, string][] = [
    [2026 * 12 + 10, '2026-11-30T23:59:59.999Z'],
    [2026 * 12 + 11, '2026-12-31T23:59:59.999Z'],
    [2028 * 12 + 1, '2028-02-29T23:59:59.999Z'],
    [2100 * 12 + 1, '2100-02-28T23:59:59.999Z'],
  ];
  for (const [month, end] of ends) {
    it(`end with the last millisecond: ${end}`, () => {
      const ms = endOfMonthMs(month);
      assert.equal(new Date(ms).toISOString(), end);
      assert.equal(monthOf(ms), month);
      assert.equal(monthOf(ms + 1), month + 1);
    });
  }
});
