/** Units that a license server gives back unissued, the same by message and read out: they go to hand. */
import { clearinghouseAccount } from '../../core/account.ts';
import type { Carrier } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import type { WriteTx } from '../../store/port.ts';

/** Moves the units from the server to what is in hand. Refused: `quantity-invalid`, `move-more-than-there-is`. */
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
): Promise<Result<null, Refusal>> {
  const { id, line, amount, carrier, nowMs } = of;
  const { licenseServerId: server, agreement, generation } = of.authority;
  const account = clearinghouseAccount(agreement, line);
  const debit = account.committed(server, generation);
  const available = await tx.balance(debit);
  if (amount === 0) return err({ code: 'quantity-invalid', quantity: amount, most: available });
  if (amount > available) return err({ code: 'move-more-than-there-is', asked: amount, available });
  await tx.post({
    log: agreement,
    kind: 'returned',
    id,
    at: nowMs,
    body: { server, line, amount, carrier },
    postings: [{ kind: 'transfer', debit, credit: account.inHand, amount }],
  });
  return ok(null);
}
