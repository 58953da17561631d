/** A source that no longer functions, in one world: its holders, early release, telephone and files (§2.5). */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { approveMove } from '../src/clearinghouse/usecases/approve-release.ts';
import { repeatCodes } from '../src/clearinghouse/usecases/desk-moves.ts';
import { startDeskMove } from '../src/clearinghouse/usecases/start-move.ts';
import { isoTime, msOfIso } from '../src/core/time.ts';
import { applyCode } from '../src/server/usecases/apply-code.ts';
import { applyAnswerFile } from '../src/server/usecases/apply-message.ts';
import { declareDead } from '../src/server/usecases/declare-dead.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { listMoves, startMove } from '../src/server/usecases/start-move.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { assertSound, codesOf } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import type { Pair } from './world/dead.ts';
import {
  ask,
  assertAll,
  closeWorlds,
  declare,
  events,
  journal,
  line,
  moveAt,
  newWorld,
  pair,
  passTime,
  stateAt,
  statement,
  stateOn,
} from './world/dead.ts';
import { agreement, product, refusalOf, value } from './world/world.ts';

after(closeWorlds);

describe('holders of a dead source', () => {
  it('are given a gap license, which is renewed until the units are for everybody', async () => {
    const at = await pair();
    const [first, second] = at.held;
    assert.ok(first && second);
    // Nothing is known of its death yet: a device gets what every device gets, a holder no more.
    const before = value(await ask(at.target, 'ws-2', second));
    assert.equal(before.kind, 'temporary');
    assert.equal((await readStatus(at.target.context)).gap, 0);
    const id = await declare(at);
    const gap = value(await ask(at.target, 'ws-1', first));
    assert.deepEqual([gap.kind, gap.unit], ['temporary', null]);
    assert.equal((await readStatus(at.target.context)).gap, 1);
    assert.equal(value(await ask(at.target, 'ws-1', first)).token, gap.token);
    assert.equal(value(await ask(at.target, 'ws-1')).token, gap.token);
    assert.equal((await events(at.target)).filter((number) => number === 5033).length, 1);
    at.world.clock.set((msOfIso(gap.expiresAt) ?? 0) + 1000);
    const longer = value(await ask(at.target, 'ws-1'));
    assert.deepEqual([longer.kind, longer.status, longer.unit], ['temporary', 'renewed', null]);
    assert.equal((await readStatus(at.target.context)).gap, 1);
    await passTime(at, id, 'horizon');
    await acts.contact(at.target, at.target, at.target);
    // Its lease of the source has ended: the source, had it lived, might have given its unit to another.
    assert.deepEqual(await acts.counts(at.target), [10, 0, 0, 0, 10, 0]);
    assert.equal(value(await ask(at.target, 'ws-1')).kind, 'temporary');
    await passTime(at, id, 'opensAt');
    await acts.contact(at.target, at.target);
    const own = value(await ask(at.target, 'ws-1'));
    assert.deepEqual([own.kind, own.origin], ['permanent', first.origin]);
    assert.deepEqual(await acts.counts(at.target), [10, 1, 0, 0, 9, 0]);
    await assertAll(at.world);
  });

  it('have their own unit at once where the token that they showed still runs', async () => {
    const at = await pair();
    // Late enough that the lease outlives the horizon of a source that nobody has heard of since.
    at.world.clock.advanceDays(75);
    const late = await acts.permanent(at.source, 'ws-late');
    const id = await declare(at);
    assert.equal(value(await ask(at.target, 'ws-late', late)).kind, 'temporary');
    await passTime(at, id, 'horizon');
    await acts.contact(at.target, at.target, at.target);
    const own = value(await ask(at.target, 'ws-late'));
    assert.deepEqual([own.kind, own.origin], ['permanent', late.origin]);
    assert.deepEqual(await acts.counts(at.target), [10, 1, 0, 0, 9, 0]);
    await assertAll(at.world);
  });

  it('may show a token that ended at most 90 days ago', async () => {
    const at = await pair();
    const [first, second] = at.held;
    assert.ok(first && second);
    at.world.clock.set((msOfIso(first.expiresAt) ?? 0) + 1000);
    await acts.contact(at.target);
    assert.equal(refusalOf(await ask(at.target, 'ws-1', first)).code, 'source-token-invalid');
    await declare(at);
    assert.equal(value(await ask(at.target, 'ws-1', first)).kind, 'temporary');
    assert.equal((await readStatus(at.target.context)).gap, 1);
    // Somebody else cannot show it, and nobody may show it too late.
    assert.equal(refusalOf(await ask(at.target, 'ws-9', first)).code, 'source-token-invalid');
    at.world.clock.set((msOfIso(second.expiresAt) ?? 0) + 91 * 86_400_000);
    assert.equal(refusalOf(await ask(at.target, 'ws-2', second)).code, 'source-token-invalid');
  });

  it('are not counted against the reserve where their token ended before its units came', async () => {
    const at = await pair(2);
    const [first] = at.held;
    assert.ok(first);
    const id = await declare(at);
    const early = value(await ask(at.target, 'ws-1', first));
    assert.deepEqual([early.kind, early.origin], ['permanent', first.origin]);
    await passTime(at, id, 'horizon');
    await acts.contact(at.target, at.target, at.target);
    // Its source may have given that unit to somebody else since, for whom it is in the reserve.
    assert.deepEqual(await acts.counts(at.target), [12, 1, 1, 0, 10, 0]);
    await assertAll(at.world);
  });

  for (const when of ['before the last lease has ended', 'after that'] as const) {
    it(`have a unit of another first issue where the one that they had went to somebody else: they come ${when}`, async () => {
      const world = await newWorld(10, { kit: false });
      const source = await world.addServer('LS-OLD', { connected: true });
      const target = await world.addServer('LS-NEW', { connected: true });
      await acts.connect(source, 2);
      await acts.connect(target, 0);
      const at = { world, source, target };
      const first = await acts.permanent(source, 'ws-1');
      // Leases run 52 to 89 days: this one outlives the first, whatever was drawn, so only the first is given again.
      world.clock.advanceDays(40);
      await acts.permanent(source, 'ws-3');
      world.clock.set((msOfIso(first.expiresAt) ?? 0) + 1000);
      await acts.contact(source, target);
      const second = await acts.permanent(source, 'ws-2');
      assert.equal(second.origin, first.origin);
      const id = await declare(at);
      for (const [holder, license] of [
        ['ws-1', first],
        ['ws-2', second],
      ] as const) {
        assert.equal(value(await ask(target, holder, license)).kind, 'temporary');
      }
      if (when !== 'after that') {
        await passTime(at, id, 'horizon');
        await acts.contact(target, target);
        for (const holder of ['ws-1', 'ws-2']) value(await ask(target, holder));
      }
      await passTime(at, id, 'opensAt');
      await acts.contact(target, target);
      const licenses = [value(await ask(target, 'ws-2')), value(await ask(target, 'ws-1'))];
      assert.deepEqual(
        licenses.map(({ kind }) => kind),
        ['permanent', 'permanent'],
      );
      assert.equal(licenses[0]?.origin, second.origin);
      assert.notEqual(licenses[1]?.origin, second.origin);
      await assertAll(world);
    });
  }

  it('need no unit of their own to be users', async () => {
    const world = await newWorld(10, { kit: false });
    await acts.sell(world, { type: 'user', quantity: 10 });
    const source = await world.addServer('LS-OLD', { connected: true });
    const target = await world.addServer('LS-NEW', { connected: true });
    await acts.connect(source, 5);
    await acts.installByContact(source, { type: 'user', quantity: 5 });
    await acts.connect(target, 0);
    const at = { world, source, target };
    const request = { product, type: 'user', holder: 'ann' } as const;
    const held = value(await requestLicense(source.context, request));
    const both = [await declare(at), await declare(at, 'user')];
    const shown = { ...request, source: acts.sourceOf(held) };
    assert.equal(value(await requestLicense(target.context, shown)).kind, 'temporary');
    // Several lines of one source: each waits, and all of them go.
    await passTime(at, both[0] ?? '', 'horizon');
    await acts.contact(target, target, target);
    for (const id of both) assert.equal(await stateAt(at, id), 'closed');
    assert.deepEqual(await acts.counts(target, 'device'), [5, 0, 0, 0, 5, 0]);
    assert.equal(value(await requestLicense(target.context, request)).kind, 'temporary');
    await passTime(at, both[1] ?? '', 'opensAt');
    await acts.contact(target);
    assert.equal(value(await requestLicense(target.context, request)).origin, held.origin);
    assert.deepEqual(await acts.counts(target, 'user'), [5, 1, 0, 0, 4, 0]);
    await acts.contact(source, source);
    assert.deepEqual(await acts.counts(source, 'user'), [0, 0, 0, 0, 0, 0]);
    await assertAll(world);
  });
});

describe('an early release', () => {
  it('needs a second person, frees everything at once, and shows the units at risk until they end', async () => {
    const at = await pair();
    const [first] = at.held;
    assert.ok(first);
    const { context } = at.world.clearinghouse;
    const id = await declare(at);
    const gap = value(await ask(at.target, 'ws-1', first));
    assert.equal(gap.kind, 'temporary');
    assert.equal(
      refusalOf(await approveMove(context, { move: id, by: 'ann lee' })).code,
      'approval-same-person',
    );
    const approved = value(await approveMove(context, { move: id, by: 'Ben' }));
    assert.deepEqual([approved['unitsAtRisk'], approved['state']], [10, 'fenced']);
    // Somebody who has not seen the answer asks again; somebody else has come too late.
    assert.deepEqual(value(await approveMove(context, { move: id, by: ' ben ' })), approved);
    assert.equal(refusalOf(await approveMove(context, { move: id, by: 'Dan' })).code, 'move-state');
    assert.equal((await journal(at, 'early-release-approved')).length, 1);
    await acts.contact(at.target, at.target, at.target);
    assert.deepEqual(await acts.counts(at.target), [10, 0, 9, 0, 1, 0]);
    const own = value(await ask(at.target, 'ws-1'));
    assert.deepEqual([own.kind, own.origin], ['permanent', first.origin]);
    assert.equal((await acts.permanent(at.target, 'pc-9')).kind, 'permanent');
    const [risk] = value(await showAgreement(context, agreement)).atRisk;
    const { deadSource } = await moveAt(at, id);
    assert.deepEqual([risk?.units, risk?.until, risk?.sourceSeenAt], [10, deadSource?.sunset, null]);
    // The source was alive, and goes on until it hears: then the risk was real.
    assert.equal(value(await ask(at.source, 'pc-10')).kind, 'temporary');
    await acts.contact(at.source);
    assert.notEqual(value(await showAgreement(context, agreement)).atRisk[0]?.sourceSeenAt, null);
    const noted = codesOf(await assertSound(at.world), 'note');
    for (const code of ['units-at-risk', 'dead-source-alive']) assert.ok(noted.includes(code), code);
    // What it renewed past its horizon, before it heard of its end, lives on after the other leases have ended.
    await passTime(at, id, 'opensAt');
    assert.equal(value(await showAgreement(context, agreement)).atRisk.length, 1);
    await passTime(at, id, 'sunset');
    assert.deepEqual(value(await showAgreement(context, agreement)).atRisk, []);
    assert.equal((await journal(at, 'early-release-approved'))[0]?.['by'], 'Ben');
    await assertAll(at.world);
  });

  it('is possible twice in twelve months', async () => {
    const world = await newWorld(1000, { kit: false });
    const target = await world.addServer('LS-NEW', { connected: true });
    await acts.connect(target, 0);
    const { context } = world.clearinghouse;
    for (const [index, name] of ['LS-1', 'LS-2', 'LS-3'].entries()) {
      const source = await world.addServer(name, { connected: true });
      await acts.connect(source, 10);
      const id = await declare({ world, source, target });
      const approved = await approveMove(context, { move: id, by: 'Ben' });
      if (index < 2) value(approved);
      else {
        const refused = refusalOf(approved);
        assert.equal(refused.code, 'early-release-limit');
        const next = 'next' in refused ? String(refused.next) : '';
        assert.equal(next, isoTime(world.clock.nowMs() + 365 * 86_400_000).slice(0, 10));
        assert.equal(await stateAt({ world, source, target }, id), 'dead-wait');
      }
    }
  });
});

describe('a dead source by telephone and by file', () => {
  it('is declared at the desk, and its key pack is read out when its horizon has passed', async () => {
    const world = await newWorld(1000);
    const source = await world.addServer('LS-OLD', { kit: true });
    const target = await world.addServer('LS-NEW', { kit: true });
    await acts.setUp(world, source, 10);
    await acts.setUp(world, target, 0);
    const at = { world, source, target };
    const held = await acts.permanent(source, 'ws-1');
    const order = { agreement, from: acts.idOf(source), ...line, statement };
    value(await declareDead(target.context, { ...order, by: 'telephone' }));
    assert.equal(value(await ask(target, 'ws-1', held)).kind, 'temporary');
    assert.equal((await readStatus(target.context)).gap, 1);
    const { context } = world.clearinghouse;
    const started = value(
      await startDeskMove(context, {
        ...{ agreement, from: acts.idOf(source), to: acts.idOf(target), ...line, quantity: 'all' },
        ...{ reason: 'dead', statement, by: 'Cy', requestId: acts.newRequest() },
      }),
    );
    const id = String(started['move']);
    assert.equal(refusalOf(await approveMove(context, { move: id, by: 'Cy' })).code, 'approval-same-person');
    await passTime(at, id, 'horizon');
    assert.equal(await stateAt(at, id), 'closed');
    const codes = value(await repeatCodes(context, { agreement, serverId: acts.idOf(target) })).codes;
    const [pack] = codes.filter((code) => code.kind === 'held-key-pack');
    await acts.typeCode(target, pack?.code ?? '', { from: acts.idOf(source) });
    assert.deepEqual(await acts.counts(target), [10, 0, 0, 0, 10, 0]);
    assert.deepEqual(
      (await listMoves(target.context)).map((move) => move.state),
      ['closed'],
    );
    await assertAll(world);
  });

  it('ends on the target also where its key pack was overtaken by a later one, which serves its holders', async () => {
    const world = await newWorld(1000);
    const source = await world.addServer('LS-OLD', { kit: true });
    const other = await world.addServer('LS-OTHER', { kit: true });
    const target = await world.addServer('LS-NEW', { kit: true });
    await acts.setUp(world, source, 1);
    await acts.setUp(world, other, 2);
    await acts.setUp(world, target, 0);
    const from = acts.idOf(source);
    const held = await acts.permanent(source, 'ws-1');
    await acts.permanents(other, ['ws-2', 'ws-3']);
    value(await declareDead(target.context, { agreement, from, ...line, statement, by: 'telephone' }));
    assert.equal(value(await ask(target, 'ws-1', held)).kind, 'temporary');
    const { context } = world.clearinghouse;
    const started = value(
      await startDeskMove(context, {
        ...{ agreement, from, to: acts.idOf(target), ...line, quantity: 'all' },
        ...{ reason: 'dead', statement, requestId: acts.newRequest() },
      }),
    );
    const at = { world, source, target };
    await passTime(at, String(started['move']), 'horizon');
    assert.equal(await stateAt(at, String(started['move'])), 'closed');
    const { codes } = value(await repeatCodes(context, { agreement, serverId: acts.idOf(target) }));
    const pack = codes.find((code) => code.kind === 'held-key-pack')?.code ?? '';
    await acts.moveByTelephone(world, { from: other, to: target });
    assert.deepEqual(await acts.counts(target), [3, 0, 0, 0, 3, 0]);
    assert.partialDeepStrictEqual(await acts.typeCode(target, pack, { from }), { added: 0, installed: 3 });
    assert.deepEqual(
      (await listMoves(target.context)).map((move) => move.state),
      ['closed'],
    );
    world.clock.advanceDays(90);
    assert.equal((await acts.permanent(target, 'ws-1')).kind, 'permanent');
    await assertAll(world);
  });

  it('is released early by a key pack for anybody', async () => {
    const world = await newWorld(1000);
    const source = await world.addServer('LS-OLD', { kit: true });
    const target = await world.addServer('LS-NEW', { kit: true });
    await acts.setUp(world, source, 10);
    await acts.setUp(world, target, 0);
    const held = await acts.permanent(source, 'ws-1');
    const order = { agreement, from: acts.idOf(source), ...line, statement };
    value(await declareDead(target.context, { ...order, by: 'telephone' }));
    assert.equal(value(await ask(target, 'ws-1', held)).kind, 'temporary');
    const { context } = world.clearinghouse;
    const started = value(
      await startDeskMove(context, {
        ...{ agreement, from: acts.idOf(source), to: acts.idOf(target), ...line, quantity: 'all' },
        ...{ reason: 'dead', statement, requestId: acts.newRequest() },
      }),
    );
    const approved = value(await approveMove(context, { move: String(started['move']), by: 'Ben' }));
    assert.match(approved.next, new RegExp(`--from ${acts.idOf(source)}`));
    const again = value(await approveMove(context, { move: String(started['move']), by: 'Ben' }));
    assert.deepEqual([again.code, again.codes], [approved.code, approved.codes]);
    await acts.typeCode(target, approved.code ?? '', { from: acts.idOf(source) });
    // The holder who is known here keeps a unit, and nothing is waited for any more.
    assert.deepEqual(await acts.counts(target), [10, 0, 9, 0, 1, 0]);
    assert.deepEqual(
      (await listMoves(target.context)).map((move) => move.state),
      ['closed'],
    );
    const own = value(await ask(target, 'ws-1'));
    assert.deepEqual([own.kind, own.origin], ['permanent', held.origin]);
    await assertAll(world);
  });

  it('is released early by a key pack that was typed without its source, and then with it', async () => {
    const world = await newWorld(1000);
    const source = await world.addServer('LS-OLD', { kit: true });
    const target = await world.addServer('LS-NEW', { kit: true });
    await acts.setUp(world, source, 10);
    await acts.setUp(world, target, 0);
    const from = acts.idOf(source);
    const own = await acts.packCode(world, target, { quantity: 2 });
    assert.equal('waitingFor' in (await acts.typeCode(target, own)), false);
    world.clock.advanceDays(1);
    const held = await acts.permanent(source, 'ws-1');
    value(await declareDead(target.context, { agreement, from, ...line, statement, by: 'telephone' }));
    value(await ask(target, 'ws-1', held));
    const { context } = world.clearinghouse;
    const started = value(
      await startDeskMove(context, {
        ...{ agreement, from, to: acts.idOf(target), ...line, quantity: 'all' },
        ...{ reason: 'dead', statement, requestId: acts.newRequest() },
      }),
    );
    const move = String(started['move']);
    const code = value(await approveMove(context, { move, by: 'Ben' })).code ?? '';
    const stateHere = async () => (await listMoves(target.context)).map(({ state }) => state);
    const first = await acts.typeCode(target, code);
    assert.partialDeepStrictEqual(first, { added: 10, installed: 12, waitingFor: [from] });
    assert.deepEqual(await stateHere(), ['dead-wait']);
    // What was typed before the declaration is none of it, whatever is said of it; nor is the code one of another source.
    const typed = (text: string, source: string, confirmed = true) =>
      applyCode(target.context, { text, from: source, confirmed });
    assert.equal(refusalOf(await typed(own, from)).code, 'already-applied');
    assert.equal(refusalOf(await typed(code, acts.idOf(target))).code, 'already-applied');
    assert.partialDeepStrictEqual(value(await typed(code, from, false)), { applied: false, added: 0 });
    assert.deepEqual(await stateHere(), ['dead-wait']);
    assert.partialDeepStrictEqual(value(await typed(code, from)), { applied: true, added: 0, installed: 12 });
    assert.deepEqual(await stateHere(), ['closed']);
    const was = refusalOf(await typed(code, from));
    assert.partialDeepStrictEqual(was, { code: 'already-applied', added: 10 });
    await assertAll(world);
  });

  it('is declared by a file, and takes the place of a move that was never heard of', async () => {
    const at = await pair();
    const lost = value(
      await startMove(at.source.context, {
        ...{ agreement, to: acts.idOf(at.target), ...line, quantity: 4, reason: 'replaced', hold: false },
      }),
    );
    await acts.contact(at.source);
    assert.equal(await stateAt(at, lost.id), 'reserved');
    const order = { agreement, from: acts.idOf(at.source), ...line, statement };
    const { id } = value(await declareDead(at.target.context, { ...order, by: 'message' }));
    value(await applyAnswerFile(at.target.context, await acts.answerTo(at.world, at.target)));
    assert.equal(await stateAt(at, lost.id), 'aborted');
    assert.equal(await stateAt(at, id), 'dead-wait');
    assert.equal(await stateOn(at.target, id), 'dead-wait');
    await passTime(at, id, 'horizon');
    value(await applyAnswerFile(at.target.context, await acts.answerTo(at.world, at.target)));
    assert.deepEqual(await acts.counts(at.target), [10, 0, 0, 0, 10, 0]);
    await assertAll(at.world);
  });

  describe('is declared by message, and a key pack of it is typed before its grant has come', () => {
    const packOf = async ({ world, target }: Pair): Promise<string> => {
      const call = { agreement, serverId: acts.idOf(target) };
      const { codes } = value(await repeatCodes(world.clearinghouse.context, call));
      return codes.find(({ kind }) => kind.endsWith('key-pack'))?.code ?? '';
    };

    it('the grant follows, is reported, and brings nothing twice', async () => {
      const at = await pair();
      const { source, target } = at;
      const id = await declare(at);
      await passTime(at, id, 'horizon');
      assert.equal(await stateAt(at, id), 'fenced');
      await acts.typeCode(target, await packOf(at), { from: acts.idOf(source) });
      assert.deepEqual(await acts.counts(target), [10, 0, 0, 0, 10, 0]);
      assert.deepEqual([await stateAt(at, id), await stateOn(target, id)], ['fenced', 'dead-wait']);
      await acts.contact(target, target);
      assert.deepEqual([await stateAt(at, id), await stateOn(target, id)], ['closed', 'closed']);
      assert.deepEqual(await acts.counts(target), [10, 0, 0, 0, 10, 0]);
      await assertAll(at.world);
    });

    it('released early, who is known here has one of them first', async () => {
      const at = await pair();
      const { source, target, held } = at;
      const id = await declare(at);
      assert.equal(value(await ask(target, 'ws-1', held[0])).kind, 'temporary');
      value(await approveMove(at.world.clearinghouse.context, { move: id, by: 'Ben' }));
      await acts.typeCode(target, await packOf(at), { from: acts.idOf(source) });
      assert.deepEqual(await acts.counts(target), [10, 0, 10, 0, 0, 0]);
      await acts.contact(target, target);
      assert.deepEqual([await stateAt(at, id), await stateOn(target, id)], ['closed', 'closed']);
      assert.deepEqual(await acts.counts(target), [10, 0, 9, 0, 1, 0]);
      assert.deepEqual(value(await ask(target, 'ws-1')).origin, held[0]?.origin);
      await assertAll(at.world);
    });

    it('and its source has frozen after all: it is any other move, and gives up before others are served', async () => {
      const at = await pair();
      const { source, target } = at;
      const id = await declare(at);
      await acts.contact(source, source);
      assert.equal(await stateAt(at, id), 'granted');
      await acts.typeCode(target, await packOf(at));
      assert.deepEqual(await acts.counts(target), [7, 0, 7, 0, 0, 0]);
      await acts.contact(target, target, source, source, target);
      assert.deepEqual([await stateAt(at, id), await stateOn(target, id)], ['closed', 'closed']);
      assert.deepEqual(await acts.counts(target), [10, 0, 7, 0, 3, 0]);
      await assertAll(at.world);
    });
  });
});
