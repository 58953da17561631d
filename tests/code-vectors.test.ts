/**
 * Holds docs/codes.md against the code: every vector that the page prints is computed again from the
 * inputs it prints, and its tables are compared with what the program computes with.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { checkDigitGroup } from '../src/core/code-digits.ts';
import { alphabet, checkSymbol } from '../src/core/code-repair.ts';
import { confusionClass, confusionRank, spellingWord } from '../src/core/spelling.ts';
import { computed, vectorsOf } from './code-vectors.ts';

const page = readFileSync(join(import.meta.dirname, '../docs/codes.md'), 'utf8');
const vectors = vectorsOf(page);

/** The values of the first publication, by which a wrong page and a wrong program cannot agree. */
const published = `
  20CX7-T3RVT-CRK22-S5FKW-6PZ9T-4Y07Y-5B7JR 20FRX-YN9ZF-CP92W-6T1GY-5MGPB-H5408-ZS4Z8
  d7e7d4e84245a91539a6760233475180 ef910b8ed37f704d46bb6a0c36479ba0 c40da7bfe1dafd5ee449a937eb268368
  40HBM-6N5N9-J212S-BMRG2-4BDZD-VJXVB-1EM3V 8f9afc216facbf9bb2fd44582edb1eab
  A39RR-A219K-YWJ1E-F00XR-A6VW1-26Z1W-CCY0J 1dba83fcdca8a50f7047f80ab593aba7 9725582e79dcec3ddea9e4497b2fa5ea
  66F61-8MTTS-THV6A-14WX2-FYQPF-P3W8C-CVT15 669YF-PHZXJ-W8NXW-KCWVX-EXZMT-NCJN1-PETS9
  bff2b5f72fd2adc3db61e21c9360aa3a 83Z2P-HQE46-3RXWV-XF89T-VEXKW-HHDQ1-YQ48A
  87292b6ae91b3e1450b495cae5c893ff88877f0c5d77c1a3982950b7677165fb
  5a4362ab86b7e93e25bb278f632b4d42a0dcd4d957fdca841c2dc102fe3b6fbb
  f7a60e69a05e0a4b066270e762c7f585cddd3996e989cf96df02bf83774ab57d
  1848f6df0892bf8a3f2f88195b0735898812cfb93a292b2f7fb6cc281161287d
  C08GX-00CGV-03YX2-QKEW4-9A4J6-7V9B9-MYZVQ C0JZM-00CGV-03XES-9DDNQ-CMSJH-B1Q10-0Z4T5
  138317-679936-674315-295473-701033-361366-794422-736543-260542
  044888-311915-010699-660751-421343-816653-048270-351477-838709`
  .trim()
  .split(/\s+/);

describe('the vectors of docs/codes.md', () => {
  for (const [index, vector] of vectors.entries()) {
    it(`number ${index + 1} follows from its inputs: ${vector.title}`, () => {
      assert.deepEqual(Object.fromEntries(vector.follows), Object.fromEntries(computed(vector)));
    });
  }

  it('are as many as they were, of every kind, and the published ones among them', () => {
    const titles = Map.groupBy(vectors, ({ title }) => title);
    const counts = Object.fromEntries([...titles].map(([title, list]) => [title, list.length]));
    assert.deepEqual(counts, {
      'License Server ID': 7,
      activation: 4,
      horizon: 5,
      'key pack': 10,
      'held key pack': 7,
      confirmation: 14,
      reading: 13,
    });
    const printed = new Set(vectors.flatMap(({ follows }) => [...follows.values()]));
    assert.deepEqual(
      published.filter((value) => !printed.has(value)),
      [],
    );
  });
});

/** The lines of the plain code block that holds this text. */
function blockWith(text: string): string[] {
  const blocks = [...page.matchAll(/^```text\n(.*?)^```$/gms)].map((block) => block[1] ?? '');
  const found = blocks.filter((block) => block.includes(text));
  assert.equal(found.length, 1, `${found.length} blocks with ${text}`);
  return (found[0] ?? '').trimEnd().split('\n');
}

describe('the tables of docs/codes.md', () => {
  it('prints the alphabet', () => {
    assert.deepEqual(blockWith('0123456789ABCDEFGH'), [alphabet]);
  });

  it('prints the powers of α, in which the check characters are computed', () => {
    const powers = (blockWith('1 2 4 8 16')[0] ?? '').split(' ').map(Number);
    assert.equal(new Set(powers).size, 31);
    const log = (value: number): number => powers.indexOf(value);
    const times = (value: number, exponent: number): number =>
      value === 0 ? 0 : (powers[(log(value) + exponent) % 31] ?? Number.NaN);
    for (let group = 0; group < 7; group += 1) {
      for (let symbol = 0; symbol < 32; symbol += 1) {
        for (let place = 0; place < 4; place += 1) {
          const data = [0, 0, 0, 0].with(place, symbol);
          assert.equal(checkSymbol(data, group), (powers[7 + group] ?? 0) ^ times(symbol, place + 1));
        }
      }
    }
  });

  it('prints the quasigroup of the check digits', () => {
    const rows = blockWith('0317598642');
    assert.equal(rows.length, 10);
    for (let group = 0; group < 9; group += 1) {
      for (let seed = 0; seed < 200; seed += 1) {
        const five = String((seed * 7919 + group * 104_729) % 100_000).padStart(5, '0');
        let state = group;
        for (const digit of five) state = Number(rows[state]?.charAt(Number(digit)));
        assert.ok(checkDigitGroup(five + String(state), group).ok);
      }
    }
  });

  it('prints the classes and pairs by which repairs are ranked', () => {
    const row = (start: string): string[] =>
      [...(page.split('\n').find((line) => line.startsWith(start)) ?? '').matchAll(/`([^`]+)`/g)].flatMap(
        (text) => (text[1] ?? '').split(' '),
      );
    const classes = row('| 0 | sound alike');
    const pairs = new Set(row('| 1 | look alike'));
    for (const one of alphabet) {
      assert.equal(confusionClass(one), classes.find((alike) => alike.includes(one)) ?? '');
      for (const other of alphabet) {
        if (one >= other) continue;
        const alike = classes.some((entry) => entry.includes(one) && entry.includes(other));
        const looks = pairs.has(one + other) ? 1 : 2;
        assert.equal(confusionRank(one, other), alike ? 0 : looks, one + other);
      }
    }
  });

  it('prints the spelling words', () => {
    const words = blockWith('Alfa').join(' ').split(' ');
    assert.equal(words.length, 36);
    for (const [value, word] of words.entries()) {
      assert.equal(spellingWord(value < 10 ? String(value) : word.charAt(0)), word);
    }
  });
});
