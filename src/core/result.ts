/**
 * A computation that may be refused. Refusals are values (see refusal.ts); exceptions are left for
 * bugs and for a world that broke (disk, network), which no rule can answer.
 */

export interface Ok<T> {
  readonly ok: true;
  readonly value: T;
}

export interface Err<E> {
  readonly ok: false;
  readonly error: E;
}

export type Result<T, E> = Ok<T> | Err<E>;

/** Wraps a value that was reached. */
export function ok<T>(value: T): Ok<T> {
  return { ok: true, value };
}

/** Wraps a refusal, or any other expected failure. */
export function err<E>(error: E): Err<E> {
  return { ok: false, error };
}
