/**
 * Tests of code.ts, code-layout.ts and code-repair.ts: vectors of protocol §3.4, tolerance in reading,
 * refusals with their numbers, and the order of repairs. Detection of errors: code-errors.test.ts.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { nodeDigest } from '../platform/digest.ts';
import { hex } from './bytes.ts';
import type { Code, CodeKind } from './code.ts';
import {
  charactersLength,
  checkGroup,
  expectKind,
  formatCode,
  formatLicenseServerId,
  licenseServerId,
  licenseServerIdValue,
  licenseServerIdValueOfKey,
  normalizeLicenseServerId,
  parseCode,
} from './code.ts';
import { formatDigits } from './code-digits.ts';
import { codeBytes, typeOfKind } from './code-layout.ts';
import { alphabet, repairsOfGroup } from './code-repair.ts';
import type { Refusal } from './refusal.ts';

const keyPack = '66F61-8MTTS-THV6A-14WX2-FYQPF-P3W8C-CVT15';
const serverId = '20CX7-T3RVT-CRK22-S5FKW-6PZ9T-4Y07Y-5B7JR';

function read(text: string): Code {
  const parsed = parseCode(nodeDigest, text);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value;
}

function refused(text: string): Refusal {
  const parsed = parseCode(nodeDigest, text);
  assert.ok(!parsed.ok, `accepted: ${text}`);
  return parsed.error;
}

const kinds: CodeKind[] = [
  'license-server-id',
  'activation',
  'key-pack',
  'held-key-pack',
  'horizon',
  'confirmation',
];

const codes = fc
  .record({
    kind: fc.constantFrom(...kinds),
    ctx: fc.nat({ max: 255 }),
    value: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  })
  .map((code): Code => ({ ...code, ctx: code.kind === 'license-server-id' ? 1 : code.ctx }));

describe('the 35-character form', () => {
  it('gives the License Server IDs of the published keys', () => {
    assert.equal(licenseServerId(nodeDigest, new Uint8Array(32).fill(0x11)), serverId);
    assert.equal(
      licenseServerId(nodeDigest, new Uint8Array(32).fill(0x12)),
      '20FRX-YN9ZF-CP92W-6T1GY-5MGPB-H5408-ZS4Z8',
    );
    assert.throws(() => licenseServerId(nodeDigest, new Uint8Array(31)), RangeError);
  });

  it('reads back what it writes, in both forms', () => {
    fc.assert(
      fc.property(codes, (code) => {
        assert.match(formatCode(code), /^[0-9A-HJKMNP-TV-Z]{5}(-[0-9A-HJKMNP-TV-Z]{5}){6}$/);
        assert.deepEqual(read(formatCode(code)), code);
        assert.deepEqual(read(formatDigits(nodeDigest, code)), code);
      }),
      { numRuns: 500 },
    );
  });

  it('names the kind by the first character', () => {
    const expected = ['23', '45', '67', '89', 'AB', 'CD'];
    for (const [at, kind] of kinds.entries()) {
      assert.equal(typeOfKind(kind), at + 1);
      for (const ctx of [0, 127, 128, 255]) {
        const first = formatCode({ kind, ctx, value: new Uint8Array(16) }).charAt(0);
        assert.equal(first, expected[at]?.charAt(ctx >> 7));
      }
    }
  });

  it('lays type, context and value out in 18 bytes', () => {
    const value = Uint8Array.from({ length: 16 }, (_, at) => at + 0xf0);
    assert.equal(hex(codeBytes({ kind: 'horizon', ctx: 0xab, value })), `05ab${hex(value)}`);
    assert.throws(() => codeBytes({ kind: 'horizon', ctx: 256, value }), RangeError);
    assert.throws(() => codeBytes({ kind: 'horizon', ctx: 0, value: new Uint8Array(15) }), RangeError);
  });
});

describe('reading what people type', () => {
  const expected = read(keyPack);

  it('drops white space and dashes of every sort, and folds case', () => {
    for (const text of [
      keyPack.toLowerCase(),
      keyPack.replaceAll('-', ''),
      keyPack.replaceAll('-', ' '),
      ` ${keyPack}\r\n`,
      keyPack.replaceAll('-', ' – '),
      keyPack.replaceAll('-', '\u2011'),
      keyPack.replaceAll('-', '\u2212\u00a0\t'),
      [...keyPack].join(' '),
      keyPack.replace('66F61', '6-6F6-1'),
    ]) {
      assert.deepEqual(read(text), expected, JSON.stringify(text));
    }
  });

  it('reads O as 0, I and L as 1, in either case', () => {
    for (const [one, zero] of ['IO', 'LO', 'io', 'lo']) {
      const text = serverId.replaceAll('0', String(zero)).replaceAll('1', String(one));
      assert.deepEqual(read(text), read(serverId));
      assert.deepEqual(read(keyPack.replaceAll('1', String(one))), expected);
      const digits = formatDigits(nodeDigest, expected);
      assert.deepEqual(read(digits.replaceAll('0', String(zero)).replaceAll('1', String(one))), expected);
    }
  });

  it('reads 35 characters that are all digits as characters', () => {
    const zeros = { kind: 'activation', ctx: 0, value: new Uint8Array(16) } as const;
    // Two all-digit groups are rare in codes and enough to see that length decides, not content.
    assert.deepEqual(read(formatCode(zeros)), zeros);
    assert.equal(refused('1'.repeat(35)).code, 'code-mistyped');
    assert.equal(refused('1'.repeat(54)).code, 'code-mistyped');
  });

  it('refuses another length and says which', () => {
    for (const length of [0, 1, 34, 36, 53, 55, 400]) {
      const error = refused('2'.repeat(length));
      assert.deepEqual(error, { code: 'code-unreadable', problem: 'length', length, places: [] });
    }
    assert.deepEqual(refused('say 😀!'), {
      code: 'code-unreadable',
      problem: 'length',
      length: 5,
      places: [
        { place: 4, found: '😀' },
        { place: 5, found: '!' },
      ],
    });
  });

  it('refuses characters that no code has, with their places, separators not counted', () => {
    assert.deepEqual(refused(keyPack.replace('8MTTS', '8MUTS').replace('CVT15', 'CVT1ſ')), {
      code: 'code-unreadable',
      problem: 'character',
      length: 35,
      places: [
        { place: 8, found: 'U' },
        { place: 35, found: 'ſ' },
      ],
    });
  });

  it('names each wrong group as it was read', () => {
    const error = refused(keyPack.replace('66F61', '6gf61').replace('FYQPF', 'FYQRF'));
    assert.ok(error.code === 'code-mistyped');
    assert.deepEqual(
      error.groups.map(({ group, typed }) => ({ group, typed })),
      [
        { group: 1, typed: '6GF61' },
        { group: 5, typed: 'FYQRF' },
      ],
    );
  });

  it('names exactly the wrong groups where every one may be wrong', () => {
    fc.assert(
      fc.property(codes, fc.array(fc.nat({ max: 31 }), { minLength: 7, maxLength: 7 }), (code, shifts) => {
        const groups = formatCode(code).split('-');
        const typed = groups.map((group, at) => {
          const place = at % 5;
          const symbol = (alphabet.indexOf(group.charAt(place)) + (shifts[at] ?? 0)) % 32;
          return group.slice(0, place) + alphabet.charAt(symbol) + group.slice(place + 1);
        });
        const wrong = shifts.flatMap((shift, at) => (shift === 0 ? [] : [at + 1]));
        const parsed = parseCode(nodeDigest, typed.join(' '));
        if (wrong.length === 0) return assert.deepEqual(parsed, { ok: true, value: code });
        assert.ok(!parsed.ok && parsed.error.code === 'code-mistyped');
        assert.deepEqual(
          parsed.error.groups.map((group) => group.group),
          wrong,
        );
        for (const named of parsed.error.groups) {
          assert.ok(named.repairs.some((repair) => repair.text === groups[named.group - 1]));
        }
      }),
    );
  });

  it('refuses types that there are not, and another version of License Server ID', () => {
    const bytes = new Uint8Array(16).fill(0x5a);
    for (const type of [0, 7, 8, 15]) {
      const text = formatUnknown(type, 9, bytes);
      assert.deepEqual(refused(text), { code: 'code-kind-unknown', type, ctx: 9 });
    }
    assert.deepEqual(refused(formatCode({ kind: 'license-server-id', ctx: 2, value: bytes })), {
      code: 'code-kind-unknown',
      type: 1,
      ctx: 2,
    });
  });

  it('refuses a code of another kind than was asked for', () => {
    const wrong = expectKind(expected, ['activation', 'horizon']);
    assert.deepEqual(wrong, {
      ok: false,
      error: { code: 'code-wrong-kind', expected: 'activation or horizon', found: 'key-pack' },
    });
    assert.deepEqual(expectKind(expected, ['activation', 'key-pack']), { ok: true, value: expected });
  });
});

/** A code of any type number: the first group of a known one, moved on the line that the type changes. */
function formatUnknown(type: number, ctx: number, value: Uint8Array): string {
  const text = formatCode({ kind: 'activation', ctx, value });
  const first = alphabet.charAt(type * 2 + (ctx >> 7));
  const data = first + text.slice(1, 4);
  const check = [...alphabet].find((character) => checkGroup(data + character, 0).ok) ?? '?';
  return data + check + text.slice(5);
}

describe('License Server IDs', () => {
  const value = licenseServerIdValueOfKey(nodeDigest, new Uint8Array(32).fill(0x11));

  it('gives the value of either form, and the one form to store', () => {
    const digits = '044888-311915-010699-660751-421343-816653-048270-351477-838709';
    for (const text of [
      serverId,
      serverId.toLowerCase().replaceAll('-', ''),
      digits,
      digits.replaceAll('-', ' '),
    ]) {
      assert.deepEqual(licenseServerIdValue(nodeDigest, text), { ok: true, value });
      assert.deepEqual(normalizeLicenseServerId(nodeDigest, text), { ok: true, value: serverId });
    }
    assert.equal(formatLicenseServerId(value), serverId);
  });

  it('refuses other kinds and what cannot be read', () => {
    for (const result of [
      licenseServerIdValue(nodeDigest, keyPack),
      normalizeLicenseServerId(nodeDigest, keyPack),
    ]) {
      assert.ok(!result.ok && result.error.code === 'code-wrong-kind');
    }
    const unreadable = normalizeLicenseServerId(nodeDigest, 'LS-OLD');
    assert.ok(!unreadable.ok && unreadable.error.code === 'code-unreadable');
  });
});

describe('one group while the caller is still on it', () => {
  it('is right only in its own place', () => {
    const groups = keyPack.split('-');
    assert.equal(groups.length * 5, charactersLength);
    for (const [at, group] of groups.entries()) {
      for (let index = 0; index < 7; index += 1) {
        assert.equal(checkGroup(group.toLowerCase(), index).ok, index === at, `${group} as ${index}`);
      }
    }
    assert.deepEqual(checkGroup(' 66f6l', 0), { ok: true, text: '66F61' });
  });

  it('offers repairs by sound first, then by looks, then the others by place', () => {
    const wrong = checkGroup('66S61', 0);
    assert.ok(!wrong.ok);
    assert.deepEqual(wrong.repairs[0], { text: '66F61', place: 3, from: 'S', to: 'F' });
    assert.deepEqual(
      wrong.repairs.map((repair) => repair.place),
      [3, 1, 2, 4, 5],
    );
    const looks = checkGroup('6GF61', 0);
    assert.deepEqual(looks.ok ? [] : looks.repairs[0], { text: '66F61', place: 2, from: 'G', to: '6' });
  });

  it('puts a first character that begins no code last, and only in the first group', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 31 }), { minLength: 5, maxLength: 5 }),
        fc.nat({ max: 6 }),
        (five, group) => {
          const repairs = repairsOfGroup(five, group);
          const typed = five.map((symbol) => alphabet.charAt(symbol)).join('');
          assert.equal(repairs.length, checkGroup(typed, group).ok ? 0 : 5);
          for (const [at, repair] of repairs.entries()) {
            assert.ok(checkGroup(repair.text, group).ok);
            assert.equal(repair.from, typed.charAt(repair.place - 1));
            assert.equal(repair.to, repair.text.charAt(repair.place - 1));
            const hopeless = group === 0 && repair.place === 1 && !'23456789ABCD'.includes(repair.to);
            assert.ok(!hopeless || at === 4);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('has no repairs for another length or a character that no code has', () => {
    for (const text of ['', '66F6', '66F611', '66U61', 'ÄÖÜ']) {
      assert.deepEqual(checkGroup(text, 0), { ok: false, typed: text, repairs: [] });
    }
  });
});
