/**
 * CALs of a server before that came without waiting for its horizon (protocol §5.5): they may have a second holder should
 * that one live, so this server's own horizon ends soon after its last contact.
 */
import type { Posting } from '../../core/ledger.ts';
import type { AtOnceRow } from '../../store/at-once-rows.ts';
import { insertAtOnce, risksByAgreement } from '../../store/at-once-rows.ts';
import { readMeta } from '../../store/meta-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { accountsOf } from './license-token.ts';

/** What came free by a recovery, less what was reserved for holders who are known (`postings`). */
export async function keepAtOnce(
  tx: WriteTx,
  of: Omit<AtOnceRow, 'lineId' | 'units' | 'suspendedAt' | 'liftedAt'> & {
    readonly line: LineRow;
    readonly free: number;
    readonly postings: readonly Posting[];
  },
): Promise<void> {
  const { line, free, postings, ...came } = of;
  const { reserved } = accountsOf(line);
  const named = postings.reduce(
    (sum, posting) =>
      posting.kind === 'transfer' && posting.credit === reserved ? sum + posting.amount : sum,
    0,
  );
  await insertAtOnce(tx, { ...came, lineId: line.id, units: free - named });
}

/** While units of an agreement are at risk: until when, and when the clearinghouse was last heard. */
export interface AtRisk {
  readonly untilMs: number;
  readonly heardMs: number;
}

/** By agreement; those of which no units are, or were, at risk are not in it. */
export async function readAtRisk(tx: ReadTx): Promise<ReadonlyMap<string, AtRisk>> {
  const risks = await risksByAgreement(tx);
  if (risks.size === 0) return new Map();
  const contact = Number((await readMeta(tx, 'lastContactAt')) ?? '0');
  return new Map(
    [...risks].map(([agreement, { untilMs, sinceMs }]) => [
      agreement,
      { untilMs, heardMs: Math.max(contact, sinceMs) },
    ]),
  );
}
