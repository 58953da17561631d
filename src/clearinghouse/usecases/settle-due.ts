/** What time alone brings about; asked for at each contact, at each look at the desk, and by a timer. */
import type { ClearinghouseContext } from '../context.ts';
import { grantPassed } from './dead-source.ts';
import { endLapses } from './lapse.ts';
import { settleFenced } from './settle-fenced.ts';

export async function settleDue(context: ClearinghouseContext): Promise<void> {
  await grantPassed(context);
  await settleFenced(context);
  await endLapses(context);
}
