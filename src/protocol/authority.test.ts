import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { base64url, bytesOfHex, utf8 } from '../core/bytes.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { nodeDigest as digest } from '../platform/digest.ts';
import type { Kit, ServerCertificate } from './authority.ts';
import {
  authorityOf,
  authorityOfCertificate,
  authorityOfSlot,
  monthText,
  openCertificate,
  openKit,
  readKitFile,
  sealCertificate,
  sealKit,
  writeKitFile,
} from './authority.ts';
import {
  agreement,
  aidOfSlot,
  bytes16,
  certificateAid,
  certificateOf,
  inDays,
  issueKey,
  kitOf,
  logKey,
  publisher,
  publisherKey,
  rootKey,
  source,
  target,
  trustListOf,
} from './example-publisher.test.ts';
import type { SigningKey } from './paseto.ts';
import { signPaseto } from './paseto.ts';
import { keyIdFooter, makeTrustList } from './trust.ts';

const trust = trustListOf();
const kit = kitOf();
const certificate = certificateOf();
const kitToken = sealKit(kit, issueKey);
const certificateToken = sealCertificate(digest, certificate, issueKey);

function signAnything(payload: unknown, implicit: string, key: SigningKey = issueKey): string {
  return signPaseto({
    payload: utf8(JSON.stringify(payload)),
    key: key.privateKey,
    footer: keyIdFooter(key.kid),
    implicit: utf8(implicit),
  });
}
const signKit = (changes: object, key?: SigningKey) =>
  signAnything({ ...kit, ...changes }, 'calyx-kit/1', key);
const signCertificate = (changes: object, key?: SigningKey) =>
  signAnything({ ...certificate, ...changes }, 'calyx-cert/1', key);

const sixteen = <T>(item: T): T[] => Array.from({ length: 16 }, () => item);

function codeOf(result: Result<unknown, Refusal>): string {
  return result.ok ? 'ok' : result.error.code;
}
const kitCode = (token: string, list = trust): string => codeOf(openKit(token, list));
const certificateCode = (token: string, list = trust): string => codeOf(openCertificate(digest, token, list));

describe('an agreement kit', () => {
  it('opens as it was signed', () => assert.deepEqual(openKit(kitToken, trust), { ok: true, value: kit }));

  it('is refused with any one character changed, or cut', () => {
    for (let place = 0; place < kitToken.length; place += 7) {
      const other = kitToken[place] === 'A' ? 'B' : 'A';
      assert.notEqual(kitCode(kitToken.slice(0, place) + other + kitToken.slice(place + 1)), 'ok');
      assert.notEqual(kitCode(kitToken.slice(0, place)), 'ok');
    }
  });

  const [slot] = kit.slots;
  const [line] = kit.lines;
  assert.ok(slot && line);
  const wrong: readonly [string, string, string][] = [
    ['signed by a key that is not listed', signKit({}, publisherKey('other')), 'message-untrusted'],
    ['signed by the root itself', signKit({}, rootKey), 'message-untrusted'],
    ['signed by the log key', signKit({}, logKey), 'message-untrusted'],
    ['signed before the key was in force', signKit({ iat: inDays(-31) }), 'message-untrusted'],
    ['signed after the key was in force', signKit({ iat: inDays(401) }), 'message-untrusted'],
    ['of another publisher', signKit({ publisher: 'Other' }), 'publisher-different'],
    ['signed as a certificate', signAnything(kit, 'calyx-cert/1'), 'message-invalid'],
    ['of a newer form', signKit({ v: 2 }), 'message-invalid'],
    ['that is a certificate', signKit({ ...certificate }), 'message-invalid'],
    ['with the same slot twice', signKit({ slots: [slot, slot] }), 'message-invalid'],
    ['without slots', signKit({ slots: [] }), 'message-invalid'],
    ['with slot 256', signKit({ slots: [{ ...slot, slot: 256 }] }), 'message-invalid'],
    [
      'with anchors for fewer lines',
      signKit({ slots: [{ ...slot, lines: slot.lines.slice(1) }] }),
      'message-invalid',
    ],
    ['with anchors for more lines', signKit({ lines: [line] }), 'message-invalid'],
    [
      'with 16 lines',
      signKit({ lines: sixteen(line), slots: [{ ...slot, lines: sixteen(slot.lines[0]) }] }),
      'message-invalid',
    ],
    ['with month 13', signKit({ base: '2027-13' }), 'message-invalid'],
    ['with a sunset in eternity', signKit({ sunsetMonths: 121 }), 'message-invalid'],
    ['with a salt of 15 bytes', signKit({ salt: bytes16('salt').slice(0, 20) }), 'message-invalid'],
    ['with a member nobody knows', signKit({ open: 1 }), 'message-invalid'],
    ['that is no token', 'kit', 'message-invalid'],
  ];
  for (const [what, token, code] of wrong) {
    it(`is refused ${what}`, () => assert.equal(kitCode(token), code));
  }

  it('is refused when its key was revoked since', () => {
    assert.equal(kitCode(kitToken, trustListOf({ revoked: [issueKey.kid] })), 'message-untrusted');
  });

  it('stays good when its key has ended since: it was in force when it signed', () => {
    const keys = trust.keys.map((key) => ({ ...key, exp: inDays(-19) }));
    assert.equal(kitCode(kitToken, trustListOf({ keys })), 'ok');
  });

  it('is not signed in a form that would be refused', () => {
    assert.throws(() => sealKit(kitOf({ slots: [slot, slot] }), issueKey), TypeError);
    assert.throws(() => sealKit({ ...kit, base: 'soon' } as Kit, issueKey), TypeError);
  });
});

describe('a server certificate', () => {
  it('opens as it was signed', () => {
    assert.deepEqual(openCertificate(digest, certificateToken, trust), { ok: true, value: certificate });
  });

  it('is refused with any one character changed, or cut', () => {
    for (let place = 0; place < certificateToken.length; place += 7) {
      const other = certificateToken[place] === 'A' ? 'B' : 'A';
      const changed = certificateToken.slice(0, place) + other + certificateToken.slice(place + 1);
      assert.notEqual(certificateCode(changed), 'ok');
      assert.notEqual(certificateCode(certificateToken.slice(0, place)), 'ok');
    }
  });

  const wrong: readonly [string, string, string][] = [
    ['with the License Server ID of another key', signCertificate({ lsid: target.kid }), 'message-invalid'],
    [
      'with the key of another License Server ID',
      signCertificate({ pk: base64url(target.publicKey) }),
      'message-invalid',
    ],
    ['that ends before it begins', signCertificate({ exp: inDays(-11) }), 'message-invalid'],
    [
      'with units below zero',
      signCertificate({ lines: [{ ...certificate.lines[0], open: -1 }] }),
      'message-invalid',
    ],
    ['signed as a kit', signAnything(certificate, 'calyx-kit/1'), 'message-invalid'],
    ['signed by a license server', signCertificate({}, source), 'message-invalid'],
    ['signed by the log key', signCertificate({}, logKey), 'message-untrusted'],
    ['of another publisher', signCertificate({ publisher: 'Other' }), 'publisher-different'],
  ];
  for (const [what, token, code] of wrong) {
    it(`is refused ${what}`, () => assert.equal(certificateCode(token), code));
  }

  it('is not signed in a form that would be refused', () => {
    const wrongKey = certificateOf({ lsid: target.kid });
    assert.throws(() => sealCertificate(digest, wrongKey, issueKey), TypeError);
    const wrongTerm = { ...certificate, nbf: 'now' } as ServerCertificate;
    assert.throws(() => sealCertificate(digest, wrongTerm, issueKey), TypeError);
  });
});

describe('the authority', () => {
  it('of a slot has the aid of that slot, its anchors, and no units of its own', () => {
    const authority = authorityOfSlot(digest, kit, 1);
    assert.ok(authority);
    assert.deepEqual(authority.aid, aidOfSlot(1));
    assert.equal(authority.basis, 'slot');
    assert.equal(authority.slot, 1);
    assert.equal(authority.agreement, agreement);
    assert.equal(authority.publisher, publisher);
    assert.equal(base64url(authority.salt), kit.salt);
    assert.equal(authority.baseMonth, 2027 * 12 + 11);
    assert.equal(authority.sunsetMonths, 13);
    assert.equal(base64url(authority.horizonAnchor), kit.slots[1]?.horizon);
    assert.equal(base64url(authority.activationAnchor ?? new Uint8Array(0)), kit.slots[1]?.activation);
    for (const [number, line] of authority.lines.entries()) {
      assert.deepEqual(line.product, kit.lines[number]?.product);
      assert.equal(line.type, kit.lines[number]?.type);
      assert.equal(line.open, 0);
      assert.equal(base64url(line.free), kit.slots[1]?.lines[number]?.free);
      assert.equal(base64url(line.held), kit.slots[1]?.lines[number]?.held);
    }
    assert.equal(authority.lines.length, 2);
    assert.equal(authorityOfSlot(digest, kit, 2), undefined);
  });

  it('of slot 2 of the kit with id 22…22 is the one of the published vectors', () => {
    const [slot] = kit.slots;
    assert.ok(slot);
    const other = kitOf({ kitId: base64url(new Uint8Array(16).fill(0x22)), slots: [{ ...slot, slot: 2 }] });
    const aid = authorityOfSlot(digest, other, 2)?.aid;
    assert.deepEqual(aid, bytesOfHex('d7e7d4e84245a91539a6760233475180'));
  });

  it('of a certificate has its aid, its anchors and its certified units, and no activation', () => {
    const authority = authorityOfCertificate(certificate);
    assert.deepEqual(authority.aid, certificateAid);
    assert.equal(authority.basis, 'key');
    assert.equal(authority.baseMonth, 2027 * 12 + 1);
    assert.deepEqual(
      authority.lines.map(({ open }) => open),
      [40, 0],
    );
    assert.equal(base64url(authority.horizonAnchor), certificate.horizon);
    assert.equal('activationAnchor' in authority, false);
    assert.equal('slot' in authority, false);
  });

  it('is read again from what was stored, and not from anything else', () => {
    const fromKit = authorityOf(digest, { basis: 'slot', slot: 1, document: kitToken });
    assert.deepEqual(fromKit, authorityOfSlot(digest, kit, 1));
    const fromCertificate = authorityOf(digest, { basis: 'key', slot: null, document: certificateToken });
    assert.deepEqual(fromCertificate, authorityOfCertificate(certificate));
    for (const stored of [
      { basis: 'slot', slot: 2, document: kitToken },
      { basis: 'slot', slot: null, document: kitToken },
      { basis: 'slot', slot: 1, document: certificateToken },
      { basis: 'key', slot: null, document: kitToken },
      { basis: 'key', slot: null, document: '' },
    ] as const) {
      assert.throws(() => authorityOf(digest, stored), /cannot be read/);
    }
  });

  it('writes months as years and months', () => {
    assert.equal(monthText(2027 * 12 + 11), '2027-12');
    assert.equal(monthText(2028 * 12), '2028-01');
    assert.equal(monthText(2026 * 12 + 8), '2026-09');
  });
});

describe('an agreement kit file', () => {
  const trustList = makeTrustList(digest, trust, rootKey);
  const text = writeKitFile({ kit: kitToken, trustLists: [trustList] });

  it('gives back kit and trust list', () => {
    assert.deepEqual(readKitFile(text), { ok: true, value: { kit: kitToken, trustLists: [trustList] } });
  });

  it('gives back the lists before that one, too', () => {
    const whole = { kit: kitToken, trustLists: ['v4.public.older', 'v4.public.old', trustList] };
    assert.deepEqual(readKitFile(writeKitFile(whole)), { ok: true, value: whole });
  });

  it('is damaged when cut anywhere', () => {
    for (let length = 0; length < text.trimEnd().length; length += 5) {
      assert.equal(codeOf(readKitFile(text.slice(0, length))), 'file-damaged');
    }
  });

  it('is refused as another file, as a newer form, and without its members', () => {
    assert.equal(codeOf(readKitFile(text.replace('agreement-kit', 'publisher-bundle'))), 'file-other-kind');
    assert.equal(codeOf(readKitFile(text.replace('"v": 1', '"v": 2'))), 'file-other-kind');
    assert.equal(codeOf(readKitFile('{"calyx":"agreement-kit","v":1}')), 'file-damaged');
    const more = JSON.stringify({ ...(JSON.parse(text) as object), more: 1 });
    assert.equal(codeOf(readKitFile(more)), 'file-damaged');
  });
});
