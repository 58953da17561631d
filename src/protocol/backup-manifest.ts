/**
 * The beginning of a backup file: one line that says what it is, a signed manifest on the second, and line
 * feeds up to a multiple of 4096 bytes; an age file follows. There is one text of all of it, so that no bit
 * can change unseen. What is sealed, and how it is opened, is for src/backup.
 */
import type { Static } from 'typebox';
import Type from 'typebox';
import { base64url, concat, equalBytes, textOfUtf8, utf8 } from '../core/bytes.ts';
import { canonicalJson } from '../core/canonical.ts';
import { licenseServerId } from '../core/code.ts';
import type { Digest } from '../core/digest.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import type { SigningKey } from './paseto.ts';
import { publicKeyObject, readFooter, signPaseto, verifyPaseto } from './paseto.ts';
import type { ReadonlyDeep } from './schema.ts';
import {
  AgreementNumber,
  Bytes32,
  bytesOf,
  CalTypeName,
  Count,
  closed,
  LicenseServerIdText,
  LineNumber,
  ProductId,
  parserOf,
  Text,
  Time,
} from './schema.ts';
import { parseStrictObject } from './strict-json.ts';
import { KeyId, keyId } from './trust.ts';

const implicit = utf8('calyx-backup/1');

const Journal = closed({ log: AgreementNumber, size: Count, root: Bytes32 });
/** A line of a license server, as its books have it (protocol §1.3). */
const Line = closed({
  agreement: AgreementNumber,
  line: LineNumber,
  product: ProductId,
  type: CalTypeName,
  ...{ installed: Count, issued: Count, unissued: Count, held: Count, reserved: Count, quarantined: Count },
});
const Bytes = closed({ bytes: Count, sha256: Bytes32 });
const Manifest = closed({
  t: Type.Literal('backup'),
  v: Type.Literal(1),
  kind: Type.Enum(['clearinghouse', 'server']),
  /** The License Server ID; of a clearinghouse the id of the key that issues. */
  id: Type.Union([LicenseServerIdText, KeyId]),
  publisher: Text,
  /** The name of the license server; of a clearinghouse that of the publisher. */
  name: Text,
  /** Of the program that made it. */
  version: Text,
  at: Time,
  /** Of a license server; 0 at a clearinghouse. */
  generation: Count,
  journals: Type.Array(Journal),
  /** Of a license server; none at a clearinghouse. */
  lines: Type.Array(Line),
  /** Of a clearinghouse; 0 on a license server. */
  agreements: Count,
  servers: Count,
  /** The database within. */
  plain: Bytes,
  /** The age file, to the end of the backup. */
  sealed: Bytes,
  /** Whose keys open it, as age writes them. */
  recipients: Type.Array(Text, { minItems: 1, maxItems: 16 }),
});
export type BackupManifest = ReadonlyDeep<Static<typeof Manifest>>;

/** What can be read from a database alone: the part of a manifest that a copy is compared with. */
export type BackupContents = Pick<
  BackupManifest,
  'generation' | 'journals' | 'lines' | 'agreements' | 'servers'
>;

const parseManifest = parserOf(Manifest);
const parseFooter = parserOf(closed({ kid: Text, pk: Bytes32 }));

/** Both programs in one pattern: which one a key is of, the manifest says, and its id shows. */
const idOf = { server: licenseServerId, clearinghouse: keyId };

const block = 4096;
/** The longest beginning that is looked at: a journal for each of 100,000 agreements. */
const mostHeaderBytes = 32 * 1024 * 1024;
const firstLine = /^calyx-backup\/1 ([1-9][0-9]{0,8})\n/;
/** So many bytes of a file are enough for `headerBytesOf`. */
export const firstLineBytes = 32;

function footerOf(key: { readonly kid: string; readonly publicKey: Uint8Array }): Uint8Array {
  return utf8(JSON.stringify({ kid: key.kid, pk: base64url(key.publicKey) }));
}

/** The text for a token, which says how long it is and is padded to that. */
function layOut(token: string): Uint8Array {
  let total = block;
  for (;;) {
    const text = utf8(`calyx-backup/1 ${total}\n${token}\n`);
    if (text.length <= total) return concat(text, new Uint8Array(total - text.length).fill(0x0a));
    total = Math.ceil(text.length / block) * block;
  }
}

/** Signs a manifest; the beginning of the file. Throws where it would not be read (a bug). */
export function writeBackupHeader(manifest: BackupManifest, key: SigningKey): Uint8Array {
  const parsed = parseManifest(manifest);
  if (!parsed.ok) throw new TypeError(`not a manifest: ${parsed.error}`);
  const payload = utf8(canonicalJson(manifest));
  return layOut(signPaseto({ payload, key: key.privateKey, footer: footerOf(key), implicit }));
}

/** How many bytes the beginning has, by its first line; undefined where this is no backup. */
export function headerBytesOf(start: Uint8Array): number | undefined {
  const match = firstLine.exec(Buffer.from(start.subarray(0, firstLineBytes)).toString('latin1'));
  const bytes = Number(match?.[1]);
  return bytes > 0 && bytes % block === 0 && bytes <= mostHeaderBytes ? bytes : undefined;
}

/**
 * The manifest in the beginning of a file, its signature verified with the key it names, of which the id in
 * the manifest is the hash. Whether that is the clearinghouse of its publisher, a trust list tells. The
 * error is in words.
 */
export function readBackupHeader(
  digest: Digest,
  header: Uint8Array,
): Result<BackupManifest & { readonly publicKey: Uint8Array }, string> {
  const text = textOfUtf8(header);
  const token = text?.split('\n', 2)[1];
  if (token === undefined) return err('its beginning is no text');
  if (!equalBytes(layOut(token), header)) return err('its beginning is not as it was written');
  const footer = readFooter(token);
  const footerText = footer === undefined ? undefined : textOfUtf8(footer);
  const named = parseFooter(footerText === undefined ? undefined : parseStrictObject(footerText));
  if (!named.ok || footer === undefined) return err('nobody signed its manifest');
  const publicKey = bytesOf(named.value.pk);
  const key = publicKeyObject(publicKey);
  const canonical = footerOf({ kid: named.value.kid, publicKey });
  const verified = key && equalBytes(canonical, footer) ? verifyPaseto(token, { key, implicit }) : undefined;
  if (verified === undefined) return err('the signature of its manifest does not fit');
  const manifest = parseManifest(verified.payload);
  if (!manifest.ok) return err(`its manifest cannot be read: ${manifest.error}`);
  const { kind, id } = manifest.value;
  if (id !== named.value.kid || id !== idOf[kind](digest, publicKey)) {
    return err('its manifest is signed by another than it speaks of');
  }
  return ok({ ...manifest.value, publicKey });
}
