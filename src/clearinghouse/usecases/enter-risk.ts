/** Units that may have two holders for a time, should a source live that was declared dead, in the journal. */
import type { Risk } from '../../core/dead-source.ts';
import { isoTime } from '../../core/time.ts';
import type { DeadSourceRow } from '../../store/dead-source-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { newId } from './new-id.ts';

/** What is at risk, and for how long: an auditor has no other word of it. Nothing where no units are. */
export async function enterRisk(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: Pick<DeadSourceRow, 'move' | 'agreement' | 'source' | 'line'> & {
    readonly risk: Risk;
    readonly nowMs: number;
  },
): Promise<void> {
  const { move, agreement, source, line, nowMs } = of;
  const { units, fromMs, untilMs } = of.risk;
  if (units === 0) return;
  await tx.post({
    ...{ log: agreement, kind: 'units-at-risk', id: newId(context), at: nowMs },
    body: { move, source, line, units, from: isoTime(fromMs), until: isoTime(untilMs) },
  });
}
