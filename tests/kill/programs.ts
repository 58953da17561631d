/**
 * Programs as processes that can be killed at any moment and started again on the same data folder.
 * A killed program must be back quickly, so the next process is always loaded and waiting already.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { adminTokenFile } from '../../src/platform/data-folder.ts';
import { inTime, until } from '../in-time.ts';
import type { Order, Report } from './child.ts';
import type { Answer, Ask } from './http.ts';
import { HttpPeer, Lost, tolerateLost } from './http.ts';

const child = join(import.meta.dirname, 'child.ts');
/** Generous: a time-out only keeps a test from hanging. */
const patienceMs = 30_000;

interface Loaded {
  readonly process: ChildProcess;
  readonly ready: Promise<void>;
  readonly ended: Promise<unknown>;
  readonly said: string[];
}

/** Processes that are loaded ahead of need. */
export class Stable {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #waiting: Loaded[] = [];
  readonly #all = new Set<Loaded>();
  readonly #ahead: number;
  #closed = false;
  /** How many processes were killed while they served a data folder. */
  kills = 0;

  /** `cacheDir` is where the children keep what they compiled; `ahead` of them wait. */
  constructor(cacheDir: string, ahead: number) {
    this.#environment = { ...process.env, NODE_COMPILE_CACHE: cacheDir };
    this.#ahead = ahead;
    this.#fill();
  }

  take(): Loaded {
    const taken = this.#waiting.shift() ?? this.#load();
    this.#fill();
    return taken;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const each of this.#all) each.process.kill('SIGKILL');
    const ends = Promise.all([...this.#all].map((each) => each.ended));
    await inTime('the end of all children', ends, patienceMs);
  }

  #fill(): void {
    while (!this.#closed && this.#waiting.length < this.#ahead) this.#waiting.push(this.#load());
  }

  #load(): Loaded {
    const started = spawn(process.execPath, [child], {
      env: this.#environment,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const said: string[] = [];
    started.stderr?.setEncoding('utf8').on('data', (text: string) => said.push(text));
    const ended = once(started, 'exit');
    const ready = nextReport(started, 'ready').then(() => undefined);
    ready.catch(() => undefined);
    const loaded = { process: started, ready, ended, said };
    this.#all.add(loaded);
    void ended.then(() => this.#all.delete(loaded));
    return loaded;
  }
}

/** The next report of a child; rejects where the child ends before that. */
async function nextReport<Name extends string>(from: ChildProcess, name: Name): Promise<Report> {
  const over = new AbortController();
  try {
    return await Promise.race([
      once(from, 'message', { signal: over.signal }).then(([report]) => report as Report),
      once(from, 'exit', { signal: over.signal }).then(() => {
        throw new Lost(`the process ended before it was ${name}`);
      }),
    ]);
  } finally {
    over.abort();
  }
}

export interface ProgramPlace {
  readonly name: string;
  readonly program: Order['program'];
  readonly dir: string;
  readonly database: string;
}

/** One program with its folder; the process under it comes and goes. */
export class Program {
  readonly place: ProgramPlace;
  readonly #stable: Stable;
  readonly #adminToken: string;
  #under: Loaded | undefined;
  #peer: HttpPeer | undefined;

  constructor(place: ProgramPlace, stable: Stable) {
    this.place = place;
    this.#stable = stable;
    this.#adminToken = readFileSync(adminTokenFile(place.dir), 'utf8').trim();
  }

  /** Where it listens now; undefined while it is down. */
  get port(): number | undefined {
    return this.#peer?.port;
  }

  /** What its process wrote to stderr. */
  get said(): string {
    return (this.#under?.said ?? []).join('');
  }

  /** Starts a process on the folder and waits until it listens. Throws `Lost` where it is killed meanwhile. */
  async start(aheadMs: number): Promise<void> {
    const under = this.#stable.take();
    this.#under = under;
    const { name, program, dir } = this.place;
    await inTime(`${name} to load`, under.ready, patienceMs);
    const listening = nextReport(under.process, 'listening');
    const order: Order = { program, dir, aheadMs };
    under.process.send(order);
    const report = await inTime(`${name} to listen`, listening, patienceMs).catch((error: unknown) => {
      throw error instanceof Lost ? new Lost(`${name}: ${error.message}\n${under.said.join('')}`) : error;
    });
    if ('port' in report) this.#peer = new HttpPeer(report.port);
  }

  /** Starts a process and kills it when `moment` comes, wherever it is then. */
  async startUntil(aheadMs: number, moment: Promise<unknown>): Promise<void> {
    const starting = this.start(aheadMs).catch(tolerateLost);
    await moment;
    await this.kill();
    await starting;
  }

  /** Waits until it listens again, after a kill. */
  async isUp(): Promise<void> {
    await until(`${this.place.name} to be back`, () => this.#peer, patienceMs);
  }

  /** kill -9, and waits until the process is gone. */
  async kill(): Promise<void> {
    this.#stable.kills += 1;
    await this.end();
  }

  get isRunning(): boolean {
    return this.#under !== undefined;
  }

  /** Ends it when it is not needed any more: a kill that counts for nothing. */
  async end(): Promise<void> {
    const under = this.#under;
    if (under === undefined) throw new Error(`${this.place.name} is not running`);
    under.process.kill('SIGKILL');
    await inTime(`the end of ${this.place.name}`, under.ended, patienceMs);
    this.#under = undefined;
    this.#peer?.close();
    this.#peer = undefined;
  }

  /** Stops it where it stands (SIGSTOP), so that its files can be looked at; `resume` lets it go on. */
  pause(): void {
    this.#under?.process.kill('SIGSTOP');
  }

  resume(): void {
    this.#under?.process.kill('SIGCONT');
  }

  /** One request; throws `Lost` where it is not known what became of it. */
  async call(ask: Ask): Promise<Answer> {
    const peer = this.#peer;
    if (peer === undefined) throw new Lost(`${this.place.name} is down`);
    const answer = await peer.ask({ ...ask, token: this.#adminToken });
    if (answer.status >= 500 && answer.body['code'] !== 'clearinghouse-unreachable') {
      throw new Error(
        `${this.place.name}: ${ask.method} ${ask.path}: ${answer.status} ${answer.text}\n${this.said}`,
      );
    }
    return answer;
  }
}
