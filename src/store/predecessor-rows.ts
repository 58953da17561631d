/** Servers in whose place this one has come, and the holders whom they knew: plain SQL, no rules. */
import type { CalType } from '../core/product.ts';
import type { LostLine, RecoveryReason, SuccessionCause } from '../core/recovery.ts';
import type { GapRow } from './gap-rows.ts';
import type { ReadTx, WriteTx } from './port.ts';

export interface PredecessorRow {
  readonly licenseServerId: string;
  readonly cause: SuccessionCause;
  readonly reason: RecoveryReason;
  readonly at: number;
  /** The name of the folder that its files were set aside in. */
  readonly aside: string;
  /** Null where its database could not be read. */
  readonly lines: readonly LostLine[] | null;
  /** Signed by its own key; null where that did not open any more. */
  readonly proof: string | null;
}

/** Oldest first. */
export async function listPredecessors(tx: ReadTx): Promise<readonly PredecessorRow[]> {
  const rows = await tx.all<Omit<PredecessorRow, 'lines'> & { readonly lines: string | null }>(
    `select license_server_id as "licenseServerId", cause, reason, at, aside, lines, proof from predecessors
     order by at, license_server_id`,
  );
  return rows.map((row) => ({
    ...row,
    lines: row.lines === null ? null : (JSON.parse(row.lines) as LostLine[]),
  }));
}

export async function isPredecessor(tx: ReadTx, licenseServerId: string): Promise<boolean> {
  const row = await tx.get(
    'select 1 as found from predecessors where license_server_id = ?',
    licenseServerId,
  );
  return row !== undefined;
}

export async function insertPredecessor(tx: WriteTx, row: PredecessorRow): Promise<void> {
  await tx.run(
    'insert into predecessors (license_server_id, cause, reason, at, aside, lines, proof) values (?, ?, ?, ?, ?, ?, ?)',
    ...[row.licenseServerId, row.cause, row.reason, row.at, row.aside],
    ...[row.lines === null ? null : JSON.stringify(row.lines), row.proof],
  );
}

/** A holder under an agreement that this server is not activated for yet, and the license that it was given since. */
export interface RestoredRow extends Omit<GapRow, 'lineId' | 'holder' | 'sub' | 'sourceSub'> {
  readonly agreement: string;
  readonly line: number;
  readonly kind: CalType;
  readonly holder: string | null;
  readonly sub: string;
  readonly bareSub: string;
}

const columns = `id, agreement, line, product, kind, holder, sub, source, origin, lease_end as "leaseEnd", until, jti,
  bare_sub as "bareSub", generation, log_size as "logSize", log_root as "logRoot", issued_at as "issuedAt",
  expires_at as "expiresAt"`;

export async function hasRestored(tx: ReadTx): Promise<boolean> {
  return (await tx.get('select 1 as found from restored_holders limit 1')) !== undefined;
}

export async function findRestored(
  tx: ReadTx,
  of: { readonly kind: CalType; readonly holder: string; readonly product: string },
): Promise<RestoredRow | undefined> {
  return tx.get<RestoredRow>(
    `select ${columns} from restored_holders where kind = ? and holder = ? and product = ?
     order by lease_end desc limit 1`,
    ...[of.kind, of.holder, of.product],
  );
}

/** So many rows go with one statement. */
const rowsAtOnce = 200;

/** Holders who were given nothing here yet. Of one subject that is there twice the later lease counts. */
export async function insertRestored(
  tx: WriteTx,
  rows: readonly Pick<
    RestoredRow,
    'agreement' | 'line' | 'product' | 'kind' | 'holder' | 'sub' | 'source' | 'origin' | 'leaseEnd' | 'until'
  >[],
): Promise<void> {
  for (let from = 0; from < rows.length; from += rowsAtOnce) {
    const some = rows.slice(from, from + rowsAtOnce);
    await tx.run(
      `insert into restored_holders (agreement, line, product, kind, holder, sub, source, origin, lease_end, until)
       values ${some.map(() => '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').join(', ')}
       on conflict (agreement, line, sub) do update set lease_end = max(lease_end, excluded.lease_end),
         holder = coalesce(holder, excluded.holder)`,
      ...some.flatMap((row) => [
        ...[row.agreement, row.line, row.product, row.kind, row.holder],
        ...[row.sub, row.source, row.origin, row.leaseEnd, row.until],
      ]),
    );
  }
}

/** The license that a restored holder is given, anew. */
export async function updateRestored(
  tx: WriteTx,
  row: Pick<
    RestoredRow,
    'id' | 'bareSub' | 'jti' | 'generation' | 'logSize' | 'logRoot' | 'issuedAt' | 'expiresAt'
  >,
): Promise<void> {
  await tx.run(
    `update restored_holders set jti = ?, bare_sub = ?, generation = ?, log_size = ?, log_root = ?, issued_at = ?,
       expires_at = ? where id = ?`,
    ...[row.jti, row.bareSub, row.generation, row.logSize, row.logRoot, row.issuedAt, row.expiresAt, row.id],
  );
}

/** Under an agreement whose lines are here now restored holders are like any others of a dead source. */
export async function restoreToLines(tx: WriteTx, agreement: string): Promise<void> {
  await tx.run(
    `insert into gap_licenses (line_id, product, holder, sub, source_sub, source, origin, lease_end, jti, generation,
       log_size, log_root, issued_at, expires_at, until)
     select l.id, r.product, coalesce(r.holder, ''), r.bare_sub, r.sub, r.source, r.origin, r.lease_end, r.jti,
       r.generation, r.log_size, r.log_root, r.issued_at, r.expires_at, r.until
     from restored_holders r join lines l on l.agreement = r.agreement and l.line = r.line
     where r.agreement = ? order by r.id
     on conflict (line_id, source_sub) do nothing`,
    agreement,
  );
  await tx.run(
    `delete from restored_holders where agreement = ?
       and line in (select line from lines where agreement = ?)`,
    agreement,
    agreement,
  );
}
