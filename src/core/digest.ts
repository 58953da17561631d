/**
 * The three hash functions the rules need, given from outside: `core` imports nothing, so the
 * platform hands these in (`platform/digest.ts` wraps node:crypto).
 */

export interface Digest {
  /** SHA-256 (FIPS 180-4) of the bytes: 32 bytes. */
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
  /** HMAC-SHA256 (RFC 2104): 32 bytes. */
  readonly hmacSha256: (key: Uint8Array, bytes: Uint8Array) => Uint8Array;
  /** HKDF-SHA256 (RFC 5869) with an empty salt: `lengthBytes` bytes. */
  readonly hkdfSha256: (ikm: Uint8Array, info: Uint8Array, lengthBytes: number) => Uint8Array;
}
