/** Runs something again and again until it is stopped; `stop` waits for the run under way. */
import { setTimeout as pause } from 'node:timers/promises';

export interface Repeating {
  readonly stop: () => Promise<void>;
}

/**
 * Repeats `work`, pausing for as many milliseconds as each run answers. Nothing keeps the process alive
 * for it. `work` must not throw: what went wrong is its own to tell.
 */
export function repeat(work: () => Promise<number>): Repeating {
  const stopping = new AbortController();
  const { signal } = stopping;
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      const ms = await work();
      // A pause that is cut off rejects, and says nothing beyond what the signal says.
      await pause(ms, undefined, { signal, ref: false }).catch(() => undefined);
    }
  };
  const running = run();
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
