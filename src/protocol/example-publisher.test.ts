/**
 * A publisher with fixed keys, an agreement of two lines, its kit and one activated server: what the
 * tests of tokens, messages and trust start from. Everything in it is deterministic; it is no test
 * itself, and named like one because only tests may see both protocol and platform.
 */
import assert from 'node:assert/strict';
import { ascii, base64url, firstBytes } from '../core/bytes.ts';
import {
  activationChain,
  chainAnchor,
  chainValue,
  freeChain,
  heldChain,
  horizonChain,
  slotAid,
} from '../core/chain.ts';
import { licenseServerId } from '../core/code.ts';
import { dayMs, isoTime, msOfIso } from '../core/time.ts';
import { nodeDigest as digest } from '../platform/digest.ts';
import { signingKeyFromSeed } from '../platform/signing.ts';
import type { Kit, ServerCertificate } from './authority.ts';
import type { SigningKey } from './paseto.ts';
import type { TrustList } from './trust.ts';
import { keyId } from './trust.ts';

/** 32 bytes that belong to this name. */
export function seedOfName(name: string): Uint8Array {
  return digest.sha256(ascii(name));
}

/** A key of the root or the clearinghouse. */
export function publisherKey(name: string): SigningKey {
  return signingKeyFromSeed(seedOfName(name), (publicKey) => keyId(digest, publicKey));
}

/** A key of a license server. */
export function serverKey(name: string): SigningKey {
  return signingKeyFromSeed(seedOfName(name), (publicKey) => licenseServerId(digest, publicKey));
}

export const publisher = 'Example Software';
export const agreement = '4965437';
export const rootKey = publisherKey('root');
export const issueKey = publisherKey('issue');
export const logKey = publisherKey('log');
export const source = serverKey('LS-OLD');
export const target = serverKey('LS-NEW');
export const kitKey = seedOfName('kit key');

/** Milliseconds of a time that must exist. */
export function at(iso: string): number {
  const ms = msOfIso(iso);
  assert.ok(ms !== undefined, iso);
  return ms;
}

export const nowMs = at('2026-11-24T12:00:00Z');
/** An ISO time `days` from now. */
export function inDays(days: number): string {
  return isoTime(nowMs + days * dayMs);
}

/** 16 bytes in base64url that belong to this name. */
export function bytes16(name: string): string {
  return base64url(firstBytes(seedOfName(name), 16));
}

function trustKey(key: SigningKey, role: 'issue' | 'log'): TrustList['keys'][number] {
  return { kid: key.kid, pk: base64url(key.publicKey), role, nbf: inDays(-30), exp: inDays(400) };
}

/** The trust list in force, with changes. */
export function trustListOf(changes: Partial<TrustList> = {}): TrustList {
  return {
    t: 'trust',
    v: 1,
    version: 1,
    publisher,
    roots: [{ kid: rootKey.kid, pk: base64url(rootKey.publicKey) }],
    threshold: 1,
    keys: [trustKey(issueKey, 'issue'), trustKey(logKey, 'log')],
    revoked: [],
    iat: inDays(-30),
    exp: inDays(365),
    ...changes,
  };
}

export const products = [
  { id: 'ts-2012r2', name: 'Terminal Services 2012 R2', family: 'ts', version: 9 },
  { id: 'ts-2008', name: 'Terminal Services 2008', family: 'ts', version: 7 },
] as const;

function anchorsOf(aid: Uint8Array) {
  const anchor = (chain: number): string => base64url(chainAnchor(digest, { kitKey, aid, chain }));
  return {
    activation: anchor(activationChain),
    horizon: anchor(horizonChain),
    lines: [0, 1].map((line) => ({ free: anchor(freeChain(line)), held: anchor(heldChain(line)) })),
  };
}

/** Position k of a chain, as bundles and messages show it. */
export function reveal(aid: Uint8Array, chain: number, k: number): { k: number; value: string } {
  return { k, value: base64url(chainValue(digest, { kitKey, aid, chain, k })) };
}

export const kitId = firstBytes(seedOfName('kit'), 16);

/** The aid of a slot of the kit. */
export function aidOfSlot(slot: number): Uint8Array {
  return slotAid(digest, kitId, slot);
}

/** What takes long is made once, and only in tests that need it. */
function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

const kit = once(
  (): Kit => ({
    t: 'kit',
    v: 1,
    kitId: base64url(kitId),
    agreement,
    program: 'open',
    customer: 'Contoso',
    publisher,
    salt: bytes16('salt'),
    iat: inDays(-20),
    base: '2027-12',
    sunsetMonths: 13,
    lines: [
      { product: products[0], type: 'device' },
      { product: products[1], type: 'user' },
    ],
    // Anchors cost 65,535 hashes each: two slots are enough here.
    slots: [0, 1].map((slot) => ({ slot, ...anchorsOf(aidOfSlot(slot)) })),
  }),
);

/** The agreement kit, with changes. */
export function kitOf(changes: Partial<Kit> = {}): Kit {
  return { ...kit(), ...changes };
}

export const certificateAid = firstBytes(seedOfName('certificate'), 16);
const certified = once(() => anchorsOf(certificateAid));

/** The certificate of the source server, with 40 units certified on line 0. */
export function certificateOf(changes: Partial<ServerCertificate> = {}): ServerCertificate {
  return {
    t: 'ls-cert',
    v: 1,
    aid: base64url(certificateAid),
    lsid: source.kid,
    pk: base64url(source.publicKey),
    ekCh: base64url(seedOfName('one-time')),
    gen: 1,
    agreement,
    publisher,
    salt: bytes16('salt'),
    base: '2027-02',
    sunsetMonths: 13,
    lines: certified().lines.map((anchors, line) => ({
      product: line === 0 ? products[0] : products[1],
      type: line === 0 ? 'device' : 'user',
      open: line === 0 ? 40 : 0,
      ...anchors,
    })),
    horizon: certified().horizon,
    iat: inDays(-10),
    nbf: inDays(-10),
    exp: inDays(700),
    ...changes,
  };
}
