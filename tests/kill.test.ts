/** kill -9 at random moments, on real processes: nothing acknowledged is lost, nothing happens twice. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Devices } from './kill/devices.ts';
import { Lost } from './kill/http.ts';
import { readServer } from './kill/image.ts';
import { activate, install, makePlace, sell } from './kill/place.ts';
import { Chance, seedOf } from './kill/random.ts';

const seed = seedOf(process.env);
const dayMs = 86_400_000;

describe('kill -9 at random moments', { concurrency: 1 }, () => {
  it('while licenses are issued, renewed, returned and validated', async (t: TestContext) => {
    const chance = new Chance(seed);
    t.diagnostic(`seed ${seed}`);
    const place = await makePlace(chance);
    try {
      const { clearinghouse, old } = place;
      await clearinghouse.start(0);
      await old.start(0);
      await sell(clearinghouse, { device: 1000, user: 1000 });
      await activate(old);
      await install(old, 'device', 120);
      await install(old, 'user', 25);
      await old.kill();
      const kills = 125;
      const devices = new Devices(old, chance, { device: 150, user: 30 });
      const witness = place.witnesses.get('old');
      assert.ok(witness);
      const started = Date.now();
      let slow = 0;
      for (let round = 0; round < kills; round += 1) {
        const aheadMs = Math.floor((round < kills / 4 ? 0 : 45 + (36 * (round - kills / 4)) / kills) * dayMs);
        const t0 = Date.now();
        await old.start(aheadMs);
        slow += Date.now() - t0;
        let open = true;
        const workers = Array.from({ length: 12 }, async () => {
          while (open && (await devices.one(Date.now() + aheadMs)));
        });
        await sleep(chance.between(5, 220));
        open = false;
        await old.kill();
        await devices.quiet();
        await Promise.all(workers);
        devices.check(witness.look(readServer('old')), Date.now() + aheadMs);
      }
      t.diagnostic(
        `${kills} kills in ${Date.now() - started} ms, starts ${slow} ms, ${JSON.stringify(devices.counted)}, entries ${witness.entries}`,
      );
    } finally {
      await place.close();
    }
  });
});
void Lost;
