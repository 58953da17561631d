/** How the two programs are opened inside the command line's own process, loaded when they are needed. */
import type { Logger } from 'pino';
import type { App, TlsMaterial } from '../platform/http.ts';
import type { Repeating } from '../platform/repeat.ts';
import type { StoreFailure } from '../store/port.ts';
import type { Openers } from './connect.ts';
import { openInWords } from './connect-failure.ts';

export const openers: Openers = {
  server: async (dir) => {
    const { openServer } = await import('../server/app.ts');
    const { app, close } = await openInWords(dir, () => openServer(dir));
    return { inject: app.inject.bind(app) as App['inject'], close };
  },
  clearinghouse: async (dir) => {
    const { openClearinghouse } = await import('../clearinghouse/app.ts');
    const { app, close } = await openInWords(dir, () => openClearinghouse(dir));
    return { inject: app.inject.bind(app) as App['inject'], close };
  },
};

export interface ServedProgram {
  readonly app: App;
  /** Starts what a running service does by itself: contacts and sweeps. */
  readonly start: () => void;
  /** Stops that, and lets go of the database. */
  readonly close: () => Promise<void>;
}

export interface ServeOptions {
  readonly log?: Logger;
  readonly tls?: TlsMaterial;
  /** Told once, when the database cannot go on. */
  readonly onStoreFailure?: (failure: StoreFailure) => void;
}

/** Opens a license server to be served; the caller holds the folder's lock. */
export async function openServedServer(dir: string, options: ServeOptions): Promise<ServedProgram> {
  const { openServer, noteService } = await import('../server/app.ts');
  const { startService } = await import('../server/service.ts');
  const opened = await openInWords(dir, () => openServer(dir, options));
  let stop: (() => Promise<void>) | undefined;
  return {
    app: opened.app,
    start: () => {
      stop = startService(opened.context);
    },
    close: async () => {
      await stop?.();
      try {
        if (stop !== undefined) await noteService(opened.context, 'stopped');
      } finally {
        await opened.close();
      }
    },
  };
}

/** Opens a clearinghouse to be served; the caller holds the folder's lock. */
export async function openServedClearinghouse(dir: string, options: ServeOptions): Promise<ServedProgram> {
  const { openClearinghouse } = await import('../clearinghouse/app.ts');
  const { startService } = await import('../clearinghouse/service.ts');
  const opened = await openInWords(dir, () => openClearinghouse(dir, options));
  let service: Repeating | undefined;
  return {
    app: opened.app,
    start: () => {
      service = startService(opened.context, (words) => options.log?.warn(words));
    },
    close: async () => {
      await service?.stop();
      await opened.close();
    },
  };
}
