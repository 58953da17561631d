/**
 * The network between the license servers and the clearinghouse, in the hands of the test: it carries
 * requests at once, late, twice or not at all, whether or not their sender still lives, and keeps its
 * address while the clearinghouse comes and goes.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reply } from './http.ts';
import { exchange, tolerateLost } from './http.ts';
import type { Program } from './programs.ts';
import type { Chance } from './random.ts';

/** One request on its way. */
export interface Letter {
  readonly text: string;
  /**
   * Carries it to the clearinghouse and answers what came back; undefined where nothing did. `only`
   * these of its messages, where given.
   */
  readonly deliver: (only?: readonly string[]) => Promise<Reply | undefined>;
  /** Hands an answer to the sender; undefined cuts its line. */
  readonly reply: (reply: Reply | undefined) => void;
}

type Carrier = (letter: Letter) => Promise<void>;

/** How long a request waits for a clearinghouse that is down. */
const mostWaitMs = 1500;

export class Gate {
  readonly #server = createServer((incoming, outgoing) => void this.#accept(incoming, outgoing));
  readonly #agent = new Agent({ keepAlive: false });
  readonly #chance: Chance;
  readonly #closing = new AbortController();
  #clearinghouse: Program | undefined;
  /** Set by a test that wants to carry letters itself; undefined: fair weather. */
  carrier: Carrier | undefined;

  private constructor(chance: Chance) {
    this.#chance = chance;
  }

  static async open(chance: Chance): Promise<Gate> {
    const gate = new Gate(chance);
    await new Promise<void>((resolve) => gate.#server.listen(0, '127.0.0.1', resolve));
    return gate;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  leadTo(clearinghouse: Program): void {
    this.#clearinghouse = clearinghouse;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /**
   * Rough weather: one request in seven is late, one in seven comes a second time later on, one in
   * fourteen is lost, and so is one answer in fourteen.
   */
  readonly rough: Carrier = async (letter) => {
    const luck = this.#chance.next();
    if (luck < 1 / 14) return letter.reply(undefined);
    if (luck < 3 / 14) await this.#later(this.#chance.between(20, 900));
    if (luck > 12 / 14) void this.#again(letter, this.#chance.between(20, 1500));
    const reply = await letter.deliver();
    letter.reply(luck > 0.5 && luck < 0.5 + 1 / 14 ? undefined : reply);
  };

  async #again(letter: Letter, afterMs: number): Promise<void> {
    await this.#later(afterMs);
    await letter.deliver();
  }

  async #later(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#closing.signal, ref: false }).catch(() => undefined);
  }

  async #accept(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    incoming.on('error', () => undefined);
    outgoing.on('error', () => undefined);
    try {
      for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
    } catch {
      return;
    }
    const text = Buffer.concat(chunks).toString('utf8');
    const path = incoming.url ?? '/';
    const letter: Letter = {
      text,
      deliver: (only) =>
        this.#deliver(path, only === undefined ? text : JSON.stringify({ messages: only, waitMs: 0 })),
      reply: (reply) => {
        if (reply === undefined) outgoing.destroy();
        else outgoing.writeHead(reply.status, { 'content-type': 'application/json' }).end(reply.text);
      },
    };
    await (this.carrier ?? fair)(letter);
  }

  async #deliver(path: string, text: string): Promise<Reply | undefined> {
    const until = Date.now() + mostWaitMs;
    while (this.#clearinghouse?.port === undefined) {
      if (Date.now() > until || this.#closing.signal.aborted) return undefined;
      await this.#later(10);
    }
    const to = { port: this.#clearinghouse.port, agent: this.#agent, method: 'POST', path } as const;
    return exchange({ ...to, text, signal: this.#closing.signal }).catch(tolerateLost);
  }
}

/** Fair weather: everything arrives. */
async function fair(letter: Letter): Promise<void> {
  letter.reply(await letter.deliver());
}
