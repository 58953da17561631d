/**
 * A clearinghouse that was restored from a backup has forgotten what it did since, and would do it again (protocol §5.6).
 * Until the license servers of an agreement have reported, or their horizons have passed, that agreement gets nothing new;
 * a supervisor may decide otherwise, and is named in the journal.
 */
import { parseStatement } from '../../core/dead-source.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { horizonMonths } from '../../core/standing.ts';
import { endOfMonthMs, isoTime, monthOf } from '../../core/time.ts';
import type { KnownServer } from '../../platform/known-servers.ts';
import type { Recovery } from '../../protocol/recovery.ts';
import { findAgreement } from '../../store/agreement-rows.ts';
import { findGrantedAuthority, findServer } from '../../store/committed-server-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { RecoveringServer } from '../../store/recovery-rows.ts';
import {
  agreementNumbers,
  findRecovery,
  insertRecovery,
  knownAuthorities,
  listRecovering,
  recoveringOf,
  recoveringServer,
  saveRecovering,
  unknownServers,
} from '../../store/recovery-rows.ts';
import type { ClearinghouseContext } from '../context.ts';
import { checkRenewable } from './activate-server.ts';
import { newId } from './new-id.ts';
import { publisherLog } from './products.ts';

/** The latest horizon that may have been signed before a time: files and telephone move it on furthest (§3.4). */
const latestHorizonMs = (atMs: number): number => endOfMonthMs(monthOf(atMs) + horizonMonths.other);

/**
 * Begins a recovery, in the database that is to be put in place. `known` are all servers that were ever activated, where
 * that list is still there; without it every agreement also waits for those that the backup may not know.
 */
export async function beginRecovery(
  tx: WriteTx,
  of: {
    readonly nowMs: number;
    readonly backupMs: number;
    readonly known: readonly KnownServer[] | undefined;
    readonly id: string;
  },
): Promise<void> {
  const { nowMs, backupMs, known } = of;
  const last = await findRecovery(tx);
  // By the clock, so that two restores of one backup differ; and never lower than what the backup knows.
  const epoch = Math.max(Math.floor(nowMs / 1000), (last?.epoch ?? 0) + 1);
  await insertRecovery(tx, { epoch, at: nowMs, backupAt: backupMs });
  const fresh = { state: 'awaited', missing: 0, changedAt: nowMs } as const;
  const latest = latestHorizonMs(nowMs);
  let servers = 0;
  const wait = async (agreement: string, licenseServerId: string, until: number): Promise<void> => {
    servers += 1;
    await saveRecovering(tx, { ...fresh, agreement, licenseServerId, until });
  };
  for (const row of await knownAuthorities(tx)) {
    const own = endOfMonthMs(row.baseMonth + row.horizonE);
    await wait(row.agreement, row.licenseServerId, Math.max(own, latest));
  }
  const agreements = new Set(await agreementNumbers(tx));
  for (const server of known ?? []) {
    const there = (await recoveringOf(tx, server.agreement, nowMs)).some(
      ({ licenseServerId }) => licenseServerId === server.licenseServerId,
    );
    if (!there && agreements.has(server.agreement))
      await wait(server.agreement, server.licenseServerId, latest);
  }
  if (known === undefined) for (const agreement of agreements) await wait(agreement, unknownServers, latest);
  await tx.post({
    log: publisherLog,
    kind: 'restored',
    id: of.id,
    at: nowMs,
    body: { epoch, backup: isoTime(backupMs), servers, complete: known !== undefined },
  });
}

/** Whether an agreement may be given anything new. Refused: `clearinghouse-recovering`. */
export async function checkRecovered(
  tx: ReadTx,
  agreement: string,
  nowMs: number,
): Promise<Result<null, Refusal>> {
  const waits = await recoveringOf(tx, agreement, nowMs);
  if (waits.length === 0) return ok(null);
  const recovery = await findRecovery(tx);
  return err({
    code: 'clearinghouse-recovering',
    agreement,
    backup: isoTime(recovery?.backupAt ?? 0),
    awaited: waits.map(({ licenseServerId }) => licenseServerId).filter((id) => id !== unknownServers),
    unknown: waits.some(({ licenseServerId }) => licenseServerId === unknownServers),
    until: isoTime(Math.max(...waits.map(({ until }) => until))),
  });
}

/** What a welcome says of it; undefined where this clearinghouse was never restored. */
export async function tellRecovery(tx: ReadTx, licenseServerId: string): Promise<Recovery | undefined> {
  const recovery = await findRecovery(tx);
  if (recovery === undefined) return undefined;
  const rows = await recoveringServer(tx, licenseServerId);
  const server = await findServer(tx, licenseServerId);
  const unheard = rows.length === 0 && (server === undefined || server.addedAt <= recovery.at);
  const certificates: string[] = [];
  for (const { agreement, state } of rows) {
    if (state !== 'certificate' || server?.state !== 'ok') continue;
    const present = await findGrantedAuthority(tx, licenseServerId, agreement);
    // It has one of this epoch already, or will have with this very answer.
    if (present === undefined || present.activatedAt >= recovery.at) continue;
    if ((await checkRenewable(tx, { licenseServerId, agreement })).ok) certificates.push(agreement);
  }
  return {
    epoch: recovery.epoch,
    at: isoTime(recovery.at),
    backup: isoTime(recovery.backupAt),
    report: unheard || rows.some(({ state }) => state !== 'done'),
    certificates,
  };
}

export type RecoveryView = {
  /** Null: this clearinghouse was never restored. */
  readonly recovery: { readonly epoch: number; readonly at: string; readonly backup: string } | null;
  readonly awaited: readonly {
    readonly agreement: string;
    /** Null: license servers that the backup does not know. */
    readonly licenseServerId: string | null;
    readonly name: string | null;
    readonly state: 'awaited' | 'uncovered' | 'certificate';
    readonly missing: number;
    readonly until: string;
  }[];
};

/** How far the recovery is. */
export async function viewRecovery(context: ClearinghouseContext): Promise<RecoveryView> {
  return context.store.read(async (tx) => {
    const recovery = await findRecovery(tx);
    const waits = await listRecovering(tx, context.clock.nowMs());
    const awaited: RecoveryView['awaited'][number][] = [];
    for (const { agreement, licenseServerId, state, missing, until } of waits) {
      const known = licenseServerId !== unknownServers;
      const name = known ? ((await findServer(tx, licenseServerId))?.name ?? null) : null;
      awaited.push({
        ...{ agreement, licenseServerId: known ? licenseServerId : null, name },
        ...{ state: state as 'awaited', missing, until: isoTime(until) },
      });
    }
    const said =
      recovery === undefined
        ? null
        : { epoch: recovery.epoch, at: isoTime(recovery.at), backup: isoTime(recovery.backupAt) };
    return { recovery: said, awaited };
  });
}

/**
 * A supervisor's decision not to wait any longer for an agreement. What its servers report later is taken in all the same.
 * Refused: `agreement-unknown`, `invalid-input`.
 */
export async function openRecovering(
  context: ClearinghouseContext,
  order: { readonly agreement: string; readonly statement: string },
): Promise<Result<{ readonly opened: readonly RecoveringServer[] }, Refusal>> {
  const { agreement } = order;
  const said = parseStatement(order.statement);
  if (!said.ok) return said;
  const nowMs = context.clock.nowMs();
  return context.store.write(async (tx) => {
    if ((await findAgreement(tx, agreement)) === undefined)
      return err({ code: 'agreement-unknown', agreement });
    const opened = await recoveringOf(tx, agreement, nowMs);
    if (opened.length === 0) return ok({ opened });
    for (const row of opened) await saveRecovering(tx, { ...row, state: 'opened', changedAt: nowMs });
    const servers = opened.map(({ licenseServerId }) => licenseServerId);
    await tx.post({
      log: agreement,
      kind: 'recovery-opened',
      id: newId(context),
      at: nowMs,
      body: { ...said.value, servers },
    });
    return ok({ opened });
  });
}
