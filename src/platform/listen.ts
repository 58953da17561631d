/**
 * Listening, with or without TLS, and stopping gracefully: no new connections, requests under way get
 * their time, then everything else is closed in order.
 */
import { readFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { isIPv6 } from 'node:net';
import { createSecureContext } from 'node:tls';
import { Failure, systemCode } from './failure.ts';
import type { App, TlsMaterial } from './http.ts';

export interface Resource {
  readonly name: string;
  readonly close: () => void | Promise<void>;
}

export interface ListenOptions {
  /** An IP address or host name; `127.0.0.1` keeps the program on its own machine. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly tls?: boolean;
  /** How long requests under way may take after `stop`, milliseconds. */
  readonly graceMs?: number;
  /** Closed one after the other once the last request is done. */
  readonly resources?: readonly Resource[];
}

export interface Listening {
  /** Where it listens, as a base URL without a slash at the end. */
  readonly address: string;
  /** The same for programs on this machine: a wildcard address becomes loopback. */
  readonly localAddress: string;
  readonly port: number;
  /** Stops gracefully; called again it waits for the same end. */
  readonly stop: () => Promise<void>;
  /** Settles when everything is closed. */
  readonly stopped: Promise<void>;
}

const wildcardLoopback: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

const baseUrl = (scheme: string, host: string, port: number): string =>
  `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`;

/** What a failed `listen` means to the person who started the program. */
function explainListen(error: unknown, options: ListenOptions): unknown {
  const { host, port } = options;
  const details = { host, port };
  switch (systemCode(error)) {
    case 'EADDRINUSE':
      return new Failure(`Port ${port} on ${host} is in use by another program.`, {
        code: 'port-in-use',
        next: 'Stop that program (perhaps this one runs already), or choose another port with --port.',
        details,
      });
    case 'EACCES':
      return new Failure(`This account may not listen on port ${port}.`, {
        code: 'port-not-allowed',
        next: 'Choose a port from 1024 on with --port, or give the account the right to use this one.',
        details,
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new Failure(`${host} is no address of this machine.`, {
        code: 'address-not-available',
        next: 'Give an address of this machine with --listen: 127.0.0.1 for itself alone, 0.0.0.0 for all.',
        details,
      });
    default:
      return error;
  }
}

/**
 * The connections that never asked anything (browsers open some in advance). Node takes them for
 * busy, and stopping would wait for them; this destroys them.
 */
function watchUnused(app: App): () => void {
  const open = new Set<Socket>();
  app.server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return () => {
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy();
  };
}

/** Requests under way get `graceMs`; whatever is open then is cut. */
async function closeGracefully(app: App, graceMs: number): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), graceMs);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
  }
}

async function closeInOrder(resources: readonly Resource[]): Promise<void> {
  const errors: unknown[] = [];
  for (const resource of resources) {
    try {
      await resource.close();
    } catch (error) {
      // The others still have to be closed: a store must not stay open because a timer failed.
      errors.push(new Error(`closing ${resource.name} failed`, { cause: error }));
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, 'closing failed');
}

/** Starts listening. A port in use and the like are thrown as `Failure`. */
export async function listen(app: App, options: ListenOptions): Promise<Listening> {
  const closeUnused = watchUnused(app);
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (error) {
    await app.close();
    throw explainListen(error, options);
  }
  const { port } = app.server.address() as AddressInfo;
  const scheme = options.tls === true ? 'https' : 'http';
  const ended = Promise.withResolvers<void>();
  // Nobody needs to wait for `stopped`; a failure is reported by `stop` as well.
  ended.promise.catch(() => undefined);
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    closeUnused();
    stopping ??= closeGracefully(app, options.graceMs ?? 10_000).then(() =>
      closeInOrder(options.resources ?? []),
    );
    stopping.then(ended.resolve, ended.reject);
    return stopping;
  };
  return {
    address: baseUrl(scheme, options.host, port),
    localAddress: baseUrl(scheme, wildcardLoopback[options.host] ?? options.host, port),
    port,
    stop,
    stopped: ended.promise,
  };
}

/**
 * Stops on SIGTERM and SIGINT. A second signal ends the process at once: whoever presses Ctrl-C
 * twice means it, and what was acknowledged is on disk anyway.
 */
export function stopOnSignals(stop: () => Promise<void>): void {
  let asked = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (asked) process.exit(signal === 'SIGINT' ? 130 : 143);
    asked = true;
    // The listening's `stopped` tells about a failure.
    stop().catch(() => undefined);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

function readPem(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Failure(`The ${what} ${path} cannot be read (${systemCode(error) ?? 'error'}).`, {
      code: 'tls-file-unreadable',
      next: 'Give two PEM files that this account may read: --tls CERTIFICATE,KEY.',
      details: { file: path },
      cause: error,
    });
  }
}

/** Reads `CERTIFICATE,KEY` (PEM files) and makes sure that they belong together. */
export function readTls(pair: string): TlsMaterial {
  const [certPath, keyPath, ...more] = pair.split(',');
  if (!certPath || !keyPath || more.length > 0) {
    throw new Failure(`--tls needs two files, not "${pair}".`, {
      code: 'tls-pair-needed',
      next: 'Give a certificate and its key, separated by a comma: --tls cert.pem,key.pem.',
    });
  }
  const material = { cert: readPem(certPath, 'certificate'), key: readPem(keyPath, 'key') };
  try {
    createSecureContext(material);
  } catch (error) {
    throw new Failure(`${certPath} and ${keyPath} are no certificate with its key.`, {
      code: 'tls-files-unusable',
      next: 'Give a PEM certificate and the private key that belongs to it.',
      cause: error,
    });
  }
  return material;
}
