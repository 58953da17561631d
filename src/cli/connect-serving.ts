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
import type { Program } from './connect.ts';
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
    const served = await open[options.program](folder.dir, { log, ...tls });
    const listening = await listenOrClose(served, lock, options);
    lock.publish(listening.localAddress, options.tls?.cert);
    return { ...listening, adminToken: folder.adminToken, start: served.start };
  } catch (error) {
    lock.release();
    throw error;
  }
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
