/** How much of a recovery comes at once (protocol §5.5): whether any does, and what of it waits for the horizon. */
import { isImmediate, unitsAtOnce } from '../../core/recovery.ts';
import { findAgreement } from '../../store/agreement-rows.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import type { DeadSourceRow } from '../../store/dead-source-rows.ts';
import { immediateRecoveries } from '../../store/dead-source-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import type { Recovery } from './dead-source.ts';

/**
 * How many units do not wait, null where all do: once in 12 months for an agreement, as many as its publisher allows; all lines of one server
 * to another are one recovery.
 */
export async function comesAtOnce(
  tx: ReadTx,
  of: {
    readonly move: MoveRow;
    readonly units: number;
    readonly recovery: Recovery;
    readonly nowMs: number;
  },
): Promise<number | null> {
  const { move, units, recovery, nowMs } = of;
  const rule = await recoveryRule(tx, move, nowMs);
  if (!isImmediate(rule)) return null;
  return unitsAtOnce({ units, restored: recovery.restored, share: rule.share });
}

/** What decides whether a recovery is immediate. */
export async function recoveryRule(
  tx: ReadTx,
  of: Pick<MoveRow, 'agreement' | 'source' | 'target'>,
  nowMs: number,
): Promise<Parameters<typeof isImmediate>[0] & { readonly share: number }> {
  const agreement = await findAgreement(tx, of.agreement);
  const policy = agreement?.recovery ?? 'wait';
  const share = agreement?.recoveryShare ?? 0;
  return { policy, share, earlier: await immediateRecoveries(tx, of), nowMs };
}

/** How many of its units a grant that does not wait may bring now; the others wait for the horizon. */
export function mostAtOnce({ approvedAt, atOnce }: DeadSourceRow): number {
  return approvedAt === null && atOnce !== null ? atOnce : Number.MAX_SAFE_INTEGER;
}

/** Of what was to come at once, what has not with this grant; nothing of the rest does where that was all. */
export function restAtOnce(before: DeadSourceRow): Pick<DeadSourceRow, 'immediate' | 'atOnce'> {
  const { immediate, atOnce, units } = before;
  if (atOnce === null) return { immediate, atOnce };
  return atOnce > units ? { immediate, atOnce: atOnce - units } : { immediate: 0, atOnce: null };
}
