/**
 * The 54-digit form of a code, for callers who do not share the Latin alphabet (protocol §3.1, §3.4):
 * nine groups of five digits and a Damm check digit, and nine check bits over the whole.
 */
import { ascii, concat } from './bytes.ts';
import type { Code } from './code.ts';
import { codeBytes, codeLength, codeOfBytes, withoutSeparators } from './code-layout.ts';
import type { GroupCheck, Repair } from './code-repair.ts';
import { replaced } from './code-repair.ts';
import type { Digest } from './digest.ts';
import type { Refusal, RefusalOf } from './refusal.ts';
import type { Result } from './result.ts';
import { err } from './result.ts';
import { confusionRank } from './spelling.ts';

/** Digits of the whole form, check digits included. */
export const digitsLength = 54;

/** Digits of a group, its check digit last. */
const digitGroupLength = 6;

/** Groups of the digits form. */
export const digitGroupCount = digitsLength / digitGroupLength;

const decimalLength = digitGroupCount * (digitGroupLength - 1);

const wholeCheckBits = 9n;

/** The first value that 140 + 9 bits cannot reach; 45 digits could. */
const valueEnd = 1n << 149n;

/** The quasigroup of order 10 of H. M. Damm's dissertation (2004), row = state, column = digit. */
const damm: readonly string[] = [
  '0317598642',
  '7092154863',
  '4206871359',
  '1750983426',
  '6123045978',
  '3674209581',
  '5869720134',
  '8945362017',
  '9438617205',
  '2581436790',
];

/** The state that the digits lead to from `state`; a group is right where its six end at 0. */
function dammState(digits: string, state: number): number {
  let reached = state;
  for (const digit of digits) reached = Number(damm[reached]?.charAt(Number(digit)));
  return reached;
}

const wholeCheckPrefix = ascii('CALDIG1');

/** The nine check bits: SHA-256("CALDIG1" ‖ code as 18 bytes) mod 512. */
function wholeCheck(digest: Digest, bytes: Uint8Array): bigint {
  const hash = digest.sha256(concat(wholeCheckPrefix, bytes));
  return BigInt((((hash[30] ?? 0) & 1) << 8) | (hash[31] ?? 0));
}

function numberOfBytes(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

function bytesOfNumber(value: bigint): Uint8Array {
  const bytes = new Uint8Array(codeLength);
  let left = value;
  for (let at = codeLength - 1; at >= 0; at -= 1) {
    bytes[at] = Number(left & 0xffn);
    left >>= 8n;
  }
  return bytes;
}

/** The code in its digits form: nine groups of six, separated by hyphens. */
export function formatDigits(digest: Digest, code: Code): string {
  const bytes = codeBytes(code);
  const value = (numberOfBytes(bytes) << wholeCheckBits) | wholeCheck(digest, bytes);
  const decimal = value.toString().padStart(decimalLength, '0');
  const groups: string[] = [];
  for (let group = 0; group < digitGroupCount; group += 1) {
    const five = decimal.slice(group * 5, group * 5 + 5);
    // The table has zeros on its diagonal, so the digit that leads back to 0 is the state itself.
    groups.push(five + String(dammState(five, group)));
  }
  return groups.join('-');
}

/** The 18 bytes that nine groups stand for, or undefined where the whole does not agree with itself. */
function bytesOfGroups(digest: Digest, groups: readonly string[]): Uint8Array | undefined {
  const value = BigInt(groups.map((group) => group.slice(0, 5)).join(''));
  if (value >= valueEnd) return undefined;
  const bytes = bytesOfNumber(value >> wholeCheckBits);
  return wholeCheck(digest, bytes) === (value & 511n) ? bytes : undefined;
}

/** A typed character as a digit; O, I and L are read as 0, 1 and 1 here too. */
function digitTyped(character: string): string | undefined {
  if (character >= '0' && character <= '9') return character;
  if (character === 'O' || character === 'o') return '0';
  return 'IiLl'.includes(character) ? '1' : undefined;
}

/** The six repairs of a wrong group, one for each place, by how readily the two digits are confused. */
function repairsOfDigits(text: string, group: number): { repair: Repair; rank: number }[] {
  const repairs: { repair: Repair; rank: number }[] = [];
  for (let at = 0; at < digitGroupLength; at += 1) {
    for (let digit = 0; digit < 10; digit += 1) {
      const repair = replaced(text, at, String(digit));
      if (repair.from === repair.to || dammState(repair.text, group) !== 0) continue;
      repairs.push({ repair, rank: confusionRank(repair.from, repair.to) });
    }
  }
  return repairs.sort((one, other) => one.rank - other.rank);
}

/**
 * The wrong groups with their repairs. Where one group alone is wrong, a repair that makes the nine
 * check bits agree comes before all others: a wrong one passes them once in 512.
 */
function mistyped(digest: Digest, groups: readonly string[]): RefusalOf<'code-mistyped'> | undefined {
  const wrong = groups
    .map((typed, at) => ({ typed, at }))
    .filter(({ typed, at }) => dammState(typed, at) !== 0)
    .map(({ typed, at }) => ({ typed, at, ranked: repairsOfDigits(typed, at) }));
  const only = wrong.length === 1 ? wrong[0] : undefined;
  if (only !== undefined) {
    const agrees = (text: string): boolean => bytesOfGroups(digest, groups.with(only.at, text)) !== undefined;
    only.ranked = only.ranked
      .map(({ repair, rank }) => ({ repair, rank: agrees(repair.text) ? -1 : rank }))
      .sort((one, other) => one.rank - other.rank);
  }
  if (wrong.length === 0) return undefined;
  return {
    code: 'code-mistyped',
    groups: wrong.map(({ typed, at, ranked }) => ({
      group: at + 1,
      typed,
      repairs: ranked.map(({ repair }) => repair),
    })),
  };
}

/**
 * Reads the 54-digit form. Refused: `code-unreadable` (another length, or characters that are no
 * digits, with their places), `code-mistyped` with each wrong group; with no group at all where every
 * group is right by itself and the whole is not (protocol §3.7: two digits one apart exchanged may
 * pass a group), and `code-kind-unknown`.
 */
export function parseDigits(digest: Digest, text: string): Result<Code, Refusal> {
  const characters = withoutSeparators(text);
  const digits = characters.map(digitTyped);
  const places = digits.flatMap((digit, at) =>
    digit === undefined ? [{ place: at + 1, found: characters[at] ?? '' }] : [],
  );
  const length = characters.length;
  if (length !== digitsLength) return err({ code: 'code-unreadable', problem: 'length', length, places });
  if (places.length > 0) return err({ code: 'code-unreadable', problem: 'character', length, places });
  const groups: string[] = [];
  for (let at = 0; at < digitsLength; at += digitGroupLength) {
    groups.push(digits.slice(at, at + digitGroupLength).join(''));
  }
  const wrong = mistyped(digest, groups);
  if (wrong !== undefined) return err(wrong);
  const bytes = bytesOfGroups(digest, groups);
  return bytes === undefined ? err({ code: 'code-mistyped', groups: [] }) : codeOfBytes(bytes);
}

/** Checks group `index` (0 to 8) of the digits form by itself, while the caller is still on it. */
export function checkDigitGroup(text: string, index: number): GroupCheck {
  const characters = withoutSeparators(text);
  const digits = characters.map(digitTyped);
  const typed = digits.map((digit, at) => digit ?? characters[at]).join('');
  if (digits.length !== digitGroupLength || digits.includes(undefined))
    return { ok: false, typed, repairs: [] };
  if (dammState(typed, index) === 0) return { ok: true, text: typed };
  return { ok: false, typed, repairs: repairsOfDigits(typed, index).map(({ repair }) => repair) };
}
