/**
 * A referral (protocol §2.4): the signed word of a license server to a client that the CALs it asks for are
 * on another server now. It sends a client there and nothing more: what the client is given there it
 * verifies by itself. Signing and opening; following it is the client's.
 */
import type { Static } from 'typebox';
import Type from 'typebox';
import { base64url, equalBytes, utf8 } from '../core/bytes.ts';
import { licenseServerId } from '../core/code.ts';
import type { Digest } from '../core/digest.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { clockToleranceMs } from '../core/standing.ts';
import { dayMs, isoTime } from '../core/time.ts';
import type { SigningKey } from './paseto.ts';
import { publicKeyObject, readFooter, signPaseto, verifyPaseto } from './paseto.ts';
import type { ReadonlyDeep } from './schema.ts';
import {
  Address,
  AgreementNumber,
  Bytes32,
  bytesOf,
  CalTypeName,
  closed,
  Id,
  LicenseServerIdText,
  msOf,
  ProductId,
  parserOf,
  Time,
} from './schema.ts';
import { parseStrictObjectBytes } from './strict-json.ts';
import { KeyId } from './trust.ts';

const implicit = utf8('calyx-referral/1');

/** A referral is asked for again every day: where the CALs are may have changed since (protocol §9). */
export const referralMs = dayMs;

const Claims = closed({
  t: Type.Literal('referral'),
  v: Type.Literal(1),
  /** The server that says it: its License Server ID. */
  iss: LicenseServerIdText,
  /** The publisher's root key, to which the target must belong as well. */
  root: KeyId,
  agreement: AgreementNumber,
  prod: ProductId,
  kind: CalTypeName,
  /** The move that took the CALs along. */
  move: Id,
  target: LicenseServerIdText,
  /** Where the target may be reached, as far as the source knows. */
  urls: Type.Array(Address, { maxItems: 4 }),
  iat: Time,
  exp: Time,
});

export type Referral = ReadonlyDeep<Static<typeof Claims>>;

const parseClaims = parserOf(Claims);
const parseFooter = parserOf(closed({ kid: LicenseServerIdText, pk: Bytes32 }));

/** A referral is small; more is not worth verifying. */
const maxReferralChars = 8192;

/** Signs a referral. The claims are trusted to have their form: they come from this server's own tables. */
export function signReferral(claims: Referral, key: SigningKey): string {
  return signPaseto({
    payload: utf8(JSON.stringify(claims)),
    footer: footerOf(key),
    key: key.privateKey,
    implicit,
  });
}

function footerOf({ kid, publicKey }: Pick<SigningKey, 'kid' | 'publicKey'>): Uint8Array {
  return utf8(JSON.stringify({ kid, pk: base64url(publicKey) }));
}

const invalid = (problem: string): Result<never, Refusal> => err({ code: 'referral-invalid', problem });

/**
 * Opens a referral that came from the license server `from`, offline: its key is in the footer, and its
 * License Server ID is the hash of that key. Refused: `referral-invalid` where it is altered, no referral,
 * of another server or of another publisher than `roots` (none: the client knows none yet), `clock-behind`
 * where it was signed more than a day ahead of our clock, `referral-expired`.
 */
export function openReferral(
  token: string,
  expected: {
    readonly from: string;
    readonly roots: readonly string[];
    readonly nowMs: number;
    readonly digest: Digest;
  },
): Result<Referral, Refusal> {
  const { from, roots, nowMs, digest } = expected;
  const footerBytes = token.length > maxReferralChars ? undefined : readFooter(token);
  const footer = parseFooter(footerBytes && parseStrictObjectBytes(footerBytes));
  if (footerBytes === undefined || !footer.ok) return invalid('it is no referral, or was cut short');
  const publicKey = bytesOf(footer.value.pk);
  const key = publicKeyObject(publicKey);
  const kid = licenseServerId(digest, publicKey);
  if (key === undefined || !equalBytes(footerOf({ kid, publicKey }), footerBytes)) {
    return invalid('the key in it is not that of the license server that it names');
  }
  if (kid !== from) return invalid(`it is signed by ${kid}, but ${from} was asked`);
  const verified = verifyPaseto(token, { key, implicit });
  const claims = parseClaims(verified?.payload);
  if (!claims.ok || claims.value.iss !== kid)
    return invalid('it was altered, or is not signed by its sender');
  const referral = claims.value;
  if (roots.length > 0 && !roots.includes(referral.root)) {
    return invalid('it speaks for another publisher than that of the license in hand');
  }
  if (referral.target === from) return invalid('it leads to the license server that it comes from');
  return checkTimes(referral, nowMs);
}

function checkTimes(referral: Referral, nowMs: number): Result<Referral, Refusal> {
  const { iat, exp } = referral;
  const now = isoTime(nowMs);
  if (msOf(exp) < msOf(iat)) return invalid('it ends before it begins');
  if (msOf(iat) > nowMs + clockToleranceMs) return err({ code: 'clock-behind', now, seen: iat });
  return nowMs > msOf(exp) ? err({ code: 'referral-expired', expiredAt: exp, now }) : ok(referral);
}
