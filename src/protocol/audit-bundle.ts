/**
 * The file that an auditor is given (docs/audit.md): a signed manifest, the documents it names, and the
 * journals, one line each. Every byte is under a signature: documents under their hash in the manifest,
 * entries under the root of their journal. What it means is for src/audit.
 */
import type { Static } from 'typebox';
import Type from 'typebox';
import { base64url, bytesOfBase64url, concat, equalBytes, textOfUtf8, utf8 } from '../core/bytes.ts';
import { canonicalJson } from '../core/canonical.ts';
import { licenseServerId } from '../core/code.ts';
import type { Digest } from '../core/digest.ts';
import type { JsonObject } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { Note } from './log-exchange.ts';
import type { SigningKey } from './paseto.ts';
import { publicKeyObject, readFooter, readPayload, signPaseto, verifyPaseto } from './paseto.ts';
import type { ReadonlyDeep } from './schema.ts';
import {
  AgreementNumber,
  Bytes32,
  Count,
  closed,
  LicenseServerIdText,
  parserOf,
  Text,
  Token,
} from './schema.ts';
import { parseStrictObject } from './strict-json.ts';
import { keyIdFooter } from './trust.ts';

const implicit = utf8('calyx-audit/1');

const Journal = closed({ log: Type.String({ pattern: '^[A-Za-z0-9-]{1,40}$' }), size: Count, root: Bytes32 });
const Manifest = closed({
  t: Type.Literal('audit-bundle'),
  v: Type.Literal(1),
  kind: Type.Enum(['clearinghouse', 'server']),
  publisher: Text,
  /** Of a clearinghouse: the agreement that the bundle is about. */
  agreement: Type.Union([AgreementNumber, Type.Null()]),
  /** Of a license server: its id. */
  server: Type.Union([LicenseServerIdText, Type.Null()]),
  /** When it was made, in milliseconds since 1970 as entries have it: seconds would not tell what was before. */
  at: Count,
  documents: closed({ count: Count, sha256: Bytes32 }),
  journals: Type.Array(Journal, { maxItems: 16 }),
});
export type Manifest = ReadonlyDeep<Static<typeof Manifest>>;

const Document = Type.Union([
  closed({ trustList: Token }),
  closed({ kit: Token }),
  closed({ certificate: Token }),
  /** The key of a license server, of which its id is the hash. */
  closed({ server: LicenseServerIdText, publicKey: Bytes32 }),
  closed({ checkpoint: Note }),
  /** A checkpoint that does not extend the one of the same journal that was cosigned: evidence of a fork. */
  closed({ conflict: Note }),
]);
export type Document = ReadonlyDeep<Static<typeof Document>>;

const parseManifest = parserOf(Manifest);
const parseDocument = parserOf(Document);
const parseHeader = parserOf(
  closed({ calyx: Type.Literal('audit-bundle'), manifest: Token, v: Type.Literal(1) }),
);
const parseFooter = parserOf(closed({ kid: LicenseServerIdText, pk: Bytes32 }));

/** A document as its line in the bundle, without the line feed. Throws where it is none (a bug). */
export function documentLine(document: Document): string {
  const line = canonicalJson(document);
  const parsed = parseDocument(JSON.parse(line));
  if (!parsed.ok) throw new TypeError(`not a document of a bundle: ${parsed.error}`);
  return line;
}

/** What a manifest says of the documents. */
export function documentsDigest(digest: Digest, lines: readonly string[]): Manifest['documents'] {
  return {
    count: lines.length,
    sha256: base64url(digest.sha256(utf8(lines.map((line) => `${line}\n`).join('')))),
  };
}

/** Signs a manifest: its first line, without the line feed. Throws where it would not be read (a bug). */
export function headerLine(manifest: Manifest, key: SigningKey): string {
  const parsed = parseManifest(manifest);
  if (!parsed.ok) throw new TypeError(`not a manifest: ${parsed.error}`);
  const footer =
    manifest.kind === 'server'
      ? utf8(JSON.stringify({ kid: key.kid, pk: base64url(key.publicKey) }))
      : keyIdFooter(key.kid);
  const payload = utf8(canonicalJson(manifest));
  const token = signPaseto({ payload, key: key.privateKey, footer, implicit });
  return canonicalJson({ calyx: 'audit-bundle', v: 1, manifest: token });
}

/** The bundle up to its journals, with what its manifest claims; nothing is verified yet. */
export interface BundleStart {
  readonly token: string;
  readonly documents: readonly Document[];
  readonly documentsDigest: Manifest['documents'];
}

/** The lines of a file as bytes, without their line feeds. Throws a RangeError where the last has none. */
export function* linesOf(chunks: Iterable<Uint8Array>): Generator<Uint8Array, void> {
  let rest: Uint8Array = new Uint8Array(0);
  for (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : concat(rest, chunk);
    let from = 0;
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, from)) {
      yield bytes.subarray(from, end);
      from = end + 1;
    }
    rest = bytes.slice(from);
  }
  if (rest.length > 0) throw new RangeError('the last line does not end');
}

/** A line as the one text of its JSON object; undefined where it is another text of it, or none. */
function strictLine(line: Uint8Array): JsonObject | undefined {
  const text = textOfUtf8(line);
  const value = text === undefined ? undefined : parseStrictObject(text);
  return value !== undefined && canonicalJson(value) === text ? value : undefined;
}

/** The most documents of a bundle: kits, certificates and checkpoints of one agreement or one server. */
const mostDocuments = 100_000;

/** Reads a bundle up to its journals, which are the lines that follow. The error is in words. */
export function readStart(digest: Digest, lines: Iterator<Uint8Array>): Result<BundleStart, string> {
  const first = lines.next();
  const header = parseHeader(first.done === true ? undefined : strictLine(first.value));
  if (!header.ok) return err('it is no audit bundle, or its first line was altered');
  const { manifest: token } = header.value;
  const claimed = parseManifest(readPayload(token));
  if (!claimed.ok) return err('its manifest cannot be read');
  const { count } = claimed.value.documents;
  if (count > mostDocuments) return err(`its manifest speaks of ${count} documents`);
  const documents: Document[] = [];
  const texts: string[] = [];
  for (let at = 0; at < count; at += 1) {
    const line = lines.next();
    const value = line.done === true ? undefined : strictLine(line.value);
    const document = parseDocument(value);
    if (!document.ok || value === undefined) return err(`document ${at + 1} of ${count} cannot be read`);
    documents.push(document.value);
    texts.push(canonicalJson(value));
  }
  return ok({ token, documents, documentsDigest: documentsDigest(digest, texts) });
}

/**
 * The manifest of a bundle, its signature and the hash of its documents verified. `keyOf` names the keys of
 * the clearinghouse; a license server's own is in the footer, and its id is the hash of it.
 */
export function openManifest(
  digest: Digest,
  start: BundleStart,
  keyOf: (kid: string) => Uint8Array | undefined,
): Result<Manifest & { readonly publicKey: Uint8Array }, string> {
  const footer = readFooter(start.token);
  const text = footer === undefined ? undefined : textOfUtf8(footer);
  const members = text === undefined ? undefined : parseStrictObject(text);
  const own = parseFooter(members);
  const kid = members?.['kid'];
  if (typeof kid !== 'string' || footer === undefined) return err('nobody signed its manifest');
  const publicKey = own.ok ? bytesOfBase64url(own.value.pk) : keyOf(kid);
  const key = publicKey === undefined ? undefined : publicKeyObject(publicKey);
  if (publicKey === undefined || key === undefined)
    return err(`its manifest is signed by ${kid}, who is not known`);
  const canonical = own.ok ? utf8(JSON.stringify({ kid, pk: own.value.pk })) : keyIdFooter(kid);
  if (!equalBytes(canonical, footer)) return err('its manifest has another footer than it was written with');
  const verified = verifyPaseto(start.token, { key, implicit });
  const manifest = parseManifest(verified?.payload);
  if (!manifest.ok) return err('the signature of its manifest does not fit');
  const { kind, server, agreement, documents } = manifest.value;
  const fits =
    kind === 'server' ? own.ok && server === kid && agreement === null : !own.ok && server === null;
  const named = kind === 'clearinghouse' ? agreement !== null : licenseServerId(digest, publicKey) === server;
  if (!fits || !named) return err('its manifest is signed by another than it speaks of');
  if (canonicalJson(documents) !== canonicalJson(start.documentsDigest)) {
    return err('its documents are not those that its manifest names');
  }
  return ok({ ...manifest.value, publicKey });
}
