/** What a running clearinghouse does by itself: what time alone brings about, and backups. */
import { minuteMs } from '../core/time.ts';
import type { Repeating } from '../platform/repeat.ts';
import { repeat } from '../platform/repeat.ts';
import type { ClearinghouseContext } from './context.ts';
import { settleDue } from './usecases/settle-due.ts';

/** Starts it; `stop` ends it and waits for what is under way. */
export function startService(context: ClearinghouseContext): Repeating {
  const settling = repeat(async () => {
    // What cannot be granted now is tried again, and every contact and every look at the desk tries it, too.
    await settleDue(context).catch(() => undefined);
    return minuteMs;
  });
  const backups = repeat(async () => {
    await context.backups.tick().catch(() => undefined);
    return minuteMs;
  });
  return {
    stop: async () => {
      await context.backups.close();
      await Promise.all([settling.stop(), backups.stop()]);
    },
  };
}
