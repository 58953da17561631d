/**
 * The real program as child processes: commands that end, and services that run until they are told to
 * stop. Everything is waited for with a limit, and whatever is left at the end is killed by its number.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { inTime } from '../in-time.ts';

const root = join(import.meta.dirname, '../..');
const program = join(root, 'src/bin/calyx.ts');

export interface Ended {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What `--json` prints under `refused`: code, words, next step, and the refusal's own numbers. */
export interface Refused {
  readonly code: string;
  readonly message: string;
  readonly next: string;
  readonly [more: string]: unknown;
}

export interface RefusedEnd {
  readonly exit: number;
  readonly refused: Refused;
}

/** A program on its way. */
export interface Started {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly ended: Promise<Ended>;
  /** The first line on stdout: what a service prints once it is ready. */
  readonly line: Promise<string>;
}

/** The settings of whoever runs the tests are not to reach the program under test. */
function cleanEnvironment(cacheDir: string | undefined, clockFile: string | undefined): NodeJS.ProcessEnv {
  const clock = clockFile === undefined ? {} : { TEST_CLOCK_FILE: clockFile };
  const kept = Object.entries(process.env).filter(([name]) => !/^(?:CALYX_|NODE_|FORCE_COLOR)/.test(name));
  const cache = cacheDir === undefined ? {} : { NODE_COMPILE_CACHE: cacheDir };
  return { ...Object.fromEntries(kept), ...cache, ...clock, NO_COLOR: '1' };
}

/** The first line of a growing text, or an error where it ends without one. */
function firstLine(child: ChildProcess, said: () => { stdout: string; stderr: string }): Promise<string> {
  const line = Promise.withResolvers<string>();
  line.promise.catch(() => undefined);
  child.stdout?.on('data', () => {
    const [first, ...rest] = said().stdout.split('\n');
    if (first !== undefined && rest.length > 0) line.resolve(first);
  });
  child.on('close', () => line.reject(new Error(`ended without a line: ${JSON.stringify(said())}`)));
  return line.promise;
}

/** Starts commands and remembers them. */
export class Calyx {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #running = new Set<ChildProcess>();

  readonly #before: readonly string[];

  /**
   * `cacheDir` is where the commands keep what they compiled, for those that come after them; `clockFile`
   * says how far ahead the clock of all of them is (clock-file.ts).
   */
  constructor(cacheDir?: string, clockFile?: string) {
    this.#environment = cleanEnvironment(cacheDir, clockFile);
    this.#before = clockFile === undefined ? [] : ['--import', join(import.meta.dirname, 'clock-file.ts')];
  }

  start(words: readonly string[]): Started {
    const child = spawn(process.execPath, [...this.#before, program, ...words], {
      // What is printed to be typed holds in the checkout.
      cwd: root,
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const texts = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      texts.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      texts.stderr += text;
    });
    this.#running.add(child);
    const ended = once(child, 'close').then(([exit]): Ended => {
      this.#running.delete(child);
      return { exit: exit as number | null, ...texts };
    });
    const line = firstLine(child, () => texts);
    return { child, said: () => `${texts.stdout}${texts.stderr}`, ended, line };
  }

  /** Runs a command to its end. */
  async run(...words: readonly string[]): Promise<Ended> {
    const started = this.start(words);
    try {
      return await inTime(`calyx ${words.join(' ')}`, started.ended);
    } finally {
      started.child.kill('SIGKILL');
    }
  }

  /** Runs a command with `--json` that must succeed; the one object that it prints. */
  async done<T>(...words: readonly string[]): Promise<T> {
    const ended = await this.run(...words, '--json');
    assert.equal(ended.exit, 0, `calyx ${words.join(' ')}\n${ended.stdout}${ended.stderr}`);
    return oneObject(ended.stdout) as T;
  }

  /** Runs a command with `--json` that must be refused in words; never a stack trace. */
  async refused(...words: readonly string[]): Promise<RefusedEnd> {
    const ended = await this.run(...words, '--json');
    const shown = `calyx ${words.join(' ')}\n${ended.stdout}${ended.stderr}`;
    assert.ok([1, 3, 4].includes(ended.exit ?? 0), shown);
    const { refused, ...others } = oneObject(ended.stdout) as { readonly refused: Refused };
    assert.deepEqual(others, {}, shown);
    for (const name of ['code', 'message', 'next'] as const) {
      assert.equal(typeof refused[name], 'string', shown);
      assert.notEqual(refused[name], '', shown);
    }
    assert.match(refused.code, /^[a-z]+(?:-[a-z]+)*$/, shown);
    assert.notEqual(refused.code, 'internal-error', shown);
    return { exit: ended.exit ?? 0, refused };
  }

  /** The page that people see; the command must succeed. */
  async page(...words: readonly string[]): Promise<string> {
    const ended = await this.run(...words);
    assert.equal(ended.exit, 0, `calyx ${words.join(' ')}\n${ended.stdout}${ended.stderr}`);
    return ended.stdout;
  }

  /** Kills what is left. */
  async close(): Promise<void> {
    const ends = [...this.#running].map((child) => {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      return closed;
    });
    await inTime('the end of all processes', Promise.all(ends));
  }
}

/** Exactly one JSON object, on one line. */
function oneObject(stdout: string): unknown {
  assert.match(stdout, /^\{.*\}\n$/, `not one JSON object: ${stdout}`);
  return JSON.parse(stdout);
}
