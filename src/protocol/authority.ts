/**
 * What gives a license server its authority over the lines of an agreement (protocol §3.4, "Anchors
 * first"): a slot of an agreement kit, which names no key, or a server certificate, which names the
 * server's. Both are signed by the clearinghouse; `Authority` is what they have in common.
 */

import type { Static } from 'typebox';
import Type from 'typebox';
import { utf8 } from '../core/bytes.ts';
import { slotAid } from '../core/chain.ts';
import { licenseServerId } from '../core/code.ts';
import type { Digest } from '../core/digest.ts';
import type { JsonObject } from '../core/json.ts';
import type { CalType } from '../core/product.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { readCalyxFile, writeCalyxFile } from './calyx-file.ts';
import type { SigningKey } from './paseto.ts';
import { publicKeyObject, readPayload, signPaseto, verifyPaseto } from './paseto.ts';
import type { Parser, ReadonlyDeep } from './schema.ts';
import {
  AgreementNumber,
  Bytes16,
  Bytes32,
  bytesOf,
  CalTypeName,
  Count,
  closed,
  LicenseServerIdText,
  msOf,
  ProductInfo,
  parserOf,
  Text,
  Time,
  Token,
  Units,
} from './schema.ts';
import type { TrustList } from './trust.ts';
import { keyIdFooter, readKeyId, trustedKey } from './trust.ts';
import { EarlierTrustLists, trustListMembers, trustListsOf } from './trust-lists.ts';

const kitImplicit = utf8('calyx-kit/1');
const certificateImplicit = utf8('calyx-cert/1');

const Month = Type.String({ pattern: '^[0-9]{4}-(?:0[1-9]|1[0-2])$' });
const SunsetMonths = Type.Integer({ minimum: 0, maximum: 120 });
const mostLines = 15;

const KitSchema = closed({
  t: Type.Literal('kit'),
  v: Type.Literal(1),
  kitId: Bytes16,
  agreement: AgreementNumber,
  program: Text,
  customer: Text,
  publisher: Text,
  salt: Bytes16,
  iat: Time,
  /** The month that the horizon anchor stands for: horizon position 0. */
  base: Month,
  sunsetMonths: SunsetMonths,
  lines: Type.Array(closed({ product: ProductInfo, type: CalTypeName }), { maxItems: mostLines }),
  slots: Type.Array(
    closed({
      slot: Type.Integer({ minimum: 0, maximum: 255 }),
      activation: Bytes16,
      horizon: Bytes16,
      lines: Type.Array(closed({ free: Bytes16, held: Bytes16 }), { maxItems: mostLines }),
    }),
    { minItems: 1, maxItems: 256 },
  ),
});

const CertificateSchema = closed({
  t: Type.Literal('ls-cert'),
  v: Type.Literal(1),
  aid: Bytes16,
  lsid: LicenseServerIdText,
  /** The server's Ed25519 public key, of which `lsid` is the hash. */
  pk: Bytes32,
  /** The clearinghouse's one-time X25519 public key, for K₀ (protocol §3.6). */
  ekCh: Bytes32,
  gen: Count,
  agreement: AgreementNumber,
  publisher: Text,
  salt: Bytes16,
  base: Month,
  sunsetMonths: SunsetMonths,
  /** `open`: units certified at signing; the chains count on from there. */
  lines: Type.Array(
    closed({ product: ProductInfo, type: CalTypeName, open: Units, free: Bytes16, held: Bytes16 }),
    { maxItems: mostLines },
  ),
  horizon: Bytes16,
  iat: Time,
  nbf: Time,
  /** When another one is due. Its licenses are bound by horizon and sunset, which codes move on, and not by this. */
  exp: Time,
});

const KitFileSchema = closed({
  calyx: Type.Literal('agreement-kit'),
  v: Type.Literal(1),
  kit: Token,
  trustList: Token,
  earlierTrustLists: Type.Optional(EarlierTrustLists),
});

/** The content of an agreement kit. */
export type Kit = ReadonlyDeep<Static<typeof KitSchema>>;
/** The content of a server certificate. */
export type ServerCertificate = ReadonlyDeep<Static<typeof CertificateSchema>>;

export interface AuthorityLine {
  readonly product: ProductInfo;
  readonly type: CalType;
  /** Units that the certificate itself grants; 0 in a kit. */
  readonly open: number;
  /** v[0] of the line's free and held chain: 16 bytes each. */
  readonly free: Uint8Array;
  readonly held: Uint8Array;
}

/** What a kit slot and a certificate have in common; lines stand at their numbers. */
export interface Authority {
  /** 16 bytes; names the chains. */
  readonly aid: Uint8Array;
  /** `slot`: any key may claim it; `key`: the certificate names the server's key. */
  readonly basis: 'slot' | 'key';
  readonly publisher: string;
  readonly agreement: string;
  /** 16 bytes, for the pseudonyms of holders (`subjectOf`). */
  readonly salt: Uint8Array;
  /** `year * 12 + month - 1` of horizon position 0. */
  readonly baseMonth: number;
  readonly sunsetMonths: number;
  /** Licenses that were issued before vouch for nothing; 0 of a slot, whose key was there before. */
  readonly notBeforeMs: number;
  readonly lines: readonly AuthorityLine[];
  readonly horizonAnchor: Uint8Array;
  /** Kit slots only. */
  readonly slot?: number;
  readonly activationAnchor?: Uint8Array;
}

const parseKit = parserOf(KitSchema);
const parseCertificate = parserOf(CertificateSchema);
const parseKitFile = parserOf(KitFileSchema);

/** `2027-12` of `year * 12 + month - 1`. */
export function monthText(month: number): string {
  const year = String(Math.floor(month / 12)).padStart(4, '0');
  return `${year}-${String((month % 12) + 1).padStart(2, '0')}`;
}

/** The month of a text that the schema has already checked. */
function monthOfText(text: string): number {
  return Number(text.slice(0, 4)) * 12 + Number(text.slice(5)) - 1;
}

function kitProblem(kit: Kit): string | undefined {
  if (new Set(kit.slots.map(({ slot }) => slot)).size !== kit.slots.length) return 'a slot is there twice';
  if (kit.slots.some(({ lines }) => lines.length !== kit.lines.length)) {
    return 'a slot has anchors for another number of lines';
  }
  return undefined;
}

function certificateProblem(digest: Digest, certificate: ServerCertificate): string | undefined {
  if (licenseServerId(digest, bytesOf(certificate.pk)) !== certificate.lsid) {
    return 'the License Server ID is not that of the key';
  }
  return msOf(certificate.exp) < msOf(certificate.nbf) ? 'it ends before it begins' : undefined;
}

/** Signs an agreement kit with a clearinghouse key. Throws where `openKit` would refuse it (a bug). */
export function sealKit(kit: Kit, key: SigningKey): string {
  const parsed = parseKit(kit);
  const problem = parsed.ok ? kitProblem(kit) : parsed.error;
  if (problem !== undefined) throw new TypeError(`not an agreement kit: ${problem}`);
  return sealDocument(kit, key, kitImplicit);
}

/** Signs a server certificate with a clearinghouse key. Throws where `openCertificate` would refuse it (a bug). */
export function sealCertificate(digest: Digest, certificate: ServerCertificate, key: SigningKey): string {
  const parsed = parseCertificate(certificate);
  const problem = parsed.ok ? certificateProblem(digest, certificate) : parsed.error;
  if (problem !== undefined) throw new TypeError(`not a server certificate: ${problem}`);
  return sealDocument(certificate, key, certificateImplicit);
}

function sealDocument(document: JsonObject, key: SigningKey, implicit: Uint8Array): string {
  return signPaseto({
    payload: utf8(JSON.stringify(document)),
    key: key.privateKey,
    footer: keyIdFooter(key.kid),
    implicit,
  });
}

interface Signed {
  readonly publisher: string;
  readonly iat: string;
}

/** Opens what a clearinghouse key signed that the trust list has in force at the time of signing. */
function openDocument<Document extends Signed>(
  token: string,
  trust: TrustList,
  as: { readonly what: string; readonly implicit: Uint8Array; readonly parse: Parser<Document> },
): Result<Document, Refusal> {
  const invalid = (problem: string) => err({ code: 'message-invalid' as const, problem });
  const kid = readKeyId(token);
  if (kid === undefined) return invalid(`it is no ${as.what}, or was cut short or altered`);
  const listed = trust.keys.find((key) => key.kid === kid);
  const key = listed === undefined ? undefined : publicKeyObject(bytesOf(listed.pk));
  if (key === undefined) return err({ code: 'message-untrusted', signer: kid });
  const verified = verifyPaseto(token, { key, implicit: as.implicit });
  if (verified === undefined) return invalid(`the signature of the ${as.what} does not fit`);
  const document = as.parse(verified.payload);
  if (!document.ok) return invalid(`${as.what}: ${document.error}`);
  const { iat, publisher } = document.value;
  if (trustedKey(trust, kid, { role: 'issue', atMs: msOf(iat) }) === undefined) {
    return err({ code: 'message-untrusted', signer: kid });
  }
  if (publisher !== trust.publisher) {
    return err({ code: 'publisher-different', expected: trust.publisher, found: publisher });
  }
  return document;
}

/**
 * Opens an agreement kit. Refused: message-invalid; message-untrusted (the key is not in the trust
 * list, is revoked, or was not in force when it signed); publisher-different.
 */
export function openKit(token: string, trust: TrustList): Result<Kit, Refusal> {
  const kit = openDocument(token, trust, { what: 'agreement kit', implicit: kitImplicit, parse: parseKit });
  const problem = kit.ok ? kitProblem(kit.value) : undefined;
  return problem === undefined ? kit : err({ code: 'message-invalid', problem: `agreement kit: ${problem}` });
}

/**
 * Opens a server certificate; refused as in `openKit`. Whose it is and whether it is in its term is
 * for the caller: a server compares `pk` with its own key, a verifier with the token's.
 */
export function openCertificate(
  digest: Digest,
  token: string,
  trust: TrustList,
): Result<ServerCertificate, Refusal> {
  const what = 'server certificate';
  const certificate = openDocument(token, trust, {
    what,
    implicit: certificateImplicit,
    parse: parseCertificate,
  });
  const problem = certificate.ok ? certificateProblem(digest, certificate.value) : undefined;
  return problem === undefined
    ? certificate
    : err({ code: 'message-invalid', problem: `${what}: ${problem}` });
}

/** The authority of one slot of a kit, or undefined where the kit has no such slot. */
export function authorityOfSlot(digest: Digest, kit: Kit, slot: number): Authority | undefined {
  const found = kit.slots.find((candidate) => candidate.slot === slot);
  if (found === undefined) return undefined;
  return {
    aid: slotAid(digest, bytesOf(kit.kitId), slot),
    basis: 'slot',
    publisher: kit.publisher,
    agreement: kit.agreement,
    salt: bytesOf(kit.salt),
    baseMonth: monthOfText(kit.base),
    sunsetMonths: kit.sunsetMonths,
    notBeforeMs: 0,
    lines: kit.lines.flatMap(({ product, type }, number) => {
      const anchors = found.lines[number];
      if (anchors === undefined) return [];
      return [{ product, type, open: 0, free: bytesOf(anchors.free), held: bytesOf(anchors.held) }];
    }),
    horizonAnchor: bytesOf(found.horizon),
    slot,
    activationAnchor: bytesOf(found.activation),
  };
}

/** The authority that a certificate gives. */
export function authorityOfCertificate(certificate: ServerCertificate): Authority {
  return {
    aid: bytesOf(certificate.aid),
    basis: 'key',
    publisher: certificate.publisher,
    agreement: certificate.agreement,
    salt: bytesOf(certificate.salt),
    baseMonth: monthOfText(certificate.base),
    sunsetMonths: certificate.sunsetMonths,
    notBeforeMs: msOf(certificate.nbf),
    lines: certificate.lines.map(({ product, type, open, free, held }) => ({
      product,
      type,
      open,
      free: bytesOf(free),
      held: bytesOf(held),
    })),
    horizonAnchor: bytesOf(certificate.horizon),
  };
}

/**
 * The authority of a document that this server has verified and stored itself; the signature is not
 * looked at again. Throws where the document is not what was stored (the database was altered).
 */
export function authorityOf(
  digest: Digest,
  stored: { readonly basis: 'slot' | 'key'; readonly slot: number | null; readonly document: string },
): Authority {
  const payload = readPayload(stored.document);
  if (stored.basis === 'key') {
    const certificate = parseCertificate(payload);
    if (certificate.ok) return authorityOfCertificate(certificate.value);
    throw new Error(`the stored server certificate cannot be read: ${certificate.error}`);
  }
  const kit = parseKit(payload);
  const authority = kit.ok ? authorityOfSlot(digest, kit.value, stored.slot ?? -1) : undefined;
  if (authority !== undefined) return authority;
  throw new Error(`the stored agreement kit cannot be read: ${kit.ok ? 'no such slot' : kit.error}`);
}

/** A certificate that its reader has signed, or verified, and stored. Throws where the database was altered. */
export function readStoredCertificate(document: string): ServerCertificate {
  const certificate = parseCertificate(readPayload(document));
  if (certificate.ok) return certificate.value;
  throw new Error(`the stored server certificate cannot be read: ${certificate.error}`);
}

/** A kit that this server has verified and stored itself. Throws where the database was altered. */
export function readStoredKit(document: string): Kit {
  const kit = parseKit(readPayload(document));
  if (kit.ok) return kit.value;
  throw new Error(`the stored agreement kit cannot be read: ${kit.error}`);
}

/** A kit as it was signed, and the trust lists beside it: oldest first, the one in force last. */
export interface KitFile {
  readonly kit: string;
  readonly trustLists: readonly string[];
}

/** The text of an agreement kit file. */
export function writeKitFile({ kit, trustLists }: KitFile): string {
  return writeCalyxFile('agreement-kit', { kit, ...trustListMembers(trustLists) });
}

/**
 * The kit and the trust lists in an agreement kit file, all still to be opened. Refused:
 * file-damaged, file-other-kind.
 */
export function readKitFile(text: string): Result<KitFile, Refusal> {
  const members = readCalyxFile(text, ['agreement-kit']);
  if (!members.ok) return members;
  const parsed = parseKitFile(members.value);
  if (!parsed.ok) return err({ code: 'file-damaged', problem: parsed.error });
  return ok({ kit: parsed.value.kit, trustLists: trustListsOf(parsed.value) });
}
