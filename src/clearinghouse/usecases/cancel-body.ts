/**
 * What the undoing of a grant says: the grant once more, with its proofs. A target that the grant never
 * reached takes it in and gives it back in one step; else later positions of its chains would bring
 * these units all the same (protocol §2.2).
 */
import type { JsonObject } from '../../core/json.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findGrants } from '../../store/committed-server-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { grantProofs } from './grant-proofs.ts';

/** The id of the grant of one part of a move. */
export function partId(move: Pick<MoveRow, 'id'>, kind: 'free' | 'held'): string {
  return `${move.id}/${kind}`;
}

/** Whether the target of a move was ever granted any of it. */
export async function wasGranted(tx: ReadTx, move: MoveRow): Promise<boolean> {
  return (await findGrants(tx, [partId(move, 'free'), partId(move, 'held')])).length > 0;
}

/** Throws where the move was never granted by message: there is nothing to undo then (a bug). */
export async function cancelBody(
  context: ClearinghouseContext,
  tx: ReadTx,
  move: MoveRow,
): Promise<JsonObject> {
  const grants = await findGrants(tx, [partId(move, 'free'), partId(move, 'held')]);
  const free = grants.find((grant) => grant.kind === 'free');
  const held = grants.find((grant) => grant.kind === 'held');
  if (free === undefined || held === undefined) throw new Error(`Move ${move.id} was never granted.`);
  const { agreement, line, source, unissued, held: count } = move;
  return {
    ...{ agreement, line, source, unissued, held: count, aid: free.aid },
    ...(await grantProofs(context, tx, { aid: free.aid, line, free: free.kAfter, held: held.kAfter })),
  };
}
