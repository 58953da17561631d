/**
 * The license server of the benchmark, as `calyx server serve` runs it: data folder, lock, routes,
 * loops. It also answers its parent, which reaches into the database to make licenses old.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import Type from 'typebox';
import { ok } from '../src/core/result.ts';
import { dayMs } from '../src/core/time.ts';
import { acquireLock } from '../src/platform/data-folder-lock.ts';
import type { App } from '../src/platform/http.ts';
import { ProductId } from '../src/platform/http-schemas.ts';
import { optionalBody, text } from '../src/platform/http-validation.ts';
import { listen } from '../src/platform/listen.ts';
import type { OpenServer } from '../src/server/app.ts';
import { openServer } from '../src/server/app.ts';
import { startService } from '../src/server/service.ts';
import { answerParent } from './issue-child.ts';

export type ServerQuestion =
  | { readonly ask: 'port' }
  /** Lets the licenses of holders whose names begin so end in three days, which is when they are renewed. */
  | { readonly ask: 'age'; readonly prefix: string }
  | { readonly ask: 'books' }
  /** Sets the size of the empty route's answer. */
  | { readonly ask: 'fill'; readonly bytes: number }
  /** The processor time since the last question like this one. */
  | { readonly ask: 'cpu' }
  | { readonly ask: 'profile'; readonly file: string | null };

/** What the books say, and what the tables say. */
export interface Books {
  readonly balances: ReadonlyMap<string, number>;
  readonly live: number;
  /** Live licenses of one line with one unit number: more than none is a unit handed out twice. */
  readonly twice: number;
}

const emptyPath = '/v1/empty/:product/devices/:deviceId';
const [dir = ''] = process.argv.slice(2);
const lock = acquireLock(dir);
const server = await openServer(dir);
addEmptyRoute(server.app);
const listening = await listen(server.app, { host: '127.0.0.1', port: 0 });
const stop = startService(server.context);

/**
 * The first baseline: the parameters of a license request, validated in the same frame, and an answer
 * of the same size that nobody had to think about. In the same process, because a program that does
 * nothing else would be another program: it has all caches to itself.
 */
let emptyAnswer = '{}';
function addEmptyRoute(app: App): void {
  const params = Type.Object({ product: ProductId, deviceId: text(256, 'Name of the device') });
  const schema = { params, body: optionalBody(Type.Object({})) };
  app.put(emptyPath, { schema, serializerCompiler: () => String }, async (_request, reply) => {
    reply.type('application/json; charset=utf-8');
    return reply.send(emptyAnswer as never);
  });
}

async function age({ store }: OpenServer, prefix: string): Promise<number> {
  const end = Date.now() + 3 * dayMs;
  const aged = await store.write(async (tx) =>
    ok(
      await tx.run(
        `update licenses set expires_at = ?, lease_end = ? where kind = 'device' and holder >= ? and holder < ?
         and state = 'issued'`,
        end,
        end,
        prefix,
        `${prefix}\u{10ffff}`,
      ),
    ),
  );
  return aged.ok ? aged.value : 0;
}

async function books({ store }: OpenServer): Promise<Books> {
  return store.read(async (tx) => {
    const counted = await tx.get<{ live: number; units: number }>(
      `select count(*) as live, count(distinct line_id * 1000000 + unit) as units from licenses
       where state in ('issued', 'held')`,
    );
    const live = counted?.live ?? 0;
    return { balances: await tx.balances(''), live, twice: live - (counted?.units ?? 0) };
  });
}

let cpu = process.cpuUsage();
function cpuSince(): number {
  const since = process.cpuUsage(cpu);
  cpu = process.cpuUsage();
  return (since.user + since.system) / 1e6;
}

const session = new Session();
async function profile(file: string | null): Promise<void> {
  if (file === null) {
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: 200 });
    await session.post('Profiler.start');
    return;
  }
  const { profile: found } = await session.post('Profiler.stop');
  writeFileSync(file, JSON.stringify(found));
  session.disconnect();
}

answerParent(async (question: ServerQuestion) => {
  switch (question.ask) {
    case 'port':
      return listening.port;
    case 'age':
      return age(server, question.prefix);
    case 'books':
      return books(server);
    case 'fill':
      emptyAnswer = JSON.stringify({ status: 'empty', filler: ' '.repeat(question.bytes - 33) });
      return emptyAnswer.length;
    case 'cpu':
      return cpuSince();
    case 'profile':
      return profile(question.file);
  }
});

process.once('SIGTERM', async () => {
  await listening.stop();
  await stop();
  await server.store.close();
  lock.release();
  process.exit(0);
});
