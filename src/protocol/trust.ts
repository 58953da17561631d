/**
 * Whom to believe (protocol §4.5): the publisher's root signs a trust list, the list names the
 * clearinghouse's keys, and a publisher bundle is how the root reaches a license server at all.
 */
import type { KeyObject } from 'node:crypto';
import type { Static } from 'typebox';
import Type from 'typebox';
import { ascii, base64url, concat, equalBytes, firstBytes, utf8 } from '../core/bytes.ts';
import { canonicalJson } from '../core/canonical.ts';
import type { Digest } from '../core/digest.ts';
import type { JsonObject } from '../core/json.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { readCalyxFile, writeCalyxFile } from './calyx-file.ts';
import type { NoteKey } from './checkpoint.ts';
import type { SigningKey } from './paseto.ts';
import { publicKeyObject, readFooter, readPayload, signPaseto, verifyPaseto } from './paseto.ts';
import type { ReadonlyDeep } from './schema.ts';
import { Bytes32, bytesOf, closed, msOf, parserOf, Text, Time, Token } from './schema.ts';
import { parseStrictObjectBytes } from './strict-json.ts';

const implicit = utf8('calyx-trust/1');

/** The name of a root or clearinghouse key. */
export const KeyId = Type.String({ pattern: '^[A-Za-z0-9_-]{16}$' });
const Root = closed({ kid: KeyId, pk: Bytes32 });
const TrustListSchema = closed({
  t: Type.Literal('trust'),
  v: Type.Literal(1),
  /** +1 with each list; a list of a lower version never replaces one of a higher. */
  version: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  publisher: Text,
  roots: Type.Array(Root, { minItems: 1, maxItems: 16 }),
  /** How many roots must have signed; only 1 can be carried by a single token (protocol §7.1). */
  threshold: Type.Literal(1),
  keys: Type.Array(
    closed({ kid: KeyId, pk: Bytes32, role: Type.Enum(['issue', 'log']), nbf: Time, exp: Time }),
    { maxItems: 64 },
  ),
  /** Key ids that are not to be believed, whatever their validity says. */
  revoked: Type.Array(KeyId, { maxItems: 1024 }),
  iat: Time,
  /** After this a verifier warns: it may have been kept from newer lists. */
  exp: Time,
});
const BundleSchema = closed({
  calyx: Type.Literal('publisher-bundle'),
  v: Type.Literal(1),
  publisher: Text,
  root: Root,
  trustList: Token,
});

export type TrustList = ReadonlyDeep<Static<typeof TrustListSchema>>;
export type KeyRole = TrustList['keys'][number]['role'];

/** A root key as it is pinned: from the publisher bundle, or from the list accepted last. */
export interface RootKey {
  readonly kid: string;
  readonly publicKey: Uint8Array;
}

export interface PublisherBundle {
  readonly publisher: string;
  readonly root: RootKey;
  readonly trustList: TrustList;
  /** The trust list as it was signed. */
  readonly trustListToken: string;
}

const parseTrustList = parserOf(TrustListSchema);
const parseBundle = parserOf(BundleSchema);
const parseFooter = parserOf(closed({ kid: KeyId }));
const keyIdPrefix = ascii('CALKEY1');

/** The name of a root or clearinghouse key: base64url of the first 12 bytes of SHA-256("CALKEY1" ‖ pk). */
export function keyId(digest: Digest, publicKey: Uint8Array): string {
  return base64url(firstBytes(digest.sha256(concat(keyIdPrefix, publicKey)), 12));
}

/** The key id in the footer of a token of root or clearinghouse, not verified; undefined where it has none. */
export function readKeyId(token: string): string | undefined {
  const bytes = readFooter(token);
  const footer = parseFooter(bytes === undefined ? undefined : parseStrictObjectBytes(bytes));
  if (bytes === undefined || !footer.ok) return undefined;
  const { kid } = footer.value;
  return equalBytes(keyIdFooter(kid), bytes) ? kid : undefined;
}

/** The footer of tokens that root and clearinghouse sign: the key's id, which the trust list explains. */
export function keyIdFooter(kid: string): Uint8Array {
  return utf8(JSON.stringify({ kid }));
}

/** Every key under the name that is its hash, and no key in two roles or places. */
function keysProblem(digest: Digest, list: TrustList): string | undefined {
  const all = [...list.roots, ...list.keys];
  if (all.some(({ kid, pk }) => keyId(digest, bytesOf(pk)) !== kid)) return 'a key does not match its id';
  if (new Set(all.map(({ kid }) => kid)).size !== all.length) return 'a key is named twice';
  if (list.keys.some(({ nbf, exp }) => msOf(exp) < msOf(nbf))) return 'a key ends before it begins';
  return msOf(list.exp) < msOf(list.iat) ? 'it ends before it begins' : undefined;
}

/** Signs a trust list with a root key. Throws where `openTrustList` would refuse it (a bug). */
export function makeTrustList(digest: Digest, list: TrustList, root: SigningKey): string {
  const parsed = parseTrustList(list);
  const problem = parsed.ok ? keysProblem(digest, list) : parsed.error;
  if (problem !== undefined) throw new TypeError(`not a trust list: ${problem}`);
  if (!list.roots.some(({ kid }) => kid === root.kid)) throw new TypeError('signed by no root of its own');
  return signPaseto({
    payload: utf8(JSON.stringify(list)),
    key: root.privateKey,
    footer: keyIdFooter(root.kid),
    implicit,
  });
}

function verificationKey(roots: readonly RootKey[], kid: string | undefined): KeyObject | undefined {
  const root = roots.find((candidate) => candidate.kid === kid);
  return root === undefined ? undefined : publicKeyObject(root.publicKey);
}

/**
 * Opens a trust list that one of `rootKeys` signed. Its signer must also be a root of the new list:
 * that is TUF's rule "by the thresholds of N and of N+1" where both thresholds are 1. Whether it may
 * replace the present one is asked of `acceptTrustList`; its expiry, of `isTrustListStale`.
 * Refused: message-untrusted (by another root), message-invalid.
 */
export function openTrustList(
  digest: Digest,
  token: string,
  rootKeys: readonly RootKey[],
): Result<TrustList, Refusal> {
  const invalid = (problem: string) => err({ code: 'message-invalid' as const, problem });
  const kid = readKeyId(token);
  if (kid === undefined) return invalid('it is no trust list, or was cut short or altered');
  const key = verificationKey(rootKeys, kid);
  if (key === undefined) return err({ code: 'message-untrusted', signer: kid });
  const verified = verifyPaseto(token, { key, implicit });
  if (verified === undefined) return invalid('the signature of the trust list does not fit');
  const parsed = parseTrustList(verified.payload);
  if (!parsed.ok) return invalid(`trust list: ${parsed.error}`);
  const list = parsed.value;
  const problem = keysProblem(digest, list);
  if (problem !== undefined) return invalid(`trust list: ${problem}`);
  if (!list.roots.some((root) => root.kid === kid)) return err({ code: 'message-untrusted', signer: kid });
  return ok(list);
}

/** The roots of a list as `openTrustList` takes them. */
export function rootsOf(list: TrustList): readonly RootKey[] {
  return list.roots.map(({ kid, pk }) => ({ kid, publicKey: bytesOf(pk) }));
}

/**
 * The roots that a trust list claims for itself, nothing verified: for showing what a license would
 * prove to somebody who believes them. Empty where the token is no trust list.
 */
export function claimedRoots(token: string): readonly RootKey[] {
  const parsed = parseTrustList(readPayload(token));
  return parsed.ok ? rootsOf(parsed.value) : [];
}

/** `older` and `same`: the present list stays, and nothing is wrong; old files come late. */
export interface TrustUpdate {
  readonly outcome: 'accepted' | 'same' | 'older';
  /** The list that is in force now. */
  readonly list: TrustList;
}

/**
 * Decides whether a list, opened with the roots of `current`, takes its place (protocol §4.5, TUF's
 * root rule): version exactly N+1, same publisher. It must be stored before it is used. Refused:
 * publisher-different; message-out-of-order where versions between are missing; message-invalid
 * where it differs from the present list under the same version.
 */
export function acceptTrustList(current: TrustList, next: TrustList): Result<TrustUpdate, Refusal> {
  if (next.publisher !== current.publisher) {
    return err({ code: 'publisher-different', expected: current.publisher, found: next.publisher });
  }
  if (next.version < current.version) return ok({ outcome: 'older', list: current });
  if (next.version > current.version + 1) {
    return err({ code: 'message-out-of-order', expected: current.version + 1, found: next.version });
  }
  if (next.version === current.version + 1) return ok({ outcome: 'accepted', list: next });
  if (canonicalJson(next) !== canonicalJson(current)) {
    return err({ code: 'message-invalid', problem: `there are two trust lists of version ${next.version}` });
  }
  return ok({ outcome: 'same', list: current });
}

/**
 * The public key of this id if the list has it in this role, not revoked and valid at `atMs`: now for
 * messages, the signing time for certificates and kits, which outlive the key that signed them.
 */
export function trustedKey(
  list: TrustList,
  kid: string,
  when: { readonly role: KeyRole; readonly atMs: number },
): Uint8Array | undefined {
  const key = list.keys.find((candidate) => candidate.kid === kid && candidate.role === when.role);
  if (key === undefined || list.revoked.includes(kid)) return undefined;
  if (when.atMs < msOf(key.nbf) || when.atMs > msOf(key.exp)) return undefined;
  return bytesOf(key.pk);
}

/**
 * The keys that may have signed or cosigned a checkpoint of the clearinghouse under this name: those of the
 * list that are not revoked. A checkpoint tells no time of its own, so their terms say nothing about it.
 */
export function checkpointKeys(list: TrustList, key: Pick<NoteKey, 'name' | 'role'>): readonly NoteKey[] {
  return list.keys
    .filter(({ kid }) => !list.revoked.includes(kid))
    .map(({ pk }) => ({ ...key, publicKey: bytesOf(pk) }));
}

/**
 * Whether the list has outlived its term. A warning, not a refusal (protocol §4.5): an air-gapped
 * site must go on working, but somebody may be withholding newer lists from it.
 */
export function isTrustListStale(list: TrustList, nowMs: number): boolean {
  return nowMs > msOf(list.exp);
}

/** The text of a publisher bundle file: what `calyx server init --bundle` takes. */
export function writePublisherBundle(bundle: {
  readonly publisher: string;
  readonly root: RootKey;
  readonly trustListToken: string;
}): string {
  const root = { kid: bundle.root.kid, pk: base64url(bundle.root.publicKey) };
  return writeCalyxFile('publisher-bundle', {
    publisher: bundle.publisher,
    root,
    trustList: bundle.trustListToken,
  } satisfies JsonObject);
}

/**
 * Reads a publisher bundle. This is where trust begins: the root in it is believed because the person
 * who runs `init` got the file from the publisher. Refused: file-damaged, file-other-kind,
 * message-invalid, message-untrusted, publisher-different.
 */
export function readPublisherBundle(digest: Digest, text: string): Result<PublisherBundle, Refusal> {
  const members = readCalyxFile(text, ['publisher-bundle']);
  if (!members.ok) return members;
  const parsed = parseBundle(members.value);
  if (!parsed.ok) return err({ code: 'file-damaged', problem: parsed.error });
  const { publisher, trustList: trustListToken } = parsed.value;
  const root: RootKey = { kid: parsed.value.root.kid, publicKey: bytesOf(parsed.value.root.pk) };
  if (keyId(digest, root.publicKey) !== root.kid) {
    return err({ code: 'file-damaged', problem: 'the root key does not match its id' });
  }
  const list = openTrustList(digest, trustListToken, [root]);
  if (!list.ok) return list;
  if (list.value.publisher !== publisher) {
    return err({ code: 'publisher-different', expected: publisher, found: list.value.publisher });
  }
  return ok({ publisher, root, trustList: list.value, trustListToken });
}
