/** What a command comes to, and the exit codes that scripts rely on. No printing here: see output.ts. */
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { refusedBody } from '../protocol/problem.ts';
import type { Page } from './page.ts';

export const exitCodes = { done: 0, refused: 1, usage: 2, unreachable: 3, integrity: 4 } as const;

/** A refusal as `--json` prints it, under `refused`. */
export interface RefusedFields {
  readonly code: string;
  readonly message: string;
  readonly next: string;
  /** The refusal's own numbers. */
  readonly [key: string]: JsonValue;
}

export type Outcome =
  | {
      /** `integrity`: it was done, and what was found is not sound (exit 4). */
      readonly kind: 'done' | 'integrity';
      readonly fields: JsonObject;
      readonly show: (page: Page) => void;
    }
  /** Everything was printed already (a server that has stopped); `sound`: nothing was wrong with it. */
  | { readonly kind: 'silent'; readonly sound: boolean };

/** Done: `fields` is what `--json` prints, `show` draws the same for people. */
export function done(fields: JsonObject, show: (page: Page) => void): Outcome {
  return { kind: 'done', fields, show };
}

/** Looked, and found books or files that are not sound. */
export function unsound(fields: JsonObject, show: (page: Page) => void): Outcome {
  return { kind: 'integrity', fields, show };
}

export const silent: Outcome = { kind: 'silent', sound: true };
export const silentlyUnsound: Outcome = { kind: 'silent', sound: false };

/** Thrown where a command ends because it was refused; `main` prints it and exits 1. */
export class Refused extends Error {
  readonly refused: RefusedFields;

  constructor(refused: RefusedFields, options?: ErrorOptions) {
    super(refused.message, options);
    this.name = 'Refused';
    this.refused = refused;
  }

  /** What the command line refuses by itself, in the words that a program would have used. */
  static of(refusal: Refusal, options?: ErrorOptions): Refused {
    return new Refused({ ...refusedBody(refusal) }, options);
  }
}

/** The value of a result; a refusal is thrown as `Refused`. */
export function must<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  throw Refused.of(result.error);
}

/** Thrown where nobody answers; exits 3. */
export class Unreachable extends Error {
  readonly url: string;
  readonly next: string;

  constructor(
    message: string,
    options: { readonly url: string; readonly next: string; readonly cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.name = 'Unreachable';
    this.url = options.url;
    this.next = options.next;
  }
}

/** Thrown where the command line itself is wrong; exits 2. */
export class WrongUsage extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'WrongUsage';
  }
}
