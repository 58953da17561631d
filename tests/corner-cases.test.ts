/**
 * Ways that people and programs go which nobody has planned for: halves of a move by telephone and by
 * message, codes that nobody reads, ends in the middle. Nothing may be lost on them, and nothing doubled.
 */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { activateByTelephone } from '../src/clearinghouse/usecases/desk-activate.ts';
import { confirmByTelephone } from '../src/clearinghouse/usecases/desk-confirm.ts';
import { listMoves } from '../src/clearinghouse/usecases/desk-moves.ts';
import { answerFile } from '../src/clearinghouse/usecases/exchange.ts';
import { makeKit } from '../src/clearinghouse/usecases/make-kit.ts';
import { parseCode } from '../src/core/code.ts';
import { formatDigits } from '../src/core/code-digits.ts';
import { dayMs, msOfIso } from '../src/core/time.ts';
import { nodeDigest } from '../src/platform/digest.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyCode } from '../src/server/usecases/apply-code.ts';
import { settleByContact } from '../src/server/usecases/contact.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { returnByTelephone } from '../src/server/usecases/give-back.ts';
import { requestFile } from '../src/server/usecases/outbox.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { requestInstall } from '../src/server/usecases/requests.ts';
import { returnLicense, validateLicense } from '../src/server/usecases/return-license.ts';
import { addKit } from '../src/server/usecases/settings.ts';
import { startMove } from '../src/server/usecases/start-move.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import { findServer } from '../src/store/committed-server-rows.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { fromServer, tell } from './world/forge.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, refusalOf, value } from './world/world.ts';

const device = { product, type: 'device' } as const;
const user = { product, type: 'user' } as const;

let world: World;

afterEach(async () => {
  await assertConserved(world);
  await world.close();
});

const connected = (name: string, quantity: number): Promise<OpenServer> =>
  acts.addConnected(world, name, quantity);

async function read(code: string) {
  return confirmByTelephone(world.clearinghouse.context, { code });
}

const online = { agreement, ...device, reason: 'replaced', hold: false } as const;

it('a server that was deactivated by telephone is no fork where its file comes after its contact', async () => {
  world = await makeWorld(100, { kit: false });
  const server = await connected('LS', 1);
  value(await deactivateServer(server.context, { returnUnissued: true, by: 'telephone' }));
  const file = await requestFile(server.context);
  await acts.contact(server);
  value(await answerFile(world.clearinghouse.context, file));
  const row = await world.clearinghouse.store.read((tx) => findServer(tx, acts.idOf(server)));
  assert.equal(row?.state, 'ok');
});

describe('a license that is given back while the holder has another token of it', () => {
  const giveBack = async (server: OpenServer): Promise<void> => {
    value(await returnLicense(server.context, { ...device, holder: 'ws' }));
  };
  const stranger = async (server: OpenServer): Promise<string> =>
    (await acts.permanent(server, 'stranger')).kind;

  it('is free for others when the token of its source has ended, also where the source is closed', async () => {
    world = await makeWorld(100, { kit: false });
    const old = await connected('LS-OLD', 1);
    const next = await connected('LS-NEW', 0);
    const first = await acts.permanent(old, 'ws');
    value(await startMove(old.context, { ...online, to: acts.idOf(next), quantity: 'all' }));
    for (let round = 0; round < 6; round += 1) await acts.contact(old, next);
    await acts.permanent(next, 'ws');
    await giveBack(next);
    assert.equal(await stranger(next), 'temporary');
    world.clock.set(Date.parse(first.expiresAt) + 40 * dayMs);
    await acts.contact(next);
    assert.equal(await stranger(next), 'permanent');
  });

  it('is free for others when the token from before its renewal has ended', async () => {
    world = await makeWorld(100, { kit: false });
    const server = await connected('LS', 1);
    const first = await acts.permanent(server, 'ws');
    world.clock.set(Date.parse(first.expiresAt) - 5 * dayMs);
    const renewed = await acts.permanent(server, 'ws');
    await giveBack(server);
    assert.equal(await stranger(server), 'temporary');
    world.clock.set(Date.parse(renewed.expiresAt) + dayMs);
    await acts.contact(server);
    assert.equal(await stranger(server), 'permanent');
  });
});

describe('a device that shows what has ended elsewhere', () => {
  it('is renewed where it has a license, and refused where it is a stranger', async () => {
    world = await makeWorld(100, { kit: false });
    const old = await connected('LS-OLD', 1);
    const next = await connected('LS-NEW', 1);
    const other = await connected('LS-OTHER', 1);
    const shown = acts.sourceOf(await acts.permanent(old, 'ws'));
    world.clock.advanceDays(50);
    const own = await acts.permanent(next, 'ws', shown);
    const lastDays = Date.parse(own.expiresAt) - world.clock.nowMs() - 5 * dayMs;
    world.clock.advanceDays(lastDays / dayMs);
    const request = { ...device, holder: 'ws', source: shown };
    assert.equal(value(await requestLicense(next.context, request)).status, 'renewed');
    assert.equal(refusalOf(await requestLicense(other.context, request)).code, 'source-token-invalid');
  });

  it('is told where its license went', async () => {
    world = await makeWorld(100, { kit: false });
    const old = await connected('LS-OLD', 1);
    const next = await connected('LS-NEW', 0);
    const first = await acts.permanent(old, 'ws');
    world.clock.set(Date.parse(first.expiresAt) - dayMs);
    await acts.permanent(old, 'ws');
    value(await startMove(old.context, { ...online, to: acts.idOf(next), quantity: 'all' }));
    for (let round = 0; round < 4; round += 1) await acts.contact(old, next);
    world.clock.advanceDays(2);
    const shown = await requestLicense(old.context, {
      ...device,
      holder: 'ws',
      source: acts.sourceOf(first),
    });
    assert.equal(refusalOf(shown).code, 'license-moved');
  });
});

it('what a source has released by telephone is in hand, also where the undone freeze was never heard of', async () => {
  world = await makeWorld(10, { kit: false });
  const old = await connected('LS-OLD', 3);
  const next = await connected('LS-NEW', 0);
  const move = value(await startMove(old.context, { ...online, to: acts.idOf(next), quantity: 'all' }));
  await acts.contact(old);
  value(await cancelMove(world.clearinghouse.context, move.id));
  const released = value(await releaseByTelephone(old.context, device));
  value(await read(released.code));
  assert.deepEqual(await acts.books(world), [10, 0, 0]);
  assert.deepEqual(await acts.counts(old), [0, 0, 0, 0, 0, 0]);
});

describe('a move by telephone', () => {
  it('is not taken for one by messages of the same line', async () => {
    world = await makeWorld(100, { kit: false });
    const old = await connected('LS-OLD', 4);
    const next = await connected('LS-NEW', 0);
    const order = { ...device, to: acts.idOf(next), quantity: 2 } as const;
    const frozen = value(await freezeByTelephone(old.context, order));
    const released = value(await releaseByTelephone(old.context, device));
    value(await startMove(old.context, { ...online, to: acts.idOf(next), quantity: 2 }));
    await acts.contact(old);
    assert.equal(refusalOf(await read(frozen.code)).code, 'move-open');
    for (let round = 0; round < 4; round += 1) await acts.contact(old, next);
    await acts.deskMove(world, { from: old, to: next }, 2);
    for (const { code } of [frozen, released]) {
      for (const heard of value(await read(code)).codes) await acts.typeCode(next, heard.code);
    }
    assert.deepEqual(await acts.counts(next), [4, 0, 4, 0, 0, 0]);
  });

  it('knows its source in whatever form its ID is typed', async () => {
    world = await makeWorld(100, { kit: false });
    const old = await connected('LS-OLD', 5);
    const next = await connected('LS-NEW', 0);
    const license = await acts.permanent(old, 'ws-1');
    const source = acts.sourceOf(license);
    await acts.deskMove(world, { from: old, to: next });
    const order = { ...device, to: acts.idOf(next).toLowerCase(), quantity: 'all' } as const;
    await acts.confirm(world, value(await freezeByTelephone(old.context, order)).code);
    const released = await acts.confirm(world, value(await releaseByTelephone(old.context, device)).code);
    const from = formatDigits(nodeDigest, value(parseCode(nodeDigest, acts.idOf(old))));
    await acts.typeCode(next, released.code ?? '', { from });
    const taken = value(await requestLicense(next.context, { ...device, holder: 'ws-1', source }));
    assert.deepEqual([taken.kind, taken.origin], ['permanent', license.origin]);
    assert.deepEqual(await acts.counts(next), [1, 1, 0, 0, 0, 0]);
  });

  it('can be told from the notes, when the server was deactivated before the freeze was read', async () => {
    world = await makeWorld(100, { kit: false });
    const old = await connected('LS-OLD', 5);
    const next = await connected('LS-NEW', 0);
    await acts.permanent(old, 'ws-1');
    await acts.deskMove(world, { from: old, to: next });
    value(await freezeByTelephone(old.context, { ...device, to: acts.idOf(next), quantity: 'all' }));
    const closed = value(await deactivateServer(old.context, { returnUnissued: false, by: 'telephone' }));
    const early = refusalOf(await read(closed.codes.at(-1)?.code ?? ''));
    assert.deepEqual(early, { code: 'earlier-code-missing', kind: 'frozen' });
    // The same command again shows all that is needed, in the order in which it is to be read.
    const again = value(await deactivateServer(old.context, { returnUnissued: false, by: 'telephone' }));
    assert.deepEqual(
      again.codes.map((code) => code.kind),
      ['frozen', 'deactivated'],
    );
    for (const { code } of again.codes) await acts.confirm(world, code);
    assert.deepEqual(await acts.books(world), [95, 5, 0]);
  });
});

describe('a move by message', () => {
  it('names a holder once who has a license here and another one reserved', async () => {
    world = await makeWorld(100, { kit: false });
    const [a, b, c] = [await connected('LS-A', 4), await connected('LS-B', 4), await connected('LS-C', 0)];
    await acts.permanent(a, 'ws-1');
    await acts.permanent(b, 'ws-1');
    value(await startMove(a.context, { ...online, to: acts.idOf(b), quantity: 'all' }));
    // Until B has heard that A gave its CALs up: units with holders go on only then.
    for (let round = 0; round < 5; round += 1) await acts.contact(a, b);
    assert.deepEqual(await acts.counts(b), [8, 1, 6, 0, 1, 0]);
    value(await startMove(b.context, { ...online, to: acts.idOf(c), quantity: 'all' }));
    for (let round = 0; round < 4; round += 1) await acts.contact(b, c);
    assert.deepEqual(await acts.counts(b), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(await acts.counts(c), [8, 0, 6, 0, 2, 0]);
    assert.equal((await acts.permanent(c, 'ws-1')).kind, 'permanent');
    assert.deepEqual(await acts.counts(c), [8, 1, 6, 0, 1, 0]);
  });

  it('that was to be held is verified by its source before its target has installed', async () => {
    world = await makeWorld(100, { kit: false });
    const [old, next] = [await connected('LS-OLD', 5), await connected('LS-NEW', 0)];
    const order = { ...online, to: acts.idOf(next), quantity: 5 };
    value(await startMove(old.context, { ...order, hold: true }));
    await acts.contact(old, old);
    value(await startMove(old.context, order));
    for (let round = 0; round < 5; round += 1) await acts.contact(old, next);
    const [move] = (await listMoves(world.clearinghouse.context, { after: '', limit: 10 })).items;
    assert.equal(move?.state, 'closed');
    assert.deepEqual(
      [await acts.counts(old), await acts.counts(next)],
      [
        [0, 0, 0, 0, 0, 0],
        [5, 0, 5, 0, 0, 0],
      ],
    );
  });

  it('ends where its source is closed before it has heard of the freeze', async () => {
    world = await makeWorld(100, { kit: false });
    const [old, next] = [await connected('LS-OLD', 5), await connected('LS-NEW', 0)];
    value(await startMove(old.context, { ...online, to: acts.idOf(next), quantity: 5 }));
    await acts.closeByContact(old, true);
    await acts.contact(old, next);
    const [move] = (await listMoves(world.clearinghouse.context, { after: '', limit: 10 })).items;
    assert.equal(move?.state, 'aborted');
    assert.deepEqual(await acts.books(world), [100, 0, 0]);
  });

  it('brings back to its target what came while that was closed, and not before', async () => {
    world = await makeWorld(100, { kit: false });
    const [old, next] = [await connected('LS-OLD', 5), await connected('LS-NEW', 0)];
    await acts.permanent(old, 'ws-1');
    value(await startMove(old.context, { ...online, to: acts.idOf(next), quantity: 'all' }));
    await acts.contact(old, old);
    // The grant is on its way when the administrator of the target ends it.
    await acts.closeByContact(next, false);
    for (let round = 0; round < 3; round += 1) await acts.contact(old, next);
    await assertConserved(world);
    await acts.activateByContact(next);
    for (let round = 0; round < 3; round += 1) await acts.contact(old, next);
    await assertConserved(world);
    const total = (await acts.counts(old))[0] ?? 0;
    assert.equal(total + ((await acts.counts(next))[0] ?? 0), 5);
    assert.equal((await acts.permanent(next, 'ws-1')).kind, 'permanent');
  });
});

describe('a kit slot and a certificate', () => {
  it('a server that has a certificate is not woken by its old activation code', async () => {
    world = await makeWorld(100);
    const server = await world.addServer('LS', { kit: true, connected: true });
    const code = await acts.activationCode(world, server);
    await acts.typeCode(server, code);
    await acts.install(world, server, { quantity: 10 });
    await acts.permanents(server, ['ws-1', 'ws-2']);
    await acts.activateByContact(server);
    assert.deepEqual(await acts.counts(server), [10, 2, 8, 0, 0, 0]);
    assert.deepEqual(await acts.books(world), [90, 10, 0]);
    const typed = refusalOf(await applyCode(server.context, { text: code, confirmed: true }));
    assert.deepEqual(typed, { code: 'already-activated', agreement });
    await acts.install(world, server, { quantity: 5 });
    assert.deepEqual(await acts.counts(server), [15, 2, 13, 0, 0, 0]);
    assert.equal(
      value(await requestLicense(server.context, { ...device, holder: 'ws-1' })).status,
      'unchanged',
    );
  });

  it('nor when it is deactivated: it is activated again by what it was activated by last', async () => {
    world = await makeWorld(100);
    const server = await world.addServer('LS', { kit: true, connected: true });
    const code = await acts.activationCode(world, server);
    await acts.typeCode(server, code);
    await acts.install(world, server, { quantity: 10 });
    await acts.activateByContact(server);
    await acts.closeByContact(server, true);
    assert.deepEqual(await acts.books(world), [100, 0, 0]);
    const typed = refusalOf(await applyCode(server.context, { text: code, confirmed: true }));
    assert.equal(typed.code, 'not-yet-supported');
    const call = { agreement, serverId: acts.idOf(server) };
    assert.equal(
      refusalOf(await activateByTelephone(world.clearinghouse.context, call)).code,
      'not-yet-supported',
    );
    await acts.activateByContact(server);
    value(await requestInstall(server.context, { agreement, ...device, quantity: 3 }));
    await acts.contact(server, server);
    assert.deepEqual(await acts.counts(server), [3, 0, 3, 0, 0, 0]);
    assert.equal((await acts.permanent(server, 'ws-1')).unit, 11);
  });

  it("what was released by a code that nobody read is nobody else's before that code is read", async () => {
    world = await makeWorld(10, { kit: true });
    const server = await world.addServer('LS', { kit: true, connected: true });
    const next = await world.addServer('LS-NEXT', { kit: true, connected: true });
    const activation = await acts.activationCode(world, server);
    await acts.typeCode(server, activation);
    await acts.install(world, server, { quantity: 3 });
    await acts.setUp(world, next, 0);
    await acts.permanents(server, ['ws-1', 'ws-2', 'ws-3']);
    const to = acts.idOf(next);
    value(await freezeByTelephone(server.context, { ...device, to, quantity: 'all' }));
    value(await deactivateServer(server.context, { returnUnissued: false, by: 'telephone' }));
    // The old code is at hand, and the second deactivation goes by message, twice before it is answered.
    const byMessage = async () => {
      const order = { returnUnissued: false, by: 'message' } as const;
      return value(await deactivateServer(server.context, order)).request ?? '';
    };
    await acts.typeCode(server, activation);
    await byMessage();
    await acts.typeCode(server, activation);
    const asked = await byMessage();
    assert.equal(refusalOf(await settleByContact(server.context, asked)).code, 'earlier-code-missing');
    assert.deepEqual(await acts.books(world), [7, 3, 0]);
    // The codes are printed again, and read; then the server is told to be closed once more.
    const again = value(await deactivateServer(server.context, { returnUnissued: false, by: 'telephone' }));
    assert.deepEqual(
      again.codes.map(({ kind }) => kind),
      ['frozen', 'deactivated'],
    );
    await acts.deskMove(world, { from: server, to: next });
    for (const { code } of again.codes) {
      for (const heard of value(await read(code)).codes) {
        await acts.typeCode(next, heard.code, { from: acts.idOf(server) });
      }
    }
    value(await settleByContact(server.context, await byMessage()));
    assert.deepEqual(await acts.counts(next), [3, 0, 0, 0, 3, 0]);
    assert.deepEqual(await acts.books(world), [7, 3, 0]);
  });

  it('a code that nobody read gives nothing back again after the server was closed by message', async () => {
    world = await makeWorld(100);
    const server = await world.addServer('LS', { kit: true, connected: true });
    const activation = await acts.activationCode(world, server);
    await acts.typeCode(server, activation);
    await acts.install(world, server, { quantity: 10 });
    const unread = value(await returnByTelephone(server.context, { ...device, quantity: 4 })).code;
    await acts.closeByContact(server, true);
    assert.deepEqual(await acts.books(world), [100, 0, 0]);
    await acts.activationCode(world, server);
    await acts.typeCode(server, activation);
    await acts.install(world, server, { quantity: 6 });
    assert.equal(refusalOf(await read(unread)).code, 'confirmation-unmatched');
    assert.deepEqual(await acts.books(world), [94, 6, 0]);
    // And what it makes from now on is understood.
    await acts.confirm(
      world,
      value(await returnByTelephone(server.context, { ...device, quantity: 1 })).code,
    );
    assert.deepEqual(await acts.books(world), [95, 5, 0]);
  });
});

it('a server that got a certificate goes on making codes, and the desk goes on understanding them', async () => {
  world = await makeWorld(100);
  const server = await world.addServer('LS', { kit: true, connected: true });
  await acts.setUp(world, server, 10);
  const first = value(await returnByTelephone(server.context, { ...device, quantity: 2 }));
  await acts.confirm(world, first.code);
  await acts.activateByContact(server);
  const told = value(await returnByTelephone(server.context, { ...device, quantity: 3 }));
  await acts.confirm(world, told.code);
  assert.deepEqual(await acts.books(world), [95, 5, 0]);
  assert.deepEqual(await acts.counts(server), [5, 0, 5, 0, 0, 0]);
});

describe('two agreements with one product', () => {
  it('lend each other nothing: a line past its horizon does not give what it has', async () => {
    world = await makeWorld(100, { kit: false });
    const { context } = world.clearinghouse;
    for (const number of ['A-1', 'B-2'])
      await acts.sell(world, { agreement: number, type: 'user', quantity: 10 });
    const server = await world.addServer('LS', { connected: true });
    await acts.activateByContact(server, 'A-1');
    value(await requestInstall(server.context, { agreement: 'A-1', ...user, quantity: 1 }));
    await acts.contact(server, server);
    value(await requestLicense(server.context, { ...user, holder: 'ada' }));
    const other = await makeKit(context, 'B-2');
    value(await addKit(server.context, value(other).file));
    await acts.activate(world, server, 'B-2');
    await acts.install(world, server, { agreement: 'B-2', type: 'user', quantity: 5 });
    // Four months on the certificate of A-1 has passed its horizon, and the kit of B-2 has not.
    world.clock.advanceDays(125);
    assert.equal(value(await requestLicense(server.context, { ...user, holder: 'grace' })).unit, 1);
    assert.equal(value(await requestLicense(server.context, { ...user, holder: 'joan' })).unit, 2);
  });

  it('and what is refused then is said of the line that could have given', async () => {
    world = await makeWorld(100, { kit: false });
    const { context } = world.clearinghouse;
    for (const number of ['A-1', 'B-2'])
      await acts.sell(world, { agreement: number, type: 'user', quantity: 10 });
    const server = await world.addServer('LS', { connected: true });
    value(await addKit(server.context, value(await makeKit(context, 'A-1')).file));
    await acts.activate(world, server, 'A-1');
    await acts.install(world, server, { agreement: 'A-1', type: 'user', quantity: 1 });
    await acts.activateByContact(server, 'B-2');
    value(await requestInstall(server.context, { agreement: 'B-2', ...user, quantity: 5 }));
    await acts.contact(server, server);
    value(await requestLicense(server.context, { ...user, holder: 'ada' }));
    // The kit of A-1 reaches further and has nothing left; the certificate of B-2 has five and may not.
    world.clock.advanceDays(125);
    value(await requestLicense(server.context, { ...user, holder: 'ada' }));
    const refusal = refusalOf(await requestLicense(server.context, { ...user, holder: 'grace' }));
    assert.equal(refusal.code, 'horizon-passed');
  });
});

describe('a holder whose lease has ended', () => {
  it("has its unit again, and that unit is nobody else's", async () => {
    world = await makeWorld(100, { kit: false });
    const server = await connected('LS', 1);
    const first = await acts.permanent(server, 'ws-1');
    for (const other of ['ws-2', 'ws-3'])
      value(await requestLicense(server.context, { ...device, holder: other }));
    for (const other of ['ws-2', 'ws-3'])
      value(await validateLicense(server.context, { ...device, holder: other }));
    world.clock.advanceDays(89.5);
    await acts.contact(server);
    const again = value(await requestLicense(server.context, { ...device, holder: 'ws-1' }));
    assert.deepEqual([again.status, again.unit], ['renewed', first.unit]);
    assert.deepEqual(await acts.counts(server), [1, 1, 0, 0, 0, 0]);
    assert.equal(
      value(await requestLicense(server.context, { ...device, holder: 'ws-2' })).kind,
      'temporary',
    );
    await assertConserved(world);
    // Somebody else may have it when it ends again: then its holder comes too late.
    world.clock.advanceDays(89.5);
    await acts.contact(server);
    assert.equal(value(await requestLicense(server.context, { ...device, holder: 'ws-3' })).unit, first.unit);
    assert.equal((await requestLicense(server.context, { ...device, holder: 'ws-1' })).ok, false);
  });

  it('is not given a second license of the line by a reserve of its source', async () => {
    world = await makeWorld(100, { kit: false });
    const [old, next] = [await connected('LS-OLD', 0), await connected('LS-NEW', 1)];
    await acts.permanent(next, 'ws-1');
    const { horizon } = await readStatus(next.context);
    const horizonMs = msOfIso(`${horizon?.slice(0, 10)}T00:00:00Z`) ?? 0;
    world.clock.set(horizonMs - 40 * dayMs);
    value(await requestInstall(old.context, { agreement, ...device, quantity: 2 }));
    await acts.contact(old, old);
    const license = await acts.permanent(old, 'ws-1');
    const source = acts.sourceOf(license);
    await acts.deskMove(world, { from: old, to: next });
    const order = { ...device, to: acts.idOf(next), quantity: 'all' } as const;
    await acts.confirm(world, value(await freezeByTelephone(old.context, order)).code);
    const released = await acts.confirm(world, value(await releaseByTelephone(old.context, device)).code);
    await acts.typeCode(next, released.code ?? '', { from: acts.idOf(old) });
    // Past the horizon of the new server, its own lease over, and the token of the old one still good.
    world.clock.set(horizonMs + 3 * dayMs);
    const ask = () => requestLicense(next.context, { ...device, holder: 'ws-1', source });
    assert.equal(refusalOf(await ask()).code, 'horizon-passed');
    await acts.contact(next);
    assert.deepEqual([value(await ask()).status, await acts.counts(next)], ['renewed', [2, 1, 0, 0, 1, 0]]);
  });
});

it('a license that ends at this very millisecond has ended, and its device is answered', async () => {
  world = await makeWorld(100, { kit: false });
  const server = await connected('LS', 1);
  const { horizon } = await readStatus(server.context);
  world.clock.set(msOfIso(`${horizon?.slice(0, 10)}T00:00:00Z`) ?? 0);
  const held = await acts.permanent(server, 'ws');
  world.clock.set(msOfIso(held.expiresAt) ?? 0);
  const answer = value(await requestLicense(server.context, { ...device, holder: 'ws' }));
  assert.deepEqual([answer.status, answer.kind], ['unchanged', 'temporary']);
});

it('a contact cannot confirm the mail of another server', async () => {
  world = await makeWorld(100, { kit: false });
  const [one, other] = [await connected('LS-A', 3), await connected('LS-B', 0)];
  value(await startMove(one.context, { ...online, to: acts.idOf(other), quantity: 3 }));
  await acts.contact(one, one);
  const { context, store } = world.clearinghouse;
  const mail = await store.read((tx) => tx.outbox(acts.idOf(other), 10));
  assert.equal(
    mail.some((row) => row.type === 'grant'),
    true,
  );
  const ack = mail.map((row) => row.id);
  const body = { ack, name: 'LS-A', method: 'automatic' };
  value(await tell(world, await fromServer(world, one, { t: 'contact', body })));
  assert.deepEqual(await store.read((tx) => tx.outbox(acts.idOf(other), 10)), mail);
  assert.equal(context.publisher, 'Sample Publisher');
  await acts.contact(other);
  assert.deepEqual(await acts.counts(other), [3, 0, 3, 0, 0, 0]);
  assert.equal((await readStatus(other.context)).activation, 'activated');
});
