/** The hash functions of `core/digest.ts`, from node:crypto (OpenSSL). */
import { createHmac, hash, hkdfSync } from 'node:crypto';
import type { Digest } from '../core/digest.ts';

const emptySalt = new Uint8Array(0);

export const nodeDigest: Digest = {
  sha256: (bytes) => hash('sha256', bytes, 'buffer'),
  hmacSha256: (key, bytes) => createHmac('sha256', key).update(bytes).digest(),
  hkdfSha256: (ikm, info, lengthBytes) =>
    new Uint8Array(hkdfSync('sha256', ikm, emptySalt, info, lengthBytes)),
};
