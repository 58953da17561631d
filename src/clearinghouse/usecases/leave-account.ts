/**
 * What a license server has given up leaves its account, wherever the books have it: committed to it; in quarantine, where
 * it was declared dead and speaks after all; or still to come, by a move whose source has not released yet.
 */
import { clearinghouseAccount } from '../../core/account.ts';
import type { AccountId, Posting } from '../../core/ledger.ts';
import type { GrantRow } from '../../store/committed-server-rows.ts';
import type { DeadSourceRow } from '../../store/dead-source-rows.ts';
import { saveDeadSource, waitingDeclaration } from '../../store/dead-source-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import { comingGrants, givenUpOf, takeGivenUp, unitsIn } from './given-up.ts';

/** What the books know a server to have of one line at most. */
export interface Cover {
  /** The account of its present generation. */
  readonly debit: AccountId;
  readonly declared: DeadSourceRow | undefined;
  /** In its account or in quarantine. */
  readonly present: number;
  readonly coming: readonly GrantRow[];
  /** All of it. */
  readonly available: number;
}

export async function coverOf(
  tx: ReadTx,
  of: {
    readonly server: string;
    readonly agreement: string;
    readonly line: number;
    readonly debit: AccountId;
    /** A move that does not come to it after all. */
    readonly without?: string;
  },
): Promise<Cover> {
  const { server, agreement, line, debit, without } = of;
  const declared = await waitingDeclaration(tx, { source: server, agreement, line });
  const present = (await tx.balance(debit)) + (declared?.units ?? 0);
  const grants = await comingGrants(tx, { licenseServerId: server, agreement });
  const coming = grants.filter((grant) => grant.line === line && grant.move !== without);
  return { debit, declared, present, coming, available: present + unitsIn(coming) - givenUpOf(coming) };
}

type Transfer = Extract<Posting, { kind: 'transfer' }>;

/** Where units go that leave an account, and how many of them. */
export interface Share {
  readonly credit: AccountId;
  readonly amount: number;
}

/**
 * The postings for shares of no more than is available in all, the first ones first; and how many of each have still to
 * come, which are marked as given up.
 */
export async function leaveAccount(
  tx: WriteTx,
  of: { readonly cover: Cover; readonly shares: readonly Share[]; readonly id: string },
): Promise<{ readonly postings: readonly Posting[]; readonly toCome: readonly number[] }> {
  const { cover, shares, id } = of;
  const transfers: Transfer[] = [];
  const toCome: number[] = [];
  let left = cover.present;
  for (const { credit, amount } of shares) {
    const now = Math.min(amount, left);
    if (now > 0) transfers.push({ kind: 'transfer', debit: cover.debit, credit, amount: now });
    toCome.push(amount - now);
    left -= now;
  }
  await takeGivenUp(
    tx,
    cover.coming,
    toCome.reduce((sum, units) => sum + units, 0),
  );
  return { postings: await outOfQuarantine(tx, { cover, transfers, id }), toCome };
}

/** What is left goes back into quarantine, under a pending of its own: one is resolved once and as a whole. */
async function outOfQuarantine(
  tx: WriteTx,
  of: { readonly cover: Cover; readonly transfers: readonly Transfer[]; readonly id: string },
): Promise<readonly Posting[]> {
  const { cover, transfers } = of;
  const { declared, debit } = cover;
  if (transfers.length === 0 || declared === undefined || declared.units === 0) return transfers;
  const account = clearinghouseAccount(declared.agreement, declared.line);
  const free = await tx.balance(debit);
  const leaving = transfers.reduce((sum, { amount }) => sum + amount, 0);
  const amount = declared.units - Math.max(0, leaving - free);
  const pending = `${declared.move}/dead/${of.id}`;
  await saveDeadSource(tx, { ...declared, pending, units: amount });
  const postings: Posting[] = [{ kind: 'void', pending: declared.pending }, ...transfers];
  if (amount === 0) return postings;
  const hold = account.quarantined(declared.move);
  const credit = account.inTransit(declared.move);
  return [...postings, { kind: 'pending', id: pending, debit, hold, credit, amount }];
}
