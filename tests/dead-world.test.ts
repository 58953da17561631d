/** A source that no longer functions, in one world: every way in which that can go (protocol §2.5). */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { showAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { grantPassed } from '../src/clearinghouse/usecases/dead-source.ts';
import { giveHorizonCode } from '../src/clearinghouse/usecases/desk-horizon.ts';
import { approveMove, repeatCodes, showMove } from '../src/clearinghouse/usecases/desk-moves.ts';
import { startDeskMove } from '../src/clearinghouse/usecases/start-move.ts';
import type { CalType } from '../src/core/product.ts';
import { isoTime, msOfIso } from '../src/core/time.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyCode } from '../src/server/usecases/apply-code.ts';
import { applyAnswerFile } from '../src/server/usecases/apply-message.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { declareDead } from '../src/server/usecases/declare-dead.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { requestActivation } from '../src/server/usecases/requests.ts';
import { listMoves, startMove } from '../src/server/usecases/start-move.ts';
import { listEvents, readStatus } from '../src/server/usecases/status.ts';
import { freezeByTelephone, returnByTelephone } from '../src/server/usecases/telephone-move.ts';
import { assertSound, codesOf } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, refusalOf, value } from './world/world.ts';

const statement = 'Ann Lee: the disk burnt on Monday';
const line = { product, type: 'device' } as const;
const worlds: World[] = [];
after(async () => {
  for (const world of worlds) await world.close();
});

interface Pair {
  readonly world: World;
  readonly source: OpenServer;
  readonly target: OpenServer;
}

/** Source and target over the network; the source has 10 CALs and three holders, the target so many of its own. */
async function pair(own = 0): Promise<Pair & { readonly held: readonly LicenseAnswer[] }> {
  const world = await makeWorld(1000, { kit: false });
  worlds.push(world);
  const source = await world.addServer('LS-OLD', { connected: true });
  const target = await world.addServer('LS-NEW', { connected: true });
  await acts.connect(source, 10);
  await acts.connect(target, own);
  await acts.contact(source, target);
  const held: LicenseAnswer[] = [];
  for (const name of ['ws-1', 'ws-2', 'ws-3']) held.push(await acts.permanent(source, name));
  return { world, source, target, held };
}

async function declare({ source, target }: Pair, type: CalType = 'device'): Promise<string> {
  const order = { agreement, from: acts.idOf(source), product, type, statement } as const;
  const { id } = value(await declareDead(target.context, { ...order, by: 'message' }));
  await acts.contact(target);
  return id;
}

/** The promises of the books, and a verdict on the journals that asks neither program. */
async function assertAll(world: World): Promise<void> {
  await assertConserved(world);
  await assertSound(world);
}

const moveAt = async ({ world }: Pair, id: string) => value(await showMove(world.clearinghouse.context, id));
const stateAt = async (at: Pair, id: string): Promise<string> => (await moveAt(at, id)).state;
const stateOn = async (server: OpenServer, id: string): Promise<string | undefined> =>
  (await listMoves(server.context)).find((move) => move.id === id)?.state;

/** In hand, committed, in transit and quarantined. */
async function books({ world }: Pair): Promise<readonly (number | undefined)[]> {
  const [row] = value(await showAgreement(world.clearinghouse.context, agreement)).lines;
  return [row?.inHand, row?.committed, row?.inTransit, row?.quarantined];
}

/** Just beyond the horizon of the source, or the opening of its reserve. */
async function passTime(at: Pair, id: string, until: 'horizon' | 'opensAt'): Promise<void> {
  const { deadSource } = await moveAt(at, id);
  at.world.clock.set((msOfIso(deadSource?.[until] ?? '') ?? 0) + 1000);
}

const ask = (server: OpenServer, holder: string, shown?: LicenseAnswer) =>
  requestLicense(server.context, {
    ...{ ...line, holder },
    ...(shown === undefined ? {} : { source: acts.sourceOf(shown) }),
  });

async function events(server: OpenServer): Promise<readonly number[]> {
  const page = await listEvents(server.context, { cursor: '', limit: 500 });
  return page.items.map((event) => event.id);
}

async function journal({ world }: Pair, kind: string): Promise<readonly Record<string, unknown>[]> {
  const rows = await world.clearinghouse.store.read((tx) =>
    tx.all<{ text: string }>('select text from journal where kind = ? order by position', kind),
  );
  return rows.map((row) => (JSON.parse(row.text) as { body: Record<string, unknown> }).body);
}

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
    at.world.clock.set((msOfIso(deadSource?.horizon ?? '') ?? 0) - 1000);
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
    const { deadSource } = await moveAt(at, id);
    at.world.clock.set((msOfIso(deadSource?.horizon ?? '') ?? 0) - 1000);
    // What the source renewed until then nobody knows: its holder shows the token that it has.
    const renewed = value(await ask(at.source, 'ws-1'));
    assert.equal(renewed.status, 'renewed');
    await passTime(at, id, 'horizon');
    await acts.contact(at.target, at.target, at.target);
    const mine = value(await ask(at.target, 'ws-1', renewed));
    assert.deepEqual([mine.kind, mine.origin], ['permanent', renewed.origin]);
    // Nothing is free for a stranger, who signs in all the same.
    assert.equal((await acts.permanent(at.target, 'pc-9')).kind, 'temporary');
    at.world.clock.set((msOfIso(deadSource?.opensAt ?? '') ?? 0) - 1000);
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
    const world = await makeWorld(1000);
    worlds.push(world);
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
    const world = await makeWorld(1000, { kit: false });
    worlds.push(world);
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
    assert.equal(refusalOf(await cancelMove(at.world.clearinghouse.context, id)).code, 'undo-too-late');
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
    assert.ok((await events(at.source)).includes(5032));
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

describe('holders of a dead source', () => {
  it('are given a gap license once, and their own unit when it is there', async () => {
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
    assert.equal(value(await ask(at.target, 'ws-1', first)).status, 'issued');
    assert.equal((await readStatus(at.target.context)).gap, 0);
    await passTime(at, id, 'horizon');
    await acts.contact(at.target, at.target, at.target);
    const own = value(await ask(at.target, 'ws-1'));
    assert.deepEqual([own.kind, own.origin], ['permanent', first.origin]);
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

  it('are counted against the reserve where they came on the target’s own units', async () => {
    const at = await pair(2);
    const [first] = at.held;
    assert.ok(first);
    const id = await declare(at);
    const early = value(await ask(at.target, 'ws-1', first));
    assert.deepEqual([early.kind, early.origin], ['permanent', first.origin]);
    await passTime(at, id, 'horizon');
    await acts.contact(at.target, at.target, at.target);
    assert.deepEqual(await acts.counts(at.target), [12, 1, 2, 0, 9, 0]);
    await assertAll(at.world);
  });

  it('need no unit of their own to be users', async () => {
    const world = await makeWorld(10, { kit: false });
    worlds.push(world);
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
    assert.equal(value(await requestLicense(target.context, request)).origin, held.origin);
    assert.deepEqual(await acts.counts(target, 'device'), [5, 0, 0, 0, 5, 0]);
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
    assert.equal(value(await approveMove(context, { move: id, by: 'Ben' }))['unitsAtRisk'], 10);
    assert.equal(refusalOf(await approveMove(context, { move: id, by: 'Ben' })).code, 'move-state');
    await acts.contact(at.target, at.target, at.target);
    assert.deepEqual(await acts.counts(at.target), [10, 0, 9, 0, 1, 0]);
    const own = value(await ask(at.target, 'ws-1'));
    assert.deepEqual([own.kind, own.origin], ['permanent', first.origin]);
    assert.equal((await acts.permanent(at.target, 'pc-9')).kind, 'permanent');
    const [risk] = value(await showAgreement(context, agreement)).atRisk;
    const { deadSource } = await moveAt(at, id);
    assert.deepEqual([risk?.units, risk?.until, risk?.sourceSeenAt], [10, deadSource?.opensAt, null]);
    // The source was alive, and goes on until it hears: then the risk was real.
    assert.equal(value(await ask(at.source, 'pc-10')).kind, 'temporary');
    await acts.contact(at.source);
    assert.notEqual(value(await showAgreement(context, agreement)).atRisk[0]?.sourceSeenAt, null);
    const noted = codesOf(await assertSound(at.world), 'note');
    for (const code of ['units-at-risk', 'dead-source-alive']) assert.ok(noted.includes(code), code);
    await passTime(at, id, 'opensAt');
    assert.deepEqual(value(await showAgreement(context, agreement)).atRisk, []);
    assert.equal((await journal(at, 'early-release-approved'))[0]?.['by'], 'Ben');
    await assertAll(at.world);
  });

  it('is possible twice in twelve months', async () => {
    const world = await makeWorld(1000, { kit: false });
    worlds.push(world);
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
    const world = await makeWorld(1000);
    worlds.push(world);
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

  it('is released early by a key pack for anybody', async () => {
    const world = await makeWorld(1000);
    worlds.push(world);
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
    await acts.typeCode(target, approved.code ?? '');
    assert.deepEqual(await acts.counts(target), [10, 0, 10, 0, 0, 0]);
    const own = value(await ask(target, 'ws-1'));
    assert.deepEqual([own.kind, own.origin], ['permanent', held.origin]);
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
});
