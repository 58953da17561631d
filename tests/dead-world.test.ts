/** A source that no longer functions, in one world: what becomes of its units, and of itself (protocol §2.5). */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { grantPassed } from '../src/clearinghouse/usecases/dead-source.ts';
import { giveHorizonCode } from '../src/clearinghouse/usecases/desk-horizon.ts';
import { exchangeMessages } from '../src/clearinghouse/usecases/exchange.ts';
import { startDeskMove } from '../src/clearinghouse/usecases/start-move.ts';
import { msOfIso } from '../src/core/time.ts';
import { problemOf } from '../src/protocol/problem.ts';
import { applyCode } from '../src/server/usecases/apply-code.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { declareDead } from '../src/server/usecases/declare-dead.ts';
import { returnByTelephone } from '../src/server/usecases/give-back.ts';
import { requestActivation } from '../src/server/usecases/requests.ts';
import { startMove } from '../src/server/usecases/start-move.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { freezeByTelephone } from '../src/server/usecases/telephone-move.ts';
import { undoMove } from '../src/server/usecases/undo-move.ts';
import * as acts from './world/acts.ts';
import {
  ask,
  assertAll,
  books,
  closeWorlds,
  declare,
  events,
  journal,
  line,
  moveAt,
  newWorld,
  pair,
  passTime,
  passTimeAlmost,
  stateAt,
  statement,
  stateOn,
} from './world/dead.ts';
import { contentOf, fromServer } from './world/forge.ts';
import { agreement, refusalOf, value } from './world/world.ts';

after(closeWorlds);

describe('a source that was declared dead', () => {
  it('keeps its units in quarantine until its horizon, and they are then the target’s', async () => {
    const at = await pair();
    const id = await declare(at);
    assert.equal(await stateAt(at, id), 'dead-wait');
    assert.equal(await stateOn(at.target, id), 'dead-wait');
    assert.deepEqual(await books(at), [990, 0, 0, 10]);
    const [said] = await journal(at, 'source-declared-dead');
    assert.deepEqual([said?.['by'], said?.['statement']], ['Ann Lee', 'the disk burnt on Monday']);
    const { awaited, deadSource } = await moveAt(at, id);
    assert.equal(awaited.from, 'source');
    assert.match(awaited.text, new RegExp(deadSource?.horizon.slice(0, 10) ?? '-'));
    await assertAll(at.world);
    await passTimeAlmost(at, id);
    await acts.contact(at.target);
    assert.equal(await stateAt(at, id), 'dead-wait');
    await passTime(at, id, 'horizon');
    await acts.contact(at.target, at.target, at.target);
    assert.equal(await stateAt(at, id), 'closed');
    assert.equal(await stateOn(at.target, id), 'closed');
    assert.deepEqual(await books(at), [990, 10, 0, 0]);
    assert.deepEqual(await acts.counts(at.target), [10, 0, 0, 0, 10, 0]);
    assert.ok((await events(at.target)).includes(93));
    await assertAll(at.world);
  });

  it('is noticed by the clock of the clearinghouse alone', async () => {
    const at = await pair();
    const id = await declare(at);
    await passTime(at, id, 'horizon');
    await grantPassed(at.world.clearinghouse.context);
    const row = await at.world.clearinghouse.store.read((tx) =>
      tx.get<{ state: string }>('select state from moves where id = ?', id),
    );
    assert.equal(row?.state, 'fenced');
    assert.deepEqual(await books(at), [990, 0, 10, 0]);
    await assertAll(at.world);
  });

  it('opens the reserve to holders at once, and to others when its last lease must have ended', async () => {
    const at = await pair();
    const id = await declare(at);
    await passTimeAlmost(at, id);
    // What the source renewed until then nobody knows: its holder shows the token that it has.
    const renewed = value(await ask(at.source, 'ws-1'));
    assert.equal(renewed.status, 'renewed');
    await passTime(at, id, 'horizon');
    await acts.contact(at.target, at.target, at.target);
    const mine = value(await ask(at.target, 'ws-1', renewed));
    assert.deepEqual([mine.kind, mine.origin], ['permanent', renewed.origin]);
    // Nothing is free for a stranger, who signs in all the same.
    assert.equal((await acts.permanent(at.target, 'pc-9')).kind, 'temporary');
    await passTimeAlmost(at, id, 'opensAt');
    await acts.contact(at.target);
    assert.deepEqual(await acts.counts(at.target), [10, 1, 0, 0, 9, 0]);
    assert.equal((await acts.permanent(at.target, 'pc-10')).kind, 'temporary');
    await passTime(at, id, 'opensAt');
    for (const holder of ['pc-11', 'pc-12']) {
      assert.equal((await acts.permanent(at.target, holder)).kind, 'permanent');
    }
    assert.deepEqual((await acts.counts(at.target))[4], 0);
    await assertAll(at.world);
  });

  it('has no reserve where everything has ended long ago', async () => {
    const at = await pair();
    const id = await declare(at);
    await passTime(at, id, 'opensAt');
    await acts.contact(at.target, at.target);
    assert.deepEqual(await acts.counts(at.target), [10, 0, 10, 0, 0, 0]);
    assert.equal(await stateAt(at, id), 'closed');
  });

  it('is signed no further horizon, by message, certificate or code', async () => {
    const at = await pair();
    const { horizon } = await readStatus(at.source.context);
    await declare(at);
    at.world.clock.advanceDays(62);
    const before = at.source;
    await acts.contact(at.target);
    const context = at.world.clearinghouse.context;
    const call = { agreement, serverId: acts.idOf(before) };
    assert.equal(refusalOf(await giveHorizonCode(context, call)).code, 'server-declared-dead');
    const order = { agreement, ...line, quantity: 1 };
    await assert.rejects(acts.installByContact(before, order), /server-declared-dead/);
    assert.equal((await readStatus(before.context)).horizon, horizon);
    // That contact has brought the freeze: it works, and lives as long as any other from now on.
    await acts.contact(before, before);
    assert.notEqual((await readStatus(before.context)).horizon, horizon);
  });

  it('is refused in words where it cannot be', async () => {
    const at = await pair(5);
    const id = await declare(at);
    const order = { agreement, from: acts.idOf(at.source), ...line, statement, by: 'message' } as const;
    // The same again goes on with the open one; another server is told whose it is.
    assert.equal(value(await declareDead(at.target.context, order)).id, id);
    const third = await at.world.addServer('LS-3', { connected: true });
    await acts.connect(third, 0);
    await acts.contact(third);
    const asked = value(await declareDead(third.context, order));
    await acts.contact(third);
    assert.equal(await stateOn(third, asked.id), 'refused');
    const own = { ...order, from: acts.idOf(at.target) };
    assert.equal(refusalOf(await declareDead(at.target.context, own)).code, 'move-to-itself');
    const wordless = { ...order, statement: 'it burnt' };
    assert.equal(refusalOf(await declareDead(at.target.context, wordless)).code, 'invalid-input');
  });

  it('is declared once under a key, also when that is over', async () => {
    const at = await pair();
    const order = { agreement, from: acts.idOf(at.source), ...line, statement, by: 'message' } as const;
    const keyed = { ...order, requestId: 'first' };
    const first = value(await declareDead(at.target.context, keyed));
    const other = value(await declareDead(at.target.context, { ...order, requestId: 'second' }));
    assert.deepEqual([other.id, other.resumed], [first.id, true]);
    await acts.contact(at.target);
    value(await cancelMove(at.world.clearinghouse.context, first.id));
    await acts.contact(at.target);
    for (const requestId of ['first', 'second']) {
      const again = value(await declareDead(at.target.context, { ...order, requestId }));
      assert.deepEqual([again.id, again.state], [first.id, 'undone']);
    }
    const reworded = { ...keyed, statement: 'Ann Lee: it burnt' };
    assert.equal(refusalOf(await declareDead(at.target.context, reworded)).code, 'idempotency-key-reused');
    assert.notEqual(value(await declareDead(at.target.context, order)).id, first.id);
  });
});

describe('a declaration that is taken back on the server that made it', () => {
  it('by message: the source keeps its CALs, and nobody is given a gap license any more', async () => {
    const at = await pair();
    const id = await declare(at);
    const asked = value(await undoMove(at.target.context, id));
    assert.deepEqual([asked.undoing, asked.awaited.from], [true, 'clearinghouse']);
    assert.equal(value(await undoMove(at.target.context, id)).resumed, true);
    await acts.contact(at.target, at.target, at.source);
    assert.deepEqual([await stateAt(at, id), await stateOn(at.target, id)], ['aborted', 'undone']);
    assert.equal(value(await undoMove(at.target.context, id)).undoing, false);
    assert.deepEqual(await books(at), [990, 10, 0, 0]);
    assert.deepEqual(await acts.counts(at.source), [10, 3, 7, 0, 0, 0]);
    assert.deepEqual([await acts.counts(at.target), (await readStatus(at.target.context)).gap], [[], 0]);
    await assertAll(at.world);
  });

  it('by telephone: it is over here, whatever the desk has entered', async () => {
    const at = await pair();
    const order = { agreement, from: acts.idOf(at.source), ...line, statement, by: 'telephone' } as const;
    const { id } = value(await declareDead(at.target.context, order));
    const undone = value(await undoMove(at.target.context, id));
    assert.deepEqual([undone.state, undone.undoing], ['undone', false]);
    assert.equal(value(await ask(at.target, 'ws-1', at.held[0])).kind, 'temporary');
    assert.equal((await readStatus(at.target.context)).gap, 0);
    await assertAll(at.world);
  });
});

describe('a source that speaks again before its horizon has passed', () => {
  it('freezes, and the move goes on as any other', async () => {
    const at = await pair();
    const id = await declare(at);
    await acts.contact(at.source, at.source, at.target, at.target);
    assert.equal(await stateOn(at.source, id), 'frozen');
    await acts.contact(at.target, at.source, at.source, at.target, at.target);
    assert.equal(await stateAt(at, id), 'closed');
    assert.deepEqual(await books(at), [990, 10, 0, 0]);
    assert.deepEqual(await acts.counts(at.target), [10, 0, 7, 0, 3, 0]);
    assert.equal((await acts.counts(at.source))[0], 0);
    await assertAll(at.world);
  });

  it('freezes by telephone, too, where it was declared so', async () => {
    const world = await newWorld(1000);
    const source = await world.addServer('LS-OLD', { kit: true });
    const target = await world.addServer('LS-NEW', { kit: true });
    await acts.setUp(world, source, 10);
    await acts.setUp(world, target, 0);
    await acts.permanent(source, 'ws-1');
    const started = value(
      await startDeskMove(world.clearinghouse.context, {
        ...{ agreement, from: acts.idOf(source), to: acts.idOf(target), ...line, quantity: 'all' },
        ...{ reason: 'dead', statement, requestId: acts.newRequest() },
      }),
    );
    const order = { ...line, to: acts.idOf(target), quantity: 'all' } as const;
    const pack = await acts.confirm(world, value(await freezeByTelephone(source.context, order)).code);
    await acts.typeCode(target, pack.code ?? '');
    assert.equal(await stateAt({ world, source, target }, String(started['move'])), 'granted');
    assert.deepEqual(await acts.counts(target), [9, 0, 9, 0, 0, 0]);
    await assertAll(world);
  });

  it('gives CALs back, and what is left waits on', async () => {
    const at = await pair();
    const id = await declare(at);
    const told = value(await returnByTelephone(at.source.context, { ...line, quantity: 4 }));
    await acts.confirm(at.world, told.code);
    assert.deepEqual(await books(at), [994, 0, 0, 6]);
    assert.equal(await stateAt(at, id), 'dead-wait');
    await assertAll(at.world);
    await passTime(at, id, 'horizon');
    await acts.contact(at.target, at.target);
    assert.deepEqual(await books(at), [994, 6, 0, 0]);
  });

  it('ends by itself: what it gives up is the target’s at once, and it is never activated again', async () => {
    const world = await newWorld(1000, { kit: false });
    const source = await world.addServer('LS-OLD', { connected: true });
    const target = await world.addServer('LS-NEW', { connected: true });
    await acts.connect(source, 10);
    await acts.connect(target, 0);
    // A code that was read out and never typed: it stays with the source, and must not be typed later.
    const code = await acts.packCode(world, source, { quantity: 5 });
    const at = { world, source, target };
    const id = await declare(at);
    assert.deepEqual(await books(at), [985, 0, 0, 15]);
    value(await deactivateServer(source.context, { returnUnissued: true, by: 'message' }));
    await acts.contact(source);
    await acts.contact(target, target);
    assert.deepEqual(await books(at), [995, 5, 0, 0]);
    assert.deepEqual(await acts.counts(target), [5, 0, 5, 0, 0, 0]);
    assert.equal(await stateAt(at, id), 'closed');
    await assert.rejects(acts.activateByContact(source), /server-declared-dead/);
    assert.equal((await applyCode(source.context, { text: code, confirmed: true })).ok, false);
  });

  it('keeps its units where the move is undone in time', async () => {
    const at = await pair();
    const id = await declare(at);
    value(await cancelMove(at.world.clearinghouse.context, id));
    assert.equal(await stateAt(at, id), 'aborted');
    assert.deepEqual(await books(at), [990, 10, 0, 0]);
    await acts.contact(at.target, at.source, at.source);
    assert.equal(await stateOn(at.target, id), 'undone');
    assert.equal(await stateOn(at.source, id), 'undone');
    assert.deepEqual(await acts.counts(at.source), [10, 3, 7, 0, 0, 0]);
    assert.ok((await events(at.target)).includes(5031));
    at.world.clock.advanceDays(80);
    const { horizon } = await readStatus(at.source.context);
    await acts.contact(at.source);
    assert.notEqual((await readStatus(at.source.context)).horizon, horizon);
    await assertAll(at.world);
  });
});

describe('a source that speaks again when its units are granted', () => {
  it('is closed, refers its holders, and what it said is kept', async () => {
    const at = await pair();
    const id = await declare(at);
    await passTime(at, id, 'horizon');
    await acts.contact(at.target, at.target);
    const late = refusalOf(await cancelMove(at.world.clearinghouse.context, id));
    assert.partialDeepStrictEqual(late, { code: 'undo-too-late', sourceIs: 'declared-dead' });
    assert.match(problemOf(late).next, /never activated again.*make a new license server/);
    await acts.contact(at.source);
    await acts.contact(at.source);
    const status = await readStatus(at.source.context);
    assert.deepEqual([status.activation, status.generation], ['deactivated', 2]);
    assert.deepEqual(await acts.counts(at.source), [0, 0, 0, 0, 0, 0]);
    const referred = refusalOf(await ask(at.source, 'ws-1'));
    assert.deepEqual(
      [referred.code, 'licenseServerId' in referred && referred.licenseServerId],
      ['license-moved', acts.idOf(at.target)],
    );
    assert.equal(refusalOf(await ask(at.source, 'nobody')).code, 'deactivated');
    const told = await events(at.source);
    // Once, and nothing beside it of the messages that were refused.
    assert.deepEqual([told.filter((each) => each === 5032).length, told.includes(5019)], [1, false]);
    const [spoke] = await journal(at, 'dead-source-spoke');
    assert.equal(spoke?.['server'], acts.idOf(at.source));
    assert.equal(typeof spoke?.['logSize'], 'number');
    const { deadSource } = await moveAt(at, id);
    assert.match(deadSource?.sourceSaid ?? '', /contact, generation 1/);
    assert.notEqual(deadSource?.sourceSeenAt, null);
    const asked = value(await requestActivation(at.source.context, { agreement }));
    await acts.contact(at.source);
    const refused = await at.source.store.read((tx) =>
      tx.get<{ state: string; answer: string }>('select state, answer from requests where id = ?', asked.id),
    );
    assert.equal(refused?.state, 'refused');
    assert.match(refused?.answer ?? '', /server-declared-dead/);
    await assertAll(at.world);
  });
});

describe('what a dead source leaves behind', () => {
  it('waits where the target can be granted nothing, and can be undone even then', async () => {
    const at = await pair();
    const id = await declare(at);
    await acts.closeByContact(at.target, false);
    await passTime(at, id, 'horizon');
    await grantPassed(at.world.clearinghouse.context);
    const { state, awaited } = await moveAt(at, id);
    assert.deepEqual([state, awaited.from], ['dead-wait', 'clearinghouse']);
    assert.deepEqual(await books(at), [990, 0, 0, 10]);
    value(await cancelMove(at.world.clearinghouse.context, id));
    assert.deepEqual(await books(at), [990, 10, 0, 0]);
    await assertAll(at.world);
  });

  it('is settled where it had frozen for another move and never released', async () => {
    const world = await newWorld(100, { kit: false });
    await acts.sell(world, { type: 'user', quantity: 10 });
    const source = await world.addServer('LS-OLD', { connected: true });
    const target = await world.addServer('LS-NEW', { connected: true });
    await acts.connect(source, 10);
    await acts.installByContact(source, { type: 'user', quantity: 5 });
    await acts.connect(target, 0);
    await acts.contact(source, target);
    const held = await acts.permanent(source, 'ws-1');
    const at = { world, source, target };
    const order = { agreement, to: acts.idOf(target), ...line, quantity: 'all' } as const;
    const moved = value(await startMove(source.context, { ...order, reason: 'replaced', hold: false }));
    await acts.contact(source, source, target, target);
    assert.equal(await stateAt(at, moved.id), 'committed');
    const id = await declare(at, 'user');
    await passTime(at, id, 'horizon');
    await acts.contact(target, target, target);
    assert.deepEqual([await stateAt(at, moved.id), await stateAt(at, id)], ['closed', 'closed']);
    // Its holder was renewed there nobody knows how often: the unit is nobody else's until all of it has ended.
    const { deadSource } = await moveAt(at, id);
    const own = value(await ask(target, 'ws-1', held));
    assert.deepEqual([own.kind, own.origin], ['permanent', held.origin]);
    const row = await target.store.read((tx) =>
      tx.get<{ end: number }>(`select lease_end as end from licenses where holder = 'ws-1'`),
    );
    assert.ok((row?.end ?? 0) >= (msOfIso(deadSource?.opensAt ?? '') ?? Number.POSITIVE_INFINITY));
    await assertAll(world);
  });

  it('is brought over later where its other CALs were forgotten', async () => {
    const world = await newWorld(100, { kit: false });
    await acts.sell(world, { type: 'user', quantity: 10 });
    const source = await world.addServer('LS-OLD', { connected: true });
    const target = await world.addServer('LS-NEW', { connected: true });
    await acts.connect(source, 10);
    await acts.installByContact(source, { type: 'user', quantity: 5 });
    await acts.connect(target, 0);
    const at = { world, source, target };
    const first = await declare(at);
    await passTime(at, first, 'horizon');
    await acts.contact(target, target);
    const second = await declare(at, 'user');
    await acts.contact(target, target);
    assert.equal(await stateAt(at, second), 'closed');
    assert.deepEqual(await acts.counts(target, 'user'), [5, 0, 0, 0, 5, 0]);
    await acts.contact(source, source, source);
    for (const type of ['device', 'user'] as const) {
      assert.deepEqual(await acts.counts(source, type), [0, 0, 0, 0, 0, 0]);
    }
    await assertAll(world);
  });

  it('closes every copy of it that turns up', async () => {
    const at = await pair();
    const id = await declare(at);
    await passTime(at, id, 'horizon');
    await acts.contact(at.target, at.target);
    const { context } = at.world.clearinghouse;
    const spoken = await fromServer(at.world, at.source, {
      t: 'contact',
      body: { ack: [], name: 'LS-OLD', method: 'automatic' },
    });
    for (const copy of [1, 2]) {
      const answered = value(await exchangeMessages(context, { messages: [spoken], waitMs: 0 }));
      const types = answered.messages.map((token) => contentOf(token).t);
      assert.ok(types.includes('close'), `${copy}: ${types.join()}`);
    }
    // One has heard of it and said so; then another copy comes, which knows of nothing.
    await acts.contact(at.source, at.source);
    const other = await fromServer(at.world, at.source, {
      ...{ t: 'contact', gen: 1, body: { ack: [], name: 'LS-OLD', method: 'automatic' } },
    });
    const answered = value(await exchangeMessages(context, { messages: [other], waitMs: 0 }));
    assert.ok(answered.messages.map((token) => contentOf(token).t).includes('close'));
    assert.ok((await journal(at, 'dead-source-spoke')).length >= 2);
  });
});
