/**
 * A license server that goes on as a new one (protocol §5.5): its CALs come back over the network or by file, at once or
 * after a second person's yes; its holders work on at each stage, and nobody has two units.
 */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { setRecoveryPolicy } from '../src/clearinghouse/usecases/agreements.ts';
import { approveMove } from '../src/clearinghouse/usecases/approve-release.ts';
import { recoverAtDesk } from '../src/clearinghouse/usecases/desk-recover.ts';
import { answerFile } from '../src/clearinghouse/usecases/exchange.ts';
import { makeKit } from '../src/clearinghouse/usecases/make-kit.ts';
import { nodeDigest } from '../src/platform/digest.ts';
import { systemRandom } from '../src/platform/random.ts';
import { readPublisherBundle } from '../src/protocol/trust.ts';
import type { OpenServer } from '../src/server/app.ts';
import { openServer } from '../src/server/app.ts';
import { succeed } from '../src/server/app-succession.ts';
import { applyAnswerFile } from '../src/server/usecases/apply-message.ts';
import { contactClearinghouse } from '../src/server/usecases/contact.ts';
import { requestFile } from '../src/server/usecases/outbox.ts';
import type { RecoveryOrder } from '../src/server/usecases/recover.ts';
import { recover } from '../src/server/usecases/recover.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { requestActivation } from '../src/server/usecases/requests.ts';
import { addKit } from '../src/server/usecases/settings.ts';
import { readStatus } from '../src/server/usecases/status.ts';
import { findServerMove } from '../src/store/server-rows.ts';
import * as acts from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import { ask, assertAll, books, closeWorlds, events, journal, newWorld, stateAt } from './world/dead.ts';
import type { World } from './world/world.ts';
import { agreement, product, refusalOf, value } from './world/world.ts';

const statement = 'Ann Lee: the operating system was installed anew';
const name = 'LS-ONE';
const names = ['ws-1', 'ws-2', 'ws-3'];

after(closeWorlds);

interface Scene {
  readonly world: World;
  readonly old: OpenServer;
  readonly held: readonly LicenseAnswer[];
}

/** A license server over the network with 10 CALs and three holders. */
async function scene(): Promise<Scene> {
  const world = await newWorld(100, { kit: false });
  const old = await acts.addConnected(world, name, 10);
  await acts.contact(old);
  const held: LicenseAnswer[] = [];
  for (const holder of names) held.push(await acts.permanent(old, holder));
  await acts.contact(old);
  return { world, old, held };
}

/** A machine as it was, which may be switched on again: data folder and instance folder elsewhere. */
function copyMachine(world: World, home: string, instance: string): string {
  const copy = join(world.dir, `machine-${machines.get(world)?.length ?? 0}`);
  cpSync(home, copy, { recursive: true });
  cpSync(instance, `${copy}.instance`, { recursive: true });
  const config = join(copy, 'config.json');
  writeFileSync(config, readFileSync(config, 'utf8').replace(instance, `${copy}.instance`));
  machines.set(world, [...(machines.get(world) ?? []), copy]);
  return copy;
}

/** The machines that were left behind in a world. */
const machines = new Map<World, readonly string[]>();

const replaceSystem = (world: World): Promise<OpenServer> =>
  world.reopen(name, (home, instance) => {
    copyMachine(world, home, instance);
    rmSync(instance, { recursive: true });
  });

/** The promises of the books, and the audit of all journals, those of the machines left behind among them. */
async function assertSoundWith(world: World): Promise<void> {
  const servers = new Map(world.servers);
  for (const machine of machines.get(world) ?? []) {
    servers.set(machine, await openServer(machine, { clock: world.clock }));
  }
  await assertAll({ ...world, servers });
  for (const [at, server] of servers) if (!world.servers.has(at)) await server.close();
}

const askFor = (server: OpenServer, more: Partial<RecoveryOrder> = {}) =>
  recover(server.context, { statement, by: 'message', ...more });

/** Recovers by message and two contacts; answers the one move that is not of a line of which there is nothing. */
async function recovered(server: OpenServer, more: Partial<RecoveryOrder> = {}): Promise<string> {
  const { moves } = value(await askFor(server, more));
  await acts.contact(server, server);
  const taken: string[] = [];
  for (const { id } of moves) {
    const move = await server.context.store.read((tx) => findServerMove(tx, id));
    if (move?.state !== 'refused') taken.push(id);
  }
  assert.equal(taken.length, 1);
  return taken[0] ?? '';
}

const kindOf = async (server: OpenServer, holder: string, shown?: LicenseAnswer): Promise<string> => {
  const answer = await ask(server, holder, shown);
  return answer.ok ? answer.value.kind : answer.error.code;
};

/** Every holder has the CAL that it had, and only that one. */
async function assertTheirs(server: OpenServer, held: readonly LicenseAnswer[]): Promise<void> {
  for (const [index, before] of held.entries()) {
    const license = value(await ask(server, names[index] ?? ''));
    assert.deepEqual([license.kind, license.origin], ['permanent', before.origin]);
  }
}

it('over the network: all CALs come back at once, and the holders work on at each stage', async () => {
  const { world, old, held } = await scene();
  const oldId = acts.idOf(old);
  const next = await replaceSystem(world);
  assert.notEqual(acts.idOf(next), oldId);
  assert.deepEqual(
    (await events(next)).filter((id) => id === 26 || id === 5070),
    [5070, 26],
  );
  for (const holder of names) assert.equal(await kindOf(next, holder), 'temporary');
  const early = refusalOf(await askFor(next));
  assert.equal(early.code, 'not-activated');
  await acts.activateByContact(next);
  for (const holder of names) assert.equal(await kindOf(next, holder), 'temporary');
  assert.deepEqual(await books({ world, source: old, target: next }), [90, 10, 0, 0]);
  const wordless = refusalOf(await recover(next.context, { by: 'message' }));
  assert.deepEqual(
    [wordless.code, 'field' in wordless ? wordless.field : ''],
    ['invalid-input', 'statement'],
  );
  const { moves } = value(await askFor(next));
  for (const holder of names) assert.equal(await kindOf(next, holder), 'temporary');
  await acts.contact(next, next);
  const at = { world, source: old, target: next };
  assert.equal(await stateAt(at, moves[0]?.id ?? ''), 'closed');
  assert.deepEqual(await acts.counts(next), [10, 0, 7, 0, 3, 0]);
  await assertTheirs(next, held);
  await acts.permanents(next, ['ws-4', 'ws-5', 'ws-6', 'ws-7', 'ws-8', 'ws-9', 'ws-10']);
  assert.deepEqual(await acts.counts(next), [10, 10, 0, 0, 0, 0]);
  assert.deepEqual(await books(at), [90, 10, 0, 0]);
  const [declared] = await journal(at, 'source-declared-dead');
  assert.deepEqual(
    [declared?.['recovery'], declared?.['immediate']],
    [{ reason: 'redeployed', restored: 3, signed: false }, true],
  );
  assert.equal(refusalOf(await askFor(next)).code, 'nothing-to-recover');
  assert.equal((await readStatus(next.context)).successions[0]?.recovered, true);
  await assertSoundWith(world);
});

it('by file: the request carries it, and the answer brings the CALs', async () => {
  const { world, old, held } = await scene();
  const next = await replaceSystem(world);
  const carry = async (): Promise<void> => {
    const answered = value(await answerFile(world.clearinghouse.context, await requestFile(next.context)));
    value(await applyAnswerFile(next.context, answered.file));
  };
  value(await requestActivation(next.context, { agreement }));
  await carry();
  value(await askFor(next, { reason: 'upgraded' }));
  await carry();
  assert.deepEqual(await acts.counts(next), [10, 0, 7, 0, 3, 0]);
  await assertTheirs(next, held);
  await carry();
  const [declared] = await journal({ world, source: old, target: next }, 'source-declared-dead');
  assert.deepEqual(declared?.['recovery'], { reason: 'upgraded', restored: 3, signed: false });
  await assertSoundWith(world);
});

it('a second recovery within 12 months waits for a second person; a year later it does not', async () => {
  const { world, held } = await scene();
  const second = await replaceSystem(world);
  await acts.activateByContact(second);
  await recovered(second);
  await assertTheirs(second, held);
  await acts.contact(second);
  const third = await replaceSystem(world);
  await acts.activateByContact(third);
  const move = await recovered(third);
  const at = { world, source: second, target: third };
  assert.equal(await stateAt(at, move), 'dead-wait');
  assert.deepEqual(await books(at), [90, 0, 0, 10]);
  for (const holder of names) assert.equal(await kindOf(third, holder), 'temporary');
  const ch = world.clearinghouse.context;
  const same = refusalOf(await approveMove(ch, { move, by: 'ann  lee' }));
  assert.equal(same.code, 'approval-same-person');
  value(await approveMove(ch, { move, by: 'Bo Berg' }));
  await acts.contact(third, third);
  await assertTheirs(third, held);
  assert.deepEqual(await acts.counts(third), [10, 3, 7, 0, 0, 0]);
  await assertSoundWith(world);
  for (let days = 0; days < 366; days += 46) {
    world.clock.advanceDays(46);
    await acts.contact(third);
    for (const holder of names) value(await ask(third, holder));
  }
  await acts.contact(third);
  const fourth = await replaceSystem(world);
  await acts.activateByContact(fourth);
  assert.equal(await stateAt({ ...at, target: fourth }, await recovered(fourth)), 'closed');
  await assertTheirs(fourth, held);
  await assertSoundWith(world);
});

it('a publisher may have every recovery wait for the horizon of the old server', async () => {
  const { world, old, held } = await scene();
  const ch = world.clearinghouse.context;
  value(await setRecoveryPolicy(ch, { agreement, policy: 'wait' }));
  const next = await replaceSystem(world);
  await acts.activateByContact(next);
  const move = await recovered(next);
  const at = { world, source: old, target: next };
  assert.equal(await stateAt(at, move), 'dead-wait');
  assert.equal(value(await askFor(next)).moves[0]?.id, move);
  for (let days = 0; days < 150 && (await stateAt(at, move)) === 'dead-wait'; days += 20) {
    for (const holder of names) assert.equal(await kindOf(next, holder), 'temporary');
    world.clock.advanceDays(20);
    await acts.contact(next);
  }
  await acts.contact(next, next);
  assert.equal(await stateAt(at, move), 'closed');
  for (const holder of names) value(await ask(next, holder));
  assert.deepEqual((await acts.counts(next))[0], 10);
  assert.ok(held.length > 0);
  await assertSoundWith(world);
});

it('whom a restored backup does not know shows the license; nobody has two units', async () => {
  const { world, old } = await scene();
  const copy = join(world.dir, 'copy');
  await world.reopen(name, (home) => cpSync(home, copy, { recursive: true }));
  const running = world.servers.get(name);
  assert.ok(running);
  const late = await acts.permanent(running, 'ws-late');
  const next = await world.reopen(name, (home, instance) => {
    copyMachine(world, home, instance);
    rmSync(instance, { recursive: true });
    rmSync(home, { recursive: true });
    cpSync(copy, home, { recursive: true });
  });
  assert.equal((await readStatus(next.context)).successions[0]?.unissued, 7);
  await acts.activateByContact(next);
  assert.equal(await kindOf(next, 'ws-late', late), 'temporary');
  await recovered(next);
  const mine = value(await ask(next, 'ws-late'));
  assert.deepEqual([mine.kind, mine.origin], ['permanent', late.origin]);
  for (const holder of names) assert.equal(await kindOf(next, holder), 'permanent');
  assert.deepEqual(await acts.counts(next), [10, 4, 6, 0, 0, 0]);
  assert.notEqual(acts.idOf(next), acts.idOf(old));
  await assertSoundWith(world);
});

it('the old machine switched on again is fenced off, and says why', async () => {
  const { world, old, held } = await scene();
  const next = await replaceSystem(world);
  const [copy = ''] = machines.get(world) ?? [];
  await acts.activateByContact(next);
  await recovered(next);
  const { delivery } = next.context;
  const back = await openServer(copy, { clock: world.clock, delivery });
  assert.equal(acts.idOf(back), acts.idOf(old));
  await contactClearinghouse(back.context, { waitMs: 0 });
  await contactClearinghouse(back.context, { waitMs: 0 });
  assert.ok((await events(back)).includes(5032));
  assert.deepEqual(await acts.counts(back), [0, 0, 0, 0, 0, 0]);
  const sent = refusalOf(await ask(back, 'ws-1'));
  assert.deepEqual(
    [sent.code, 'licenseServerId' in sent ? sent.licenseServerId : ''],
    ['license-moved', acts.idOf(next)],
  );
  await assertTheirs(next, held);
  await back.close();
  await assertSoundWith(world);
});

it('an operating system replaced twice before anything is recovered loses nothing', async () => {
  const { world, old, held } = await scene();
  const between = await replaceSystem(world);
  assert.equal(await kindOf(between, 'ws-1'), 'temporary');
  const next = await replaceSystem(world);
  assert.deepEqual(
    (await readStatus(next.context)).successions.map(({ from }) => from),
    [acts.idOf(old), acts.idOf(between)],
  );
  for (const holder of names) assert.equal(await kindOf(next, holder), 'temporary');
  await acts.activateByContact(next);
  await recovered(next);
  await assertTheirs(next, held);
  assert.deepEqual(await acts.counts(next), [10, 3, 7, 0, 0, 0]);
  await assertSoundWith(world);
});

const rebuild = (world: World, meanwhile: (home: string) => void = () => undefined): Promise<OpenServer> =>
  world.reopen(name, async (home, instance) => {
    copyMachine(world, home, instance);
    meanwhile(home);
    const { trustListToken: trustList } = value(readPublisherBundle(nodeDigest, world.bundle));
    await succeed(home, {
      ...{ clock: world.clock, random: systemRandom, cause: 'rebuilt', reason: 'certificate-corrupt' },
      settings: { trustList, clearinghouseUrl: 'http://127.0.0.1:9' },
    });
  });

it('rebuilt while its key still opens: the old key vouches, and no statement is needed', async () => {
  const { world, old, held } = await scene();
  const next = await rebuild(world);
  assert.ok((await events(next)).includes(88));
  await acts.activateByContact(next);
  const { moves } = value(await recover(next.context, { by: 'message' }));
  await acts.contact(next, next);
  const at = { world, source: old, target: next };
  assert.equal(await stateAt(at, moves[0]?.id ?? ''), 'closed');
  const [declared] = await journal(at, 'source-declared-dead');
  assert.deepEqual(declared?.['recovery'], { reason: 'certificate-corrupt', restored: 3, signed: true });
  await assertTheirs(next, held);
  await assertSoundWith(world);
});

it('a past in doubt, of which the clearinghouse has seen more, ends by a new server', async () => {
  const { world, old, held } = await scene();
  const copy = join(world.dir, 'older');
  await world.reopen(name, (home) => cpSync(home, copy, { recursive: true }));
  const running = world.servers.get(name);
  assert.ok(running);
  await acts.installByContact(running, { quantity: 5 });
  await acts.contact(running);
  const doubted = await world.reopen(name, (home) => {
    rmSync(home, { recursive: true });
    cpSync(copy, home, { recursive: true });
  });
  assert.equal((await readStatus(doubted.context)).past?.state, 'doubted');
  await acts.contact(doubted, doubted);
  assert.notEqual((await readStatus(doubted.context)).past?.answer?.ahead ?? null, null);
  const next = await rebuild(world);
  await acts.activateByContact(next);
  const { moves } = value(await recover(next.context, { by: 'message' }));
  await acts.contact(next, next);
  assert.equal(await stateAt({ world, source: old, target: next }, moves[0]?.id ?? ''), 'closed');
  assert.deepEqual(await acts.counts(next), [15, 0, 12, 0, 3, 0]);
  await assertTheirs(next, held);
  assert.equal((await readStatus(next.context)).past, null);
  await assertConserved(world);
});

for (const [what, harm] of [
  ['lost', (home: string) => rmSync(join(home, 'license-server.db'))],
  ['damaged', (home: string) => writeFileSync(join(home, 'license-server.db'), 'no database any more')],
] as const) {
  it(`rebuilt with its database ${what}: its holders show their licenses and have their CALs`, async () => {
    const { world, old, held } = await scene();
    const next = await rebuild(world, harm);
    const [made] = (await readStatus(next.context)).successions;
    assert.deepEqual([made?.from, made?.lines, made?.unissued], [acts.idOf(old), null, null]);
    await acts.activateByContact(next);
    for (const [index, license] of held.entries()) {
      assert.equal(await kindOf(next, names[index] ?? '', license), 'temporary');
    }
    value(await recover(next.context, { by: 'message' }));
    await acts.contact(next, next);
    assert.deepEqual(await acts.counts(next), [10, 0, 7, 0, 3, 0]);
    await assertTheirs(next, held);
    await assertSoundWith(world);
  });
}

const recoverByTelephone = (world: World, ends: { readonly from: OpenServer; readonly to: OpenServer }) =>
  recoverAtDesk(world.clearinghouse.context, {
    ...{ agreement, from: acts.idOf(ends.from), to: acts.idOf(ends.to), reason: 'redeployed', statement },
    ...{ by: 'Cy', requestId: acts.newRequest() },
  });

/** The same by telephone: activated with the kit, and declared on the new server. */
async function activatedByTelephone(world: World): Promise<OpenServer> {
  const next = await replaceSystem(world);
  await acts.activate(world, next);
  value(await askFor(next, { by: 'telephone' }));
  return next;
}

it('by telephone a second one waits for a second person, who reads the key packs out', async () => {
  const world = await newWorld(100);
  await acts.sell(world, { product, type: 'user', quantity: 50 });
  const first = await world.addServer(name, { kit: true });
  value(await addKit(first.context, value(await makeKit(world.clearinghouse.context, agreement)).file));
  await acts.setUp(world, first, 10);
  await acts.install(world, first, { quantity: 5, type: 'user' });
  await acts.permanent(first, 'ws-1');
  const asked = { product, type: 'user', holder: 'ann' } as const;
  const ann = value(await requestLicense(first.context, asked));
  const second = await replaceSystem(world);
  // Also somebody who could have no temporary license, before anything is activated.
  assert.equal(value(await requestLicense(second.context, asked)).kind, 'temporary');
  await acts.activate(world, second);
  value(await askFor(second, { by: 'telephone' }));
  const { codes, lines } = value(await recoverByTelephone(world, { from: first, to: second }));
  assert.deepEqual([codes.length, (lines as readonly unknown[]).length], [2, 2]);
  for (const { code } of codes) await acts.typeCode(second, code);
  assert.deepEqual(await acts.counts(second), [10, 0, 9, 0, 1, 0]);
  assert.deepEqual(await acts.counts(second, 'user'), [5, 0, 4, 0, 1, 0]);
  const again = value(await requestLicense(second.context, asked));
  assert.deepEqual([again.kind, again.origin], ['permanent', ann.origin]);
  await assertSoundWith(world);
  const third = await activatedByTelephone(world);
  const entered = value(await recoverByTelephone(world, { from: second, to: third }));
  assert.deepEqual(entered.codes, []);
  assert.match(entered.next, /One recovery of this agreement was immediate within 12 months/);
  assert.equal(
    refusalOf(await recoverByTelephone(world, { from: third, to: second })).code,
    'server-declared-dead',
  );
  for (const line of entered['lines'] as readonly { move: string }[]) {
    const ch = world.clearinghouse.context;
    assert.equal(
      refusalOf(await approveMove(ch, { move: line.move, by: 'cy' })).code,
      'approval-same-person',
    );
    const released = value(await approveMove(ch, { move: line.move, by: 'Bo Berg' }));
    await acts.typeCode(third, released.code ?? '');
  }
  assert.deepEqual(await acts.counts(third), [10, 0, 9, 0, 1, 0]);
  assert.deepEqual(await acts.counts(third, 'user'), [5, 0, 4, 0, 1, 0]);
  await assertSoundWith(world);
});

it('two agreements of one server are recovered, each by its own right, also one after the other', async () => {
  const { world, old, held } = await scene();
  const second = '5000001';
  await acts.sell(world, { agreement: second, quantity: 50 });
  await acts.activateByContact(old, second);
  await acts.installByContact(old, { agreement: second, quantity: 4 });
  const next = await replaceSystem(world);
  assert.equal((await readStatus(next.context)).successions[0]?.unissued, 11);
  await acts.activateByContact(next);
  await recovered(next);
  await assertTheirs(next, held);
  assert.equal((await readStatus(next.context)).successions[0]?.recovered, false);
  await acts.activateByContact(next, second);
  assert.equal(await stateAt({ world, source: old, target: next }, await recovered(next)), 'closed');
  const { packs, successions } = await readStatus(next.context);
  assert.deepEqual(
    packs.map(({ agreement: number, installed, issued }) => [number, installed, issued]),
    [
      [agreement, 10, 3],
      [second, 4, 0],
    ],
  );
  assert.equal(successions[0]?.recovered, true);
  await assertConserved(world);
});

it('what was under way from the old server is settled, and is in one place only', async () => {
  const { world, old, held } = await scene();
  const other = await acts.addConnected(world, 'LS-TWO', 0);
  const move = await acts.askMove(old, other, { quantity: 8 });
  // Frozen and granted; the old server never hears that it is to give up.
  await acts.contact(old, old, other);
  const next = await replaceSystem(world);
  await acts.activateByContact(next);
  const recovery = await recovered(next);
  await acts.contact(other, next, other, next);
  const at = { world, source: old, target: next };
  assert.deepEqual([await stateAt(at, recovery), await stateAt(at, move)], ['closed', 'closed']);
  assert.deepEqual([(await acts.counts(next))[0], (await acts.counts(other))[0]], [2, 8]);
  assert.deepEqual(await books(at), [90, 10, 0, 0]);
  assert.ok(held.length > 0);
  await assertSoundWith(world);
});

it('what was on its way to the old server goes back to where its holders are', async () => {
  const { world, old } = await scene();
  const other = await acts.addConnected(world, 'LS-TWO', 6);
  await acts.permanent(other, 'pc-1');
  await acts.askMove(other, old, { quantity: 6, hold: true });
  await acts.contact(other, other, old);
  const next = await replaceSystem(world);
  await acts.activateByContact(next);
  await recovered(next);
  await acts.contact(other, next);
  assert.deepEqual((await acts.counts(next))[0], 10);
  assert.equal(await kindOf(other, 'pc-1'), 'permanent');
  await assertConserved(world);
});
