/** Sources that no longer function, and the gap licenses of their holders, on the target: plain SQL, no rules. */
import type { TemporaryRow } from './license-rows.ts';
import type { ReadTx, WriteTx } from './port.ts';

export interface DeclaredRow {
  readonly move: string;
  readonly lineId: number;
  readonly source: string;
  readonly statement: string;
  readonly declaredBy: string;
  readonly horizon: number | null;
  readonly opensAt: number | null;
  /** `asked`: not answered yet. `over`: the source has spoken, or the move was refused or undone. */
  readonly state: 'asked' | 'waiting' | 'granted' | 'over';
}

const declaredColumns = `move, line_id as "lineId", source, statement, declared_by as "declaredBy", horizon,
  opens_at as "opensAt", state`;

export async function findDeclared(tx: ReadTx, move: string): Promise<DeclaredRow | undefined> {
  return tx.get<DeclaredRow>(`select ${declaredColumns} from dead_sources where move = ?`, move);
}

/** The declaration of a source on a line that is asked for or waits, if any. */
export async function openDeclaration(
  tx: ReadTx,
  of: { readonly lineId: number; readonly source: string },
): Promise<DeclaredRow | undefined> {
  return tx.get<DeclaredRow>(
    `select ${declaredColumns} from dead_sources where line_id = ? and source = ? and state in ('asked', 'waiting')`,
    of.lineId,
    of.source,
  );
}

/** Servers whose CALs had gone on to a dead source, as far as they are known. */
export async function addEarlierSources(
  tx: WriteTx,
  move: string,
  sources: readonly string[],
): Promise<void> {
  for (const source of sources) {
    await tx.run(
      'insert into earlier_sources (move, source) values (?, ?) on conflict do nothing',
      move,
      source,
    );
  }
}

export async function earlierSourcesOf(tx: ReadTx, move: string): Promise<readonly string[]> {
  const rows = await tx.all<{ source: string }>('select source from earlier_sources where move = ?', move);
  return rows.map(({ source }) => source);
}

/** A declaration concerns the holders of its source, and those of the servers that CALs had come to it from. */
const concerns =
  '(d.source = ? or exists (select 1 from earlier_sources e where e.move = d.move and e.source = ?))';

/** Whether the CALs of a server's holders wait for a dead source, or for the end of all leases that it gave. */
export async function waitsForDead(
  tx: ReadTx,
  of: { readonly lineId: number; readonly source: string; readonly nowMs: number },
): Promise<boolean> {
  const row = await tx.get(
    `select 1 as found from dead_sources d where d.line_id = ? and ${concerns}
       and (d.state = 'waiting' or (d.state = 'granted' and d.opens_at > ?)) limit 1`,
    ...[of.lineId, of.source, of.source, of.nowMs],
  );
  return row !== undefined;
}

/** The sources whose key pack is awaited on a line, which the desk reads out. */
export async function waitingByTelephone(tx: ReadTx, lineId: number): Promise<readonly string[]> {
  const rows = await tx.all<{ source: string }>(
    `select d.source from dead_sources d join moves m on m.id = d.move
     where d.line_id = ? and d.state = 'waiting' and m.carrier = 'telephone' order by m.started_at, m.id`,
    lineId,
  );
  return rows.map(({ source }) => source);
}

/** A declaration of a source on a line that holds, whether it waits or its units were granted. */
export async function holdingDeclaration(
  tx: ReadTx,
  of: { readonly lineId: number; readonly source: string },
): Promise<DeclaredRow | undefined> {
  return tx.get<DeclaredRow>(
    `select ${declaredColumns} from dead_sources where line_id = ? and source = ? and state in ('waiting', 'granted')
     order by move limit 1`,
    of.lineId,
    of.source,
  );
}

/** A declaration that came to nothing: nothing was there, the source spoke, or it was undone. */
export interface EndedDeclaration {
  readonly carrier: 'online' | 'telephone';
  /** The refusal of the clearinghouse; null where there is none. */
  readonly refused: string | null;
}

export async function endedDeclarations(
  tx: ReadTx,
  of: { readonly lineId: number; readonly source: string },
): Promise<readonly EndedDeclaration[]> {
  return tx.all<EndedDeclaration>(
    `select m.carrier, r.answer as refused from dead_sources d join moves m on m.id = d.move
     left join requests r on r.id = 'move:' || d.move and r.state = 'refused'
     where d.line_id = ? and d.source = ? and d.state = 'over'`,
    of.lineId,
    of.source,
  );
}

/** Whether any other server is known to be dead here: where none is, nobody looks for one. */
export async function hasDead(tx: ReadTx): Promise<boolean> {
  const found = await tx.get(
    'select 1 as found where exists (select 1 from dead_sources) or exists (select 1 from predecessors)',
  );
  return found !== undefined;
}

/** When all leases of a dead source on a line have ended; 0 where it is none. */
export async function leasesEndOf(tx: ReadTx, lineId: number, source: string): Promise<number> {
  const row = await tx.get<{ at: number | null }>(
    `select max(opens_at) as at from dead_sources where line_id = ? and source = ? and state = 'granted'`,
    lineId,
    source,
  );
  return row?.at ?? 0;
}

/** Until when the units of a server's holders wait for the leases of a dead source to end; null where that is not known or over. */
export async function waitsUntil(
  tx: ReadTx,
  of: { readonly lineId: number; readonly source: string },
): Promise<number | null> {
  const row = await tx.get<{ at: number | null }>(
    `select max(d.opens_at) as at from dead_sources d
     where d.line_id = ? and ${concerns} and d.state in ('waiting', 'granted')`,
    ...[of.lineId, of.source, of.source],
  );
  return row?.at ?? null;
}

export async function saveDeclared(tx: WriteTx, row: DeclaredRow): Promise<void> {
  await tx.run(
    `insert into dead_sources (move, line_id, source, statement, declared_by, horizon, opens_at, state)
     values (?, ?, ?, ?, ?, ?, ?, ?)
     on conflict (move) do update set horizon = excluded.horizon, opens_at = excluded.opens_at,
       state = excluded.state`,
    row.move,
    row.lineId,
    row.source,
    row.statement,
    row.declaredBy,
    row.horizon,
    row.opensAt,
    row.state,
  );
}

/** No further gap licenses for the holders of its source: that one works, or nothing came of the declaration. */
export async function endDeclaration(tx: WriteTx, move: string): Promise<void> {
  await tx.run(`update dead_sources set state = 'over' where move = ?`, move);
}

/** A gap license, and the token of the source that its holder has shown. */
export interface GapRow extends Omit<TemporaryRow, 'validatedAt'> {
  readonly lineId: number;
  readonly sourceSub: string;
  readonly source: string;
  readonly origin: string;
  readonly leaseEnd: number;
  /** Of a holder restored from the server before: until when it is renewed, whatever else; 0: of none. */
  readonly until: number;
}

const gapColumns = `id, line_id as "lineId", product, holder, sub, source_sub as "sourceSub", source, origin,
  lease_end as "leaseEnd", until, jti, generation, log_size as "logSize", log_root as "logRoot",
  issued_at as "issuedAt", expires_at as "expiresAt"`;

/** The gap license that a holder was given and has no permanent one after. */
export async function findGap(tx: ReadTx, lineId: number, sub: string): Promise<GapRow | undefined> {
  return tx.get<GapRow>(
    `select ${gapColumns} from gap_licenses where line_id = ? and source_sub = ? and upgraded_at is null`,
    lineId,
    sub,
  );
}

/** Whether a holder ever had one. */
export async function hadGap(tx: ReadTx, lineId: number, sub: string): Promise<boolean> {
  const row = await tx.get<{ id: number }>(
    'select id from gap_licenses where line_id = ? and source_sub = ?',
    lineId,
    sub,
  );
  return row !== undefined;
}

/**
 * Holders who wait for the units of a dead source: its own, those first whose shown token ends first, then those of
 * the servers that CALs had come to it from.
 */
export async function waitingGaps(
  tx: ReadTx,
  of: Pick<DeclaredRow, 'move' | 'lineId' | 'source'>,
): Promise<readonly GapRow[]> {
  return tx.all<GapRow>(
    `select ${gapColumns} from gap_licenses where line_id = ? and upgraded_at is null and reserved_at is null
       and (source = ? or source in (select source from earlier_sources where move = ?))
     order by source <> ?, lease_end, id`,
    ...[of.lineId, of.source, of.move, of.source],
  );
}

/** Whether somebody else has a CAL of this first issue here, or one is reserved for them. */
export async function isOthers(
  tx: ReadTx,
  of: { readonly lineId: number; readonly origin: string; readonly sub: string },
): Promise<boolean> {
  const row = await tx.get(
    `select 1 as found where exists (select 1 from licenses where line_id = ? and origin = ? and sub <> ? and ended = 0)
       or exists (select 1 from reservations where line_id = ? and origin = ? and sub <> ? and state = 'reserved')`,
    ...[of.lineId, of.origin, of.sub, of.lineId, of.origin, of.sub],
  );
  return row !== undefined;
}

export async function insertGap(tx: WriteTx, row: Omit<GapRow, 'id' | 'until'>): Promise<void> {
  await tx.run(
    `insert into gap_licenses (line_id, product, holder, sub, source_sub, source, origin, lease_end, jti,
       generation, log_size, log_root, issued_at, expires_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.lineId,
    row.product,
    row.holder,
    row.sub,
    row.sourceSub,
    row.source,
    row.origin,
    row.leaseEnd,
    row.jti,
    row.generation,
    row.logSize,
    row.logRoot,
    row.issuedAt,
    row.expiresAt,
  );
}

/** A new token of the same gap license; a restored holder's first one. */
export async function updateGap(tx: WriteTx, row: GapRow): Promise<void> {
  await tx.run(
    `update gap_licenses set holder = ?, sub = ?, jti = ?, generation = ?, log_size = ?, log_root = ?, issued_at = ?,
       expires_at = ? where id = ?`,
    ...[row.holder, row.sub, row.jti, row.generation, row.logSize, row.logRoot, row.issuedAt],
    ...[row.expiresAt, row.id],
  );
}

/** So many rows go with one statement. */
const rowsAtOnce = 500;

/** A unit of the source is reserved for each of these holders now. */
export async function markReserved(tx: WriteTx, ids: readonly number[], nowMs: number): Promise<void> {
  for (let from = 0; from < ids.length; from += rowsAtOnce) {
    const some = ids.slice(from, from + rowsAtOnce);
    const places = some.map(() => '?').join(', ');
    await tx.run(`update gap_licenses set reserved_at = ? where id in (${places})`, nowMs, ...some);
  }
}

/** Its holder has a permanent license now. */
export async function markBridged(tx: WriteTx, id: number, nowMs: number): Promise<void> {
  await tx.run('update gap_licenses set upgraded_at = ? where id = ?', nowMs, id);
}

/** Gap licenses that run, of holders who have no permanent license yet. */
export async function countGaps(tx: ReadTx, nowMs: number): Promise<number> {
  const row = await tx.get<{ total: number }>(
    'select count(*) as total from gap_licenses where expires_at >= ? and upgraded_at is null',
    nowMs,
  );
  return row?.total ?? 0;
}
