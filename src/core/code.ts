/**
 * Telephone codes in their 35-character form, and reading either form (protocol §3.4, §3.7). A code is
 * only read here; whether it fits a server is asked of chain.ts and confirmation.ts.
 */
import { ascii, concat, firstBytes } from './bytes.ts';
import { digitsLength, parseDigits } from './code-digits.ts';
import {
  codeBytes,
  codeLength,
  codeOfBytes,
  licenseServerIdVersion,
  withoutSeparators,
} from './code-layout.ts';
import type { GroupCheck } from './code-repair.ts';
import {
  alphabet,
  checkSymbol,
  groupCount,
  groupLength,
  groupSyndrome,
  repairsOfGroup,
} from './code-repair.ts';
import type { Digest } from './digest.ts';
import type { Refusal, RefusalOf } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';

export type CodeKind =
  | 'license-server-id'
  | 'activation'
  | 'key-pack'
  | 'held-key-pack'
  | 'horizon'
  | 'confirmation';

export interface Code {
  readonly kind: CodeKind;
  /** One byte: version 1, slot, position mod 256 or sequence mod 256, depending on the kind. */
  readonly ctx: number;
  /** 16 bytes. */
  readonly value: Uint8Array;
}

/** Characters of the whole form, check characters included. */
export const charactersLength = groupCount * groupLength;

/** The 28 data symbols of a code's 140 bits, most significant first. */
function symbolsOfBytes(bytes: Uint8Array): number[] {
  const symbols: number[] = [];
  // The first byte holds four zero bits, which are not part of the 140.
  let held = bytes[0] ?? 0;
  let bits = 4;
  for (const byte of bytes.subarray(1)) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      symbols.push((held >>> bits) & 31);
    }
    held &= (1 << bits) - 1;
  }
  return symbols;
}

/** The 18 bytes of 35 symbols, of which every fifth is a check symbol and left out. */
function bytesOfSymbols(symbols: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(codeLength);
  let held = 0;
  let bits = 4;
  let at = 0;
  for (const [place, symbol] of symbols.entries()) {
    if (place % groupLength === groupLength - 1) continue;
    held = (held << 5) | symbol;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at] = held >>> bits;
    at += 1;
    held &= (1 << bits) - 1;
  }
  return bytes;
}

/** The code in its usual form: seven groups of four characters and a check character, with hyphens. */
export function formatCode(code: Code): string {
  const symbols = symbolsOfBytes(codeBytes(code));
  const groups: string[] = [];
  for (let group = 0; group < groupCount; group += 1) {
    const data = symbols.slice(group * 4, group * 4 + 4);
    groups.push([...data, checkSymbol(data, group)].map((symbol) => alphabet.charAt(symbol)).join(''));
  }
  return groups.join('-');
}

/** What a typed character stands for: ASCII only, either case, O as 0, I and L as 1 (protocol §3.4). */
const symbolTyped: ReadonlyMap<string, number> = new Map(
  [...alphabet]
    .flatMap((character, symbol): [string, number][] => [
      [character, symbol],
      [character.toLowerCase(), symbol],
    ])
    .concat([
      ['O', 0],
      ['o', 0],
      ['I', 1],
      ['i', 1],
      ['L', 1],
      ['l', 1],
    ]),
);

function textOfSymbols(symbols: readonly number[]): string {
  return symbols.map((symbol) => alphabet.charAt(symbol)).join('');
}

function parseCharacters(characters: readonly string[]): Result<Code, Refusal> {
  const length = characters.length;
  const symbols: number[] = [];
  const places: { place: number; found: string }[] = [];
  for (const [at, character] of characters.entries()) {
    const symbol = symbolTyped.get(character);
    if (symbol === undefined) places.push({ place: at + 1, found: character });
    symbols.push(symbol ?? 0);
  }
  if (length !== charactersLength) return err({ code: 'code-unreadable', problem: 'length', length, places });
  if (places.length > 0) return err({ code: 'code-unreadable', problem: 'character', length, places });
  const wrong: RefusalOf<'code-mistyped'>['groups'][number][] = [];
  for (let group = 0; group < groupCount; group += 1) {
    const five = symbols.slice(group * groupLength, (group + 1) * groupLength);
    if (groupSyndrome(five, group) === 0) continue;
    wrong.push({ group: group + 1, typed: textOfSymbols(five), repairs: repairsOfGroup(five, group) });
  }
  return wrong.length > 0
    ? err({ code: 'code-mistyped', groups: wrong })
    : codeOfBytes(bytesOfSymbols(symbols));
}

/**
 * Reads a code in either form: 54 characters are the digits form, anything else is read as the
 * 35-character form (which may happen to be all digits). White space and dashes are dropped, case is
 * folded, O is 0, I and L are 1.
 *
 * Refused: `code-unreadable` (another length; characters no code has, with their 1-based places, which
 * do not count separators), `code-mistyped` (each wrong group with its ranked repairs, and no group
 * where only the whole of a digits form disagrees), `code-kind-unknown`.
 */
export function parseCode(digest: Digest, text: string): Result<Code, Refusal> {
  const characters = withoutSeparators(text);
  return characters.length === digitsLength ? parseDigits(digest, text) : parseCharacters(characters);
}

/** Passes a code of one of these kinds on and refuses another as `code-wrong-kind`. */
export function expectKind(
  code: Code,
  kinds: readonly CodeKind[],
): Result<Code, RefusalOf<'code-wrong-kind'>> {
  if (kinds.includes(code.kind)) return ok(code);
  return err({ code: 'code-wrong-kind', expected: kinds.join(' or '), found: code.kind });
}

/** Checks group `index` (0 to 6) of the 35-character form by itself, while the caller is still on it. */
export function checkGroup(text: string, index: number): GroupCheck {
  const characters = withoutSeparators(text);
  const symbols = characters.flatMap((character) => symbolTyped.get(character) ?? []);
  if (characters.length !== groupLength || symbols.length !== groupLength) {
    return { ok: false, typed: characters.join(''), repairs: [] };
  }
  const typed = textOfSymbols(symbols);
  if (groupSyndrome(symbols, index) === 0) return { ok: true, text: typed };
  return { ok: false, typed, repairs: repairsOfGroup(symbols, index) };
}

const licenseServerIdPrefix = ascii('CALLSID1');

/** The License Server ID value of an Ed25519 public key (32 bytes): trunc128(SHA-256("CALLSID1" ‖ pk)). */
export function licenseServerIdValueOfKey(digest: Digest, publicKey: Uint8Array): Uint8Array {
  if (publicKey.length !== 32) throw new RangeError(`an Ed25519 key has 32 bytes, not ${publicKey.length}`);
  return firstBytes(digest.sha256(concat(licenseServerIdPrefix, publicKey)), 16);
}

/** The License Server ID as it is shown and spoken, of its 16-byte value. */
export function formatLicenseServerId(value: Uint8Array): string {
  return formatCode({ kind: 'license-server-id', ctx: licenseServerIdVersion, value });
}

/** The License Server ID of an Ed25519 public key, in its usual form. */
export function licenseServerId(digest: Digest, publicKey: Uint8Array): string {
  return formatLicenseServerId(licenseServerIdValueOfKey(digest, publicKey));
}

/** The 16-byte value of a License Server ID typed in either form; another kind of code is refused. */
export function licenseServerIdValue(digest: Digest, text: string): Result<Uint8Array, Refusal> {
  const parsed = parseCode(digest, text);
  if (!parsed.ok) return parsed;
  const expected = expectKind(parsed.value, ['license-server-id']);
  return expected.ok ? ok(expected.value.value) : expected;
}

/** A License Server ID typed in either form, in the one form that is stored and compared. */
export function normalizeLicenseServerId(digest: Digest, text: string): Result<string, Refusal> {
  const value = licenseServerIdValue(digest, text);
  return value.ok ? ok(formatLicenseServerId(value.value)) : value;
}
