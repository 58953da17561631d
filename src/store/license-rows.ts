/** Licenses, temporaries, reservations and reserves of a license server: plain SQL, no rules. */
import type { CalType } from '../core/product.ts';
import type { ReadTx, WriteTx } from './port.ts';

/** What a token says beyond the row of its license, as it stood when it was signed first. */
export interface TokenMarks {
  /** Of this server. */
  readonly generation: number;
  /** Size of the journal, and the first 6 bytes of its root in hex. */
  readonly logSize: number;
  readonly logRoot: string;
}

export interface LicenseRow extends TokenMarks {
  readonly id: number;
  readonly lineId: number;
  readonly kind: CalType;
  readonly holder: string;
  readonly sub: string;
  readonly unit: number;
  readonly origin: string;
  readonly state: 'issued' | 'held' | 'returned' | 'expired' | 'released';
  readonly move: string | null;
  readonly inheritedFrom: string | null;
  readonly earlySource: string | null;
  /** When the token ends that was shown for `earlySource`, as far as is known here. */
  readonly earlyLeaseEnd: number | null;
  /** The authority that the token names. */
  readonly aid: string;
  readonly jti: string;
  /** 1 where the lease was given after the horizon: a unit at risk. */
  readonly late: 0 | 1;
  readonly issuedAt: number;
  readonly renewedAt: number;
  readonly expiresAt: number;
  readonly leaseEnd: number;
}

const columns = `l.id, l.line_id as "lineId", l.kind, l.holder, l.sub, l.unit, l.origin, l.state, l.move,
  l.inherited_from as "inheritedFrom", l.early_source as "earlySource", l.early_lease_end as "earlyLeaseEnd", l.aid, l.jti,
  l.generation, l.late, l.log_size as "logSize", l.log_root as "logRoot",
  l.issued_at as "issuedAt", l.renewed_at as "renewedAt",
  l.expires_at as "expiresAt", l.lease_end as "leaseEnd"`;

/** The live licenses of a holder, on whatever line. */
export async function liveLicenses(
  tx: ReadTx,
  kind: CalType,
  holder: string,
): Promise<readonly LicenseRow[]> {
  return tx.all<LicenseRow>(
    `select ${columns} from licenses l where l.kind = ? and l.holder = ? and l.ended = 0`,
    kind,
    holder,
  );
}

/** The latest lease end this holder ever had here on a line, also under a license since released. */
export async function latestLeaseEnd(
  tx: ReadTx,
  of: Pick<LicenseRow, 'lineId' | 'kind' | 'holder'>,
): Promise<number> {
  const row = await tx.get<{ latest: number | null }>(
    `select max(lease_end) as latest from licenses
     where kind = ? and holder = ? and line_id = ? and state in ('released', 'expired')`,
    of.kind,
    of.holder,
    of.lineId,
  );
  return row?.latest ?? 0;
}

export async function insertLicense(
  tx: WriteTx,
  row: Omit<LicenseRow, 'id' | 'move' | 'state'>,
): Promise<void> {
  await tx.run(
    `insert into licenses (line_id, kind, holder, sub, unit, origin, state, inherited_from, early_source,
       early_lease_end, aid, jti, generation, late, log_size, log_root, issued_at, renewed_at, expires_at, lease_end)
     values (?, ?, ?, ?, ?, ?, 'issued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.lineId,
    row.kind,
    row.holder,
    row.sub,
    row.unit,
    row.origin,
    row.inheritedFrom,
    row.earlySource,
    row.earlyLeaseEnd,
    row.aid,
    row.jti,
    row.generation,
    row.late,
    row.logSize,
    row.logRoot,
    row.issuedAt,
    row.renewedAt,
    row.expiresAt,
    row.leaseEnd,
  );
}

export async function renewLicense(
  tx: WriteTx,
  row: Omit<LicenseRow, 'lineId' | 'kind' | 'holder' | 'sub' | 'unit' | 'origin' | 'state' | 'issuedAt'>,
): Promise<void> {
  await tx.run(
    `update licenses set aid = ?, jti = ?, generation = ?, late = ?, log_size = ?, log_root = ?, renewed_at = ?,
       expires_at = ?, lease_end = ? where id = ?`,
    row.aid,
    row.jti,
    row.generation,
    row.late,
    row.logSize,
    row.logRoot,
    row.renewedAt,
    row.expiresAt,
    row.leaseEnd,
    row.id,
  );
}

export async function endLicense(
  tx: WriteTx,
  id: number,
  state: 'returned' | 'expired' | 'released',
): Promise<void> {
  await tx.run('update licenses set state = ?, ended = id where id = ?', state, id);
}

/** Ends the token of a license whose unit must still wait for `lease_end`. */
export async function endToken(tx: WriteTx, id: number, nowMs: number): Promise<void> {
  await tx.run('update licenses set expires_at = ? where id = ?', nowMs, id);
}

/** Issued licenses of a line whose lease has ended by `nowMs`, earliest first. */
export async function lapsedLicenses(
  tx: ReadTx,
  lineId: number,
  bound: { readonly nowMs: number; readonly limit: number },
): Promise<readonly LicenseRow[]> {
  return tx.all<LicenseRow>(
    `select ${columns} from licenses l where l.line_id = ? and l.state = 'issued' and l.lease_end < ?
       and l.inherited_from is null order by l.lease_end limit ?`,
    lineId,
    bound.nowMs,
    bound.limit,
  );
}

/** Freezes the `amount` issued licenses with the earliest lease end for a move; answers how many. */
export async function holdLicenses(
  tx: WriteTx,
  hold: { readonly lineId: number; readonly move: string; readonly amount: number },
): Promise<number> {
  return tx.run(
    `update licenses set state = 'held', move = ? where id in (
       select id from licenses where line_id = ? and state = 'issued' order by lease_end, id limit ?)`,
    hold.move,
    hold.lineId,
    hold.amount,
  );
}

export async function setHeldLicenses(
  tx: WriteTx,
  move: string,
  state: 'issued' | 'released',
): Promise<number> {
  return state === 'issued'
    ? tx.run(`update licenses set state = 'issued', move = null where move = ? and state = 'held'`, move)
    : tx.run(`update licenses set state = 'released', ended = id where move = ? and state = 'held'`, move);
}

export async function heldLicenses(tx: ReadTx, move: string): Promise<readonly LicenseRow[]> {
  return tx.all<LicenseRow>(
    `select ${columns} from licenses l where l.move = ? and l.state in ('held', 'released') order by l.id`,
    move,
  );
}

/**
 * Licenses taken over from `source` out of this server's own units, before its reserve arrived. One that is frozen to go
 * on is not among them: it goes as what it is, and its holder, whom the source may renew, has a place in what arrives.
 */
export async function takenOverEarly(
  tx: ReadTx,
  lineId: number,
  source: string,
): Promise<readonly LicenseRow[]> {
  return tx.all<LicenseRow>(
    `select ${columns} from licenses l where l.line_id = ? and l.ended = 0
       and l.early_source = ? and l.state <> 'held' order by l.id`,
    lineId,
    source,
  );
}

/**
 * Whether an early take-over may be counted against a reserve of its source: only while the token that was
 * shown still runs. A source gives the unit of a holder who has lapsed to somebody else, who then is among
 * those that the reserve is for (protocol §2.4, rule 1).
 */
export function countsAgainstReserve({ earlyLeaseEnd }: LicenseRow, nowMs: number): boolean {
  return earlyLeaseEnd !== null && earlyLeaseEnd > nowMs;
}

/** An early take-over is now counted against what came from its source; `move` where that is still open. */
export async function markInherited(tx: WriteTx, id: number, move: string | null): Promise<void> {
  await tx.run('update licenses set inherited_from = ?, early_source = null where id = ?', move, id);
}

export type EndedLicense = Pick<
  LicenseRow,
  'lineId' | 'sub' | 'unit' | 'origin' | 'state' | 'move' | 'issuedAt' | 'expiresAt'
>;

/** The newest license of a holder on some lines that has ended here, and the move that took it, if one did. */
export async function endedLicense(
  tx: ReadTx,
  of: { readonly kind: CalType; readonly holder: string; readonly lineIds: readonly number[] },
): Promise<EndedLicense | undefined> {
  if (of.lineIds.length === 0) return undefined;
  return tx.get<EndedLicense>(
    `select line_id as "lineId", sub, unit, origin, state, move, issued_at as "issuedAt", expires_at as "expiresAt" from licenses
     where kind = ? and holder = ? and ended > 0
       and line_id in (${of.lineIds.map(() => '?').join(', ')}) order by id desc limit 1`,
    of.kind,
    of.holder,
    ...of.lineIds,
  );
}

/** The source of a move is known to be closed: what came with it may lapse like any other license. */
export async function clearInherited(tx: WriteTx, move: string): Promise<void> {
  await tx.run('update licenses set inherited_from = null where inherited_from = ?', move);
}

export interface ListedLicense {
  readonly id: number;
  readonly product: string;
  readonly type: string;
  readonly holder: string;
  readonly unit: number;
  readonly origin: string;
  readonly state: string;
  readonly issuedAt: number;
  readonly renewedAt: number;
  readonly expiresAt: number;
  readonly leaseEnd: number;
}

/** A page of live licenses in order of issue, after the id `after`. */
export async function pageLicenses(
  tx: ReadTx,
  page: { readonly after: number; readonly limit: number },
): Promise<readonly ListedLicense[]> {
  return tx.all<ListedLicense>(
    `select l.id, n.product, n.type, l.holder, l.unit, l.origin, l.state, l.issued_at as "issuedAt",
       l.renewed_at as "renewedAt", l.expires_at as "expiresAt", l.lease_end as "leaseEnd"
     from licenses l join lines n on n.id = l.line_id
     where l.id > ? and l.state in ('issued', 'held') order by l.id limit ?`,
    page.after,
    page.limit,
  );
}

export async function insertRevoked(
  tx: WriteTx,
  row: { readonly jti: string; readonly lineId: number; readonly expiresAt: number },
): Promise<void> {
  await tx.run(
    'insert into revoked_tokens (jti, line_id, expires_at) values (?, ?, ?) on conflict (jti) do nothing',
    row.jti,
    row.lineId,
    row.expiresAt,
  );
}

/** Whether a token was ended before its time. */
export async function isRevoked(tx: ReadTx, jti: string): Promise<boolean> {
  return (await tx.get('select 1 as found from revoked_tokens where jti = ?', jti)) !== undefined;
}

/** How many tokens are revoked that have not ended yet, on all lines. */
export async function countRevoked(tx: ReadTx, nowMs: number): Promise<number> {
  const row = await tx.get<{ total: number }>(
    'select count(*) as total from revoked_tokens where expires_at >= ?',
    nowMs,
  );
  return row?.total ?? 0;
}

/** Whether a license of a line was returned whose token still runs. */
export async function hasRevoked(tx: ReadTx, lineId: number, nowMs: number): Promise<boolean> {
  const row = await tx.get<{ found: number }>(
    'select exists (select 1 from revoked_tokens where expires_at >= ? and line_id = ?) as found',
    nowMs,
    lineId,
  );
  return row?.found === 1;
}

export async function listRevoked(
  tx: ReadTx,
  lineIds: readonly number[],
  nowMs: number,
): Promise<readonly { readonly jti: string; readonly expiresAt: number }[]> {
  if (lineIds.length === 0) return [];
  const places = lineIds.map(() => '?').join(', ');
  return tx.all<{ jti: string; expiresAt: number }>(
    `select jti, expires_at as "expiresAt" from revoked_tokens where expires_at >= ? and line_id in (${places})
     order by expires_at, jti`,
    nowMs,
    ...lineIds,
  );
}

export interface TemporaryRow extends TokenMarks {
  readonly id: number;
  readonly product: string;
  readonly holder: string;
  readonly sub: string;
  readonly jti: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly validatedAt: number | null;
}

export async function findTemporary(
  tx: ReadTx,
  product: string,
  holder: string,
): Promise<TemporaryRow | undefined> {
  return tx.get<TemporaryRow>(
    `select id, product, holder, sub, jti, generation, log_size as "logSize", log_root as "logRoot",
       issued_at as "issuedAt", expires_at as "expiresAt",
       validated_at as "validatedAt" from temporaries where product = ? and holder = ?`,
    product,
    holder,
  );
}

export async function insertTemporary(
  tx: WriteTx,
  row: Omit<TemporaryRow, 'id' | 'validatedAt'>,
): Promise<void> {
  await tx.run(
    `insert into temporaries (product, holder, sub, jti, generation, log_size, log_root, issued_at, expires_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.product,
    row.holder,
    row.sub,
    row.jti,
    row.generation,
    row.logSize,
    row.logRoot,
    row.issuedAt,
    row.expiresAt,
  );
}

export async function markValidated(
  tx: WriteTx,
  mark: { readonly product: string; readonly holder: string; readonly nowMs: number },
): Promise<number> {
  return tx.run(
    'update temporaries set validated_at = ? where product = ? and holder = ? and validated_at is null',
    mark.nowMs,
    mark.product,
    mark.holder,
  );
}

/** Its holder has a permanent license now: the temporary one no longer counts, and is never given again. */
export async function markUpgraded(
  tx: WriteTx,
  mark: { readonly id: number; readonly nowMs: number },
): Promise<void> {
  await tx.run('update temporaries set upgraded_at = ? where id = ?', mark.nowMs, mark.id);
}

/** Unexpired temporary licenses, of a product or of all, whose holders have no permanent license yet. */
export async function countTemporaries(tx: ReadTx, product: string | null, nowMs: number): Promise<number> {
  const row =
    product === null
      ? await tx.get<{ total: number }>(
          'select count(*) as total from temporaries where expires_at >= ? and upgraded_at is null',
          nowMs,
        )
      : await tx.get<{ total: number }>(
          `select count(*) as total from temporaries
           where product = ? and expires_at >= ? and upgraded_at is null`,
          product,
          nowMs,
        );
  return row?.total ?? 0;
}
