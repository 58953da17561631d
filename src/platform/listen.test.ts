import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { Failure } from './failure.ts';
import { buildHttp } from './http.ts';
import { listen, readTls } from './listen.ts';

const moduleUrl = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);

/** A process with a route that takes as long as it is told, and two resources that say when they close. */
const slowProgram = `
import { buildHttp } from ${moduleUrl('./http.ts')};
import { listen, stopOnSignals } from ${moduleUrl('./listen.ts')};
const app = buildHttp({ title: 'x', version: '1' });
app.get('/slow/:ms', (request, reply) => {
  console.log('asked');
  setTimeout(() => reply.send({ answered: true }), Number(request.params.ms)).unref();
});
const resources = ['deliveries', 'store'].map((name) => ({ name, close: () => console.log('closed ' + name) }));
try {
  const listening = await listen(app, { host: '127.0.0.1', port: Number(process.argv[1]), graceMs: 1000, resources });
  stopOnSignals(listening.stop);
  console.log('port ' + listening.port);
  await listening.stopped;
  console.log('stopped');
} catch (error) {
  console.log(error.code + ': ' + error.message);
}
`;

interface Program {
  readonly child: ChildProcess;
  readonly said: () => string;
  /** Waits until it has said something that matches. */
  readonly hears: (pattern: RegExp) => Promise<RegExpExecArray>;
  /** Waits for its end; exit code and signal. */
  readonly ended: Promise<readonly unknown[]>;
}

function start(t: TestContext, port = 0): Program {
  const child = spawn(process.execPath, ['--input-type=module', '-e', slowProgram, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout.on('data', (data: Buffer) => {
    text += data.toString();
  });
  const ended = once(child, 'close');
  const hears = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(text);
      if (found !== null) return found;
      await Promise.race([once(child.stdout, 'data'), ended]);
      if (child.exitCode !== null && !pattern.test(text)) throw new Error(`ended, having said: ${text}`);
    }
  };
  return { child, said: () => text, hears, ended };
}

const portOf = async (program: Program): Promise<number> => Number((await program.hears(/port (\d+)/))[1]);

/** GET over a connection that is kept open; the status and body, or the error's code. */
function ask(port: number, path: string, agent = new Agent({ keepAlive: true })): Promise<string> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path, agent }, (response) => {
      let body = '';
      response.on('data', (data) => {
        body += data;
      });
      response.on('end', () => resolve(`${response.statusCode} ${body}`));
      response.on('error', (error) => resolve(String((error as { code?: string }).code)));
    });
    request.on('error', (error) => resolve(String((error as { code?: string }).code)));
  });
}

describe('stopping', () => {
  it('finishes what is under way, takes nothing new, and closes everything in order', async (t) => {
    const program = start(t);
    const port = await portOf(program);
    const idle = new Agent({ keepAlive: true });
    assert.match(await ask(port, '/slow/0', idle), /^200/);
    const slow = ask(port, '/slow/400');
    await program.hears(/asked\nasked\n/);
    program.child.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(await ask(port, '/slow/0'), 'ECONNREFUSED');
    assert.equal(await slow, '200 {"answered":true}');
    assert.deepEqual(await program.ended, [0, null]);
    assert.match(program.said(), /closed deliveries\nclosed store\nstopped\n$/);
  });

  it('does not wait for connections that never ask', async (t) => {
    const listening = await listen(buildHttp({ title: 'x', version: '1' }), {
      host: '127.0.0.1',
      port: 0,
      graceMs: 20_000,
    });
    const mute = connect(listening.port, '127.0.0.1');
    t.after(() => mute.destroy());
    mute.on('error', () => undefined);
    // Once this is answered the connection before it has been accepted.
    await ask(listening.port, '/health');
    const before = performance.now();
    await listening.stop();
    assert.ok(performance.now() - before < 10_000);
  });

  it('cuts off what takes longer than the grace', async (t) => {
    const program = start(t);
    const port = await portOf(program);
    const slow = ask(port, '/slow/60000');
    await program.hears(/asked\n/);
    const before = performance.now();
    program.child.kill('SIGINT');
    assert.equal(await slow, 'ECONNRESET');
    assert.deepEqual(await program.ended, [0, null]);
    assert.ok(performance.now() - before < 5000);
    assert.match(program.said(), /closed store\nstopped\n$/);
  });

  it('ends at once at the second Ctrl-C', async (t) => {
    const program = start(t);
    const port = await portOf(program);
    const slow = ask(port, '/slow/60000');
    await program.hears(/asked\n/);
    program.child.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 100));
    program.child.kill('SIGINT');
    assert.deepEqual(await program.ended, [130, null]);
    await slow;
  });

  it('closes the other resources too where one fails, and then says so', async () => {
    const closed: string[] = [];
    const resources = [
      {
        name: 'timer',
        close: () => {
          throw new Error('stuck');
        },
      },
      { name: 'store', close: async () => void closed.push('store') },
    ];
    const listening = await listen(buildHttp({ title: 'x', version: '1' }), {
      host: '127.0.0.1',
      port: 0,
      resources,
    });
    await assert.rejects(listening.stop(), AggregateError);
    await assert.rejects(listening.stopped, AggregateError);
    assert.deepEqual(closed, ['store']);
  });
});

const failsWith = (code: string) => (error: unknown) => error instanceof Failure && error.code === code;

describe('starting', () => {
  it('says in plain words that a port is in use', async (t) => {
    const first = start(t);
    const port = await portOf(first);
    const second = start(t, port);
    await second.hears(/port-in-use: Port \d+ on 127\.0\.0\.1 is in use by another program\./);
    assert.deepEqual(await second.ended, [0, null]);
  });

  it('says so where the address is not of this machine', async () => {
    const app = () => buildHttp({ title: 'x', version: '1' });
    await assert.rejects(listen(app(), { host: '192.0.2.1', port: 0 }), failsWith('address-not-available'));
    await assert.rejects(
      listen(app(), { host: 'no-such-host.invalid', port: 0 }),
      (error) => error instanceof Failure,
    );
  });

  it('tells programs on the same machine an address that they can reach', async (t) => {
    const listening = await listen(buildHttp({ title: 'x', version: '1' }), { host: '0.0.0.0', port: 0 });
    t.after(() => listening.stop());
    assert.equal(listening.address, `http://0.0.0.0:${listening.port}`);
    assert.equal(listening.localAddress, `http://127.0.0.1:${listening.port}`);
    assert.match(await ask(listening.port, '/health', new Agent()), /^200/);
  });
});

describe('the certificate and its key', () => {
  const file = (name: string): string => new URL(`../../tests/tls/${name}`, import.meta.url).pathname;
  const pair = `${file('test-cert.pem')},${file('test-key.pem')}`;

  it('are read from two files', () => {
    assert.match(readTls(pair).cert, /BEGIN CERTIFICATE/);
    assert.match(readTls(pair).key, /BEGIN PRIVATE KEY/);
  });

  it('are refused where they are not two, not there, or not a pair', () => {
    assert.throws(() => readTls(file('test-cert.pem')), failsWith('tls-pair-needed'));
    assert.throws(
      () => readTls(`${file('test-cert.pem')},/nowhere/key.pem`),
      failsWith('tls-file-unreadable'),
    );
    const swapped = pair.split(',').toReversed().join(',');
    assert.throws(() => readTls(swapped), failsWith('tls-files-unusable'));
  });
});
