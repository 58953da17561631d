/** Tests of bytes.ts: each form against an independent one, and what is refused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  ascii,
  base64url,
  bytesOfBase64url,
  bytesOfHex,
  compareBytes,
  concat,
  equalBytes,
  firstBytes,
  hex,
  readUnsigned,
  textOfUtf8,
  u8,
  u16,
  u32,
  u64,
  utf8,
  xor,
} from './bytes.ts';

const bytes = fc.uint8Array({ maxLength: 70 });

describe('texts of bytes', () => {
  it('writes and reads hexadecimal and base64url as node:buffer does', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        assert.equal(hex(value), Buffer.from(value).toString('hex'));
        assert.equal(base64url(value), Buffer.from(value).toString('base64url'));
        assert.deepEqual(bytesOfHex(hex(value).toUpperCase()), value);
        assert.deepEqual(bytesOfBase64url(base64url(value)), value);
      }),
    );
  });

  it('refuses base64url with padding, other characters, left-over bits or an impossible length', () => {
    for (const text of ['AA==', 'A', 'AAAAA', 'A+AA', 'A/AA', 'AB', 'AAB', 'A A', 'AÄ', '😀']) {
      assert.equal(bytesOfBase64url(text), undefined, text);
    }
    assert.deepEqual(bytesOfBase64url(''), new Uint8Array(0));
    assert.deepEqual(bytesOfBase64url('AA'), Uint8Array.of(0));
  });

  it('has one base64url text only for each byte string', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'AQgwZz_-9=+'), maxLength: 9 }), (text) => {
        const value = bytesOfBase64url(text);
        assert.ok(value === undefined || base64url(value) === text);
      }),
    );
  });

  it('refuses hexadecimal that is none', () => {
    for (const text of ['0', 'xy', '0x', ' 00', '00\n']) assert.equal(bytesOfHex(text), undefined, text);
  });

  it('reads UTF-8 strictly and keeps a byte order mark', () => {
    assert.equal(textOfUtf8(utf8('Zürich 😀')), 'Zürich 😀');
    assert.equal(textOfUtf8(utf8('\ufeffa')), '\ufeffa');
    assert.equal(textOfUtf8(Uint8Array.of(0xc3)), undefined);
    assert.equal(textOfUtf8(Uint8Array.of(0xed, 0xa0, 0x80)), undefined);
  });

  it('makes bytes of ASCII and of nothing else', () => {
    assert.deepEqual(ascii('CAL\x7f'), Uint8Array.of(0x43, 0x41, 0x4c, 0x7f));
    assert.throws(() => ascii('Ä'), RangeError);
    assert.throws(() => ascii('\x80'), RangeError);
  });
});

describe('integers', () => {
  it('writes them big-endian, as a DataView does', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const view = new DataView(new ArrayBuffer(8));
        view.setBigUint64(0, BigInt(value));
        const eight = new Uint8Array(view.buffer);
        assert.deepEqual(u64(value), eight);
        assert.deepEqual(u32(value % 2 ** 32), eight.slice(4));
        assert.deepEqual(u16(value % 2 ** 16), eight.slice(6));
        assert.deepEqual(u8(value % 2 ** 8), eight.slice(7));
        assert.equal(readUnsigned(eight, 2, 6), value % 2 ** 48);
      }),
    );
  });

  it('throws where a number does not fit', () => {
    for (const value of [-1, 0.5, Number.NaN, 256]) assert.throws(() => u8(value), RangeError);
    assert.throws(() => u16(0x1_0000), RangeError);
    assert.throws(() => u32(2 ** 32), RangeError);
    assert.throws(() => u64(2 ** 53), RangeError);
    assert.throws(() => readUnsigned(new Uint8Array(4), 1, 4), RangeError);
    assert.throws(() => readUnsigned(new Uint8Array(9), 0, 7), RangeError);
    assert.throws(() => readUnsigned(new Uint8Array(4), -1, 2), RangeError);
  });
});

describe('byte strings', () => {
  it('joins, compares, orders and mixes them', () => {
    assert.deepEqual(concat(), new Uint8Array(0));
    assert.deepEqual(concat(u8(1), new Uint8Array(0), u16(2)), Uint8Array.of(1, 0, 2));
    fc.assert(
      fc.property(bytes, bytes, (left, right) => {
        const order = Buffer.compare(left, right);
        assert.equal(compareBytes(left, right), order);
        assert.equal(equalBytes(left, right), order === 0);
        assert.ok(equalBytes(left, left.slice()));
        assert.deepEqual(
          xor(xor(concat(left, right), concat(right, left)), concat(right, left)),
          concat(left, right),
        );
      }),
    );
    assert.throws(() => xor(u8(0), u16(0)), RangeError);
  });

  it('sees a difference in every place', () => {
    for (let at = 0; at < 32; at += 1) {
      const other = new Uint8Array(32);
      other[at] = 0x80;
      assert.equal(equalBytes(new Uint8Array(32), other), false);
    }
  });

  it('copies the first bytes into an array of its own', () => {
    const source = Buffer.from([1, 2, 3, 4]);
    const first = firstBytes(source, 2);
    source[0] = 9;
    assert.deepEqual(first, Uint8Array.of(1, 2));
    assert.equal(Object.getPrototypeOf(first), Uint8Array.prototype);
  });
});
