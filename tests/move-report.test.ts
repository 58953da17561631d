/** The conservation report of a move, on real stores: who states what, when, and what does not fit. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { showMove } from '../src/clearinghouse/usecases/desk-moves.ts';
import {
  reportMove as reportAtDesk,
  updateReport as updateAtDesk,
} from '../src/clearinghouse/usecases/state-move.ts';
import { msOfIso } from '../src/core/time.ts';
import { nodeDigest as digest } from '../src/platform/digest.ts';
import type { MoveReport } from '../src/protocol/move-report.ts';
import { readReportFile, reportOfFile, writeReportFile } from '../src/protocol/move-report.ts';
import { openReferral } from '../src/protocol/referral.ts';
import type { ServerStatement } from '../src/protocol/statement.ts';
import { openServerStatement, signStatement } from '../src/protocol/statement.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyAnswerFile } from '../src/server/usecases/apply-message.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { declareDead } from '../src/server/usecases/declare-dead.ts';
import { returnByTelephone } from '../src/server/usecases/give-back.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { requestActivation, requestInstall } from '../src/server/usecases/requests.ts';
import { startMove } from '../src/server/usecases/start-move.ts';
import { reportMove, stateLine, updateReport } from '../src/server/usecases/state-move.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import { undoMove } from '../src/server/usecases/undo-move.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, refusalOf, value } from './world/world.ts';

const type = 'device';

/** Asks for a move online; answers its id. */
async function start(from: OpenServer, to: OpenServer, quantity: number | 'all'): Promise<string> {
  const order = { agreement, to: acts.idOf(to), product, type, quantity, hold: false } as const;
  return value(await startMove(from.context, { ...order, reason: 'replaced' })).id;
}

async function rounds(count: number, ...servers: readonly OpenServer[]): Promise<void> {
  for (let round = 0; round < count; round += 1) await acts.contact(...servers);
}

const atDesk = async (world: World, move: string): Promise<MoveReport> =>
  value(await reportAtDesk(world.clearinghouse.context, move)).report;
const at = async (server: OpenServer, move: string): Promise<MoveReport> =>
  value(await reportMove(server.context, move)).report;

const tokensOf = (report: MoveReport): readonly string[] => report.statements.map(({ token }) => token);

async function connectedWorld(): Promise<{
  world: World;
  old: OpenServer;
  next: OpenServer;
  third: OpenServer;
}> {
  const world = await makeWorld(1000, { kit: false });
  const servers: OpenServer[] = [];
  for (const name of ['LS-OLD', 'LS-NEW', 'LS-3']) {
    const server = await world.addServer(name, { connected: true });
    servers.push(server);
    await acts.connect(server, name === 'LS-NEW' ? 5 : 40);
  }
  const [old, next, third] = servers;
  assert.ok(old && next && third);
  return { world, old, next, third };
}

describe('the report of a move by connection', { concurrency: 1 }, () => {
  it('is the same on all three, signed by each, and every CAL that was bought is in it', async () => {
    const { world, old, next } = await connectedWorld();
    for (const holder of ['ws-1', 'ws-2', 'ws-3']) await acts.permanent(old, holder);
    const move = await start(old, next, 39);
    await rounds(8, old, next);
    const report = await atDesk(world, move);
    assert.deepEqual([report.verdict, report.findings, report.missing], ['ok', [], []]);
    assert.deepEqual(report.totals, {
      ...{ purchased: 1000, inHand: 915, unissued: 42, issued: 1, reserved: 2, quarantined: 0, inTransit: 0 },
      ...{ retired: 0, elsewhere: 40, underWay: 0, unheard: 0, since: 0, unstated: 0, held: 0 },
    });
    for (const server of [old, next]) {
      const own = await at(server, move);
      assert.deepEqual(tokensOf(own), tokensOf(report));
      assert.deepEqual([own.verdict, own.totals], ['ok', report.totals]);
    }
    const [clearinghouse, source, target] = report.statements;
    assert.deepEqual(
      [clearinghouse?.by, source?.by, target?.by],
      [...['clearinghouse', acts.idOf(old), acts.idOf(next)]],
    );
    await world.close();
  });

  it('goes on fitting whatever happens before the other has stated', async () => {
    const { world, old, next, third } = await connectedWorld();
    const move = await start(old, next, 30);
    await rounds(4, old, next);
    // The source may have stated; meanwhile units come and go everywhere.
    await acts.installByContact(old, { quantity: 7 });
    await acts.installByContact(next, { quantity: 3 });
    await acts.permanents(old, ['a', 'b']);
    const other = await start(third, next, 10);
    await rounds(6, third, next, old);
    for (const id of [move, other]) {
      const report = await atDesk(world, id);
      assert.deepEqual([id, report.verdict, report.findings], [id, 'ok', []]);
      const { purchased, held: _, ...parts } = report.totals ?? { purchased: 0, held: 0 };
      assert.equal(purchased, 1000);
      assert.equal(
        Object.values(parts).reduce((sum, part) => sum + part, 0),
        1000,
      );
    }
    await assertConserved(world);
    await world.close();
  });

  it('is incomplete while a side is silent, and says whose statement is missing', async () => {
    const { world, old, next } = await connectedWorld();
    const move = await start(old, next, 30);
    await acts.contact(old, next, old);
    const early = await atDesk(world, move);
    assert.deepEqual([early.verdict, early.missing], ['incomplete', ['source', 'target']]);
    assert.deepEqual([early.state, early.totals?.unstated], ['granted', 15]);
    await acts.contact(next, old, old);
    const half = await at(old, move);
    assert.equal(half.verdict, 'incomplete');
    assert.ok(half.missing.includes('target'));
    await rounds(4, next, old);
    assert.equal((await at(old, move)).verdict, 'ok');
    assert.equal(refusalOf(await reportMove(old.context, 'nothing')).code, 'move-unknown');
    assert.equal(refusalOf(await reportAtDesk(world.clearinghouse.context, 'nothing')).code, 'move-unknown');
    await world.close();
  });

  it('comes of a move that was undone as well: of all three after the grant, of nobody else before the freeze', async () => {
    const { world, old, next } = await connectedWorld();
    await acts.permanents(old, ['ws-1', 'ws-2']);
    const early = await acts.askMove(old, next, { hold: true });
    value(await undoMove(old.context, early));
    await rounds(4, old);
    const late = await acts.askMove(old, next, { hold: true });
    await acts.contact(old, old, next, next);
    value(await undoMove(old.context, late));
    await rounds(6, old, next);
    for (const [move, signed] of [
      [early, ['clearinghouse']],
      [late, ['clearinghouse', 'source', 'target']],
    ] as const) {
      const report = await atDesk(world, move);
      assert.equal(report.state, 'aborted');
      assert.deepEqual([report.verdict, report.findings, report.missing], ['ok', [], []]);
      assert.deepEqual(
        report.statements.map(({ side }) => side),
        signed,
      );
    }
    assert.deepEqual(tokensOf(await at(old, late)), tokensOf(await atDesk(world, late)));
    await world.close();
  });

  it('comes of a move that nobody had begun when it was undone from the clearinghouse alone', async () => {
    const { world, old, next } = await connectedWorld();
    const move = await acts.deskMove(world, { from: old, to: next });
    value(await cancelMove(world.clearinghouse.context, move));
    await rounds(1, old, next);
    const report = await atDesk(world, move);
    assert.deepEqual([report.state, report.verdict, report.missing], ['aborted', 'ok', []]);
    await world.close();
  });

  it('changes nothing for holders, and is stated once', async () => {
    const { world, old, next } = await connectedWorld();
    const before = await acts.permanent(old, 'ws-1');
    const move = await start(old, next, 'all');
    await rounds(8, old, next);
    const stated = async (server: OpenServer): Promise<number> =>
      (await server.store.read((tx) => tx.journal('server', 0, 10_000))).filter(
        ({ kind }) => kind === 'stated',
      ).length;
    assert.deepEqual([await stated(old), await stated(next)], [1, 1]);
    const after = value(
      await requestLicense(next.context, { product, type, holder: 'ws-1', source: acts.sourceOf(before) }),
    );
    assert.equal(after.origin, before.origin);
    // Asked for anew, it is taken in by the clearinghouse and sent to both.
    value(await updateReport(next.context, { move, statements: [], fresh: true }));
    assert.equal((await at(next, move)).verdict, 'incomplete');
    await rounds(2, next, old);
    const report = await at(old, move);
    assert.deepEqual([report.verdict, report.totals?.issued], ['ok', 1]);
    await world.close();
  });
});

describe('a statement that is not true', { concurrency: 1 }, () => {
  /** The finished move, and its file with one statement of a server put in other words by that server. */
  async function told(
    lie: (claims: ServerStatement) => ServerStatement,
    by: 'source' | 'target',
    signer?: 'source' | 'target',
  ) {
    const { world, old, next } = await connectedWorld();
    const move = await start(old, next, 30);
    await rounds(6, old, next);
    const { report, trustList } = value(await reportAtDesk(world.clearinghouse.context, move));
    const key = ((signer ?? by) === 'source' ? old : next).context.key;
    const statements = report.statements.map(({ side, token }) => {
      if (side !== by) return token;
      return signStatement(lie(value(openServerStatement(digest, token))), key);
    });
    const file = value(readReportFile(writeReportFile({ trustList, statements })));
    const root = { kid: old.context.root.kid, publicKey: old.context.root.publicKey };
    await world.close();
    return reportOfFile(digest, file, root);
  }
  const numbers = (
    claims: ServerStatement,
    changes: Partial<ServerStatement['numbers']>,
  ): ServerStatement => ({
    ...claims,
    numbers: { ...claims.numbers, ...changes },
  });

  it('the truth is found in order by somebody who has nothing but the file and the root', async () => {
    const report = value(await told((claims) => claims, 'source'));
    assert.deepEqual([report.verdict, report.state, report.missing], ['ok', 'closed', []]);
  });

  it('a source that has kept what it gave up', async () => {
    const lie = (claims: ServerStatement) => numbers(claims, { installed: 40, unissued: 40 });
    const report = value(await told(lie, 'source'));
    assert.deepEqual(
      [report.verdict, report.findings.map(({ code }) => code)],
      ['broken', ['more-than-committed']],
    );
  });

  it('a target that has more than it was granted', async () => {
    const lie = (claims: ServerStatement) => numbers(claims, { installed: 36, unissued: 36, granted: 36 });
    assert.equal(value(await told(lie, 'target')).verdict, 'broken');
  });

  it('another amount that is said to have moved', async () => {
    const report = value(await told((claims) => ({ ...claims, moved: { unissued: 29, held: 1 } }), 'target'));
    assert.deepEqual([report.verdict, report.findings[0]?.code], ['broken', 'moved-differs']);
  });

  it('a statement of another time than the clearinghouse has heard', async () => {
    const later = (claims: ServerStatement): ServerStatement => ({
      ...claims,
      log: { ...claims.log, size: claims.log.size + 1 },
    });
    const report = value(await told(later, 'source'));
    assert.deepEqual([report.verdict, report.findings[0]?.code], ['incomplete', 'statement-unheard']);
  });

  it('one that another server has signed is no statement', async () => {
    assert.equal(refusalOf(await told((claims) => claims, 'source', 'target')).code, 'message-invalid');
  });
});

describe('the report by file and by telephone', { concurrency: 1 }, () => {
  it('by file: statements are in the files that are carried anyway', async () => {
    const world = await makeWorld(1000, { kit: false });
    const [old, next] = [await world.addServer('LS-OLD'), await world.addServer('LS-NEW')];
    const carry = async (from: OpenServer, ...to: readonly OpenServer[]): Promise<void> => {
      const answer = await acts.answerTo(world, from);
      for (const server of to) await applyAnswerFile(server.context, answer);
    };
    for (const server of [old, next]) {
      value(await requestActivation(server.context, { agreement }));
      await carry(server, server);
    }
    value(await requestInstall(old.context, { agreement, product, type, quantity: 40 }));
    await carry(old, old);
    const move = await start(old, next, 30);
    for (const from of [old, old, next, old, next]) await carry(from, old, next);
    const report = await at(old, move);
    assert.deepEqual([report.verdict, report.missing], ['ok', []]);
    assert.deepEqual(tokensOf(await at(next, move)), tokensOf(report));
    await world.close();
  });

  it('by telephone: each states by itself, and the statements are carried', async () => {
    const world = await makeWorld(100);
    const old = await world.addServer('LS-OLD', { kit: true });
    const next = await world.addServer('LS-NEW', { kit: true });
    await acts.setUp(world, old, 20);
    await acts.permanent(old, 'ws-1');
    await acts.activate(world, next);
    const id = await acts.deskMove(world, { from: old, to: next });
    const order = { to: acts.idOf(next), product, type, agreement, quantity: 'all' } as const;
    const frozen = value(await freezeByTelephone(old.context, order));
    await acts.typeCode(next, (await acts.confirm(world, frozen.code)).code ?? '');
    const released = value(await releaseByTelephone(old.context, { product, type }));
    const held = await acts.confirm(world, released.code);
    const silent = await atDesk(world, id);
    assert.deepEqual([silent.verdict, silent.missing], ['incomplete', ['source', 'target']]);
    const source = value(await reportMove(old.context, frozen.move ?? '')).report.statements[0]?.token ?? '';
    const early = value(await stateLine(next.context, { product, type })).statement;
    const desk = world.clearinghouse.context;
    const waiting = value(
      await updateAtDesk(desk, { move: id, statements: [source, early], fresh: false }),
    ).report;
    // The held key pack has been read out and not typed: it is under way, and nothing is missing.
    assert.deepEqual([waiting.verdict, waiting.totals?.underWay], ['ok', 1]);
    await acts.typeCode(next, held.code ?? '', { from: acts.idOf(old) });
    const target = value(await stateLine(next.context, { product, type })).statement;
    const report = value(await updateAtDesk(desk, { move: id, statements: [target], fresh: false })).report;
    assert.deepEqual([report.verdict, report.totals?.underWay, report.totals?.reserved], ['ok', 0, 1]);
    // What the desk has collected is carried back to the source.
    const carried = { move: frozen.move ?? '', statements: tokensOf(report), fresh: false };
    assert.deepEqual(value(await updateReport(old.context, carried)).report.totals, report.totals);
    // Deactivated by telephone, the source still says what it has: nothing.
    const closed = value(await deactivateServer(old.context, { returnUnissued: false, by: 'telephone' }));
    await acts.confirm(world, closed.codes[0]?.code ?? '');
    const gone = value(await stateLine(old.context, { product, type })).statement;
    const after = value(await updateAtDesk(desk, { move: id, statements: [gone], fresh: false })).report;
    assert.deepEqual([after.verdict, after.totals], ['ok', report.totals]);
    // A return whose code nobody has read yet.
    value(await returnByTelephone(next.context, { product, type, quantity: 2 }));
    const later = value(await stateLine(next.context, { product, type })).statement;
    const unheard = value(await updateAtDesk(desk, { move: id, statements: [later], fresh: false })).report;
    assert.deepEqual([unheard.verdict, unheard.totals?.unheard], ['ok', 2]);
    await world.close();
  });

  it('by telephone: a statement from before the freeze breaks no report, neither the first nor after a newer one', async () => {
    const world = await makeWorld(50);
    const old = await world.addServer('LS-OLD', { kit: true });
    const next = await world.addServer('LS-NEW', { kit: true });
    await acts.setUp(world, old, 5);
    await acts.setUp(world, next, 0);
    const id = await acts.deskMove(world, { from: old, to: next });
    const stateOf = async (server: OpenServer): Promise<string> =>
      value(await stateLine(server.context, { product, type })).statement;
    const before = await stateOf(old);
    const order = { to: acts.idOf(next), product, type, quantity: 'all' } as const;
    const frozen = value(await freezeByTelephone(old.context, order));
    await acts.typeCode(next, (await acts.confirm(world, frozen.code)).code ?? '');
    const released = value(await releaseByTelephone(old.context, { product, type }));
    await acts.confirm(world, released.code);
    const take = async (...statements: readonly string[]) =>
      updateAtDesk(world.clearinghouse.context, { move: id, statements, fresh: true });
    const early = refusalOf(await take(before, await stateOf(next)));
    assert.match(JSON.stringify(early), /message-invalid.*have it written again/);
    const after = await stateOf(old);
    const good = value(await take(after, await stateOf(next))).report;
    assert.deepEqual([good.verdict, good.totals?.unheard], ['ok', 0]);
    const again = value(await take(before)).report;
    assert.deepEqual([again.verdict, again.totals], ['ok', good.totals]);
    assert.equal(again.statements.find(({ side }) => side === 'source')?.token, after);
    // The source keeps the newest of the others as well, in whichever order files bring them.
    const carry = { move: frozen.move ?? '', fresh: false };
    const [newer] = tokensOf(again);
    value(await updateReport(old.context, { ...carry, statements: tokensOf(again) }));
    value(await updateReport(old.context, { ...carry, statements: tokensOf(good).slice(0, 1) }));
    assert.equal(
      (await at(old, carry.move)).statements.find(({ side }) => side === 'clearinghouse')?.token,
      newer,
    );
    await world.close();
  });

  it('statements of others are not taken for those of a move', async () => {
    const { world, old, next, third } = await connectedWorld();
    const move = await start(old, next, 30);
    await rounds(6, old, next);
    const foreign = value(await stateLine(third.context, { product, type })).statement;
    for (const token of [foreign, 'v4.public.AAAA']) {
      const call = { move, statements: [token], fresh: false };
      for (const refused of [
        await updateAtDesk(world.clearinghouse.context, call),
        await updateReport(old.context, call),
      ]) {
        assert.equal(refusalOf(refused).code, 'message-invalid');
      }
    }
    assert.equal((await atDesk(world, move)).verdict, 'ok');
    await world.close();
  });
});

for (const dies of ['source', 'target'] as const) {
  it(`does not wait for the ${dies} of a move that was declared dead before it had stated it`, async () => {
    const { world, old, next, third } = await connectedWorld();
    const move = await start(old, next, 30);
    await acts.contact(old, old, next, next, old);
    // It is not heard of again. The other end states what it has when the move has ended there: a target when its
    // source is taken for closed.
    const [dead, lives] = dies === 'source' ? [old, next] : [next, old];
    await rounds(3, lives);
    const missing = dies === 'source' ? ['source', 'target'] : ['target'];
    assert.deepEqual((await atDesk(world, move)).missing, missing);
    const order = { agreement, from: acts.idOf(dead), product, type, statement: 'Ann Lee: it burnt' };
    const declared = value(await declareDead(third.context, { ...order, by: 'message' }));
    await acts.contact(third);
    assert.deepEqual((await atDesk(world, move)).missing, missing);
    const { deadSource } = value(await showMove(world.clearinghouse.context, declared.id));
    world.clock.set((msOfIso(deadSource?.horizon ?? '') ?? 0) + 1000);
    await acts.contact(third);
    await rounds(3, lives);
    const report = await atDesk(world, move);
    assert.deepEqual([report.verdict, report.findings, report.missing], ['ok', [], []]);
    await assertConserved(world);
    await world.close();
  });
}

it('of a source that no longer functions: nothing is waited for that can never come', async () => {
  const { world, old, next } = await connectedWorld();
  const before = await acts.permanent(old, 'ws-1');
  const order = {
    agreement,
    from: acts.idOf(old),
    product,
    type,
    statement: 'Ann Lee: the disk burnt',
  } as const;
  const { id } = value(await declareDead(next.context, { ...order, by: 'message' }));
  await acts.contact(next);
  const waiting = await atDesk(world, id);
  assert.deepEqual([waiting.state, waiting.totals?.quarantined], ['dead-wait', 40]);
  const { deadSource } = value(await showMove(world.clearinghouse.context, id));
  world.clock.set((msOfIso(deadSource?.horizon ?? '') ?? 0) + 1000);
  await rounds(5, next);
  for (const report of [await atDesk(world, id), await at(next, id)]) {
    assert.deepEqual([report.verdict, report.missing, report.findings], ['ok', [], []]);
    assert.deepEqual(
      [report.totals?.purchased, report.totals?.quarantined, report.totals?.reserved],
      [1000, 0, 40],
    );
  }
  // It comes back, hears that it is closed, and sends its clients to the target.
  await acts.contact(old, old);
  const moved = refusalOf(
    await requestLicense(old.context, { product, type, holder: 'ws-1', source: acts.sourceOf(before) }),
  ) as { code: string; referral?: string };
  assert.equal(moved.code, 'license-moved');
  const expected = { from: acts.idOf(old), roots: [], nowMs: world.clock.nowMs(), digest };
  assert.equal(value(openReferral(moved.referral ?? '', expected)).target, acts.idOf(next));
  await world.close();
});
