/**
 * Holders whose CALs move on, or back, before they come for them, where a telephone was among the carriers and
 * nobody could say their names: every one of them is served where its CAL is, and keeps it.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { OpenServer } from '../src/server/app.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { assertSound } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { makeWorld, product, refusalOf, value } from './world/world.ts';

const carriers = ['telephone', 'messages'] as const;
type Carrier = (typeof carriers)[number];
/** All pairs but that of two moves by messages, which name everybody. */
const pairs = carriers
  .flatMap((first) => carriers.map((second) => [first, second] as const))
  .filter((pair) => pair.includes('telephone'));

const holders = ['ws-1', 'ws-2', 'ws-3'] as const;

let world: World;
let a: OpenServer;
let b: OpenServer;
let c: OpenServer;
let first: ReadonlyMap<string, LicenseAnswer>;

beforeEach(async () => {
  world = await makeWorld(50);
  [a, b, c] = (await Promise.all(
    ['LS-A', 'LS-B', 'LS-C'].map((name) => world.addServer(name, { kit: true, connected: true })),
  )) as [OpenServer, OpenServer, OpenServer];
  for (const server of [a, b, c]) await acts.connect(server, 0);
  await acts.installByContact(a, { quantity: 3 });
  const given = new Map<string, LicenseAnswer>();
  for (const holder of holders) given.set(holder, await acts.permanent(a, holder));
  first = given;
});

afterEach(async () => {
  await assertConserved(world);
  await assertSound(world);
  await world.close();
});

async function move(by: Carrier, from: OpenServer, to: OpenServer): Promise<void> {
  if (by === 'telephone') {
    await acts.moveByTelephone(world, { from, to });
    return;
  }
  await acts.askMove(from, to);
  await acts.contact(from, from, to, to, from, from, to);
}

const had = (holder: string): LicenseAnswer => first.get(holder) ?? assert.fail(`${holder} had nothing`);
const ask = (server: OpenServer, holder: string, shown?: LicenseAnswer) =>
  requestLicense(server.context, {
    ...{ product, type: 'device', holder },
    ...(shown === undefined ? {} : { source: acts.sourceOf(shown) }),
  });

for (const [there, back] of pairs) {
  describe(`there by ${there}, and back by ${back}`, () => {
    it('serves those who stayed away, and those who went along, each once and with its CAL', async () => {
      await move(there, a, b);
      const gone = await acts.permanent(b, 'ws-3', acts.sourceOf(had('ws-3')));
      await move(back, b, a);
      assert.deepEqual(await acts.counts(a), [3, 0, 0, 0, 3, 0]);
      const shows = value(await ask(a, 'ws-1', had('ws-1')));
      const showsNothing = value(await ask(a, 'ws-2'));
      const fromThere = value(await ask(a, 'ws-3', gone));
      for (const [at, answer] of [shows, showsNothing, fromThere].entries()) {
        assert.equal(answer.kind, 'permanent');
        assert.equal(answer.origin, had(holders[at] ?? '').origin);
      }
      assert.equal(value(await ask(a, 'ws-2', had('ws-2'))).status, 'unchanged');
      assert.deepEqual(await acts.counts(a), [3, 3, 0, 0, 0, 0]);
    });

    it('gives the CALs to nobody else before the last lease there has ended', async () => {
      await move(there, a, b);
      await move(back, b, a);
      assert.equal(value(await ask(a, 'stranger')).kind, 'temporary');
      world.clock.advanceDays(85);
      await acts.contact(a, b);
      const late = value(await ask(a, 'late'));
      assert.equal(late.kind, 'temporary');
      assert.deepEqual(await acts.counts(a), [3, 0, 0, 0, 3, 0]);
    });

    it('takes one whose lease has ended for somebody known, who is sent nowhere', async () => {
      await move(there, a, b);
      await move(back, b, a);
      await acts.installByContact(a, { quantity: 1 });
      world.clock.advanceDays(89);
      await acts.contact(a, b);
      const again = value(await ask(a, 'ws-1'));
      assert.equal(again.kind, 'permanent');
      assert.deepEqual(await acts.counts(a), [4, 1, 0, 0, 3, 0]);
    });
  });

  describe(`onward by ${there}, and on by ${back}`, () => {
    it('serves those who were never in between with the token of the first server', async () => {
      await move(there, a, b);
      await move(back, b, c);
      const late = value(await ask(c, 'ws-1', had('ws-1')));
      assert.deepEqual([late.kind, late.origin], ['permanent', had('ws-1').origin]);
      assert.deepEqual(await acts.counts(c), [3, 1, 0, 0, 2, 0]);
    });

    it('honors one CAL once, whichever of its tokens is shown', async () => {
      await move(there, a, b);
      const between = await acts.permanent(b, 'ws-1', acts.sourceOf(had('ws-1')));
      await move(back, b, c);
      assert.equal(value(await ask(c, 'ws-1', had('ws-1'))).status, 'issued');
      assert.equal(value(await ask(c, 'ws-1', between)).status, 'unchanged');
      assert.deepEqual(await acts.counts(c), [3, 1, 0, 0, 2, 0]);
    });

    it('serves nobody whose server the CALs never came from', async () => {
      const d = await world.addServer('LS-D', { kit: true, connected: true });
      await acts.connect(d, 1);
      const other = await acts.permanent(d, 'other');
      await move(there, a, b);
      await move(back, b, c);
      const answer = await ask(c, 'other', other);
      assert.equal(answer.ok && answer.value.kind, 'temporary');
      assert.deepEqual(await acts.counts(c), [3, 0, 0, 0, 3, 0]);
    });
  });
}

it('a release names the servers whose holders never came, again when it is asked again', async () => {
  await move('telephone', a, b);
  await acts.permanent(b, 'ws-3', acts.sourceOf(had('ws-3')));
  const told = await acts.moveByTelephone(world, { from: b, to: c });
  assert.deepEqual(told.alsoFrom, [acts.idOf(a)]);
});

it('a release names nobody where all have come', async () => {
  await move('telephone', a, b);
  for (const holder of holders) await acts.permanent(b, holder, acts.sourceOf(had(holder)));
  const told = await acts.moveByTelephone(world, { from: b, to: c });
  assert.deepEqual(told.alsoFrom, []);
});

it('a holder whose CAL did not come back is sent to where it is', async () => {
  await move('telephone', a, b);
  await acts.installByContact(b, { quantity: 2 });
  await acts.askMove(b, a, { quantity: 2 });
  await acts.contact(b, b, a, a, b, b, a);
  assert.deepEqual(await acts.counts(a), [2, 0, 2, 0, 0, 0]);
  const refused = refusalOf(await ask(a, 'ws-1'));
  assert.equal(refused.code, 'license-moved');
});
