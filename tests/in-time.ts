/** Waiting with a limit, for tests of real processes: what never comes is an error that says what it was. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Generous: a limit only keeps a test from hanging. */
const patienceMs = 90_000;

/** Waits, but not for ever. */
export async function inTime<T>(what: string, work: Promise<T>, limitMs = patienceMs): Promise<T> {
  const bell = new AbortController();
  const late = sleep(limitMs, undefined, { signal: bell.signal }).then(() => {
    throw new Error(`${what}: still not after ${limitMs} ms`);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    bell.abort();
  }
}

/** Looks again and again until there is something other than undefined; `false` would be something. */
export async function until<T extends object | string | number | true>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  limitMs = patienceMs,
): Promise<T> {
  let over = false;
  const looking = async (): Promise<T> => {
    while (!over) {
      const found = await look();
      if (found !== undefined) return found;
      await sleep(10);
    }
    throw new Error('nobody waits any more');
  };
  try {
    return await inTime(what, looking(), limitMs);
  } finally {
    over = true;
  }
}
