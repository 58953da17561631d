/** Recoveries of a clearinghouse that was restored, and whose reports are waited for: plain SQL, no rules. */
import type { ReadTx, WriteTx } from './port.ts';

export interface RecoveryRow {
  readonly epoch: number;
  readonly at: number;
  readonly backupAt: number;
}

/** The newest; undefined where it was never restored. */
export async function findRecovery(tx: ReadTx): Promise<RecoveryRow | undefined> {
  return tx.get<RecoveryRow>(
    'select epoch, at, backup_at as "backupAt" from recoveries order by epoch desc limit 1',
  );
}

export async function insertRecovery(tx: WriteTx, row: RecoveryRow): Promise<void> {
  await tx.run(
    'insert into recoveries (epoch, at, backup_at) values (?, ?, ?)',
    row.epoch,
    row.at,
    row.backupAt,
  );
}

/** Stands for the license servers that a backup does not know. */
export const unknownServers = '';

export interface RecoveringServer {
  readonly agreement: string;
  /** Or `unknownServers`. */
  readonly licenseServerId: string;
  readonly state: 'awaited' | 'uncovered' | 'certificate' | 'done' | 'opened';
  readonly until: number;
  readonly missing: number;
  readonly changedAt: number;
}

const columns = `agreement, license_server_id as "licenseServerId", state, until, missing, changed_at as "changedAt"`;
const waits = `state in ('awaited', 'uncovered', 'certificate') and until >= ?`;

export async function findRecovering(
  tx: ReadTx,
  of: Pick<RecoveringServer, 'agreement' | 'licenseServerId'>,
): Promise<RecoveringServer | undefined> {
  return tx.get<RecoveringServer>(
    `select ${columns} from recovery_servers where agreement = ? and license_server_id = ?`,
    ...[of.agreement, of.licenseServerId],
  );
}

/** All that is known of one server in the last recovery. */
export async function recoveringServer(
  tx: ReadTx,
  licenseServerId: string,
): Promise<readonly RecoveringServer[]> {
  return tx.all<RecoveringServer>(
    `select ${columns} from recovery_servers where license_server_id = ? order by agreement`,
    licenseServerId,
  );
}

export async function agreementNumbers(tx: ReadTx): Promise<readonly string[]> {
  const rows = await tx.all<{ number: string }>('select number from agreements order by number');
  return rows.map(({ number }) => number);
}

/** Those that are waited for, of all agreements. */
export async function listRecovering(tx: ReadTx, nowMs: number): Promise<readonly RecoveringServer[]> {
  return tx.all<RecoveringServer>(
    `select ${columns} from recovery_servers where ${waits} order by agreement, license_server_id`,
    nowMs,
  );
}

/** Those of an agreement that are waited for. */
export async function recoveringOf(
  tx: ReadTx,
  agreement: string,
  nowMs: number,
): Promise<readonly RecoveringServer[]> {
  return tx.all<RecoveringServer>(
    `select ${columns} from recovery_servers where agreement = ? and ${waits} order by license_server_id`,
    ...[agreement, nowMs],
  );
}

/** Whether a server's positions are still to be told, under one agreement or (undefined) any. */
export async function isUnheard(
  tx: ReadTx,
  of: { readonly licenseServerId: string; readonly agreement?: string | undefined; readonly nowMs: number },
): Promise<boolean> {
  const row = await tx.get(
    `select 1 as found from recovery_servers where license_server_id = ? and (? = '' or agreement = ?)
       and state in ('awaited', 'uncovered') and until >= ? limit 1`,
    ...[of.licenseServerId, of.agreement ?? '', of.agreement ?? '', of.nowMs],
  );
  return row !== undefined;
}

export async function saveRecovering(tx: WriteTx, row: RecoveringServer): Promise<void> {
  await tx.run(
    `insert into recovery_servers (agreement, license_server_id, state, until, missing, changed_at)
     values (?, ?, ?, ?, ?, ?)
     on conflict (agreement, license_server_id) do update set state = excluded.state, until = excluded.until,
       missing = excluded.missing, changed_at = excluded.changed_at`,
    ...[row.agreement, row.licenseServerId, row.state, row.until, row.missing, row.changedAt],
  );
}

/** Every authority in force, of every agreement: who may have been granted something. */
export async function knownAuthorities(tx: ReadTx): Promise<
  readonly {
    readonly agreement: string;
    readonly licenseServerId: string;
    readonly baseMonth: number;
    readonly horizonE: number;
  }[]
> {
  return tx.all(
    `select agreement, license_server_id as "licenseServerId", base_month as "baseMonth", horizon_e as "horizonE"
     from authorities where state <> 'superseded' order by agreement, license_server_id`,
  );
}
