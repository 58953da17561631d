/** The audit of real worlds: sound ones are found sound, and what was done to others is found. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { cancelMove } from '../src/clearinghouse/usecases/cancel-move.ts';
import { showMove } from '../src/clearinghouse/usecases/desk-moves.ts';
import { msOfIso } from '../src/core/time.ts';
import type { OpenServer } from '../src/server/app.ts';
import { applyAnswerFile } from '../src/server/usecases/apply-message.ts';
import { declareDead } from '../src/server/usecases/declare-dead.ts';
import { returnByTelephone } from '../src/server/usecases/give-back.ts';
import { requestActivation, requestInstall } from '../src/server/usecases/requests.ts';
import { returnLicense } from '../src/server/usecases/return-license.ts';
import { startMove } from '../src/server/usecases/start-move.ts';
import { freezeByTelephone, releaseByTelephone } from '../src/server/usecases/telephone-move.ts';
import { listCheckpoints } from '../src/store/checkpoint-rows.ts';
import type { Bundles } from './audit/bundles.ts';
import { assertSound, auditOf, clearinghouseBundle, codesOf, worldBundles } from './audit/bundles.ts';
import { Chance } from './kill/random.ts';
import type { Walk } from './walk/people.ts';
import { steps } from './walk/people.ts';
import * as acts from './world/acts.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

const type = 'device';

async function moveOnline(from: OpenServer, to: OpenServer, quantity: number | 'all'): Promise<void> {
  const order = {
    agreement,
    to: acts.idOf(to),
    product,
    type,
    quantity,
    reason: 'replaced',
    hold: false,
  } as const;
  value(await startMove(from.context, order));
  for (let round = 0; round < 5; round += 1) await acts.contact(from, to);
}

const holders = (name: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `${name}-${at}`);

const keyed = (when: string, bundles: Bundles): Bundles =>
  Object.fromEntries(Object.entries(bundles).map(([name, bytes]) => [`${name}, ${when}`, bytes]));

it('finds a world sound after moves, returns and a deactivation by connection', async () => {
  const world = await makeWorld();
  const old = await world.addServer('LS-OLD', { connected: true });
  const next = await world.addServer('LS-NEW', { connected: true });
  await acts.connect(old, 40);
  await acts.connect(next, 5);
  await acts.permanents(old, holders('ws', 12));
  value(await returnLicense(old.context, { product, type, holder: 'ws-3' }));
  await moveOnline(old, next, 20);
  await acts.permanents(next, holders('ws', 6));
  await moveOnline(next, old, 3);
  await moveOnline(old, next, 'all');
  await acts.closeByContact(old, true);
  await acts.connect(old, 7);
  await acts.contact(old, next);
  const result = await assertSound(world);
  const [line] = result.agreements[0]?.lines ?? [];
  assert.equal(line?.entitled, 1000);
  assert.deepEqual([line.inHand, line.committed, line.inTransit], await acts.books(world));
  const installed = result.servers.map(({ lines }) => lines[0]?.installed ?? 0);
  assert.equal(
    line.committed,
    installed.reduce((sum, each) => sum + each, 0),
  );
  assert.ok(result.journals.every(({ origin, witnessed }) => witnessed > 0 || origin.endsWith('/publisher')));
  await world.close();
});

it('finds a world sound after moves by telephone, at every step of one', async () => {
  const world = await makeWorld();
  const old = await world.addServer('LS-OLD', { kit: true });
  const next = await world.addServer('LS-NEW', { kit: true });
  const audited = async (): Promise<readonly string[]> => {
    return codesOf(await assertSound(world), 'note');
  };
  await acts.setUp(world, old, 30);
  await acts.setUp(world, next, 0);
  await acts.permanents(old, holders('ws', 8));
  const returned = value(await returnByTelephone(old.context, { product, type, quantity: 2 }));
  await acts.confirm(world, returned.code);
  await audited();
  await acts.deskMove(world, { from: old, to: next });
  const order = { to: acts.idOf(next), product, type, quantity: 'all' } as const;
  const frozen = value(await freezeByTelephone(old.context, order));
  await audited();
  const free = await acts.confirm(world, frozen.code);
  assert.ok((await audited()).includes('move-open'));
  await acts.typeCode(next, free.code ?? '');
  await audited();
  const released = value(await releaseByTelephone(old.context, { product, type }));
  const held = await acts.confirm(world, released.code);
  await audited();
  await acts.typeCode(next, held.code ?? '', { from: acts.idOf(old) });
  assert.ok(!(await audited()).includes('move-open'));
  await world.close();
});

it('finds a world sound after moves by files', async () => {
  const world = await makeWorld();
  const old = await world.addServer('LS-OLD');
  const next = await world.addServer('LS-NEW');
  const carry = async (from: OpenServer): Promise<void> => {
    const answer = await acts.answerTo(world, from);
    for (const server of [old, next]) await applyAnswerFile(server.context, answer);
  };
  for (const server of [old, next]) {
    value(await requestActivation(server.context, { agreement }));
    await carry(server);
  }
  value(await requestInstall(old.context, { agreement, product, type, quantity: 40 }));
  await carry(old);
  await acts.permanents(old, holders('ws', 15));
  const order = {
    agreement,
    to: acts.idOf(next),
    product,
    type,
    quantity: 30,
    reason: 'replaced',
    hold: false,
  } as const;
  value(await startMove(old.context, order));
  for (const from of [old, old, next, old, next]) {
    await carry(from);
    const result = auditOf(await worldBundles(world));
    assert.deepEqual(
      result.findings.filter(({ level }) => level === 'break'),
      [],
    );
  }
  await world.close();
});

it('finds a world sound after a move that was undone when it had been granted', async () => {
  const world = await makeWorld(100, { kit: false });
  const old = await world.addServer('LS-OLD', { connected: true });
  const next = await world.addServer('LS-NEW', { connected: true });
  await acts.connect(old, 20);
  await acts.connect(next, 0);
  await acts.permanents(old, holders('ws', 3));
  const move = await acts.askMove(old, next, { hold: true });
  await acts.contact(old, old, next, next);
  await acts.permanents(next, holders('pc', 2));
  value(await cancelMove(world.clearinghouse.context, move));
  await acts.contact(next, old, next);
  assert.equal(await acts.stateOf(world, move), 'aborted');
  assert.deepEqual(
    (await assertSound(world)).servers.map(({ lines }) => lines[0]?.installed),
    [20, 0],
  );
  await world.close();
});

it('lists what waits for the horizon of a dead source, and then what is at risk of it', async () => {
  const world = await makeWorld(50, { kit: false });
  const dead = await world.addServer('LS-DEAD', { connected: true });
  const next = await world.addServer('LS-NEW', { connected: true });
  await acts.connect(dead, 3);
  await acts.connect(next, 0);
  const declaration = { agreement, from: acts.idOf(dead), product, type, by: 'message' } as const;
  const { id } = value(await declareDead(next.context, { ...declaration, statement: 'Ann Lee: it burnt' }));
  await acts.contact(next, next);
  const notes = async (code: string): Promise<readonly string[]> =>
    (await assertSound(world)).findings.filter((each) => each.code === code).map(({ text }) => text);
  assert.match((await notes('move-open'))[0] ?? '', /is dead-wait: 3 units of line 0/);
  const { deadSource } = value(await showMove(world.clearinghouse.context, id));
  world.clock.set((msOfIso(deadSource?.horizon ?? '') ?? 0) + 1000);
  await acts.contact(next, next, next);
  const granted = value(await showMove(world.clearinghouse.context, id)).deadSource?.atRisk;
  assert.equal(granted?.units, 3);
  const days = `from ${granted.from.slice(0, 10)} until ${granted.until.slice(0, 10)}`;
  assert.deepEqual(await notes('units-at-risk'), [
    `3 units of move ${id} may have two holders ${days}, should its source live`,
  ]);
  world.clock.set((msOfIso(granted.until) ?? 0) + 1000);
  assert.deepEqual(await notes('units-at-risk'), []);
  await world.close();
});

it('finds worlds sound in which people and devices do whatever comes to their minds', async () => {
  const world = await makeWorld(40);
  const names = ['LS-A', 'LS-B', 'LS-C'];
  const made = names.map((name) => world.addServer(name, { kit: true, connected: true }));
  const servers = await Promise.all(made);
  const walk: Walk = {
    world,
    servers,
    chance: new Chance(11),
    codes: [],
    told: [],
    answers: [],
    tokens: new Map(),
  };
  const all = Object.keys(steps);
  for (let step = 0; step < 120; step += 1) {
    await steps[walk.chance.pick(all)]?.(walk);
    if (step % 12 === 11) {
      const result = auditOf(await worldBundles(world));
      assert.deepEqual(
        result.findings.filter(({ level }) => level === 'break'),
        [],
        `step ${step}`,
      );
    }
  }
  for (const { name, store } of world.programs()) {
    const forks = (await store.read(listCheckpoints)).filter(({ conflict }) => conflict !== null);
    assert.deepEqual(forks, [], `${name} takes nothing that was lost, late or doubled for a fork`);
  }
  await world.close();
});

it('finds two agreements on one server sound, each with the bundle of its own', async () => {
  const world = await makeWorld(100, { kit: false });
  const old = await world.addServer('LS-OLD', { connected: true });
  await acts.connect(old, 20);
  await acts.sell(world, { agreement: 'B-2', quantity: 30 });
  await acts.activateByContact(old, 'B-2');
  await acts.installByContact(old, { agreement: 'B-2', quantity: 11 });
  await acts.permanents(old, holders('ws', 25));
  await acts.contact(old);
  const bundles = {
    ...(await worldBundles(world)),
    other: await clearinghouseBundle(world.clearinghouse, 'B-2'),
  };
  const result = auditOf(bundles);
  assert.deepEqual(
    result.findings.filter(({ level }) => level !== 'note'),
    [],
  );
  assert.deepEqual(
    result.agreements.map((each) => [each.agreement, each.lines[0]?.committed]),
    [
      [agreement, 20],
      ['B-2', 11],
    ],
  );
  assert.deepEqual(
    result.servers[0]?.lines.map((line) => line.installed),
    [20, 11],
  );
  await world.close();
});

it('says what is not shown, and finds no break, where the clearinghouse was exported first or long ago', async () => {
  const world = await makeWorld(100, { kit: false });
  const old = await world.addServer('LS-OLD', { connected: true });
  const next = await world.addServer('LS-NEW', { connected: true });
  await acts.connect(old, 20);
  await acts.connect(next, 0);
  const early = await worldBundles(world);
  world.clock.advanceDays(1);
  await acts.installByContact(next, { quantity: 5 });
  await moveOnline(old, next, 10);
  await acts.contact(old, next);
  const late = await worldBundles(world);
  const { ch = new Uint8Array(0), ...servers } = late;
  const first = auditOf({ ...servers, ch: early['ch'] ?? ch });
  assert.equal(first.verdict, 'ok', JSON.stringify(first.findings));
  assert.deepEqual(codesOf(first, 'not-shown'), [
    'exported-later',
    'installed-not-granted',
    'journal-goes-on',
    'more-than-committed',
    'position-not-granted',
  ]);
  const stale = auditOf({ ...early, ch });
  assert.equal(stale.verdict, 'ok', JSON.stringify(stale.findings));
  assert.deepEqual(codesOf(stale, 'not-shown'), [
    'credited-not-given-up',
    'journal-goes-on',
    'more-than-committed',
    'release-missing',
  ]);
  const both = auditOf({ ...late, ...keyed('before', early) });
  assert.equal(both.verdict, 'ok', JSON.stringify(both.findings));
  assert.deepEqual(codesOf(both, 'not-shown'), []);
  assert.ok(codesOf(both, 'note').includes('bundle-earlier'));
  assert.equal(both.journals.length, Object.keys(late).length + 1, 'each journal once');
  const alone = auditOf({ ch });
  assert.deepEqual([alone.verdict, codesOf(alone, 'not-shown')], ['ok', ['server-not-shown']]);
  await world.close();
});
