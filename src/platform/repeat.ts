/** Runs something again and again until it is stopped; `stop` waits for the run under way. */

export interface Repeating {
  readonly stop: () => Promise<void>;
}

/**
 * Repeats `work`, pausing for as many milliseconds as each run answers. Nothing keeps the process alive
 * for it. `work` must not throw: what went wrong is its own to tell.
 */
export function repeat(work: () => Promise<number>): Repeating {
  let stopped = false;
  let wake: (() => void) | undefined;
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      timer.unref();
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const run = async (): Promise<void> => {
    while (!stopped) {
      const ms = await work();
      if (!stopped) await pause(ms);
    }
  };
  const running = run();
  return {
    stop: async () => {
      stopped = true;
      wake?.();
      await running;
    },
  };
}
