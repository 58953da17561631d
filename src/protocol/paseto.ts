/**
 * PASETO v4.public over node:crypto Ed25519, synchronous and strict: one text per token and no
 * algorithm to negotiate (protocol §4.1). Signs and verifies; what a token means is for others.
 */
import type { KeyObject } from 'node:crypto';
import { createPublicKey, sign, verify } from 'node:crypto';
import type { JsonObject } from '../core/json.ts';
import { parseStrictObjectBytes } from './strict-json.ts';

/** An Ed25519 key that signs, under the name by which verifiers know it. */
export interface SigningKey {
  /** A License Server ID on a license server, a `keyId` at the clearinghouse and for the root. */
  readonly kid: string;
  /** The raw public key: 32 bytes (RFC 8032). */
  readonly publicKey: Uint8Array;
  readonly privateKey: KeyObject;
}

/** A token before it is signed: the JSON texts of its payload and footer, and the implicit assertion. */
export interface UnsignedToken {
  readonly payload: string;
  readonly footer: string;
  readonly implicit: string;
}

export interface VerifiedPaseto {
  readonly payload: JsonObject;
  readonly footer: Uint8Array;
}

const header = 'v4.public.';
const signatureBytes = 64;

/** Longest token that is looked at, in characters. A move's holder list is the longest there is. */
export const maxTokenChars = 48 * 1024 * 1024;

/** SubjectPublicKeyInfo of an Ed25519 key without its last 32 bytes (RFC 8410 §4). */
const ed25519Spki = Buffer.from('302a300506032b6570032100', 'hex');

/** A 64-bit little-endian length, as the pre-authentication encoding of PASETO has it. */
function writeLength(into: Buffer, at: number, length: number): void {
  into.writeUInt32LE(length % 0x1_0000_0000, at);
  into.writeUInt32LE(Math.floor(length / 0x1_0000_0000), at + 4);
}

function lengthAndBytes(bytes: Uint8Array): Buffer {
  const piece = Buffer.alloc(8 + bytes.length);
  writeLength(piece, 0, bytes.length);
  piece.set(bytes, 8);
  return piece;
}

/** The start of PAE([header, message, footer, implicit]): the count of pieces, then the header. */
const paeStart = Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), lengthAndBytes(Buffer.from(header))]);
const messageAt = paeStart.length + 8;

/** What the signature covers; `spare` bytes are left free at the end. */
function paeOf(message: Uint8Array, paeEnd: Uint8Array): Buffer {
  const signed = Buffer.allocUnsafe(messageAt + message.length + paeEnd.length);
  signed.set(paeStart, 0);
  writeLength(signed, paeStart.length, message.length);
  signed.set(message, messageAt);
  signed.set(paeEnd, messageAt + message.length);
  return signed;
}

function paeEndOf(footer: Uint8Array, implicit: Uint8Array): Buffer {
  return Buffer.concat([lengthAndBytes(footer), lengthAndBytes(implicit)]);
}

/**
 * The raw 32 bytes of an Ed25519 public key as a key that `verifyPaseto` takes, or undefined where
 * there are not 32. Keep the result where one key verifies often: making it costs as much as a hash.
 */
export function publicKeyObject(raw: Uint8Array): KeyObject | undefined {
  if (raw.length !== 32) return undefined;
  return createPublicKey({ key: Buffer.concat([ed25519Spki, raw]), format: 'der', type: 'spki' });
}

/**
 * A function that signs payloads under one key, footer and implicit assertion. Everything but the
 * payload is encoded here, once: a license server signs thousands of tokens a second with it.
 * The payload must be the UTF-8 bytes of a JSON object; it is not looked at again.
 */
export function pasetoSigner(options: {
  readonly key: KeyObject;
  readonly footer: Uint8Array;
  readonly implicit: Uint8Array;
}): (payload: Uint8Array) => string {
  const { key, footer, implicit } = options;
  const paeEnd = paeEndOf(footer, implicit);
  // Behind the message the buffer must have room for the signature, which replaces the PAE's end.
  const roomy = paeEnd.length >= signatureBytes ? paeEnd : Buffer.concat([paeEnd], signatureBytes);
  const tail = footer.length === 0 ? '' : `.${Buffer.from(footer).toString('base64url')}`;
  return (payload) => {
    const buffer = paeOf(payload, roomy);
    const end = messageAt + payload.length;
    const signature = sign(null, buffer.subarray(0, end + paeEnd.length), key);
    buffer.set(signature, end);
    return `${header}${buffer.toString('base64url', messageAt, end + signatureBytes)}${tail}`;
  };
}

/** Signs one payload (UTF-8 bytes of a JSON object); see `pasetoSigner` for many. */
export function signPaseto(options: {
  readonly payload: Uint8Array;
  readonly key: KeyObject;
  readonly footer: Uint8Array;
  readonly implicit: Uint8Array;
}): string {
  return pasetoSigner(options)(options.payload);
}

/** The bytes of canonical base64url, or undefined: padding, foreign characters and stray bits are refused. */
function decodeCanonical(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

/** Body and footer of a token's text, decoded but not verified. */
function partsOf(token: string): { body: Buffer; footer: Buffer } | undefined {
  if (token.length > maxTokenChars || !token.startsWith(header)) return undefined;
  const [bodyText = '', footerText, ...more] = token.slice(header.length).split('.', 3);
  // An empty footer has no text at all: "v4.public.…." would be a second text of the same token.
  if (more.length > 0 || footerText === '') return undefined;
  const body = decodeCanonical(bodyText);
  const footer = decodeCanonical(footerText ?? '');
  if (body === undefined || footer === undefined || body.length < signatureBytes) return undefined;
  return { body, footer };
}

/**
 * The payload and footer of a token that `key` (a `publicKeyObject`) signed under this implicit
 * assertion, or undefined. Refused: any other header, a part too many, base64url in a form that
 * encoding would not have given, a wrong signature, a payload that is not strict JSON (strict-json.ts),
 * more than 48 Mi characters.
 */
export function verifyPaseto(
  token: string,
  options: { readonly key: KeyObject; readonly implicit: Uint8Array },
): VerifiedPaseto | undefined {
  const parts = partsOf(token);
  if (parts === undefined) return undefined;
  const { body, footer } = parts;
  const message = body.subarray(0, body.length - signatureBytes);
  const signed = paeOf(message, paeEndOf(footer, options.implicit));
  if (!verify(null, signed, options.key, body.subarray(body.length - signatureBytes))) return undefined;
  const payload = parseStrictObjectBytes(message);
  return payload === undefined ? undefined : { payload, footer };
}

/**
 * The footer of a token *before* its signature is verified: good for looking up the key and for
 * nothing else. Empty where the token has none, undefined where the text is no v4.public token.
 */
export function readFooter(token: string): Uint8Array | undefined {
  return partsOf(token)?.footer;
}

/**
 * The payload of a token *without* looking at its signature: for tokens that were verified when they
 * were stored, and for reading out what an unverified one claims. Undefined where it is not strict JSON.
 */
export function readPayload(token: string): JsonObject | undefined {
  const body = partsOf(token)?.body;
  return body === undefined
    ? undefined
    : parseStrictObjectBytes(body.subarray(0, body.length - signatureBytes));
}
