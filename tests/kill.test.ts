/**
 * kill -9 at random moments, on real processes and real data folders: nothing that was acknowledged is
 * lost, nothing happens twice, the books balance in the instant of each kill, and no honest server is
 * taken for a copy. `CALYX_KILL_SEED` repeats the chances of a run, though not its timing.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { after, before, describe, it } from 'node:test';
import { scenes } from './kill/in-flight.ts';
import { Issuing } from './kill/issue.ts';
import { Moving } from './kill/moves.ts';
import type { Place, PlaceOptions } from './kill/place.ts';
import { makePlace } from './kill/place.ts';
import { Stable } from './kill/programs.ts';
import { Chance, seedOf } from './kill/random.ts';
import { TelephoneMove } from './kill/telephone.ts';

const seed = seedOf(process.env);
/** In all; each part does its share. */
const fewestKills = 200;

describe('kill -9 at random moments', { concurrency: 1 }, () => {
  const compiled = mkdtempSync(join(tmpdir(), 'calyx-compiled-'));
  let stable: Stable;

  before(() => {
    stable = new Stable(compiled, 2);
  });

  after(async () => {
    await stable.close();
    rmSync(compiled, { recursive: true, force: true });
  });

  /** A fresh place for one test, whose processes end with it. */
  async function withPlace(
    t: TestContext,
    options: Omit<PlaceOptions, 'stable'>,
    use: (place: Place) => Promise<object>,
  ): Promise<void> {
    t.diagnostic(`seed ${seed}`);
    const before = stable.kills;
    const place = await makePlace({ ...options, stable });
    try {
      const counted = await use(place);
      t.diagnostic(`${stable.kills - before} kills; ${JSON.stringify(counted)}`);
    } finally {
      await place.close();
    }
  }

  it('loses no license and gives no unit twice while devices and users ask, renew and return', (t) => {
    const chance = new Chance(seed);
    return withPlace(t, { chance }, async (place) => {
      const issuing = new Issuing(place, chance);
      await issuing.prepare();
      await issuing.kill(95);
      await issuing.settle();
      const { counted } = issuing;
      for (const [what, times] of Object.entries(counted)) assert.ok(times > 0, `${what} happens`);
      return counted;
    });
  });

  it('ends every move, and each holder keeps its one CAL, while CALs move back and forth', (t) => {
    const chance = new Chance(seed + 1);
    return withPlace(t, { chance }, async (place) => {
      const moving = new Moving(place, chance);
      await moving.prepare();
      await moving.kill(78);
      await moving.settle();
      const { moves, roamed } = moving;
      assert.ok(moves > 1, `${moves} moves`);
      for (const [what, times] of Object.entries(roamed)) assert.ok(times > 0, `${what} happens`);
      return { moves, ...roamed };
    });
  });

  it('trusts a server whose contact was under way, and grants nothing twice', (t) => {
    const chance = new Chance(seed + 2);
    return withPlace(t, { chance }, async (place) => scenes(place, chance));
  });

  it('repeats every step of a move by telephone to the same end', (t) => {
    const chance = new Chance(seed + 3);
    return withPlace(t, { chance, connected: false }, async (place) => {
      const telephone = new TelephoneMove(place, chance);
      await telephone.prepare();
      await telephone.move();
      return { steps: telephone.steps };
    });
  });

  it(`killed at least ${fewestKills} times`, (t) => {
    t.diagnostic(`${stable.kills} kills`);
    assert.ok(stable.kills >= fewestKills, `${stable.kills} kills`);
  });
});
