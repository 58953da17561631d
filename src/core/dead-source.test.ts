import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  awaitedDead,
  awaitedEarlierGrant,
  awaitedGrantable,
  checkEarlyRelease,
  earlyReleasesLeft,
  endingOf,
  gapTokenMs,
  opensAtMs,
  parseStatement,
  riskOf,
  showsHolder,
  splitGrant,
} from './dead-source.ts';
import { dayMs, endOfMonthMs, isoDate } from './time.ts';

const january = 2026 * 12;

describe('endingOf', () => {
  it('is the latest of all that was signed, certificate and slot alike', () => {
    const certificate = { baseMonth: january + 3, horizonE: 2, sunsetMonths: 13 };
    const slot = { baseMonth: january + 13, horizonE: 0, sunsetMonths: 0 };
    assert.deepEqual(endingOf([certificate, slot]), {
      horizonMs: endOfMonthMs(january + 13),
      sunsetMs: endOfMonthMs(january + 18),
    });
    assert.deepEqual(endingOf([slot]), {
      horizonMs: endOfMonthMs(january + 13),
      sunsetMs: endOfMonthMs(january + 13),
    });
    assert.equal(endingOf([]), null);
  });
});

describe('opensAtMs', () => {
  it('is 89 days after the horizon, or the sunset where that is earlier', () => {
    assert.equal(opensAtMs({ horizonMs: 0, sunsetMs: 400 * dayMs }), 89 * dayMs);
    assert.equal(opensAtMs({ horizonMs: 0, sunsetMs: 0 }), 0);
  });
});

describe('splitGrant', () => {
  const rows: readonly [string, boolean, number, { unissued: number; held: number }][] = [
    ['as a reserve, while a lease may still run', false, 100, { unissued: 0, held: 7 }],
    ['unissued, once all leases must have ended', false, 101, { unissued: 7, held: 0 }],
    ['unissued, where nobody waits', true, 1, { unissued: 7, held: 0 }],
  ];
  for (const [name, early, nowMs, expected] of rows) {
    it(name, () => {
      assert.deepEqual(splitGrant({ units: 7, opensAtMs: 100, nowMs, early }), expected);
    });
  }
});

describe('riskOf', () => {
  const of = { units: 7, opensAtMs: 100, sunsetMs: 400, nowMs: 3 };
  const rows: readonly [string, Parameters<typeof riskOf>[0], ReturnType<typeof riskOf>][] = [
    ['all of them from now on, early', { ...of, early: true }, risk(7, 3, 400)],
    ['what it renews late, up to its sunset', { ...of, early: false }, risk(7, 100, 400)],
    ['nothing, where its sunset is no later', { ...of, early: false, sunsetMs: 100 }, risk(0, 100, 100)],
  ];
  for (const [name, asked, expected] of rows) {
    it(name, () => assert.deepEqual(riskOf(asked), expected));
  }
});

function risk(units: number, fromMs: number, untilMs: number): ReturnType<typeof riskOf> {
  return { units, fromMs, untilMs };
}

describe('parseStatement', () => {
  it('reads who says what', () => {
    assert.deepEqual(parseStatement(' Ann Lee : it burnt: all of it '), {
      ok: true,
      value: { by: 'Ann Lee', text: 'it burnt: all of it' },
    });
  });
  for (const words of ['', 'it burnt', ': it burnt', 'Ann Lee:', `${'x'.repeat(101)}: it burnt`]) {
    it(`refuses "${words.slice(0, 20)}"`, () => {
      const read = parseStatement(words);
      assert.ok(!read.ok);
      assert.equal(read.error.code, 'invalid-input');
    });
  }
});

describe('checkEarlyRelease', () => {
  const request = {
    ...{ move: 'm', agreement: '1', by: 'Ben', declaredBy: ['Ann Lee', 'Desk'] },
    ...{ earlier: [] as readonly number[], nowMs: 1000 * dayMs },
  };

  it('needs another person than who declared it, however the name is written', () => {
    assert.ok(checkEarlyRelease(request).ok);
    for (const by of ['Ann Lee', ' ann  LEE ', 'desk']) {
      const checked = checkEarlyRelease({ ...request, by });
      assert.ok(!checked.ok);
      assert.equal(checked.error.code, 'approval-same-person', by);
    }
    const nobody = checkEarlyRelease({ ...request, by: ' ' });
    assert.ok(!nobody.ok);
    assert.equal(nobody.error.code, 'invalid-input');
  });

  it('is possible twice in twelve months, and says when it is possible again', () => {
    const [first, second] = [700 * dayMs, 900 * dayMs];
    assert.ok(checkEarlyRelease({ ...request, earlier: [second] }).ok);
    assert.deepEqual(checkEarlyRelease({ ...request, earlier: [second, first] }), {
      ok: false,
      error: { code: 'early-release-limit', agreement: '1', most: 2, next: isoDate(first + 365 * dayMs) },
    });
    assert.ok(checkEarlyRelease({ ...request, earlier: [second, first], nowMs: first + 365 * dayMs }).ok);
  });
});

describe('earlyReleasesLeft', () => {
  it('counts those of the last 365 days', () => {
    const nowMs = 1000 * dayMs;
    const [old, first, second] = [635 * dayMs, 700 * dayMs, 900 * dayMs];
    assert.deepEqual(earlyReleasesLeft({ earlier: [], nowMs }), { left: 2, next: null });
    assert.deepEqual(earlyReleasesLeft({ earlier: [old, first], nowMs }), { left: 1, next: null });
    const next = isoDate(first + 365 * dayMs);
    assert.deepEqual(earlyReleasesLeft({ earlier: [second, first], nowMs }), { left: 0, next });
  });
});

describe('showsHolder', () => {
  it('takes a token that runs, or ended at most 90 days ago', () => {
    assert.ok(showsHolder(1, 0));
    assert.ok(showsHolder(0, gapTokenMs));
    assert.ok(!showsHolder(0, gapTokenMs + 1));
  });
});

describe('awaitedDead', () => {
  it('names the days, and whose turn it is', () => {
    const ending = { horizonMs: Date.UTC(2026, 4, 31), opensAtMs: Date.UTC(2026, 7, 28) };
    const before = awaitedDead({ ...ending, nowMs: Date.UTC(2026, 3, 1) });
    assert.equal(before.from, 'source');
    assert.match(before.text, /2026-05-31.*2026-08-28/);
    assert.equal(awaitedDead({ ...ending, nowMs: Date.UTC(2026, 5, 1) }).from, 'clearinghouse');
  });
});

describe('what is due and cannot be granted yet', () => {
  it('waits for the target to take in what came before', () => {
    const waits = awaitedEarlierGrant({ id: 'm-1', target: 'LS-NEW' });
    assert.equal(waits.from, 'target');
    assert.match(waits.text, /LS-NEW.*move m-1/);
  });

  it('says what is in the way, and what helps', () => {
    const waits = awaitedGrantable({ message: 'It is closed.', next: 'Open it.' });
    assert.equal(waits.from, 'clearinghouse');
    assert.match(waits.text, /It is closed\. Open it\. .*calyx desk cancel/);
  });
});
