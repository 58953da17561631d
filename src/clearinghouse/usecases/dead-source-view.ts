/** A source that was declared to function no longer, as desk and agreement show it. */
import { isoTime } from '../../core/time.ts';
import type { DeadSourceRow, RiskRow } from '../../store/dead-source-rows.ts';

export type RiskView = {
  readonly move: string;
  readonly line: number;
  /** So many CALs may have a second holder between the two dates. */
  readonly units: number;
  readonly from: string;
  readonly until: string;
  /** When the source was heard of after it had been fenced off: then the risk is real. */
  readonly sourceSeenAt: string | null;
  /** Since when what of them nobody has is set aside on the target for that; null: it is not, or not any more. */
  readonly suspendedAt: string | null;
};

export type DeadSourceView = {
  readonly declaredBy: string;
  readonly statement: string;
  readonly enteredBy: string | null;
  /** Its target has come in its place: why, and whether its CALs do not wait for the horizon or a second person. */
  readonly recovery: { readonly reason: string; readonly immediate: boolean } | null;
  readonly declaredAt: string;
  readonly units: number;
  /** Of moves to or from it that are under way: what a second person's yes puts at risk besides `units`. */
  readonly underWay: number;
  readonly horizon: string;
  readonly opensAt: string;
  /** The last day on which the source may renew anybody, should it live. */
  readonly sunset: string;
  readonly approvedBy: string | null;
  readonly grantedAt: string | null;
  /** null where none can be, or none can be any more. */
  readonly atRisk: RiskView | null;
  readonly sourceSeenAt: string | null;
  /** What it said last, in words; the whole of it is in the journal. */
  readonly sourceSaid: string | null;
  /** Who decided that what was set aside may be given out. */
  readonly liftedBy: string | null;
};

const time = (ms: number | null): string | null => (ms === null ? null : isoTime(ms));

export function viewRisk(row: RiskRow): RiskView {
  const { move, line, riskUnits: units } = row;
  const from = isoTime(row.riskFrom ?? 0);
  const until = isoTime(row.riskUntil ?? 0);
  const suspendedAt = time(row.liftedAt === null ? row.suspendedAt : null);
  return { move, line, units, from, until, sourceSeenAt: time(row.seenAt), suspendedAt };
}

export function viewDeadSource(
  row: DeadSourceRow,
  now: { readonly nowMs: number; readonly underWay: number },
): DeadSourceView {
  const { nowMs, underWay } = now;
  const { declaredBy, statement, enteredBy, units, approvedBy, seenSaid, recovery: reason } = row;
  return {
    ...{ declaredBy, statement, enteredBy, units, underWay, approvedBy },
    recovery: reason === null ? null : { reason, immediate: row.immediate === 1 },
    declaredAt: isoTime(row.declaredAt),
    horizon: isoTime(row.horizon),
    opensAt: isoTime(row.opensAt),
    sunset: isoTime(row.sunset),
    grantedAt: time(row.grantedAt),
    atRisk: row.riskUnits > 0 && (row.riskUntil ?? 0) >= nowMs ? viewRisk(row) : null,
    sourceSeenAt: time(row.seenAt),
    sourceSaid: seenSaid,
    liftedBy: row.liftedBy,
  };
}
