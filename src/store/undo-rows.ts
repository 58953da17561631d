/** Licenses of a move that is undone, at its target and at its source: plain SQL, no rules. */
import type { KnownLease } from './held-rows.ts';
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
    `update licenses set state = 'released', ended = id, move = ?, inherited_from = null
     where inherited_from = ? and state = 'issued'`,
    move,
    move,
  );
}

/** How many licenses of a line may leave with a move: those that came with it, and those that came with no open one. */
export async function countLeaving(
  tx: ReadTx,
  of: { readonly lineId: number; readonly move: string },
): Promise<number> {
  const row = await tx.get<{ total: number }>(
    `select count(*) as total from licenses where line_id = ? and state = 'issued'
       and (inherited_from is null or inherited_from = ?)`,
    ...[of.lineId, of.move],
  );
  return row?.total ?? 0;
}

/** So many of a line that were issued last, and came with no open move, leave with a move; answers how many. */
export async function releaseNewest(
  tx: WriteTx,
  of: { readonly lineId: number; readonly move: string; readonly amount: number },
): Promise<number> {
  return tx.run(
    `update licenses set state = 'released', ended = id, move = ? where id in (
       select id from licenses where line_id = ? and state = 'issued' and inherited_from is null
       order by issued_at desc, id desc limit ?)`,
    of.move,
    of.lineId,
    of.amount,
  );
}

export interface LiveLease extends KnownLease {
  readonly expiresAt: number;
}

/** The live licenses of a line, with what is known of their leases. */
export async function liveLeases(tx: ReadTx, lineId: number): Promise<readonly LiveLease[]> {
  return tx.all<LiveLease>(
    'select id, sub, expires_at as "expiresAt", lease_end as "leaseEnd" from licenses where line_id = ? and ended = 0',
    lineId,
  );
}
