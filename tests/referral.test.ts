/** What a license server tells the clients whose CALs a move has taken, or is taking, to another one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { approveMove } from '../src/clearinghouse/usecases/approve-release.ts';
import type { Refusal } from '../src/core/refusal.ts';
import { dayMs, hourMs } from '../src/core/time.ts';
import { nodeDigest as digest } from '../src/platform/digest.ts';
import type { Referral } from '../src/protocol/referral.ts';
import { openReferral } from '../src/protocol/referral.ts';
import type { OpenServer } from '../src/server/app.ts';
import { declareDead } from '../src/server/usecases/declare-dead.ts';
import type { LicenseRequest } from '../src/server/usecases/request-license.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { setAddress } from '../src/server/usecases/settings.ts';
import { startMove } from '../src/server/usecases/start-move.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import * as acts from './world/acts.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, refusalOf, value } from './world/world.ts';

type Asked = Partial<LicenseRequest> & { readonly holder: string };

const ask = (server: OpenServer, asked: Asked) =>
  requestLicense(server.context, { product, type: 'device', ...asked });

async function refusal(server: OpenServer, asked: Asked): Promise<Refusal & { readonly referral?: string }> {
  return refusalOf(await ask(server, asked));
}

/** A referral of a server, opened as a client does that has nothing but the server's name and publisher. */
function opened(world: World, from: OpenServer, token: string | null | undefined): Referral {
  assert.ok(typeof token === 'string', 'there is a referral');
  const roots = [from.context.root.kid];
  const expected = { from: acts.idOf(from), roots, nowMs: world.clock.nowMs(), digest };
  return value(openReferral(token, expected));
}

interface Pair {
  readonly world: World;
  readonly old: OpenServer;
  readonly next: OpenServer;
}

async function connectedPair(quantity: number): Promise<Pair> {
  const world = await makeWorld(1000, { kit: false });
  const [old, next] = [
    await world.addServer('LS-OLD', { connected: true }),
    await world.addServer('LS-NEW', { connected: true }),
  ];
  await acts.connect(old, quantity);
  await acts.connect(next, 0);
  return { world, old, next };
}

interface Order {
  readonly quantity?: number | 'all';
  readonly hold?: boolean;
  readonly toUrl?: string;
}

/** Asks for a move, and contacts so often that it is as far as it gets. */
async function move(from: OpenServer, to: OpenServer, { quantity = 'all', hold = false, toUrl }: Order = {}) {
  const order = { agreement, to: acts.idOf(to), toUrl, product, type: 'device', quantity, hold } as const;
  value(await startMove(from.context, { ...order, reason: 'replaced' }));
  for (let round = 0; round < 5; round += 1) await acts.contact(from, to);
}

describe('between freeze and release', { concurrency: 1 }, () => {
  it('a frozen license is renewed as ever, and its holder told where it goes', async () => {
    const { world, old, next } = await connectedPair(20);
    const before = await acts.permanent(old, 'ws-1');
    assert.equal(before.referral, null);
    await move(old, next, { hold: true, toUrl: 'http://ls-new:7410' });
    const again = value(await ask(old, { holder: 'ws-1' }));
    assert.deepEqual([again.status, again.unit], ['unchanged', before.unit]);
    const referral = opened(world, old, again.referral);
    assert.deepEqual(referral.urls, ['http://ls-new:7410']);
    assert.deepEqual(
      [referral.target, referral.agreement, referral.prod, referral.kind],
      [...[acts.idOf(next), agreement, product, 'device']],
    );
    world.clock.advanceDays(85);
    const renewed = value(await ask(old, { holder: 'ws-1' }));
    assert.equal(renewed.status, 'renewed');
    assert.equal(opened(world, old, renewed.referral).move, referral.move);
    await world.close();
  });

  it('a stranger gets a temporary license and the way to where the CALs are', async () => {
    const { world, old, next } = await connectedPair(20);
    assert.equal(value(await ask(old, { holder: 'early' })).referral, null);
    await move(old, next, { hold: true });
    for (const holder of ['ws-2', 'ws-2']) {
      const temporary = value(await ask(old, { holder }));
      assert.equal(temporary.kind, 'temporary');
      const { target, urls } = opened(world, old, temporary.referral);
      assert.deepEqual([target, urls], [acts.idOf(next), []]);
    }
    await world.close();
  });

  it('a partial move sends nobody away for whom there is a CAL here', async () => {
    const { world, old, next } = await connectedPair(20);
    await move(old, next, { quantity: 19, hold: true });
    const stays = await acts.permanent(old, 'ws-1');
    assert.deepEqual([stays.kind, stays.referral], ['permanent', null]);
    assert.equal(
      opened(world, old, value(await ask(old, { holder: 'ws-2' })).referral).target,
      acts.idOf(next),
    );
    await world.close();
  });
});

describe('after the release', { concurrency: 1 }, () => {
  it('everybody is referred, also by a server that was deactivated long ago', async () => {
    const { world, old, next } = await connectedPair(20);
    await acts.sell(world, { quantity: 5, type: 'user' });
    await acts.installByContact(old, { quantity: 5, type: 'user' });
    await acts.permanent(old, 'ws-1');
    value(await setAddress(next.context, 'http://ls-new.example:7410'));
    await acts.contact(next);
    await move(old, next);
    const users = { agreement, to: acts.idOf(next), product, type: 'user', quantity: 'all' } as const;
    value(await startMove(old.context, { ...users, reason: 'replaced', hold: false }));
    for (let round = 0; round < 5; round += 1) await acts.contact(old, next);
    const moved = await refusal(old, { holder: 'ws-1' });
    assert.equal(moved.code, 'license-moved');
    // The clearinghouse has told the source where the target is.
    assert.deepEqual(opened(world, old, moved.referral).urls, ['http://ls-new.example:7410']);
    const user = await refusal(old, { holder: 'ann', type: 'user' });
    assert.equal(user.code, 'product-not-installed');
    const referral = opened(world, old, user.referral);
    assert.deepEqual([referral.kind, referral.target], ['user', acts.idOf(next)]);
    await acts.closeByContact(old, false);
    world.clock.advanceDays(400);
    for (const [asked, code] of [
      [{ holder: 'ws-1' }, 'license-moved'],
      [{ holder: 'ws-new' }, 'deactivated'],
      [{ holder: 'ann', type: 'user' }, 'deactivated'],
    ] as const) {
      const refused = await refusal(old, asked);
      assert.equal(refused.code, code);
      assert.equal(opened(world, old, refused.referral).target, acts.idOf(next));
    }
    await world.close();
  });

  it('by telephone the same, without an address unless the administrator named one', async () => {
    const world = await makeWorld(100);
    const old = await world.addServer('LS-OLD', { kit: true });
    const next = await world.addServer('LS-NEW', { kit: true });
    await acts.setUp(world, old, 10);
    await acts.permanent(old, 'ws-1');
    await acts.activate(world, next);
    const order = { to: acts.idOf(next), product, type: 'device', agreement, quantity: 'all' } as const;
    value(await freezeByTelephone(old.context, order));
    const held = value(await ask(old, { holder: 'ws-1' }));
    assert.deepEqual(opened(world, old, held.referral).urls, []);
    value(await releaseByTelephone(old.context, { product, type: 'device' }));
    const moved = await refusal(old, { holder: 'ws-1' });
    assert.equal(moved.code, 'license-moved');
    assert.equal(opened(world, old, moved.referral).target, acts.idOf(next));
    await world.close();
  });

  it('a chain refers from link to link, and CALs that come back are not referred away', async () => {
    const { world, old, next } = await connectedPair(20);
    const third = await world.addServer('LS-3', { connected: true });
    await acts.connect(third, 0);
    await acts.permanent(old, 'ws-1');
    await move(old, next);
    await move(next, third);
    const [first, second] = [await refusal(old, { holder: 'ws-1' }), await refusal(next, { holder: 'ws-1' })];
    assert.equal(opened(world, old, first.referral).target, acts.idOf(next));
    assert.deepEqual([first.code, second.code], ['license-moved', 'license-moved']);
    assert.equal(opened(world, next, second.referral).target, acts.idOf(third));
    await move(third, old, { quantity: 'all' });
    assert.equal(value(await ask(old, { holder: 'ws-7' })).referral, null);
    assert.equal((await acts.permanent(old, 'ws-1')).referral, null);
    assert.equal(
      opened(world, third, (await refusal(third, { holder: 'ws-1' })).referral).target,
      acts.idOf(old),
    );
    await world.close();
  });
});

it('a referral is signed once for many clients, and anew before it grows old', async () => {
  const { world, old, next } = await connectedPair(20);
  for (const holder of ['ws-1', 'ws-2']) await acts.permanent(old, holder);
  await move(old, next, { hold: true });
  const now = async (holder: string) => value(await ask(old, { holder })).referral;
  const first = await now('ws-1');
  assert.equal(await now('ws-2'), first);
  world.clock.advanceDays((13 * hourMs) / dayMs);
  const later = await now('ws-1');
  assert.notEqual(later, first);
  assert.equal(opened(world, old, later).target, acts.idOf(next));
  await world.close();
});

it('a source that was fenced, and comes back, refers to the address that its target has told', async () => {
  const { world, old, next } = await connectedPair(20);
  await acts.permanent(old, 'ws-1');
  value(await setAddress(next.context, 'http://ls-new:7410'));
  await acts.contact(next);
  const statement = 'Ann Lee: the disk burnt';
  const order = { agreement, from: acts.idOf(old), product, type: 'device', statement } as const;
  const { id } = value(await declareDead(next.context, { ...order, by: 'message' }));
  await acts.contact(next);
  value(await approveMove(world.clearinghouse.context, { move: id, by: 'Cat Ode' }));
  // What it hears is its closing and nothing else: by that alone it knows where the CALs are.
  await acts.contact(old);
  const { urls, target } = opened(world, old, (await refusal(old, { holder: 'ws-1' })).referral);
  assert.deepEqual([urls, target], [['http://ls-new:7410'], acts.idOf(next)]);
  await world.close();
});

it('what says nothing of CALs carries no referral', async () => {
  const { world, old, next } = await connectedPair(20);
  await move(old, next);
  const wrong = await refusal(old, { holder: 'ws-1', source: { token: 'v4.public.AAAA', bundle: {} } });
  assert.deepEqual([wrong.code, wrong.referral], ['message-invalid', undefined]);
  const other = await refusal(old, { holder: 'ann', type: 'user', product: 'another' });
  assert.deepEqual([other.code, other.referral], ['product-not-installed', undefined]);
  await world.close();
});
