/**
 * Loaded before the program (`node --import`): its clock is ahead by as many milliseconds as a file says, read
 * again while it runs. The programs themselves know nothing of it; only `Date.now` is another one.
 */
import { readFileSync } from 'node:fs';

const file = process.env['TEST_CLOCK_FILE'] ?? '';
const real = Date.now;
const lookEveryMs = 20;

let aheadMs = 0;
let lookedAt = Number.NEGATIVE_INFINITY;

Date.now = (): number => {
  const now = real();
  if (now - lookedAt > lookEveryMs) {
    lookedAt = now;
    const text = readFileSync(file, 'utf8').trim();
    // Half written: the last word stands until the next look.
    if (/^\d+$/.test(text)) aheadMs = Number(text);
  }
  return now + aheadMs;
};
