/** The hash functions of `core/digest.ts`, from node:crypto (OpenSSL). */
import { hash, hkdfSync } from 'node:crypto';
import type { Digest } from '../core/digest.ts';

const blockLength = 64;
const emptySalt = new Uint8Array(0);

/**
 * The 32 bytes come out of OpenSSL as a text of one byte a character, and are copied from there: asked
 * for a buffer, Node takes 0.85 µs instead of 0.3, and a license costs five hashes, a chain 65,535.
 */
const sha256 = (bytes: Uint8Array): Uint8Array => Buffer.from(hash('sha256', bytes, 'binary'), 'latin1');

/** RFC 2104 from two one-shot hashes: a sixth of the time of an Hmac object, on the license path. */
function hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const block = key.length > blockLength ? sha256(key) : key;
  const inner = new Uint8Array(blockLength + bytes.length);
  const outer = new Uint8Array(blockLength + 32);
  for (let at = 0; at < blockLength; at += 1) {
    const byte = block[at] ?? 0;
    inner[at] = byte ^ 0x36;
    outer[at] = byte ^ 0x5c;
  }
  inner.set(bytes, blockLength);
  outer.set(sha256(inner), blockLength);
  return sha256(outer);
}

export const nodeDigest: Digest = {
  sha256,
  hmacSha256,
  hkdfSha256: (ikm, info, lengthBytes) =>
    new Uint8Array(hkdfSync('sha256', ikm, emptySalt, info, lengthBytes)),
};
