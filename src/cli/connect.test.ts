import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import Type from 'typebox';
import { beginDataFolder, openDataFolder } from '../platform/data-folder.ts';
import { acquireLock, readLock } from '../platform/data-folder-lock.ts';
import { Failure } from '../platform/failure.ts';
import type { App } from '../platform/http.ts';
import { buildHttp } from '../platform/http.ts';
import { sendRefusal } from '../platform/http-problem.ts';
import { listen, readTls } from '../platform/listen.ts';
import { systemRandom } from '../platform/random.ts';
import type { Connection, ConnectOptions, Openers } from './connect.ts';
import { connect } from './connect.ts';
import { Refused, Unreachable, WrongUsage } from './outcome.ts';

const tlsFile = (name: string): string => new URL(`../../tests/tls/${name}`, import.meta.url).pathname;
const certificate = tlsFile('test-cert.pem');

/** A program with one route to read and one to write, which tells the key it was given. */
function programIn(dir: string, tls?: ReturnType<typeof readTls>): App {
  const { adminToken } = openDataFolder(dir, 'server');
  const app = buildHttp({
    title: 'Example',
    version: '1',
    adminToken,
    ...(tls === undefined ? {} : { tls }),
  });
  app.get(
    '/v1/admin/status',
    { config: { admin: true }, schema: { querystring: Type.Object({ name: Type.Optional(Type.String()) }) } },
    async (request) => ({ name: request.query.name ?? 'LS-OLD' }),
  );
  app.post('/v1/admin/writes', { config: { admin: true } }, async (request) => ({
    key: request.idempotencyKey ?? null,
    body: request.body ?? null,
  }));
  app.post('/v1/admin/refused', { config: { admin: true } }, async (_request, reply) =>
    sendRefusal(reply, { code: 'move-more-than-there-is', asked: 30, available: 25 }),
  );
  return app;
}

interface World {
  readonly dir: string;
  readonly options: ConnectOptions;
  /** How often a program was opened in process, and how often closed. */
  readonly opened: { count: number; closed: number };
  readonly use: (changes?: Partial<ConnectOptions>) => Promise<Connection>;
}

function makeWorld(t: TestContext): World {
  const root = mkdtempSync(join(tmpdir(), 'calyx-connect-'));
  const dir = join(root, 'ls');
  beginDataFolder(dir, { kind: 'server', random: systemRandom }).finish({});
  const opened = { count: 0, closed: 0 };
  const openers: Openers = {
    server: async (folder) => {
      opened.count += 1;
      const app = programIn(folder);
      const close = async (): Promise<void> => {
        opened.closed += 1;
        await app.close();
      };
      return { inject: app.inject.bind(app) as App['inject'], close };
    },
    clearinghouse: async () => {
      throw new Error('no clearinghouse here');
    },
  };
  const options: ConnectOptions = {
    program: 'server',
    data: dir,
    url: undefined,
    token: undefined,
    ca: undefined,
    requestId: 'req',
    openers,
    waitMs: 200,
  };
  const connections: Connection[] = [];
  t.after(async () => {
    for (const connection of connections) await connection.close();
    rmSync(root, { recursive: true, force: true });
  });
  const use = async (changes: Partial<ConnectOptions> = {}): Promise<Connection> => {
    const connection = await connect({ ...options, ...changes });
    connections.push(connection);
    return connection;
  };
  return { dir, options, opened, use };
}

describe('connecting through a data folder', () => {
  it('opens the program in this process where no other runs, and holds the lock meanwhile', async (t) => {
    const world = makeWorld(t);
    const connection = await connect(world.options);
    assert.equal(connection.running, false);
    assert.equal(readLock(world.dir).state, 'held');
    assert.deepEqual(await connection.api.call('GET', '/v1/admin/status', { query: { name: 'Zoë & co' } }), {
      name: 'Zoë & co',
    });
    await connection.close();
    assert.equal(readLock(world.dir).state, 'free');
    assert.deepEqual(world.opened, { count: 1, closed: 1 });
  });

  it('speaks HTTP to the process that runs there', async (t) => {
    const world = makeWorld(t);
    const lock = acquireLock(world.dir);
    const listening = await listen(programIn(world.dir), { host: '127.0.0.1', port: 0 });
    t.after(() => listening.stop());
    lock.publish(listening.localAddress);
    const connection = await world.use();
    assert.equal(connection.running, true);
    assert.equal(connection.where, listening.localAddress);
    assert.deepEqual(await connection.api.call('GET', '/v1/admin/status'), { name: 'LS-OLD' });
    assert.equal(world.opened.count, 0);
    lock.release();
  });

  it('trusts the certificate that the running process shows, under any name', async (t) => {
    const world = makeWorld(t);
    const lock = acquireLock(world.dir);
    const tls = readTls(`${certificate},${tlsFile('test-key.pem')}`);
    const listening = await listen(programIn(world.dir, tls), { host: '0.0.0.0', port: 0, tls: true });
    t.after(() => listening.stop());
    assert.match(listening.localAddress, /^https:\/\/127\.0\.0\.1:/);
    lock.publish(listening.localAddress, tls.cert);
    const connection = await world.use();
    assert.deepEqual(await connection.api.call('GET', '/v1/admin/status'), { name: 'LS-OLD' });
    lock.release();
  });

  it('waits for a process that is just starting', async (t) => {
    const world = makeWorld(t);
    const lock = acquireLock(world.dir);
    const listening = await listen(programIn(world.dir), { host: '127.0.0.1', port: 0 });
    t.after(() => listening.stop());
    setTimeout(() => lock.publish(listening.localAddress), 150);
    const connection = await world.use({ waitMs: 3000 });
    assert.equal(connection.running, true);
    lock.release();
  });

  it('takes over where that process ends instead', async (t) => {
    const world = makeWorld(t);
    const lock = acquireLock(world.dir);
    setTimeout(() => lock.release(), 150);
    const connection = await world.use({ waitMs: 3000 });
    assert.equal(connection.running, false);
  });

  it('says who is in the way where nothing happens', async (t) => {
    const world = makeWorld(t);
    const lock = acquireLock(world.dir);
    await assert.rejects(connect(world.options), (error) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.code, 'data-folder-busy');
      assert.equal(error.details['pid'], process.pid);
      return true;
    });
    lock.release();
  });

  it('lets go of the lock where the program cannot be opened', async (t) => {
    const world = makeWorld(t);
    const openers: Openers = {
      ...world.options.openers,
      server: async () => {
        throw new Error('database is newer');
      },
    };
    await assert.rejects(connect({ ...world.options, openers }), /database is newer/);
    assert.equal(readLock(world.dir).state, 'free');
    await assert.rejects(connect({ ...world.options, program: 'clearinghouse' }), Failure);
  });

  it('makes the keys of writes from the id of the invocation', async (t) => {
    const { api } = await makeWorld(t).use();
    assert.deepEqual(await api.call('POST', '/v1/admin/writes', { body: { a: 1 } }), {
      key: 'req.1',
      body: { a: 1 },
    });
    await api.call('GET', '/v1/admin/status');
    assert.deepEqual(await api.call('POST', '/v1/admin/writes'), { key: 'req.2', body: null });
    assert.deepEqual(await api.call('POST', '/v1/admin/writes', { idempotencyKey: 'mine' }), {
      key: 'mine',
      body: null,
    });
  });

  it('throws a refusal with its numbers, and hands it out where it is asked for', async (t) => {
    const { api } = await makeWorld(t).use();
    await assert.rejects(api.call('POST', '/v1/admin/refused'), (error) => {
      assert.ok(error instanceof Refused);
      const { code, message, next, ...numbers } = error.refused;
      assert.equal(code, 'move-more-than-there-is');
      assert.ok(message.length > 0 && next.length > 0);
      assert.deepEqual(numbers, { asked: 30, available: 25 });
      return true;
    });
    assert.equal((await api.request('POST', '/v1/admin/refused')).status, 409);
  });
});

/** A server that answers as `answer` says; its address. */
async function fakeServer(
  t: TestContext,
  answer: (response: ServerResponse, count: number) => void,
): Promise<string> {
  let count = 0;
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      count += 1;
      answer(response, count);
    });
  });
  return await started(t, server, 'http');
}

async function started(t: TestContext, server: Server, scheme: string): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('connecting to an address', () => {
  it('needs the right token', async (t) => {
    const world = makeWorld(t);
    const listening = await listen(programIn(world.dir), { host: '127.0.0.1', port: 0 });
    t.after(() => listening.stop());
    const url = listening.address;
    const token = openDataFolder(world.dir).adminToken;
    const right = await world.use({ data: undefined, url, token });
    assert.deepEqual(await right.api.call('GET', '/v1/admin/status'), { name: 'LS-OLD' });
    const wrong = await world.use({ data: undefined, url, token: 'cal_wrong' });
    await assert.rejects(wrong.api.call('GET', '/v1/admin/status'), (error) => {
      assert.equal((error as Refused).refused.code, 'not-authorized');
      return true;
    });
  });

  it('says so where nobody listens', async (t) => {
    const url = await fakeServer(t, (response) => response.end());
    const { api } = await makeWorld(t).use({ url: url.replace(/\d+$/, '1') });
    await assert.rejects(api.call('GET', '/x'), (error) => {
      assert.ok(error instanceof Unreachable);
      assert.match(error.message, /nobody listens there/);
      return true;
    });
  });

  it('asks once more, with the same key, where the connection broke before the answer', async (t) => {
    const keys: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      keys.push(request.headers['idempotency-key'] as string | undefined);
      if (keys.length === 1) request.socket.destroy();
      else response.setHeader('content-type', 'application/json').end('{"done":true}');
    });
    const url = await started(t, server, 'http');
    const { api } = await makeWorld(t).use({ url });
    assert.deepEqual(await api.call('POST', '/v1/x', { body: {} }), { done: true });
    assert.deepEqual(keys, ['req.1', 'req.1']);
  });

  it('gives up after the second break, and says that the outcome is not known', async (t) => {
    let asked = 0;
    const url = await fakeServer(t, (response, count) => {
      asked = count;
      response.socket?.destroy();
    });
    const { api } = await makeWorld(t).use({ url });
    await assert.rejects(api.call('POST', '/v1/x'), (error) => {
      assert.ok(error instanceof Unreachable);
      assert.match(error.next, /nothing is done twice/);
      return true;
    });
    assert.equal(asked, 2);
  });

  it('does not wait for ever', async (t) => {
    const url = await fakeServer(t, (response) => response.write(' '));
    const { api } = await makeWorld(t).use({ url });
    await assert.rejects(api.call('GET', '/slow', { timeoutMs: 100 }), (error) => {
      assert.ok(error instanceof Unreachable);
      assert.match(error.message, /no answer came in time/);
      return true;
    });
  });

  it('follows no redirect', async (t) => {
    let asked = 0;
    const url = await fakeServer(t, (response, count) => {
      asked = count;
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    const { api } = await makeWorld(t).use({ url });
    await assert.rejects(api.call('GET', '/x'), (error) => (error as Refused).refused.code === 'http-302');
    assert.equal(asked, 1);
  });

  it('trusts a certificate of its own only where it was given with --ca', async (t) => {
    const tls = { cert: readFileSync(certificate), key: readFileSync(tlsFile('test-key.pem')) };
    const server = createTlsServer(tls, (_request, response) => {
      response.setHeader('content-type', 'application/json').end('{"secure":true}');
    });
    const url = await started(t, server, 'https');
    const world = makeWorld(t);
    const stranger = await world.use({ url });
    await assert.rejects(stranger.api.call('GET', '/x'), (error) => {
      assert.ok(error instanceof Unreachable);
      assert.match(error.message, /--ca/);
      return true;
    });
    const misled = await world.use({ url, ca: tlsFile('other-cert.pem') });
    await assert.rejects(misled.api.call('GET', '/x'), Unreachable);
    const friend = await world.use({ url, ca: certificate });
    assert.deepEqual(await friend.api.call('GET', '/x'), { secure: true });
    await assert.rejects(world.use({ url, ca: tlsFile('test-key.pem') }), WrongUsage);
  });

  it('takes an address only', async (t) => {
    const world = makeWorld(t);
    for (const url of ['localhost:7410', 'ftp://x', 'http://x/?a=1', 'http://user:pw@x', 'nonsense']) {
      await assert.rejects(world.use({ url }), WrongUsage, url);
    }
    await assert.rejects(world.use({ data: undefined }), WrongUsage);
  });
});
