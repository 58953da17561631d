/** Licenses that go along with a move, a few at a time or by what is known of their leases. */
import type { LicenseRow } from './license-rows.ts';
import type { ReadTx, WriteTx } from './port.ts';

/** What the other side is told of a holder. */
export type HeldHolder = Pick<LicenseRow, 'id' | 'sub' | 'kind' | 'origin' | 'unit' | 'leaseEnd'>;

const heldColumns = 'id, sub, kind, origin, unit, lease_end as "leaseEnd"';

/** Those whom `holdLicenses` would freeze now. */
export async function nextToHold(tx: ReadTx, lineId: number, amount: number): Promise<readonly HeldHolder[]> {
  return tx.all<HeldHolder>(
    `select ${heldColumns} from licenses
     where line_id = ? and state = 'issued' order by lease_end, id limit ?`,
    lineId,
    amount,
  );
}

/**
 * Issued licenses of a line in the order of their ids, from the one after `after` on: they lie beside each
 * other, where those of one lease end are scattered over the whole table. The `+` keeps the line's own index
 * out of it, which has them by their lease ends.
 */
export async function issuedAfter(
  tx: ReadTx,
  page: { readonly lineId: number; readonly after: number; readonly limit: number },
): Promise<readonly HeldHolder[]> {
  return tx.all<HeldHolder>(
    `select ${heldColumns} from licenses
     where +line_id = ? and id > ? and state = 'issued' order by id limit ?`,
    page.lineId,
    page.after,
    page.limit,
  );
}

/** Freezes for a move what `issuedAfter` has told, after one id and up to another; answers how many. */
export async function holdBetween(
  tx: WriteTx,
  hold: { readonly lineId: number; readonly move: string; readonly after: number; readonly last: number },
): Promise<number> {
  return tx.run(
    `update licenses set state = 'held', move = ?
     where +line_id = ? and id > ? and id <= ? and state = 'issued'`,
    hold.move,
    hold.lineId,
    hold.after,
    hold.last,
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
    `update licenses set state = 'released', ended = id where move = ? and id > ? and id <= ? and state = 'held'`,
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
/**
 * Whoever may have renewed a license by `atMs` without these books knowing, because it ended by then, has it until `untilMs`:
 * its unit is nobody else's before.
 */
export async function keepRenewed(
  tx: WriteTx,
  of: { readonly atMs: number; readonly untilMs: number },
): Promise<void> {
  await tx.run(
    'update licenses set lease_end = max(lease_end, ?) where ended = 0 and expires_at <= ?',
    of.untilMs,
    of.atMs,
  );
}

export async function extendLease(tx: WriteTx, id: number, leaseEnd: number): Promise<void> {
  await tx.run('update licenses set lease_end = ? where id = ?', leaseEnd, id);
}
