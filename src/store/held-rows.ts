/** Licenses that go along with a move, a few at a time or by what is known of their leases. */
import type { LicenseRow } from './license-rows.ts';
import type { ReadTx, WriteTx } from './port.ts';

/** What the other side is told of a holder. */
export type HeldHolder = Pick<LicenseRow, 'sub' | 'kind' | 'origin' | 'unit' | 'leaseEnd'>;

/** Those whom `holdLicenses` would freeze now. */
export async function nextToHold(tx: ReadTx, lineId: number, amount: number): Promise<readonly HeldHolder[]> {
  return tx.all<HeldHolder>(
    `select sub, kind, origin, unit, lease_end as "leaseEnd" from licenses
     where line_id = ? and state = 'issued' order by lease_end, id limit ?`,
    lineId,
    amount,
  );
}

/** Licenses that a move holds, in the order of their ids, from the one after `after` on. */
export async function heldAfter(
  tx: ReadTx,
  page: { readonly move: string; readonly after: number; readonly limit: number },
): Promise<readonly KnownLease[]> {
  return tx.all<KnownLease>(
    `select id, sub, lease_end as "leaseEnd" from licenses
     where move = ? and id > ? and state = 'held' order by id limit ?`,
    page.move,
    page.after,
    page.limit,
  );
}

/** A move gives up the licenses that it holds, after one id and up to another. */
export async function releaseHeld(
  tx: WriteTx,
  move: string,
  ids: { readonly after: number; readonly last: number },
): Promise<void> {
  await tx.run(
    `update licenses set state = 'released' where move = ? and id > ? and id <= ? and state = 'held'`,
    move,
    ids.after,
    ids.last,
  );
}

/** The known lease ends of those who came with a move and have a license here, until its source is closed. */
export async function inheritedLeases(tx: ReadTx, move: string): Promise<readonly KnownLease[]> {
  return tx.all<KnownLease>(
    'select id, sub, lease_end as "leaseEnd" from licenses where inherited_from = ?',
    move,
  );
}

export interface KnownLease {
  readonly id: number;
  readonly sub: string;
  readonly leaseEnd: number;
}

/** Raises the known lease end of a license: the source has reported a later one. */
export async function extendLease(tx: WriteTx, id: number, leaseEnd: number): Promise<void> {
  await tx.run('update licenses set lease_end = ? where id = ?', leaseEnd, id);
}
