/** The hash functions of `core/digest.ts`, from node:crypto (OpenSSL). */
import { hash, hkdfSync } from 'node:crypto';
import type { Digest } from '../core/digest.ts';

const blockLength = 64;
const emptySalt = new Uint8Array(0);

const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');

/** RFC 2104 from two one-shot hashes: a sixth of the time of an Hmac object, on the license path. */
function hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const block = key.length > blockLength ? sha256(key) : key;
  const inner = new Uint8Array(blockLength + bytes.length).fill(0x36, 0, blockLength);
  const outer = new Uint8Array(blockLength + 32).fill(0x5c, 0, blockLength);
  for (const [index, byte] of block.entries()) {
    inner[index] = byte ^ 0x36;
    outer[index] = byte ^ 0x5c;
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
