/**
 * A permanent license against its authority (protocol §3.8, 3 and 4): is it the line that the token
 * names, has the publisher granted that many units, and was it issued within horizon and sunset? The
 * signatures above it are looked at in license-bundle.ts.
 */

import type { Static } from 'typebox';
import Type from 'typebox';
import { equalBytes } from '../core/bytes.ts';
import { freeChain, heldChain, horizonChain, isAbove } from '../core/chain.ts';
import type { Digest } from '../core/digest.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { clockToleranceMs } from '../core/standing.ts';
import { endOfMonthMs, isoTime } from '../core/time.ts';
import type { Authority, AuthorityLine } from './authority.ts';
import type { PermanentClaims } from './cal-token.ts';
import type { ReadonlyDeep } from './schema.ts';
import { bytesOf, closed, HorizonReveal, LineNumber, msOf, Reveal } from './schema.ts';

/** The latest positions that a server has been shown, and shows. */
export const Reveals = closed({
  horizon: Type.Union([HorizonReveal, Type.Null()]),
  lines: Type.Array(closed({ line: LineNumber, free: Reveal, held: Reveal }), { maxItems: 15 }),
});

/** What a permanent license is checked against. */
export interface ProofGround {
  readonly authority: Authority;
  readonly reveals: ReadonlyDeep<Static<typeof Reveals>>;
  /** Proven totals by line, computed when first asked for: a chain has up to 65,535 steps. */
  readonly proven: Map<number, number | 'reveal-invalid'>;
}

/** What the publisher vouches for. */
export interface LicenseProof {
  readonly publisher: string;
  readonly agreement: string;
  readonly basis: Authority['basis'];
  readonly line: AuthorityLine;
  /** Units that the publisher has granted on this line, as far as the reveals show. */
  readonly units: number;
  readonly horizonMs: number;
  readonly sunsetMs: number;
}

/** Why a license does not verify. */
export type LicenseReason =
  // ---- the token by itself
  | 'token-unreadable'
  | 'token-signature'
  | 'server-key-differs'
  // ---- from the root to the authority
  | 'trust-list-missing'
  | 'trust-list-untrusted'
  | 'trust-list-invalid'
  | 'authority-missing'
  | 'authority-untrusted'
  | 'authority-invalid'
  | 'slot-unknown'
  | 'certificate-other-server'
  | 'before-certificate'
  // ---- the token against the authority
  | 'authority-differs'
  | 'line-differs'
  | 'level-differs'
  | 'reveal-invalid'
  | 'unit-not-proven'
  | 'horizon-invalid'
  | 'after-horizon'
  | 'beyond-sunset'
  | 'temporary-too-long'
  // ---- time and revocation
  | 'times-impossible'
  | 'not-yet-valid'
  | 'expired'
  | 'revoked';

/** Why a license was refused: `reason` for programs, `detail` with the numbers for people. */
export interface LicenseRefusal {
  readonly reason: LicenseReason;
  readonly detail: string;
}

/** A step of the verification. */
export type Checked<T> = Result<T, LicenseRefusal>;

/** The refusal of a step. */
export function no(reason: LicenseReason, detail: string): { ok: false; error: LicenseRefusal } {
  return err({ reason, detail });
}

function provenUnits(digest: Digest, ground: ProofGround, number: number): number | 'reveal-invalid' {
  const { authority, reveals } = ground;
  const line = authority.lines[number];
  if (line === undefined) return 'reveal-invalid';
  const shown = reveals.lines.find((candidate) => candidate.line === number);
  if (shown === undefined) return line.open;
  const leads = (chain: number, anchor: Uint8Array, reveal: Reveal): boolean =>
    isAbove(digest, {
      aid: authority.aid,
      chain,
      present: { k: 0, value: anchor },
      above: { k: reveal.k, value: bytesOf(reveal.value) },
    });
  const proven =
    leads(freeChain(number), line.free, shown.free) && leads(heldChain(number), line.held, shown.held);
  return proven ? line.open + shown.free.k + shown.held.k : 'reveal-invalid';
}

/** The unit number against what the publisher has granted: open + free k + held k (protocol §3.8, 3). */
function checkUnit(digest: Digest, ground: ProofGround, claims: PermanentClaims): Checked<number> {
  const proven = ground.proven.get(claims.line) ?? provenUnits(digest, ground, claims.line);
  ground.proven.set(claims.line, proven);
  if (proven === 'reveal-invalid') {
    return no('reveal-invalid', `what is shown for line ${claims.line} does not lead to its anchor`);
  }
  if (claims.unit <= proven) return ok(proven);
  return no('unit-not-proven', `unit ${claims.unit}, but ${proven} were granted`);
}

/** Horizon and sunset (protocol §2.1; §3.8, 4). */
function checkReach(
  digest: Digest,
  ground: ProofGround,
  claims: PermanentClaims,
): Checked<{ horizonMs: number; sunsetMs: number }> {
  const { aid, baseMonth, sunsetMonths, horizonAnchor } = ground.authority;
  const shown = ground.reveals.horizon;
  if (shown !== null) {
    const present = { k: 0, value: horizonAnchor };
    const above = { k: shown.e, value: bytesOf(shown.value) };
    if (!isAbove(digest, { aid, chain: horizonChain, present, above })) {
      return no('horizon-invalid', 'the horizon shown does not lead to its anchor');
    }
  }
  const e = shown?.e ?? 0;
  const horizonMs = endOfMonthMs(baseMonth + e);
  const sunsetMs = endOfMonthMs(baseMonth + e + sunsetMonths);
  // A renewal after the horizon says so itself; anything else there is a new assignment.
  if (claims.late !== true && msOf(claims.iat) > horizonMs) {
    return no('after-horizon', `issued ${claims.iat}, the horizon was ${isoTime(horizonMs)}`);
  }
  if (msOf(claims.exp) > sunsetMs) {
    return no('beyond-sunset', `ends ${claims.exp}, the sunset is ${isoTime(sunsetMs)}`);
  }
  return ok({ horizonMs, sunsetMs });
}

/**
 * Whether a license is older than the certificate that is to vouch for it. The two clocks that met there, the
 * clearinghouse's and the server's, may be a day apart. How long a certificate vouches its horizon says, which the
 * publisher moves on by codes where no other certificate can be brought.
 */
function isBefore({ notBeforeMs }: Authority, issuedMs: number): boolean {
  return issuedMs < notBeforeMs - clockToleranceMs;
}

/** The line that the token names, if authority, line, product and level are what the token says. */
function checkLine(ground: ProofGround, claims: PermanentClaims): Checked<AuthorityLine> {
  const { authority } = ground;
  if (!equalBytes(authority.aid, bytesOf(claims.aid))) {
    return no('authority-differs', 'the token was issued under another authority');
  }
  if (isBefore(authority, msOf(claims.iat))) {
    const from = isoTime(authority.notBeforeMs);
    return no('before-certificate', `issued ${claims.iat}, the certificate is good from ${from}`);
  }
  if (claims.lvl !== authority.basis) {
    return no('level-differs', `the token says ${claims.lvl}, the authority is by ${authority.basis}`);
  }
  const line = authority.lines[claims.line];
  if (line === undefined || line.product.id !== claims.prod || line.type !== claims.kind) {
    return no('line-differs', `line ${claims.line} is not ${claims.prod} per ${claims.kind}`);
  }
  return ok(line);
}

/**
 * Checks the claims of a permanent license, whose signature holds, against the authority of its
 * server; null where the server shows none. What costs most, the chains, comes last.
 */
export function provePermanent(
  digest: Digest,
  ground: ProofGround | null,
  claims: PermanentClaims,
): Checked<LicenseProof> {
  if (ground === null) return no('authority-missing', 'the server shows neither kit nor certificate');
  const line = checkLine(ground, claims);
  if (!line.ok) return line;
  const reach = checkReach(digest, ground, claims);
  if (!reach.ok) return reach;
  const units = checkUnit(digest, ground, claims);
  if (!units.ok) return units;
  const { publisher, agreement, basis } = ground.authority;
  return ok({ publisher, agreement, basis, line: line.value, units: units.value, ...reach.value });
}
