/**
 * What verifies a license offline (protocol §3.8): trust list, kit or certificate, the server's key
 * and its latest reveals, in one JSON object that a server hands out with its tokens; and the whole
 * verification, from the publisher's root down to the unit number, each failure with a name.
 */
import type { KeyObject } from 'node:crypto';
import type { Static } from 'typebox';
import Type from 'typebox';
import { base64url, firstBytes, utf8 } from '../core/bytes.ts';
import { canonicalJson } from '../core/canonical.ts';
import { licenseServerId } from '../core/code.ts';
import type { Digest } from '../core/digest.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { clockToleranceMs } from '../core/standing.ts';
import { dayMs, isoTime } from '../core/time.ts';
import type { Authority, ServerCertificate } from './authority.ts';
import { authorityOfCertificate, authorityOfSlot, openCertificate, openKit } from './authority.ts';
import type { CalClaims } from './cal-token.ts';
import { openCalToken } from './cal-token.ts';
import type { Checked, LicenseProof, LicenseRefusal, ProofGround } from './license-proof.ts';
import { no, provePermanent, Reveals } from './license-proof.ts';
import { publicKeyObject } from './paseto.ts';
import type { ReadonlyDeep } from './schema.ts';
import { Bytes32, bytesOf, closed, Id, msOf, parserOf, Time, Token } from './schema.ts';
import type { TrustList } from './trust.ts';
import { claimedRoots, isTrustListStale, keyId, openTrustList } from './trust.ts';

const BundleSchema = closed({
  trustList: Type.Union([Token, Type.Null()]),
  /** null: a server that holds nothing yet, which issues temporary licenses only. */
  authority: Type.Union([
    closed({ kit: Token, slot: Type.Integer({ minimum: 0, maximum: 255 }) }),
    closed({ certificate: Token }),
    Type.Null(),
  ]),
  serverKey: Bytes32,
  /** Never the activation value: K₀ comes from it (protocol §3.6). */
  reveals: Reveals,
  /** Tokens that are not to be honored though their time has not come; `exp` is theirs. */
  revoked: Type.Array(closed({ jti: Id, exp: Time }), { maxItems: 100_000 }),
});

export type LicenseBundle = ReadonlyDeep<Static<typeof BundleSchema>>;

const parseBundle = parserOf(BundleSchema);

/** A temporary license lasts 90 days at most (protocol §1.5); no authority vouches for a longer one. */
const longestTemporaryMs = 90 * dayMs;

/** A bundle whose signatures hold, ready to verify many tokens of its server. */
export interface OpenedBundle {
  readonly licenseServerId: string;
  readonly serverKey: Uint8Array;
  readonly key: KeyObject;
  /** null where the server has no authority: it issues temporary licenses only. */
  readonly trusted: (ProofGround & { readonly trustList: TrustList }) | null;
  /** Whether the root was pinned by the caller, or only claimed by the bundle itself. */
  readonly rootPinned: boolean;
  readonly revoked: ReadonlySet<string>;
}

export interface VerifiedLicense {
  readonly claims: CalClaims;
  readonly licenseServerId: string;
  readonly serverKey: Uint8Array;
  readonly rootPinned: boolean;
  /** null where nothing but the server itself vouches for it: a temporary license. */
  readonly proof: LicenseProof | null;
  /** The trust list has outlived its term; to be told, not to be refused (protocol §4.5). */
  readonly trustListStale: boolean;
}

/** Checks the form of a bundle that came as JSON. Refused: message-invalid. */
export function readLicenseBundle(value: unknown): Result<LicenseBundle, Refusal> {
  const bundle = parseBundle(value);
  return bundle.ok ? bundle : err({ code: 'message-invalid', problem: `license bundle: ${bundle.error}` });
}

/** The names of the root keys that a bundle claims for its publisher, nothing verified. */
export function claimedRootIds(bundle: LicenseBundle): readonly string[] {
  return claimedRoots(bundle.trustList ?? '').map(({ kid }) => kid);
}

/**
 * The public key of the root `kid`, where it has signed the trust list of this bundle; undefined where the
 * bundle is another publisher's, or has no trust list.
 */
export function rootOfBundle(digest: Digest, bundle: LicenseBundle, kid: string): Uint8Array | undefined {
  const token = bundle.trustList ?? '';
  const root = claimedRoots(token).find((each) => each.kid === kid);
  return root !== undefined && openTrustList(digest, token, [root]).ok ? root.publicKey : undefined;
}

/** Names a bundle, for caches and for the footer of tokens: base64url of 16 bytes of its SHA-256. */
export function bundleHash(digest: Digest, bundle: LicenseBundle): string {
  return base64url(firstBytes(digest.sha256(utf8(canonicalJson(bundle))), 16));
}

function openTrust(digest: Digest, token: string | null, root: Uint8Array | undefined): Checked<TrustList> {
  if (token === null) return no('trust-list-missing', 'the bundle has no trust list');
  const pinned = root && [{ kid: keyId(digest, root), publicKey: root }];
  const list = openTrustList(digest, token, pinned ?? claimedRoots(token));
  if (list.ok) return list;
  if (list.error.code === 'message-untrusted') {
    return no('trust-list-untrusted', `signed by ${list.error.signer}, not by the publisher's root`);
  }
  return no('trust-list-invalid', 'problem' in list.error ? list.error.problem : list.error.code);
}

function authorityRefused(refusal: Refusal): { ok: false; error: LicenseRefusal } {
  if (refusal.code === 'message-untrusted') {
    return no('authority-untrusted', `the trust list does not have the key ${refusal.signer} in force`);
  }
  if (refusal.code === 'publisher-different') {
    return no('authority-untrusted', `it is of ${refusal.found}, the trust list of ${refusal.expected}`);
  }
  return no('authority-invalid', 'problem' in refusal ? refusal.problem : refusal.code);
}

function openAuthority(
  digest: Digest,
  given: NonNullable<LicenseBundle['authority']>,
  trustList: TrustList,
): Checked<{ authority: Authority; certificate: ServerCertificate | null }> {
  if ('kit' in given) {
    const kit = openKit(given.kit, trustList);
    if (!kit.ok) return authorityRefused(kit.error);
    const authority = authorityOfSlot(digest, kit.value, given.slot);
    if (authority === undefined) return no('slot-unknown', `the kit has no slot ${given.slot}`);
    return ok({ authority, certificate: null });
  }
  const certificate = openCertificate(digest, given.certificate, trustList);
  if (!certificate.ok) return authorityRefused(certificate.error);
  return ok({ authority: authorityOfCertificate(certificate.value), certificate: certificate.value });
}

function openTrusted(
  digest: Digest,
  bundle: LicenseBundle,
  root: Uint8Array | undefined,
): Checked<OpenedBundle['trusted']> {
  if (bundle.authority === null) return ok(null);
  const trustList = openTrust(digest, bundle.trustList, root);
  if (!trustList.ok) return trustList;
  const opened = openAuthority(digest, bundle.authority, trustList.value);
  if (!opened.ok) return opened;
  const { authority, certificate } = opened.value;
  if (certificate !== null && certificate.pk !== bundle.serverKey) {
    return no('certificate-other-server', `the certificate names ${certificate.lsid}`);
  }
  const { reveals } = bundle;
  return ok({ trustList: trustList.value, authority, reveals, proven: new Map() });
}

/**
 * Opens a bundle: trust list, authority, and the server's key against both. `root` is the publisher's
 * public root key as the verifier has it pinned; undefined believes the root that the bundle names,
 * which proves consistency only. Keep the result by `bundleHash`; `verifyToken` takes it many times.
 */
export function openLicenseBundle(
  digest: Digest,
  bundle: LicenseBundle,
  root: Uint8Array | undefined,
): Checked<OpenedBundle> {
  const serverKey = bytesOf(bundle.serverKey);
  const key = publicKeyObject(serverKey);
  if (key === undefined) return no('server-key-differs', 'the key of the server is none');
  const trusted = openTrusted(digest, bundle, root);
  if (!trusted.ok) return trusted;
  return ok({
    licenseServerId: licenseServerId(digest, serverKey),
    serverKey,
    key,
    trusted: trusted.value,
    rootPinned: root !== undefined,
    revoked: new Set(bundle.revoked.map(({ jti }) => jti)),
  });
}

function checkTimes(claims: CalClaims, nowMs: number): LicenseRefusal | undefined {
  const [iat, nbf, exp] = [msOf(claims.iat), msOf(claims.nbf), msOf(claims.exp)];
  const now = isoTime(nowMs);
  if (exp < nbf || exp < iat) {
    return { reason: 'times-impossible', detail: `issued ${claims.iat}, ends ${claims.exp}` };
  }
  if (Math.max(iat, nbf) > nowMs + clockToleranceMs) {
    return { reason: 'not-yet-valid', detail: `valid from ${claims.nbf}, issued ${claims.iat}, now ${now}` };
  }
  // No grace: the lease is the grace (protocol §4.3).
  return nowMs > exp ? { reason: 'expired', detail: `ended ${claims.exp}, now ${now}` } : undefined;
}

/**
 * Verifies a token against an opened bundle (protocol §3.8, checks 2 to 5; the device's proof of its
 * key and the memory of the highest `(gen, log size)` are the host's). A temporary license needs the
 * server's signature and dates alone.
 */
export function verifyToken(
  digest: Digest,
  opened: OpenedBundle,
  shown: { readonly token: string; readonly nowMs: number },
): Checked<VerifiedLicense> {
  const token = openCalToken(shown.token, opened.key);
  if (!token.ok) {
    return token.error === 'signature'
      ? no('token-signature', `it is not signed by ${opened.licenseServerId}`)
      : no('token-unreadable', 'it is no CAL token, or was cut short or altered');
  }
  const { claims } = token.value;
  if (claims.iss !== opened.licenseServerId) {
    return no('server-key-differs', `the token names ${claims.iss}, the key is of ${opened.licenseServerId}`);
  }
  const late = checkTimes(claims, shown.nowMs);
  if (late !== undefined) return err(late);
  if (opened.revoked.has(claims.jti)) return no('revoked', `${claims.jti} is revoked`);
  if (claims.kind === 'temp' && msOf(claims.exp) - msOf(claims.iat) > longestTemporaryMs) {
    return no('temporary-too-long', `issued ${claims.iat}, ends ${claims.exp}`);
  }
  const proof = claims.kind === 'temp' ? ok(null) : provePermanent(digest, opened.trusted, claims);
  if (!proof.ok) return proof;
  return ok({
    claims,
    licenseServerId: opened.licenseServerId,
    serverKey: opened.serverKey,
    rootPinned: opened.rootPinned,
    proof: proof.value,
    trustListStale: opened.trusted !== null && isTrustListStale(opened.trusted.trustList, shown.nowMs),
  });
}

/** Verifies one token with the bundle that came with it: `openLicenseBundle`, then `verifyToken`. */
export function verifyLicense(shown: {
  readonly token: string;
  readonly bundle: LicenseBundle;
  /** The publisher's public root key, 32 bytes; undefined where the verifier knows none. */
  readonly root: Uint8Array | undefined;
  readonly nowMs: number;
  readonly digest: Digest;
}): Checked<VerifiedLicense> {
  const opened = openLicenseBundle(shown.digest, shown.bundle, shown.root);
  return opened.ok ? verifyToken(shown.digest, opened.value, shown) : opened;
}
