/** Each side's journal under the eyes of the other: cosigned while it grows, and a fork is found. */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { openClearinghouse } from '../src/clearinghouse/app.ts';
import { exchangeMessages } from '../src/clearinghouse/usecases/exchange.ts';
import { ok } from '../src/core/result.ts';
import type { NoteKey } from '../src/protocol/checkpoint.ts';
import { clearinghouseOrigin, openCheckpoint, serverOrigin } from '../src/protocol/checkpoint.ts';
import { mostAhead } from '../src/protocol/log-exchange.ts';
import type { OpenServer } from '../src/server/app.ts';
import { openServer } from '../src/server/app.ts';
import { applyAnswerFile, applyMessages } from '../src/server/usecases/apply-message.ts';
import { sealOutbox } from '../src/server/usecases/outbox.ts';
import { requestInstall } from '../src/server/usecases/requests.ts';
import type { CheckpointRow } from '../src/store/checkpoint-rows.ts';
import { listCheckpoints } from '../src/store/checkpoint-rows.ts';
import { findServer } from '../src/store/committed-server-rows.ts';
import { writeMeta } from '../src/store/meta-rows.ts';
import type { Store } from '../src/store/port.ts';
import { pageEvents } from '../src/store/server-rows.ts';
import { assertSound, auditOf, clearinghouseBundle, codesOf, serverBundle } from './audit/bundles.ts';
import * as acts from './world/acts.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, value } from './world/world.ts';

const publisher = 'Sample Publisher';
const agreementLog = clearinghouseOrigin(publisher, agreement);

async function rows(store: Store): Promise<ReadonlyMap<string, CheckpointRow>> {
  const all = await store.read(listCheckpoints);
  return new Map(all.map((row) => [row.origin, row]));
}

/** Each side has cosigned exactly what the other has now, but for what its own answer has added. */
async function assertWitnessed(world: World, server: OpenServer): Promise<void> {
  const { digest, issueKey } = world.clearinghouse.context;
  const own = serverOrigin(acts.idOf(server));
  const key = (name: string, role: NoteKey['role'], publicKey: Uint8Array): NoteKey => ({
    name,
    role,
    publicKey,
  });
  const { publicKey } = server.context.key;
  const keys: Readonly<Record<string, readonly NoteKey[]>> = {
    [own]: [key(own, 'log', publicKey), key(clearinghouseOrigin(publisher), 'witness', issueKey.publicKey)],
    [agreementLog]: [key(agreementLog, 'log', issueKey.publicKey), key(own, 'witness', publicKey)],
  };
  const there = await world.clearinghouse.store.read(listCheckpoints);
  const here = await rows(server.store);
  for (const [origin, known] of Object.entries(keys)) {
    // Of the agreement's journal the clearinghouse has what each of its servers has cosigned.
    const witness = origin === own ? clearinghouseOrigin(publisher) : own;
    const one = there.find((row) => row.origin === origin && row.witness === witness);
    const other = here.get(origin);
    assert.ok(one !== undefined && other !== undefined, origin);
    assert.equal(one.conflict, null);
    assert.equal(other.conflict, null);
    for (const row of [one, other]) {
      const opened = openCheckpoint(digest, row.note, known);
      assert.equal(opened?.size, row.size);
      assert.equal(opened?.cosigned.length, 1);
    }
  }
}

it('cosigns both journals with every contact, and both sides keep the notes', async () => {
  const world = await makeWorld(1000, { kit: false });
  const server = await world.addServer('LS-OLD', { connected: true });
  await acts.connect(server, 20);
  let size = 0;
  for (let round = 0; round < 4; round += 1) {
    await acts.permanents(server, [`ws-${round}`, `pc-${round}`]);
    await acts.installByContact(server, { quantity: 5 });
    await acts.contact(server);
    await assertWitnessed(world, server);
    const seen = (await rows(world.clearinghouse.store)).get(serverOrigin(acts.idOf(server)));
    assert.ok((seen?.size ?? 0) > size);
    size = seen?.size ?? 0;
  }
  const head = await server.store.read((tx) => tx.head('server'));
  assert.equal(size, head.size, 'the last contact told the whole journal');
  await world.close();
});

it('does so by files, and an answer file that comes late or twice is no fork', async () => {
  const world = await makeWorld();
  const server = await world.addServer('LS-OLD', { kit: true });
  await acts.setUp(world, server, 10);
  const answers: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    await acts.permanents(server, [`ws-${round}`]);
    answers.push(await acts.answerTo(world, server));
  }
  const apply = async (file: string | undefined): Promise<void> => {
    await applyAnswerFile(server.context, file ?? '');
  };
  for (const at of [2, 0, 1, 2, 0]) await apply(answers[at]);
  assert.equal((await rows(server.store)).get(agreementLog)?.conflict, null);
  await apply(await acts.answerTo(world, server));
  await apply(await acts.answerTo(world, server));
  await assertWitnessed(world, server);
  const { state } = await stateOf(world, server);
  assert.equal(state, 'ok');
  await world.close();
});

it('does so with one answer file for both servers of a move: each takes its own, and is cosigned when it asks', async () => {
  const world = await makeWorld(1000, { kit: false });
  const old = await acts.addConnected(world, 'LS-OLD', 5);
  const next = await acts.addConnected(world, 'LS-NEW', 0);
  await acts.permanent(old, 'ws-1');
  await acts.contact(old, next);
  const notesOf = async (server: OpenServer): Promise<readonly (string | undefined)[]> => [
    (await rows(server.store)).get(agreementLog)?.note,
    (await rows(world.clearinghouse.store)).get(serverOrigin(acts.idOf(server)))?.note,
  ];
  const both = async (answer: string): Promise<void> => {
    for (const each of [next, old, next]) await applyAnswerFile(each.context, answer);
  };
  await acts.askMove(old, next);
  value(await applyAnswerFile(old.context, await acts.answerTo(world, old)));
  const before = await notesOf(next);
  const [other, grant] = [await notesOf(old), await acts.answerTo(world, old)];
  await both(grant);
  // The grant has come to the other server, of which nothing was heard: its journals stand where they were.
  assert.deepEqual(await acts.counts(next), [5, 0, 4, 0, 1, 0]);
  assert.deepEqual(await notesOf(next), before);
  assert.ok((await notesOf(old)).every((note, at) => note !== undefined && note !== other[at]));
  await assertWitnessed(world, old);
  for (const asks of [next, old]) {
    const stood = await notesOf(asks);
    const answer = await acts.answerTo(world, asks);
    await both(answer);
    await both(grant);
    assert.ok((await notesOf(asks)).every((note, at) => note !== stood[at]));
    await assertWitnessed(world, asks);
  }
  assert.deepEqual(await acts.counts(old), [0, 0, 0, 0, 0, 0]);
  await assertSound(world);
  for (const server of [old, next]) assert.equal((await stateOf(world, server)).state, 'ok');
  await world.close();
});

async function stateOf(world: World, server: OpenServer): Promise<{ readonly state: string | undefined }> {
  const row = await world.clearinghouse.store.read((tx) => findServer(tx, acts.idOf(server)));
  return { state: row?.state };
}

it('goes on after answers that were lost, and after contacts that were overtaken', async () => {
  const world = await makeWorld(1000, { kit: false });
  const server = await world.addServer('LS-OLD', { connected: true });
  await acts.connect(server, 20);
  const { context } = world.clearinghouse;
  const held: (readonly string[])[] = [];
  for (let round = 0; round < 4; round += 1) {
    await acts.permanents(server, [`ws-${round}`]);
    held.push(await sealOutbox(server.context));
  }
  // The second arrives first and its answer is lost; the first is overtaken, and so is the third.
  for (const at of [1, 0, 3, 2])
    value(await exchangeMessages(context, { messages: held[at] ?? [], waitMs: 0 }));
  await acts.contact(server);
  await acts.contact(server);
  await acts.contact(server);
  await assertWitnessed(world, server);
  assert.equal((await stateOf(world, server)).state, 'ok');
  await world.close();
});

it('makes a server suspect whose journal does not go on from what was cosigned', async () => {
  const world = await makeWorld(1000, { kit: false });
  const server = await world.addServer('LS-OLD', { connected: true });
  await acts.connect(server, 20);
  await acts.contact(server);
  await server.close();
  // The whole machine is copied, both go on, and the copy even knows how far the numbers have come.
  const copied = join(world.dir, 'copy');
  cpSync(join(world.dir, 'LS-OLD'), copied, { recursive: true });
  cpSync(join(world.dir, 'LS-OLD.instance'), `${copied}.instance`, { recursive: true });
  const config = readFileSync(join(copied, 'config.json'), 'utf8');
  writeFileSync(join(copied, 'config.json'), config.replace('LS-OLD.instance', 'copy.instance'));
  const first = await openServer(join(world.dir, 'LS-OLD'), { clock: world.clock });
  await acts.permanents(first, ['ws-1', 'ws-2']);
  const messages = await sealOutbox(first.context);
  value(await exchangeMessages(world.clearinghouse.context, { messages, waitMs: 0 }));
  await first.close();
  const copy = await openServer(copied, { clock: world.clock });
  await acts.permanents(copy, ['ws-3', 'ws-4', 'ws-5', 'ws-6']);
  await copy.store.write(async (tx) => ok(await writeMeta(tx, 'seq', '500')));
  const contactOnce = async (): Promise<readonly string[]> => {
    const told = await sealOutbox(copy.context);
    return value(await exchangeMessages(world.clearinghouse.context, { messages: told, waitMs: 0 })).messages;
  };
  const answer = await contactOnce();
  assert.equal((await stateOf(world, copy)).state, 'ok', 'proved from an older size: nothing is known yet');
  // The answer says what was cosigned. That is none of the trees of the copy, and it cannot prove that it is.
  value(await applyMessages(copy.context, { messages: answer, ofOthers: 'refuse' }));
  const events = await copy.store.read((tx) => pageEvents(tx, { after: 0, limit: 1000 }));
  assert.equal(events.filter((event) => event.number === 5025).length, 1);
  await contactOnce();
  assert.equal((await stateOf(world, copy)).state, 'suspect');
  const evidence = (await rows(world.clearinghouse.store)).get(serverOrigin(acts.idOf(copy)));
  assert.ok(evidence?.conflict !== null, 'both notes are kept');
  const shown = auditOf({ ch: await clearinghouseBundle(world.clearinghouse) });
  assert.ok(codesOf(shown, 'break').includes('fork'), 'and an auditor is shown both');
  await copy.close();
  await world.clearinghouse.close();
});

it('refuses a clearinghouse that was put back, says so, and goes on when its journal fits again', async () => {
  const world = await makeWorld(1000, { kit: false });
  const server = await world.addServer('LS-OLD', { connected: true });
  await acts.connect(server, 20);
  await acts.contact(server);
  // A copy from before the second key pack, which the server has seen in the journal since.
  const older = join(world.dir, 'older');
  await world.clearinghouse.close();
  cpSync(join(world.dir, 'ch'), older, { recursive: true });
  const present = await openClearinghouse(join(world.dir, 'ch'), { clock: world.clock });
  const restored = await openClearinghouse(older, { clock: world.clock });
  const contactWith = async ({ context }: typeof present) => {
    const messages = await sealOutbox(server.context);
    const answer = value(await exchangeMessages(context, { messages, waitMs: 0 }));
    return value(await applyMessages(server.context, { messages: answer.messages, ofOthers: 'refuse' }));
  };
  const order = { agreement, product, type: 'device', quantity: 30 } as const;
  value(await requestInstall(server.context, order));
  await contactWith(present);
  await contactWith(present);
  assert.equal((await acts.counts(server))[0], 50);
  // The one that was put back grants again what it has forgotten: its mail for the agreement is refused.
  value(await requestInstall(server.context, { ...order, quantity: 7 }));
  await contactWith(restored);
  const refused = await contactWith(restored);
  assert.deepEqual(
    refused.failed.map(({ type, refusal }) => [type, refusal.code]),
    [['key-pack', 'clearinghouse-forked']],
  );
  assert.equal((await acts.counts(server))[0], 50, 'nothing was installed');
  const conflict = (await rows(server.store)).get(agreementLog)?.conflict;
  assert.ok(typeof conflict === 'string');
  const shown = auditOf({ server: await serverBundle(server) });
  assert.ok(codesOf(shown, 'break').includes('fork'), 'an auditor is shown both notes');
  const events = await server.store.read((tx) => pageEvents(tx, { after: 0, limit: 1000 }));
  assert.equal(events.filter((event) => event.number === 5040).length, 1);
  // The true one is back.
  await contactWith(present);
  await contactWith(present);
  assert.equal((await rows(server.store)).get(agreementLog)?.conflict, null);
  await present.close();
  await restored.close();
  await server.close();
});

it('catches up with a journal that grew by more than one contact tells', async () => {
  const world = await makeWorld(10, { kit: false });
  const server = await world.addServer('LS-OLD', { connected: true });
  await acts.connect(server, 1);
  await acts.contact(server);
  const cosigned = async () =>
    (await rows(world.clearinghouse.store)).get(serverOrigin(acts.idOf(server)))?.size ?? 0;
  const before = await cosigned();
  const more = mostAhead + 500;
  for (let at = 0; at < more; at += 1024) {
    const some = Array.from({ length: Math.min(1024, more - at) }, (_, each) => `more-${at + each}`);
    await Promise.all(
      some.map((id) =>
        server.store.write(async (tx) =>
          ok(await tx.post({ log: 'server', kind: 'more', id, at: world.clock.nowMs(), body: {} })),
        ),
      ),
    );
  }
  await acts.contact(server);
  assert.equal(await cosigned(), before + mostAhead);
  await acts.contact(server);
  const head = await server.store.read((tx) => tx.head('server'));
  assert.equal(await cosigned(), head.size);
  await world.close();
});
