/** Randomness, injectable: the operating system's in programs, a seeded one in tests. */
import { randomBytes, randomInt } from 'node:crypto';

export interface Random {
  /** `length` random bytes. */
  readonly bytes: (length: number) => Uint8Array;
  /** A random whole number from `low` to `high`, both included. */
  readonly between: (low: number, high: number) => number;
}

export const systemRandom: Random = {
  bytes: (length) => randomBytes(length),
  between: (low, high) => randomInt(low, high + 1),
};

/** A new 128-bit id in base64url: the idempotency key of a message or an operation. */
export function newId(random: Random): string {
  return Buffer.from(random.bytes(16)).toString('base64url');
}
