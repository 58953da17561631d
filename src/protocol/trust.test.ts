import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { base64url, utf8 } from '../core/bytes.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { dayMs } from '../core/time.ts';
import { nodeDigest as digest } from '../platform/digest.ts';
import {
  inDays,
  issueKey,
  logKey,
  nowMs,
  publisher,
  publisherKey,
  rootKey,
  trustListOf,
} from './example-publisher.test.ts';
import { signPaseto } from './paseto.ts';
import type { TrustList } from './trust.ts';
import {
  acceptTrustList,
  claimedRoots,
  isTrustListStale,
  keyId,
  keyIdFooter,
  makeTrustList,
  openTrustList,
  readKeyId,
  readPublisherBundle,
  rootsOf,
  trustedKey,
  writePublisherBundle,
} from './trust.ts';

const otherRoot = publisherKey('other root');
const rootEntry = (key: typeof rootKey) => ({ kid: key.kid, pk: base64url(key.publicKey) });

/** Signs anything as a trust list: what a careless or hostile root holder could do. */
function signAnything(payload: unknown, key = rootKey, footer = keyIdFooter(key.kid)): string {
  return signPaseto({
    payload: utf8(JSON.stringify(payload)),
    key: key.privateKey,
    footer,
    implicit: utf8('calyx-trust/1'),
  });
}

function codeOf(result: Result<unknown, Refusal>): string {
  return result.ok ? 'ok' : result.error.code;
}

describe('the id of a key', () => {
  it('is a hash of the key', () => {
    assert.equal(rootKey.kid, keyId(digest, rootKey.publicKey));
    assert.match(rootKey.kid, /^[A-Za-z0-9_-]{16}$/);
    assert.notEqual(rootKey.kid, issueKey.kid);
  });
  it('is read from a token only where the footer is written in its one form', () => {
    const token = makeTrustList(digest, trustListOf(), rootKey);
    assert.equal(readKeyId(token), rootKey.kid);
    for (const footer of [
      '',
      rootKey.kid,
      `{"kid":"${rootKey.kid}" }`,
      `{"kid":"${rootKey.kid}","x":1}`,
      '{"kid":"short"}',
    ]) {
      assert.equal(readKeyId(signAnything(trustListOf(), rootKey, utf8(footer))), undefined, footer);
    }
    assert.equal(readKeyId('v4.public.none'), undefined);
  });
});

describe('a trust list', () => {
  const list = trustListOf();
  const token = makeTrustList(digest, list, rootKey);
  const open = (text: string, roots = rootsOf(list)) => openTrustList(digest, text, roots);

  it('opens under the root that signed it', () => {
    assert.deepEqual(open(token), { ok: true, value: list });
  });

  it('is refused when any one character is changed or it is cut', () => {
    for (let place = 0; place < token.length; place += 1) {
      const other = token[place] === 'A' ? 'B' : 'A';
      assert.equal(open(token.slice(0, place) + other + token.slice(place + 1)).ok, false);
      assert.equal(open(token.slice(0, place)).ok, false);
    }
  });

  const key = list.keys[0];
  assert.ok(key);
  const named: readonly [string, string, string][] = [
    [
      'signed by another root',
      signAnything(trustListOf({ roots: [rootEntry(otherRoot)] }), otherRoot),
      'message-untrusted',
    ],
    ['signed by a clearinghouse key', signAnything(list, issueKey), 'message-untrusted'],
    [
      'signed by another key under the name of the root',
      signAnything(list, otherRoot, keyIdFooter(rootKey.kid)),
      'message-invalid',
    ],
    [
      'signed by a root that it does not name itself',
      signAnything(trustListOf({ roots: [rootEntry(otherRoot)] })),
      'message-untrusted',
    ],
    ['of another kind', signAnything({ ...list, t: 'kit' }), 'message-invalid'],
    ['of a newer form', signAnything({ ...list, v: 2 }), 'message-invalid'],
    [
      'with a threshold that one signature cannot meet',
      signAnything({ ...list, threshold: 2 }),
      'message-invalid',
    ],
    ['without roots', signAnything({ ...list, roots: [] }), 'message-invalid'],
    ['with version 0', signAnything({ ...list, version: 0 }), 'message-invalid'],
    ['with a fraction as version', signAnything({ ...list, version: 1.5 }), 'message-invalid'],
    ['with a member nobody knows', signAnything({ ...list, waived: true }), 'message-invalid'],
    [
      'with a key under another key’s id',
      signAnything({ ...list, keys: [{ ...key, pk: base64url(otherRoot.publicKey) }] }),
      'message-invalid',
    ],
    [
      'with a root under another key’s id',
      signAnything({ ...list, roots: [rootEntry(rootKey), { kid: otherRoot.kid, pk: key.pk }] }),
      'message-invalid',
    ],
    [
      'with one key in two roles',
      signAnything({ ...list, keys: [key, { ...key, role: 'log' }] }),
      'message-invalid',
    ],
    [
      'with the same root twice',
      signAnything({ ...list, roots: [rootEntry(rootKey), rootEntry(rootKey)] }),
      'message-invalid',
    ],
    [
      'with the root as issue key',
      signAnything({ ...list, keys: [{ ...key, ...rootEntry(rootKey) }] }),
      'message-invalid',
    ],
    [
      'with a role nobody knows',
      signAnything({ ...list, keys: [{ ...key, role: 'root' }] }),
      'message-invalid',
    ],
    [
      'with a key that ends before it begins',
      signAnything({ ...list, keys: [{ ...key, exp: inDays(-31) }] }),
      'message-invalid',
    ],
    ['that ends before it begins', signAnything({ ...list, exp: inDays(-31) }), 'message-invalid'],
    [
      'with a date that does not exist',
      signAnything({ ...list, exp: '2027-02-30T00:00:00Z' }),
      'message-invalid',
    ],
    [
      'oversized',
      signAnything({ ...list, revoked: Array.from({ length: 1025 }, () => issueKey.kid) }),
      'message-invalid',
    ],
    [
      'under another purpose',
      signPaseto({
        payload: utf8(JSON.stringify(list)),
        key: rootKey.privateKey,
        footer: keyIdFooter(rootKey.kid),
        implicit: utf8('calyx-kit/1'),
      }),
      'message-invalid',
    ],
    ['that is no token', 'trust me', 'message-invalid'],
  ];
  for (const [what, text, code] of named) {
    it(`is refused ${what}`, () => assert.equal(codeOf(open(text)), code));
  }

  it('is not signed in a form that would be refused', () => {
    assert.throws(() => makeTrustList(digest, trustListOf({ version: 0 }), rootKey), TypeError);
    assert.throws(() => makeTrustList(digest, trustListOf({ keys: [key, key] }), rootKey), TypeError);
    assert.throws(() => makeTrustList(digest, trustListOf(), otherRoot), TypeError);
  });

  it('shows the roots that it claims, to those who know none', () => {
    assert.deepEqual(claimedRoots(signAnything(list, otherRoot)), rootsOf(list));
    assert.deepEqual(claimedRoots(signAnything({ ...list, t: 'kit' })), []);
    assert.deepEqual(claimedRoots('nothing'), []);
  });

  it('warns when it has outlived its term, and not before', () => {
    assert.equal(isTrustListStale(list, nowMs + 365 * dayMs), false);
    assert.equal(isTrustListStale(list, nowMs + 365 * dayMs + 1), true);
  });
});

describe('replacing a trust list', () => {
  const current = trustListOf({ version: 5 });
  const next = trustListOf({ version: 6, keys: [] });
  const cases: readonly [string, TrustList, string][] = [
    ['the next version', next, 'accepted'],
    [
      'the next version, with a key removed',
      trustListOf({ version: 6, keys: current.keys.slice(1) }),
      'accepted',
    ],
    [
      'the next version, with a key revoked',
      trustListOf({ version: 6, revoked: [issueKey.kid] }),
      'accepted',
    ],
    [
      'the next version, already out of term (a later one may follow)',
      trustListOf({ version: 6, exp: inDays(-1) }),
      'accepted',
    ],
    ['the same once more', trustListOf({ version: 5 }), 'same'],
    ['an older one', trustListOf({ version: 4 }), 'older'],
    ['the oldest one, with a key that was removed since', trustListOf({ version: 1, revoked: [] }), 'older'],
    ['one version skipped', trustListOf({ version: 7 }), 'message-out-of-order'],
    [
      'a fast-forward to the highest version',
      trustListOf({ version: Number.MAX_SAFE_INTEGER }),
      'message-out-of-order',
    ],
    ['the same version with other content', trustListOf({ version: 5, keys: [] }), 'message-invalid'],
    ['the same version with another term', trustListOf({ version: 5, exp: inDays(999) }), 'message-invalid'],
    [
      'the next version of another publisher',
      trustListOf({ version: 6, publisher: 'Other' }),
      'publisher-different',
    ],
    [
      'an older version of another publisher',
      trustListOf({ version: 1, publisher: 'Other' }),
      'publisher-different',
    ],
  ];
  for (const [what, list, expected] of cases) {
    it(`${what}: ${expected}`, () => {
      const update = acceptTrustList(current, list);
      assert.equal(update.ok ? update.value.outcome : update.error.code, expected);
      if (update.ok) assert.equal(update.value.list, expected === 'accepted' ? list : current);
    });
  }

  it('never goes back, whatever order lists come in', () => {
    let held = trustListOf({ version: 1 });
    for (const version of [2, 1, 2, 3, 1, 4, 3]) {
      const update = acceptTrustList(held, trustListOf({ version }));
      assert.ok(update.ok);
      assert.ok(update.value.list.version >= held.version);
      held = update.value.list;
    }
    assert.equal(held.version, 4);
  });

  it('hands the root on in two steps, each signed by a root of both lists', () => {
    const both = trustListOf({ version: 6, roots: [rootEntry(rootKey), rootEntry(otherRoot)] });
    const step = openTrustList(digest, makeTrustList(digest, both, rootKey), rootsOf(current));
    assert.ok(step.ok);
    const last = trustListOf({ version: 7, roots: [rootEntry(otherRoot)] });
    const token = makeTrustList(digest, last, otherRoot);
    assert.equal(codeOf(openTrustList(digest, token, rootsOf(current))), 'message-untrusted');
    assert.equal(codeOf(openTrustList(digest, token, rootsOf(step.value))), 'ok');
    const back = makeTrustList(digest, trustListOf({ version: 8 }), rootKey);
    assert.equal(codeOf(openTrustList(digest, back, rootsOf(last))), 'message-untrusted');
  });
});

describe('a key of the trust list', () => {
  const list = trustListOf();
  const find = (kid: string, role: 'issue' | 'log' = 'issue', days = 0) =>
    trustedKey(list, kid, { role, atMs: nowMs + days * dayMs });

  it('is found in its role and in its term', () => {
    assert.deepEqual(find(issueKey.kid), new Uint8Array(issueKey.publicKey));
    assert.deepEqual(find(logKey.kid, 'log'), new Uint8Array(logKey.publicKey));
    assert.ok(find(issueKey.kid, 'issue', -30));
    assert.ok(find(issueKey.kid, 'issue', 400));
  });
  it('is not found in another role, outside its term, revoked, or unknown', () => {
    assert.equal(find(issueKey.kid, 'log'), undefined);
    assert.equal(find(logKey.kid, 'issue'), undefined);
    assert.equal(find(rootKey.kid), undefined);
    assert.equal(find(issueKey.kid, 'issue', -30.01), undefined);
    assert.equal(find(issueKey.kid, 'issue', 400.01), undefined);
    const revoked = trustListOf({ revoked: [issueKey.kid] });
    assert.equal(trustedKey(revoked, issueKey.kid, { role: 'issue', atMs: nowMs }), undefined);
    assert.equal(find('AAAAAAAAAAAAAAAA'), undefined);
  });
});

describe('a publisher bundle', () => {
  const token = makeTrustList(digest, trustListOf(), rootKey);
  const text = writePublisherBundle({ publisher, root: rootKey, trustListToken: token });
  const read = (file: string) => readPublisherBundle(digest, file);

  it('gives back publisher, root and trust list', () => {
    const bundle = read(text);
    assert.ok(bundle.ok);
    assert.equal(bundle.value.publisher, publisher);
    assert.deepEqual(bundle.value.root.publicKey, new Uint8Array(rootKey.publicKey));
    assert.deepEqual(bundle.value.trustList, trustListOf());
    assert.equal(bundle.value.trustListToken, token);
    assert.equal(text.split('\n')[1], '  "calyx": "publisher-bundle",');
  });

  it('survives what mail programs and editors do to text', () => {
    assert.equal(read(`\ufeff${text.replaceAll('\n', '\r\n')}`).ok, true);
    assert.equal(read(JSON.stringify(JSON.parse(text))).ok, true);
  });

  it('is refused when cut anywhere', () => {
    for (let length = 0; length < text.trimEnd().length; length += 1) {
      assert.equal(codeOf(read(text.slice(0, length))), 'file-damaged');
    }
  });

  it('is refused when any one character of its values is changed', () => {
    for (let place = 0; place < text.length; place += 1) {
      if (!/[A-Za-z0-9_.-]/.test(text[place] ?? '')) continue;
      const other = text[place] === 'A' ? 'B' : 'A';
      assert.equal(read(text.slice(0, place) + other + text.slice(place + 1)).ok, false, `${place}`);
    }
  });

  it('is refused with another root than the one that signed the list', () => {
    const other = writePublisherBundle({ publisher, root: otherRoot, trustListToken: token });
    assert.equal(codeOf(read(other)), 'message-untrusted');
  });

  it('is refused when the root has the id of another key', () => {
    const misnamed = { kid: otherRoot.kid, publicKey: rootKey.publicKey };
    const other = writePublisherBundle({ publisher, root: misnamed, trustListToken: token });
    assert.equal(codeOf(read(other)), 'file-damaged');
  });

  it('is refused as another publisher’s, as another file, as no file', () => {
    const other = writePublisherBundle({ publisher: 'Other', root: rootKey, trustListToken: token });
    assert.equal(codeOf(read(other)), 'publisher-different');
    assert.equal(codeOf(read('{"calyx":"agreement-kit","v":1}')), 'file-other-kind');
    assert.equal(codeOf(read('{"name":"x"}')), 'file-other-kind');
    assert.equal(codeOf(read(text.replace('"v": 1', '"v": 2'))), 'file-other-kind');
    assert.equal(codeOf(read('%PDF-1.7')), 'file-damaged');
  });
});
