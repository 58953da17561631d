/** Units that a license server gives back unissued, the same by message and read out: they go to hand. */
import { clearinghouseAccount } from '../../core/account.ts';
import type { AccountId, Posting } from '../../core/ledger.ts';
import type { Carrier } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import type { DeadSourceRow } from '../../store/dead-source-rows.ts';
import { saveDeadSource, waitingDeclaration } from '../../store/dead-source-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { comingGrants, givenUpOf, takeGivenUp, unitsIn } from './given-up.ts';

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
  const declared = await waitingDeclaration(tx, { source: server, agreement, line });
  const present = (await tx.balance(debit)) + (declared?.units ?? 0);
  const coming = (await comingGrants(tx, of.authority)).filter((grant) => grant.line === line);
  const available = present + unitsIn(coming) - givenUpOf(coming);
  if (amount === 0) return err({ code: 'quantity-invalid', quantity: amount, most: available });
  if (amount > available) return err({ code: 'move-more-than-there-is', asked: amount, available });
  await takeGivenUp(tx, coming, amount - present);
  const transfer: Posting = {
    kind: 'transfer',
    debit,
    credit: account.inHand,
    amount: Math.min(amount, present),
  };
  await tx.post({
    log: agreement,
    kind: 'returned',
    id,
    at: nowMs,
    body: { server, line, amount, carrier },
    postings: await postingsOf(tx, { declared, transfer, debit, id }),
  });
  return ok({ inHand: transfer.amount, following: amount - transfer.amount });
}

async function postingsOf(
  tx: WriteTx,
  of: Omit<Parameters<typeof outOfQuarantine>[1], 'declared'> & {
    readonly declared: DeadSourceRow | undefined;
  },
): Promise<readonly Posting[]> {
  const { declared, transfer } = of;
  if (transfer.amount === 0) return [];
  return declared === undefined ? [transfer] : outOfQuarantine(tx, { ...of, declared });
}

/** What is left goes back into quarantine, under a pending of its own: one is resolved once and as a whole. */
async function outOfQuarantine(
  tx: WriteTx,
  of: {
    readonly declared: DeadSourceRow;
    readonly transfer: Extract<Posting, { kind: 'transfer' }>;
    readonly debit: AccountId;
    readonly id: string;
  },
): Promise<readonly Posting[]> {
  const { declared, transfer, debit } = of;
  if (declared.units === 0) return [transfer];
  const account = clearinghouseAccount(declared.agreement, declared.line);
  const free = await tx.balance(debit);
  const amount = declared.units - Math.max(0, transfer.amount - free);
  const pending = `${declared.move}/dead/${of.id}`;
  await saveDeadSource(tx, { ...declared, pending, units: amount });
  const postings: Posting[] = [{ kind: 'void', pending: declared.pending }, transfer];
  if (amount === 0) return postings;
  const hold = account.quarantined(declared.move);
  const credit = account.inTransit(declared.move);
  return [...postings, { kind: 'pending', id: pending, debit, hold, credit, amount }];
}
