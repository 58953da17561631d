/**
 * A license server that cannot be itself any more, and goes on as a new one (protocol §5.5): why, in the words of the model
 * system, and when its CALs come to the new one at once.
 */
import type { JsonObject } from './json.ts';
import type { CalType } from './product.ts';
import type { Refusal } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';
import { dayMs, isoDate } from './time.ts';

/** The five reasons of reactivating of the model system, in its order (facts §1.7). */
const reasonTexts = {
  redeployed: 'the license server was deployed again',
  'certificate-corrupt': 'its certificate or its data are damaged',
  'key-compromised': 'its private key was, or may have been, seen by others',
  'activation-expired': 'its activation has expired',
  upgraded: 'the license server was upgraded',
} as const;

export type RecoveryReason = keyof typeof reasonTexts;

export const recoveryReasons = Object.keys(reasonTexts) as readonly RecoveryReason[];

/** A reason as journals and messages have it; nothing where none was given. */
export function reasonField(reason: RecoveryReason | undefined): { readonly reason?: RecoveryReason } {
  return reason === undefined ? {} : { reason };
}

/** A reason in words. */
export function reasonText(reason: RecoveryReason): string {
  return reasonTexts[reason];
}

/** What happened to the server before: nothing of it can be opened any more, or its administrator began anew. */
export type SuccessionCause = 'system-replaced' | 'rebuilt';

/** What the database of the server before said of one line. */
export type LostLine = JsonObject & {
  readonly agreement: string;
  readonly line: number;
  readonly product: string;
  readonly type: CalType;
  readonly installed: number;
  readonly unissued: number;
  /** Holders whose licenses were restored. */
  readonly restored: number;
};

/** Whether an agreement's CALs come at once, or wait for the old horizon (a publisher's policy). */
export const recoveryPolicies = ['immediate', 'wait'] as const;
export type RecoveryPolicy = (typeof recoveryPolicies)[number];

/** A publisher's policy for an agreement: whether recovered CALs wait, and how much of what is unissued does not. */
export interface RecoveryRule {
  readonly policy: RecoveryPolicy;
  /** Percent. */
  readonly share: number;
}

const recoveryYearMs = 365 * dayMs;

/**
 * How many CALs of a recovery come at once; the rest waits for the old horizon (protocol §5.5). One for each holder whom
 * the new server knows, and `share` percent of the others, which count as unissued, rounded down.
 */
export function unitsAtOnce(of: {
  /** All that the books have committed to the old server on the line. */
  readonly units: number;
  /** How many holders the new server knows; null: that is not told. */
  readonly restored: number | null;
  readonly share: number;
}): number {
  const held = Math.min(of.units, of.restored ?? 0);
  return held + Math.floor(((of.units - held) * of.share) / 100);
}

/**
 * Whether CALs are recovered at once: once for an agreement in 365 days, without a second person; those of all lines of
 * one server to one other count as one.
 */
export function isImmediate(of: {
  readonly policy: RecoveryPolicy;
  /** When other recoveries of the agreement were immediate. */
  readonly earlier: readonly number[];
  readonly nowMs: number;
}): boolean {
  return of.policy === 'immediate' && nextImmediateMs(of) === null;
}

/** When the next is possible at once; null: now. */
function nextImmediateMs(of: { readonly earlier: readonly number[]; readonly nowMs: number }): number | null {
  const last = Math.max(0, ...of.earlier.filter((at) => of.nowMs - at < recoveryYearMs));
  return last === 0 ? null : last + recoveryYearMs;
}

/**
 * Whether something that was heard of an old server sets aside what came from it at once and nobody has (protocol §5.5): it
 * was signed after the recovery, or has no time as a code has none; leases of that one may still run; and it is not so
 * already, nor has a supervisor taken it back.
 */
export function suspends(of: {
  /** When the old server was declared to function no longer. */
  readonly sinceMs: number;
  /** When no lease of it can run any more. */
  readonly untilMs: number;
  readonly signedMs: number | null;
  readonly settled: boolean;
  readonly nowMs: number;
}): boolean {
  const isLater = of.signedMs === null || of.signedMs >= of.sinceMs;
  return isLater && !of.settled && of.nowMs <= of.untilMs;
}

/** Why a recovery was not immediate, for the desk. */
export function waitsText(of: Parameters<typeof isImmediate>[0]): string {
  if (of.policy === 'wait') return 'The publisher has CALs of this agreement wait (recovery: wait).';
  const next = nextImmediateMs(of);
  return next === null
    ? ''
    : `One recovery of this agreement was immediate within 12 months; the next can be on ${isoDate(next)}.`;
}

/** Reads a reason. Refused: `invalid-input`. */
export function checkReason(text: string): Result<RecoveryReason, Refusal> {
  const reason = recoveryReasons.find((each) => each === text);
  if (reason !== undefined) return ok(reason);
  const problem = `"${text}" is no reason; there are ${recoveryReasons.join(', ')}`;
  return err({ code: 'invalid-input', field: 'reason', problem });
}

/** What an administrator reads to the representative after a succession (protocol §5.5). */
export function sayText(of: {
  readonly name: string;
  readonly cause: SuccessionCause;
  readonly reason: RecoveryReason;
  readonly from: string;
  readonly to: string;
  readonly lines: readonly LostLine[] | null;
}): string {
  const { name, cause, reason, from, to, lines } = of;
  const happened =
    cause === 'system-replaced'
      ? `The operating system of license server ${name} was replaced`
      : `The database of license server ${name} was rebuilt`;
  return (
    `${happened} (${reasonText(reason)}). Its License Server ID was ${from}. It is a new license server now, with the ` +
    `License Server ID ${to}. ${lostText(lines)} Please recover them.`
  );
}

/** The number is that of the clearinghouse's books: a database that was put back may be older than the CALs. */
function lostText(lines: readonly LostLine[] | null): string {
  const all = 'I ask for all that your books have committed to it.';
  if (lines === null) return `Its database could not be read. ${all}`;
  if (lines.length === 0) return `Its database, which may be an older one, knew of no CALs. ${all}`;
  const each = lines.map(
    ({ agreement, product, type, unissued, restored }) =>
      `Agreement ${agreement}, ${product} per ${type}: ${unissued} unissued CALs were not restored, ${restored} holders were.`,
  );
  return `${each.join(' ')} ${all}`;
}
