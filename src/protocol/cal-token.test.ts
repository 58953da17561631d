import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { base64url, utf8 } from '../core/bytes.ts';
import { isoTime } from '../core/time.ts';
import { nodeDigest as digest } from '../platform/digest.ts';
import type { PermanentClaims, TemporaryClaims } from './cal-token.ts';
import { openCalToken, readCalFooter, signCalToken, subjectOf } from './cal-token.ts';
import { bytes16, inDays, issueKey, seedOfName, source, target } from './example-publisher.test.ts';
import type { SigningKey } from './paseto.ts';
import { publicKeyObject, signPaseto } from './paseto.ts';

const bundle = bytes16('bundle');
const sub = base64url(seedOfName('device'));
const permanent: PermanentClaims = {
  t: 'cal',
  v: 1,
  iss: source.kid,
  gen: 1,
  aid: bytes16('aid'),
  line: 0,
  prod: 'ts-2012r2',
  kind: 'device',
  unit: 17,
  origin: `${source.kid}/17`,
  jti: 'Kbh0AP2hR7yqvC6wJrL1Yg',
  sub,
  iat: inDays(0),
  nbf: inDays(0),
  exp: inDays(60),
  lvl: 'slot',
  log: [1234, '0123456789ab'],
};
const temporary: TemporaryClaims = {
  ...permanent,
  aid: null,
  line: null,
  kind: 'temp',
  unit: null,
  origin: null,
  lvl: 'none',
};

function keyOf(key: SigningKey) {
  const publicKey = publicKeyObject(key.publicKey);
  assert.ok(publicKey);
  return publicKey;
}
const publicKey = keyOf(source);
const open = (token: string) => openCalToken(token, publicKey);

function signAnything(payload: unknown, footer: unknown = { kid: source.kid, bundle }, implicit = 'cal/1') {
  return signPaseto({
    payload: utf8(JSON.stringify(payload)),
    key: source.privateKey,
    footer: utf8(JSON.stringify(footer)),
    implicit: utf8(implicit),
  });
}

describe('a CAL token', () => {
  it('opens as it was signed, permanent, late or temporary', () => {
    for (const claims of [
      permanent,
      { ...permanent, late: true },
      { ...permanent, late: false },
      temporary,
    ]) {
      const token = signCalToken(claims, { key: source, bundle });
      assert.deepEqual(open(token), { ok: true, value: { claims, bundle } });
      assert.deepEqual(readCalFooter(token), { kid: source.kid, bundle });
      assert.ok(token.length < 1000, `${token.length}`);
    }
  });

  it('is signed with the bundle that is asked for, whatever was asked for before', () => {
    const other = bytes16('other bundle');
    for (let round = 0; round < 3; round += 1) {
      for (const hash of [bundle, other]) {
        const opened = open(signCalToken(permanent, { key: source, bundle: hash }));
        assert.equal(opened.ok && opened.value.bundle, hash);
      }
      const elsewhere = signCalToken({ ...permanent, iss: target.kid }, { key: target, bundle });
      assert.equal(openCalToken(elsewhere, keyOf(target)).ok, true);
    }
    for (let number = 0; number < 200; number += 1) {
      const hash = bytes16(`bundle ${number}`);
      const opened = open(signCalToken(permanent, { key: source, bundle: hash }));
      assert.equal(opened.ok && opened.value.bundle, hash);
    }
  });

  it('is refused with any one character changed, dropped, or cut off', () => {
    const token = signCalToken(permanent, { key: source, bundle });
    for (let place = 0; place < token.length; place += 1) {
      const other = token[place] === 'A' ? 'B' : 'A';
      const rest = token.slice(place + 1);
      assert.equal(open(token.slice(0, place) + other + rest).ok, false);
      assert.equal(open(token.slice(0, place) + rest).ok, false);
      assert.equal(open(token.slice(0, place)).ok, false);
    }
  });

  it('is refused as unsigned under another key or for another purpose', () => {
    const token = signCalToken(permanent, { key: source, bundle });
    assert.deepEqual(openCalToken(token, keyOf(target)), { ok: false, error: 'signature' });
    assert.deepEqual(openCalToken(token, keyOf(issueKey)), { ok: false, error: 'signature' });
    const message = signAnything(permanent, { kid: source.kid, bundle }, 'calyx-message/1');
    assert.deepEqual(open(message), { ok: false, error: 'signature' });
  });

  const unreadable: readonly [string, unknown, unknown?][] = [
    ['of another issuer than its footer names', { ...permanent, iss: target.kid }],
    ['whose footer names another server', permanent, { kid: target.kid, bundle }],
    ['without a bundle', permanent, { kid: source.kid }],
    ['with more in its footer', permanent, { kid: source.kid, bundle, more: 1 }],
    ['of another kind', { ...permanent, t: 'kit' }],
    ['of a newer form', { ...permanent, v: 2 }],
    ['with a member nobody knows', { ...permanent, admin: true }],
    ['permanent, without a unit', { ...permanent, unit: null }],
    ['permanent, with unit 0', { ...permanent, unit: 0 }],
    ['permanent, with half a unit', { ...permanent, unit: 1.5 }],
    ['permanent, without an authority', { ...permanent, aid: null }],
    ['permanent, without a line', { ...permanent, line: null }],
    ['permanent, without an origin', { ...permanent, origin: null }],
    ['permanent, vouched for by nobody', { ...permanent, lvl: 'none' }],
    ['permanent, of a type nobody sells', { ...permanent, kind: 'site' }],
    ['temporary, with a unit', { ...temporary, unit: 1 }],
    ['temporary, with an origin', { ...temporary, origin: permanent.origin }],
    ['temporary and late', { ...temporary, late: true }],
    ['with a date that does not exist', { ...permanent, exp: '2027-02-30T00:00:00Z' }],
    ['with fractions of a second', { ...permanent, exp: '2027-02-20T00:00:00.000Z' }],
    ['without a log head', { ...permanent, log: [1] }],
    ['with more than a log head', { ...permanent, log: [1, '0123456789ab', 2] }],
    ['with a log head in upper case', { ...permanent, log: [1, '0123456789AB'] }],
  ];
  for (const [what, claims, footer] of unreadable) {
    it(`is unreadable ${what}`, () => {
      assert.deepEqual(open(signAnything(claims, footer)), { ok: false, error: 'unreadable' });
    });
  }

  it('is not looked at when it is longer than any token', () => {
    const long = signAnything({ ...permanent, jti: 'x'.repeat(4000) });
    assert.equal(readCalFooter(long), undefined);
    assert.deepEqual(open(long), { ok: false, error: 'unreadable' });
  });
});

describe('the pseudonym of a holder', () => {
  const salt = seedOfName('salt').subarray(0, 16);
  const subject = (kind: string, name: string, of = salt) => subjectOf(digest, { salt: of, kind, name });

  it('is a MAC of kind and name under the salt of the agreement', () => {
    const expected = base64url(digest.hmacSha256(salt, utf8('device:PC-017')));
    assert.equal(subject('device', 'PC-017'), expected);
    assert.match(expected, /^[A-Za-z0-9_-]{43}$/);
  });

  it('differs between names, kinds and agreements', () => {
    const all = [
      subject('device', 'PC-017'),
      subject('device', 'PC-018'),
      subject('user', 'PC-017'),
      subject('device', 'pc-017'),
      subject('device', 'PC-017', seedOfName('other salt')),
    ];
    assert.equal(new Set(all).size, all.length);
  });

  it('takes any name', () => {
    for (const name of ['', 'José', '端末', 'a:b', '\ud83d\ude00', isoTime(0)]) {
      assert.match(subject('user', name), /^[A-Za-z0-9_-]{43}$/);
    }
  });
});
