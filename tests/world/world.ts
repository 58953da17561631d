/**
 * A small world for tests: one clearinghouse and as many license servers as wanted, real data folders
 * and databases, in one process, with a clock that the test sets and a line that it may cut.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenClearinghouse } from '../../src/clearinghouse/app.ts';
import { initClearinghouse, openClearinghouse } from '../../src/clearinghouse/app.ts';
import { addAgreement } from '../../src/clearinghouse/usecases/agreements.ts';
import { exchangeMessages } from '../../src/clearinghouse/usecases/exchange.ts';
import { makeKit } from '../../src/clearinghouse/usecases/make-kit.ts';
import { addProduct } from '../../src/clearinghouse/usecases/products.ts';
import type { Refusal } from '../../src/core/refusal.ts';
import type { Result } from '../../src/core/result.ts';
import type { Delivery } from '../../src/platform/delivery.ts';
import type { OpenServer } from '../../src/server/app.ts';
import { initServer, openServer } from '../../src/server/app.ts';
import { addKit } from '../../src/server/usecases/settings.ts';

export const agreement = '4965437';
export const product = 'ts-2012r2';

export interface World {
  readonly clock: { nowMs: () => number; set: (ms: number) => void; advanceDays: (days: number) => void };
  readonly clearinghouse: OpenClearinghouse;
  /** A new license server, with the kit where `kit` is true. */
  readonly addServer: (name: string, options?: { kit?: boolean; connected?: boolean }) => Promise<OpenServer>;
  readonly kitFile: string;
  readonly dir: string;
  readonly close: () => Promise<void>;
}

/** The value of a result, or a failure that shows the refusal. */
export function value<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw new Error(`refused: ${JSON.stringify(result.error)}`);
}

/** The code of a refusal, or a failure that shows what was answered instead. */
export function refusalOf<T>(result: Result<T, Refusal>): Refusal {
  if (!result.ok) return result.error;
  throw new Error(`not refused: ${JSON.stringify(result.value)}`);
}

export async function makeWorld(quantity = 1000): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'calyx-world-'));
  let offsetMs = 0;
  const clock = {
    nowMs: () => Date.now() + offsetMs,
    set: (ms: number) => {
      offsetMs = ms - Date.now();
    },
    advanceDays: (days: number) => {
      offsetMs += days * 86_400_000;
    },
  };
  const made = await initClearinghouse({ dir: join(dir, 'ch'), publisher: 'Sample Publisher' });
  const clearinghouse = await openClearinghouse(join(dir, 'ch'), { clock });
  const bundle = readFileSync(made.bundle, 'utf8');
  const { context } = clearinghouse;
  value(
    await addProduct(context, { id: product, name: 'Terminal Server 2012 R2', family: 'ts', version: 9 }),
  );
  value(
    await addAgreement(context, {
      ...{ number: agreement, program: 'select', customer: 'Contoso', product, type: 'device', quantity },
      requestId: 'first',
    }),
  );
  const kitFile = value(await makeKit(context, agreement)).file;
  const servers: OpenServer[] = [];
  const delivery: Delivery = {
    exchange: async ({ messages, waitMs }) => {
      const answered = await exchangeMessages(context, { messages, waitMs: Math.min(waitMs, 10) });
      return answered.ok ? { ok: true, value: answered.value.messages } : answered;
    },
  };
  const addServer: World['addServer'] = async (name, options = {}) => {
    const home = join(dir, name);
    const url = options.connected === true ? { clearinghouseUrl: 'http://127.0.0.1:9' } : {};
    await initServer({ dir: home, name, bundle, ...url });
    const server = await openServer(home, { clock, delivery });
    servers.push(server);
    if (options.kit === true) value(await addKit(server.context, kitFile));
    return server;
  };
  const close = async (): Promise<void> => {
    for (const server of servers) await server.close();
    await clearinghouse.close();
    rmSync(dir, { recursive: true, force: true });
  };
  return { clock, clearinghouse, addServer, kitFile, dir, close };
}
