/**
 * Exhaustive tests of error detection (protocol §3.7), both forms, on seeded random codes: what a
 * hand or an ear does to one character or to two is noticed, in the group where it happened.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeDigest } from '../platform/digest.ts';
import type { Code } from './code.ts';
import { formatCode, parseCode } from './code.ts';
import { formatDigits } from './code-digits.ts';
import { alphabet } from './code-repair.ts';
import type { RefusalOf } from './refusal.ts';

const codeCount = 400;

const kinds = [
  'license-server-id',
  'activation',
  'key-pack',
  'held-key-pack',
  'horizon',
  'confirmation',
] as const;

/** Code number `seed`: a kind in turn, and the rest from a hash, so that every run tries the same. */
function sampleCode(seed: number): Code {
  const hash = nodeDigest.sha256(new TextEncoder().encode(`sample code ${seed}`));
  const kind = kinds[seed % 6] ?? 'key-pack';
  return { kind, ctx: kind === 'license-server-id' ? 1 : (hash[31] ?? 0), value: hash.subarray(0, 16) };
}

const codes = Array.from({ length: codeCount }, (_, seed) => sampleCode(seed));

function mistyped(text: string): RefusalOf<'code-mistyped'> {
  const parsed = parseCode(nodeDigest, text);
  assert.ok(!parsed.ok && parsed.error.code === 'code-mistyped', `not noticed: ${text}`);
  return parsed.error;
}

/**
 * Throws unless this one group is named and the repairs are as many as places, where `listed` with the
 * right one among them; returns the place of that one in the list.
 */
function namesGroup(text: string, group: { at: number; right: string; listed: boolean }): number {
  const { groups } = mistyped(text);
  const [named] = groups;
  if (groups.length !== 1 || named?.group !== group.at + 1 || named.repairs.length !== group.right.length) {
    assert.fail(`${text}: ${JSON.stringify(groups)}`);
  }
  const offered = new Set(named.repairs.map((repair) => repair.text));
  const place = [...offered].indexOf(group.right);
  if (offered.size !== group.right.length || (group.listed && place < 0)) {
    assert.fail(`${text}: ${group.right} is not among ${JSON.stringify(named.repairs)}`);
  }
  return place;
}

const swapped = (text: string, one: number, other: number): string => {
  const characters = [...text];
  characters[one] = text.charAt(other);
  characters[other] = text.charAt(one);
  return characters.join('');
};

/** Tries every change of every group of every code; returns how many, and how often the first repair was right. */
function eachGroup(
  texts: readonly string[],
  change: (group: string, index: number) => { text: string; listed: boolean }[],
): { tried: number; first: number } {
  let tried = 0;
  let first = 0;
  for (const text of texts) {
    const groups = text.split('-');
    for (const [at, right] of groups.entries()) {
      for (const { text: wrong, listed } of change(right, at)) {
        if (namesGroup(groups.with(at, wrong).join('-'), { at, right, listed }) === 0) first += 1;
        tried += 1;
      }
    }
  }
  return { tried, first };
}

const substitutions = (group: string, characters: string): { text: string; listed: boolean }[] =>
  [...group].flatMap((right, place) =>
    [...characters]
      .filter((wrong) => wrong !== right)
      .map((wrong) => ({ text: group.slice(0, place) + wrong + group.slice(place + 1), listed: true })),
  );

function groupExchanges(texts: readonly string[]): number {
  let tried = 0;
  for (const text of texts) {
    const groups = text.split('-');
    for (let one = 0; one < groups.length; one += 1) {
      for (let other = one + 1; other < groups.length; other += 1) {
        const [left = '', right = ''] = [groups[one], groups[other]];
        if (left === right) continue;
        mistyped(groups.with(one, right).with(other, left).join('-'));
        tried += 1;
      }
    }
  }
  return tried;
}

/** The texts with two digits of one group exchanged that have one between them. */
function* exchangesOneApart(texts: readonly string[]): Generator<string> {
  for (const text of texts) {
    const groups = text.split('-');
    for (const [at, group] of groups.entries()) {
      for (const one of [0, 1, 2, 3]) {
        const wrong = swapped(group, one, one + 2);
        if (wrong !== group) yield groups.with(at, wrong).join('-');
      }
    }
  }
}

describe(`the 35-character form, on ${codeCount} codes`, () => {
  const texts = codes.map(formatCode);

  it('notices every wrong character, names its group, and has the right one among five repairs', () => {
    const { tried } = eachGroup(texts, (group) => substitutions(group, alphabet));
    assert.equal(tried, codeCount * 35 * 31);
  });

  it('notices every exchange of two characters of a group', () => {
    const { tried } = eachGroup(texts, (group) => {
      const changes: { text: string; listed: boolean }[] = [];
      for (let one = 0; one < 5; one += 1) {
        for (let other = one + 1; other < 5; other += 1) {
          const text = swapped(group, one, other);
          if (text !== group) changes.push({ text, listed: false });
        }
      }
      return changes;
    });
    assert.ok(tried > codeCount * 7 * 9, `${tried} tried`);
  });

  it('notices every exchange of two groups', () => {
    // Groups are equal only by chance, once in a million.
    assert.ok(groupExchanges(texts) >= codeCount * 21 - 2);
  });
});

describe(`the digits form, on ${codeCount} codes`, () => {
  const texts = codes.map((code) => formatDigits(nodeDigest, code));

  it('notices every wrong digit, names its group, and has the right one among six repairs', () => {
    const { tried, first } = eachGroup(texts, (group) => substitutions(group, '0123456789'));
    assert.equal(tried, codeCount * 54 * 9);
    assert.ok(first / tried > 0.99, `the nine bits put the right one first in ${first} of ${tried}`);
  });

  it('notices every exchange of two adjacent digits of a group', () => {
    const { tried } = eachGroup(texts, (group) =>
      [0, 1, 2, 3, 4]
        .map((one) => ({ text: swapped(group, one, one + 1), listed: false }))
        .filter(({ text }) => text !== group),
    );
    assert.ok(tried > codeCount * 9 * 4, `${tried} tried`);
  });

  it('notices every exchange of two groups', () => {
    assert.ok(groupExchanges(texts) >= codeCount * 36 - 2);
  });

  it('notices most exchanges of digits one apart by the group, and nearly all others by the nine bits', () => {
    let tried = 0;
    let passedGroups = 0;
    let passedAll = 0;
    for (const text of exchangesOneApart(texts)) {
      tried += 1;
      const parsed = parseCode(nodeDigest, text);
      if (parsed.ok) passedAll += 1;
      else if (parsed.error.code === 'code-mistyped' && parsed.error.groups.length === 0) passedGroups += 1;
    }
    assert.ok(tried > 10_000, `${tried} tried`);
    assert.ok(passedGroups / tried > 0.08 && passedGroups / tried < 0.13, `${passedGroups} of ${tried}`);
    assert.ok(passedAll < 10, `${passedAll} of ${tried}`);
  });
});
