/**
 * The third baseline: the least that a durable, signed license costs. A unit number, one row and one
 * Ed25519 signature, with group commit in a thread of its own; no journal, no books, no rules, nothing
 * that could be moved, renewed or audited. How much the rules cost is the distance to this.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { MessagePort } from 'node:worker_threads';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import Type from 'typebox';
import { buildHttp } from '../src/platform/http.ts';
import { answer, ProductId } from '../src/platform/http-schemas.ts';
import { text } from '../src/platform/http-validation.ts';
import { listen } from '../src/platform/listen.ts';
import { answerParent } from './issue-child.ts';

type Issued = {
  readonly status: string;
  readonly kind: string;
  readonly unit: number;
  readonly token: string;
};

/** What waits while a commit is under way goes into the next one. */
class Writer {
  readonly #thread: Worker;
  #holders: string[] = [];
  #waiting: ((issued: Issued) => void)[] = [];
  #busy = false;

  constructor(file: string) {
    this.#thread = new Worker(new URL(import.meta.url), { workerData: { file } });
  }

  issue(holder: string): Promise<Issued> {
    return new Promise((resolve) => {
      this.#holders.push(holder);
      if (this.#waiting.push(resolve) === 1) setImmediate(() => this.#send());
    });
  }

  #send(): void {
    if (this.#busy || this.#holders.length === 0) return;
    const waiting = this.#waiting;
    this.#busy = true;
    this.#thread.once('message', (issued: readonly Issued[]) => {
      this.#busy = false;
      this.#send();
      for (const [at, resolve] of waiting.entries()) resolve(issued[at] as Issued);
    });
    this.#thread.postMessage(this.#holders);
    this.#holders = [];
    this.#waiting = [];
  }
}

async function serve(dir: string): Promise<void> {
  const writer = new Writer(join(dir, 'bare.db'));
  const app = buildHttp({ title: 'Bare', version: '0' });
  const params = Type.Object({ product: ProductId, deviceId: text(256, 'Name of the device') });
  const Answer = answer({
    status: Type.String(),
    kind: Type.String(),
    unit: Type.Integer(),
    token: Type.String(),
  });
  const schema = { params, response: { 201: Answer } };
  app.put('/v1/licenses/:product/devices/:deviceId', { schema }, async (request, reply) => {
    reply.code(201);
    return await writer.issue(request.params.deviceId);
  });
  const listening = await listen(app, { host: '127.0.0.1', port: 0 });
  answerParent(() => listening.port);
  process.once('SIGTERM', () => process.exit(0));
}

function write(port: MessagePort, file: string): void {
  const db = new DatabaseSync(file);
  db.exec('pragma journal_mode = wal; pragma synchronous = full');
  db.exec(
    'create table units (line integer primary key, next integer not null); insert into units values (1, 1)',
  );
  db.exec(`create table licenses (id integer primary key, holder text not null unique, unit integer not null unique,
    token text not null, expires_at integer not null)`);
  const take = db.prepare('update units set next = next + 1 where line = 1 returning next - 1 as unit');
  const insert = db.prepare('insert into licenses (holder, unit, token, expires_at) values (?, ?, ?, ?)');
  const { privateKey } = generateKeyPairSync('ed25519');
  const issue = (holder: string): Issued => {
    const { unit } = take.get() as { unit: number };
    const expiresAt = Date.now() + 5_000_000_000;
    const claims = {
      t: 'cal',
      v: 1,
      unit,
      jti: randomBytes(16).toString('base64url'),
      sub: holder,
      expiresAt,
    };
    const payload = Buffer.from(JSON.stringify(claims));
    const token = `${payload.toString('base64url')}.${sign(null, payload, privateKey).toString('base64url')}`;
    insert.run(holder, unit, token, expiresAt);
    return { status: 'issued', kind: 'permanent', unit, token };
  };
  port.on('message', (holders: readonly string[]) => {
    db.exec('begin immediate');
    const issued = holders.map(issue);
    db.exec('commit');
    port.postMessage(issued);
  });
}

if (isMainThread) await serve(process.argv[2] ?? '.');
else if (parentPort !== null) write(parentPort, (workerData as { readonly file: string }).file);
