/**
 * What the benchmark measures against: a clearinghouse with real keys in this process, and a license
 * server in a process of its own that got every CAL from it, so that tokens and bundles are genuine.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { initClearinghouse, openClearinghouse } from '../src/clearinghouse/app.ts';
import type { ClearinghouseContext } from '../src/clearinghouse/context.ts';
import { addAgreement } from '../src/clearinghouse/usecases/agreements.ts';
import { activateByTelephone } from '../src/clearinghouse/usecases/desk-activate.ts';
import { grantKeyPack } from '../src/clearinghouse/usecases/desk-key-pack.ts';
import { makeKit } from '../src/clearinghouse/usecases/make-kit.ts';
import { addProduct } from '../src/clearinghouse/usecases/products.ts';
import type { Refusal } from '../src/core/refusal.ts';
import type { Result } from '../src/core/result.ts';
import { openDataFolder } from '../src/platform/data-folder.ts';
import { listen } from '../src/platform/listen.ts';
import { initServer } from '../src/server/app.ts';
import type { Child } from './issue-child.ts';
import { startChild } from './issue-child.ts';
import type { Books, ServerQuestion } from './issue-server.ts';

/** A product with an agreement of its own; nothing of one serves the other. */
export interface Stock {
  readonly product: string;
  readonly agreement: string;
}

/** Few free CALs, bought again and again. */
export const small: Stock = { product: 'bench-small', agreement: '1000001' };
/** A hundred thousand free CALs. */
export const large: Stock = { product: 'bench-large', agreement: '1000002' };

export interface World {
  readonly port: number;
  readonly ask: <T>(question: ServerQuestion) => Promise<T>;
  readonly books: () => Promise<Books>;
  /** Buys as many CALs as are missing for `free` unissued ones. */
  readonly refill: (stock: Stock, free: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

function value<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw new Error(`refused: ${JSON.stringify(result.error)}`);
}

type Post = (path: string, body: object, method?: string) => Promise<void>;

/** The administrative routes of the license server. */
function administration(port: number, token: string): Post {
  return async (path, body, method = 'POST') => {
    const response = await fetch(`http://127.0.0.1:${port}/v1/admin/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  };
}

async function sell(clearinghouse: ClearinghouseContext, { product, agreement }: Stock): Promise<void> {
  value(await addProduct(clearinghouse, { id: product, name: product, family: product, version: 1 }));
  value(
    await addAgreement(clearinghouse, {
      ...{ number: agreement, program: 'select', customer: 'Benchmark', product, type: 'device' },
      ...{ quantity: 1_000_000, requestId: agreement },
    }),
  );
}

/** How many of the large stock come by telephone. A chain ends at 65,535 (protocol §3.4). */
const byTelephone = 60_000;

/**
 * More units of one line than a chain has: they come by telephone under a kit slot first, and stand as
 * open units in the certificate that takes the slot's place, whose own chain begins at 0.
 */
async function openLarge(clearinghouse: ClearinghouseContext, serverId: string, post: Post): Promise<void> {
  const { agreement, product } = large;
  await post('kits', { file: value(await makeKit(clearinghouse, agreement)).file });
  const activation = value(await activateByTelephone(clearinghouse, { agreement, serverId }));
  await post('codes', { code: activation.code, confirmed: true });
  const order = { agreement, serverId, product, type: 'device', quantity: byTelephone, requestId: 'large' };
  const pack = value(await grantKeyPack(clearinghouse, order));
  await post('codes', { code: pack.code, quantity: byTelephone, confirmed: true });
}

/** Makes everything below `dir`; `close` ends the processes and leaves the folder. */
export async function makeWorld(dir: string): Promise<World> {
  const made = await initClearinghouse({ dir: join(dir, 'clearinghouse'), publisher: 'Benchmark' });
  const clearinghouse = await openClearinghouse(join(dir, 'clearinghouse'));
  const desk = await listen(clearinghouse.app, { host: '127.0.0.1', port: 0 });
  for (const stock of [small, large]) await sell(clearinghouse.context, stock);
  const home = join(dir, 'server');
  const bundle = readFileSync(made.bundle, 'utf8');
  const { licenseServerId } = await initServer({ dir: home, name: 'LS-BENCH', bundle });
  const child: Child = startChild('issue-server.ts', [home]);
  const ask: World['ask'] = (question) => child.ask(question);
  const port = await ask<number>({ ask: 'port' });
  const post = administration(port, openDataFolder(home, 'server').adminToken);
  // Not `automatic`: a contact that the clearinghouse holds back would make the orders here wait for it.
  await post('method', { method: 'web', clearinghouseUrl: desk.localAddress }, 'PUT');
  await openLarge(clearinghouse.context, licenseServerId, post);
  for (const { agreement } of [small, large]) await post('activate', { agreement, by: 'contact' });
  const books: World['books'] = () => ask({ ask: 'books' });
  return {
    ...{ port, ask, books },
    refill: async ({ agreement, product }, free) => {
      const quantity = free - ((await books()).balances.get(`${agreement}/0/unissued`) ?? 0);
      if (quantity > 0)
        await post('install', { agreement, product, type: 'device', quantity, by: 'contact' });
    },
    close: async () => {
      await child.stop();
      await desk.stop();
      await clearinghouse.store.close();
    },
  };
}
