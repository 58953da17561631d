/** A license server whose past is in doubt (protocol §5.2, REVALIDATE), on real stores and files. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { exchangeMessages } from '../src/clearinghouse/usecases/exchange.ts';
import type { RawSignals } from '../src/platform/machine-signals.ts';
import { applyCode } from '../src/server/usecases/apply-code.ts';
import { applyAnswerFile } from '../src/server/usecases/apply-message.ts';
import { deactivateServer } from '../src/server/usecases/deactivate.ts';
import { returnByTelephone } from '../src/server/usecases/give-back.ts';
import { lookAgain } from '../src/server/usecases/identity.ts';
import { sealOutbox } from '../src/server/usecases/outbox.ts';
import { sweepLapsed } from '../src/server/usecases/reclaim.ts';
import type { LicenseAnswer } from '../src/server/usecases/request-license.ts';
import { requestLicense } from '../src/server/usecases/request-license.ts';
import { returnLicense } from '../src/server/usecases/return-license.ts';
import { askAgain, settlePast } from '../src/server/usecases/revalidate.ts';
import { startMove } from '../src/server/usecases/start-move.ts';
import { listEvents, readStatus } from '../src/server/usecases/status.ts';
import { freezeByTelephone, heartbeatByTelephone } from '../src/server/usecases/telephone-move.ts';
import { findServer } from '../src/store/committed-server-rows.ts';
import * as acts from './world/acts.ts';
import type { Restorable } from './world/put-back.ts';
import { restorable } from './world/put-back.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, refusalOf, value } from './world/world.ts';

let world: World;
let old: Restorable;
let machine: RawSignals;

const signals: RawSignals = {
  ...{ machineId: 'm', hardware: 'h', rootFilesystem: 'r', installedAt: '1', volume: null },
};

beforeEach(async () => {
  world = await makeWorld(100, { kit: false });
  machine = signals;
  const server = await acts.addConnected(world, 'LS-1', 6);
  old = restorable(world, { name: 'LS-1', server, options: { signals: () => machine } });
  await acts.permanents(old.server(), ['ws-1', 'ws-2']);
  await old.restart();
});
afterEach(async () => {
  await old.close();
  await world.close();
});

const device = (holder: string) => ({ product, type: 'device', holder }) as const;
const line = { product, type: 'device' } as const;
const counts = (): Promise<readonly number[]> => acts.counts(old.server());
const past = async () => (await readStatus(old.server().context)).past;

const show = async (holder: string, answer: LicenseAnswer) =>
  requestLicense(old.server().context, { ...device(holder), source: acts.sourceOf(answer) });

async function stateThere(): Promise<string | undefined> {
  const id = acts.idOf(old.server());
  return (await world.clearinghouse.store.read((tx) => findServer(tx, id)))?.state;
}

async function eventNumbers(): Promise<readonly number[]> {
  const { items } = await listEvents(old.server().context, { cursor: '', limit: 1000 });
  return items.map(({ id }) => id);
}

async function pass(days: number): Promise<void> {
  world.clock.advanceDays(days);
  await settlePast(old.server().context);
  value(await sweepLapsed(old.server().context, 100));
}

const anotherMachine = (): Promise<void> =>
  old.restart(() => {
    machine = { ...signals, hardware: 'another' };
  });

function markFile(): string {
  const name = readdirSync(old.instanceDir).find((each) => each.endsWith('.high-water'));
  return join(old.instanceDir, name ?? 'none');
}

describe('the past is in doubt', () => {
  it('on another machine, at its start', async () => {
    await anotherMachine();
    assert.equal((await past())?.reason, 'machine-changed');
    assert.deepEqual(await counts(), [6, 2, 0, 0, 0, 4]);
    // Asked once, however often it is started.
    await old.restart();
    assert.equal((await eventNumbers()).filter((number) => number === 5042).length, 1);
  });

  it('on another machine, within the hour', async () => {
    await lookAgain(old.server().context);
    assert.equal(await past(), null);
    machine = { ...signals, hardware: 'another' };
    await lookAgain(old.server().context);
    await lookAgain(old.server().context);
    assert.equal((await past())?.reason, 'machine-changed');
    assert.equal((await eventNumbers()).filter((number) => number === 5042).length, 1);
  });

  it('not where a signal cannot be read, nor where only a weak one has changed', async () => {
    machine = { ...signals, hardware: null, rootFilesystem: 'new' };
    await old.restart();
    assert.equal(await past(), null);
    // What it was before is still known.
    await anotherMachine();
    assert.equal((await past())?.reason, 'machine-changed');
  });

  for (const [name, harm] of [
    ['missing', (file: string) => rmSync(file)],
    ['damaged', (file: string) => writeFileSync(file, 'nothing that was ever written')],
  ] as const) {
    it(`where the mark is ${name}`, async () => {
      await old.restart(() => harm(markFile()));
      assert.equal((await past())?.reason, 'mark-missing');
      assert.deepEqual(await counts(), [6, 2, 0, 0, 0, 4]);
      await old.restart();
      await acts.contact(old.server());
      assert.deepEqual((await past())?.answer, { ahead: null });
    });
  }

  it('where CALs were installed since', async () => {
    await old.save('copy');
    await acts.installByContact(old.server(), { quantity: 3 });
    await old.putBack('copy');
    assert.equal((await past())?.reason, 'rights-changed');
    await acts.contact(old.server());
    assert.equal((await past())?.answer?.ahead?.what, 'journal');
    assert.equal(await stateThere(), 'suspect');
    assert.ok((await eventNumbers()).includes(5044));
  });

  it('where all units were given, and one went from one holder to another since', async () => {
    await acts.permanents(old.server(), ['ws-3', 'ws-4', 'ws-5', 'ws-6']);
    await old.save('copy');
    value(await returnLicense(old.server().context, device('ws-6')));
    const seventh = await acts.permanent(old.server(), 'ws-7');
    await old.putBack('copy');
    assert.equal((await past())?.reason, 'units-given-on');
    // Both would have that unit: none of them is renewed on the word of the books alone.
    const known = value(await requestLicense(old.server().context, device('ws-6')));
    assert.equal(known.unit, seventh.unit);
    await pass(60);
    const late = await requestLicense(old.server().context, device('ws-6'));
    assert.ok(!late.ok || late.value.status === 'unchanged');
  });
});

describe('while it is in doubt', () => {
  it('nobody new gets a license, nothing leaves, and who shows a living license is renewed', async () => {
    const ends = (answer: LicenseAnswer): number => Date.parse(answer.expiresAt);
    const licensed = await Promise.all(
      ['ws-1', 'ws-2'].map(async (holder) => ({
        holder,
        license: await acts.permanent(old.server(), holder),
      })),
    );
    const [earlier, later] = licensed.sort((one, other) => ends(one.license) - ends(other.license));
    assert.ok(earlier !== undefined && later !== undefined);
    await anotherMachine();
    const { context } = old.server();
    const doubted = async (act: Promise<Parameters<typeof refusalOf>[0]>): Promise<void> =>
      assert.equal(refusalOf(await act).code, 'server-in-doubt');
    const other = await world.addServer('LS-2', { connected: true });
    const to = acts.idOf(other);
    const order = { ...line, to, quantity: 'all', agreement } as const;
    await doubted(startMove(context, { ...order, reason: 'replaced', hold: false }));
    await doubted(freezeByTelephone(context, order));
    await doubted(returnByTelephone(context, { ...line, quantity: 1 }));
    await doubted(heartbeatByTelephone(context, { agreement }));
    await doubted(deactivateServer(context, { returnUnissued: true, by: 'telephone' }));
    assert.notEqual(
      (await acts.permanent(old.server(), 'ws-9').catch(() => ({ kind: 'refused' }))).kind,
      'permanent',
    );
    // In its last week one holder shows its license, and the other one shows none in its own.
    world.clock.set(ends(earlier.license) - 86_400_000);
    const renewed = value(await show(earlier.holder, earlier.license));
    assert.deepEqual([renewed.status, renewed.unit], ['renewed', earlier.license.unit]);
    world.clock.set(ends(later.license) - 86_400_000);
    const unshown = value(await requestLicense(context, device(later.holder)));
    assert.deepEqual([unshown.status, unshown.expiresAt], ['unchanged', later.license.expiresAt]);
    world.clock.set(ends(later.license) + 86_400_000);
    const lapsed = await requestLicense(context, device(later.holder));
    assert.notEqual(lapsed.ok ? lapsed.value.kind : lapsed.error.code, 'permanent');
    value(await sweepLapsed(context, 100));
    assert.deepEqual(await counts(), [6, 2, 0, 0, 0, 4]);
  });

  it('a code that is typed goes to what is set aside', async () => {
    const code = await acts.packCode(world, old.server(), { quantity: 3 });
    await anotherMachine();
    value(await applyCode(old.server().context, { text: code, confirmed: true }));
    assert.deepEqual(await counts(), [9, 2, 0, 0, 0, 7]);
  });

  it('an order of the clearinghouse that takes units from here waits, and comes again', async () => {
    const other = await acts.addConnected(world, 'LS-2', 0);
    await acts.contact(old.server(), other);
    await acts.askMove(old.server(), other, { quantity: 2 });
    // The order is on its way when the machine turns out to be another one.
    const messages = await sealOutbox(old.server().context);
    value(await exchangeMessages(world.clearinghouse.context, { messages, waitMs: 0 }));
    await anotherMachine();
    await acts.contact(old.server());
    assert.deepEqual(await counts(), [6, 2, 0, 0, 0, 4]);
    await pass(91);
    await pass(0);
    await acts.contact(old.server());
    assert.deepEqual(await counts(), [6, 0, 4, 2, 0, 0]);
  });
});

describe('the way out', () => {
  it('is an answer that nothing more was seen, and the longest lease', async () => {
    await anotherMachine();
    await acts.contact(old.server());
    assert.deepEqual((await past())?.answer, { ahead: null });
    assert.equal(await stateThere(), 'ok');
    await pass(88);
    assert.equal((await past())?.state, 'doubted');
    assert.deepEqual(await counts(), [6, 2, 0, 0, 0, 4]);
    await acts.contact(old.server());
    await pass(3);
    assert.equal(await past(), null);
    await pass(0);
    assert.equal((await counts())[5], 0);
    assert.ok((await eventNumbers()).includes(5043));
    assert.equal((await acts.permanent(old.server(), 'ws-9')).kind, 'permanent');
    // It is the machine that it is known by now.
    await old.restart();
    assert.equal(await past(), null);
  });

  it('is not time alone', async () => {
    await anotherMachine();
    await pass(400);
    assert.equal((await past())?.state, 'doubted');
    assert.equal((await counts())[2], 0);
  });

  it('goes by file, and an answer to an earlier question is none', async () => {
    await anotherMachine();
    const early = await acts.answerTo(world, old.server());
    await old.restart(() => rmSync(markFile()));
    assert.equal((await past())?.reason, 'mark-missing');
    await applyAnswerFile(old.server().context, early);
    assert.equal((await past())?.answer, null);
    value(await applyAnswerFile(old.server().context, await acts.answerTo(world, old.server())));
    assert.deepEqual((await past())?.answer, { ahead: null });
  });

  it('is no older database of the time of doubt: that is in doubt as well', async () => {
    const first = await acts.permanent(old.server(), 'ws-1');
    await old.restart(() => rmSync(markFile()));
    await old.save('copy');
    world.clock.set(Date.parse(first.expiresAt) - 3 * 86_400_000);
    const renewed = value(await show('ws-1', first));
    assert.equal(renewed.status, 'renewed');
    await old.putBack('copy');
    assert.deepEqual([(await past())?.state, (await past())?.reason], ['doubted', 'mark-missing']);
    assert.deepEqual(await counts(), [6, 2, 0, 0, 0, 4]);
    await pass(90);
    assert.equal((await past())?.state, 'doubted');
    assert.equal((await counts())[2], 0);
    await acts.contact(old.server());
    await pass(1);
    assert.equal(await past(), null);
  });

  it('is no nearer for a clock that was set back', async () => {
    await anotherMachine();
    const until = (await past())?.until;
    world.clock.advanceDays(-30);
    await old.restart(() => rmSync(markFile()));
    assert.deepEqual([(await past())?.reason, (await past())?.until], ['mark-missing', until]);
  });

  it('is not two put-backs: what has gone since the first copy is nobody’s here', async () => {
    const other = await acts.addConnected(world, 'LS-2', 0);
    await acts.contact(old.server(), other);
    const first = await acts.permanent(old.server(), 'ws-1');
    await old.save('first');
    await acts.askMove(old.server(), other, { quantity: 4 });
    for (let at = 0; at < 3; at += 1) await acts.contact(old.server(), other);
    assert.equal((await acts.counts(other))[0], 4);
    await old.putBack('first');
    assert.equal((await past())?.reason, 'rights-changed');
    await old.save('second');
    world.clock.set(Date.parse(first.expiresAt) - 3 * 86_400_000);
    value(await show('ws-1', first));
    await old.putBack('second');
    await pass(90);
    assert.equal((await past())?.reason, 'rights-changed');
    assert.equal((await counts())[2], 0);
  });

  it('is open again to one of two copies that were suspect: the one whose journal was seen', async () => {
    await acts.contact(old.server());
    await old.save('copy');
    await acts.permanents(old.server(), ['ws-3']);
    await acts.contact(old.server());
    await old.save('newest');
    // The other copy goes on by itself, mark and all, and is noticed.
    await old.restart(() => rmSync(markFile()));
    await acts.contact(old.server());
    assert.equal(await stateThere(), 'ok');
    assert.deepEqual((await past())?.answer, { ahead: null });
  });
});

describe('what was under way when its past came into doubt', () => {
  const answered = async () => (await past())?.answer?.ahead;

  it('is a key pack that was read out: typed, it is asked for again, and nothing lacks any more', async () => {
    const code = await acts.packCode(world, old.server(), { quantity: 3 });
    await anotherMachine();
    await acts.contact(old.server(), old.server());
    assert.equal((await answered())?.what, 'granted');
    await askAgain(old.server().context);
    await acts.contact(old.server(), old.server());
    await acts.typeCode(old.server(), code);
    await askAgain(old.server().context);
    // Once until it is answered, however often that is tried.
    await askAgain(old.server().context);
    await acts.contact(old.server(), old.server());
    assert.equal(await answered(), null);
    assert.deepEqual(await counts(), [9, 2, 0, 0, 0, 7]);
    assert.equal((await eventNumbers()).filter((number) => number === 5044).length, 1);
    await pass(90);
    assert.deepEqual(await counts(), [9, 0, 9, 0, 0, 0]);
  });

  it('is a move to it: it comes, and is asked for again', async () => {
    const other = await acts.addConnected(world, 'LS-2', 5);
    await acts.askMove(other, old.server(), { quantity: 2 });
    await acts.contact(other, other);
    await anotherMachine();
    await acts.contact(old.server(), other, old.server(), other);
    await askAgain(old.server().context);
    await acts.contact(old.server(), old.server());
    assert.equal(await answered(), null);
    assert.deepEqual((await counts())[0], 8);
  });

  it('is a move to it that is frozen when it is suspect: the move ends, and the source is not taken for a fork', async () => {
    const other = await acts.addConnected(world, 'LS-2', 5);
    await acts.contact(old.server());
    await old.save('copy');
    await acts.installByContact(old.server(), { quantity: 3 });
    const move = await acts.askMove(other, old.server(), { quantity: 2 });
    await acts.contact(other);
    await old.putBack('copy');
    await acts.contact(old.server());
    assert.equal(await stateThere(), 'suspect');
    for (let at = 0; at < 3; at += 1) await acts.contact(other);
    const id = acts.idOf(other);
    const known = await world.clearinghouse.store.read((tx) => findServer(tx, id));
    assert.deepEqual([known?.state, await acts.stateOf(world, move)], ['ok', 'aborted']);
    assert.deepEqual(await acts.counts(other), [5, 0, 5, 0, 0, 0]);
  });

  it('is its own end: put back to before that, it is told that it was closed', async () => {
    const next = await acts.addConnected(world, 'LS-2', 6);
    const ended = restorable(world, { name: 'LS-2', server: next });
    await ended.save('copy');
    await acts.closeByContact(ended.server(), true);
    await ended.putBack('copy');
    await acts.contact(ended.server(), ended.server());
    const { past: doubted } = await readStatus(ended.server().context);
    assert.deepEqual(doubted?.answer, { ahead: { what: 'closed', seen: 1, here: 0 } });
    await ended.close();
  });
});
