/**
 * Serving one program from its data folder: lock, open, listen, tell the command line where, and all of
 * that backwards at the end. What a program does while it is served is its own (connect-programs.ts).
 */
import { openDataFolder } from '../platform/data-folder.ts';
import type { FolderLock } from '../platform/data-folder-lock.ts';
import { acquireLock } from '../platform/data-folder-lock.ts';
import type { TlsMaterial } from '../platform/http.ts';
import type { Listening } from '../platform/listen.ts';
import { listen } from '../platform/listen.ts';
import type { LogOptions } from '../platform/log.ts';
import { createLog } from '../platform/log.ts';
import type { StoreFailure } from '../store/port.ts';
import type { Program } from './connect.ts';
import { inWords } from './connect-failure.ts';
import type { ServedProgram } from './connect-programs.ts';
import { openServedClearinghouse, openServedServer } from './connect-programs.ts';

export interface ServingOptions {
  readonly program: Program;
  readonly dir: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly tls?: TlsMaterial;
  /** What is logged to stderr; warnings and errors unless told. */
  readonly logLevel?: LogOptions['level'];
}

export interface Serving extends Listening {
  /** The administrator's token of the folder. */
  readonly adminToken: string;
  /** Starts what the program does by itself; commands reach it before that already. */
  readonly start: () => void;
}

const open = { clearinghouse: openServedClearinghouse, server: openServedServer };

/** Serves the program of a folder. A folder in use, a port in use and the like are a `Failure`. */
export async function serveProgram(options: ServingOptions): Promise<Serving> {
  const folder = openDataFolder(options.dir, options.program);
  const lock = acquireLock(folder.dir);
  try {
    const log = createLog({ level: options.logLevel ?? 'warn' });
    const tls = options.tls === undefined ? {} : { tls: options.tls };
    const failed = Promise.withResolvers<StoreFailure>();
    const onStoreFailure = failed.resolve;
    const served = await open[options.program](folder.dir, { log, ...tls, onStoreFailure });
    const listening = await listenOrClose(served, lock, options);
    lock.publish(listening.localAddress, options.tls?.cert);
    const stopped = endOf(folder.dir, listening, failed.promise);
    // Nobody has to wait for it.
    stopped.catch(() => undefined);
    return { ...listening, stopped, adminToken: folder.adminToken, start: served.start };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * The end of the serving. A program whose database cannot go on is stopped at once, and that is what its
 * end tells: it could answer nobody any more, and only opening the database anew shows what was kept.
 */
async function endOf(dir: string, listening: Listening, failed: Promise<StoreFailure>): Promise<void> {
  let failure: StoreFailure | undefined;
  void failed.then((found) => {
    failure = found;
    // Closing what has failed may fail as well; there is nothing to add to the first failure.
    listening.stop().catch(() => undefined);
  });
  try {
    await listening.stopped;
  } catch (error) {
    if (failure === undefined) throw error;
  }
  if (failure !== undefined) throw inWords(dir, failure);
}

async function listenOrClose(
  served: ServedProgram,
  lock: FolderLock,
  { program, host, port, tls }: ServingOptions,
): Promise<Listening> {
  try {
    const resources = [
      { name: program, close: served.close },
      { name: 'the lock of the data folder', close: lock.release },
    ];
    return await listen(served.app, { host, port, tls: tls !== undefined, resources });
  } catch (error) {
    await served.close();
    throw error;
  }
}
