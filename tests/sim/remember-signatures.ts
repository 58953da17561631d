/**
 * A signature that was made in this process, or found to be good, is not computed again. Every document of a run is
 * verified by many, many times, and to verify is a pure function: the runs are the same, in less time. Whatever is
 * not known to be good is computed each time.
 */
import type { KeyLike } from 'node:crypto';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

/** So many of each at most; then all are forgotten. */
const most = 5000;

type Bytes = NodeJS.ArrayBufferView;

interface Good {
  readonly key: unknown;
  readonly signed: Buffer;
}

const goodOnes = new Map<string, Good>();
const publicKeys = new Map<string, crypto.KeyObject>();
const publicOfPrivate = new WeakMap<object, crypto.KeyObject>();

const viewOf = ({ buffer, byteOffset, byteLength }: Bytes): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
const nameOf = (bytes: Bytes): string => viewOf(bytes).toString('latin1');

function keep<T>(map: Map<string, T>, name: string, value: T): T {
  if (map.size >= most) map.clear();
  map.set(name, value);
  return value;
}

const { sign, verify, createPublicKey } = crypto;

/** The key of these bytes (DER), one object for all who ask. */
function publicKeyOf(der: Buffer): crypto.KeyObject {
  const name = nameOf(der);
  return (
    publicKeys.get(name) ?? keep(publicKeys, name, createPublicKey({ key: der, format: 'der', type: 'spki' }))
  );
}

/** The public half of a private key, as those who verify have it. */
function publicHalf(key: object): crypto.KeyObject {
  const known = publicOfPrivate.get(key);
  if (known !== undefined) return known;
  const half = publicKeyOf(createPublicKey(key as crypto.KeyObject).export({ format: 'der', type: 'spki' }));
  publicOfPrivate.set(key, half);
  return half;
}

function rememberingSign(algorithm: string | null | undefined, signed: Bytes, key: KeyLike): Buffer {
  const signature = sign(algorithm, signed, key);
  if (typeof key === 'object') {
    const good = { key: publicHalf(key), signed: Buffer.from(viewOf(signed)) };
    keep(goodOnes, nameOf(signature), good);
  }
  return signature;
}

type ToVerify = [algorithm: string | null | undefined, signed: Bytes, key: KeyLike, signature: Bytes];

function rememberingVerify(...asked: ToVerify): boolean {
  const [, signed, key, signature] = asked;
  const name = nameOf(signature);
  const known = goodOnes.get(name);
  if (known?.key === key && known.signed.equals(viewOf(signed))) return true;
  const good = verify(...asked);
  if (good) keep(goodOnes, name, { key, signed: Buffer.from(viewOf(signed)) });
  return good;
}

function rememberingKey(input: Parameters<typeof createPublicKey>[0]): crypto.KeyObject {
  const der = typeof input === 'object' && 'key' in input && Buffer.isBuffer(input.key);
  return der ? publicKeyOf(input.key as Buffer) : createPublicKey(input);
}

/** Takes the places of `sign`, `verify` and `createPublicKey` for everything that this process loads. */
export function rememberSignatures(): void {
  const remembering = { sign: rememberingSign, verify: rememberingVerify, createPublicKey: rememberingKey };
  Object.assign(crypto, remembering);
  syncBuiltinESMExports();
}
