import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  checkReason,
  isImmediate,
  recoveryReasons,
  sayText,
  suspends,
  unitsAtOnce,
  waitsText,
} from './recovery.ts';
import { dayMs } from './time.ts';

const now = Date.UTC(2026, 10, 30);

describe('a recovery', () => {
  for (const [what, policy, ages, expected] of [
    ['the first one', 'immediate', [], true],
    ['another one the day after', 'immediate', [1], false],
    ['another one a day before a year is over', 'immediate', [364], false],
    ['another one when a year is over', 'immediate', [365], true],
    ['one after two others', 'immediate', [800, 364], false],
    ['the first one where the publisher waits', 'wait', [], false],
    ['a later one where the publisher waits', 'wait', [365], false],
  ] as const) {
    it(`comes at once, or not: ${what}`, () => {
      const earlier = ages.map((days) => now - days * dayMs);
      assert.equal(isImmediate({ policy, earlier, nowMs: now }), expected);
      assert.equal(waitsText({ policy, earlier, nowMs: now }) === '', expected);
    });
  }

  it('that has to wait says until when, or that the publisher wants it', () => {
    const earlier = [now - 100 * dayMs];
    assert.match(waitsText({ policy: 'immediate', earlier, nowMs: now }), /2027-08-22/);
    assert.match(waitsText({ policy: 'wait', earlier, nowMs: now }), /recovery: wait/);
  });

  for (const [what, units, restored, share, expected] of [
    ['all, whoever is known', 10, 3, 100, 10],
    ['half of what nobody is known to have, rounded down', 10, 3, 50, 6],
    ['one for each known holder where nothing else is', 10, 3, 0, 3],
    ['no more than there are, however many are known', 10, 30, 50, 10],
    ['half of all where nobody tells how many are known', 10, null, 50, 5],
    ['nothing where nobody is known and nothing comes at once', 10, 0, 0, 0],
  ] as const) {
    it(`brings at once what the publisher allows: ${what}`, () => {
      assert.equal(unitsAtOnce({ units, restored, share }), expected);
    });
  }

  for (const [what, signed, more, expected] of [
    ['a message that was signed after the recovery', 1, {}, true],
    ['one that was signed at that very moment', 0, {}, true],
    ['one that was signed before, and came late', -1, {}, false],
    ['a code, which has no time', null, {}, true],
    ['where it is so already, or a supervisor has taken it back', 1, { settled: true }, false],
    ['when no lease can run any more', 1, { nowMs: now + 101 * dayMs }, false],
    ['on the last day of its leases', 1, { nowMs: now + 100 * dayMs }, true],
  ] as const) {
    it(`is suspended, or not, by what is heard of the old server: ${what}`, () => {
      const signedMs = signed === null ? null : now + signed * dayMs;
      const of = { sinceMs: now, untilMs: now + 100 * dayMs, settled: false, nowMs: now + dayMs };
      assert.equal(suspends({ ...of, signedMs, ...more }), expected);
    });
  }

  it('has one of the five reasons of the model system', () => {
    assert.equal(recoveryReasons.length, 5);
    for (const reason of recoveryReasons) assert.deepEqual(checkReason(reason), { ok: true, value: reason });
    const refused = checkReason('bored');
    assert.equal(refused.ok ? '' : refused.error.code, 'invalid-input');
  });

  it('is read out with the counts of each product and both IDs; without a database, with what is not known', () => {
    const of = { name: 'LS-ONE', reason: 'redeployed', from: 'OLD', to: 'NEW' } as const;
    const line = { agreement: '1', line: 0, product: 'ts', type: 'device', installed: 20 } as const;
    const said = sayText({
      ...of,
      cause: 'system-replaced',
      lines: [{ ...line, unissued: 17, restored: 3 }],
    });
    for (const part of [
      /LS-ONE was replaced/,
      /OLD/,
      /NEW/,
      /17 unissued CALs were not restored, 3 holders were/,
    ]) {
      assert.match(said, part);
    }
    assert.match(sayText({ ...of, cause: 'rebuilt', lines: null }), /could not be read/);
  });
});
