/** License servers as the clearinghouse knows them, their authorities and chains: plain SQL, no rules. */
import type { ReadTx, WriteTx } from './port.ts';

export interface ServerRow {
  readonly licenseServerId: string;
  readonly name: string;
  readonly publicKey: string | null;
  readonly generation: number;
  readonly state: 'ok' | 'suspect' | 'closed';
  readonly seq: number;
  readonly logSize: number;
  readonly logRoot: string;
  readonly method: string | null;
  readonly lastContactAt: number | null;
  readonly addedAt: number;
}

const serverColumns = `license_server_id as "licenseServerId", name, public_key as "publicKey", generation, state,
  seq, log_size as "logSize", log_root as "logRoot", method, last_contact_at as "lastContactAt", added_at as "addedAt"`;

export async function findServer(tx: ReadTx, licenseServerId: string): Promise<ServerRow | undefined> {
  return tx.get<ServerRow>(
    `select ${serverColumns} from servers where license_server_id = ?`,
    licenseServerId,
  );
}

/** When any license server was last heard of, by message or by telephone. */
export async function newestContact(tx: ReadTx): Promise<number | null> {
  const row = await tx.get<{ at: number | null }>('select max(last_contact_at) as at from servers');
  return row?.at ?? null;
}

export async function pageServers(
  tx: ReadTx,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly ServerRow[]> {
  return tx.all<ServerRow>(
    `select ${serverColumns} from servers where license_server_id > ? order by license_server_id limit ?`,
    page.after,
    page.limit,
  );
}

export async function saveServer(tx: WriteTx, row: ServerRow): Promise<void> {
  await tx.run(
    `insert into servers (license_server_id, name, public_key, generation, state, seq, log_size, log_root, method,
       last_contact_at, added_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     on conflict (license_server_id) do update set name = excluded.name, public_key = excluded.public_key,
       generation = excluded.generation, state = excluded.state, seq = excluded.seq, log_size = excluded.log_size,
       log_root = excluded.log_root, method = excluded.method, last_contact_at = excluded.last_contact_at`,
    row.licenseServerId,
    row.name,
    row.publicKey,
    row.generation,
    row.state,
    row.seq,
    row.logSize,
    row.logRoot,
    row.method,
    row.lastContactAt,
    row.addedAt,
  );
}

export interface ReceivedRow {
  readonly licenseServerId: string;
  readonly generation: number;
  readonly seq: number;
  readonly id: string;
  readonly digest: string;
  readonly at: number;
}

export async function findReceived(
  tx: ReadTx,
  place: Pick<ReceivedRow, 'licenseServerId' | 'generation' | 'seq'>,
): Promise<ReceivedRow | undefined> {
  return tx.get<ReceivedRow>(
    `select license_server_id as "licenseServerId", generation, seq, id, digest, at from received_messages
     where license_server_id = ? and generation = ? and seq = ?`,
    place.licenseServerId,
    place.generation,
    place.seq,
  );
}

export async function insertReceived(tx: WriteTx, row: ReceivedRow): Promise<void> {
  await tx.run(
    'insert into received_messages (license_server_id, generation, seq, id, digest, at) values (?, ?, ?, ?, ?, ?)',
    row.licenseServerId,
    row.generation,
    row.seq,
    row.id,
    row.digest,
    row.at,
  );
}

export interface GrantedAuthorityRow {
  readonly aid: string;
  readonly agreement: string;
  readonly licenseServerId: string;
  readonly generation: number;
  readonly basis: 'slot' | 'key';
  readonly slot: number | null;
  readonly baseMonth: number;
  readonly sunsetMonths: number;
  readonly state: 'active' | 'superseded' | 'closed';
  readonly document: string | null;
  readonly confirmationKey: Uint8Array;
  readonly confirmationSeq: number;
  readonly freezes: number;
  readonly releases: number;
  readonly returns: number;
  readonly horizonE: number;
  readonly activatedAt: number;
}

const authorityColumns = `aid, agreement, license_server_id as "licenseServerId", generation, basis, slot,
  base_month as "baseMonth", sunset_months as "sunsetMonths", state, document,
  confirmation_key as "confirmationKey", confirmation_seq as "confirmationSeq", freezes, releases, returns,
  horizon_e as "horizonE", activated_at as "activatedAt"`;

/** The authority in force of a server under an agreement, open or closed. */
export async function findGrantedAuthority(
  tx: ReadTx,
  licenseServerId: string,
  agreement: string,
): Promise<GrantedAuthorityRow | undefined> {
  return tx.get<GrantedAuthorityRow>(
    `select ${authorityColumns} from authorities
     where license_server_id = ? and agreement = ? and state <> 'superseded'`,
    licenseServerId,
    agreement,
  );
}

export async function authoritiesOfServer(
  tx: ReadTx,
  licenseServerId: string,
): Promise<readonly GrantedAuthorityRow[]> {
  return tx.all<GrantedAuthorityRow>(
    `select ${authorityColumns} from authorities
     where license_server_id = ? and state <> 'superseded' order by activated_at, aid`,
    licenseServerId,
  );
}

/** Every authority that there ever was under an agreement, the superseded ones too. */
export async function authoritiesOfAgreement(
  tx: ReadTx,
  agreement: string,
): Promise<readonly GrantedAuthorityRow[]> {
  return tx.all<GrantedAuthorityRow>(
    `select ${authorityColumns} from authorities where agreement = ? order by activated_at, aid`,
    agreement,
  );
}

/** Authorities that a certificate has taken the place of: codes made under them may still be read. */
export async function supersededAuthorities(
  tx: ReadTx,
  licenseServerId: string,
): Promise<readonly GrantedAuthorityRow[]> {
  return tx.all<GrantedAuthorityRow>(
    `select ${authorityColumns} from authorities
     where license_server_id = ? and state = 'superseded' order by activated_at desc, aid`,
    licenseServerId,
  );
}

export async function saveGrantedAuthority(tx: WriteTx, row: GrantedAuthorityRow): Promise<void> {
  await tx.run(
    `insert into authorities (aid, agreement, license_server_id, generation, basis, slot, base_month, sunset_months,
       state, document, confirmation_key, confirmation_seq, freezes, releases, returns, horizon_e, activated_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     on conflict (aid) do update set generation = excluded.generation, state = excluded.state,
       document = excluded.document, confirmation_key = excluded.confirmation_key,
       confirmation_seq = excluded.confirmation_seq, freezes = excluded.freezes, releases = excluded.releases,
       returns = excluded.returns, horizon_e = excluded.horizon_e`,
    row.aid,
    row.agreement,
    row.licenseServerId,
    row.generation,
    row.basis,
    row.slot,
    row.baseMonth,
    row.sunsetMonths,
    row.state,
    row.document,
    row.confirmationKey,
    row.confirmationSeq,
    row.freezes,
    row.releases,
    row.returns,
    row.horizonE,
    row.activatedAt,
  );
}

/** The sealed ratchet of every authority that there ever was. */
export async function sealedKeys(
  tx: ReadTx,
): Promise<readonly { readonly aid: string; readonly sealed: Uint8Array }[]> {
  return tx.all('select aid, confirmation_key as sealed from authorities order by aid');
}

export async function saveSealedKey(tx: WriteTx, aid: string, sealed: Uint8Array): Promise<void> {
  await tx.run('update authorities set confirmation_key = ? where aid = ?', sealed, aid);
}

export interface ChainRow {
  readonly aid: string;
  readonly line: number;
  readonly kind: 'free' | 'held';
  readonly openUnits: number;
  readonly k: number;
  readonly confirmedK: number;
}

export async function chainsOf(tx: ReadTx, aid: string): Promise<readonly ChainRow[]> {
  return tx.all<ChainRow>(
    `select aid, line, kind, open_units as "openUnits", k, confirmed_k as "confirmedK" from chains
     where aid = ? order by line, kind`,
    aid,
  );
}

export async function saveChain(tx: WriteTx, row: ChainRow): Promise<void> {
  await tx.run(
    `insert into chains (aid, line, kind, open_units, k, confirmed_k) values (?, ?, ?, ?, ?, ?)
     on conflict (aid, line, kind) do update set k = excluded.k, confirmed_k = excluded.confirmed_k`,
    row.aid,
    row.line,
    row.kind,
    row.openUnits,
    row.k,
    row.confirmedK,
  );
}

export interface GrantRow {
  readonly id: string;
  readonly aid: string;
  readonly agreement: string;
  readonly licenseServerId: string;
  readonly line: number;
  readonly kind: 'free' | 'held';
  readonly kBefore: number;
  readonly kAfter: number;
  readonly carrier: string;
  readonly source: string | null;
  readonly move: string | null;
  readonly at: number;
  /** Units that the target has applied and given up again before the move had brought them. */
  readonly givenUp: number;
}

const grantColumns = `id, aid, agreement, license_server_id as "licenseServerId", line, kind, k_before as "kBefore",
  k_after as "kAfter", carrier, source, move, at, given_up as "givenUp"`;

export async function insertGrant(tx: WriteTx, row: Omit<GrantRow, 'givenUp'>): Promise<void> {
  await tx.run(
    `insert into grants (id, aid, agreement, license_server_id, line, kind, k_before, k_after, carrier, source, move, at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.id,
    row.aid,
    row.agreement,
    row.licenseServerId,
    row.line,
    row.kind,
    row.kBefore,
    row.kAfter,
    row.carrier,
    row.source,
    row.move,
    row.at,
  );
}

export async function markGivenUp(tx: WriteTx, id: string, units: number): Promise<void> {
  await tx.run('update grants set given_up = ? where id = ?', units, id);
}

/** Grants of an authority above the positions a confirmation has vouched for, in order. */
export async function grantsOf(tx: ReadTx, aid: string): Promise<readonly GrantRow[]> {
  return tx.all<GrantRow>(
    `select ${grantColumns} from grants where aid = ? order by line, kind, k_after`,
    aid,
  );
}

/** A key pack by telephone that has a source. */
export interface SourcedPack extends Pick<GrantRow, 'line' | 'kind' | 'kBefore' | 'kAfter'> {
  readonly source: string;
  /**
   * 1: its source no longer functions, and what was declared is granted. One of unissued CALs must be of that grant itself;
   * any of CALs with holders is for those who wait for that source.
   */
  readonly dead: 0 | 1;
}

/** The key packs by telephone of an authority that have a source, in the order of their positions. */
export async function sourcedPacks(tx: ReadTx, aid: string): Promise<readonly SourcedPack[]> {
  return tx.all<SourcedPack>(
    `select g.line, g.kind, g.k_before as "kBefore", g.k_after as "kAfter", g.source,
       exists (select 1 from dead_sources d where d.granted_at is not null and d.source = g.source
         and d.agreement = g.agreement and d.line = g.line and (g.kind = 'held' or d.move = g.move)) as dead
     from grants g where g.aid = ? and g.carrier = 'telephone' and g.source is not null
     order by g.line, g.kind, g.k_after`,
    aid,
  );
}

/**
 * The first position of the held chain of each line that a move by messages has been granted and its source not
 * been heard to release, while its target has not reported to have it.
 */
export async function unreleasedFrom(tx: ReadTx, aid: string): Promise<ReadonlyMap<number, number>> {
  const rows = await tx.all<{ line: number; from: number }>(
    `select g.line, min(g.k_before) as "from" from grants g join moves m on m.id = g.move
     where g.aid = ? and g.kind = 'held' and g.k_after > g.k_before and m.carrier = 'online'
       and m.state in ('granted', 'aborting') group by g.line`,
    aid,
  );
  return new Map(rows.map(({ line, from }) => [line, from]));
}

/** Grants by their ids. */
export async function findGrants(tx: ReadTx, ids: readonly string[]): Promise<readonly GrantRow[]> {
  const places = ids.map(() => '?').join(', ');
  return tx.all<GrantRow>(`select ${grantColumns} from grants where id in (${places})`, ...ids);
}
