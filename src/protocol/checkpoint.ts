/**
 * Checkpoints of journals as C2SP signed notes (c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature):
 * size and root of a tree, signed by whose journal it is, cosigned by the other side that saw it grow.
 * Whether a tree extends another is for core/merkle-proof.ts.
 */
import type { KeyObject } from 'node:crypto';
import { sign, verify } from 'node:crypto';
import { ascii, concat, equalBytes, readUnsigned, u8, u64, utf8 } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import type { TreeHead } from '../core/merkle-proof.ts';
import { publicKeyObject } from './paseto.ts';

export interface Checkpoint extends TreeHead {
  /** Which journal: see `serverOrigin` and `clearinghouseOrigin`. */
  readonly origin: string;
}

/** Signature types of c2sp.org/signed-note: of the log itself, and of a witness with the time. */
const signatureTypes = { log: 0x01, witness: 0x04 } as const;

export interface NoteKey {
  /** No spaces and no plus; of a log, the origin. */
  readonly name: string;
  readonly role: keyof typeof signatureTypes;
  /** The raw Ed25519 public key: 32 bytes. */
  readonly publicKey: Uint8Array;
}

export interface NoteSigner extends Omit<NoteKey, 'role'> {
  readonly privateKey: KeyObject;
}

interface SignatureLine {
  readonly name: string;
  readonly keyId: Uint8Array;
  readonly signature: Uint8Array;
}

interface Note {
  /** What is signed: three lines. */
  readonly text: string;
  readonly checkpoint: Checkpoint;
  readonly lines: readonly SignatureLine[];
}

/** The specification asks for 16 at least; ours have two. */
const mostSignatures = 16;
/** Longest note that is looked at, in characters: three lines and 16 signatures. */
const mostChars = 8192;

/** The journal of a license server. It is also the name under which the server cosigns. */
export function serverOrigin(licenseServerId: string): string {
  return `calyx.server/${licenseServerId}`;
}

/**
 * A journal of a clearinghouse: an agreement's, or `publisher`. Without a log, the name under which that
 * clearinghouse cosigns. The publisher's name may hold what a key name must not.
 */
export function clearinghouseOrigin(publisher: string, log?: string): string {
  const name = `calyx.clearinghouse/${encodeURIComponent(publisher)}`;
  return log === undefined ? name : `${name}/${log}`;
}

function textOf({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`;
}

/** The first 4 bytes of SHA-256(name, line feed, type, public key), as signed-note recommends. */
function keyIdOf(digest: Digest, { name, role, publicKey }: NoteKey): Uint8Array {
  return digest.sha256(concat(utf8(name), ascii('\n'), u8(signatureTypes[role]), publicKey)).slice(0, 4);
}

function lineOf(name: string, keyId: Uint8Array, signature: Uint8Array): string {
  return `— ${name} ${Buffer.from(concat(keyId, signature)).toString('base64')}\n`;
}

/** What a witness signs: when it saw this, and the text. */
function cosignedText(seconds: number, text: string): Uint8Array {
  return utf8(`cosignature/v1\ntime ${seconds}\n${text}`);
}

/** The signature line of a note of any text (c2sp.org/signed-note, type 0x01). */
export function signatureLine(digest: Digest, text: string, signer: NoteSigner): string {
  const keyId = keyIdOf(digest, { ...signer, role: 'log' });
  return lineOf(signer.name, keyId, sign(null, utf8(text), signer.privateKey));
}

/** Signs a checkpoint as whose journal it is. Throws where `parse` would not take the outcome (a bug). */
export function signCheckpoint(digest: Digest, checkpoint: Checkpoint, signer: NoteSigner): string {
  const text = textOf(checkpoint);
  const note = `${text}\n${signatureLine(digest, text, signer)}`;
  if (parse(note) === undefined) throw new TypeError(`not a checkpoint: ${JSON.stringify(note)}`);
  return note;
}

/**
 * Adds the line of a witness (whole seconds of `atMs`). To be called only for a tree that extends every
 * one that was cosigned before: that is what the line says. Throws where `note` is none (a bug).
 */
export function cosignCheckpoint(
  digest: Digest,
  note: string,
  by: { readonly signer: NoteSigner; readonly atMs: number },
): string {
  const parsed = parse(note);
  if (parsed === undefined) throw new TypeError('not a checkpoint');
  const { signer } = by;
  const seconds = Math.floor(by.atMs / 1000);
  const signature = concat(u64(seconds), sign(null, cosignedText(seconds, parsed.text), signer.privateKey));
  return note + lineOf(signer.name, keyIdOf(digest, { ...signer, role: 'witness' }), signature);
}

/** The bytes of base64 in the one form that has no second text, or undefined. */
function bytesOfBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? Uint8Array.from(bytes) : undefined;
}

const noteForm =
  /^((\S+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n)\n((?:— \S+ [A-Za-z0-9+/]+={0,2}\n)+)$/u;

/** Splits a note into its parts; one text for each meaning, extension lines are not taken. */
function parse(note: string): Note | undefined {
  if (note.length > mostChars) return undefined;
  const match = noteForm.exec(note);
  if (match === null) return undefined;
  const [, text = '', origin = '', sizeText = '', rootText = '', signatures = ''] = match;
  const root = bytesOfBase64(rootText);
  const size = Number(sizeText);
  if (!Number.isSafeInteger(size) || root === undefined || !isKeyName(origin)) return undefined;
  const lines: SignatureLine[] = [];
  for (const line of signatures.split('\n').slice(0, -1)) {
    const [, name = '', blob = ''] = line.split(' ');
    const bytes = bytesOfBase64(blob);
    if (bytes === undefined || bytes.length < 5 || !isKeyName(name)) return undefined;
    lines.push({ name, keyId: bytes.slice(0, 4), signature: bytes.slice(4) });
  }
  if (lines.length > mostSignatures) return undefined;
  return { text, checkpoint: { origin, size, root }, lines };
}

/** Printable, without Unicode spaces and without plus. */
function isKeyName(name: string): boolean {
  return /^[^\s+\p{C}]+$/u.test(name) && name.isWellFormed();
}

export interface OpenedCheckpoint extends Checkpoint {
  /** Names of the keys that signed, in the order of their lines. */
  readonly signedBy: readonly string[];
  /** When each witness says that it saw it. */
  readonly cosigned: readonly { readonly name: string; readonly atMs: number }[];
}

/**
 * A checkpoint with all its signatures verified, or undefined. Every line must be of one of `keys`, each
 * of which signs once, and the first of the log itself: the specification lets a client pass over lines
 * of strangers, but nobody adds any here, and a byte that may be anything is a byte that may be altered.
 */
export function openCheckpoint(
  digest: Digest,
  note: string,
  keys: readonly NoteKey[],
): OpenedCheckpoint | undefined {
  const parsed = parse(note);
  if (parsed === undefined) return undefined;
  const signedBy: string[] = [];
  const cosigned: { name: string; atMs: number }[] = [];
  const used = new Set<NoteKey>();
  for (const [at, line] of parsed.lines.entries()) {
    const key = keys.find((each) => each.name === line.name && equalBytes(keyIdOf(digest, each), line.keyId));
    if (key === undefined || used.has(key) || (key.role === 'log') !== (at === 0)) return undefined;
    used.add(key);
    const seconds = verifyLine(parsed, line, key);
    if (seconds === undefined) return undefined;
    signedBy.push(line.name);
    if (key.role === 'witness') cosigned.push({ name: line.name, atMs: seconds * 1000 });
  }
  return signedBy[0] === parsed.checkpoint.origin ? { ...parsed.checkpoint, signedBy, cosigned } : undefined;
}

/** The time of a cosignature in seconds, 0 of a log's own, or undefined where it does not verify. */
function verifyLine({ text }: Note, { signature }: SignatureLine, key: NoteKey): number | undefined {
  const publicKey = publicKeyObject(key.publicKey);
  if (publicKey === undefined) return undefined;
  if (key.role === 'log') return verify(null, utf8(text), publicKey, signature) ? 0 : undefined;
  if (signature.length !== 8 + 64) return undefined;
  const seconds = readUnsigned(signature, 0, 4) * 0x1_0000_0000 + readUnsigned(signature, 4, 4);
  if (!Number.isSafeInteger(seconds * 1000)) return undefined;
  return verify(null, cosignedText(seconds, text), publicKey, signature.slice(8)) ? seconds : undefined;
}

/** What a note says, nothing verified: to tell which keys it needs. Undefined where it is none. */
export function readCheckpoint(note: string): Checkpoint | undefined {
  return parse(note)?.checkpoint;
}

/** The checkpoint's own part of a note: without the lines of witnesses. Undefined where it is none. */
export function withoutCosignatures(note: string): string | undefined {
  const parsed = parse(note);
  if (parsed === undefined) return undefined;
  const [first] = note.slice(parsed.text.length + 1).split('\n');
  return `${parsed.text}\n${first}\n`;
}
