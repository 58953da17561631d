import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from './canonical.ts';
import type { JsonValue } from './json.ts';

/** Values that JSON can carry and Calyx allows. */
const value = fc.letrec<{ any: JsonValue }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.string({ unit: 'grapheme' }),
    fc.maxSafeInteger().map((number) => (number === 0 ? 0 : number)),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('any'), { maxLength: 5 }),
    fc.dictionary(fc.string({ unit: 'grapheme' }), tie('any'), { maxKeys: 5, noNullPrototype: true }),
  ),
})).any;

/** The same value with the keys of each object in the opposite order. */
function reversed(json: JsonValue): JsonValue {
  if (Array.isArray(json)) return json.map(reversed);
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(
    Object.entries(json)
      .reverse()
      .map(([key, member]) => [key, reversed(member as JsonValue)]),
  );
}

describe('canonical JSON', () => {
  const cases: readonly [JsonValue, string][] = [
    [null, 'null'],
    [true, 'true'],
    [false, 'false'],
    [0, '0'],
    [-0, '0'],
    [-1, '-1'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [Number.MIN_SAFE_INTEGER, '-9007199254740991'],
    ['', '""'],
    [[], '[]'],
    [{}, '{}'],
    [[1, [2, 'x'], {}], '[1,[2,"x"],{}]'],
    [{ b: 1, a: [true, null] }, '{"a":[true,null],"b":1}'],
    [{ aa: 1, a: 2, A: 3, '': 4, '10': 5, '9': 6 }, '{"":4,"10":5,"9":6,"A":3,"a":2,"aa":1}'],
    // RFC 8785 §3.2.2.2 and §3.2.4.
    ['\u20ac$\u000f\u000aA\'\u0042\u0022\u005c\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'],
    ['\b\t\n\f\r\u001f\u007f\u2028', '"\\b\\t\\n\\f\\r\\u001f\u007f\u2028"'],
  ];
  for (const [json, text] of cases) {
    it(`writes ${text}`, () => assert.equal(canonicalJson(json), text));
  }

  it('sorts keys by UTF-16 code units, as the example of RFC 8785 §3.2.3', () => {
    const keys = ['\u20ac', '\r', '\ufb33', '1', '\u{1f600}', '\u0080', '\u00f6'];
    const text = canonicalJson(Object.fromEntries(keys.map((key) => [key, 0])));
    assert.deepEqual(Object.keys(JSON.parse(text) as object), [
      '1', // V8 puts index-like keys first when it parses
      '\r',
      '\u0080',
      '\u00f6',
      '\u20ac',
      '\u{1f600}',
      '\ufb33',
    ]);
    assert.ok(text.startsWith('{"\\r":0,"1":0,'));
  });

  it('keeps a key called __proto__ like any other', () => {
    assert.equal(canonicalJson(JSON.parse('{"b":1,"__proto__":{"c":2}}')), '{"__proto__":{"c":2},"b":1}');
  });

  const refused: readonly [string, unknown][] = [
    ['a fraction', 1.5],
    ['an unsafe integer', 2 ** 53],
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['undefined', undefined],
    ['an undefined member', { a: undefined }],
    ['a hole in an array', new Array(2)],
    ['a bigint', 1n],
    ['a symbol', Symbol('x')],
    ['a function', () => 1],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['bytes', new Uint8Array(2)],
    ['an instance of a class', new (class Thing {})()],
    ['a lone surrogate', 'x\ud800'],
    ['a lone surrogate in a key', { '\udc00': 1 }],
    ['a nested fraction', { a: [{ b: 0.1 }] }],
  ];
  for (const [name, bad] of refused) {
    it(`refuses ${name}`, () => assert.throws(() => canonicalJson(bad as JsonValue), Error));
  }

  it('takes 100 levels and refuses 101, so that a loop ends', () => {
    const nested = (levels: number): JsonValue => (levels === 0 ? 1 : [nested(levels - 1)]);
    assert.equal(canonicalJson(nested(100)).length, 201);
    assert.throws(() => canonicalJson(nested(101)), /nested/);
    const loop: Record<string, JsonValue> = {};
    loop['self'] = loop;
    assert.throws(() => canonicalJson(loop), /nested/);
  });

  it('gives back the value, and one text whatever the order of keys', () => {
    fc.assert(
      fc.property(value, (json) => {
        const text = canonicalJson(json);
        assert.deepEqual(JSON.parse(text), json);
        assert.equal(canonicalJson(reversed(json)), text);
        assert.equal(canonicalJson(JSON.parse(text) as JsonValue), text);
      }),
    );
  });
});
