/**
 * What scripts rely on (design §8): exit codes and the one JSON object, the same commands with and
 * without a running service, and a service that cannot start says why.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import type { Installed, Status } from './answers.ts';
import type { Machine, Site } from './site.ts';
import { agreement, cals, openSite } from './site.ts';

interface Scene {
  readonly site: Site;
  readonly server: Machine;
}

/** A port that nobody listens on: it was free a moment ago. */
async function deadAddress(): Promise<string> {
  const listener = createServer();
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, 'close');
  return `http://127.0.0.1:${port}`;
}

/** Puts the file of a machine aside, lets `spoil` write another, and puts the first back afterwards. */
async function withFile(path: string, spoil: () => void, use: () => Promise<void>): Promise<void> {
  const aside = `${path}.aside`;
  copyFileSync(path, aside);
  try {
    spoil();
    await use();
  } finally {
    copyFileSync(aside, path);
  }
}

const database = (machine: Machine): string => join(machine.data, 'license-server.db');

/** The file was not touched by the refusal, and the folder is free again. */
async function staysAsItIs(machine: Machine, code: string, exit: number): Promise<void> {
  const content = readFileSync(database(machine));
  for (const words of [
    ['server', 'status'],
    ['server', 'serve', '--port', '0'],
    ['server', 'status'],
  ]) {
    const ended = await machine.refused(...words);
    assert.deepEqual([ended.exit, ended.refused.code], [exit, code], words.join(' '));
    assert.match(ended.refused.message, /database/i);
  }
  assert.ok(content.equals(readFileSync(database(machine))));
  assert.ok(!existsSync(join(machine.data, 'lock.json')));
}

describe('exit codes and surroundings', { concurrency: 1 }, () => {
  let scene: Scene;

  before(async () => {
    const site = await openSite(50);
    const server = await site.addServer('LS-ONE', '--kit', site.kit);
    scene = { site, server };
  });
  after(() => scene.site.close());

  it('0: done, with the fields of the contract', async () => {
    const status = await scene.server.done<Status>('server', 'status');
    assert.match(status.licenseServerId, /^(?:[0-9A-Z]{5}-){6}[0-9A-Z]{5}$/);
    assert.equal(Buffer.from(status.publicKey, 'base64url').length, 32);
    assert.equal((await scene.site.calyx.run('--version')).exit, 0);
    assert.equal((await scene.site.calyx.run('server', 'move', '--help')).exit, 0);
  });

  it('1: refused, with a code, words, numbers and the next step', async () => {
    const { clearinghouse } = scene.site;
    const { licenseServerId } = await scene.server.status();
    const caller = ['--agreement', agreement, '--server-id', licenseServerId];
    const early = await clearinghouse.refused('desk', 'key-pack', ...caller, ...cals, '--quantity', '1');
    assert.equal(early.exit, 1);
    const { code } = await clearinghouse.done<{ code: string }>('desk', 'activate', ...caller);
    await scene.server.done('server', 'activate', '--code', code);
    const { exit, refused } = await clearinghouse.refused(
      ...['desk', 'key-pack', ...caller, ...cals, '--quantity', '51'],
    );
    assert.deepEqual([exit, refused.code], [1, 'quantity-above-agreement']);
    assert.deepEqual([refused['asked'], refused['inHand'], refused['entitled']], [51, 50, 50]);
    assert.match(refused.message, /51/);
    // Without --json the words go to stderr, and stdout stays empty.
    const page = await scene.site.calyx.run(
      ...['desk', 'key-pack', ...caller, ...cals, '--quantity', '51', '--data', clearinghouse.data],
    );
    assert.deepEqual([page.exit, page.stdout], [1, '']);
    assert.match(page.stderr, /\(quantity-above-agreement\)/);
  });

  it('2: wrong usage, said before anything is opened', async () => {
    const { calyx } = scene.site;
    const { data } = scene.server;
    const wrong: readonly (readonly string[])[] = [
      ['dance'],
      ['server', 'dance', '--data', data],
      ['server', 'status'],
      ['server', 'status', '--data', data, '--no-such-option'],
      ['server', 'return', '--data', data, '--product', 'p', '--type', 'device', '--code-out'],
      ['server', 'install', '--data', data, '--code', 'X', '--quantity', 'many'],
      ['server', 'method', 'pigeon', '--data', data],
      ['server', 'move', '--data', data, '--to', 'http://127.0.0.1:1', '--freeze', '--release'],
      ['server', 'status', '--url', 'not an address'],
      ['desk', 'move', '--agreement', agreement, '--data', scene.site.clearinghouse.data],
      ['license', 'request', '--server', 'http://127.0.0.1:1', '--product', 'p'],
    ];
    const ends = await Promise.all(wrong.map((words) => calyx.run(...words, '--json')));
    for (const [index, { exit, stdout, stderr }] of ends.entries()) {
      assert.deepEqual([exit, stdout], [2, ''], `${wrong[index]?.join(' ')}\n${stderr}`);
      assert.notEqual(stderr, '');
    }
  });

  it('3: unreachable, a license server as well as the clearinghouse', async () => {
    const { site, server } = scene;
    const nowhere = await deadAddress();
    const away = await site.calyx.refused('server', 'status', '--url', nowhere);
    assert.deepEqual([away.exit, away.refused.code, away.refused['url']], [3, 'unreachable', nowhere]);
    const asked = ['license', 'request', '--server', nowhere, '--product', 'ts-2012r2', '--device', 'ws-1'];
    assert.equal((await site.calyx.refused(...asked)).exit, 3);
    await server.done('server', 'method', 'automatic', '--clearinghouse', nowhere);
    const order = ['server', 'install', '--agreement', agreement, ...cals, '--quantity', '1'];
    const alone = await server.refused(...order);
    assert.deepEqual([alone.exit, alone.refused.code], [3, 'clearinghouse-unreachable']);
    // Unreachable is not forgotten: once the clearinghouse is there, the same command gets what was asked for.
    await server.done('server', 'method', 'automatic', '--clearinghouse', await site.clearinghouse.serve());
    const { added, installed } = await server.done<Installed>(...order);
    assert.deepEqual([added, installed], [1, 1]);
    await site.clearinghouse.stop();
    await server.done('server', 'method', 'telephone');
  });

  it('4: a damaged database is told from an unreachable one, and is left as it is', async () => {
    const { server } = scene;
    const path = database(server);
    await withFile(
      path,
      () => writeFileSync(path, Buffer.alloc(20_000, 'not a database ')),
      () => staysAsItIs(server, 'database-damaged', 4),
    );
    // A number in the books that nobody has posted.
    await withFile(
      path,
      () => bump(path),
      () => staysAsItIs(server, 'database-damaged', 4),
    );
    const config = join(server.data, 'config.json');
    await withFile(
      config,
      () => writeFileSync(config, '{ torn'),
      async () => {
        const { exit, refused } = await server.refused('server', 'status');
        assert.deepEqual([exit, refused.code], [4, 'data-folder-damaged']);
      },
    );
    assert.equal((await server.status()).packs[0]?.installed, 1);
  });

  it('a database from a newer version is refused, and is left as it is', async () => {
    const { server } = scene;
    const path = database(server);
    await withFile(
      path,
      () => fromTheFuture(path),
      () => staysAsItIs(server, 'database-newer', 1),
    );
    assert.equal((await server.status()).packs[0]?.installed, 1);
  });

  it('a folder without its key is not opened, which is said in words', async () => {
    const { server } = scene;
    const key = join(server.data, 'license-server.key');
    renameSync(key, `${key}.away`);
    const { exit, refused } = await server.refused('server', 'status');
    renameSync(`${key}.away`, key);
    assert.deepEqual([exit, refused.code, refused['file']], [1, 'key-file-missing', key]);
    assert.equal((await server.status()).name, 'LS-ONE');
  });

  it('--data works whether or not the service runs, --url with the token of a file', async () => {
    const { site, server } = scene;
    const before_ = await server.status();
    const address = await server.serve();
    assert.deepEqual(await server.status(), before_);
    const token = ['--token-file', join(server.data, 'admin-token')];
    assert.deepEqual(await site.calyx.done('server', 'status', '--url', address, ...token), before_);
    const nobody = await site.calyx.refused('server', 'status', '--url', address);
    assert.deepEqual([nobody.exit, nobody.refused.code], [1, 'not-authorized']);
    await server.kill();
    // Killed: the note that it left behind misleads nobody.
    assert.deepEqual(await server.status(), before_);
  });

  it('a second service on the same folder is refused in words, and disturbs nothing', async () => {
    const { site, server } = scene;
    const address = await server.serve();
    const second = await server.refused('server', 'serve', '--port', '0');
    assert.deepEqual([second.exit, second.refused.code], [1, 'data-folder-busy']);
    assert.equal(second.refused['address'], address);
    const page = await site.calyx.run('server', 'serve', '--port', '0', '--data', server.data);
    assert.match(page.stderr, /Another process \(\d+\) works in/);
    assert.equal((await server.status()).name, 'LS-ONE');
  });

  it('a port in use is refused in words, and lets go of the folder', async () => {
    const { site, server } = scene;
    const port = new URL(server.address).port;
    const taken = await site.clearinghouse.refused('clearinghouse', 'serve', '--port', port);
    assert.deepEqual([taken.exit, taken.refused.code], [1, 'port-in-use']);
    assert.equal(String(taken.refused['port']), port);
    assert.match(taken.refused.next, /--port/);
    await site.clearinghouse.serve();
    await site.clearinghouse.stop();
    await server.stop();
  });
});

/** One CAL more than was ever granted. */
function bump(path: string): void {
  const open = new DatabaseSync(path);
  open.exec('update accounts set balance = balance + 1 where id = (select max(id) from accounts)');
  open.exec('pragma wal_checkpoint(truncate)');
  open.close();
}

function fromTheFuture(path: string): void {
  rmSync(`${path}-sum`, { force: true });
  const open = new DatabaseSync(path);
  open.exec("insert into schema_migrations values ('server', 999, 'server-999-from-the-future')");
  open.exec('pragma wal_checkpoint(truncate)');
  open.close();
}
