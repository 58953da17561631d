/**
 * What the benchmark of backups is about: the folder of a license server that has given out so many CALs, and has more.
 * Making a million of them takes minutes, so it is kept and used again; what is done is done to copies of it.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { initClearinghouse } from '../src/clearinghouse/app.ts';
import { initServer } from '../src/server/app.ts';
import type { Program } from './move-world.ts';
import { start } from './move-world.ts';

/** The line that the CALs were given out from, to devices. */
const given = { product: 'bench-given', agreement: '1000001', type: 'device' } as const;
/** The line that is given out from while it is measured, to users: one request each, and no first contact. */
export const free = { product: 'bench-free', agreement: '1000002', type: 'user' } as const;

/** A chain ends at 65,535 (protocol §3.4): each of these comes under a certificate of its own. */
const mostAtOnce = 60_000;

export interface Size {
  /** CALs that are given out. */
  readonly issued: number;
  /** CALs that are there to be given out. */
  readonly unissued: number;
}

async function buy(server: Program, line: typeof given | typeof free, count: number): Promise<void> {
  const { agreement, product, type } = line;
  await server.call('POST', '/v1/admin/install', {
    agreement,
    product,
    type,
    quantity: count,
    by: 'contact',
  });
}

async function inPortions(total: number, work: (count: number) => Promise<void>): Promise<void> {
  for (let left = total; left > 0; left -= mostAtOnce) await work(Math.min(left, mostAtOnce));
}

async function fill(dir: string, { issued, unissued }: Size): Promise<void> {
  const made = await initClearinghouse({ dir: join(dir, 'clearinghouse'), publisher: 'Benchmark' });
  const bundle = readFileSync(made.bundle, 'utf8');
  const clearinghouse = await start('clearinghouse', join(dir, 'clearinghouse'));
  const clearinghouseUrl = `http://127.0.0.1:${clearinghouse.port}`;
  await initServer({ dir: join(dir, 'server'), name: 'LS-BENCH', bundle, clearinghouseUrl });
  const server = await start('server', join(dir, 'server'));
  for (const [line, quantity] of [
    [given, issued],
    [free, unissued],
  ] as const) {
    const { product, agreement, type } = line;
    await clearinghouse.call('POST', '/v1/products', {
      id: product,
      name: product,
      family: product,
      version: 1,
    });
    const order = { number: agreement, program: 'select', customer: 'Benchmark', product, type, quantity };
    await clearinghouse.call('POST', '/v1/agreements', order);
    await server.call('POST', '/v1/admin/activate', { agreement, by: 'contact' });
  }
  await inPortions(unissued, (count) => buy(server, free, count));
  await inPortions(issued, async (count) => {
    await buy(server, given, count);
    await server.ask({ ask: 'issue', product: given.product, count });
  });
  await server.stop();
  await clearinghouse.stop();
}

/** Makes the folder, or answers that the one that is there is such a one. Throws where it is another one. */
export async function prepareWorld(dir: string, size: Size): Promise<void> {
  const label = join(dir, 'size.json');
  const text = JSON.stringify(size);
  if (existsSync(label)) {
    if (readFileSync(label, 'utf8') === text) return;
    throw new Error(`${dir} holds another world: ${readFileSync(label, 'utf8')}`);
  }
  mkdirSync(dir, { recursive: true });
  await fill(dir, size);
  writeFileSync(label, text);
}

/** A copy of the license server's folder, with its instance secret and mark, at `to`. */
export function copyServer(world: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  rmSync(`${to}.instance`, { recursive: true, force: true });
  const preserve = { recursive: true, preserveTimestamps: true };
  cpSync(join(world, 'server'), to, preserve);
  cpSync(join(world, 'server.instance'), `${to}.instance`, preserve);
  const config = join(to, 'config.json');
  const settings = readFileSync(config, 'utf8');
  writeFileSync(config, settings.replaceAll(join(world, 'server.instance'), `${to}.instance`));
}
