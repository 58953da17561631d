/** What a running clearinghouse does by itself: what time alone brings about. */
import { minuteMs } from '../core/time.ts';
import type { Repeating } from '../platform/repeat.ts';
import { repeat } from '../platform/repeat.ts';
import type { ClearinghouseContext } from './context.ts';
import { settleDue } from './usecases/settle-due.ts';

/** Starts it; `stop` ends it and waits for what is under way. */
export function startService(context: ClearinghouseContext): Repeating {
  return repeat(async () => {
    // What cannot be granted now is tried again, and every contact and every look at the desk tries it, too.
    await settleDue(context).catch(() => undefined);
    return minuteMs;
  });
}
