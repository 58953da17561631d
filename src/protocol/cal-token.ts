/**
 * The license token itself (protocol §4.3): who holds which unit until when, signed by the license
 * server. Signing is on the path of every license request. What proves that the server may have
 * issued a token is the license bundle (license-bundle.ts).
 */
import type { KeyObject } from 'node:crypto';
import type { Static } from 'typebox';
import Type from 'typebox';
import { base64url, utf8 } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import type { SigningKey, UnsignedToken } from './paseto.ts';
import { readFooter, signPaseto, verifyPaseto } from './paseto.ts';
import type { ReadonlyDeep } from './schema.ts';
import {
  Bytes16,
  CalTypeName,
  Count,
  closed,
  Holder,
  Id,
  LicenseServerIdText,
  LineNumber,
  Origin,
  ProductId,
  parserOf,
  Time,
} from './schema.ts';
import { parseStrictObjectBytes } from './strict-json.ts';

const implicitText = 'cal/1';
const implicit = utf8(implicitText);

const named = {
  t: Type.Literal('cal'),
  v: Type.Literal(1),
  /** The issuing server: its License Server ID. */
  iss: LicenseServerIdText,
  gen: Count,
};
const dated = {
  jti: Id,
  /** A pseudonym (`subjectOf`), or the thumbprint of the device's key. */
  sub: Holder.properties.sub,
  iat: Time,
  nbf: Time,
  exp: Time,
  /** Size of the server's journal at signing, and the first 6 bytes of its root in hex. */
  log: Type.Tuple([Count, Type.String({ pattern: '^[0-9a-f]{12}$' })]),
};
const PermanentClaims = closed({
  ...named,
  /** The authority whose chains prove the unit. */
  aid: Bytes16,
  line: LineNumber,
  prod: ProductId,
  kind: CalTypeName,
  unit: Holder.properties.unit,
  origin: Origin,
  /** Renewed after the horizon: a unit at risk (protocol §2.1). */
  late: Type.Optional(Type.Boolean()),
  ...dated,
  lvl: Type.Enum(['key', 'slot']),
});
const TemporaryClaims = closed({
  ...named,
  aid: Type.Union([Bytes16, Type.Null()]),
  line: Type.Union([LineNumber, Type.Null()]),
  prod: ProductId,
  kind: Type.Literal('temp'),
  unit: Type.Null(),
  origin: Type.Null(),
  ...dated,
  lvl: Type.Enum(['key', 'slot', 'none']),
});

/** A license that spends a unit. */
export type PermanentClaims = ReadonlyDeep<Static<typeof PermanentClaims>>;
/** A temporary license (protocol §1.5): no unit, and no authority where the server has none. */
export type TemporaryClaims = ReadonlyDeep<Static<typeof TemporaryClaims>>;
export type CalClaims = PermanentClaims | TemporaryClaims;

export interface OpenedCalToken {
  readonly claims: CalClaims;
  /** Hash of the license bundle that was in force when it was issued (`bundleHash`). */
  readonly bundle: string;
}

const parseClaims = parserOf(Type.Union([PermanentClaims, TemporaryClaims]));
const Footer = closed({ kid: LicenseServerIdText, bundle: Bytes16 });
const parseFooter = parserOf(Footer);

/** A CAL token has less than 1,000 characters; more is not worth verifying. */
const maxCalTokenChars = 4096;

/**
 * A license token before it is signed. The claims are trusted to have their form: they come from this
 * server's own tables. `bundle` is the `bundleHash` of the bundle that verifies it now. Building the
 * JSON by hand was measured, and is no faster.
 */
export function unsignedCalToken(
  claims: CalClaims,
  as: { readonly kid: string; readonly bundle: string },
): UnsignedToken {
  return { payload: JSON.stringify(claims), footer: JSON.stringify(as), implicit: implicitText };
}

/** Signs a license where it is called; the license path has a thread for it (platform/token-signer.ts). */
export function signCalToken(
  claims: CalClaims,
  as: { readonly key: SigningKey; readonly bundle: string },
): string {
  const { payload, footer } = unsignedCalToken(claims, { kid: as.key.kid, bundle: as.bundle });
  return signPaseto({ payload: utf8(payload), footer: utf8(footer), key: as.key.privateKey, implicit });
}

/** The license server and bundle that an unverified token names; undefined where it is no CAL token. */
export function readCalFooter(token: string): ReadonlyDeep<Static<typeof Footer>> | undefined {
  if (token.length > maxCalTokenChars) return undefined;
  const bytes = readFooter(token);
  const footer = parseFooter(bytes === undefined ? undefined : parseStrictObjectBytes(bytes));
  return footer.ok ? footer.value : undefined;
}

/** `unreadable`: no CAL token, or one that says impossible things; `signature`: not signed by this key. */
export type CalTokenProblem = 'unreadable' | 'signature';

/**
 * Opens a token that the license server with this public key (`publicKeyObject`) signed for itself.
 * Only signature and form are looked at here; what else must hold is asked of `verifyLicense`.
 */
export function openCalToken(token: string, publicKey: KeyObject): Result<OpenedCalToken, CalTokenProblem> {
  const footer = readCalFooter(token);
  if (footer === undefined) return err('unreadable');
  const verified = verifyPaseto(token, { key: publicKey, implicit });
  if (verified === undefined) return err('signature');
  const claims = parseClaims(verified.payload);
  if (!claims.ok || claims.value.iss !== footer.kid) return err('unreadable');
  return ok({ claims: claims.value, bundle: footer.bundle });
}

/**
 * The pseudonym of a device or user within an agreement: base64url of HMAC-SHA256(salt, kind ":" name)
 * (protocol §4.3). `salt` is the agreement's, so that a holder keeps it on every server of the
 * agreement and cannot be recognized in another. The name is taken as it is; the caller decides
 * whether case matters.
 */
export function subjectOf(
  digest: Digest,
  holder: { readonly salt: Uint8Array; readonly kind: string; readonly name: string },
): string {
  return base64url(digest.hmacSha256(holder.salt, utf8(`${holder.kind}:${holder.name}`)));
}
