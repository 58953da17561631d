/**
 * What a license server gives up before it is in its account: a key pack of a move by telephone installs before the source
 * has released. When it has, these units go to hand, and not to a server that has given them up.
 */
import { isInTransit } from '../../core/move.ts';
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
