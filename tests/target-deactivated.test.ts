/** A target that is deactivated in the middle of a move by messages: its CALs' holders are served somewhere all the time. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { showMove } from '../src/clearinghouse/usecases/desk-moves.ts';
import { exchangeMessages } from '../src/clearinghouse/usecases/exchange.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyAnswerFile, applyMessages } from '../src/server/usecases/apply-message.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { sealOutbox } from '../src/server/usecases/outbox.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { requestActivation } from '../src/server/usecases/requests.ts';
import { listMoves, startMove } from '../src/server/usecases/start-move.ts';
import { listEvents, readIdentity } from '../src/server/usecases/status.ts';
import { undoMove } from '../src/server/usecases/undo-move.ts';
import { assertSound } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

const device = { product, type: 'device' } as const;

let world: World;
let old: OpenServer;
let next: OpenServer;

beforeEach(async () => {
  world = await makeWorld(100);
  old = await acts.addConnected(world, 'LS-OLD', 20);
  next = await world.addServer('LS-NEW', { kit: true, connected: true });
  await acts.permanents(old, ['ws-1', 'ws-2']);
});

afterEach(async () => {
  await assertConserved(world);
  await assertSound(world);
  await world.close();
});

/** Deactivates the target, with codes that are read out, or by message at its next contact. */
async function close(by: 'telephone' | 'message'): Promise<void> {
  const closed = value(await deactivateServer(next.context, { returnUnissued: true, by }));
  for (const { code } of closed.codes) await acts.confirm(world, code);
}

const kindAt = async (server: OpenServer, holder: string): Promise<string> => {
  const asked = await requestLicense(server.context, { ...device, holder });
  return asked.ok ? asked.value.kind : asked.error.code;
};

const atDesk = async (move: string): Promise<string> =>
  value(await showMove(world.clearinghouse.context, move)).awaited.text;

const atTarget = async (): Promise<string> => String((await listMoves(next.context))[0]?.awaited.text);

/** A move whose grant is under way when its target is deactivated, and comes to it then. */
async function grantTo(by: 'telephone' | 'message'): Promise<string> {
  const move = await acts.askMove(old, next);
  await acts.contact(old, old);
  await close(by);
  await acts.contact(next, next, old, old, next);
  return move;
}

for (const by of ['telephone', 'message'] as const) {
  describe(`a grant that comes to a target that was deactivated by ${by}`, () => {
    beforeEach(() => acts.activateByContact(next));

    it('is installed, and the source goes on serving until the target is activated again', async () => {
      const move = await grantTo(by);
      assert.equal(await acts.stateOf(world, move), 'installed');
      assert.deepEqual(await acts.counts(next), [20, 0, 18, 0, 2, 0]);
      assert.equal(await kindAt(old, 'ws-1'), 'permanent');
      assert.match(await atDesk(move), /target is deactivated.*calyx server activate.*calyx desk cancel/);
      assert.match(await atTarget(), /deactivated.*calyx server activate.*calyx server move --undo/);
      await acts.activateByContact(next);
      await acts.contact(next, old, old, next);
      assert.equal(await acts.stateOf(world, move), 'closed');
      assert.equal(await kindAt(old, 'ws-1'), 'license-moved');
      assert.equal((await acts.permanent(next, 'ws-3')).kind, 'permanent');
      assert.deepEqual(await acts.books(world), [80, 20, 0]);
    });

    it('can be undone, and the source has its CALs again', async () => {
      const move = await grantTo(by);
      value(await undoMove(next.context, move));
      await acts.contact(next, next, old);
      assert.equal(await acts.stateOf(world, move), 'aborted');
      assert.deepEqual(await acts.counts(old), [20, 2, 18, 0, 0, 0]);
      assert.deepEqual(await acts.books(world), [80, 20, 0]);
    });
  });
}

it('activated again by its old code, without a call, the target finishes what it had installed', async () => {
  const activation = await acts.activationCode(world, next);
  await acts.typeCode(next, activation);
  const move = await grantTo('telephone');
  assert.equal(await acts.stateOf(world, move), 'installed');
  await acts.typeCode(next, activation);
  await acts.contact(next, old, old, next);
  assert.equal(await acts.stateOf(world, move), 'closed');
  assert.equal((await acts.permanent(next, 'ws-3')).kind, 'permanent');
});

it('one that is to be tried first still waits for that when its target is activated again', async () => {
  await acts.activateByContact(next);
  const wish = { agreement, to: acts.idOf(next), ...device, quantity: 'all', reason: 'replaced' } as const;
  const move = value(await startMove(old.context, { ...wish, hold: true })).id;
  await acts.contact(old, old);
  await close('message');
  await acts.contact(next, next);
  await acts.activateByContact(next);
  await acts.contact(next, old, next);
  assert.equal(await acts.stateOf(world, move), 'installed');
  value(await startMove(old.context, { ...wish, hold: false }));
  await acts.contact(old, next, old, next);
  assert.equal(await acts.stateOf(world, move), 'closed');
});

describe('an undo that comes too late, since the target has given back what a later key pack had brought,', () => {
  it('waits until a deactivated target is activated again: then the move goes on, and it serves the holders', async () => {
    await acts.activateByContact(next);
    const move = await acts.askMove(old, next);
    await acts.contact(old, old);
    // Its code is read out after the grant, and brings the unissued CALs of that as well.
    await acts.install(world, next, { quantity: 3 });
    await close('telephone');
    value(await cancelMove(world.clearinghouse.context, move));
    await acts.contact(next, next, old);
    assert.equal(await acts.stateOf(world, move), 'aborting');
    assert.equal(await kindAt(old, 'ws-1'), 'permanent');
    assert.match(await atDesk(move), /deactivated.*activated again/);
    await acts.activateByContact(next);
    await acts.contact(next, next, old, old, next);
    assert.equal(await acts.stateOf(world, move), 'closed');
    assert.deepEqual(await acts.books(world), [98, 2, 0]);
    assert.equal(await kindAt(next, 'ws-1'), 'permanent');
  });
});

describe('what a target has given back before it was deactivated by telephone', () => {
  const undone = async (installed: boolean): Promise<string> => {
    await acts.activateByContact(next);
    const move = await acts.askMove(old, next, { hold: true });
    await acts.contact(old, old);
    if (installed) await acts.contact(next, next);
    value(await cancelMove(world.clearinghouse.context, move));
    // The answer arrives, and what it leads to does not leave before the codes are read.
    const sent = { messages: await sealOutbox(next.context), waitMs: 0 };
    const { messages } = value(await exchangeMessages(world.clearinghouse.context, sent));
    value(await applyMessages(next.context, { messages, ofOthers: 'refuse' }));
    await close('telephone');
    return move;
  };

  for (const installed of [true, false]) {
    const grant = installed ? 'installed before' : 'that came with the undo';
    it(`is its source’s again, though its codes were read first; of a grant ${grant}`, async () => {
      const move = await undone(installed);
      await acts.contact(next, old);
      assert.equal(await acts.stateOf(world, move), 'aborted');
      assert.deepEqual(await acts.counts(old), [20, 2, 18, 0, 0, 0]);
      assert.deepEqual(await acts.books(world), [80, 20, 0]);
      assert.equal((await acts.permanent(old, 'ws-3')).kind, 'permanent');
    });
  }

  it('is so by file as well, and the target is activated again in the same one', async () => {
    const move = await undone(true);
    value(await requestActivation(next.context, { agreement }));
    value(await applyAnswerFile(next.context, await acts.answerTo(world, next)));
    assert.equal(await acts.stateOf(world, move), 'aborted');
    assert.equal((await readIdentity(next.context)).activation, 'activated');
  });
});

it('a grant that comes together with its undo is given back, and nobody is warned of anything', async () => {
  await acts.activateByContact(next);
  const move = await acts.askMove(old, next);
  await acts.contact(old, old);
  value(await cancelMove(world.clearinghouse.context, move));
  await acts.contact(next, next, old);
  assert.equal(await acts.stateOf(world, move), 'aborted');
  const { items } = await listEvents(next.context, { cursor: '', limit: 100 });
  assert.ok(!items.some(({ id }) => id === 5019));
});
