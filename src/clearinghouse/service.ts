/** What a running clearinghouse does by itself: what time alone brings about, backups, and a reminder of the trust list. */
import { dayMs, minuteMs } from '../core/time.ts';
import type { Repeating } from '../platform/repeat.ts';
import { repeat } from '../platform/repeat.ts';
import type { ClearinghouseContext } from './context.ts';
import { settleDue } from './usecases/settle-due.ts';
import { renewalReminder, showTrustList } from './usecases/trust-lists.ts';

/** Starts it; `stop` ends it and waits for what is under way. `remind` is told once a day what is due, in words. */
export function startService(context: ClearinghouseContext, remind: (words: string) => void): Repeating {
  const settling = repeat(async () => {
    // What cannot be granted now is tried again, and every contact and every look at the desk tries it, too.
    await settleDue(context).catch(() => undefined);
    return minuteMs;
  });
  const backups = repeat(async () => {
    await context.backups.tick().catch(() => undefined);
    return minuteMs;
  });
  const reminding = repeat(async () => {
    const reminder = renewalReminder(showTrustList(context));
    if (reminder !== undefined) remind(reminder);
    return dayMs;
  });
  return {
    stop: async () => {
      await context.backups.close();
      await Promise.all([settling.stop(), backups.stop(), reminding.stop()]);
    },
  };
}
