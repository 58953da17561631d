/**
 * Ed25519 keys that sign and X25519 keys that agree, made from raw 32-byte seeds: what is stored
 * and sealed (instance-secret.ts) is always those 32 bytes, never a file format.
 */
import type { KeyObject } from 'node:crypto';
import { createPrivateKey, createPublicKey, diffieHellman, sign } from 'node:crypto';
import { equalBytes } from '../core/bytes.ts';
import type { SigningKey } from '../protocol/paseto.ts';
import type { Random } from './random.ts';

/** An X25519 key pair for one key agreement. */
export interface AgreementKey {
  /** The raw public key: 32 bytes (RFC 7748). */
  readonly publicKey: Uint8Array;
  readonly privateKey: KeyObject;
}

const keyBytes = 32;

/** PKCS #8 and SubjectPublicKeyInfo without their last 32 bytes (RFC 8410 §4 and §7). */
const ed25519Pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const x25519Pkcs8 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const x25519Spki = Buffer.from('302a300506032b656e032100', 'hex');

function privateKeyOf(prefix: Buffer, seed: Uint8Array): KeyObject {
  if (seed.length !== keyBytes) throw new RangeError(`a key seed has ${keyBytes} bytes, not ${seed.length}`);
  return createPrivateKey({ key: Buffer.concat([prefix, seed]), format: 'der', type: 'pkcs8' });
}

function rawPublicKey(privateKey: KeyObject): Uint8Array {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return new Uint8Array(spki.subarray(spki.length - keyBytes));
}

/**
 * The signing key of a 32-byte seed (RFC 8032 §5.1.5). `nameOf` makes the `kid` from the public key:
 * `licenseServerId` on a license server, `keyId` for clearinghouse and root. Throws where the seed
 * has another length (a bug).
 */
export function signingKeyFromSeed(seed: Uint8Array, nameOf: (publicKey: Uint8Array) => string): SigningKey {
  const privateKey = privateKeyOf(ed25519Pkcs8, seed);
  const publicKey = rawPublicKey(privateKey);
  return { kid: nameOf(publicKey), publicKey, privateKey };
}

/** A new signing key; `nameOf` as in `signingKeyFromSeed`. */
export function generateSigningKey(random: Random, nameOf: (publicKey: Uint8Array) => string): SigningKey {
  return signingKeyFromSeed(random.bytes(keyBytes), nameOf);
}

/** The X25519 key pair of 32 private bytes (RFC 7748 §5). Throws where there are not 32 (a bug). */
export function agreementKeyFromSeed(seed: Uint8Array): AgreementKey {
  const privateKey = privateKeyOf(x25519Pkcs8, seed);
  return { publicKey: rawPublicKey(privateKey), privateKey };
}

/** A new key pair for one key agreement. */
export function generateAgreementKey(random: Random): AgreementKey {
  return agreementKeyFromSeed(random.bytes(keyBytes));
}

/** The 32 bytes that a key was made from: a secret, to be sealed at once (instance-secret.ts). */
export function seedOf(key: { readonly privateKey: KeyObject }): Uint8Array {
  const pkcs8 = key.privateKey.export({ format: 'der', type: 'pkcs8' });
  return new Uint8Array(pkcs8.subarray(pkcs8.length - keyBytes));
}

/**
 * The 32 shared bytes of X25519, or undefined where the other side's public key is not 32 bytes or
 * is one of the few points that make the result the same for every private key (RFC 7748 §6.1).
 */
export function agree(privateKey: KeyObject, otherPublicKey: Uint8Array): Uint8Array | undefined {
  if (otherPublicKey.length !== keyBytes) return undefined;
  const der = Buffer.concat([x25519Spki, otherPublicKey]);
  const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' });
  try {
    const shared = new Uint8Array(diffieHellman({ privateKey, publicKey }));
    return equalBytes(shared, new Uint8Array(keyBytes)) ? undefined : shared;
  } catch {
    // OpenSSL itself refuses the all-zero result.
    return undefined;
  }
}

/** The 64-byte Ed25519 signature over `bytes`. Tokens and messages are signed by paseto.ts instead. */
export function signatureOf(key: SigningKey, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(sign(null, bytes, key.privateKey));
}
