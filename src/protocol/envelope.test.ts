import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { base64url, utf8 } from '../core/bytes.ts';
import type { JsonObject } from '../core/json.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { dayMs, isoTime, secondMs } from '../core/time.ts';
import { nodeDigest as digest } from '../platform/digest.ts';
import type { Envelope, OpenOptions } from './envelope.ts';
import { clearinghouseName, openEnvelope, requestDigest, sealEnvelope } from './envelope.ts';
import {
  agreement,
  bytes16,
  inDays,
  issueKey,
  nowMs,
  products,
  seedOfName,
  source,
  target,
  trustListOf,
} from './example-publisher.test.ts';
import { contentOf } from './message-content.ts';
import type { MessageType } from './messages.ts';
import { isServerMessage, messageTypes } from './messages.ts';
import type { SigningKey } from './paseto.ts';
import { signPaseto } from './paseto.ts';
import { trustedKey } from './trust.ts';

const holder = {
  sub: base64url(seedOfName('device')),
  kind: 'device',
  origin: `${source.kid}/17`,
  unit: 17,
  leaseEnd: inDays(60),
} as const;
const reveal = { k: 25, value: bytes16('value') };
const line = { agreement, line: 0 };
const bought = { agreement, product: 'ts-2012r2', type: 'device' } as const;

const books = { inHand: 1, source: 2, target: 3, inTransit: 4, quarantined: 0 };
const nothingKnown = { name: null, method: null, lastContactAt: null, horizon: null, address: null };

const head = { size: 40, root: base64url(seedOfName('root')) };
const past = {
  ...{ database: head, seq: 9 },
  lines: [{ aid: bytes16('aid'), ...line, freeK: 25, heldK: 0 }],
  counts: [{ aid: bytes16('aid'), seq: 3, freezes: 1, releases: 1, returns: 1 }],
};

/** One body of each type. */
const bodies: Readonly<Record<MessageType, JsonObject>> = {
  declined: { refused: { code: 'move-open' } },
  contact: { ack: ['a-1', 'b-2'], name: 'LS-OLD', method: 'automatic' },
  activate: {
    agreement,
    name: 'LS-OLD',
    publicKey: base64url(source.publicKey),
    ekPublic: base64url(seedOfName('ek')),
    contact: { company: 'Contoso', eMail: 'licenses@contoso.example' },
  },
  install: { ...bought, quantity: 25, program: { authorization: '12345678ABC1234', license: '12345678' } },
  'move-request': {
    ...bought,
    quantity: 'all',
    source: source.kid,
    target: target.kid,
    reason: 'replaced',
    hold: false,
  },
  'frozen-part': { part: 0, holders: [holder] },
  frozen: { ...line, unissued: 25, held: 1, holders: [], parts: 1 },
  installed: { ...line, freeK: 25, heldK: 15 },
  verified: {},
  rehearse: {
    ...{ ...bought, quantity: 'all', source: source.kid, target: target.kid },
    ...{ reason: 'replaced', carrier: 'online', hold: false, unissued: 25, held: 1 },
  },
  revalidated: { re: 'a-1', nonce: bytes16('nonce'), ahead: { what: 'granted', seen: 30, here: 25 } },
  'released-part': { part: 0, leases: [{ sub: holder.sub, leaseEnd: inDays(60) }] },
  released: { ...line, unissued: 25, held: 1, leases: [{ sub: holder.sub, leaseEnd: inDays(60) }] },
  'relinquished-part': { part: 0, holders: [holder] },
  relinquished: { ...line, unissued: 24, held: 1, holders: [holder] },
  kept: {},
  undo: {},
  return: { ...line, quantity: 3 },
  deactivate: {
    agreements: [agreement],
    applied: [{ agreement, line: 0, units: 500 }],
    confirmations: [{ agreement, seq: 3, freezes: 1, releases: 1, returns: 1 }],
  },
  welcome: { received: ['a-1'], horizon: [{ agreement, e: 4, value: bytes16('horizon') }] },
  activated: {
    re: 'a-1',
    certificate: 'v4.public.AAAA',
    horizon: null,
    heldBefore: [{ line: 0, kBefore: 0, kAfter: 15, source: source.kid }],
  },
  'key-pack': {
    re: 'a-1',
    ...line,
    product: products[0],
    type: 'device',
    amount: 25,
    ...reveal,
    total: 65,
    horizon: { e: 1, value: bytes16('horizon') },
  },
  rehearsed: {
    ...{ re: 'a-1', now: inDays(0), version: '0.1.0', refused: null, entered: false },
    books: { before: books, frozen: books, after: books },
    source: { ...nothingKnown, name: 'LS-OLD', method: 'automatic', lastContactAt: inDays(0) },
    target: { ...nothingKnown, horizon: '2027-02-28', address: 'https://ls-new:7410' },
    dead: {
      ...{ units: 25, horizon: inDays(90), opensAt: inDays(179), sunset: inDays(480) },
      atRisk: { units: 25, from: inDays(179), until: inDays(480) },
      early: { left: 2, next: null, atRisk: { units: 25, from: inDays(0), until: inDays(179) } },
    },
  },
  freeze: { ...line, quantity: 25, target: target.kid },
  'grant-part': { part: 0, holders: [holder] },
  grant: {
    ...line,
    product: products[0],
    type: 'device',
    source: source.kid,
    unissued: 25,
    held: 1,
    holders: [],
    parts: 1,
    free: reveal,
    heldChain: reveal,
    heldBefore: [{ kBefore: 0, kAfter: 14, source: source.kid }],
    provisional: true,
    hold: false,
  },
  release: line,
  final: {},
  'source-closed-part': { part: 0, leases: [{ sub: holder.sub, leaseEnd: inDays(60) }] },
  'source-closed': { leases: [], parts: 1 },
  'unfreeze-part': { part: 0, holders: [holder] },
  unfreeze: { ...line, returned: { unissued: 24, holders: [holder] } },
  cancel: {
    ...line,
    ...{ source: source.kid, unissued: 25, held: 1, aid: bytes16('aid'), free: reveal, heldChain: reveal },
  },
  statement: { statement: 'v4.public.AAAA' },
  restored: { ...past, marks: [{ ...head, seq: 12 }], note: 'note' },
  revalidate: { ...past, nonce: bytes16('nonce'), own: { note: 'note', from: 0, proof: [] } },
  report: { clearinghouse: 'v4.public.AAAA', source: 'v4.public.BBBB', target: 'v4.public.CCCC' },
  'source-dead': {
    ...line,
    source: source.kid,
    units: 40,
    horizon: '2027-01-31T23:59:59Z',
    opensAt: '2027-04-30T23:59:59Z',
  },
  'source-lives': {},
  'source-seen': { ...line, source: source.kid, signedAt: '2027-01-31T23:59:59Z', token: 'v4.public.AAAA' },
  suspend: { ...line, source: source.kid, until: '2027-04-30T23:59:59Z', said: 'a contact, message 12' },
  resume: { ...line, source: source.kid },
  close: { gen: 2, moves: [{ move: 'm-1', ...line, target: target.kid }] },
  deactivated: { re: 'a-1', gen: 2 },
  refused: { re: 'a-1', refused: { code: 'move-open', move: 'm-1', deep: [{ list: [1, null, true] }] } },
};

function messageOf(t: MessageType, changes: Partial<Envelope> = {}): Envelope {
  const fromServer = isServerMessage(t);
  return {
    t,
    v: 1,
    id: 'a-1',
    iat: isoTime(nowMs),
    exp: inDays(30),
    from: {
      id: fromServer ? source.kid : clearinghouseName,
      gen: 1,
      seq: 7,
      log: { size: 12, root: base64url(seedOfName('root of the log')) },
    },
    to: fromServer ? clearinghouseName : source.kid,
    body: bodies[t],
    ...changes,
  };
}

const options: OpenOptions = {
  nowMs,
  to: clearinghouseName,
  digest,
  keyOf: (kid) => trustedKey(trustListOf(), kid, { role: 'issue', atMs: nowMs }),
};
const optionsFor = (t: MessageType): OpenOptions => ({
  ...options,
  to: isServerMessage(t) ? clearinghouseName : source.kid,
});
const keyFor = (t: MessageType): SigningKey => (isServerMessage(t) ? source : issueKey);

/** Signs anything as a message, whatever it says and whoever it is. */
function signAnything(payload: unknown, key: SigningKey, footer: string): string {
  return signPaseto({
    payload: utf8(JSON.stringify(payload)),
    key: key.privateKey,
    footer: utf8(footer),
    implicit: utf8('calyx-message/1'),
  });
}
const serverFooter = (key: SigningKey): string =>
  JSON.stringify({ kid: key.kid, pk: base64url(key.publicKey) });

function codeOf(result: Result<unknown, Refusal>): string {
  return result.ok ? 'ok' : result.error.code;
}

describe('a message of every type', () => {
  it('has a body in this test', () => {
    assert.deepEqual(Object.keys(bodies).toSorted(), messageTypes.toSorted());
  });
  for (const t of messageTypes) {
    it(`${t} arrives as it was sent, with its signer`, () => {
      const sent = messageOf(t, t === 'contact' ? {} : { move: 'm-1' });
      const opened = openEnvelope(sealEnvelope(sent, { key: keyFor(t) }), optionsFor(t));
      assert.ok(opened.ok, JSON.stringify(opened));
      assert.deepEqual(opened.value.envelope, sent);
      assert.equal(opened.value.signer.kid, keyFor(t).kid);
      assert.deepEqual(Buffer.from(opened.value.signer.publicKey), Buffer.from(keyFor(t).publicKey));
      assert.equal(opened.value.requestDigest, requestDigest(digest, sent));
    });

    it(`${t} is refused with a member that it does not have`, () => {
      const body = { ...bodies[t], more: 1 };
      const footer = isServerMessage(t) ? serverFooter(source) : JSON.stringify({ kid: issueKey.kid });
      const token = signAnything(messageOf(t, { body }), keyFor(t), footer);
      assert.equal(codeOf(openEnvelope(token, optionsFor(t))), 'message-invalid');
      assert.throws(() => contentOf({ id: 'a-1', type: t, body }, { seq: 7 }), TypeError);
    });

    for (const member of Object.keys(bodies[t])) {
      it(`${t} is refused with a wrong ${member}`, () => {
        const body = { ...bodies[t], [member]: { not: 'this' } };
        const footer = isServerMessage(t) ? serverFooter(source) : JSON.stringify({ kid: issueKey.kid });
        const opened = openEnvelope(signAnything(messageOf(t, { body }), keyFor(t), footer), optionsFor(t));
        if (['refused', 'declined', 'rehearsed'].includes(t) && member === 'refused') assert.ok(opened.ok);
        else if (t === 'activate' && member === 'contact') assert.ok(opened.ok);
        else assert.equal(codeOf(opened), 'message-invalid');
      });
    }
  }
});

describe('a body', () => {
  const wrong: readonly [MessageType, string, JsonObject][] = [
    ['install', 'no units', { quantity: 0 }],
    ['install', 'half a unit', { quantity: 0.5 }],
    ['install', 'fewer than no units', { quantity: -1 }],
    ['install', 'more than any number', { quantity: 1e300 }],
    ['install', 'units as text', { quantity: '25' }],
    ['install', 'a type nobody sells', { type: 'server' }],
    ['move-request', 'some of them', { quantity: 'some' }],
    [
      'move-request',
      'a License Server ID with a letter that none has',
      { source: source.kid.replace('2', 'U') },
    ],
    ['move-request', 'a reason nobody has', { reason: 'bored' }],
    ['frozen', 'line 15, which means all lines', { line: 15 }],
    [
      'frozen',
      'a lease end that does not exist',
      { holders: [{ ...holder, leaseEnd: '2027-02-29T00:00:00Z' }] },
    ],
    ['frozen', 'unit 0', { holders: [{ ...holder, unit: 0 }] }],
    ['frozen', 'an origin without unit', { holders: [{ ...holder, origin: source.kid }] }],
    ['grant', 'a chain value of 15 bytes', { free: { k: 1, value: bytes16('v').slice(0, 20) } }],
    ['grant', 'a chain value with stray bits', { free: { k: 1, value: `${bytes16('v').slice(0, 21)}B` } }],
    ['grant', 'a position beyond the chain', { free: { k: 65_536, value: bytes16('v') } }],
    ['activate', 'a key of 31 bytes', { publicKey: base64url(source.publicKey.subarray(1)) }],
    ['activate', 'an agreement number with a line break', { agreement: '4965437\n' }],
    ['activated', 'something else than a token', { certificate: 'eyJhbGciOiJub25lIn0.e30.' }],
  ];
  for (const [t, what, changes] of wrong) {
    it(`of ${t} is refused with ${what}`, () => {
      const body = { ...bodies[t], ...changes };
      assert.throws(() => contentOf({ id: 'a-1', type: t, body }, { seq: 7 }), TypeError);
      const token = sealEnvelope(messageOf(t, { body }), { key: keyFor(t) });
      assert.equal(codeOf(openEnvelope(token, optionsFor(t))), 'message-invalid');
    });
  }
});

describe('a message is refused', () => {
  const token = sealEnvelope(messageOf('install'), { key: source });
  const refusedAs = (text: string, code: string, changes: Partial<OpenOptions> = {}): Refusal => {
    const opened = openEnvelope(text, { ...options, ...changes });
    assert.equal(codeOf(opened), code);
    assert.ok(!opened.ok);
    return opened.error;
  };

  it('with any one character changed, dropped, or cut off', () => {
    for (let place = 0; place < token.length; place += 1) {
      const other = token[place] === 'A' ? 'B' : 'A';
      const rest = token.slice(place + 1);
      assert.equal(openEnvelope(token.slice(0, place) + other + rest, options).ok, false);
      assert.equal(openEnvelope(token.slice(0, place) + rest, options).ok, false);
      assert.equal(openEnvelope(token.slice(0, place), options).ok, false);
    }
  });

  it('when somebody else signs for a license server', () => {
    const footer = JSON.stringify({ kid: source.kid, pk: base64url(target.publicKey) });
    refusedAs(signAnything(messageOf('install'), target, footer), 'message-untrusted');
    refusedAs(signAnything(messageOf('install'), target, serverFooter(source)), 'message-invalid');
    refusedAs(signAnything(messageOf('install'), target, serverFooter(target)), 'message-untrusted');
  });

  it('when a license server signs what only the clearinghouse may say', () => {
    const grant = messageOf('grant', { to: clearinghouseName });
    refusedAs(signAnything(grant, source, serverFooter(source)), 'message-untrusted');
    const posing = { ...grant, from: { ...grant.from, id: source.kid } };
    refusedAs(signAnything(posing, source, serverFooter(source)), 'message-untrusted');
  });

  it('when the clearinghouse signs what only a license server may say', () => {
    const footer = JSON.stringify({ kid: issueKey.kid });
    const refusal = refusedAs(signAnything(messageOf('install'), issueKey, footer), 'message-untrusted');
    assert.deepEqual(refusal, { code: 'message-untrusted', signer: issueKey.kid });
  });

  it('under a clearinghouse key that is not in force', () => {
    const grant = sealEnvelope(messageOf('grant'), { key: issueKey });
    const at = (changes: Partial<OpenOptions>) =>
      refusedAs(grant, 'message-untrusted', { to: source.kid, ...changes });
    at({ keyOf: () => undefined });
    const revoked = trustListOf({ revoked: [issueKey.kid] });
    at({ keyOf: (kid) => trustedKey(revoked, kid, { role: 'issue', atMs: nowMs }) });
  });

  it('when the footer is written in another form', () => {
    const pk = base64url(source.publicKey);
    for (const footer of [
      '',
      'x',
      source.kid,
      JSON.stringify({ pk, kid: source.kid }),
      JSON.stringify({ kid: source.kid, pk }, null, 1),
      JSON.stringify({ kid: source.kid, pk, alg: 'none' }),
      JSON.stringify({ pk }),
      `{"kid":"${source.kid}","pk":"${pk}","kid":"${source.kid}"}`,
    ]) {
      refusedAs(signAnything(messageOf('install'), source, footer), 'message-invalid');
    }
  });

  it('to somebody else', () => {
    const refusal = refusedAs(token, 'message-not-for-us', { to: target.kid });
    assert.deepEqual(refusal, { code: 'message-not-for-us', recipient: clearinghouseName });
  });

  it('after its end, and not at its end', () => {
    assert.equal(codeOf(openEnvelope(token, { ...options, nowMs: nowMs + 30 * dayMs })), 'ok');
    const refusal = refusedAs(token, 'message-expired', { nowMs: nowMs + 30 * dayMs + secondMs });
    assert.deepEqual(refusal, {
      code: 'message-expired',
      madeAt: isoTime(nowMs),
      expiredAt: inDays(30),
      now: isoTime(nowMs + 30 * dayMs + secondMs),
    });
  });

  it('when it was signed more than a day ahead of our clock, and not a day ahead', () => {
    assert.equal(codeOf(openEnvelope(token, { ...options, nowMs: nowMs - dayMs })), 'ok');
    const refusal = refusedAs(token, 'clock-behind', { nowMs: nowMs - dayMs - secondMs });
    assert.deepEqual(refusal, {
      code: 'clock-behind',
      now: isoTime(nowMs - dayMs - secondMs),
      seen: isoTime(nowMs),
    });
  });

  it('when it ends before it begins', () => {
    const message = messageOf('install', { exp: isoTime(nowMs - secondMs) });
    refusedAs(signAnything(message, source, serverFooter(source)), 'message-invalid');
  });

  it('when its claims are not those of a message', () => {
    const message = messageOf('install');
    for (const changes of [
      { t: 'give-me-all' },
      { t: 'toString' },
      { v: 2 },
      { id: '' },
      { id: 'a b' },
      { iat: '2026-11-24' },
      { from: { ...message.from, seq: -1 } },
      { from: { ...message.from, seq: 2 ** 53 } },
      { from: { ...message.from, log: { size: 1, root: 'AAAA' } } },
      { from: { ...message.from, id: 'nobody' } },
      { to: 'everybody' },
      { body: [] },
      { body: null },
      { also: 1 },
    ]) {
      refusedAs(signAnything({ ...message, ...changes }, source, serverFooter(source)), 'message-invalid');
    }
  });

  it('when it holds text or numbers that have no canonical form', () => {
    for (const refused of [{ a: '\ud800' }, { a: 1e300 }, { a: 0.5 }]) {
      const message = messageOf('refused', { to: source.kid, body: { re: 'a-1', refused } });
      const text = signAnything(message, issueKey, JSON.stringify({ kid: issueKey.kid }));
      refusedAs(text, 'message-invalid', { to: source.kid });
    }
  });

  it('without being able to make the program fail, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.boolean(), (text, dressed) => {
        const token = dressed ? `v4.public.${Buffer.from(text).toString('base64url')}` : text;
        assert.equal(openEnvelope(token, options).ok, false);
      }),
      { numRuns: 300 },
    );
  });
});

describe('sealing', () => {
  it('refuses to sign for somebody else', () => {
    assert.throws(() => sealEnvelope(messageOf('install'), { key: target }), /cannot come from/);
    const grant = messageOf('grant');
    const posing = { ...grant, from: { ...grant.from, id: source.kid } };
    assert.throws(() => sealEnvelope(posing, { key: source }), /cannot come from/);
  });
});

describe('the digest of a request', () => {
  const message = messageOf('install', { move: 'm-1' });
  const own = requestDigest(digest, message);

  it('is the same when the message is signed again later', () => {
    const later = {
      ...message,
      iat: inDays(3),
      exp: inDays(33),
      from: { ...message.from, log: { size: 99, root: base64url(seedOfName('later')) } },
    };
    assert.equal(requestDigest(digest, later), own);
  });

  it('is the same whatever the order of the members', () => {
    const body = Object.fromEntries(Object.entries(message.body).toReversed());
    assert.equal(requestDigest(digest, { ...message, body }), own);
  });

  it('differs as soon as anything else differs', () => {
    const changes: readonly Partial<Envelope>[] = [
      { t: 'return' },
      { id: 'a-2' },
      { to: target.kid },
      { move: 'm-2' },
      { from: { ...message.from, id: target.kid } },
      { from: { ...message.from, gen: 2 } },
      { from: { ...message.from, seq: 8 } },
      { body: { ...message.body, quantity: 26 } },
    ];
    const all = changes.map((change) => requestDigest(digest, { ...message, ...change }));
    const { move, ...bare } = message;
    assert.equal(move, 'm-1');
    all.push(requestDigest(digest, bare), own);
    assert.equal(new Set(all).size, all.length);
  });
});
