/** A clearinghouse that was restored to an earlier state: nothing is granted twice (protocol §5.6). */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { identitiesIn, makeBackupKey } from '../src/backup/age-key.ts';
import { restoreBackup } from '../src/backup/restore-backup.ts';
import { restorable } from '../src/clearinghouse/app-restore.ts';
import { grantKeyPack } from '../src/clearinghouse/usecases/desk-key-pack.ts';
import { openRecovering, viewRecovery } from '../src/clearinghouse/usecases/recovery.ts';
import { isoTime } from '../src/core/time.ts';
import { systemRandom } from '../src/platform/random.ts';
import type { OpenServer } from '../src/server/app.ts';
import { settleByContact } from '../src/server/usecases/contact.ts';
import { returnByTelephone } from '../src/server/usecases/give-back.ts';
import { requestInstall } from '../src/server/usecases/requests.ts';
import { listEvents } from '../src/server/usecases/status.ts';
import { auditOf, worldBundles } from './audit/bundles.ts';
import {
  activateByContact,
  addConnected,
  askMove,
  books,
  contact,
  counts,
  idOf,
  installByContact,
  newRequest,
  permanent,
  sell,
  setUp,
  stateOf,
  typeCode,
} from './world/acts.ts';
import { assertConserved } from './world/conserved.ts';
import type { World } from './world/world.ts';
import { agreement, makeWorld, product, refusalOf, value } from './world/world.ts';

interface Backup {
  /** Puts the clearinghouse back to it. */
  readonly restore: (more?: { readonly lostMachine?: true }) => Promise<void>;
}

async function backUp(t: TestContext, world: World): Promise<Backup> {
  const folder = mkdtempSync(join(tmpdir(), 'calyx-recovery-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const { text, recipient } = await makeBackupKey(isoTime(world.clock.nowMs()));
  const identities = (await identitiesIn(text)) ?? [];
  const { backups } = world.clearinghouse.context;
  value(await backups.change({ recipient, replace: true }));
  const started = value(await backups.start({ scheduled: false }));
  await backups.settled();
  const file = join(folder, 'backup');
  cpSync(started.file, file);
  rmSync(started.file);
  return {
    restore: (more) =>
      world.reopenClearinghouse(async (dir) => {
        if (more?.lostMachine === true) {
          rmSync(dir, { recursive: true });
          rmSync(`${dir}.instance`, { recursive: true });
        }
        const { clock } = world;
        const order = { file, identities, dir, of: restorable, rehearse: false, clock, random: systemRandom };
        const { verified } = await restoreBackup(order);
        assert.deepEqual(verified.findings, []);
      }),
  };
}

async function made(t: TestContext, quantity = 100): Promise<World> {
  const world = await makeWorld(quantity);
  t.after(() => world.close());
  return world;
}

const packFor = (world: World, server: OpenServer, quantity: number) =>
  grantKeyPack(world.clearinghouse.context, {
    ...{ agreement, serverId: idOf(server), product, type: 'device', quantity, requestId: newRequest() },
  });

/** Contacts until nothing changes any more: report, certificate, report. */
async function settled(...servers: readonly OpenServer[]): Promise<void> {
  for (let round = 0; round < 4; round += 1) await contact(...servers);
}

/** Who has how many by the books, of the first line; nothing where that is nothing. */
async function committedTo(world: World): Promise<readonly (readonly [string, number])[]> {
  const balances = await world.clearinghouse.store.read((tx) => tx.balances(`${agreement}/0/committed/`));
  return [...balances].flatMap(([account, amount]) =>
    amount === 0 ? [] : [[account.split('/')[3] ?? '', amount] as const],
  );
}

const awaited = async (world: World): Promise<readonly (string | null)[]> =>
  (await viewRecovery(world.clearinghouse.context)).awaited.map(({ licenseServerId }) => licenseServerId);

async function eventsOf(server: OpenServer): Promise<readonly number[]> {
  return (await listEvents(server.context, { cursor: '', limit: 1000 })).items.map(({ id }) => id);
}

describe('a clearinghouse restored to an earlier state', () => {
  it('grants nothing before the server has reported, and then knows what it has granted', async (t) => {
    const world = await made(t);
    const server = await addConnected(world, 'LS-OLD', 40);
    await contact(server);
    const backup = await backUp(t, world);
    await installByContact(server, { quantity: 50 });
    await permanent(server, 'PC-1');
    assert.deepEqual(await books(world), [10, 90, 0]);
    await backup.restore();
    assert.deepEqual(await books(world), [60, 40, 0]);
    const refused = refusalOf(await packFor(world, server, 60));
    assert.partialDeepStrictEqual(refused, {
      ...{ code: 'clearinghouse-recovering', agreement, awaited: [idOf(server)], unknown: false },
    });
    await settled(server);
    assert.deepEqual([await awaited(world), await books(world)], [[], [10, 90, 0]]);
    assert.ok((await eventsOf(server)).includes(5045));
    assert.ok(!(await eventsOf(server)).includes(5040));
    const above = refusalOf(await packFor(world, server, 11));
    assert.equal(above.code, 'quantity-above-agreement');
    await installByContact(server, { quantity: 10 });
    assert.deepEqual(await counts(server), [100, 1, 99, 0, 0, 0]);
    assert.equal((await permanent(server, 'PC-2')).kind, 'permanent');
    await assertConserved(world);
  });

  it('also waits for a server that it does not know any more, and knows it again', async (t) => {
    const world = await made(t);
    const old = await addConnected(world, 'LS-OLD', 10);
    const backup = await backUp(t, world);
    const fresh = await addConnected(world, 'LS-NEW', 80);
    await backup.restore();
    await settled(old);
    assert.deepEqual(await awaited(world), [idOf(fresh)]);
    assert.equal(refusalOf(await packFor(world, old, 90)).code, 'clearinghouse-recovering');
    await settled(fresh);
    assert.deepEqual([await awaited(world), await books(world)], [[], [10, 90, 0]]);
    value(await packFor(world, fresh, 10));
    await assertConserved(world);
  });

  it('on a new machine waits for anybody that the backup may not know, until a supervisor decides', async (t) => {
    const world = await made(t);
    const server = await addConnected(world, 'LS-OLD', 10);
    const backup = await backUp(t, world);
    await installByContact(server, { quantity: 5 });
    await backup.restore({ lostMachine: true });
    await settled(server);
    assert.deepEqual([await awaited(world), await books(world)], [[null], [85, 15, 0]]);
    const refused = refusalOf(await packFor(world, server, 1));
    assert.partialDeepStrictEqual(refused, { code: 'clearinghouse-recovering', awaited: [], unknown: true });
    const { context } = world.clearinghouse;
    const nobody = await openRecovering(context, { agreement, statement: 'because' });
    assert.equal(refusalOf(nobody).code, 'invalid-input');
    value(await openRecovering(context, { agreement, statement: 'Ann Lee: nobody was activated yesterday' }));
    assert.deepEqual(await awaited(world), []);
    await installByContact(server, { quantity: 85 });
    await assertConserved(world);
  });

  it('a server that only telephones is waited for until its horizon, or a supervisor decides', async (t) => {
    const world = await made(t);
    const server = await world.addServer('LS-PHONE', { kit: true });
    await setUp(world, server, 30);
    const backup = await backUp(t, world);
    const code = value(await packFor(world, server, 50)).code ?? '';
    await typeCode(server, code);
    await backup.restore();
    assert.equal(refusalOf(await packFor(world, server, 70)).code, 'clearinghouse-recovering');
    world.clock.advanceDays(366 + 62);
    assert.deepEqual(await awaited(world), []);
  });

  it('takes back what was returned since, once, and a code that was read out and forgotten ends', async (t) => {
    const world = await made(t);
    const server = await addConnected(world, 'LS-OLD', 40);
    await contact(server);
    const backup = await backUp(t, world);
    const forgotten = value(await packFor(world, server, 30)).code ?? '';
    await backup.restore();
    await settled(server);
    assert.deepEqual([await awaited(world), await books(world)], [[], [60, 40, 0]]);
    const other = await addConnected(world, 'LS-NEW', 60);
    await assert.rejects(typeCode(server, forgotten), /code-not-for-this-server/);
    assert.deepEqual(
      [await counts(server), await counts(other)],
      [
        [40, 0, 40, 0, 0, 0],
        [60, 0, 60, 0, 0, 0],
      ],
    );
    await assertConserved(world);
  });

  it('tells when a server has more than the agreement has left, and goes on when that was entered again', async (t) => {
    const world = await made(t, 100);
    const server = await addConnected(world, 'LS-OLD', 100);
    await contact(server);
    const backup = await backUp(t, world);
    const more = { agreement, quantity: 50 };
    await sell(world, more);
    await installByContact(server, { quantity: 50 });
    await backup.restore();
    await settled(server);
    const [waits] = (await viewRecovery(world.clearinghouse.context)).awaited;
    assert.partialDeepStrictEqual(waits, { state: 'uncovered', missing: 50 });
    await sell(world, more);
    await settled(server);
    assert.deepEqual([await awaited(world), await books(world)], [[], [0, 150, 0]]);
    await assertConserved(world);
  });

  it('restored twice to the same backup is told apart, and an undeclared one is refused', async (t) => {
    const world = await made(t);
    const server = await addConnected(world, 'LS-OLD', 10);
    await contact(server);
    const backup = await backUp(t, world);
    await installByContact(server, { quantity: 10 });
    await backup.restore();
    await settled(server);
    await installByContact(server, { quantity: 10 });
    world.clock.advanceDays(1);
    await backup.restore();
    assert.equal(refusalOf(await packFor(world, server, 1)).code, 'clearinghouse-recovering');
    await settled(server);
    assert.deepEqual(await books(world), [70, 30, 0]);
    const copy = mkdtempSync(join(tmpdir(), 'calyx-undeclared-'));
    t.after(() => rmSync(copy, { recursive: true, force: true }));
    await world.reopenClearinghouse(async (dir) => cpSync(dir, copy, { recursive: true }));
    await installByContact(server, { quantity: 10 });
    await contact(server);
    await world.reopenClearinghouse(async (dir) => {
      rmSync(dir, { recursive: true });
      cpSync(copy, dir, { recursive: true });
    });
    await contact(server);
    const asked = value(
      await requestInstall(server.context, { agreement, product, type: 'device', quantity: 70 }),
    );
    const answer = await settleByContact(server.context, asked.id);
    assert.notEqual(answer.ok, true);
    assert.ok((await eventsOf(server)).includes(5040));
  });

  it('an activation that was received and forgotten is asked for again', async (t) => {
    const world = await made(t);
    const server = await addConnected(world, 'LS-OLD', 10);
    const backup = await backUp(t, world);
    await backup.restore();
    await settled(server);
    const next = await world.addServer('LS-NEXT', { connected: true });
    await activateByContact(next);
    await installByContact(next, { quantity: 5 });
    assert.deepEqual(await books(world), [85, 15, 0]);
    await assertConserved(world);
  });
});

describe('moves and a restored clearinghouse', () => {
  it('the audit of both sides afterwards finds grants and returns that were taken over', async (t) => {
    const world = await made(t);
    const server = await addConnected(world, 'LS-OLD', 40);
    await contact(server);
    const backup = await backUp(t, world);
    await installByContact(server, { quantity: 50 });
    value(await returnByTelephone(server.context, { product, type: 'device', quantity: 15 }));
    await permanent(server, 'PC-1');
    await backup.restore();
    await settled(server);
    assert.deepEqual([await awaited(world), await books(world)], [[], [25, 75, 0]]);
    await installByContact(server, { quantity: 25 });
    await contact(server);
    const findings = auditOf(await worldBundles(world)).findings.filter(({ level }) => level !== 'note');
    assert.deepEqual(findings, []);
  });

  it('a move that was begun and ended since is in the books again, by what both ends have', async (t) => {
    const world = await made(t);
    const source = await addConnected(world, 'LS-OLD', 40);
    const target = await addConnected(world, 'LS-NEW', 0);
    await permanent(source, 'PC-1');
    await contact(source, target);
    const backup = await backUp(t, world);
    const move = await askMove(source, target);
    for (let round = 0; round < 5; round += 1) await contact(source, target);
    assert.equal(await stateOf(world, move), 'closed');
    await backup.restore();
    assert.deepEqual(await books(world), [60, 40, 0]);
    await settled(target, source);
    assert.deepEqual([await awaited(world), await books(world)], [[], [60, 40, 0]]);
    assert.deepEqual(await committedTo(world), [[idOf(target), 40]]);
    value(await packFor(world, source, 60));
    await assertConserved(world);
  });

  it('a move that was under way at the backup, and ended since, is not granted again', async (t) => {
    const world = await made(t);
    const source = await addConnected(world, 'LS-OLD', 40);
    const target = await addConnected(world, 'LS-NEW', 20);
    await permanent(source, 'PC-1');
    await contact(source, target);
    const move = await askMove(source, target);
    await contact(source);
    const backup = await backUp(t, world);
    for (let round = 0; round < 5; round += 1) await contact(source, target);
    assert.equal(await stateOf(world, move), 'closed');
    await backup.restore();
    await settled(source, target);
    await settled(source, target);
    const has = (await counts(source))[0] ?? 0;
    assert.deepEqual([has, (await counts(target))[0]], [0, 60]);
    const [inHand = 0] = await books(world);
    assert.ok(inHand <= 40, `${inHand} in hand, 60 are out there`);
    await assertConserved(world);
  });

  it('what was frozen before the backup goes on where it stands', async (t) => {
    const world = await made(t);
    const source = await addConnected(world, 'LS-OLD', 40);
    const target = await addConnected(world, 'LS-NEW', 20);
    await permanent(source, 'PC-1');
    const move = await askMove(source, target);
    for (let round = 0; round < 2; round += 1) await contact(source);
    const backup = await backUp(t, world);
    await backup.restore();
    for (let round = 0; round < 8; round += 1) await contact(source, target);
    assert.equal(await stateOf(world, move), 'closed');
    assert.deepEqual([await awaited(world), await books(world)], [[], [40, 60, 0]]);
    await assertConserved(world);
  });
});
