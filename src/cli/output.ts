/**
 * Where a command's outcome goes. `--json`: exactly one JSON object on stdout. Otherwise a page on
 * stdout, refusals and notes on stderr. Every path ends in an exit code.
 */
import type { JsonObject } from '../core/json.ts';
import type { Refusal } from '../core/refusal.ts';
import { Failure } from '../platform/failure.ts';
import { exitCodeOf } from '../protocol/problem.ts';
import type { Outcome, RefusedFields } from './outcome.ts';
import { exitCodes, Refused, Unreachable, WrongUsage } from './outcome.ts';
import type { Style } from './page.ts';
import { nextLines, Page, plain, red, wrap } from './page.ts';

/** The part of a stream that writing needs. */
export interface TextSink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly write: (text: string) => unknown;
}

export interface Output {
  readonly json: boolean;
  readonly style: Style;
  /** Prints a result while the command goes on (a server that is ready). At most once with `--json`. */
  readonly print: (fields: JsonObject, show: (page: Page) => void) => void;
  /** A line about what is going on, on stderr; silent with `--json`. */
  readonly note: (text: string) => void;
  /** Prints how it ended; the exit code. */
  readonly finish: (outcome: Outcome) => number;
  /** Prints what a thrown error means; the exit code. */
  readonly fail: (error: unknown) => number;
}

export interface OutputOptions {
  readonly json: boolean;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  /** NO_COLOR (https://no-color.org) and the like. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Colors only on a terminal that did not decline them; text no wider than 100, 80 where unknown. */
export function styleOf(sink: TextSink, env: OutputOptions['env']): Style {
  const declined = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  const width = Math.max(40, Math.min(sink.columns ?? 80, 100));
  return { width, color: sink.isTTY === true && !declined };
}

const refusedOf = (error: Failure | Refused | Unreachable): RefusedFields => {
  if (error instanceof Refused) return error.refused;
  if (error instanceof Unreachable) {
    return { code: 'unreachable', message: error.message, next: error.next, url: error.url };
  }
  return { ...error.details, code: error.code, message: error.message, next: error.next };
};

/** Failures of the surroundings that mean: what is stored here is not what was written. */
const damage: ReadonlySet<string> = new Set(['database-damaged', 'data-folder-damaged', 'key-file-damaged']);

/** The refusals that other exit codes stand for are named in one place, `exitCodeOf`, which reads the code only. */
function exitOf(error: Failure | Refused | Unreachable, code: string): number {
  if (error instanceof Unreachable) return exitCodes.unreachable;
  return damage.has(code) ? exitCodes.integrity : exitCodeOf({ code } as Refusal);
}

function refusedText(refused: RefusedFields, style: Style): string {
  const [first = '', ...rest] = wrap(plain(refused.message), style.width);
  const next = refused.next === '' ? [] : nextLines(refused.next, style);
  // A command to copy stands on a line of its own, however long.
  const { command } = refused;
  const copy = typeof command === 'string' ? ['', `  ${plain(command)}`, ''] : [];
  return `${[red(style, first), ...rest, ...next, ...copy, `(${refused.code})`].join('\n')}\n`;
}

/** Where the outcome of one invocation goes. */
export function createOutput(options: OutputOptions): Output {
  const { json, stdout, stderr, env } = options;
  const style = styleOf(stdout, env);
  const errorStyle = styleOf(stderr, env);
  let printed = false;
  const print = (fields: JsonObject, show: (page: Page) => void): void => {
    printed = true;
    if (json) {
      stdout.write(`${JSON.stringify(fields)}\n`);
      return;
    }
    const page = new Page(style);
    show(page);
    stdout.write(page.toString());
  };
  const fail = (error: unknown): number => {
    if (error instanceof WrongUsage) {
      stderr.write(`${plain(error.message)}\n`);
      return exitCodes.usage;
    }
    if (error instanceof Failure || error instanceof Refused || error instanceof Unreachable) {
      const refused = refusedOf(error);
      // The one object may be out already: a server that was ready and then failed.
      if (json && !printed) stdout.write(`${JSON.stringify({ refused })}\n`);
      else stderr.write(refusedText(refused, errorStyle));
      return exitOf(error, refused.code);
    }
    return failUnexpectedly(error, { json: json && !printed, stdout, stderr });
  };
  return {
    json,
    style,
    print,
    note: (text) => {
      if (!json) stderr.write(`${wrap(plain(text), errorStyle.width).join('\n')}\n`);
    },
    finish: (outcome) => {
      if (outcome.kind === 'silent') return outcome.sound ? exitCodes.done : exitCodes.integrity;
      print(outcome.fields, outcome.show);
      return outcome.kind === 'integrity' ? exitCodes.integrity : exitCodes.done;
    },
    fail,
  };
}

/** A bug or a broken world: the stack goes to stderr, because whoever helps will ask for it. */
function failUnexpectedly(
  error: unknown,
  options: { json: boolean; stdout: TextSink; stderr: TextSink },
): number {
  const message = error instanceof Error ? error.message : String(error);
  const next = 'Try again; if it happens again, report it with the lines on stderr.';
  if (options.json)
    options.stdout.write(`${JSON.stringify({ refused: { code: 'internal-error', message, next } })}\n`);
  options.stderr.write(`${error instanceof Error ? (error.stack ?? message) : message}\n`);
  return exitCodes.refused;
}
