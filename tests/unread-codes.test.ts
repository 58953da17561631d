/**
 * Codes that are read late, out of turn, or never: what a server has told by telephone is heard in the end,
 * once, and no move waits for it for ever (protocol §3.6).
 */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { confirmByTelephone } from '../src/clearinghouse/usecases/desk-confirm.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyCode } from '../src/server/usecases/apply-code.ts';
import { settleByContact } from '../src/server/usecases/contact.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { returnByTelephone } from '../src/server/usecases/give-back.ts';
import { requestActivation } from '../src/server/usecases/requests.ts';
import {
  freezeByTelephone,
  heartbeatByTelephone,
  releaseByTelephone,
} from '../src/server/usecases/telephone-move.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, refusalOf, value } from './world/world.ts';

const device = { product, type: 'device' } as const;

let world: World;

afterEach(async () => {
  await assertConserved(world);
  await world.close();
});

const connected = (name: string, quantity: number): Promise<OpenServer> =>
  acts.addConnected(world, name, quantity);

const read = async (code: string) => confirmByTelephone(world.clearinghouse.context, { code });

const freeze = async (from: OpenServer, to: OpenServer, quantity: number | 'all') =>
  value(await freezeByTelephone(from.context, { ...device, to: acts.idOf(to), quantity })).code;

const release = async (from: OpenServer) => value(await releaseByTelephone(from.context, device)).code;

const giveBack = async (server: OpenServer, quantity: number) =>
  value(await returnByTelephone(server.context, { ...device, quantity })).code;

async function contacts(rounds: number, ...servers: readonly OpenServer[]): Promise<void> {
  for (let round = 0; round < rounds; round += 1) await acts.contact(...servers);
}

describe('a release by telephone of what was frozen by message', () => {
  it('ends its move though an earlier code cannot be read before that', async () => {
    world = await makeWorld(100, { kit: false });
    const [old, next] = [await connected('LS-OLD', 10), await connected('LS-NEW', 0)];
    const codes = [await freeze(old, next, 4), await release(old)];
    const move = await acts.askMove(old, next, { quantity: 3 });
    await contacts(2, old);
    codes.push(await release(old));
    // The desk cannot open a move for the first freeze while the later one is under way.
    assert.equal(refusalOf(await read(codes[0] ?? '')).code, 'move-needed');
    assert.equal(refusalOf(await read(codes[2] ?? '')).code, 'earlier-code-missing');
    await contacts(4, old, next);
    assert.equal(await acts.stateOf(world, move), 'closed');
    await acts.deskMove(world, { from: old, to: next }, 4);
    for (const code of codes) {
      for (const heard of value(await read(code)).codes) await acts.typeCode(next, heard.code);
    }
    assert.deepEqual(
      [await acts.counts(old), await acts.counts(next)],
      [
        [3, 0, 3, 0, 0, 0],
        [7, 0, 7, 0, 0, 0],
      ],
    );
    assert.deepEqual(await acts.books(world), [90, 10, 0]);
  });

  it('is taken in once, whichever is heard first', async () => {
    world = await makeWorld(100, { kit: false });
    const [old, next] = [await connected('LS-OLD', 10), await connected('LS-NEW', 0)];
    await acts.permanents(old, ['ws-1']);
    const first = await acts.askMove(old, next, { quantity: 3 });
    await contacts(2, old);
    await acts.confirm(world, await release(old));
    assert.equal(await acts.stateOf(world, first), 'closed');
    await contacts(3, old, next);
    const second = await acts.askMove(old, next, { quantity: 2 });
    await contacts(2, old);
    const code = await release(old);
    await contacts(3, old, next);
    assert.equal(await acts.stateOf(world, second), 'closed');
    // Undone moves of the same amount are not taken for it.
    const undone = await acts.deskMove(world, { from: old, to: next }, 2);
    assert.equal((await acts.confirm(world, code))['move'], second);
    assert.equal(await acts.stateOf(world, undone), 'reserved');
    await acts.confirm(world, await giveBack(old, 1));
    assert.deepEqual(await acts.books(world), [91, 9, 0]);
  });

  it('is counted once where the code is that of a deactivation', async () => {
    world = await makeWorld(100, { kit: false });
    const [old, next] = [await connected('LS-OLD', 10), await connected('LS-NEW', 0)];
    const move = await acts.askMove(old, next, { quantity: 3 });
    await contacts(2, old);
    const closed = value(await deactivateServer(old.context, { returnUnissued: true, by: 'telephone' }));
    await contacts(3, old, next);
    assert.equal(await acts.stateOf(world, move), 'closed');
    for (const { code } of closed.codes) await acts.confirm(world, code);
    assert.deepEqual(await acts.books(world), [97, 3, 0]);
    await acts.activateByContact(old);
    assert.deepEqual(await acts.counts(old), [0, 0, 0, 0, 0, 0]);
  });

  it('is passed over with the other codes where the server is deactivated by message', async () => {
    world = await makeWorld(100, { kit: false });
    const [old, next] = [await connected('LS-OLD', 10), await connected('LS-NEW', 0)];
    await acts.askMove(old, next, { quantity: 3 });
    await contacts(2, old);
    const code = await release(old);
    await acts.closeByContact(old, true);
    assert.equal(refusalOf(await read(code)).code, 'confirmation-unmatched');
    await contacts(3, old, next);
    assert.deepEqual(await acts.books(world), [97, 3, 0]);
  });
});

describe('a new certificate', () => {
  it('that renews the chains goes on with the ratchet: codes from before it are read, and those after', async () => {
    world = await makeWorld(100, { kit: false });
    const server = await connected('LS', 10);
    const before = await giveBack(server, 1);
    world.clock.advanceDays(360);
    await contacts(2, server);
    const after = [await giveBack(server, 2), await giveBack(server, 3)];
    assert.deepEqual(refusalOf(await read(after[0] ?? '')), {
      code: 'earlier-code-missing',
      kind: 'returned',
    });
    for (const code of [before, ...after]) await acts.confirm(world, code);
    assert.deepEqual(await acts.books(world), [96, 4, 0]);
  });

  it('comes after an end that was read out, whatever end before it was told by a message that never came', async () => {
    world = await makeWorld(100);
    const server = await world.addServer('LS', { kit: true, connected: true });
    const code = await acts.activationCode(world, server);
    const typed = { text: code, confirmed: true };
    value(await applyCode(server.context, typed));
    await acts.install(world, server, { quantity: 3 });
    value(await deactivateServer(server.context, { returnUnissued: true, by: 'message' }));
    value(await applyCode(server.context, typed));
    const closed = value(await deactivateServer(server.context, { returnUnissued: true, by: 'telephone' }));
    for (const each of closed.codes) await acts.confirm(world, each.code);
    await acts.activateByContact(server);
    assert.deepEqual(await acts.books(world), [100, 0, 0]);
    await acts.installByContact(server, { quantity: 2 });
    assert.deepEqual(await acts.counts(server), [2, 0, 2, 0, 0, 0]);
  });

  it('does not make codes of the one before look typed that are not', async () => {
    world = await makeWorld(100, { kit: false });
    const server = await connected('LS', 2);
    const before = await giveBack(server, 1);
    world.clock.advanceDays(360);
    await contacts(2, server);
    // Two positions on the new chain, none of them typed: the state before it had two as well.
    const untyped = await acts.packCode(world, server, { quantity: 2 });
    await acts.confirm(world, before);
    const closed = value(await deactivateServer(server.context, { returnUnissued: true, by: 'telephone' }));
    for (const { code } of closed.codes) await acts.confirm(world, code);
    // What was read out and not typed stays committed.
    assert.deepEqual(await acts.books(world), [98, 2, 0]);
    await acts.activateByContact(server);
    assert.deepEqual(await acts.counts(server), [2, 0, 2, 0, 0, 0]);
    assert.equal(refusalOf(await read(untyped)).code, 'code-wrong-kind');
  });

  it('of a server with a slot waits until its codes were read, but for heartbeats', async () => {
    world = await makeWorld(100);
    const server = await world.addServer('LS', { kit: true, connected: true });
    await acts.setUp(world, server, 10);
    const code = await giveBack(server, 4);
    value(await heartbeatByTelephone(server.context));
    const refused = async (kind: string) => {
      const asked = value(await requestActivation(server.context, { agreement }));
      assert.deepEqual(refusalOf(await settleByContact(server.context, asked.id)), {
        ...{ code: 'earlier-code-missing', kind },
      });
    };
    await refused('returned');
    await acts.confirm(world, code);
    await acts.activateByContact(server);
    assert.deepEqual(await acts.books(world), [94, 6, 0]);
  });

  it('waits for the codes of a server that its old activation code has opened again', async () => {
    world = await makeWorld(100);
    const [server, next] = [
      await world.addServer('LS', { kit: true, connected: true }),
      await world.addServer('LS-NEXT', { kit: true, connected: true }),
    ];
    const activation = await acts.activationCode(world, server);
    await acts.typeCode(server, activation);
    await acts.setUp(world, next, 0);
    const untyped = await acts.packCode(world, server, { quantity: 5 });
    const closed = value(await deactivateServer(server.context, { returnUnissued: true, by: 'telephone' }));
    for (const { code } of closed.codes) await acts.confirm(world, code);
    await acts.typeCode(server, activation);
    await acts.typeCode(server, untyped);
    const codes = [await freeze(server, next, 'all'), await release(server)];
    const asked = value(await requestActivation(server.context, { agreement }));
    assert.equal(refusalOf(await settleByContact(server.context, asked.id)).code, 'earlier-code-missing');
    // At the desk it is activated first, as the refusal of its codes says; then they are read.
    assert.equal(refusalOf(await read(codes[0] ?? '')).code, 'server-closed');
    await acts.activationCode(world, server);
    await acts.deskMove(world, { from: server, to: next });
    for (const code of codes) {
      for (const heard of value(await read(code)).codes) await acts.typeCode(next, heard.code);
    }
    await acts.activateByContact(server);
    assert.deepEqual(
      [await acts.counts(server), await acts.counts(next)],
      [
        [0, 0, 0, 0, 0, 0],
        [5, 0, 5, 0, 0, 0],
      ],
    );
    assert.deepEqual(await acts.books(world), [95, 5, 0]);
  });
});

it('what is on its way to a server that closes is not taken for codes that it never typed', async () => {
  world = await makeWorld(100, { kit: false });
  const [old, next] = [await connected('LS-OLD', 10), await connected('LS-NEW', 3)];
  const unread = await giveBack(next, 1);
  const move = await acts.askMove(old, next, { quantity: 5 });
  await contacts(2, old);
  assert.equal(await acts.stateOf(world, move), 'granted');
  await acts.closeByContact(next, true);
  // The unit that was given back by a code is in hand, though the code was never read.
  assert.deepEqual(await acts.books(world), [90, 5, 5]);
  assert.equal(refusalOf(await read(unread)).code, 'confirmation-unmatched');
});

it('a freeze that the books do not cover yet ends its move, and the source has its CALs again', async () => {
  world = await makeWorld(100, { kit: false });
  const [a, b, c] = [await connected('LS-A', 5), await connected('LS-B', 2), await connected('LS-C', 0)];
  await acts.deskMove(world, { from: a, to: b });
  const { code } = await acts.confirm(world, await freeze(a, b, 'all'));
  await acts.typeCode(b, code ?? '');
  const early = await acts.askMove(b, c);
  await contacts(3, b);
  assert.equal(await acts.stateOf(world, early), 'aborted');
  assert.deepEqual(await acts.counts(b), [7, 0, 7, 0, 0, 0]);
  await acts.confirm(world, await release(a));
  const late = await acts.askMove(b, c);
  await contacts(5, b, c);
  assert.equal(await acts.stateOf(world, late), 'closed');
  assert.deepEqual(await acts.counts(c), [7, 0, 7, 0, 0, 0]);
});

it('a code is read however many key packs have come by message since it was made', async () => {
  world = await makeWorld(100);
  const server = await world.addServer('LS', { kit: true, connected: true });
  await acts.connect(server, 2);
  const code = await giveBack(server, 1);
  for (let pack = 0; pack < 20; pack += 1) await acts.installByContact(server, { quantity: 1 });
  assert.deepEqual(await acts.books(world), [78, 22, 0]);
  await acts.confirm(world, code);
  assert.deepEqual(await acts.books(world), [79, 21, 0]);
});
