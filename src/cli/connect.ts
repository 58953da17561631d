/**
 * Reaching a program from the command line. `--url`: over HTTP. `--data`: over HTTP to the process
 * that holds the folder, or else in this process while holding the folder's lock. The requests are the
 * same each way.
 */
import { readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { hourMs } from '../core/time.ts';
import { openDataFolder } from '../platform/data-folder.ts';
import type { FolderLock } from '../platform/data-folder-lock.ts';
import { acquireLock, readLock } from '../platform/data-folder-lock.ts';
import { Failure } from '../platform/failure.ts';
import type { App } from '../platform/http.ts';
import type { ApiClient, Send } from './client.ts';
import { createApiClient, refusedAnswer } from './client.ts';
import { createHttpSender, parseBaseUrl, trustOnly } from './client-http.ts';
import { WrongUsage } from './outcome.ts';

export type Program = 'server' | 'clearinghouse';

/** A program opened in this process: its routes without a listener. */
export interface InProcessApp {
  readonly inject: App['inject'];
  readonly close: () => Promise<void>;
}

/** Opens the program of a data folder whose lock is held already. */
export type OpenInProcess = (dir: string) => Promise<InProcessApp>;

export type Openers = Readonly<Record<Program, OpenInProcess>>;

export interface ConnectOptions {
  readonly program: Program;
  readonly data: string | undefined;
  readonly url: string | undefined;
  /** For `--url`; a folder has its own. */
  readonly token: string | undefined;
  /** A file of certificates (PEM) to trust instead of the system's. */
  readonly ca: string | undefined;
  readonly requestId: string;
  readonly openers: Openers;
  /** How long a process that is just starting is waited for, milliseconds. */
  readonly waitMs?: number;
}

export interface Connection {
  readonly api: ApiClient;
  /** For people: `http://127.0.0.1:7410`, or the folder. */
  readonly where: string;
  /** Whether the program runs as a process of its own. */
  readonly running: boolean;
  /** Writes what a path answers into a stream: for files that are larger than memory. */
  readonly download: (path: string, into: Writable) => Promise<void>;
  readonly close: () => Promise<void>;
}

const pollMs = 100;
const defaultWaitMs = 5000;
/** The longest that a file may take to arrive: a slow line and a large database. */
const downloadMs = 6 * hourMs;

export interface HttpTarget {
  readonly base: URL;
  /** The administrator's token, where there is one. */
  readonly token: string | undefined;
  /** Certificates (PEM) to trust instead of the system's. */
  readonly certificates: string | undefined;
  readonly requestId: string;
}

/** A program at an address. Nothing is sent yet; a file without certificates is wrong usage. */
export function overHttp({ base, token, certificates, requestId }: HttpTarget): Connection {
  const sender = createHttpSender(base, certificates === undefined ? {} : trustOnly(certificates));
  return {
    api: createApiClient({ send: sender.send, token, requestId }),
    where: base.origin,
    running: true,
    download: async (path, into) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const request = { method: 'GET', url: path, headers, body: undefined, timeoutMs: downloadMs } as const;
      const answer = await sender.save(request, into);
      if (answer.status !== 200) throw refusedAnswer(answer);
    },
    close: async () => sender.close(),
  };
}

/** Inside this process; time-outs do not apply, because nothing can get lost on the way. */
function sendInto(app: InProcessApp): Send {
  return async ({ method, url, headers, body }) => {
    const answer = await app.inject({
      method,
      url,
      headers,
      ...(body === undefined ? {} : { payload: body }),
    });
    return {
      status: answer.statusCode,
      contentType: String(answer.headers['content-type'] ?? ''),
      text: answer.payload,
    };
  };
}

async function inProcess(options: ConnectOptions, lock: FolderLock, dir: string): Promise<Connection> {
  const { program, requestId } = options;
  try {
    const folder = openDataFolder(dir, program);
    const app = await options.openers[program](folder.dir);
    return {
      api: createApiClient({ send: sendInto(app), token: folder.adminToken, requestId }),
      where: folder.dir,
      running: false,
      download: async () => {
        throw new Error('a program in this process has its files in its folder');
      },
      close: async () => {
        try {
          await app.close();
        } finally {
          lock.release();
        }
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The lock, where nobody has it; undefined where somebody was quicker. */
function tryLock(dir: string): FolderLock | undefined {
  try {
    return acquireLock(dir);
  } catch (error) {
    if (error instanceof Failure && error.code === 'data-folder-busy') return undefined;
    throw error;
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits while the folder's holder has not said where it listens. */
async function throughFolder(options: ConnectOptions, data: string): Promise<Connection> {
  // Looked at before the lock, so that a wrong folder gets no lock file.
  const folder = openDataFolder(data, options.program);
  const attempts = Math.ceil((options.waitMs ?? defaultWaitMs) / pollMs);
  for (let attempt = 0; attempt <= attempts; attempt += 1) {
    const state = readLock(folder.dir);
    if (state.state === 'running') {
      const certificates = state.certificate ?? undefined;
      const base = parseBaseUrl(state.address);
      return overHttp({ base, token: folder.adminToken, certificates, requestId: options.requestId });
    }
    const lock = state.state === 'free' ? tryLock(folder.dir) : undefined;
    if (lock !== undefined) return await inProcess(options, lock, folder.dir);
    await pause(pollMs);
  }
  const state = readLock(folder.dir);
  const pid = state.state === 'held' ? state.pid : null;
  const who = pid === null ? 'Another process' : `Another process (${pid})`;
  throw new Failure(`${who} works in ${folder.dir} and does not say where it listens.`, {
    code: 'data-folder-busy',
    next: 'It is starting, or another command runs there: try again in a moment.',
    details: { folder: folder.dir, pid },
  });
}

/** Connects as the options say; `close` it when the command is done. */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const { data, url, ca, token, requestId } = options;
  if (url !== undefined) {
    const certificates = ca === undefined ? undefined : readCertificates(ca);
    return overHttp({ base: parseBaseUrl(url), token, certificates, requestId });
  }
  if (data !== undefined) return await throughFolder(options, data);
  throw new WrongUsage(
    'Say which one is meant: --data DIR (or CALYX_DATA), or --url URL with --token-file FILE (or CALYX_URL, CALYX_TOKEN_FILE).',
  );
}

function readCertificates(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new WrongUsage(`The file ${file} of --ca cannot be read.`, { cause: error });
  }
}
