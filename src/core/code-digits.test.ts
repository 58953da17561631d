/** Tests of code-digits.ts: vectors of protocol §3.4, refusals, repairs. Detection: code-errors.test.ts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeDigest } from '../platform/digest.ts';
import { parseCode } from './code.ts';
import { checkDigitGroup, digitGroupCount, formatDigits, parseDigits } from './code-digits.ts';
import type { Refusal } from './refusal.ts';

const pairs = [
  [
    '66F61-8MTTS-THV6A-14WX2-FYQPF-P3W8C-CVT15',
    '138317-679936-674315-295473-701033-361366-794422-736543-260542',
  ],
  [
    '20CX7-T3RVT-CRK22-S5FKW-6PZ9T-4Y07Y-5B7JR',
    '044888-311915-010699-660751-421343-816653-048270-351477-838709',
  ],
] as const;

const digits = pairs[0][1];

function refused(text: string): Refusal {
  const parsed = parseDigits(nodeDigest, text);
  assert.ok(!parsed.ok, `accepted: ${text}`);
  return parsed.error;
}

/** The digits form of 45 decimal digits, each group with the check digit that fits. */
function withCheckDigits(decimal: string): string {
  const groups = Array.from({ length: digitGroupCount }, (_, at) => {
    const five = decimal.slice(5 * at, 5 * at + 5);
    const check = [...'0123456789'].find((digit) => checkDigitGroup(five + digit, at).ok);
    return five + String(check);
  });
  return groups.join('-');
}

describe('the digits form', () => {
  it('has the published forms, and both forms are one code', () => {
    for (const [characters, expected] of pairs) {
      const code = parseCode(nodeDigest, characters);
      assert.ok(code.ok);
      assert.equal(formatDigits(nodeDigest, code.value), expected);
      assert.deepEqual(parseDigits(nodeDigest, expected), code);
      assert.deepEqual(parseCode(nodeDigest, expected.replaceAll('-', ' ')), code);
      assert.equal(
        withCheckDigits(
          expected
            .split('-')
            .map((group) => group.slice(0, 5))
            .join(''),
        ),
        expected,
      );
    }
  });

  it('refuses another length, and characters that are no digits with their places', () => {
    assert.deepEqual(refused(digits.slice(1)), {
      code: 'code-unreadable',
      problem: 'length',
      length: 53,
      places: [],
    });
    assert.deepEqual(refused(digits.replace('138317', 'A3831٧')), {
      code: 'code-unreadable',
      problem: 'character',
      length: 54,
      places: [
        { place: 1, found: 'A' },
        { place: 6, found: '٧' },
      ],
    });
  });

  it('refuses values of 2¹⁴⁹ and above, whose groups are right', () => {
    assert.deepEqual(refused(withCheckDigits(String(2n ** 149n))), { code: 'code-mistyped', groups: [] });
    assert.deepEqual(refused(withCheckDigits('9'.repeat(45))), { code: 'code-mistyped', groups: [] });
    // Also where the nine bits agree with the 141 before them.
    assert.deepEqual(refused(withCheckDigits(checkedDecimal(0x13))), { code: 'code-mistyped', groups: [] });
  });

  it('refuses a whole that disagrees with its nine check bits, whose groups are right', () => {
    const decimal = digits
      .split('-')
      .map((group) => group.slice(0, 5))
      .join('');
    for (let bit = 0n; bit < 9n; bit += 1n) {
      const changed = (BigInt(decimal) ^ (1n << bit)).toString().padStart(45, '0');
      assert.deepEqual(refused(withCheckDigits(changed)), { code: 'code-mistyped', groups: [] });
    }
  });

  it('refuses types that there are not', () => {
    const type7 = parseDigits(nodeDigest, withCheckDigits(checkedDecimal(7)));
    assert.deepEqual(type7, { ok: false, error: { code: 'code-kind-unknown', type: 7, ctx: 0 } });
  });
});

/** The decimal digits of a code with any first byte, context 0 and value 0, with their nine check bits. */
function checkedDecimal(first: number): string {
  const bytes = new Uint8Array(18);
  bytes[0] = first;
  const hash = nodeDigest.sha256(Buffer.concat([Buffer.from('CALDIG1'), bytes]));
  const check = BigInt(Buffer.from(hash).readUInt16BE(30) % 512);
  return (((BigInt(first) << 136n) << 9n) | check).toString().padStart(45, '0');
}

describe('repairs of digits', () => {
  it('puts the one that agrees with the nine check bits first', () => {
    const error = refused(digits.replace('679936', '679536'));
    assert.ok(error.code === 'code-mistyped');
    assert.equal(error.groups.length, 1);
    const [wrong] = error.groups;
    assert.deepEqual({ group: wrong?.group, typed: wrong?.typed }, { group: 2, typed: '679536' });
    assert.deepEqual(wrong?.repairs[0], { text: '679936', place: 4, from: '5', to: '9' });
    assert.equal(wrong?.repairs.length, 6);
  });

  it('names every wrong group, each with six', () => {
    const error = refused(digits.replace('138317', '138319').replace('260542', '260442'));
    assert.ok(error.code === 'code-mistyped');
    assert.deepEqual(
      error.groups.map(({ group, typed, repairs }) => [group, typed, repairs.length]),
      [
        [1, '138319', 6],
        [9, '260442', 6],
      ],
    );
    assert.ok(error.groups[0]?.repairs.some((repair) => repair.text === '138317'));
  });

  it('checks one group by itself, right only in its own place', () => {
    assert.deepEqual(checkDigitGroup(' l38317', 0), { ok: true, text: '138317' });
    for (let index = 1; index < digitGroupCount; index += 1) {
      assert.equal(checkDigitGroup('138317', index).ok, false);
    }
    const wrong = checkDigitGroup('138317', 1);
    assert.ok(!wrong.ok);
    assert.equal(wrong.repairs.length, 6);
    for (const repair of wrong.repairs) assert.ok(checkDigitGroup(repair.text, 1).ok);
    for (const text of ['', '13831', '1383177', '13831x']) {
      assert.deepEqual(checkDigitGroup(text, 0), { ok: false, typed: text, repairs: [] });
    }
  });
});
