/** Requests to a program that may be killed under them: an answer, or `Lost` where none came. */
import { Agent, request } from 'node:http';

export interface Ask {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  /** Idempotency key: the same at every repetition of one act. */
  readonly key?: string;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** The parsed body. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** No whole answer came: the request may have been carried out, or not. */
export class Lost extends Error {
  override readonly name = 'Lost';
}

/** For a request whose loss does not matter: undefined where no answer came. */
export function tolerateLost(error: unknown): undefined {
  if (!(error instanceof Lost)) throw error;
}

/** How long an answer may take; the programs are local, and some of them stand still at times. */
const patienceMs = 30_000;

/** The connections to one process at one port. */
export class HttpPeer {
  readonly port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(port: number) {
    this.port = port;
  }

  ask(ask: Ask & { readonly token: string }): Promise<Answer> {
    return exchange({ ...ask, port: this.port, agent: this.#agent });
  }

  close(): void {
    this.#agent.destroy();
  }
}

interface Exchange extends Ask {
  readonly port: number;
  readonly agent: Agent;
  readonly token: string;
}

function exchange(of: Exchange): Promise<Answer> {
  const body = of.body === undefined ? undefined : JSON.stringify(of.body);
  const headers = {
    authorization: `Bearer ${of.token}`,
    ...(of.key === undefined ? {} : { 'idempotency-key': of.key }),
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
  };
  return new Promise((resolve, reject) => {
    const lost = (error: Error): void => reject(new Lost(`${of.method} ${of.path}: ${error.message}`));
    const { port, agent, method, path } = of;
    const asked = request({ host: '127.0.0.1', port, agent, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', lost);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        if (!response.complete) return lost(new Error('the answer was cut short'));
        resolve({ status: response.statusCode ?? 0, text, body: parsed(text) });
      });
    });
    asked.setTimeout(patienceMs, () => asked.destroy(new Error('no answer came in time')));
    asked.on('error', lost);
    asked.end(body);
  });
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  return text === '' ? {} : (JSON.parse(text) as Readonly<Record<string, unknown>>);
}
