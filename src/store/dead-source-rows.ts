/** Sources that were declared to function no longer, at the clearinghouse: plain SQL, no rules. */
import type { MoveState } from '../core/move.ts';
import type { RecoveryReason } from '../core/recovery.ts';
import type { MoveRow } from './clearinghouse-rows.ts';
import type { ReadTx, WriteTx } from './port.ts';

export interface DeadSourceRow {
  readonly move: string;
  readonly agreement: string;
  readonly line: number;
  readonly source: string;
  /** The pending that holds the units, and how many they are. */
  readonly pending: string;
  readonly units: number;
  readonly statement: string;
  readonly declaredBy: string;
  readonly enteredBy: string | null;
  readonly declaredAt: number;
  readonly horizon: number;
  readonly sunset: number;
  readonly opensAt: number;
  readonly approvedBy: string | null;
  readonly approvedAt: number | null;
  readonly grantedAt: number | null;
  readonly riskUnits: number;
  readonly riskFrom: number | null;
  readonly riskUntil: number | null;
  readonly seenAt: number | null;
  readonly seenCount: number;
  /** What its last message was, in words. */
  readonly seenSaid: string | null;
  /** Its target has come in its place: why; null: its target is another server (protocol §5.5). */
  readonly recovery: RecoveryReason | null;
  /** 1: its units do not wait for the horizon, nor for a second person. */
  readonly immediate: 0 | 1;
  /** How many of its units do not wait where it is 1; null: all. */
  readonly atOnce: number | null;
  /** When what of them nobody has was set aside, as the source was heard of again; and who took that back. */
  readonly suspendedAt: number | null;
  readonly liftedAt: number | null;
  readonly liftedBy: string | null;
}

const columns = `d.move, d.agreement, d.line, d.source, d.pending, d.units, d.statement, d.declared_by as "declaredBy",
  d.entered_by as "enteredBy", d.declared_at as "declaredAt", d.horizon, d.sunset, d.opens_at as "opensAt",
  d.approved_by as "approvedBy", d.approved_at as "approvedAt", d.granted_at as "grantedAt",
  d.risk_units as "riskUnits", d.risk_from as "riskFrom", d.risk_until as "riskUntil", d.seen_at as "seenAt",
  d.seen_count as "seenCount", d.seen_said as "seenSaid", d.recovery, d.immediate,
  d.at_once as "atOnce", d.suspended_at as "suspendedAt", d.lifted_at as "liftedAt", d.lifted_by as "liftedBy"`;

export async function findDeadSource(tx: ReadTx, move: string): Promise<DeadSourceRow | undefined> {
  return tx.get<DeadSourceRow>(`select ${columns} from dead_sources d where d.move = ?`, move);
}

/** The declarations of a server that hold: those that wait, and those whose units were granted. */
export async function declarationsOf(tx: ReadTx, source: string): Promise<readonly DeadSourceRow[]> {
  return tx.all<DeadSourceRow>(
    `select ${columns} from dead_sources d join moves m on m.id = d.move
     where d.source = ? and (m.state = 'dead-wait' or d.granted_at is not null) order by d.declared_at, d.move`,
    source,
  );
}

/** The declaration of one line of a server that waits, if any. */
export async function waitingDeclaration(
  tx: ReadTx,
  of: { readonly source: string; readonly agreement: string; readonly line: number },
): Promise<DeadSourceRow | undefined> {
  return tx.get<DeadSourceRow>(
    `select ${columns} from dead_sources d join moves m on m.id = d.move
     where d.source = ? and d.agreement = ? and d.line = ? and m.state = 'dead-wait'`,
    of.source,
    of.agreement,
    of.line,
  );
}

/** Declarations that wait for nothing any more: the horizon has passed, or a second person has not waited for it. */
export async function dueDeclarations(tx: ReadTx, nowMs: number): Promise<readonly DeadSourceRow[]> {
  const state: MoveState = 'dead-wait';
  return tx.all<DeadSourceRow>(
    `select ${columns} from dead_sources d join moves m on m.id = d.move
     where (d.horizon < ? or d.approved_at is not null or d.immediate = 1) and d.granted_at is null and m.state = ?
     order by d.declared_at, d.move`,
    nowMs,
    state,
  );
}

/** Servers that were fenced off, and whose horizon has passed, with moves that wait for them to release. */
export async function fencedWithMoves(tx: ReadTx, nowMs: number): Promise<readonly string[]> {
  const rows = await tx.all<{ source: string }>(
    `select distinct d.source from dead_sources d join moves m on m.source = d.source
     where d.granted_at is not null and d.horizon < ?
       and m.state in ('reserved', 'granted', 'installed', 'committed', 'aborting') order by d.source`,
    nowMs,
  );
  return rows.map((row) => row.source);
}

/**
 * Moves that wait for a target to give back which was fenced off: its last license must have ended, or a second
 * person has not waited for that on this line.
 */
export async function waitingForTheDead(tx: ReadTx, nowMs: number): Promise<readonly string[]> {
  const rows = await tx.all<{ move: string }>(
    `select m.id as move from moves m where m.state in ('aborting', 'returning') and exists
       (select 1 from dead_sources d where d.source = m.target and d.granted_at is not null and (d.opens_at < ?
          or ((d.approved_at is not null or d.immediate = 1) and d.agreement = m.agreement and d.line = m.line)))
     order by m.started_at, m.id`,
    nowMs,
  );
  return rows.map((row) => row.move);
}

/** A message names so many (`protocol/messages.ts`). */
const mostEarlier = 64;

/**
 * The servers that CALs of a line had come to a dead source from, whichever way and however many servers ago: their
 * holders may never have gone there. Not those of moves that have ended before `sinceMs`, nor the move's own target.
 */
export async function earlierSources(
  tx: ReadTx,
  of: Pick<MoveRow, 'agreement' | 'line' | 'source' | 'target'> & { readonly sinceMs: number },
): Promise<readonly string[]> {
  const rows = await tx.all<{ server: string }>(
    `with recursive came as (
       select source, target from moves where agreement = ? and line = ?
         and (state in ('granted', 'installed', 'committed', 'fenced') or (state = 'closed' and updated_at >= ?))
     ), earlier (server) as (
       select ?
       union
       select came.source from came join earlier on came.target = earlier.server
     )
     select server from earlier where server not in (?, ?) order by server limit ${mostEarlier}`,
    ...[of.agreement, of.line, of.sinceMs, of.source, of.source, of.target],
  );
  return rows.map(({ server }) => server);
}

/** When early releases of an agreement were approved: one approval counts once, in however many moves the units come. */
export async function approvalsOf(tx: ReadTx, agreement: string): Promise<readonly number[]> {
  const rows = await tx.all<{ at: number }>(
    `select distinct source, line, approved_at as at from dead_sources
     where agreement = ? and approved_at is not null`,
    agreement,
  );
  return rows.map((row) => row.at);
}

/** When other servers than `source` were recovered at once under an agreement, or this one elsewhere; not those that were undone. */
export async function immediateRecoveries(
  tx: ReadTx,
  of: Pick<MoveRow, 'agreement' | 'source' | 'target'>,
): Promise<readonly number[]> {
  const rows = await tx.all<{ at: number }>(
    `select d.declared_at as at from dead_sources d join moves m on m.id = d.move
     where d.agreement = ? and d.immediate = 1 and not (d.source = ? and m.target = ?)
       and (d.granted_at is not null or m.state = 'dead-wait')`,
    ...[of.agreement, of.source, of.target],
  );
  return rows.map((row) => row.at);
}

/** Whether units of an agreement came to a server by a recovery that did not wait, and the old horizon has not passed. */
export async function hasRecoveredAtRisk(
  tx: ReadTx,
  of: { readonly target: string; readonly agreement: string; readonly nowMs: number },
): Promise<boolean> {
  const found = await tx.get(
    `select 1 as found from dead_sources d join moves m on m.id = d.move
     where m.target = ? and d.agreement = ? and d.immediate = 1 and d.approved_at is null
       and d.granted_at is not null and d.horizon >= ? limit 1`,
    ...[of.target, of.agreement, of.nowMs],
  );
  return found !== undefined;
}

/** Units that may have two holders for a time. */
export interface RiskRow
  extends Pick<
    DeadSourceRow,
    | 'move'
    | 'line'
    | 'source'
    | 'riskUnits'
    | 'riskFrom'
    | 'riskUntil'
    | 'approvedAt'
    | 'seenAt'
    | 'suspendedAt'
    | 'liftedAt'
  > {}

/** What is at risk under an agreement now, or will be: of declarations, and of moves of servers fenced off for other lines. */
export async function risksOf(tx: ReadTx, agreement: string, nowMs: number): Promise<readonly RiskRow[]> {
  return tx.all<RiskRow>(
    `select d.move, d.line, d.source, d.risk_units as "riskUnits", d.risk_from as "riskFrom",
       d.risk_until as "riskUntil", d.approved_at as "approvedAt", d.seen_at as "seenAt",
       d.suspended_at as "suspendedAt", d.lifted_at as "liftedAt"
     from dead_sources d where d.agreement = ? and d.risk_units > 0 and d.risk_until >= ?
     union all
     select f.move, f.line, f.source, f.units, f.risk_from, f.risk_until, null,
       (select max(s.seen_at) from dead_sources s where s.source = f.source), null, null
     from fenced_risks f where f.agreement = ? and f.risk_until >= ?
     order by 5, 1`,
    ...[agreement, nowMs, agreement, nowMs],
  );
}

/** Of a move one end of which (`source`) was fenced off for another line; false where it stands there already. */
export async function insertFencedRisk(
  tx: WriteTx,
  row: Pick<DeadSourceRow, 'move' | 'agreement' | 'line' | 'source'> & {
    readonly units: number;
    readonly fromMs: number;
    readonly untilMs: number;
  },
): Promise<boolean> {
  const rows = await tx.run(
    `insert into fenced_risks (move, agreement, line, source, units, risk_from, risk_until)
     values (?, ?, ?, ?, ?, ?, ?) on conflict (move) do nothing`,
    ...[row.move, row.agreement, row.line, row.source, row.units, row.fromMs, row.untilMs],
  );
  return rows > 0;
}

export async function saveDeadSource(tx: WriteTx, row: DeadSourceRow): Promise<void> {
  await tx.run(
    `insert into dead_sources (move, agreement, line, source, pending, units, statement, declared_by, entered_by,
       declared_at, horizon, sunset, opens_at, approved_by, approved_at, granted_at, risk_units, risk_from,
       risk_until, seen_at, seen_count, seen_said, recovery, immediate, at_once,
       suspended_at, lifted_at, lifted_by)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     on conflict (move) do update set pending = excluded.pending, units = excluded.units,
       opens_at = excluded.opens_at,
       approved_by = excluded.approved_by, approved_at = excluded.approved_at, granted_at = excluded.granted_at,
       risk_units = excluded.risk_units, risk_from = excluded.risk_from, risk_until = excluded.risk_until,
       seen_at = excluded.seen_at, seen_count = excluded.seen_count, seen_said = excluded.seen_said,
       suspended_at = excluded.suspended_at, lifted_at = excluded.lifted_at, lifted_by = excluded.lifted_by`,
    row.move,
    row.agreement,
    row.line,
    row.source,
    row.pending,
    row.units,
    row.statement,
    row.declaredBy,
    row.enteredBy,
    row.declaredAt,
    row.horizon,
    row.sunset,
    row.opensAt,
    row.approvedBy,
    row.approvedAt,
    row.grantedAt,
    row.riskUnits,
    row.riskFrom,
    row.riskUntil,
    row.seenAt,
    row.seenCount,
    row.seenSaid,
    row.recovery,
    row.immediate,
    row.atOnce,
    row.suspendedAt,
    row.liftedAt,
    row.liftedBy,
  );
}
