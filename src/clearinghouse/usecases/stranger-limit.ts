/**
 * How many refusals the clearinghouse writes down for license servers that it does not know. Anybody
 * can make a key and send messages with it; each refusal is a signed, stored answer, and nobody may fill
 * the disk with them. Those who name an agreement that there is are not counted.
 */
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { hourMs, isoTime } from '../../core/time.ts';
import type { ClearinghouseContext } from '../context.ts';

const mostPerHour = 100;

/** Counts one. Refused: `strangers-limited` where as many were refused within the last hour. */
export function countStranger(context: ClearinghouseContext): Result<null, Refusal> {
  const nowMs = context.clock.nowMs();
  const recent = context.strangers.filter((at) => at > nowMs - hourMs && at <= nowMs);
  const oldest = recent[0];
  const limited = recent.length >= mostPerHour && oldest !== undefined;
  context.strangers = limited ? recent : [...recent, nowMs];
  return limited
    ? err({ code: 'strangers-limited', refused: recent.length, until: isoTime(oldest + hourMs) })
    : ok(null);
}
