/**
 * What a license server gives up before it is in its account: a key pack of a move by telephone installs before the source
 * has released. When it has, these units go to hand, and not to a server that has given them up.
 */
import { isInTransit } from '../../core/move.ts';
import { openMovesTo } from '../../store/clearinghouse-rows.ts';
import type { GrantedAuthorityRow, GrantRow } from '../../store/committed-server-rows.ts';
import { chainsOf, markGivenUp } from '../../store/committed-server-rows.ts';
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

/**
 * A server that is closed by a code has nothing left of what it had applied, as the positions in that code say: also of
 * moves that are being undone, whether it has given that back with the move (its receipt is under way) or passed it on
 * before. Counted in one sum, what was read out and never typed would be taken for it.
 */
export async function giveUpUndone(
  tx: WriteTx,
  authority: Pick<GrantedAuthorityRow, 'aid' | 'licenseServerId' | 'agreement'>,
): Promise<void> {
  const { aid, licenseServerId, agreement } = authority;
  const chains = await chainsOf(tx, aid);
  for (const move of await openMovesTo(tx, licenseServerId)) {
    if (move.agreement !== agreement || !['aborting', 'returning'].includes(move.state)) continue;
    for (const grant of await grantsOfMove(tx, move)) {
      const chain = chains.find(({ line, kind }) => line === grant.line && kind === grant.kind);
      if (grant.aid !== aid || chain === undefined) continue;
      const applied = Math.min(chain.confirmedK, grant.kAfter) - grant.kBefore;
      if (applied > grant.givenUp) await markGivenUp(tx, grant.id, applied);
    }
  }
}

/** Marks so many more of them as given up; of what there is, no more than that. */
export async function takeGivenUp(tx: WriteTx, grants: readonly GrantRow[], units: number): Promise<void> {
  let left = units;
  for (const grant of grants) {
    const more = Math.min(left, unitsIn([grant]) - grant.givenUp);
    if (more > 0) await markGivenUp(tx, grant.id, grant.givenUp + more);
    left -= Math.max(0, more);
  }
}
