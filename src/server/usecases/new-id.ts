/** Ids of entries and messages of this server. */
import { timedId } from '../../core/id.ts';
import type { ServerContext } from '../context.ts';

export function newId(context: Pick<ServerContext, 'clock' | 'random'>): string {
  return timedId(context.clock.nowMs(), context.random.bytes(10));
}
