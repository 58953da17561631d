/** How far ahead a horizon is signed: by the method, and not far while units are at risk (protocol §2.1, §5.5). */
import { monthsAhead } from '../../core/standing.ts';
import { hasRecoveredAtRisk } from '../../store/dead-source-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';

/** Months ahead for a contact, a certificate or a code; without a method it is the telephone. */
export async function monthsFor(
  { clock }: Pick<ClearinghouseContext, 'clock'>,
  tx: ReadTx,
  of: { readonly licenseServerId: string; readonly agreement: string; readonly method?: string | null },
): Promise<number> {
  const { licenseServerId: target, agreement, method } = of;
  const atRisk = await hasRecoveredAtRisk(tx, { target, agreement, nowMs: clock.nowMs() });
  return monthsAhead({ automatic: method === 'automatic', atRisk });
}
