/** kill -9 at random moments, on real processes: nothing acknowledged is lost, nothing happens twice. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { beside } from './kill/beside.ts';
import { Devices } from './kill/devices.ts';
import { readServer } from './kill/image.ts';
import { arrivesAfterPart, arrivesLate, arrivesTogether, checkScene, isAnsweredToNobody, isCutInTheMiddle, isHeldBackForTheDead, isKilledByTheAnswer, type Scene } from './kill/in-flight.ts';
import { installedOn, killOne, move } from './kill/moves.ts';
import { activate, agreement, install, makePlace, must, sell } from './kill/place.ts';
import { Chance, seedOf } from './kill/random.ts';
import { Roamers } from './kill/roamers.ts';
import { licenseOf, TelephoneMove } from './kill/telephone.ts';

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
      t.diagnostic(`${kills} kills in ${Date.now() - started} ms, starts ${slow} ms, ${JSON.stringify(devices.counted)}, entries ${witness.entries}`);
    } finally {
      await place.close();
    }
  });

  it('while CALs move back and forth', async (t: TestContext) => {
    t.diagnostic(`seed ${seed}`);
    const chance = new Chance(seed + 1);
    const place = await makePlace(chance);
    try {
      const { clearinghouse, old, next } = place;
      for (const program of place.programs) await program.start(0);
      await sell(clearinghouse, { device: 200, user: 10 });
      await activate(old);
      await activate(next);
      await install(old, 'device', 100);
      const roamers = new Roamers(place, chance);
      for (let index = 0; index < 40; index += 1) roamers.add(old, `device-${index}`);
      await roamers.settle();
      const aheadMs = 51 * dayMs;
      for (const program of place.programs) {
        await program.kill();
        await program.start(aheadMs);
      }
      place.gate.carrier = place.gate.rough;
      for (let index = 40; index < 60; index += 1) roamers.add(chance.pick([old, next]), `device-${index}`);
      const started = Date.now();
      const kills = () => place.programs.reduce((sum, each) => sum + each.kills, 0);
      const moves: string[] = [];
      await beside(async (over) => {
      let number = 0;
      while (kills() < 88 && !over()) {
        number += 1;
        let from = chance.pick([old, next]);
        let there = await installedOn(from);
        if (there < 10) {
          from = from === old ? next : old;
          there = await installedOn(from);
        }
        const to = from === old ? next : old;
        const quantity = chance.happens(0.5) ? 'all' : chance.between(5, there);
        const t0 = Date.now();
        await move(place, chance, { number, from, to, quantity }, over);
        moves.push(`${quantity}:${Date.now() - t0}`);
      }
      }, [
        async (over) => { while (!over()) await killOne({ place, chance, roamers, aheadMs }); },
        ...Array.from({ length: 4 }, () => async (over: () => boolean) => {
          while (!over()) await sleep((await roamers.one()) ? 2 : 15);
        }),
      ]);
      t.diagnostic(`${kills()} kills, ${moves.length} moves ${moves} in ${Date.now() - started} ms ${JSON.stringify(roamers.roamed)} holders ${roamers.holders}`);
      await roamers.askAll();
    } finally {
      await place.close();
    }
  });

  it('while a contact is under way', async (t: TestContext) => {
    const chance = new Chance(seed + 2);
    const place = await makePlace(chance);
    try {
      for (const program of [place.clearinghouse, place.old]) await program.start(0);
      await sell(place.clearinghouse, { device: 5000, user: 10 });
      await activate(place.old);
      const scene: Scene = { place, server: place.old, ordered: 0 };
      const scenes: Record<string, () => Promise<void>> = {
        arrivesLate: () => arrivesLate(scene),
        together1: () => arrivesTogether(scene, 'old'),
        together2: () => arrivesTogether(scene, 'new'),
        afterPart: () => arrivesAfterPart(scene),
        nobody: () => isAnsweredToNobody(scene),
        byAnswer: () => isKilledByTheAnswer(scene, chance.between(0, 8)),
        middle: () => isCutInTheMiddle(scene, chance.between(0, 12)),
        dead: () => isHeldBackForTheDead(scene),
      };
      for (const [name, run] of Object.entries(scenes)) {
        const t0 = Date.now();
        await run();
        t.diagnostic(name + ' ' + (Date.now() - t0));
        await checkScene(scene);
        t.diagnostic(name + ' checked ' + (Date.now() - t0));
      }
    } finally {
      await place.close();
    }
  });

  it('in every step of a move by telephone, and between any two', async (t: TestContext) => {
    const chance = new Chance(seed + 3);
    const place = await makePlace(chance, { connected: false });
    try {
      const { clearinghouse, old, next } = place;
      for (const program of place.programs) await program.start(0);
      await sell(clearinghouse, { device: 100, user: 20 });
      const kit = await must(clearinghouse, { method: 'POST', path: `/v1/agreements/${agreement}/kit` });
      for (const server of [old, next]) {
        await must(server, { method: 'POST', path: '/v1/admin/kits', body: { file: kit['file'] } });
      }
      const telephone = new TelephoneMove(place, chance);
      await telephone.activate(old);
      await telephone.install(old, 'device', 40);
      await telephone.install(old, 'user', 10);
      await telephone.activate(next);
      const before = new Map<string, Record<string, unknown>>();
      for (let i = 0; i < 12; i++) before.set(`device-${i}`, await licenseOf(old, `device-${i}`));
      await telephone.move(async () => {
        assert.equal((await licenseOf(next, 'newcomer'))['kind'], 'permanent');
      });
      for (const [name, { token, bundle, origin }] of before) {
        const license = await licenseOf(next, name, { token: String(token), bundle: bundle as object });
        assert.deepEqual([license['kind'], license['origin']], ['permanent', origin], name);
      }
      const kills = place.programs.reduce((sum, each) => sum + each.kills, 0);
      t.diagnostic(`${kills} kills`);
    } finally {
      await place.close();
    }
  });
});
