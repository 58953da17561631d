/** Requests to a program that may be killed under them: an answer, or `Lost` where none came. */
import { Agent, request } from 'node:http';

export interface Ask {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  /** Idempotency key: the same at every repetition of one act. */
  readonly key?: string;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
}

export interface Answer extends Reply {
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

  async ask({ method, path, body, key, token }: Ask & { readonly token: string }): Promise<Answer> {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    };
    const text = body === undefined ? undefined : JSON.stringify(body);
    const to = { port: this.port, agent: this.#agent, method, path };
    const reply = await exchange({ ...to, headers, text, patienceMs });
    return { ...reply, body: parsed(reply.text) };
  }

  close(): void {
    this.#agent.destroy();
  }
}

interface Exchange {
  readonly port: number;
  readonly agent: Agent;
  readonly method: Ask['method'];
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON. */
  readonly text: string | undefined;
  /** Without it, as long as it takes. */
  readonly patienceMs?: number;
  readonly signal?: AbortSignal;
}

/** One request, and its answer once all of it is here; throws `Lost` where that never is. */
export function exchange({ headers, text, patienceMs: mostMs, ...to }: Exchange): Promise<Reply> {
  const content =
    text === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) };
  return new Promise((resolve, reject) => {
    const lost = (error: Error): void => reject(new Lost(`${to.method} ${to.path}: ${error.message}`));
    const options = { host: '127.0.0.1', ...to, headers: { ...headers, ...content } };
    const asked = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', lost);
      response.on('end', () => {
        if (!response.complete) return lost(new Error('the answer was cut short'));
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') });
      });
    });
    if (mostMs !== undefined) {
      asked.setTimeout(mostMs, () => asked.destroy(new Error('no answer came in time')));
    }
    asked.on('error', lost);
    asked.end(text);
  });
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  return text === '' ? {} : (JSON.parse(text) as Readonly<Record<string, unknown>>);
}
