/** Randomness, injectable: the operating system's in programs, a seeded one in tests. */
import { randomBytes, randomFillSync, randomInt } from 'node:crypto';

export interface Random {
  /** `length` random bytes. */
  readonly bytes: (length: number) => Uint8Array;
  /** A random whole number from `low` to `high`, both included. */
  readonly between: (low: number, high: number) => number;
}

/**
 * Ids take 10 or 16 bytes each, thousands a second: they are cut from a supply, because asking the
 * system costs 1.5 µs however little is asked for. Keys and seeds are longer, and never come from it.
 */
const supply = new Uint8Array(4096);
const longestCut = 16;
let supplyAt = supply.length;

function cut(length: number): Uint8Array {
  if (supplyAt + length > supply.length) {
    randomFillSync(supply);
    supplyAt = 0;
  }
  const bytes = supply.slice(supplyAt, supplyAt + length);
  supply.fill(0, supplyAt, supplyAt + length);
  supplyAt += length;
  return bytes;
}

export const systemRandom: Random = {
  bytes: (length) => (length <= longestCut ? cut(length) : randomBytes(length)),
  between: (low, high) => randomInt(low, high + 1),
};

/** A new 128-bit id in base64url: the idempotency key of a message or an operation. */
export function newId(random: Random): string {
  return Buffer.from(random.bytes(16)).toString('base64url');
}
