/**
 * The load generator: keep-alive connections on plain sockets, one request under way on each, every
 * answer looked at. Nothing of an HTTP client is between, because on a machine with two cores a
 * client that costs as much as the server would be what is measured.
 */
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { answerParent } from './issue-child.ts';

export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly method: 'PUT' | 'POST';
  readonly paths: readonly string[];
  /** The HTTP status that every answer must have. */
  readonly status: number;
  /** Text that every body must have in its first 200 characters. */
  readonly contains: string;
  /** Whether to collect the unit numbers. */
  readonly units: boolean;
}

export interface LoadReport {
  readonly seconds: number;
  /** Of each request, microseconds, in no order. */
  readonly latencies: Float64Array;
  readonly units: Int32Array;
  readonly bodyBytes: number;
  /** The part of one core that this process used. */
  readonly clientCpu: number;
}

const headerEnd = Buffer.from('\r\n\r\n');
const lengthName = 'content-length: ';
const unitPattern = /"unit":(\d+)/;
const headChars = 200;

interface Done {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class Load {
  readonly #order: LoadOrder;
  readonly #requests: readonly Buffer[];
  readonly #latencies: Float64Array;
  readonly #units: Int32Array;
  readonly #done: Done;
  #next = 0;
  #finished = 0;
  bodyBytes = 0;

  constructor(order: LoadOrder, requests: readonly Buffer[], done: Done) {
    this.#order = order;
    this.#requests = requests;
    this.#latencies = new Float64Array(requests.length);
    this.#units = new Int32Array(order.units ? requests.length : 0);
    this.#done = done;
  }

  get results(): Pick<LoadReport, 'latencies' | 'units'> {
    return { latencies: this.#latencies, units: this.#units };
  }

  /** Sends one request after the other over a connection, as long as there are any. */
  drive(socket: Socket): void {
    let at = -1;
    let startedAt = 0;
    let held: Buffer | undefined;
    const send = (): void => {
      const request = this.#requests[this.#next];
      if (request === undefined) return;
      at = this.#next;
      this.#next += 1;
      startedAt = performance.now();
      socket.write(request);
    };
    socket.on('data', (chunk: Buffer) => {
      const bytes = held === undefined ? chunk : Buffer.concat([held, chunk]);
      held = undefined;
      const bodyAt = bytes.indexOf(headerEnd) + headerEnd.length;
      const header = bodyAt < headerEnd.length ? undefined : bytes.toString('latin1', 0, bodyAt);
      const length = header === undefined ? 0 : lengthIn(header);
      if (header === undefined || bytes.length < bodyAt + length) {
        held = bytes;
        return;
      }
      this.#latencies[at] = (performance.now() - startedAt) * 1000;
      this.#check(at, header, bytes.toString('latin1', bodyAt, bodyAt + headChars));
      this.bodyBytes += length;
      this.#finished += 1;
      if (this.#finished === this.#requests.length) this.#done.resolve();
      else send();
    });
    socket.on('error', this.#done.reject);
    socket.on('close', () => this.#done.reject(new Error('the server closed a connection')));
    send();
  }

  #check(at: number, header: string, head: string): void {
    const { status, contains, paths, units } = this.#order;
    if (header.slice(9, 12) !== String(status) || !head.includes(contains)) {
      this.#done.reject(new Error(`${paths[at]}: ${header.slice(0, 40)} ${head}`));
    }
    if (units) this.#units[at] = Number(unitPattern.exec(head)?.[1] ?? 0);
  }
}

/** Node writes it in lower case where Fastify sets it. */
function lengthIn(header: string): number {
  const from = header.indexOf(lengthName);
  if (from < 0) throw new Error(`an answer without a length: ${header}`);
  return Number.parseInt(header.slice(from + lengthName.length), 10);
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

async function run(order: LoadOrder): Promise<LoadReport> {
  const { port, connections, method, paths } = order;
  const length = method === 'POST' ? 'Content-Length: 0\r\n' : '';
  const requests = paths.map((path) =>
    Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${length}\r\n`, 'latin1'),
  );
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const load = new Load(order, requests, { resolve, reject });
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  for (const socket of sockets) load.drive(socket);
  try {
    await promise;
  } finally {
    for (const socket of sockets) socket.removeAllListeners('close').destroy();
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const clientCpu = (user + system) / 1e6 / seconds;
  return { seconds, ...load.results, bodyBytes: load.bodyBytes / paths.length, clientCpu };
}

answerParent(run);
