/**
 * Renewals at a steady rate, whether or not the answers keep up: each is timed from the moment at which
 * it was due, so that a server that stands still is seen by everybody who would have asked meanwhile.
 */
import { Agent, request } from 'node:http';

export interface Renewal {
  /** When it was due, and how long the answer took from then on, milliseconds. */
  readonly dueAt: number;
  readonly tookMs: number;
  readonly status: number;
  readonly said: string;
}

export class Renewals {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 });
  readonly #port: number;
  readonly #paths: readonly string[];
  readonly #perSecond: number;
  readonly #startedAt = Date.now();
  readonly #done: Renewal[] = [];
  readonly #timer: NodeJS.Timeout;
  #asked = 0;
  #under = 0;

  /** Asks for each path once, in turn, and for the first again when all were asked for. */
  constructor(port: number, paths: readonly string[], perSecond: number) {
    this.#port = port;
    this.#paths = paths;
    this.#perSecond = perSecond;
    this.#timer = setInterval(() => this.#askDue(), 1);
  }

  /** Ends the asking, and answers every renewal once its answer is here. */
  async stop(): Promise<readonly Renewal[]> {
    clearInterval(this.#timer);
    while (this.#under > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    this.#agent.destroy();
    return this.#done;
  }

  #askDue(): void {
    for (;;) {
      const dueAt = this.#startedAt + (this.#asked * 1000) / this.#perSecond;
      if (dueAt > Date.now()) return;
      const path = this.#paths[this.#asked % this.#paths.length] ?? '';
      this.#asked += 1;
      this.#ask(path, dueAt);
    }
  }

  #ask(path: string, dueAt: number): void {
    this.#under += 1;
    const ended = (status: number, said: string): void => {
      this.#under -= 1;
      this.#done.push({ dueAt, tookMs: Date.now() - dueAt, status, said });
    };
    const options = { host: '127.0.0.1', port: this.#port, agent: this.#agent, method: 'PUT', path };
    const asked = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => ended(response.statusCode ?? 0, text.slice(0, 60)));
    });
    asked.on('error', (error) => ended(0, error.message));
    asked.end();
  }
}
