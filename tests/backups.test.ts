/** Backups as the programs make them: asked for over their routes, by the schedule, in the middle of work. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { unsealFile } from '../src/backup/age-file.ts';
import type { BackupsView, BackupView } from '../src/backup/backups.ts';
import { verifyBackup } from '../src/backup/verify-backup.ts';
import { hourMs, minuteMs } from '../src/core/time.ts';
import { openDataFolder } from '../src/platform/data-folder.ts';
import type { App } from '../src/platform/http.ts';
import { openServer } from '../src/server/app.ts';
import { listEvents } from '../src/server/usecases/status.ts';
import type { Scene } from './backup/scene.ts';
import { makeScene } from './backup/scene.ts';
import { until } from './in-time.ts';
import { permanent } from './world/acts.ts';

let scene: Scene;
before(async () => {
  scene = await makeScene(20);
});
after(() => scene.close());

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A request of an administrator's to the program of a data folder. */
async function ask(
  app: App,
  dir: string,
  request: { method: 'GET' | 'PUT' | 'POST' | 'DELETE'; url: string; body?: object; key?: string },
): Promise<Answer> {
  const { adminToken } = openDataFolder(dir);
  const { method, url, body, key } = request;
  const headers = {
    authorization: `Bearer ${adminToken}`,
    ...(key === undefined ? {} : { 'idempotency-key': key }),
  };
  const answered = await app.inject({
    ...{ method, url: `/v1/admin/backups${url}`, headers },
    ...(body === undefined ? {} : { payload: body }),
  });
  return { status: answered.statusCode, body: answered.json() };
}

const server = (request: Parameters<typeof ask>[2]): Promise<Answer> =>
  ask(scene.server.app, scene.home, request);
const backups = () => scene.server.context.backups;

/** Begins one and waits until it is there. */
async function made(): Promise<BackupView> {
  const { status, body } = await server({ method: 'POST', url: '' });
  assert.equal(status, 202, JSON.stringify(body));
  await backups().settled();
  const found = await server({ method: 'GET', url: `/${String(body['id'])}` });
  assert.equal(found.body['state'], 'kept', JSON.stringify(found.body));
  return found.body as unknown as BackupView;
}

const listed = async (): Promise<BackupsView> =>
  (await server({ method: 'GET', url: '' })).body as unknown as BackupsView;

/** The numbers and data of events about backups, newest last. */
async function events(): Promise<readonly (readonly [number, Record<string, unknown>])[]> {
  const { items } = await listEvents(scene.server.context, { cursor: '', limit: 1000 });
  return items.filter(({ id }) => id >= 5060 && id <= 5062).map(({ id, data }) => [id, data] as const);
}

describe('backups', () => {
  it('are refused where nobody could open them', async () => {
    for (const request of [
      { method: 'POST', url: '' } as const,
      { method: 'PUT', url: '/settings', body: { every: '1d' } } as const,
    ]) {
      const { status, body } = await server(request);
      assert.deepEqual([status, body['code']], [409, 'backup-key-missing']);
      assert.match(String(body['next']), /calyx server backup-key --out FILE/);
    }
    assert.ok(!existsSync(join(scene.home, 'backups')));
  });

  it('are sealed to one key, which another replaces only when that is said', async () => {
    const put = (body: object) => server({ method: 'PUT', url: '/settings', body });
    const other = `age1${'q'.repeat(58)}`;
    assert.equal((await put({ recipient: 'age1nothing' })).body['code'], 'invalid-input');
    assert.equal((await put({ recipient: scene.recipient })).body['recipient'], scene.recipient);
    assert.equal((await put({ recipient: scene.recipient })).status, 200);
    const { recipient } = scene;
    const refused = await put({
      recipient: 'age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg',
    });
    assert.deepEqual(refused.body['details'], { program: 'server', recipient });
    assert.equal((await put({ recipient: other })).body['code'], 'invalid-input');
    assert.deepEqual(
      (await events()).map(([number]) => number),
      [5062],
    );
  });

  it('are made while the program works, and say what it had', async () => {
    const view = await made();
    const { verdict, opened, manifest, parts } = await verifyBackup(view.file, scene.identities);
    assert.deepEqual([verdict, opened, manifest?.lines[0]?.issued], ['ok', true, 20]);
    assert.deepEqual(parts, ['config.json', 'license-server.key']);
    assert.equal(manifest?.at, view.at);
    const last = (await events()).at(-1);
    assert.deepEqual(last, [5060, { file: view.file, bytes: view.bytes }]);
    assert.equal((await listed()).last?.file, view.file);
  });

  it('hold no instance secret and no token of the administrator', async () => {
    const view = await made();
    const to = join(scene.folder, 'plain.db');
    await unsealFile({ path: view.file, from: 4096, to, identities: scene.identities });
    const plain = readFileSync(to);
    const { adminToken } = openDataFolder(scene.home);
    const secret = readFileSync(join(`${scene.home}.instance`, 'instance-secret'));
    assert.equal(secret.length, 32);
    for (const hidden of [
      secret,
      Buffer.from(secret.toString('base64url')),
      Buffer.from(secret.toString('hex')),
      Buffer.from(adminToken),
    ]) {
      assert.equal(plain.indexOf(hidden), -1);
    }
    // What is in there is found this way.
    assert.notEqual(plain.indexOf(readFileSync(join(scene.home, 'license-server.key'))), -1);
  });

  it('are one at a time, and the same request is about the same one', async () => {
    const first = await server({ method: 'POST', url: '', key: 'k1' });
    const again = await server({ method: 'POST', url: '', key: 'k1' });
    const other = await server({ method: 'POST', url: '', key: 'k2' });
    assert.equal(again.body['id'], first.body['id']);
    assert.deepEqual([other.status, other.body['code']], [409, 'backup-running']);
    const id = String(first.body['id']);
    assert.equal((await server({ method: 'DELETE', url: `/${id}` })).body['code'], 'backup-running');
    assert.equal((await server({ method: 'GET', url: `/${id}/file` })).body['code'], 'backup-running');
    await backups().settled();
    assert.equal((await server({ method: 'POST', url: '', key: 'k1' })).body['id'], id);
  });

  it('are fetched and removed', async () => {
    const view = await made();
    const { adminToken } = openDataFolder(scene.home);
    const headers = { authorization: `Bearer ${adminToken}` };
    const url = `/v1/admin/backups/${view.id}/file`;
    const fetched = await scene.server.app.inject({ method: 'GET', url, headers });
    assert.deepEqual(fetched.rawPayload, readFileSync(view.file));
    assert.equal((await server({ method: 'DELETE', url: `/${view.id}` })).status, 200);
    assert.ok(!existsSync(view.file));
    for (const method of ['GET', 'DELETE'] as const) {
      assert.equal((await server({ method, url: `/${view.id}` })).body['code'], 'not-found');
    }
    assert.equal((await server({ method: 'GET', url: '/..%2Fconfig/file' })).body['code'], 'not-found');
  });

  it('are nobody’s without the token', async () => {
    for (const url of ['', '/settings', '/x', '/x/file']) {
      const { statusCode } = await scene.server.app.inject({ method: 'GET', url: `/v1/admin/backups${url}` });
      assert.equal(statusCode, 401);
    }
  });
});

describe('a backup of a clearinghouse', () => {
  it('holds what issues and makes kits, and neither the root key nor the instance secret', async () => {
    const { app, context } = scene.world.clearinghouse;
    const dir = join(scene.world.dir, 'ch');
    const put = { method: 'PUT', url: '/settings', body: { recipient: scene.recipient } } as const;
    assert.equal((await ask(app, dir, put)).status, 200);
    const { body } = await ask(app, dir, { method: 'POST', url: '' });
    await context.backups.settled();
    const file = String(body['file']);
    const { verdict, manifest } = await verifyBackup(file, scene.identities);
    assert.deepEqual([verdict, manifest?.agreements, manifest?.journals.length], ['ok', 1, 2]);
    const to = join(scene.folder, 'plain-ch.db');
    await unsealFile({ path: file, from: 4096, to, identities: scene.identities });
    const plain = readFileSync(to);
    const root = readFileSync(join(dir, 'root.key'));
    const secret = readFileSync(join(`${dir}.instance`, 'instance-secret'));
    assert.deepEqual([root.length, secret.length], [32, 32]);
    for (const hidden of [root, secret]) assert.equal(plain.indexOf(hidden), -1);
    assert.notEqual(plain.indexOf(context.kitKey), -1);
    assert.equal((await ask(app, dir, { method: 'DELETE', url: `/${String(body['id'])}` })).status, 200);
  });
});

describe('a backup in the middle of work', () => {
  it('is one committed state: everything that was answered before, and books that agree', async () => {
    let holders = 20;
    for (let round = 0; round < 5; round += 1) {
      const before = holders;
      const { body } = await server({ method: 'POST', url: '' });
      while ((await backups().find(String(body['id']))).ok && (await listed()).running !== null) {
        await permanent(scene.server, `BUSY-${holders}`);
        holders += 1;
        if (holders > 95) break;
      }
      await backups().settled();
      const view = (await backups().find(String(body['id']))) as { ok: true; value: BackupView };
      const { verdict, manifest, findings } = await verifyBackup(view.value.file, scene.identities);
      assert.deepEqual([verdict, findings], ['ok', []]);
      const issued = manifest?.lines[0]?.issued ?? 0;
      assert.ok(issued >= before && issued <= holders, `${before} ≤ ${issued} ≤ ${holders}`);
    }
    assert.ok(holders > 20);
  });
});

describe('scheduled backups', () => {
  const put = (body: object) => server({ method: 'PUT', url: '/settings', body });
  const folder = (): string => join(scene.folder, 'scheduled');
  const files = (): readonly string[] =>
    readdirSync(folder()).filter((name) => name.endsWith('.calyx-backup'));
  const advance = (ms: number): void => scene.world.clock.set(scene.world.clock.nowMs() + ms);

  it('refuse what makes no sense', async () => {
    const refused: readonly [object, string][] = [
      [{ every: '5m' }, 'every'],
      [{ every: 'daily' }, 'every'],
      [{ keep: 0 }, 'body.keep'],
      [{ folder: 'here' }, 'folder'],
      [{ folder: folder() }, 'folder'],
    ];
    for (const [body, field] of refused) {
      const answered = await put(body);
      assert.deepEqual(
        [answered.body['code'], (answered.body['details'] as { field: string }).field],
        ['invalid-input', field],
      );
    }
  });

  it('are made when they are due, and the oldest beyond the limit go', async () => {
    mkdirSync(folder());
    writeFileSync(join(folder(), 'notes.calyx-backup'), 'not ours');
    assert.equal((await put({ every: '12h', keep: 3, folder: folder() })).status, 200);
    for (let at = 0; at < 5; at += 1) {
      await backups().tick();
      // Nothing is due any more, until it is.
      await backups().tick();
      assert.equal(files().length, Math.min(at + 1, 3) + 1);
      advance(12 * hourMs);
    }
    assert.ok(existsSync(join(folder(), 'notes.calyx-backup')));
    for (const name of files().filter((each) => each.startsWith('LS-OLD-'))) {
      assert.match(name, /^LS-OLD-\d{8}T\d{6}Z\.calyx-backup$/);
      assert.equal((await verifyBackup(join(folder(), name), scene.identities)).verdict, 'ok');
    }
  });

  it('leave those alone that somebody asked for, and those of another server', async () => {
    const asked = await made();
    const other = join(folder(), 'other.calyx-backup');
    const elsewhere = await makeScene(0);
    try {
      const { context } = elsewhere.server;
      const settings = await context.backups.change({ recipient: elsewhere.recipient });
      assert.ok(settings.ok);
      const begun = await context.backups.start({ scheduled: false });
      assert.ok(begun.ok);
      await context.backups.settled();
      renameSync(begun.value.file, other);
    } finally {
      await elsewhere.close();
    }
    await put({ keep: 1 });
    advance(12 * hourMs);
    await backups().tick();
    assert.deepEqual((await listed()).kept.map(({ scheduled }) => scheduled).filter(Boolean).length, 1);
    assert.ok(existsSync(asked.file) && existsSync(other));
  });

  it('say so where they fail, and are tried again in an hour', async () => {
    const away = `${folder()}-away`;
    renameSync(folder(), away);
    advance(13 * hourMs);
    await backups().tick();
    const [number, data] = (await events()).at(-1) ?? [];
    assert.equal(number, 5061);
    assert.match(String(data?.['problem']), /there is no such file or folder/);
    assert.match((await listed()).last?.problem ?? '', /there is no such file or folder/);
    renameSync(away, folder());
    const before = files().length;
    advance(59 * minuteMs);
    await backups().tick();
    assert.equal(files().length, before);
    advance(2 * minuteMs);
    await backups().tick();
    assert.equal((await events()).at(-1)?.[0], 5060);
    assert.equal((await listed()).last?.problem, null);
  });

  it('say so where their folder has become something that nobody can write to', async () => {
    const away = `${folder()}-away`;
    renameSync(folder(), away);
    writeFileSync(folder(), 'a file');
    advance(13 * hourMs);
    await backups().tick();
    assert.match((await listed()).last?.problem ?? '', /a part of the path is no folder/);
    rmSync(folder());
    renameSync(away, folder());
    advance(61 * minuteMs);
    await backups().tick();
    assert.equal((await listed()).last?.problem, null);
  });

  it('go on after a restart where they were, with nothing left of what was killed', async () => {
    const { context } = scene.server;
    advance(11 * hourMs);
    const id = context.licenseServerId;
    const left = [
      join(scene.home, 'backups', `.calyx-making-${id}-x`),
      join(scene.home, 'backups', `.calyx-making-${id}-x.new`),
    ];
    mkdirSync(left[0] ?? '');
    writeFileSync(left[1] ?? '', 'half');
    const elsewhere = join(folder(), `.calyx-making-${id}-y.new`);
    const notOurs = join(folder(), '.calyx-making-somebody-z.new');
    for (const path of [elsewhere, notOurs]) writeFileSync(path, 'half');
    await scene.server.close();
    const again = await openServer(scene.home, { clock: scene.world.clock });
    try {
      for (const path of left) assert.ok(!existsSync(path), path);
      const count = files().length;
      await again.context.backups.tick();
      assert.equal(files().length, count);
      assert.deepEqual([existsSync(elsewhere), existsSync(notOurs)], [false, true]);
      advance(2 * hourMs);
      const before = files().find((name) => name.startsWith('LS-OLD-'));
      await again.context.backups.tick();
      assert.deepEqual([files().length, files().includes(before ?? '')], [count, false]);
      assert.ok((await again.context.backups.change({ every: 'off' })).ok);
      advance(48 * hourMs);
      assert.equal((await again.context.backups.list()).next, null);
    } finally {
      await again.close();
    }
  });

  it('are given up where the program is stopped, with nothing left of them and the next one as usual', async () => {
    const left = () => readdirSync(join(scene.home, 'backups')).filter((name) => name.startsWith('.'));
    const first = await openServer(scene.home, { clock: scene.world.clock });
    const begun = await first.context.backups.start({ scheduled: false });
    assert.ok(begun.ok);
    await until('its files', () => (left().length > 0 ? true : undefined));
    await first.close();
    assert.deepEqual([left(), existsSync(begun.value.file)], [[], false]);
    const second = await openServer(scene.home, { clock: scene.world.clock });
    try {
      assert.equal((await second.context.backups.list()).last?.problem, null);
      const again = await second.context.backups.start({ scheduled: false });
      assert.ok(again.ok);
      await second.context.backups.settled();
      assert.equal((await verifyBackup(again.value.file, scene.identities)).verdict, 'ok');
    } finally {
      await second.close();
    }
  });
});
