/** What a running clearinghouse does by itself: it looks whether the horizon of a dead source has passed. */
import { minuteMs } from '../core/time.ts';
import type { Repeating } from '../platform/repeat.ts';
import { repeat } from '../platform/repeat.ts';
import type { ClearinghouseContext } from './context.ts';
import { grantPassed } from './usecases/dead-source.ts';

/** Starts it; `stop` ends it and waits for what is under way. */
export function startService(context: ClearinghouseContext): Repeating {
  return repeat(async () => {
    // What cannot be granted now is tried again, and every contact and every look at the desk tries it, too.
    await grantPassed(context).catch(() => undefined);
    return minuteMs;
  });
}
