/** Many at once: who comes first gets it, nobody gets it twice, and the books balance afterwards. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { activateByTelephone } from '../src/clearinghouse/usecases/desk-activate.ts';
import { confirmByTelephone } from '../src/clearinghouse/usecases/desk-confirm.ts';
import { grantKeyPack } from '../src/clearinghouse/usecases/desk-key-pack.ts';
import { startDeskMove } from '../src/clearinghouse/usecases/start-move.ts';
import type { Refusal } from '../src/core/refusal.ts';
import type { Result } from '../src/core/result.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyCode } from '../src/server/usecases/apply-code.ts';
import { contactClearinghouse } from '../src/server/usecases/contact.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { requestActivation, requestInstall } from '../src/server/usecases/requests.ts';
import { returnLicense, validateLicense } from '../src/server/usecases/return-license.ts';
import { freezeByTelephone, heartbeatByTelephone } from '../src/server/usecases/telephone-move.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

const device = { product, type: 'device' } as const;
const user = { product, type: 'user' } as const;

/** Does the same twenty times at once. */
function twenty<T>(work: (index: number) => Promise<T>): Promise<readonly T[]> {
  return Promise.all(Array.from({ length: 20 }, (_, index) => work(index)));
}

/** How often each outcome came: the code of a refusal, or what `name` makes of a value. */
function tally<T>(
  results: readonly Result<T, Refusal>[],
  name: (value: T) => string,
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const result of results) {
    const outcome = result.ok ? name(result.value) : result.error.code;
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

let world: World;
let servers = 0;

before(async () => {
  world = await makeWorld(10_000, { kit: false });
  await acts.sell(world, { type: 'user', quantity: 10_000 });
});
after(async () => world.close());

/** A connected server with so many per device and per user. */
async function connected(perDevice: number, perUser = 0): Promise<OpenServer> {
  servers += 1;
  const server = await world.addServer(`LS-${servers}`, { connected: true });
  await acts.connect(server, perDevice);
  if (perUser > 0) {
    value(await requestInstall(server.context, { agreement, ...user, quantity: perUser }));
    await acts.contact(server, server);
  }
  return server;
}

describe('the last three CALs', () => {
  it('go to three of twenty devices that have signed in; seventeen keep their temporary license', async () => {
    const server = await connected(0);
    const ask = (index: number) => requestLicense(server.context, { ...device, holder: `ws-${index}` });
    for (let index = 0; index < 22; index += 1) {
      assert.equal(value(await ask(index)).kind, 'temporary');
      value(await validateLicense(server.context, { ...device, holder: `ws-${index}` }));
    }
    value(await requestInstall(server.context, { agreement, ...device, quantity: 5 }));
    await acts.contact(server, server);
    for (const index of [20, 21]) assert.equal(value(await ask(index)).kind, 'permanent');
    const answers = await twenty(ask);
    assert.deepEqual(
      tally(answers, (license) => license.kind),
      { permanent: 3, temporary: 17 },
    );
    const units = answers.flatMap((answer) =>
      answer.ok && answer.value.unit !== null ? [answer.value.unit] : [],
    );
    assert.deepEqual(units.sort(), [3, 4, 5]);
    assert.deepEqual(await acts.counts(server), [5, 5, 0, 0, 0, 0]);
    await assertConserved(world);
  });

  it('go to three of twenty users; seventeen are told that none is free', async () => {
    const server = await connected(0, 3);
    const ask = (index: number) => requestLicense(server.context, { ...user, holder: `user-${index}` });
    const answers = await twenty(ask);
    assert.deepEqual(
      tally(answers, (license) => license.kind),
      { permanent: 3, 'none-available': 17 },
    );
    assert.deepEqual(await acts.counts(server, 'user'), [3, 3, 0, 0, 0, 0]);
    await assertConserved(world);
  });

  it('are given out over HTTP just so', async () => {
    const server = await connected(0, 3);
    const answers = await twenty((index) =>
      server.app.inject({ method: 'PUT', url: `/v1/licenses/${product}/users/user-${index}` }),
    );
    const given = answers.filter((answer) => answer.statusCode === 201);
    const refused = answers.filter((answer) => answer.statusCode === 409);
    assert.deepEqual([given.length, refused.length], [3, 17]);
    const codes = refused.map((answer) => (answer.json() as { code: string }).code);
    assert.deepEqual(new Set(codes), new Set(['none-available']));
    await assertConserved(world);
  });

  it('and those that are given back meanwhile, go to as many as there are', async () => {
    const server = await connected(0, 3);
    const holders = ['ada', 'grace', 'joan'];
    for (const holder of holders) value(await requestLicense(server.context, { ...user, holder }));
    const [given, asked] = await Promise.all([
      Promise.all(holders.map((holder) => returnLicense(server.context, { ...user, holder }))),
      twenty((index) => requestLicense(server.context, { ...user, holder: `user-${index}` })),
    ]);
    assert.ok(given.every((each) => each.ok));
    const got = tally(asked, (license) => license.kind)['permanent'] ?? 0;
    assert.ok(got <= 3);
    assert.deepEqual(await acts.counts(server, 'user'), [3, got, 3 - got, 0, 0, 0]);
    await assertConserved(world);
  });
});

describe('the same thing twenty times at once', () => {
  it('asked by one device spends one unit, and all answers are the same', async () => {
    const server = await connected(5);
    value(await requestLicense(server.context, { ...device, holder: 'ws' }));
    value(await validateLicense(server.context, { ...device, holder: 'ws' }));
    const answers = await twenty(() => requestLicense(server.context, { ...device, holder: 'ws' }));
    assert.deepEqual(
      tally(answers, (license) => license.status),
      { issued: 1, unchanged: 19 },
    );
    assert.equal(new Set(answers.map((answer) => value(answer).token)).size, 1);
    assert.deepEqual(await acts.counts(server), [5, 1, 4, 0, 0, 0]);
    await assertConserved(world);
  });

  it('asked by a new device gives one temporary license', async () => {
    const server = await connected(5);
    const answers = await twenty(() => requestLicense(server.context, { ...device, holder: 'ws' }));
    assert.deepEqual(
      tally(answers, (license) => license.status),
      { issued: 1, unchanged: 19 },
    );
    assert.equal(new Set(answers.map((answer) => value(answer).token)).size, 1);
  });

  it('asked of the clearinghouse by one server is one request and one grant', async () => {
    const server = await connected(0);
    const asked = await twenty(() => requestInstall(server.context, { agreement, ...device, quantity: 7 }));
    assert.equal(new Set(asked.map((each) => value(each).id)).size, 1);
    const contacts = await twenty(() => contactClearinghouse(server.context, { waitMs: 0 }));
    assert.ok(contacts.every((each) => each.ok));
    assert.deepEqual(await acts.counts(server), [7, 0, 7, 0, 0, 0]);
    await assertConserved(world);
  });

  it('asked as an activation is one certificate', async () => {
    servers += 1;
    const server = await world.addServer(`LS-${servers}`, { connected: true });
    const asked = await twenty(() => requestActivation(server.context, { agreement }));
    assert.equal(new Set(asked.map((each) => value(each).id)).size, 1);
    const contacts = await twenty(() => contactClearinghouse(server.context, { waitMs: 0 }));
    assert.ok(contacts.every((each) => each.ok));
    assert.deepEqual(await acts.counts(server), []);
  });
});

describe('over the telephone', () => {
  let desk: World;
  let server: OpenServer;
  let next: OpenServer;

  beforeEach(async () => {
    desk = await makeWorld(50, { kit: false });
    server = await desk.addServer('LS', { connected: true });
    next = await desk.addServer('LS-NEXT', { connected: true });
    await acts.connect(server, 7);
    await acts.connect(next, 0);
  });

  async function ends(): Promise<void> {
    await assertConserved(desk);
    await desk.close();
  }

  const inHand = async () =>
    value(await showAgreement(desk.clearinghouse.context, agreement)).lines[0]?.inHand;

  it('twenty requests with one key are one grant and one code', async () => {
    const call = { agreement, serverId: acts.idOf(server), ...device, quantity: 4, requestId: 'one' };
    const answers = await twenty(() => grantKeyPack(desk.clearinghouse.context, call));
    assert.equal(new Set(answers.map((answer) => value(answer).code)).size, 1);
    assert.equal(await inHand(), 39);
    const text = value(answers[0] as (typeof answers)[number]).code ?? '';
    const typed = await twenty(() => applyCode(server.context, { text, confirmed: true }));
    assert.deepEqual(
      tally(typed, (done) => done.kind),
      { 'key-pack': 1, 'already-applied': 19 },
    );
    assert.deepEqual(await acts.counts(server), [11, 0, 11, 0, 0, 0]);
    await ends();
  });

  it('twenty different requests for the last three are three grants', async () => {
    await acts.packCode(desk, server, { quantity: 40 });
    assert.equal(await inHand(), 3);
    const call = { agreement, ...device, quantity: 1 };
    const answers = await twenty((index) =>
      grantKeyPack(desk.clearinghouse.context, {
        ...{ ...call, serverId: acts.idOf(index % 2 === 0 ? server : next), requestId: `r-${index}` },
      }),
    );
    assert.deepEqual(
      tally(answers, () => 'granted'),
      { granted: 3, 'quantity-above-agreement': 17 },
    );
    assert.equal(await inHand(), 0);
    await ends();
  });

  it('one confirmation read twenty times is taken in once', async () => {
    const order = { ...device, to: acts.idOf(next), quantity: 'all' } as const;
    await acts.deskMove(desk, { from: server, to: next });
    const { code } = value(await freezeByTelephone(server.context, order));
    const answers = await twenty(() => confirmByTelephone(desk.clearinghouse.context, { code }));
    assert.equal(new Set(answers.map((answer) => JSON.stringify(value(answer)))).size, 1);
    await acts.typeCode(next, value(answers[0] as (typeof answers)[number]).code ?? '');
    assert.deepEqual(await acts.counts(next), [7, 0, 7, 0, 0, 0]);
    await ends();
  });

  it('of twenty moves of one line one is opened', async () => {
    const order = { agreement, from: acts.idOf(server), to: acts.idOf(next), ...device, quantity: 2 };
    const answers = await twenty((index) =>
      startDeskMove(desk.clearinghouse.context, { ...order, reason: 'replaced', requestId: `m-${index}` }),
    );
    assert.deepEqual(
      tally(answers, () => 'opened'),
      { opened: 1, 'move-open': 19 },
    );
    await ends();
  });

  it('twenty heartbeats at once are one code; of twenty on twenty days the last is enough', async () => {
    const heartbeat = async (): Promise<string> =>
      value(await heartbeatByTelephone(server.context, undefined)).code;
    assert.equal(new Set(await twenty(heartbeat)).size, 1);
    const codes: string[] = [];
    for (let day = 0; day < 20; day += 1) {
      codes.push(await heartbeat());
      desk.clock.advanceDays(1);
    }
    assert.equal(new Set(codes).size, 20);
    // Sixteen may go unheard between two that are read (protocol §3.6).
    await acts.confirm(desk, codes[12] ?? '');
    await acts.confirm(desk, codes[19] ?? '');
    await ends();
  });

  it('a freeze among requests takes what nobody has yet, and nobody new gets any of it', async () => {
    const holders = Array.from({ length: 20 }, (_, index) => `ws-${index}`);
    for (const holder of holders.slice(0, 10)) {
      value(await requestLicense(server.context, { ...device, holder }));
      value(await validateLicense(server.context, { ...device, holder }));
    }
    const order = { ...device, to: acts.idOf(next), quantity: 'all' } as const;
    await acts.deskMove(desk, { from: server, to: next });
    const ask = (holder: string) => requestLicense(server.context, { ...device, holder });
    const [first, frozen, second] = await Promise.all([
      Promise.all(holders.slice(0, 5).map(ask)),
      freezeByTelephone(server.context, order),
      Promise.all(holders.slice(5, 10).map(ask)),
    ]);
    const { unissued, held } = value(frozen);
    assert.equal(unissued + held, 7);
    const got = tally([...first, ...second], (license) => license.kind);
    assert.equal(got['permanent'] ?? 0, held);
    assert.deepEqual(await acts.counts(server), [7, 0, 0, 7, 0, 0]);
    await ends();
  });

  it('a deactivation among requests leaves no license behind that the books do not know', async () => {
    const ask = (index: number) => requestLicense(server.context, { ...device, holder: `ws-${index}` });
    for (const index of [0, 1, 2]) {
      value(await ask(index));
      value(await validateLicense(server.context, { ...device, holder: `ws-${index}` }));
    }
    const [closed] = await Promise.all([
      deactivateServer(server.context, { returnUnissued: true, by: 'telephone' }),
      ask(0),
      ask(1),
      ask(2),
    ]);
    const counts = await acts.counts(server);
    assert.deepEqual(counts, closed.ok ? [0, 0, 0, 0, 0, 0] : [7, 3, 4, 0, 0, 0]);
    await ends();
  });
});

it('twenty calls for the last two slots of a kit open two', async () => {
  const desk = await makeWorld(50);
  for (const name of ['LS-A', 'LS-B']) await acts.activationCode(desk, await desk.addServer(name));
  const strangers = await Promise.all(Array.from({ length: 5 }, (_, index) => desk.addServer(`LS-${index}`)));
  const answers = await twenty((index) => {
    const stranger = strangers[index % strangers.length] as OpenServer;
    return activateByTelephone(desk.clearinghouse.context, { agreement, serverId: acts.idOf(stranger) });
  });
  assert.deepEqual(
    tally(answers, () => 'slot'),
    { slot: 8, 'kit-full': 12 },
  );
  assert.equal(new Set(answers.flatMap((answer) => (answer.ok ? [answer.value.code] : []))).size, 2);
  await assertConserved(desk);
  await desk.close();
});
