/** The next turn of the event loop, so that long work of one request lets the others through. */
import { setImmediate } from 'node:timers/promises';

export function nextTurn(): Promise<void> {
  return setImmediate();
}
