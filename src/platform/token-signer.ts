/**
 * Signs tokens beside the main thread. A signature takes 22 µs, longer than everything else that an
 * HTTP request costs, and needs nothing but its text: under load it is made by a thread of its own,
 * while the main thread writes and waits for the disk. This file is both ends: the thread runs it, too.
 */
import type { KeyObject } from 'node:crypto';
import { setImmediate } from 'node:timers';
import type { MessagePort } from 'node:worker_threads';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { UnsignedToken } from '../protocol/paseto.ts';
import { pasetoSigner } from '../protocol/paseto.ts';

export interface TokenSigner {
  /** The token; never rejects but for a bug. */
  readonly sign: (token: UnsignedToken) => Promise<string>;
  /** Starts the thread before there is work for it, and waits until it is there. */
  readonly start: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** So many are handed over at once: handing one over costs 10 µs, and sixteen not much more. */
const handful = 16;
/** Fewer than this are signed at once by whoever waits, which is done before a thread has woken up. */
const fewest = 4;
/** Footers are few: one for each license bundle in force. */
const mostSigners = 64;

/** Signs with one key, under whatever footers come. */
function signWith(key: KeyObject): (token: UnsignedToken) => string {
  const signers = new Map<string, (payload: Uint8Array) => string>();
  return ({ payload, footer, implicit }) => {
    const name = `${implicit}\n${footer}`;
    let signer = signers.get(name);
    if (signer === undefined) {
      if (signers.size >= mostSigners) signers.clear();
      signer = pasetoSigner({ key, footer: Buffer.from(footer), implicit: Buffer.from(implicit) });
      signers.set(name, signer);
    }
    return signer(Buffer.from(payload));
  };
}

interface Waiting {
  readonly token: UnsignedToken;
  readonly resolve: (signed: string) => void;
  readonly reject: (error: unknown) => void;
}

class ThreadedSigner implements TokenSigner {
  readonly #key: KeyObject;
  readonly #signHere: (token: UnsignedToken) => string;
  /** Not handed over yet. */
  #waiting: Waiting[] = [];
  /** What the thread has, in the order in which it answers. */
  #handedOver: (readonly Waiting[])[] = [];
  #flushing = false;
  #thread: Worker | undefined;
  #started: Promise<void> | undefined;
  #threadWorks = false;
  #closed = false;

  constructor(key: KeyObject) {
    this.#key = key;
    this.#signHere = signWith(key);
  }

  sign(token: UnsignedToken): Promise<string> {
    const [first] = this.#waiting;
    // A handful goes over as one text, which names footer and implicit assertion once.
    if (first !== undefined && first.token.footer !== token.footer) this.#flush();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ token, resolve, reject });
      if (this.#waiting.length >= handful) this.#flush();
      else if (!this.#flushing) this.#flushSoon();
    });
  }

  start(): Promise<void> {
    this.#started ??= this.#startThread();
    return this.#started;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#thread?.terminate();
  }

  /** When the turn is over, and with it the transaction that the tokens may belong to. */
  #flushSoon(): void {
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    const tokens = this.#waiting;
    this.#waiting = [];
    if (tokens.length < fewest) this.#signAll(tokens);
    else this.#handOver(tokens);
  }

  #signAll(tokens: readonly Waiting[]): void {
    for (const { token, resolve, reject } of tokens) {
      try {
        resolve(this.#signHere(token));
      } catch (error) {
        reject(error);
      }
    }
  }

  #handOver(tokens: readonly Waiting[]): void {
    // The first load starts the thread, and is not kept waiting for it.
    if (!this.#closed) void this.start();
    if (!this.#threadWorks) {
      this.#signAll(tokens);
      return;
    }
    this.#handedOver.push(tokens);
    const { footer = '', implicit = '' } = tokens[0]?.token ?? {};
    this.#thread?.postMessage([implicit, footer, ...tokens.map(({ token }) => token.payload)].join('\n'));
  }

  #startThread(): Promise<void> {
    const thread = new Worker(new URL(import.meta.url), { workerData: { [threadMark]: this.#key } });
    this.#thread = thread;
    // It must not keep a program alive that has nothing else to do.
    thread.unref();
    thread.on('message', (text: string) => {
      const signed = text.split('\n');
      const tokens = this.#handedOver.shift() ?? [];
      for (const [at, { resolve }] of tokens.entries()) resolve(signed[at] ?? '');
    });
    thread.on('error', () => this.#takeBack());
    thread.once('exit', () => this.#takeBack());
    return new Promise((resolve) => {
      thread.once('online', () => {
        this.#threadWorks = !this.#closed;
        resolve();
      });
      thread.once('exit', () => resolve());
    });
  }

  /** Without the thread everything is signed here, what it had included. */
  #takeBack(): void {
    this.#threadWorks = false;
    const tokens = this.#handedOver.flat();
    this.#handedOver = [];
    this.#signAll(tokens);
  }
}

/** Signs with an Ed25519 key; the thread is started when there is work for it. */
export function createTokenSigner(key: KeyObject): TokenSigner {
  return new ThreadedSigner(key);
}

const threadMark = 'calyx-token-signer';

/** Texts without line breaks, as JSON without spaces is, joined by line breaks: the cheapest message. */
function serve(port: MessagePort, key: KeyObject): void {
  const sign = signWith(key);
  port.on('message', (text: string) => {
    const [implicit = '', footer = '', ...payloads] = text.split('\n');
    port.postMessage(payloads.map((payload) => sign({ payload, footer, implicit })).join('\n'));
  });
}

const ours = (workerData as { readonly [threadMark]?: KeyObject } | null)?.[threadMark];
if (!isMainThread && parentPort !== null && ours !== undefined) serve(parentPort, ours);
