/** Ids of entries, tokens and messages: ordered by time, so that indexes grow at their end. */
import { base64url, concat } from './bytes.ts';

/**
 * 48 bits of milliseconds and 80 random bits in base64url, 22 characters. Random ids alone cost twice
 * the time of a write, because each lands on another page of the index.
 *
 * @param randomBytes 10 bytes
 */
export function timedId(nowMs: number, randomBytes: Uint8Array): string {
  const time = new Uint8Array(6);
  let left = nowMs;
  for (let index = 5; index >= 0; index -= 1) {
    time[index] = left % 256;
    left = Math.floor(left / 256);
  }
  return base64url(concat(time, randomBytes));
}
