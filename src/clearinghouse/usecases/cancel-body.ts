/**
 * What the undoing of a grant says: the grant once more, with its proofs. A target that the grant never
 * reached takes it in and gives it back in one step; else later positions of its chains would bring
 * these units all the same (protocol §2.2).
 */
import type { JsonObject } from '../../core/json.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import type { GrantRow } from '../../store/committed-server-rows.ts';
import { findGrants } from '../../store/committed-server-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { grantProofs } from './grant-proofs.ts';

/** The id of the grant of one part of a move. */
export function partId(move: Pick<MoveRow, 'id'>, kind: 'free' | 'held'): string {
  return `${move.id}/${kind}`;
}

/** What the target of a move was granted of it: its free part, its held part, or what there is of them. */
export function grantsOfMove(tx: ReadTx, move: Pick<MoveRow, 'id'>): Promise<readonly GrantRow[]> {
  return findGrants(tx, [partId(move, 'free'), partId(move, 'held')]);
}

/** Whether the target of a move was ever granted any of it. */
export async function wasGranted(tx: ReadTx, move: MoveRow): Promise<boolean> {
  return (await grantsOfMove(tx, move)).length > 0;
}

/** Throws where the move was never granted by message: there is nothing to undo then (a bug). */
export async function cancelBody(
  context: ClearinghouseContext,
  tx: ReadTx,
  move: MoveRow,
): Promise<JsonObject> {
  const grants = await grantsOfMove(tx, move);
  const free = grants.find((grant) => grant.kind === 'free');
  const held = grants.find((grant) => grant.kind === 'held');
  if (free === undefined || held === undefined) throw new Error(`Move ${move.id} was never granted.`);
  const { agreement, line, source, unissued, held: count } = move;
  return {
    ...{ agreement, line, source, unissued, held: count, aid: free.aid },
    ...(await grantProofs(context, tx, { aid: free.aid, line, free: free.kAfter, held: held.kAfter })),
  };
}
