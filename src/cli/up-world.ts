/**
 * The world of `calyx up`: three data folders within one, served by one process. Every step looks at
 * what is there first, so that a start that was killed anywhere goes on at the next one. Once the
 * sample is whole nothing of it is made again: what the administrator did since stays.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { initClearinghouse } from '../clearinghouse/app.ts';
import { writeFileAtomic } from '../platform/atomic-file.ts';
import type { DataFolder, FolderKind } from '../platform/data-folder.ts';
import { beginDataFolder, openDataFolder, writeSettings } from '../platform/data-folder.ts';
import { acquireLock } from '../platform/data-folder-lock.ts';
import { Failure } from '../platform/failure.ts';
import { systemRandom } from '../platform/random.ts';
import { initServer } from '../server/app.ts';
import type { ApiClient } from './client.ts';
import { parseBaseUrl } from './client-http.ts';
import type { Program } from './connect.ts';
import { overHttp } from './connect.ts';
import { serveProgram } from './connect-serving.ts';
import type { Status } from './server-answers.ts';
import { readStatus } from './server-answers.ts';
import { enterSample, fillNew, fillOld, sample } from './up-sample.ts';

/** 0 takes a free one. */
export interface Ports {
  readonly clearinghouse: number;
  readonly old: number;
  readonly fresh: number;
}

export interface WorldProgram {
  readonly address: string;
  readonly dir: string;
}

export interface WorldServer extends WorldProgram {
  readonly state: Status;
}

export interface World {
  readonly dir: string;
  /** Whether this start found a world that was whole. */
  readonly continued: boolean;
  readonly bundle: string;
  readonly kit: string;
  readonly clearinghouse: WorldProgram;
  readonly old: WorldServer;
  readonly fresh: WorldServer;
  /** Stops everything gracefully, license servers first. */
  readonly stop: () => Promise<void>;
  readonly stopped: Promise<void>;
}

export interface WorldOptions {
  readonly dir: string;
  readonly ports: Ports;
  /** Called before each step, `stepsOfStart` times. */
  readonly onStep: (label: string) => void;
}

export const stepsOfStart = 5;

/** What is open, newest last; closed in the opposite order. */
interface Closers {
  readonly all: (() => void | Promise<void>)[];
  /** A program of the world has ended by itself, because its database cannot go on. */
  readonly failed: (error: unknown) => void;
}

function isWhole(dir: string, kind: FolderKind): boolean {
  try {
    openDataFolder(dir, kind);
    return true;
  } catch (error) {
    const absent = new Set(['data-folder-missing', 'data-folder-unknown']);
    if (error instanceof Failure && absent.has(error.code)) return false;
    throw error;
  }
}

/** The outer folder: made empty first, so that a killed start leaves something that goes on. */
function openWorldFolder(dir: string): DataFolder {
  if (!isWhole(dir, 'world')) beginDataFolder(dir, { kind: 'world', random: systemRandom }).finish({});
  return openDataFolder(dir, 'world');
}

interface Running extends WorldProgram {
  readonly api: ApiClient;
  readonly start: () => void;
}

/** Serves one folder of the world, and a client for its routes. */
async function run(
  closers: Closers,
  of: { readonly program: Program; readonly dir: string; readonly port: number },
): Promise<Running> {
  const serving = await serveProgram({ ...of, host: '127.0.0.1' });
  const { api, close } = overHttp({
    ...{ base: parseBaseUrl(serving.localAddress), token: serving.adminToken },
    ...{ certificates: undefined, requestId: 'up' },
  });
  closers.all.push(async () => {
    await close();
    await serving.stop();
  });
  serving.stopped.catch(closers.failed);
  return { address: serving.localAddress, dir: of.dir, api, start: serving.start };
}

/** Another port than last time: license servers that know the clearinghouse of this world follow it. */
async function followAddress(server: Running, address: string): Promise<void> {
  const state = await readStatus(server.api);
  const known = state.clearinghouseUrl;
  if (known === null || known === address || !known.startsWith('http://127.0.0.1:')) return;
  await server.api.call('PUT', '/v1/admin/method', {
    body: { method: state.method, clearinghouseUrl: address },
  });
}

async function runServer(
  closers: Closers,
  of: { readonly name: string; readonly dir: string; readonly port: number; readonly bundle: string },
  clearinghouse: { readonly address: string; readonly automatic: boolean },
): Promise<Running> {
  if (!isWhole(of.dir, 'server')) {
    await initServer({
      ...{ dir: of.dir, name: of.name, bundle: readFileSync(of.bundle, 'utf8') },
      ...(clearinghouse.automatic ? { clearinghouseUrl: clearinghouse.address } : {}),
    });
  }
  const running = await run(closers, { program: 'server', dir: of.dir, port: of.port });
  await followAddress(running, clearinghouse.address);
  return running;
}

async function begin(
  options: WorldOptions,
  folder: DataFolder,
  closers: Closers,
): Promise<Omit<World, 'stop' | 'stopped'>> {
  const { ports, onStep } = options;
  const inside = (name: string): string => join(folder.dir, name);
  const bundle = inside('publisher-bundle.json');
  const kit = inside('agreement-kit.json');
  const continued = folder.settings['whole'] === true;

  onStep('Clearinghouse');
  const dir = inside('clearinghouse');
  if (!isWhole(dir, 'clearinghouse')) await initClearinghouse({ dir, publisher: sample.publisher });
  if (!existsSync(bundle)) writeFileAtomic(bundle, readFileSync(join(dir, 'publisher-bundle.json')), 0o644);
  const clearinghouse = await run(closers, { program: 'clearinghouse', dir, port: ports.clearinghouse });
  if (!continued) await enterSample(clearinghouse.api, kit);

  onStep('LS-OLD');
  const oldOf = { name: 'LS-OLD', dir: inside('ls-old'), port: ports.old, bundle };
  const old = await runServer(closers, oldOf, { address: clearinghouse.address, automatic: true });
  onStep('CALs of LS-OLD');
  if (!continued) await fillOld(old.api);

  onStep('LS-NEW');
  const newOf = { name: 'LS-NEW', dir: inside('ls-new'), port: ports.fresh, bundle };
  const fresh = await runServer(closers, newOf, { address: clearinghouse.address, automatic: false });
  if (!continued) await fillNew(fresh.api, kit);

  onStep('Ready');
  writeSettings(folder, { ...folder.settings, whole: true });
  const states = { old: await readStatus(old.api), fresh: await readStatus(fresh.api) };
  for (const program of [clearinghouse, old, fresh]) program.start();
  return {
    ...{ dir: folder.dir, continued, bundle, kit },
    clearinghouse: { address: clearinghouse.address, dir },
    old: { address: old.address, dir: old.dir, state: states.old },
    fresh: { address: fresh.address, dir: fresh.dir, state: states.fresh },
  };
}

/**
 * Starts the world of a folder, made where it is missing or unfinished. A folder that is in use or
 * somebody else's, a port that is taken and the like are a `Failure`, and everything is closed again.
 */
export async function startWorld(options: WorldOptions): Promise<World> {
  const folder = openWorldFolder(options.dir);
  const lock = acquireLock(folder.dir);
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => undefined);
  const failed = (error: unknown): void => {
    ended.reject(error);
    // Whatever still works is closed; the first failure says all that there is to say.
    closeAll().catch(() => undefined);
  };
  const closers: Closers = { all: [lock.release], failed };
  const closeAll = async (): Promise<void> => {
    for (const close of closers.all.splice(0).reverse()) await close();
  };
  try {
    const world = await begin(options, folder, closers);
    let stopping: Promise<void> | undefined;
    const stop = (): Promise<void> => {
      stopping ??= closeAll();
      stopping.then(ended.resolve, ended.reject);
      return stopping;
    };
    return { ...world, stop, stopped: ended.promise };
  } catch (error) {
    await closeAll();
    throw error;
  }
}
