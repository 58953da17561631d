/** Licenses of a move that is undone, at its target and at its source: plain SQL, no rules. */
import type { ReadTx, WriteTx } from './port.ts';

/** The move out of here that has frozen a license which came with `move`, if one has. */
export async function frozenSince(tx: ReadTx, move: string): Promise<string | undefined> {
  const row = await tx.get<{ move: string }>(
    `select move from licenses where state = 'held' and inherited_from = ? limit 1`,
    move,
  );
  return row?.move;
}

/** The licenses that came with a move leave with it; their tokens run on to their ends. */
export async function releaseInherited(tx: WriteTx, move: string): Promise<number> {
  return tx.run(
    `update licenses set state = 'released', move = ?, inherited_from = null
     where inherited_from = ? and state = 'issued'`,
    move,
    move,
  );
}

/** So many of a line that were issued last, and came with no open move, leave with a move; answers how many. */
export async function releaseNewest(
  tx: WriteTx,
  of: { readonly lineId: number; readonly move: string; readonly amount: number },
): Promise<number> {
  return tx.run(
    `update licenses set state = 'released', move = ? where id in (
       select id from licenses where line_id = ? and state = 'issued' and inherited_from is null
       order by issued_at desc, id desc limit ?)`,
    of.move,
    of.lineId,
    of.amount,
  );
}

/** Raises the known lease end of a holder's live license; answers whether there is one. */
export async function extendLive(
  tx: WriteTx,
  change: { readonly lineId: number; readonly sub: string; readonly leaseEnd: number },
): Promise<boolean> {
  const changed = await tx.run(
    `update licenses set lease_end = max(lease_end, ?) where line_id = ? and sub = ? and state in ('issued', 'held')`,
    change.leaseEnd,
    change.lineId,
    change.sub,
  );
  return changed > 0;
}
