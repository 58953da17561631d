/**
 * A failure of the surroundings that a person can put right: a missing folder, a port in use. It has
 * a stable code, plain words and the next step, like a refusal, but no rule of `core` decided it.
 */
import type { JsonObject } from '../core/json.ts';

interface Advice {
  /** Stable, for programs. */
  readonly code: string;
  /** What to do about it. */
  readonly next: string;
  /** Numbers and names that belong to it. */
  readonly details?: JsonObject;
  readonly cause?: unknown;
}

export class Failure extends Error {
  /** Stable, for programs. */
  readonly code: string;
  /** What to do about it. */
  readonly next: string;
  /** Numbers and names that belong to it. */
  readonly details: JsonObject;

  constructor(message: string, advice: Advice) {
    super(message, { cause: advice.cause });
    this.name = 'Failure';
    this.code = advice.code;
    this.next = advice.next;
    this.details = advice.details ?? {};
  }
}

/** The code of an operating system's error (`ENOENT`), undefined for other errors. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
