/** What is read from the database of a server in whose place another comes, and written to that one's: plain SQL, no rules. */
import type { CalType } from '../core/product.ts';
import type { TemporaryRow, TokenMarks } from './license-rows.ts';
import type { ReadTx, WriteTx } from './port.ts';

/** Settings in `meta` that hold for the next server as well. */
export const takenSettings: readonly string[] = [
  ...['trustList', 'salt', 'clearinghouseUrl', 'method', 'address', 'allowedHosts', 'backup', 'newestSeen'],
];

/** Somebody with a CAL of that server, or with the right to one. */
export interface LegacyHolder {
  readonly id: number;
  readonly agreement: string;
  readonly line: number;
  readonly product: string;
  readonly kind: CalType;
  readonly holder: string | null;
  readonly sub: string;
  /** Null: the server itself. */
  readonly source: string | null;
  readonly origin: string;
  readonly leaseEnd: number;
  readonly until: number;
}

interface Page {
  readonly after: number;
  readonly limit: number;
}

/** Living licenses, frozen ones included. */
const licensed = (tx: ReadTx, { after, limit }: Page): Promise<readonly LegacyHolder[]> =>
  tx.all<LegacyHolder>(
    `select l.id, n.agreement, n.line, n.product, l.kind, l.holder, l.sub, null as source, l.origin,
       l.lease_end as "leaseEnd", 0 as until
     from licenses l join lines n on n.id = l.line_id where l.id > ? and l.ended = 0 order by l.id limit ?`,
    after,
    limit,
  );

/** CALs that had come for a holder by name, who has not come for it. */
const reserved = (tx: ReadTx, { after, limit }: Page): Promise<readonly LegacyHolder[]> =>
  tx.all<LegacyHolder>(
    `select r.rowid as id, n.agreement, n.line, n.product, r.kind, null as holder, r.sub, null as source, r.origin,
       r.lease_end as "leaseEnd", 0 as until
     from reservations r join lines n on n.id = r.line_id
     where r.rowid > ? and r.state in ('reserved', 'frozen') order by r.rowid limit ?`,
    after,
    limit,
  );

/** Holders of a server that was dead for that one, who wait for its CALs. */
const bridged = (tx: ReadTx, { after, limit }: Page): Promise<readonly LegacyHolder[]> =>
  tx.all<LegacyHolder>(
    `select g.id, n.agreement, n.line, n.product, n.type as kind, nullif(g.holder, '') as holder, g.source_sub as sub,
       g.source, g.origin, g.lease_end as "leaseEnd", g.until
     from gap_licenses g join lines n on n.id = g.line_id
     where g.id > ? and g.upgraded_at is null order by g.id limit ?`,
    after,
    limit,
  );

/** Holders whom it had itself only restored. */
const restored = (tx: ReadTx, { after, limit }: Page): Promise<readonly LegacyHolder[]> =>
  tx.all<LegacyHolder>(
    `select id, agreement, line, product, kind, holder, sub, source, origin, lease_end as "leaseEnd", until
     from restored_holders where id > ? order by id limit ?`,
    after,
    limit,
  );

/** All of them, one kind after the other. */
export const holderPages = [licensed, reserved, bridged, restored];

/** How many are restored, by `agreement/line`. */
export async function countRestored(tx: ReadTx): Promise<ReadonlyMap<string, number>> {
  const rows = await tx.all<{ place: string; holders: number }>(
    `select agreement || '/' || line as place, count(*) as holders from restored_holders group by agreement, line`,
  );
  return new Map(rows.map(({ place, holders }) => [place, holders]));
}

export interface PeerRow {
  readonly licenseServerId: string;
  readonly name: string | null;
  readonly url: string | null;
}

export async function readPeers(tx: ReadTx): Promise<readonly PeerRow[]> {
  return tx.all<PeerRow>('select license_server_id as "licenseServerId", name, url from peers');
}

type Temporary = TemporaryRow & { readonly upgradedAt: number | null };

export async function listTemporaries(tx: ReadTx, { after, limit }: Page): Promise<readonly Temporary[]> {
  return tx.all<Temporary>(
    `select id, product, holder, sub, jti, generation, log_size as "logSize", log_root as "logRoot",
       issued_at as "issuedAt", expires_at as "expiresAt", validated_at as "validatedAt", upgraded_at as "upgradedAt"
     from temporaries where id > ? order by id limit ?`,
    after,
    limit,
  );
}

/**
 * A device has one temporary license for life: those that were given count here, under the marks of this server. One that
 * a permanent license had followed is over.
 */
export async function insertTemporaries(
  tx: WriteTx,
  rows: readonly Temporary[],
  { generation, logSize, logRoot }: TokenMarks,
): Promise<void> {
  for (const row of rows) {
    await tx.run(
      `insert into temporaries (product, holder, sub, jti, generation, log_size, log_root, issued_at, expires_at,
         validated_at, upgraded_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[row.product, row.holder, row.sub, row.jti, generation, logSize, logRoot],
      ...[row.issuedAt, Math.min(row.expiresAt, row.upgradedAt ?? row.expiresAt), row.validatedAt],
      row.upgradedAt,
    );
  }
}
