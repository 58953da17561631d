/**
 * What the benchmark of moves moves between: a clearinghouse and two license servers, each a process of
 * its own on loopback, and CALs that were bought, installed and given to users over their own routes.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { initClearinghouse } from '../src/clearinghouse/app.ts';
import { openDataFolder } from '../src/platform/data-folder.ts';
import { initServer } from '../src/server/app.ts';
import type { Child } from './issue-child.ts';
import { startChild } from './issue-child.ts';
import type { LoadReport } from './issue-load.ts';
import type { ProgramQuestion } from './move-program.ts';

export const agreement = '1000001';
export const product = 'bench';

export const pathOf = (user: string): string => `/v1/licenses/${product}/users/${user}`;

export interface Program {
  readonly port: number;
  readonly ask: <T>(question: ProgramQuestion) => Promise<T>;
  /** An administrative request that must succeed. */
  readonly call: (method: string, path: string, body?: object) => Promise<Readonly<Record<string, unknown>>>;
  readonly stop: () => Promise<void>;
}

export interface World {
  readonly clearinghouse: Program;
  readonly source: Program;
  readonly target: Program;
  /** The target's License Server ID. */
  readonly targetId: string;
  readonly close: () => Promise<void>;
}

/** Starts the program of a data folder. */
export async function start(kind: 'clearinghouse' | 'server', dir: string): Promise<Program> {
  const child: Child = startChild('move-program.ts', [kind, dir]);
  const ask: Program['ask'] = (question) => child.ask(question);
  const port = await ask<number>({ ask: 'port' });
  const token = openDataFolder(dir, kind).adminToken;
  return {
    ...{ port, ask },
    call: async (method, path, body) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
      return JSON.parse(text) as Readonly<Record<string, unknown>>;
    },
    stop: () => child.stop(),
  };
}

/** A chain ends at 65,535 (protocol §3.4): more than this come under a second certificate. */
const mostAtOnce = 50_000;

async function install(server: Program, total: number): Promise<void> {
  for (let left = total; left > 0; left -= mostAtOnce) {
    const quantity = Math.min(left, mostAtOnce);
    const order = { agreement, product, type: 'user', quantity, by: 'contact' };
    await server.call('POST', '/v1/admin/install', order);
  }
}

/** Makes everything below `dir`, with `total` CALs on the source; `close` ends the processes. */
export async function makeWorld(dir: string, total: number): Promise<World> {
  const folder = (name: string): string => join(dir, name);
  const made = await initClearinghouse({ dir: folder('clearinghouse'), publisher: 'Benchmark' });
  const clearinghouse = await start('clearinghouse', folder('clearinghouse'));
  await clearinghouse.call('POST', '/v1/products', {
    id: product,
    name: product,
    family: product,
    version: 1,
  });
  await clearinghouse.call('POST', '/v1/agreements', {
    ...{ number: agreement, program: 'select', customer: 'Benchmark', product, type: 'user' },
    quantity: total,
  });
  const bundle = readFileSync(made.bundle, 'utf8');
  const clearinghouseUrl = `http://127.0.0.1:${clearinghouse.port}`;
  const ids: string[] = [];
  const servers: Program[] = [];
  for (const name of ['source', 'target']) {
    ids.push((await initServer({ dir: folder(name), name, bundle, clearinghouseUrl })).licenseServerId);
    const server = await start('server', folder(name));
    await server.call('POST', '/v1/admin/activate', { agreement, by: 'contact' });
    servers.push(server);
  }
  const [source, target] = servers as [Program, Program];
  await install(source, total);
  return {
    ...{ clearinghouse, source, target, targetId: ids[1] ?? '' },
    close: async () => {
      for (const program of [source, target, clearinghouse]) await program.stop();
    },
  };
}

/** Gives each of these users a CAL, over HTTP like everybody. */
export async function issueTo(source: Program, users: readonly string[]): Promise<void> {
  const load = startChild('issue-load.ts');
  try {
    await load.ask<LoadReport>({
      ...{ port: source.port, connections: 64, method: 'PUT', status: 201, units: false },
      ...{ contains: '"status":"issued","kind":"permanent"', paths: users.map(pathOf) },
    });
  } finally {
    await load.stop();
  }
}
