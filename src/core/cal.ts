/**
 * The life of a CAL: how long a license lasts, and what a request for one is answered with. Pure:
 * randomness comes in as `draw`, the state as the use case loaded it within its transaction.
 */
import type { CalType } from './product.ts';
import type { Refusal } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';
import type { Standing } from './standing.ts';
import { dayMs, isoTime, secondMs } from './time.ts';

/** A permanent device license lasts 52 to 89 days, drawn at random to spread renewals (facts §3.1). */
const deviceLeaseDays = { shortest: 52, longest: 89 } as const;
/** No lease is longer: what a server may have given to somebody is free again after so long (protocol §2.4, §3.6). */
export const longestLeaseMs = deviceLeaseDays.longest * dayMs;
/** A user's license shows as ending 60 days after issue (facts §3.2). */
const userLeaseDays = 60;
/** A license is renewed in its last 7 days and not before (facts §3.1). */
export const renewalMs = 7 * dayMs;
/** A temporary license lasts 90 days, once per device and product (protocol §1.5). */
const temporaryDays = 90;
/** Temporary licenses beyond the free CALs: 10, or a tenth of what is installed (protocol §1.5). */
const temporaryAllowance = { atLeast: 10, share: 0.1 } as const;

/** What a token says of itself: who is licensed, or that it is only temporary. */
export type LeaseKind = CalType | 'temporary';

function leaseDays(kind: LeaseKind, draw: (low: number, high: number) => number): number {
  if (kind === 'temporary') return temporaryDays;
  if (kind === 'user') return userLeaseDays;
  return draw(deviceLeaseDays.shortest, deviceLeaseDays.longest);
}

/** No lease of this kind is longer. */
export function longestLeaseOf(kind: LeaseKind): number {
  return leaseDays(kind, (_shortest, longest) => longest) * dayMs;
}

/** Tokens tell time in whole seconds: what is stored must not last longer than what is told. */
function wholeSecond(ms: number): number {
  return Math.floor(ms / secondMs) * secondMs;
}

/**
 * When a license given or renewed now ends, in whole seconds, never beyond sunset (protocol §2.1).
 * `draw` answers a random whole number between two, both included. `sunsetMs` is null where there
 * is none: on a server that is not activated, or where horizons are waived. `hasUntilMs` is when the
 * licenses end that its holder comes with: it is given none that ends before them, but no longer one than any.
 */
export function leaseEnd(lease: {
  readonly kind: LeaseKind;
  readonly nowMs: number;
  readonly draw: (low: number, high: number) => number;
  readonly sunsetMs: number | null;
  readonly hasUntilMs?: number;
}): number {
  const { kind, nowMs, hasUntilMs = 0 } = lease;
  const drawn = nowMs + leaseDays(kind, lease.draw) * dayMs;
  const end = Math.max(drawn, Math.min(hasUntilMs, nowMs + longestLeaseOf(kind)));
  return wholeSecond(lease.sunsetMs === null ? end : Math.min(end, lease.sunsetMs));
}

/**
 * How many temporary licenses may be alive at once for a product; null: as many as ask, on a
 * server that is not activated or holds no CAL of that product yet (protocol §1.5).
 */
export function temporaryCap(counts: {
  readonly activated: boolean;
  readonly installed: number;
  readonly unissued: number;
}): number | null {
  if (!counts.activated || counts.installed === 0) return null;
  const tenth = Math.floor(counts.installed * temporaryAllowance.share);
  return counts.unissued + Math.max(temporaryAllowance.atLeast, tenth);
}

/** Everything that decides a request of one device or user for one product. */
export interface RequestState {
  readonly nowMs: number;
  /** Why and until when the past of this server is in doubt (protocol §5.2): nobody new is given anything; null: it is not. */
  readonly doubt: { readonly reason: string; readonly untilMs: number } | null;
  /** When the living license ends that the holder has shown, of this very server and this unit; null: it has shown none. */
  readonly shownUntil: number | null;
  readonly product: string;
  readonly type: CalType;
  readonly deactivated: boolean;
  /** Of the agreement whose unit is (or would be) used; null while not activated. */
  readonly standing: Standing | null;
  /**
   * The permanent license that this holder has here, as long as its unit was given to nobody else.
   * Whether the unit is issued or held for a move makes no difference to its holder.
   */
  readonly license: { readonly expiresAt: number } | null;
  /** The temporary license that this device ever had here for this product. */
  readonly temporary: { readonly expiresAt: number; readonly validated: boolean } | null;
  /**
   * A unit came here with a move for this very holder: on the holder list, or from the anonymous
   * reserve of the source whose valid token it shows (protocol §2.4, §3.6).
   */
  readonly reserved: boolean;
  /** The gap license that this holder has here: of a source that no longer functions (protocol §1.5). */
  readonly gap: {
    readonly expiresAt: number;
    /** It is renewed until then, when no lease of that source can run any more; null: it is not. */
    readonly until: number | null;
    /** Its line is not here: the server before this one knew the holder, and this one is not activated for it yet. */
    readonly restored?: boolean;
  } | null;
  /** This holder showed a token of such a source, and never had a gap license. */
  readonly gapOpen: boolean;
  /** A valid token of a source whose subject is this holder was shown, now or for its gap license: as good as a sign-in. */
  readonly sourceShown: boolean;
  /** Units of all lines that may serve this product. */
  readonly installed: number;
  /** Units of those lines that may be given to a new holder. */
  readonly unissued: number;
  /** Unexpired temporary licenses for this product. */
  readonly temporariesAlive: number;
}

export type RequestDecision =
  /** Asking again: the license that is there, its token unchanged. */
  | { readonly act: 'unchanged'; readonly kind: 'permanent' | 'temporary' | 'gap' }
  /** A new lease on the same unit. */
  | {
      readonly act: 'renew';
      /** The lease had ended; nobody had taken the unit, so its holder has it again. */
      readonly lapsed: boolean;
    }
  /** A free unit for a new holder. */
  | { readonly act: 'issue' }
  /** A free unit for a device that had a temporary license and has signed in since. */
  | { readonly act: 'upgrade' }
  /** The unit reserved for this holder, with the origin that it had on the source. */
  | { readonly act: 'take-over' }
  | { readonly act: 'temporary' }
  /** No unit is free for a holder of a dead source: 90 days, or 90 more, until the units of that source are here. */
  | { readonly act: 'gap' };

type Decision = Result<RequestDecision, Refusal>;

/**
 * Decides a request. Refused: server-in-doubt, type-not-supported, deactivated, not-activated, horizon-passed,
 * product-not-installed, none-available, temporary-used-up, temporary-cap.
 *
 * Rules (facts §3.1–3.2, protocol §1.5, §2.1, §2.4): who has a license keeps it and renews it in
 * the last 7 days until sunset; who is expected from a move takes that unit over; a device's first
 * contact gets a temporary license, because a stranger who never signs in must not use up CALs; a
 * user gets a permanent one at once or is refused. Where no unit is free, a holder of a source that no
 * longer functions gets a gap license.
 */
export function decideRequest(state: RequestState): Decision {
  if (state.type === 'concurrent') return err({ code: 'type-not-supported', type: state.type });
  // A deactivated server has given everything up: even an unchanged answer would keep it in use.
  if (state.deactivated) return err({ code: 'deactivated' });
  if (state.license !== null) {
    const kept = decideOwn(state, state.license.expiresAt);
    if (kept !== null) return kept;
  }
  if (state.reserved && state.standing !== null && state.standing.may !== 'nothing') {
    return ok({ act: 'take-over' });
  }
  return state.type === 'user' ? decideNewUser(state) : decideDevice(state);
}

/** A holder who is here already; null where its lease has ended and may not be renewed any more. */
function decideOwn(state: RequestState, expiresAt: number): Decision | null {
  const { nowMs, standing, doubt, shownUntil } = state;
  // Known from the books alone, which are in doubt: it has what it has, and is not renewed (protocol §5.2, M9).
  if (doubt !== null && shownUntil === null) {
    return nowMs < expiresAt ? ok({ act: 'unchanged', kind: 'permanent' }) : null;
  }
  // These books do not know that it was renewed: they do from now on.
  if (shownUntil !== null && shownUntil > expiresAt && standing !== null && standing.may !== 'nothing') {
    return ok({ act: 'renew', lapsed: false });
  }
  if (nowMs < expiresAt) {
    if (expiresAt - nowMs > renewalMs) return ok({ act: 'unchanged', kind: 'permanent' });
    // Cut at sunset already: a new lease would end at the same moment.
    const atSunset = standing?.sunsetMs != null && expiresAt >= wholeSecond(standing.sunsetMs);
    if (standing === null || standing.may === 'nothing' || atSunset) {
      return ok({ act: 'unchanged', kind: 'permanent' });
    }
    return ok({ act: 'renew', lapsed: false });
  }
  // Without a living lease nobody is a *present* holder: this counts as giving, so up to the horizon.
  return standing?.may === 'assign' ? ok({ act: 'renew', lapsed: true }) : null;
}

/** Why no permanent license can be given now; null: one can. */
function whyNone(state: RequestState): Refusal | null {
  const { product, type, standing, installed, unissued, nowMs } = state;
  if (standing === null) return { code: 'not-activated', agreement: null };
  if (installed === 0) return { code: 'product-not-installed', product };
  if (state.doubt !== null) {
    return { code: 'server-in-doubt', reason: state.doubt.reason, until: isoTime(state.doubt.untilMs) };
  }
  if (standing.may !== 'assign') {
    const horizon = standing.horizonMs === null ? '' : isoTime(standing.horizonMs);
    return { code: 'horizon-passed', horizon, now: isoTime(nowMs) };
  }
  return unissued > 0 ? null : { code: 'none-available', product, type, installed, unissued };
}

/** Users have no temporary licenses (facts §3.2): a permanent one at once, or a refusal. */
function decideNewUser(state: RequestState): Decision {
  const refusal = whyNone(state);
  return refusal === null ? ok({ act: 'issue' }) : (decideGap(state) ?? err(refusal));
}

/**
 * What bridges the gap, devices and users alike: an allowance of its own, one for each holder, renewed until
 * the units of the source can be for everybody (protocol §1.5).
 * null: this holder has none and is given none.
 */
function decideGap({ gap, gapOpen, standing, nowMs }: RequestState): Decision | null {
  const unbound = gap?.restored === true;
  if (!unbound && (standing === null || standing.may === 'nothing')) return null;
  if (gap !== null) {
    const renews = gap.until !== null && nowMs < gap.until && gap.expiresAt - nowMs <= renewalMs;
    if (renews) return ok({ act: 'gap' });
    return nowMs < gap.expiresAt ? ok({ act: 'unchanged', kind: 'gap' }) : null;
  }
  return gapOpen ? ok({ act: 'gap' }) : null;
}

function decideDevice(state: RequestState): Decision {
  const { temporary } = state;
  const refusal = whyNone(state);
  const known = state.sourceShown || temporary?.validated === true;
  if (known && refusal === null) return ok({ act: temporary === null ? 'issue' : 'upgrade' });
  const runs = temporary !== null && state.nowMs < temporary.expiresAt;
  const gap = runs ? null : decideGap(state);
  if (gap !== null) return gap;
  if (temporary === null) return decideTemporary(state);
  if (runs) return ok({ act: 'unchanged', kind: 'temporary' });
  // Its temporary license has ended: a device that signed in lacks only a CAL, the other a sign-in.
  if (known && refusal !== null && refusal.code !== 'not-activated') return err(refusal);
  const expiredAt = isoTime(temporary.expiresAt);
  return err({ code: 'temporary-used-up', product: state.product, expiredAt });
}

/** First contact of a device: exempt from the horizon, but not from sunset and the cap. */
function decideTemporary(state: RequestState): Decision {
  const refusal = state.standing?.may === 'nothing' ? whyNone(state) : null;
  if (refusal !== null) return err(refusal);
  const { product, installed, unissued } = state;
  const cap = temporaryCap({ activated: state.standing !== null, installed, unissued });
  if (cap !== null && state.temporariesAlive >= cap) return err({ code: 'temporary-cap', product, cap });
  return ok({ act: 'temporary' });
}
