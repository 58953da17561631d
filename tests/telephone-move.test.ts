/** A move by telephone on real stores: codes alone go to and fro. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { activateByTelephone } from '../src/clearinghouse/usecases/desk-activate.ts';
import { confirmByTelephone } from '../src/clearinghouse/usecases/desk-confirm.ts';
import { grantKeyPack } from '../src/clearinghouse/usecases/desk-key-pack.ts';
import { startDeskMove } from '../src/clearinghouse/usecases/start-move.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyCode } from '../src/server/usecases/apply-code.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { validateLicense } from '../src/server/usecases/return-license.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { freezeByTelephone } from '../src/server/usecases/telephone-move.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

const type = 'device';

async function permanent(server: OpenServer, holder: string, source?: { token: string; bundle: unknown }) {
  const request = { product, type, holder, source } as const;
  const first = value(await requestLicense(server.context, request));
  if (first.kind === 'permanent') return first;
  value(await validateLicense(server.context, { product, type, holder }));
  return value(await requestLicense(server.context, request));
}

interface Scene {
  readonly world: World;
  readonly old: OpenServer;
  readonly next: OpenServer;
  /** What each of the 15 holders has from the old server. */
  readonly before: ReadonlyMap<string, { token: string; bundle: unknown; origin: string | null }>;
}

/** Two servers activated by telephone; 40 CALs on the old one, 15 of them issued. */
async function setTheScene(): Promise<Scene> {
  const world = await makeWorld();
  const ch = world.clearinghouse.context;
  const old = await world.addServer('LS-OLD', { kit: true });
  const next = await world.addServer('LS-NEW', { kit: true });
  for (const server of [old, next]) {
    const desk = value(
      await activateByTelephone(ch, { agreement, serverId: server.context.licenseServerId }),
    );
    assert.match(desk.code ?? '', /^[45]/);
    const done = value(await applyCode(server.context, { text: desk.code ?? '', confirmed: true }));
    assert.equal(done.kind, 'activation');
  }
  const pack = value(
    await grantKeyPack(ch, {
      ...{ agreement, serverId: old.context.licenseServerId, product, type, quantity: 40, requestId: 'kp1' },
    }),
  );
  value(await applyCode(old.context, { text: pack.code ?? '', confirmed: true }));
  const before = new Map<string, { token: string; bundle: unknown; origin: string | null }>();
  for (let index = 0; index < 15; index += 1) {
    const license = await permanent(old, `ws-${index}`);
    assert.equal(license.kind, 'permanent');
    before.set(`ws-${index}`, {
      token: license.token,
      bundle: JSON.parse(license.bundleText),
      origin: license.origin,
    });
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
  const ch = world.clearinghouse.context;
  const from = old.context.licenseServerId;
  const to = next.context.licenseServerId;
  value(
    await startDeskMove(ch, {
      agreement,
      from,
      to,
      product,
      type,
      quantity: 'all',
      reason: 'replaced',
      requestId: 'm1',
    }),
  );
  const frozen = value(await freezeByTelephone(old.context, { product, type, to, quantity: 'all' }));
  assert.deepEqual([frozen.unissued, frozen.held], [25, 15]);
  const answer = value(await confirmByTelephone(ch, { code: frozen.code }));
  assert.equal(answer.codes.length, 1);
  const installed = value(await applyCode(next.context, { text: answer.code ?? '', confirmed: true }));
  assert.equal(installed.kind === 'key-pack' && installed.added, 25);
  assert.equal((await permanent(next, 'new-device')).kind, 'permanent');
  // A holder of the old server goes on renewing there, and may come over early without spending two.
  assert.equal(
    value(await requestLicense(old.context, { product, type, holder: 'ws-3' })).status,
    'unchanged',
  );
  const early = before.get('ws-4');
  const cameEarly = await permanent(next, 'ws-4', early && { token: early.token, bundle: early.bundle });
  assert.equal(cameEarly.origin, early?.origin);
  const closed = value(await deactivateServer(old.context, { returnUnissued: false, by: 'telephone' }));
  assert.equal(closed.codes.length, 1);
  const held = value(await confirmByTelephone(ch, { code: closed.codes[0]?.code ?? '' }));
  assert.match(held.code ?? '', /^[89]/);
  const reserve = value(await applyCode(next.context, { text: held.code ?? '', from, confirmed: true }));
  assert.equal(reserve.kind === 'held-key-pack' && reserve.added, 15);
  for (const [holder, source] of before) {
    const license = await permanent(next, holder, { token: source.token, bundle: source.bundle });
    assert.equal(license.kind, 'permanent', holder);
    assert.equal(license.origin, source.origin, holder);
  }
  await assertSettled({ world, old, next, before });
  await world.close();
});
