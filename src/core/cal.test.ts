import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RequestDecision, RequestState } from './cal.ts';
import { decideRequest, leaseEnd, renewalMs, temporaryCap } from './cal.ts';
import type { RefusalCode } from './refusal.ts';
import type { Standing } from './standing.ts';
import { dayMs, hourMs, isoTime } from './time.ts';

const nowMs = 1_795_000_000_000;
const assign: Standing = { horizonMs: nowMs + 60 * dayMs, sunsetMs: nowMs + 400 * dayMs, may: 'assign' };
const renew: Standing = { horizonMs: nowMs - dayMs, sunsetMs: nowMs + 300 * dayMs, may: 'renew' };
const nothing: Standing = { horizonMs: nowMs - 400 * dayMs, sunsetMs: nowMs - dayMs, may: 'nothing' };
const waived: Standing = { horizonMs: null, sunsetMs: null, may: 'assign' };

const device: RequestState = {
  doubt: null,
  shownUntil: null,
  nowMs,
  product: 'ts-2012r2',
  type: 'device',
  deactivated: false,
  standing: assign,
  license: null,
  temporary: null,
  reserved: false,
  gap: null,
  gapOpen: false,
  sourceShown: false,
  installed: 500,
  unissued: 100,
  temporariesAlive: 0,
};
const user: RequestState = { ...device, type: 'user' };
const ending = (days: number) => ({ expiresAt: nowMs + days * dayMs });
const temp = (days: number, validated: boolean) => ({ ...ending(days), validated });

type Expected = RequestDecision | RefusalCode;
const unchanged: Expected = { act: 'unchanged', kind: 'permanent' };
const still: Expected = { act: 'unchanged', kind: 'temporary' };
const renewed: Expected = { act: 'renew', lapsed: false };
const again: Expected = { act: 'renew', lapsed: true };
const issued: Expected = { act: 'issue' };
const upgraded: Expected = { act: 'upgrade' };
const temporary: Expected = { act: 'temporary' };
const takenOver: Expected = { act: 'take-over' };

type Row = readonly [string, RequestState, Partial<RequestState>, Expected];

function table(rows: readonly Row[]): void {
  for (const [name, base, change, expected] of rows) {
    it(name, () => {
      const decided = decideRequest({ ...base, ...change });
      if (typeof expected === 'string') {
        assert.equal(decided.ok, false, JSON.stringify(decided));
        assert.equal(!decided.ok && decided.error.code, expected);
      } else {
        assert.deepEqual(decided, { ok: true, value: expected });
      }
    });
  }
}

describe('a device that comes for the first time', () => {
  table([
    ['gets a temporary license, although CALs are free', device, {}, temporary],
    ['gets one where no CAL is free', device, { unissued: 0 }, temporary],
    ['gets one where the product is not installed', device, { installed: 0, unissued: 0 }, temporary],
    ['gets one on a server that is not activated', device, { standing: null, installed: 0 }, temporary],
    ['gets one past the horizon', device, { standing: renew }, temporary],
    ['is refused past sunset', device, { standing: nothing }, 'horizon-passed'],
    ['is refused on a deactivated server', device, { deactivated: true }, 'deactivated'],
    ['gets a permanent one with a valid source token', device, { sourceShown: true }, issued],
    [
      'gets a temporary one with a valid source token where none is free',
      device,
      { sourceShown: true, unissued: 0 },
      temporary,
    ],
    [
      'gets a temporary one with a valid source token past the horizon',
      device,
      { sourceShown: true, standing: renew },
      temporary,
    ],
  ]);
});

describe('the cap on temporary licenses', () => {
  table([
    ['lets the last one below it through', device, { unissued: 0, temporariesAlive: 49 }, temporary],
    ['refuses the next', device, { unissued: 0, temporariesAlive: 50 }, 'temporary-cap'],
    ['counts free CALs on top', device, { unissued: 3, temporariesAlive: 52 }, temporary],
    ['is there while CALs are free', device, { unissued: 3, temporariesAlive: 53 }, 'temporary-cap'],
    [
      'is 10 on a small server',
      device,
      { installed: 20, unissued: 0, temporariesAlive: 10 },
      'temporary-cap',
    ],
    ['is not there without activation', device, { standing: null, temporariesAlive: 9999 }, temporary],
    [
      'is not there without the product',
      device,
      { installed: 0, unissued: 0, temporariesAlive: 9999 },
      temporary,
    ],
    [
      'does not take a temporary license away',
      device,
      { unissued: 0, temporariesAlive: 50, temporary: temp(10, false) },
      still,
    ],
  ]);

  it('is the free CALs + the larger of 10 and a tenth, rounded down', () => {
    assert.equal(temporaryCap({ activated: true, installed: 1, unissued: 1 }), 11);
    assert.equal(temporaryCap({ activated: true, installed: 109, unissued: 0 }), 10);
    assert.equal(temporaryCap({ activated: true, installed: 119, unissued: 4 }), 15);
    assert.equal(temporaryCap({ activated: true, installed: 0, unissued: 0 }), null);
    assert.equal(temporaryCap({ activated: false, installed: 50, unissued: 50 }), null);
  });
});

describe('a device with a temporary license', () => {
  table([
    ['keeps it until it has signed in', device, { temporary: temp(80, false) }, still],
    ['is upgraded after it has signed in', device, { temporary: temp(80, true) }, upgraded],
    ['keeps it while no CAL is free', device, { temporary: temp(80, true), unissued: 0 }, still],
    ['keeps it past the horizon', device, { temporary: temp(80, true), standing: renew }, still],
    [
      'keeps it while the server is not activated',
      device,
      { temporary: temp(80, true), standing: null },
      still,
    ],
    ['is upgraded by a source token', device, { temporary: temp(80, false), sourceShown: true }, upgraded],
    ['takes over its own unit', device, { temporary: temp(80, false), reserved: true }, takenOver],
    [
      'is refused on a deactivated server',
      device,
      { temporary: temp(80, true), deactivated: true },
      'deactivated',
    ],
  ]);
});

describe('a device whose temporary license has ended', () => {
  table([
    ['is refused at the very moment of its end', device, { temporary: temp(0, false) }, 'temporary-used-up'],
    ['gets no second one, even with CALs free', device, { temporary: temp(-1, false) }, 'temporary-used-up'],
    ['is upgraded if it has signed in and a CAL is free', device, { temporary: temp(-1, true) }, upgraded],
    [
      'is told that none is free if it has signed in',
      device,
      { temporary: temp(-1, true), unissued: 0 },
      'none-available',
    ],
    [
      'is told that the product is not installed',
      device,
      { temporary: temp(-1, true), installed: 0, unissued: 0 },
      'product-not-installed',
    ],
    [
      'is told that the horizon has passed',
      device,
      { temporary: temp(-1, true), standing: renew },
      'horizon-passed',
    ],
    [
      'is told so on a server that is not activated',
      device,
      { temporary: temp(-1, true), standing: null },
      'temporary-used-up',
    ],
  ]);
});

describe('a user', () => {
  table([
    ['gets a permanent license at once', user, {}, issued],
    ['gets the last one', user, { unissued: 1 }, issued],
    ['is refused where none is free', user, { unissued: 0 }, 'none-available'],
    [
      'is refused where the product is not installed',
      user,
      { installed: 0, unissued: 0 },
      'product-not-installed',
    ],
    ['is refused on a server that is not activated', user, { standing: null }, 'not-activated'],
    ['is refused past the horizon', user, { standing: renew }, 'horizon-passed'],
    ['is refused past sunset', user, { standing: nothing }, 'horizon-passed'],
    ['is refused on a deactivated server', user, { deactivated: true }, 'deactivated'],
    ['keeps a fresh license', user, { license: ending(30) }, unchanged],
    ['renews in the last week', user, { license: ending(6) }, renewed],
    ['takes over a unit that came for it', user, { reserved: true, unissued: 0 }, takenOver],
    ['gets one where horizons are waived', user, { standing: waived }, issued],
  ]);
});

describe('the holder of a permanent license', () => {
  const lastWeek = { expiresAt: nowMs + renewalMs };
  table([
    ['keeps it before the last 7 days', device, { license: { expiresAt: nowMs + renewalMs + 1 } }, unchanged],
    ['renews from exactly 7 days before the end', device, { license: lastWeek }, renewed],
    ['renews although none is free', device, { license: lastWeek, unissued: 0 }, renewed],
    ['renews past the horizon, marked late', device, { license: lastWeek, standing: renew }, renewed],
    ['renews where horizons are waived', device, { license: lastWeek, standing: waived }, renewed],
    [
      'is not renewed to the same end at sunset',
      device,
      { license: ending(3), standing: { ...renew, sunsetMs: nowMs + 3 * dayMs + 999 } },
      unchanged,
    ],
    [
      'is renewed up to a sunset that lies a little later',
      device,
      { license: ending(3), standing: { ...renew, sunsetMs: nowMs + 3 * dayMs + 1000 } },
      renewed,
    ],
    ['keeps what is left past sunset', device, { license: ending(3), standing: nothing }, unchanged],
    ['keeps what is left without activation', device, { license: ending(3), standing: null }, unchanged],
    [
      'has its own unit again after its lease ended and nobody took it',
      device,
      { license: ending(0), unissued: 0 },
      again,
    ],
    [
      'is a newcomer past the horizon once its lease has ended',
      device,
      { license: ending(-1), standing: renew },
      temporary,
    ],
    [
      'is a newcomer past the horizon, and a user is then refused',
      user,
      { license: ending(-1), standing: renew },
      'horizon-passed',
    ],
    ['is refused on a deactivated server', device, { license: ending(30), deactivated: true }, 'deactivated'],
    [
      'prefers its own license to a reserved unit',
      device,
      { license: ending(30), reserved: true },
      unchanged,
    ],
  ]);
});

describe('a holder whose unit came with a move', () => {
  table([
    ['takes it over, whatever else is free', device, { reserved: true, unissued: 0 }, takenOver],
    ['takes it over past the horizon, marked late', device, { reserved: true, standing: renew }, takenOver],
    ['does not past sunset', device, { reserved: true, standing: nothing }, 'horizon-passed'],
    [
      'takes it over instead of an upgrade',
      device,
      { reserved: true, sourceShown: true, temporary: temp(-1, true) },
      takenOver,
    ],
  ]);
});

describe('a holder of a source that no longer functions', () => {
  const none = { unissued: 0, sourceShown: true } as const;
  const bridge: Expected = { act: 'gap' };
  const bridgeOf = (days: number, until: number | null = null) => ({
    ...ending(days),
    until: until === null ? null : nowMs + until * dayMs,
  });
  const bridged: Expected = { act: 'unchanged', kind: 'gap' };
  table([
    ['gets a unit where one is free', device, { sourceShown: true, gapOpen: true }, issued],
    ['gets a gap license where none is', device, { ...none, gapOpen: true }, bridge],
    ['gets it as a user, too', user, { ...none, gapOpen: true }, bridge],
    ['gets it on a server that has nothing yet', user, { ...none, installed: 0, gapOpen: true }, bridge],
    ['gets it beyond the horizon', device, { ...none, gapOpen: true, standing: renew }, bridge],
    ['gets none beyond the sunset', user, { ...none, gapOpen: true, standing: nothing }, 'horizon-passed'],
    [
      'gets none on a server that is not activated',
      user,
      { ...none, gapOpen: true, standing: null },
      'not-activated',
    ],
    ['is not counted against the cap', device, { ...none, gapOpen: true, temporariesAlive: 1000 }, bridge],
    ['keeps the one it has', user, { ...none, gap: bridgeOf(80) }, bridged],
    ['keeps it until its end and no longer', user, { ...none, gap: bridgeOf(0) }, 'none-available'],
    ['has it renewed in its last week while the units wait', user, { ...none, gap: bridgeOf(7, 30) }, bridge],
    ['has it renewed after its end as well', device, { ...none, gap: bridgeOf(-1, 30) }, bridge],
    ['keeps it before that week', user, { ...none, gap: bridgeOf(8, 30) }, bridged],
    [
      'has it no longer renewed when all may have them',
      user,
      { ...none, gap: bridgeOf(-1, 0) },
      'none-available',
    ],
    [
      'gets no second one',
      device,
      { ...none, gap: bridgeOf(-1), temporary: temp(-1, true) },
      'none-available',
    ],
    ['gets its unit when that is there', user, { gap: bridgeOf(80), reserved: true }, { act: 'take-over' }],
    ['gets a free one when there is one', user, { gap: bridgeOf(80), sourceShown: true }, issued],
    [
      'keeps a temporary license that runs, and the gap license for later',
      device,
      { ...none, gapOpen: true, temporary: temp(10, true) },
      { act: 'unchanged', kind: 'temporary' },
    ],
    ['has it after that', device, { ...none, gapOpen: true, temporary: temp(-1, true) }, bridge],
  ]);
});

describe('a request for a concurrent CAL', () => {
  table([['is refused', device, { type: 'concurrent' }, 'type-not-supported']]);
});

describe('refusals', () => {
  it('carry the numbers', () => {
    const none = decideRequest({ ...user, unissued: 0 });
    assert.deepEqual(none, {
      ok: false,
      error: { code: 'none-available', product: 'ts-2012r2', type: 'user', installed: 500, unissued: 0 },
    });
    const used = decideRequest({ ...device, temporary: temp(-1, false) });
    assert.deepEqual(used, {
      ok: false,
      error: { code: 'temporary-used-up', product: 'ts-2012r2', expiredAt: isoTime(nowMs - dayMs) },
    });
    const passed = decideRequest({ ...user, standing: renew });
    assert.deepEqual(passed, {
      ok: false,
      error: { code: 'horizon-passed', horizon: isoTime(nowMs - dayMs), now: isoTime(nowMs) },
    });
  });
});

describe('leaseEnd', () => {
  const bounds: number[] = [];
  const draw = (low: number, high: number): number => {
    bounds.push(low, high);
    return high;
  };
  const lease = { nowMs, draw, sunsetMs: null };

  it('is no earlier than what its holder comes with ends, nor later than any lease may', () => {
    const shortest = { ...lease, kind: 'device', draw: (low: number) => low } as const;
    const until = (days: number): number => leaseEnd({ ...shortest, hasUntilMs: nowMs + days * dayMs });
    assert.deepEqual(
      [10, 52, 60, 89, 400].map((days) => (until(days) - nowMs) / dayMs),
      [52, 52, 60, 89, 89],
    );
    const sunsetMs = nowMs + 55 * dayMs;
    assert.equal(leaseEnd({ ...shortest, sunsetMs, hasUntilMs: nowMs + 60 * dayMs }), sunsetMs);
  });

  it('draws 52 to 89 days for a device', () => {
    assert.equal(leaseEnd({ ...lease, kind: 'device' }), nowMs + 89 * dayMs);
    assert.deepEqual(bounds, [52, 89]);
    assert.equal(leaseEnd({ ...lease, kind: 'device', draw: (low) => low }), nowMs + 52 * dayMs);
  });

  it('is 60 days for a user and 90 for a temporary license, not drawn', () => {
    const never = (): number => assert.fail('drawn');
    assert.equal(leaseEnd({ ...lease, kind: 'user', draw: never }), nowMs + 60 * dayMs);
    assert.equal(leaseEnd({ ...lease, kind: 'temporary', draw: never }), nowMs + 90 * dayMs);
  });

  it('is never beyond sunset, in whole seconds', () => {
    const sunsetMs = nowMs + 10 * dayMs + 999;
    for (const kind of ['device', 'user', 'temporary'] as const) {
      assert.equal(leaseEnd({ ...lease, kind, sunsetMs }), nowMs + 10 * dayMs);
    }
    assert.equal(leaseEnd({ ...lease, kind: 'user', nowMs: nowMs + 1 }), nowMs + 60 * dayMs);
  });

  it('leaves a sunset that lies further away alone', () => {
    const sunsetMs = nowMs + 89 * dayMs + hourMs;
    assert.equal(leaseEnd({ ...lease, kind: 'device', sunsetMs }), nowMs + 89 * dayMs);
  });
});
