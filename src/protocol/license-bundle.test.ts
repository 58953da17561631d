import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { base64url, utf8 } from '../core/bytes.ts';
import { freeChain, heldChain, horizonChain } from '../core/chain.ts';
import { dayMs, isoTime, secondMs } from '../core/time.ts';
import { nodeDigest as digest } from '../platform/digest.ts';
import { sealCertificate, sealKit } from './authority.ts';
import type { CalClaims, PermanentClaims, TemporaryClaims } from './cal-token.ts';
import { signCalToken, subjectOf } from './cal-token.ts';
import {
  agreement,
  aidOfSlot,
  at,
  bytes16,
  certificateAid,
  certificateOf,
  inDays,
  issueKey,
  kitOf,
  nowMs,
  publisher,
  publisherKey,
  reveal,
  rootKey,
  seedOfName,
  serverKey,
  source,
  target,
  trustListOf,
} from './example-publisher.test.ts';
import type { LicenseBundle } from './license-bundle.ts';
import {
  bundleHash,
  openLicenseBundle,
  readLicenseBundle,
  verifyLicense,
  verifyToken,
} from './license-bundle.ts';
import type { LicenseReason } from './license-proof.ts';
import type { SigningKey } from './paseto.ts';
import { makeTrustList } from './trust.ts';

const trustList = makeTrustList(digest, trustListOf(), rootKey);
const kit = sealKit(kitOf(), issueKey);
const certificate = sealCertificate(digest, certificateOf(), issueKey);

function horizonOf(aid: Uint8Array, e: number) {
  const { k, value } = reveal(aid, horizonChain, e);
  return { e: k, value };
}

const slotAid = aidOfSlot(1);
const slotLine = {
  line: 0,
  free: reveal(slotAid, freeChain(0), 25),
  held: reveal(slotAid, heldChain(0), 15),
};

/** 25 free and 15 held units of line 0 on slot 1 of the kit, horizon 2028-03. */
const slotBundle: LicenseBundle = {
  trustList,
  authority: { kit, slot: 1 },
  serverKey: base64url(source.publicKey),
  reveals: { horizon: horizonOf(slotAid, 3), lines: [slotLine] },
  revoked: [],
};

/** 40 certified units and 5 free ones of line 0, horizon 2027-02. */
const keyBundle: LicenseBundle = {
  trustList,
  authority: { certificate },
  serverKey: base64url(source.publicKey),
  reveals: {
    horizon: null,
    lines: [
      {
        line: 0,
        free: reveal(certificateAid, freeChain(0), 5),
        held: reveal(certificateAid, heldChain(0), 0),
      },
    ],
  },
  revoked: [],
};

/** What a server without agreement hands out. */
const bareBundle: LicenseBundle = {
  trustList,
  authority: null,
  serverKey: base64url(source.publicKey),
  reveals: { horizon: null, lines: [] },
  revoked: [],
};

const onSlot: PermanentClaims = {
  t: 'cal',
  v: 1,
  iss: source.kid,
  gen: 1,
  aid: base64url(slotAid),
  line: 0,
  prod: 'ts-2012r2',
  kind: 'device',
  unit: 17,
  origin: `${source.kid}/17`,
  jti: 'Kbh0AP2hR7yqvC6wJrL1Yg',
  sub: subjectOf(digest, { salt: seedOfName('salt'), kind: 'device', name: 'PC-017' }),
  iat: inDays(-1),
  nbf: inDays(-1),
  exp: inDays(60),
  lvl: 'slot',
  log: [1234, '0123456789ab'],
};
const onKey: PermanentClaims = { ...onSlot, aid: base64url(certificateAid), lvl: 'key' };
const temporary: TemporaryClaims = {
  ...onSlot,
  aid: null,
  line: null,
  kind: 'temp',
  unit: null,
  origin: null,
  lvl: 'none',
};

interface Trial {
  readonly claims?: CalClaims;
  readonly bundle?: LicenseBundle;
  readonly signer?: SigningKey;
  readonly root?: Uint8Array | undefined;
  readonly now?: number;
}

function verify(trial: Trial) {
  const { claims = onSlot, bundle = slotBundle, signer = source, now = nowMs } = trial;
  return verifyLicense({
    token: signCalToken(claims, { key: signer, bundle: bundleHash(digest, bundle) }),
    bundle,
    root: 'root' in trial ? trial.root : rootKey.publicKey,
    nowMs: now,
    digest,
  });
}

function reasonOf(trial: Trial): LicenseReason | 'ok' {
  const result = verify(trial);
  if (!result.ok) assert.notEqual(result.error.detail, '');
  return result.ok ? 'ok' : result.error.reason;
}

describe('a license verifies offline', () => {
  it('on a kit slot, with everything that the publisher vouches for', () => {
    const verified = verify({});
    assert.ok(verified.ok, JSON.stringify(verified));
    const { proof, ...rest } = verified.value;
    assert.deepEqual(rest, {
      claims: onSlot,
      licenseServerId: source.kid,
      serverKey: new Uint8Array(source.publicKey),
      rootPinned: true,
      trustListStale: false,
    });
    assert.ok(proof);
    assert.equal(proof.publisher, publisher);
    assert.equal(proof.agreement, agreement);
    assert.equal(proof.basis, 'slot');
    assert.equal(proof.line.product.id, 'ts-2012r2');
    assert.equal(proof.units, 40);
    assert.equal(proof.horizonMs, at('2028-04-01T00:00:00Z') - 1);
    assert.equal(proof.sunsetMs, at('2029-05-01T00:00:00Z') - 1);
  });

  it('under a certificate, whose own units count', () => {
    const verified = verify({ claims: onKey, bundle: keyBundle });
    assert.ok(verified.ok, JSON.stringify(verified));
    assert.equal(verified.value.proof?.units, 45);
    assert.equal(verified.value.proof?.basis, 'key');
    assert.equal(verified.value.proof?.horizonMs, at('2027-03-01T00:00:00Z') - 1);
  });

  it('as a temporary license of a server that holds nothing', () => {
    const verified = verify({ claims: temporary, bundle: bareBundle });
    assert.ok(verified.ok, JSON.stringify(verified));
    assert.equal(verified.value.proof, null);
  });

  it('as a temporary license with no trust list at all', () => {
    assert.equal(reasonOf({ claims: temporary, bundle: { ...bareBundle, trustList: null } }), 'ok');
  });

  it('without a pinned root, and says so', () => {
    const verified = verify({ root: undefined });
    assert.ok(verified.ok);
    assert.equal(verified.value.rootPinned, false);
  });

  it('with a trust list that has outlived its term, and says so', () => {
    const old = makeTrustList(digest, trustListOf({ exp: inDays(-1) }), rootKey);
    const verified = verify({ bundle: { ...slotBundle, trustList: old } });
    assert.ok(verified.ok);
    assert.equal(verified.value.trustListStale, true);
  });

  it('with a newer bundle than the one it was issued with', () => {
    const token = signCalToken(onSlot, { key: source, bundle: bytes16('an older bundle') });
    const shown = { token, bundle: slotBundle, root: rootKey.publicKey, nowMs, digest };
    assert.equal(verifyLicense(shown).ok, true);
  });
});

describe('the limits of a license', () => {
  const limits: readonly [string, Trial, LicenseReason | 'ok'][] = [
    ['the last unit granted', { claims: { ...onSlot, unit: 40 } }, 'ok'],
    ['one unit more', { claims: { ...onSlot, unit: 41 } }, 'unit-not-proven'],
    ['the last unit, certified and granted', { claims: { ...onKey, unit: 45 }, bundle: keyBundle }, 'ok'],
    [
      'one more than certified and granted',
      { claims: { ...onKey, unit: 46 }, bundle: keyBundle },
      'unit-not-proven',
    ],
    [
      'the last certified unit, nothing shown',
      { claims: { ...onKey, unit: 40 }, bundle: { ...keyBundle, reveals: { horizon: null, lines: [] } } },
      'ok',
    ],
    [
      'one more than certified, nothing shown',
      { claims: { ...onKey, unit: 41 }, bundle: { ...keyBundle, reveals: { horizon: null, lines: [] } } },
      'unit-not-proven',
    ],
    [
      'the first unit of a slot, nothing shown',
      {
        claims: { ...onSlot, unit: 1 },
        bundle: { ...slotBundle, reveals: { ...slotBundle.reveals, lines: [] } },
      },
      'unit-not-proven',
    ],
    ['its last second', { now: nowMs + 60 * dayMs }, 'ok'],
    ['a second after its end', { now: nowMs + 60 * dayMs + secondMs }, 'expired'],
    ['issued a day ahead of our clock', { now: nowMs - 2 * dayMs }, 'ok'],
    ['issued more than a day ahead of our clock', { now: nowMs - 2 * dayMs - secondMs }, 'not-yet-valid'],
    ['valid more than a day from now', { claims: { ...onSlot, nbf: inDays(1.1) } }, 'not-yet-valid'],
    ['ending before it was issued', { claims: { ...onSlot, exp: inDays(-2) } }, 'times-impossible'],
    [
      'ending before it is valid',
      { claims: { ...onSlot, nbf: inDays(0.9), exp: inDays(0.8) } },
      'times-impossible',
    ],
    ['temporary for 90 days', { claims: { ...temporary, exp: inDays(89) }, bundle: bareBundle }, 'ok'],
    [
      'temporary for longer',
      { claims: { ...temporary, exp: isoTime(nowMs + 89 * dayMs + secondMs) }, bundle: bareBundle },
      'temporary-too-long',
    ],
  ];
  for (const [what, trial, expected] of limits) {
    it(`${what}: ${expected}`, () => assert.equal(reasonOf(trial), expected));
  }

  const horizon = at('2027-02-28T23:59:59Z');
  const sunset = at('2028-03-31T23:59:59Z');
  const issued = (iatMs: number, more: Partial<PermanentClaims> = {}): Trial => ({
    claims: { ...onKey, iat: isoTime(iatMs), nbf: isoTime(iatMs), exp: isoTime(iatMs + 60 * dayMs), ...more },
    bundle: keyBundle,
    now: iatMs,
  });
  const reach: readonly [string, Trial, LicenseReason | 'ok'][] = [
    ['issued in the last second of the horizon', issued(horizon), 'ok'],
    ['issued a second after the horizon', issued(horizon + secondMs), 'after-horizon'],
    ['renewed after the horizon, marked late', issued(horizon + secondMs, { late: true }), 'ok'],
    [
      'renewed after the horizon, said not to be late',
      issued(horizon + secondMs, { late: false }),
      'after-horizon',
    ],
    [
      'late, ending in the last second before sunset',
      issued(horizon + dayMs, { late: true, exp: isoTime(sunset) }),
      'ok',
    ],
    [
      'late, ending after sunset',
      issued(horizon + dayMs, { late: true, exp: isoTime(sunset + secondMs) }),
      'beyond-sunset',
    ],
    [
      'issued in time, ending after sunset',
      issued(nowMs, { exp: isoTime(sunset + secondMs) }),
      'beyond-sunset',
    ],
    [
      'issued after the first horizon, within the one shown since',
      {
        ...issued(horizon + secondMs),
        bundle: { ...keyBundle, reveals: { ...keyBundle.reveals, horizon: horizonOf(certificateAid, 1) } },
      },
      'ok',
    ],
  ];
  for (const [what, trial, expected] of reach) {
    it(`${what}: ${expected}`, () => assert.equal(reasonOf(trial), expected));
  }

  it('a certificate is good for what was issued since it was, and as long as its horizon says', () => {
    const due = sealCertificate(digest, certificateOf({ exp: inDays(-2) }), issueKey);
    const notYet = sealCertificate(digest, certificateOf({ nbf: inDays(0.5) }), issueKey);
    const trial = (text: string): Trial => ({
      claims: onKey,
      bundle: { ...keyBundle, authority: { certificate: text } },
    });
    assert.equal(reasonOf(trial(due)), 'ok');
    assert.equal(reasonOf(trial(notYet)), 'before-certificate');
    const aDayApart = sealCertificate(digest, certificateOf({ nbf: inDays(0) }), issueKey);
    assert.equal(reasonOf(trial(aDayApart)), 'ok');
  });
});

describe('a license is refused', () => {
  const withLine = (line: Partial<LicenseBundle['reveals']['lines'][number]>): Trial => ({
    bundle: { ...slotBundle, reveals: { ...slotBundle.reveals, lines: [{ ...slotLine, ...line }] } },
  });
  const withHorizon = (horizon: LicenseBundle['reveals']['horizon']): Trial => ({
    bundle: { ...slotBundle, reveals: { ...slotBundle.reveals, horizon } },
  });
  const withTrust = (list: string | null): Trial => ({ bundle: { ...slotBundle, trustList: list } });
  const withAuthority = (authority: LicenseBundle['authority']): Trial => ({
    bundle: { ...slotBundle, authority },
  });
  const otherRoot = publisherKey('other root');
  const foreignTrust = makeTrustList(
    digest,
    trustListOf({ roots: [{ kid: otherRoot.kid, pk: base64url(otherRoot.publicKey) }] }),
    otherRoot,
  );
  const otherPublisher = makeTrustList(digest, trustListOf({ publisher: 'Other' }), rootKey);
  const revokedKey = makeTrustList(digest, trustListOf({ revoked: [issueKey.kid] }), rootKey);
  const free = (k: number, of = slotAid, chain = freeChain(0)) => reveal(of, chain, k);
  const moved = { ...free(25), k: 26 };
  const certificateOfTarget = sealCertificate(
    digest,
    certificateOf({ lsid: target.kid, pk: base64url(target.publicKey) }),
    issueKey,
  );

  const cases: readonly [string, Trial, LicenseReason][] = [
    ['signed by another server than the bundle’s', { signer: target }, 'token-signature'],
    [
      'of another server, with that server’s key in the bundle',
      {
        claims: { ...onKey, iss: target.kid },
        signer: target,
        bundle: { ...keyBundle, serverKey: base64url(target.publicKey) },
      },
      'certificate-other-server',
    ],
    [
      'under a certificate of another server',
      { claims: onKey, bundle: { ...keyBundle, authority: { certificate: certificateOfTarget } } },
      'certificate-other-server',
    ],
    ['without a trust list', withTrust(null), 'trust-list-missing'],
    ['with a trust list of another root', withTrust(foreignTrust), 'trust-list-untrusted'],
    ['with a trust list that is none', withTrust(kit), 'trust-list-untrusted'],
    ['with a trust list that was altered', withTrust(`${trustList.slice(0, -1)}A`), 'trust-list-invalid'],
    ['with a trust list of another publisher', withTrust(otherPublisher), 'authority-untrusted'],
    ['with its clearinghouse key revoked', withTrust(revokedKey), 'authority-untrusted'],
    ['when we believe in another root', { root: otherRoot.publicKey }, 'trust-list-untrusted'],
    ['permanent, without authority', { bundle: { ...bareBundle } }, 'authority-missing'],
    [
      'with a kit of another clearinghouse',
      withAuthority({ kit: sealKit(kitOf(), publisherKey('x')), slot: 1 }),
      'authority-untrusted',
    ],
    [
      'with a certificate in place of the kit',
      withAuthority({ kit: certificate, slot: 1 }),
      'authority-invalid',
    ],
    ['with a kit in place of the certificate', withAuthority({ certificate: kit }), 'authority-invalid'],
    ['with a slot that the kit has not', withAuthority({ kit, slot: 7 }), 'slot-unknown'],
    ['issued on another slot', withAuthority({ kit, slot: 0 }), 'authority-differs'],
    ['issued under another authority', withAuthority({ certificate }), 'authority-differs'],
    ['claiming to be bound to a key on a slot', { claims: { ...onSlot, lvl: 'key' } }, 'level-differs'],
    [
      'claiming a slot under a certificate',
      { claims: { ...onKey, lvl: 'slot' }, bundle: keyBundle },
      'level-differs',
    ],
    ['for a line that is not there', { claims: { ...onSlot, line: 2 } }, 'line-differs'],
    ['for another product than the line’s', { claims: { ...onSlot, prod: 'ts-2008' } }, 'line-differs'],
    ['for another type than the line’s', { claims: { ...onSlot, kind: 'user' } }, 'line-differs'],
    ['for another line than the product’s', { claims: { ...onSlot, line: 1 } }, 'line-differs'],
    ['with a position that is not proven', withLine({ free: moved }), 'reveal-invalid'],
    ['with a position lower than the value', withLine({ free: { ...free(25), k: 24 } }), 'reveal-invalid'],
    ['with a value made up', withLine({ free: { k: 25, value: bytes16('guess') } }), 'reveal-invalid'],
    ['with a held value made up', withLine({ held: { k: 15, value: bytes16('guess') } }), 'reveal-invalid'],
    [
      'with no units but a wrong anchor',
      withLine({ held: { k: 0, value: bytes16('guess') } }),
      'reveal-invalid',
    ],
    ['with the free value as held', withLine({ held: free(25) }), 'reveal-invalid'],
    ['with the value of another line', withLine({ free: free(25, slotAid, freeChain(1)) }), 'reveal-invalid'],
    ['with the value of another slot', withLine({ free: free(25, aidOfSlot(0)) }), 'reveal-invalid'],
    ['with a horizon made up', withHorizon({ e: 3, value: bytes16('guess') }), 'horizon-invalid'],
    ['with a horizon one month further', withHorizon({ ...horizonOf(slotAid, 3), e: 4 }), 'horizon-invalid'],
    ['with the horizon of another slot', withHorizon(horizonOf(aidOfSlot(0), 3)), 'horizon-invalid'],
    ['revoked', { bundle: { ...slotBundle, revoked: [{ jti: onSlot.jti, exp: onSlot.exp }] } }, 'revoked'],
    [
      'revoked, temporary',
      { claims: temporary, bundle: { ...bareBundle, revoked: [{ jti: temporary.jti, exp: temporary.exp }] } },
      'revoked',
    ],
    [
      'temporary, signed by another server',
      { claims: temporary, bundle: bareBundle, signer: target },
      'token-signature',
    ],
    [
      'temporary, of a server whose trust list is forged',
      { claims: temporary, bundle: { ...slotBundle, trustList: foreignTrust } },
      'trust-list-untrusted',
    ],
    ['temporary, expired', { claims: temporary, bundle: bareBundle, now: nowMs + 61 * dayMs }, 'expired'],
  ];
  for (const [what, trial, reason] of cases) {
    it(`${what}: ${reason}`, () => assert.equal(reasonOf(trial), reason));
  }

  it('when the token is none', () => {
    for (const token of ['', 'v4.public.AAAA', trustList, kit]) {
      const verified = verifyLicense({ token, bundle: slotBundle, root: rootKey.publicKey, nowMs, digest });
      assert.equal(!verified.ok && verified.error.reason, 'token-unreadable');
    }
  });

  it('when it names another server than the one that signed it', () => {
    const token = signCalToken({ ...onSlot, iss: target.kid }, { key: source, bundle: bytes16('b') });
    const verified = verifyLicense({ token, bundle: slotBundle, root: rootKey.publicKey, nowMs, digest });
    assert.equal(!verified.ok && verified.error.reason, 'token-unreadable');
    // A footer that agrees with the claims, but a key that is another server's.
    const posing: SigningKey = { ...source, kid: target.kid };
    const posed = signCalToken({ ...onSlot, iss: target.kid }, { key: posing, bundle: bytes16('b') });
    const reason = verifyLicense({
      token: posed,
      bundle: slotBundle,
      root: rootKey.publicKey,
      nowMs,
      digest,
    });
    assert.equal(!reason.ok && reason.error.reason, 'server-key-differs');
  });
});

describe('a kit names no key', () => {
  it('so that any server may claim a slot, and its tokens say so', () => {
    const other = serverKey('LS-CLONE');
    const verified = verify({
      claims: { ...onSlot, iss: other.kid },
      signer: other,
      bundle: { ...slotBundle, serverKey: base64url(other.publicKey) },
    });
    assert.ok(verified.ok);
    assert.equal(verified.value.proof?.basis, 'slot');
    assert.equal(verified.value.licenseServerId, other.kid);
  });
});

describe('a bundle', () => {
  const copy = (): Record<string, unknown> =>
    JSON.parse(JSON.stringify(slotBundle)) as Record<string, unknown>;

  it('is read from JSON', () => {
    assert.deepEqual(readLicenseBundle(copy()), { ok: true, value: slotBundle });
    assert.equal(readLicenseBundle(keyBundle).ok, true);
    assert.equal(readLicenseBundle(bareBundle).ok, true);
  });

  it('is refused in any other form', () => {
    for (const value of [
      null,
      'bundle',
      [],
      {},
      { ...copy(), more: 1 },
      { ...copy(), serverKey: 'AAAA' },
      { ...copy(), authority: {} },
      { ...copy(), authority: { kit, slot: 1, certificate } },
      { ...copy(), authority: { kit, slot: 256 } },
      { ...copy(), trustList: 'none' },
      { ...copy(), reveals: { horizon: { e: 361, value: bytes16('x') }, lines: [] } },
      { ...copy(), reveals: { horizon: null, lines: [{ ...slotLine, line: 15 }] } },
      { ...copy(), reveals: { ...slotBundle.reveals, activation: bytes16('secret') } },
      { ...copy(), revoked: [{ jti: 'x', exp: 1_800_000_000_000 }] },
    ]) {
      const read = readLicenseBundle(value);
      assert.equal(!read.ok && read.error.code, 'message-invalid');
    }
  });

  it('has a name that depends on all of it, and not on the order of its members', () => {
    const hash = bundleHash(digest, slotBundle);
    assert.match(hash, /^[A-Za-z0-9_-]{22}$/);
    const turned = Object.fromEntries(Object.entries(slotBundle).toReversed()) as unknown as LicenseBundle;
    assert.equal(bundleHash(digest, turned), hash);
    const others = [
      keyBundle,
      bareBundle,
      { ...slotBundle, revoked: [{ jti: 'x', exp: inDays(1) }] },
      { ...slotBundle, reveals: { ...slotBundle.reveals, horizon: null } },
    ].map((bundle) => bundleHash(digest, bundle));
    assert.equal(new Set([hash, ...others]).size, 5);
  });

  it('verifies many tokens once it is opened, and remembers what was proven', () => {
    const opened = openLicenseBundle(digest, slotBundle, rootKey.publicKey);
    assert.ok(opened.ok);
    let hashes = 0;
    const counting = {
      ...digest,
      sha256: (bytes: Uint8Array) => {
        hashes += 1;
        return digest.sha256(bytes);
      },
    };
    const unit = (number: number) =>
      verifyToken(counting, opened.value, {
        token: signCalToken({ ...onSlot, unit: number }, { key: source, bundle: bytes16('b') }),
        nowMs,
      });
    assert.equal(unit(1).ok, true);
    const first = hashes;
    assert.equal(unit(40).ok, true);
    assert.equal(unit(41).ok, false);
    // 25 + 15 steps of the line once, 3 of the horizon each time.
    assert.deepEqual([first, hashes], [43, 49]);
  });

  it('with any one character of any of its texts changed does not verify', () => {
    const text = JSON.stringify(slotBundle);
    const token = signCalToken(onSlot, { key: source, bundle: bundleHash(digest, slotBundle) });
    for (let place = 0; place < text.length; place += 3) {
      const here = text[place] ?? '';
      if (!/[A-Za-z0-9_-]/.test(here)) continue;
      const changed = text.slice(0, place) + (here === 'A' ? 'B' : 'A') + text.slice(place + 1);
      let value: unknown;
      try {
        value = JSON.parse(changed);
      } catch {
        continue;
      }
      const read = readLicenseBundle(value);
      if (!read.ok) continue;
      const verified = verifyLicense({ token, bundle: read.value, root: rootKey.publicKey, nowMs, digest });
      assert.equal(verified.ok, false, `${place}: ${changed.slice(place - 10, place + 10)}`);
    }
  });

  it('is what the token’s footer names', () => {
    const footer = utf8(JSON.stringify({ kid: source.kid, bundle: bundleHash(digest, slotBundle) }));
    const token = signCalToken(onSlot, { key: source, bundle: bundleHash(digest, slotBundle) });
    assert.equal(token.split('.')[3], base64url(footer));
  });
});
