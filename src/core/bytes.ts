/**
 * Small pure functions on byte strings, shared by everything that builds or reads bytes. Integers are
 * big-endian everywhere (protocol §3.4). No Buffer, so that the same code runs outside Node.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The parts one after another, as a new array. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/**
 * Whether two byte strings are the same. The time depends on the lengths alone, never on where the
 * bytes differ, so it may compare tags and other secrets.
 */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let at = 0; at < left.length; at += 1) difference |= (left[at] ?? 0) ^ (right[at] ?? 0);
  return difference === 0;
}

/** -1, 0 or 1 in the order of the bytes, a prefix before what it begins; for sorting. */
export function compareBytes(left: Uint8Array, right: Uint8Array): -1 | 0 | 1 {
  const shared = Math.min(left.length, right.length);
  for (let at = 0; at < shared; at += 1) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  if (left.length === right.length) return 0;
  return left.length < right.length ? -1 : 1;
}

/** The exclusive or of two byte strings of one length. Throws where the lengths differ (a bug). */
export function xor(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length !== right.length) throw new RangeError(`xor of ${left.length} and ${right.length} bytes`);
  const mixed = new Uint8Array(left.length);
  for (let at = 0; at < mixed.length; at += 1) mixed[at] = (left[at] ?? 0) ^ (right[at] ?? 0);
  return mixed;
}

/** The first `length` bytes as a copy of its own, whatever class the bytes came in. */
export function firstBytes(bytes: Uint8Array, length: number): Uint8Array {
  const first = new Uint8Array(length);
  first.set(bytes.subarray(0, length));
  return first;
}

function wholeNumber(value: number, most: number): number {
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new RangeError(`${value} is not a whole number from 0 to ${most}`);
  }
  return value;
}

/** One byte. Throws where `value` is not a whole number from 0 to 255. */
export function u8(value: number): Uint8Array {
  return Uint8Array.of(wholeNumber(value, 0xff));
}

/** Two bytes, big-endian. Throws where `value` is not a whole number from 0 to 65,535. */
export function u16(value: number): Uint8Array {
  wholeNumber(value, 0xffff);
  return Uint8Array.of(value >>> 8, value & 0xff);
}

/** Four bytes, big-endian. Throws where `value` is not a whole number from 0 to 2³² − 1. */
export function u32(value: number): Uint8Array {
  wholeNumber(value, 0xffff_ffff);
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

/**
 * Eight bytes, big-endian, of a safe integer (RFC 6962 sizes, times in milliseconds). Throws where
 * `value` is negative or above 2⁵³ − 1.
 */
export function u64(value: number): Uint8Array {
  wholeNumber(value, Number.MAX_SAFE_INTEGER);
  return concat(u32(Math.floor(value / 0x1_0000_0000)), u32(value % 0x1_0000_0000));
}

/** The big-endian number in `length` bytes (at most 6, to stay a safe integer) from `offset` on. */
export function readUnsigned(bytes: Uint8Array, offset: number, length: number): number {
  if (length > 6 || offset < 0 || offset + length > bytes.length) {
    throw new RangeError(`no ${length} bytes at ${offset} of ${bytes.length}`);
  }
  let value = 0;
  for (let at = offset; at < offset + length; at += 1) value = value * 256 + (bytes[at] ?? 0);
  return value;
}

/** The bytes of an ASCII text, without terminator. Throws where a character is not ASCII (a bug). */
export function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) throw new RangeError(`not ASCII: ${JSON.stringify(text)}`);
    bytes[at] = unit;
  }
  return bytes;
}

/** The UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of UTF-8 bytes, or undefined where they are not valid UTF-8. */
export function textOfUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

const hexDigits = '0123456789abcdef';

/** Lower-case hexadecimal. */
export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += hexDigits.charAt(byte >>> 4) + hexDigits.charAt(byte & 0x0f);
  return text;
}

/** The bytes of hexadecimal text in either case, or undefined where it is none. */
export function bytesOfHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at += 1)
    bytes[at] = Number.parseInt(text.slice(2 * at, 2 * at + 2), 16);
  return bytes;
}

const base64Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const base64Values: ReadonlyMap<string, number> = new Map(
  [...base64Alphabet].map((character, value) => [character, value]),
);

/** Base64url without padding (RFC 4648 §5). */
export function base64url(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const three = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += base64Alphabet.charAt(three >>> 18) + base64Alphabet.charAt((three >>> 12) & 63);
    if (left > 1) text += base64Alphabet.charAt((three >>> 6) & 63);
    if (left > 2) text += base64Alphabet.charAt(three & 63);
  }
  return text;
}

/**
 * The bytes of base64url text, or undefined. Strict (RFC 4648 §3.5): no padding, no other characters,
 * and the bits left over in the last character are zero, so that each byte string has one text only.
 */
export function bytesOfBase64url(text: string): Uint8Array | undefined {
  if (text.length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const character of text) {
    const value = base64Values.get(character);
    if (value === undefined) return undefined;
    held = (held << 6) | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at] = held >>> bits;
      at += 1;
      held &= (1 << bits) - 1;
    }
  }
  return held === 0 ? bytes : undefined;
}
