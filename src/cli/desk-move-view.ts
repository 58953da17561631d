/** A move as the desk shows it. */

import type { RecoveryReason } from '../core/recovery.ts';
import { reasonText } from '../core/recovery.ts';
import { when } from '../protocol/problem-words.ts';
import type { Cell } from './page.ts';
import { waitsSince } from './server-words.ts';

export type DeskMove = {
  readonly id: string;
  readonly agreement: string;
  readonly product: string;
  readonly type: string;
  readonly quantity: number | 'all';
  readonly source: string;
  readonly target: string;
  readonly state: string;
  readonly carrier: string;
  readonly unissued: number;
  readonly held: number;
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly ageDays: number;
  readonly reminder: number;
  readonly awaited: { readonly from: string; readonly text: string };
  readonly deadSource: DeadSource | null;
};

type DeadSource = {
  readonly declaredBy: string;
  readonly statement: string;
  readonly enteredBy: string | null;
  readonly recovery: { readonly reason: RecoveryReason; readonly immediate: boolean } | null;
  readonly declaredAt: string;
  readonly units: number;
  readonly underWay: number;
  readonly horizon: string;
  readonly opensAt: string;
  readonly sunset: string;
  readonly approvedBy: string | null;
  readonly grantedAt: string | null;
  readonly atRisk: Risk | null;
  readonly sourceSeenAt: string | null;
  readonly sourceSaid: string | null;
  readonly liftedBy: string | null;
};

export type Risk = {
  readonly units: number;
  readonly from: string;
  readonly until: string;
  readonly sourceSeenAt: string | null;
  readonly suspendedAt: string | null;
};

/** Units that may have two holders for a time, and whether the source was really heard of. */
export function riskText({ units, from, until, sourceSeenAt, suspendedAt }: Risk): string {
  const seen = sourceSeenAt === null ? '' : `; the source was seen alive on ${when(sourceSeenAt)}`;
  const aside =
    suspendedAt === null
      ? ''
      : `; those that nobody had are set aside since ${when(suspendedAt)} (calyx desk lift)`;
  return `${units}, from ${when(from)} to ${when(until)}${seen}${aside}`;
}

/** Why the target has come in its place, and whether that is waited for. */
function recoveryText({ reason, immediate }: NonNullable<DeadSource['recovery']>): string {
  const text = `the target has come in its place: ${reasonText(reason)}`;
  return immediate ? `${text}; at once` : text;
}

/** What is known of a source that was declared to function no longer. */
function deadRow(dead: DeadSource, state: string): readonly (readonly [string, Cell])[] {
  const { declaredBy, statement, enteredBy, declaredAt, approvedBy, atRisk } = dead;
  const entered = enteredBy === null ? '' : `, entered by ${enteredBy}`;
  return [
    ['Declared dead', `${declaredBy}: ${statement} (${when(declaredAt)}${entered})`],
    ...(dead.recovery === null ? [] : [['Recovery', recoveryText(dead.recovery)] as const]),
    // One that froze, or gave up, by itself is moved from like any other: nothing waits for its days.
    ...(dead.grantedAt === null && state !== 'dead-wait'
      ? []
      : ([
          ['Source may give until', when(dead.horizon)],
          ['Open to others', `after ${when(dead.opensAt)}`],
        ] as const)),
    ...(approvedBy === null ? [] : [['Released early by', approvedBy] as const]),
    ...(atRisk === null ? [] : [['Units at risk', riskText(atRisk)] as const]),
    ...(dead.sourceSeenAt === null
      ? []
      : [['Source spoke again', `${when(dead.sourceSeenAt)}: ${dead.sourceSaid ?? ''}`] as const]),
    ...(dead.liftedBy === null ? [] : [['No longer set aside, by', dead.liftedBy] as const]),
  ];
}

/** How many CALs a move is about: known from the freeze on. */
function amount({ quantity, unissued, held, deadSource }: DeskMove): string {
  if (unissued + held === 0) return String(deadSource?.units ?? quantity);
  return `${unissued + held} (${unissued} unissued, ${held} with holders)`;
}

export function moveRow(move: DeskMove): readonly (readonly [string, Cell])[] {
  return [
    ['Move', move.id],
    ['From', move.source],
    ['To', move.target],
    ['CALs', `${amount(move)} of ${move.product} per ${move.type}, agreement ${move.agreement}`],
    ['By', move.carrier === 'telephone' ? 'telephone' : 'connection or file'],
    ['Started', when(move.startedAt)],
    ['State', `${move.state}, since ${when(move.updatedAt)}`],
    ['Waits for', move.awaited.text],
    ...waitsSince(move),
    ...(move.deadSource === null ? [] : deadRow(move.deadSource, move.state)),
  ];
}
