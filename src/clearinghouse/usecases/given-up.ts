/**
 * What a license server gives up before it is in its account: a key pack of a move by telephone installs before the source
 * has released. When it has, these units go to hand, and not to a server that has given them up.
 */
import { clearinghouseAccount } from '../../core/account.ts';
import type { AccountId, Posting } from '../../core/ledger.ts';
import { isInTransit } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { openMovesTo } from '../../store/clearinghouse-rows.ts';
import type { GrantedAuthorityRow, GrantRow } from '../../store/committed-server-rows.ts';
import { markGivenUp } from '../../store/committed-server-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import { grantsOfMove } from './cancel-body.ts';

/** What was revealed for moves whose units are still in transit: it is not in the server's account yet. */
export async function comingGrants(
  tx: ReadTx,
  { licenseServerId, agreement }: Pick<GrantedAuthorityRow, 'licenseServerId' | 'agreement'>,
): Promise<readonly GrantRow[]> {
  const grants: GrantRow[] = [];
  for (const move of await openMovesTo(tx, licenseServerId)) {
    if (move.agreement !== agreement || !isInTransit(move.state)) continue;
    grants.push(...(await grantsOfMove(tx, move)));
  }
  return grants;
}

export const unitsIn = (grants: readonly GrantRow[]): number =>
  grants.reduce((sum, { kBefore, kAfter }) => sum + kAfter - kBefore, 0);

/** How many of them the server has given up already. */
export const givenUpOf = (grants: readonly GrantRow[]): number =>
  grants.reduce((sum, { givenUp }) => sum + givenUp, 0);

/** Marks so many more of them as given up; of what there is, no more than that. */
export async function takeGivenUp(tx: WriteTx, grants: readonly GrantRow[], units: number): Promise<void> {
  let left = units;
  for (const grant of grants) {
    const more = Math.min(left, unitsIn([grant]) - grant.givenUp);
    if (more > 0) await markGivenUp(tx, grant.id, grant.givenUp + more);
    left -= Math.max(0, more);
  }
}

/**
 * A move that does not come to its target after all takes everything along that it was to bring: what the target has given
 * up of it meanwhile, it has given up of its own, or of other moves that come to it. Answers the postings; refused:
 * `move-more-than-there-is`.
 */
export async function takeFromOthers(
  tx: WriteTx,
  { move, debit }: { readonly move: MoveRow; readonly debit: AccountId },
): Promise<Result<readonly Posting[], Refusal>> {
  const units = givenUpOf(await grantsOfMove(tx, move));
  if (units === 0) return ok([]);
  const { target: licenseServerId, agreement, line } = move;
  const coming = (await comingGrants(tx, { licenseServerId, agreement })).filter(
    (grant) => grant.line === line && grant.move !== move.id,
  );
  const amount = Math.min(units, await tx.balance(debit));
  const left = unitsIn(coming) - givenUpOf(coming);
  if (units - amount > left) {
    return err({ code: 'move-more-than-there-is', asked: units, available: amount + left });
  }
  await takeGivenUp(tx, coming, units - amount);
  const credit = clearinghouseAccount(agreement, line).inHand;
  return ok(amount === 0 ? [] : [{ kind: 'transfer', debit, credit, amount }]);
}
