/** Units that a license server gives back unissued, the same by message and read out: they go to hand. */
import { clearinghouseAccount } from '../../core/account.ts';
import type { Carrier } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { coverOf, leaveAccount } from './leave-account.ts';

/** What is in hand now, and what follows when the source of a move by telephone has released it. */
export interface Returned {
  readonly inHand: number;
  readonly following: number;
}

/**
 * Moves the units from the server to what is in hand; out of quarantine, where it was declared dead and
 * speaks after all. Those of a move by telephone that its source has not released yet follow when it has. Refused: `quantity-invalid`, `move-more-than-there-is`.
 */
export async function returnUnits(
  tx: WriteTx,
  of: {
    readonly id: string;
    readonly authority: GrantedAuthorityRow;
    readonly line: number;
    readonly amount: number;
    readonly carrier: Carrier;
    readonly nowMs: number;
  },
): Promise<Result<Returned, Refusal>> {
  const { id, line, amount, carrier, nowMs } = of;
  const { licenseServerId: server, agreement, generation } = of.authority;
  const account = clearinghouseAccount(agreement, line);
  const debit = account.committed(server, generation);
  const cover = await coverOf(tx, { server, agreement, line, debit });
  const { available } = cover;
  if (amount === 0) return err({ code: 'quantity-invalid', quantity: amount, most: available });
  if (amount > available) return err({ code: 'move-more-than-there-is', asked: amount, available });
  const left = await leaveAccount(tx, { cover, shares: [{ credit: account.inHand, amount }], id });
  await tx.post({
    log: agreement,
    kind: 'returned',
    id,
    at: nowMs,
    body: { server, line, amount, carrier },
    postings: left.postings,
  });
  const [following = 0] = left.toCome;
  return ok({ inHand: amount - following, following });
}
