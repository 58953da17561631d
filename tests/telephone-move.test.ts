/** A move by telephone on real stores: codes alone go to and fro. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import type { OpenServer } from '../src/server/app.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { freezeByTelephone } from '../src/server/usecases/telephone-move.ts';
import * as acts from './world/acts.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

const type = 'device';

interface Scene {
  readonly world: World;
  readonly old: OpenServer;
  readonly next: OpenServer;
  /** What each of the 15 holders has from the old server. */
  readonly before: ReadonlyMap<string, LicenseAnswer>;
}

/** Two servers activated by telephone; 40 CALs on the old one, 15 of them issued. */
async function setTheScene(): Promise<Scene> {
  const world = await makeWorld();
  const old = await world.addServer('LS-OLD', { kit: true });
  const next = await world.addServer('LS-NEW', { kit: true });
  for (const server of [old, next]) {
    const code = await acts.activationCode(world, server);
    assert.match(code, /^[45]/);
    assert.equal((await acts.typeCode(server, code)).kind, 'activation');
  }
  await acts.install(world, old, { quantity: 40 });
  const before = new Map<string, LicenseAnswer>();
  for (let index = 0; index < 15; index += 1) {
    const license = await acts.permanent(old, `ws-${index}`);
    assert.equal(license.kind, 'permanent');
    before.set(`ws-${index}`, license);
  }
  return { world, old, next, before };
}

/** The books of all three, when everything is over: one more device than the 15 has a CAL. */
async function assertSettled({ world, old, next }: Scene): Promise<void> {
  const ch = world.clearinghouse.context;
  const status = await readStatus(next.context);
  assert.deepEqual(
    status.packs.map(({ installed: total, issued, unissued, held: h, reserved, quarantined }) => ({
      total,
      issued,
      unissued,
      h,
      reserved,
      quarantined,
    })),
    [{ total: 40, issued: 16, unissued: 24, h: 0, reserved: 0, quarantined: 0 }],
  );
  const books = value(await showAgreement(ch, agreement)).lines[0];
  assert.deepEqual(
    [books?.entitled, books?.inHand, books?.committed, books?.inTransit, books?.quarantined, books?.retired],
    [1000, 960, 40, 0, 0, 0],
  );
  assert.equal((await readStatus(old.context)).activation, 'deactivated');
}

it('moves 40 CALs, 15 of them issued, by telephone alone', async () => {
  const { world, old, next, before } = await setTheScene();
  await acts.deskMove(world, { from: old, to: next });
  const order = { product, type, to: acts.idOf(next), quantity: 'all' } as const;
  const frozen = value(await freezeByTelephone(old.context, order));
  assert.deepEqual([frozen.unissued, frozen.held], [25, 15]);
  const answer = await acts.confirm(world, frozen.code);
  assert.equal(answer.codes.length, 1);
  const installed = await acts.typeCode(next, answer.code ?? '');
  assert.equal(installed.kind === 'key-pack' && installed.added, 25);
  assert.equal((await acts.permanent(next, 'new-device')).kind, 'permanent');
  // A holder of the old server goes on renewing there, and may come over early without spending two.
  assert.equal(
    value(await requestLicense(old.context, { product, type, holder: 'ws-3' })).status,
    'unchanged',
  );
  const early = before.get('ws-4');
  const cameEarly = await acts.permanent(next, 'ws-4', early && acts.sourceOf(early));
  assert.equal(cameEarly.origin, early?.origin);
  const closed = value(await deactivateServer(old.context, { returnUnissued: false, by: 'telephone' }));
  assert.equal(closed.codes.length, 1);
  const held = await acts.confirm(world, closed.codes[0]?.code ?? '');
  assert.match(held.code ?? '', /^[89]/);
  const reserve = await acts.typeCode(next, held.code ?? '', { from: acts.idOf(old) });
  assert.equal(reserve.kind === 'held-key-pack' && reserve.added, 15);
  for (const [holder, first] of before) {
    const license = await acts.permanent(next, holder, acts.sourceOf(first));
    assert.equal(license.kind, 'permanent', holder);
    assert.equal(license.origin, first.origin, holder);
  }
  await assertSettled({ world, old, next, before });
  await world.close();
});
