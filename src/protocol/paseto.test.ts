import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Claims } from 'paseto';
import { PublicProtocol } from 'paseto';
import { ImportPublicKeyFactory, ImportSecretKeyFactory, SignFactory, VerifyFactory } from 'paseto/v4/public';
import {
  maxTokenChars,
  pasetoSigner,
  publicKeyObject,
  readFooter,
  readPayload,
  signPaseto,
  verifyPaseto,
} from './paseto.ts';

interface Vector {
  readonly name: string;
  readonly 'expect-fail': boolean;
  readonly 'public-key'?: string;
  readonly 'secret-key-seed'?: string;
  readonly token: string;
  readonly payload: string | null;
  readonly footer: string;
  readonly 'implicit-assertion': string;
}

const vectorFile = new URL('../../tests/vectors/paseto-v4-public.json', import.meta.url);
const vectors = (JSON.parse(readFileSync(vectorFile, 'utf8')) as { tests: readonly Vector[] }).tests;

const seed = Buffer.from(vectors[0]?.['secret-key-seed'] ?? '', 'hex');
const rawPublic = Buffer.from(vectors[0]?.['public-key'] ?? '', 'hex');
const privateKey = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
  format: 'der',
  type: 'pkcs8',
});

function keyOf(raw: Uint8Array) {
  const key = publicKeyObject(raw);
  assert.ok(key);
  return key;
}

const publicKey = keyOf(rawPublic);
const implicit = Buffer.from('test/1');
const footer = Buffer.from('{"kid":"k"}');

/** A token over any bytes at all, where `signPaseto` is for JSON objects. */
function signedBytes(payload: Uint8Array): string {
  return signPaseto({ payload, key: privateKey, footer, implicit });
}

function bodyOf(token: string): Buffer {
  return Buffer.from(token.split('.')[2] ?? '', 'base64url');
}

describe('the official PASETO v4 vectors', () => {
  it('are the three that must verify and the four that must not', () => {
    assert.deepEqual(
      vectors.map((vector) => vector.name),
      ['4-S-1', '4-S-2', '4-S-3', '4-F-1', '4-F-2', '4-F-3', '4-F-4'],
    );
  });
  for (const vector of vectors) {
    const assertion = Buffer.from(vector['implicit-assertion']);
    if (vector['expect-fail']) {
      it(`${vector.name} is refused`, () => {
        assert.equal(verifyPaseto(vector.token, { key: publicKey, implicit: assertion }), undefined);
      });
      continue;
    }
    it(`${vector.name} verifies and is signed to the same text`, () => {
      const verified = verifyPaseto(vector.token, { key: publicKey, implicit: assertion });
      assert.ok(verified);
      assert.deepEqual(verified.payload, JSON.parse(vector.payload ?? ''));
      assert.equal(Buffer.from(verified.footer).toString(), vector.footer);
      const again = signPaseto({
        payload: Buffer.from(vector.payload ?? ''),
        key: privateKey,
        footer: Buffer.from(vector.footer),
        implicit: assertion,
      });
      assert.equal(again, vector.token);
    });
  }
});

describe('a token of one form only', () => {
  const token = signedBytes(Buffer.from('{"t":"x","n":1}'));
  const [, , body = '', foot = ''] = token.split('.');
  const verifies = (text: string, key = publicKey): boolean =>
    verifyPaseto(text, { key, implicit }) !== undefined;

  it('verifies as it was made', () => {
    assert.deepEqual(verifyPaseto(token, { key: publicKey, implicit })?.payload, { t: 'x', n: 1 });
    assert.deepEqual(Buffer.from(readFooter(token) ?? []), footer);
  });

  it('is refused under another key, another implicit assertion or another footer', () => {
    const other = generateKeyPairSync('ed25519').publicKey;
    assert.equal(verifies(token, other), false);
    assert.equal(verifyPaseto(token, { key: publicKey, implicit: Buffer.from('test/2') }), undefined);
    assert.equal(verifies(`v4.public.${body}.${Buffer.from('{"kid":"j"}').toString('base64url')}`), false);
    assert.equal(verifies(`v4.public.${body}`), false);
  });

  const spelled: readonly [string, string][] = [
    ['padding', `v4.public.${body}==.${foot}`],
    ['padding of the footer', `${token}=`],
    ['an empty third part', `v4.public.${body}.`],
    ['a part too many', `${token}.AA`],
    ['an empty part too many', `${token}.`],
    ['a space in front', ` ${token}`],
    ['a line break behind', `${token}\n`],
    ['a line break within', `v4.public.${body.slice(0, 10)}\n${body.slice(10)}.${foot}`],
    ['another purpose', `v4.local.${body}.${foot}`],
    ['another version', `v3.public.${body}.${foot}`],
    ['upper-case letters in the header', `V4.public.${body}.${foot}`],
    ['no body', `v4.public..${foot}`],
    ['a body shorter than a signature', `v4.public.AAAA.${foot}`],
    ['nothing', ''],
    ['only the header', 'v4.public.'],
  ];
  for (const [what, text] of spelled) {
    it(`is refused with ${what}`, () => assert.equal(verifies(text), false));
  }

  it('is refused with an empty footer written out', () => {
    const options = { key: privateKey, footer: new Uint8Array(0), implicit };
    const bare = signPaseto({ ...options, payload: Buffer.from('{"a":1}') });
    assert.equal(verifies(bare), true);
    assert.deepEqual(readFooter(bare), Buffer.alloc(0));
    assert.equal(verifies(`${bare}.`), false);
  });

  it('is refused above the length that anybody needs', () => {
    const long = signedBytes(Buffer.from(JSON.stringify({ a: 'x'.repeat(maxTokenChars * 0.75) })));
    assert.ok(long.length > maxTokenChars);
    assert.equal(verifies(long), false);
  });

  it('shows footer and payload before it is verified, where it has the form of a token', () => {
    assert.deepEqual(readPayload(token), { t: 'x', n: 1 });
    const forged = `v4.public.${Buffer.concat([Buffer.from('{"a":1}'), Buffer.alloc(64)]).toString('base64url')}.${foot}`;
    assert.deepEqual(readPayload(forged), { a: 1 });
    assert.equal(verifies(forged), false);
    for (const text of ['v4.public.AAAA', `v4.public.AAAA.${foot}`, `v3.public.${body}.${foot}`, '']) {
      assert.equal(readPayload(text), undefined);
      assert.equal(readFooter(text), undefined);
    }
  });

  it('is refused in the standard base64 alphabet', () => {
    const bytes = Buffer.from('{"t":"??>>~~ÿÿ"}');
    const plain = signedBytes(bytes);
    assert.match(plain, /[-_]/);
    assert.equal(verifies(plain), true);
    assert.equal(verifies(plain.replaceAll('-', '+').replaceAll('_', '/')), false);
  });

  it('is refused with stray bits in the last character', () => {
    // 1 + 64 bytes leave 4 unused bits in the last character, which a lax decoder ignores.
    const lengths = new Set<number>();
    for (const payload of ['{"a":1}', '{"a":12}', '{"a":123}']) {
      const made = signPaseto({
        payload: Buffer.from(payload),
        key: privateKey,
        footer: new Uint8Array(0),
        implicit,
      });
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
      const last = alphabet.indexOf(made.at(-1) ?? '');
      lengths.add(bodyOf(made).length % 3);
      for (let bits = 1; bits < 4; bits += 1) {
        const stray = made.slice(0, -1) + (alphabet[last ^ bits] ?? '');
        assert.equal(verifies(stray), false);
      }
      assert.equal(verifies(made), true);
    }
    assert.equal(lengths.size, 3);
  });

  it('is refused with any one character changed, dropped or doubled', () => {
    for (let at = 0; at < token.length; at += 1) {
      const before = token.slice(0, at);
      const after = token.slice(at + 1);
      const here = token[at] ?? '';
      for (const other of ['A', 'b', '7', '-', '_', '.', '=', ' ']) {
        if (other !== here) assert.equal(verifies(before + other + after), false, `${at} ${other}`);
      }
      assert.equal(verifies(before + after), false, `${at} dropped`);
      assert.equal(verifies(before + here + here + after), false, `${at} doubled`);
    }
  });

  it('is refused when cut at any place', () => {
    for (let length = 0; length < token.length; length += 1) {
      assert.equal(verifies(token.slice(0, length)), false);
    }
  });

  it('is refused with any one bit of payload or signature changed', () => {
    const bytes = bodyOf(token);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.equal(verifies(`v4.public.${changed.toString('base64url')}.${foot}`), false);
    }
  });

  it('cannot be assembled by moving bytes between its parts', () => {
    // What a plain concatenation would allow, and the lengths in the encoding prevent.
    const bytes = Buffer.from('{"a":"b"}');
    const joined = sign(
      null,
      Buffer.concat([Buffer.from('v4.public.'), bytes, footer, implicit]),
      privateKey,
    );
    const forged = `v4.public.${Buffer.concat([bytes, joined]).toString('base64url')}.${foot}`;
    assert.equal(verifies(forged), false);
  });
});

describe('a payload that is not one JSON object with one meaning', () => {
  const cases: readonly [string, Uint8Array][] = [
    ['empty', Buffer.from('')],
    ['an array', Buffer.from('[1]')],
    ['a string', Buffer.from('"a"')],
    ['null', Buffer.from('null')],
    ['cut', Buffer.from('{"a":1')],
    ['followed by more', Buffer.from('{"a":1}{}')],
    ['with a key twice', Buffer.from('{"a":1,"a":1}')],
    ['with a key twice, once escaped', Buffer.from('{"a":1,"\\u0061":2}')],
    ['with a key twice further in', Buffer.from('{"x":[{"a":{"b":1,"c":2,"b":3}}]}')],
    ['with __proto__ twice', Buffer.from('{"__proto__":1,"__proto__":2}')],
    ['with a byte order mark', Buffer.from('\ufeff{"a":1}')],
    ['not UTF-8', Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d])],
    ['nested 33 deep', Buffer.from(`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`)],
  ];
  for (const [what, payload] of cases) {
    it(`is refused though it is signed: ${what}`, () => {
      assert.equal(verifyPaseto(signedBytes(payload), { key: publicKey, implicit }), undefined);
    });
  }

  const allowed: readonly [string, string][] = [
    ['the same key in two objects', '{"x":{"a":1},"y":{"a":2},"a":[{"a":1},{"a":1}]}'],
    ['a key that also stands as a value', '{"a":"b","b":"a"}'],
    ['a value that looks like a key twice', '{"a":"\\"a\\":1,\\"a\\":2"}'],
    ['backslashes before a closing quote', '{"a\\\\":1,"a":"\\\\","b":"\\\\\\""}'],
    ['equal strings in an array', '{"a":["b","b",{"b":"b"},"b"]}'],
    ['nested 32 deep', `${'{"a":'.repeat(32)}1${'}'.repeat(32)}`],
  ];
  for (const [what, text] of allowed) {
    it(`is accepted: ${what}`, () => {
      const verified = verifyPaseto(signedBytes(Buffer.from(text)), { key: publicKey, implicit });
      assert.deepEqual(verified?.payload, JSON.parse(text));
    });
  }

  it('is looked through in time that grows with its length only', () => {
    const many = JSON.stringify({ list: Array.from({ length: 200_000 }, (_, at) => ({ sub: `s${at}` })) });
    const slashes = JSON.stringify({ list: '\\"'.repeat(300_000) });
    for (const text of [many, slashes]) {
      const token = signedBytes(Buffer.from(text));
      assert.ok(verifyPaseto(token, { key: publicKey, implicit }));
    }
  });
});

describe('beside the paseto package', async () => {
  const protocol = new PublicProtocol(
    ImportPublicKeyFactory,
    ImportSecretKeyFactory,
    SignFactory,
    VerifyFactory,
  );
  const theirPublic = await protocol.ImportPublicKey(`k4.public.${rawPublic.toString('base64url')}`);
  const theirSecret = await protocol.ImportSecretKey(
    `k4.secret.${Buffer.concat([seed, rawPublic]).toString('base64url')}`,
  );

  const claims = fc.dictionary(
    fc.string({ minLength: 1, maxLength: 6 }).map((key) => `x${key}`),
    fc.jsonValue({ maxDepth: 3 }),
    { maxKeys: 5, noNullPrototype: true },
  );
  const bytes = fc.uint8Array({ maxLength: 80 });
  /** Negative zero has no JSON form of its own, so that both sides must be compared as JSON. */
  const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

  async function theirs(token: string, implicitAssertion: Uint8Array): Promise<unknown> {
    try {
      return await protocol.Verify(theirPublic, token, { implicitAssertion, allowNonExpiring: true });
    } catch {
      return undefined;
    }
  }

  it('signs the same text for any claims, footer and implicit assertion', async () => {
    await fc.assert(
      fc.asyncProperty(claims, bytes, bytes, async (payload, foot, assertion) => {
        const ours = signPaseto({
          payload: Buffer.from(JSON.stringify(payload)),
          key: privateKey,
          footer: foot,
          implicit: assertion,
        });
        const token = await protocol.Sign(theirSecret, payload as Claims, {
          footer: foot,
          implicitAssertion: assertion,
          addIssuedAt: false,
          nonExpiring: true,
        });
        assert.equal(ours, token);
        const verified = verifyPaseto(token, { key: publicKey, implicit: assertion });
        assert.deepEqual(asJson(verified?.payload), asJson(payload));
        assert.deepEqual(new Uint8Array(verified?.footer ?? []), foot);
        assert.ok(await theirs(ours, assertion));
      }),
      { numRuns: 150 },
    );
  });

  it('says yes and no to the same texts, whole or altered', async () => {
    const original = signedBytes(Buffer.from('{"xa":1,"xb":["c",{"xd":null}]}'));
    const character = fc.constantFrom(...'ABzyx019-_.=+/ \nvpub4');
    const place = fc.nat({ max: original.length });
    const edit = fc.oneof(
      fc.record({ kind: fc.constant('replace' as const), place, character }),
      fc.record({ kind: fc.constant('insert' as const), place, character }),
      fc.record({ kind: fc.constant('drop' as const), place, character }),
      fc.record({ kind: fc.constant('cut' as const), place, character }),
    );
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { maxLength: 2 }), async (edits) => {
        let text = original;
        for (const { kind, place: at, character: put } of edits) {
          if (kind === 'replace') text = text.slice(0, at) + put + text.slice(at + 1);
          else if (kind === 'insert') text = text.slice(0, at) + put + text.slice(at);
          else if (kind === 'drop') text = text.slice(0, at) + text.slice(at + 1);
          else text = text.slice(0, at);
        }
        const ours = verifyPaseto(text, { key: publicKey, implicit });
        const other = await theirs(text, implicit);
        assert.equal(ours === undefined, other === undefined, text);
        if (ours !== undefined) {
          accepted += 1;
          assert.equal(text, original);
        }
      }),
      { numRuns: 400 },
    );
    assert.ok(accepted > 0);
  });
});

describe('one signer used many times', () => {
  it('gives the text that signing one by one gives', () => {
    for (const [foot, assertion] of [
      ['', ''],
      ['{"kid":"a"}', ''],
      ['', 'cal/1'],
      ['f'.repeat(200), 'i'.repeat(200)],
    ] as const) {
      const options = { key: privateKey, footer: Buffer.from(foot), implicit: Buffer.from(assertion) };
      const signer = pasetoSigner(options);
      for (const text of ['{}', '{"a":1}', JSON.stringify({ a: 'x'.repeat(3000) }), '{"b":2}']) {
        const token = signer(Buffer.from(text));
        assert.equal(token, signPaseto({ ...options, payload: Buffer.from(text) }));
        const verified = verifyPaseto(token, { key: publicKey, implicit: options.implicit });
        assert.deepEqual(verified?.payload, JSON.parse(text));
      }
    }
  });

  it('takes only 32 bytes as a public key', () => {
    assert.equal(publicKeyObject(new Uint8Array(31)), undefined);
    assert.equal(publicKeyObject(new Uint8Array(33)), undefined);
  });
});
