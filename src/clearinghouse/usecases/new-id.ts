/** Ids of entries and messages of the clearinghouse. */
import { timedId } from '../../core/id.ts';
import type { ClearinghouseContext } from '../context.ts';

export function newId(context: Pick<ClearinghouseContext, 'clock' | 'random'>): string {
  return timedId(context.clock.nowMs(), context.random.bytes(10));
}
