/**
 * The check character of a group of five (protocol §3.4): arithmetic over GF(32), where every wrong
 * character and every exchange of two shows, and the five one-character repairs of a wrong group.
 * A repair is offered, never applied silently.
 */
import { confusionRank } from './spelling.ts';

/** Crockford's base-32: the place of a character is its value, 0 to 31. */
export const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Characters of a group of the 35-character form, the check character last. */
export const groupLength = 5;

/** Groups of the 35-character form. */
export const groupCount = 7;

/** One character put in the place of another. */
export interface Repair {
  /** The whole group as it would be then. */
  readonly text: string;
  /** 1-based, within the group. */
  readonly place: number;
  readonly from: string;
  readonly to: string;
}

/** What can be said of one group by itself. */
export type GroupCheck =
  /** Right; `text` is the group in upper case, with O, I and L read as 0, 1 and 1. */
  | { readonly ok: true; readonly text: string }
  /** Wrong; without repairs where it has another length or a character that no code has. */
  | { readonly ok: false; readonly typed: string; readonly repairs: readonly Repair[] };

/** α⁰ … α³⁰ for α = 2 in GF(32) with x⁵ + x³ + 1. */
const powers: readonly number[] = (() => {
  const list: number[] = [];
  for (let value = 1; list.length < 31; value = value & 16 ? (value << 1) ^ 0b101001 : value << 1)
    list.push(value);
  return list;
})();

/** Discrete logarithms to the base α; logarithms[0] is never asked. */
const logarithms: readonly number[] = (() => {
  const list = new Array<number>(32).fill(0);
  for (const [exponent, value] of powers.entries()) list[value] = exponent;
  return list;
})();

/** α to any power, negative ones included. */
function power(exponent: number): number {
  return powers[((exponent % 31) + 31) % 31] ?? 0;
}

/** `value` times α to the power `exponent`, in GF(32). */
function timesPower(value: number, exponent: number): number {
  return value === 0 ? 0 : power((logarithms[value] ?? 0) + exponent);
}

/** The weight of each place is α to this power: four data characters and the check character. */
const weightExponents = [1, 2, 3, 4, 0] as const;

/**
 * The check symbol (0 to 31) of the four data symbols of group `group` (0 to 6):
 * α¹·d0 + α²·d1 + α³·d2 + α⁴·d3 + c = α^(7 + group).
 */
export function checkSymbol(data: readonly number[], group: number): number {
  let sum = power(7 + group);
  for (let place = 0; place < 4; place += 1) sum ^= timesPower(data[place] ?? 0, weightExponents[place] ?? 0);
  return sum;
}

/** What is left of the equation of a group: 0 where its five symbols agree. */
export function groupSyndrome(symbols: readonly number[], group: number): number {
  return checkSymbol(symbols, group) ^ (symbols[4] ?? 0);
}

/** Whether the first symbol of a code names a kind there is (types 1 to 6 in its upper four bits). */
function namesKind(symbol: number): boolean {
  return symbol >= 2 && symbol <= 13;
}

/**
 * The five repairs of a wrong group, one for each place, the likeliest first: those that exchange
 * characters which sound alike, then those that look alike, then the others, each in the order of the
 * places; last a first character that begins no code at all. Empty where the group is right.
 *
 * @param symbols the five symbols of the group, 0 to 31 each
 * @param group its number, 0 to 6
 */
export function repairsOfGroup(symbols: readonly number[], group: number): Repair[] {
  const syndrome = groupSyndrome(symbols, group);
  if (syndrome === 0) return [];
  const text = symbols.map((symbol) => alphabet.charAt(symbol)).join('');
  const ranked = weightExponents.map((exponent, at) => {
    const symbol = (symbols[at] ?? 0) ^ timesPower(syndrome, -exponent);
    const repair = replaced(text, at, alphabet.charAt(symbol));
    const hopeless = group === 0 && at === 0 && !namesKind(symbol);
    return { repair, rank: hopeless ? 3 : confusionRank(repair.from, repair.to) };
  });
  return ranked.sort((one, other) => one.rank - other.rank).map((entry) => entry.repair);
}

/** The repair that puts `to` at the 0-based place `at` of the group `text`. */
export function replaced(text: string, at: number, to: string): Repair {
  return { text: text.slice(0, at) + to + text.slice(at + 1), place: at + 1, from: text.charAt(at), to };
}
