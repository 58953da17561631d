/**
 * Lets a long poll sleep until there may be something for it. Only a hint: who is woken looks into the
 * outbox, and a wake-up that is missed costs one poll interval, never a message.
 */

export interface Mailbox {
  /** Resolves when `wake` is called or after `timeoutMs`, whichever comes first. */
  readonly wait: (timeoutMs: number) => Promise<void>;
  readonly wake: () => void;
}

export function createMailbox(): Mailbox {
  const sleepers = new Set<() => void>();
  return {
    wait: (timeoutMs) =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          sleepers.delete(done);
          resolve();
        };
        const timer = setTimeout(done, timeoutMs);
        sleepers.add(done);
      }),
    wake: () => {
      for (const done of [...sleepers]) done();
    },
  };
}
