/**
 * How a code is said over a telephone (spelling words), and which characters are taken for one
 * another (protocol §3.1): single letters are heard right only 93 % of the time.
 */
import { withoutSeparators } from './code-layout.ts';

/** The radiotelephony alphabet of ICAO and ITU, with the English words for digits. */
const words: ReadonlyMap<string, string> = new Map(
  (
    'zero one two three four five six seven eight nine Alfa Bravo Charlie Delta Echo Foxtrot Golf Hotel India ' +
    'Juliett Kilo Lima Mike November Oscar Papa Quebec Romeo Sierra Tango Uniform Victor Whiskey X-ray Yankee Zulu'
  )
    .split(' ')
    .map((word, value) => [value < 10 ? String(value) : word.charAt(0), word]),
);

/** The word for a letter or digit, in either case; another character is returned as it is. */
export function spellingWord(character: string): string {
  const upper = /^[a-z]$/.test(character) ? character.toUpperCase() : character;
  return words.get(upper) ?? character;
}

/** Where a text breaks into groups: 35 characters by fives, 54 by sixes, others where they are separated. */
function groupsOf(text: string): string[][] {
  const characters = withoutSeparators(text);
  const size = { 35: 5, 54: 6 }[characters.length];
  if (size === undefined) {
    return text
      .split(/[\s-]+/)
      .filter((group) => group !== '')
      .map((group) => [...group]);
  }
  const groups: string[][] = [];
  for (let at = 0; at < characters.length; at += size) groups.push(characters.slice(at, at + size));
  return groups;
}

/** For each group of a code its words: `66F61` gives `['six', 'six', 'Foxtrot', 'six', 'one']`. */
export function spellGroups(text: string): string[][] {
  return groupsOf(text).map((group) => group.map(spellingWord));
}

/** A line for each group, to read out: `6 – six, 6 – six, F – Foxtrot, 6 – six, 1 – one`. */
export function readAloud(text: string): string[] {
  return groupsOf(text).map((group) =>
    group.map((character) => `${character.toUpperCase()} – ${spellingWord(character)}`).join(', '),
  );
}

/**
 * Characters whose names sound alike in English. The letters are the measured classes of protocol
 * §3.1; the digits stand where their names rhyme (three with E, eight with A, two with Q, five and
 * nine with I), and 1 stands with I because that is how a typed I is read.
 */
const soundAlike: readonly string[] = ['AHJK8', 'BCDEGPTVZ3', 'FSX6', 'IY159', 'MN', 'QW2'];

/** Pairs that look alike in handwriting, on paper or on a bad screen. */
const lookAlike: ReadonlySet<string> = new Set(
  (
    '0D 0Q 0C 0G 17 1T 2Z 38 3Z 47 49 4A 56 5S 68 6B 6G 7T 7Y 89 8B 8S BD BR CG DQ EF HN ' +
    'HK KX MW NW PR VW VY XY'
  ).split(' '),
);

/** The characters that sound like this one, itself among them; empty where there are none. */
export function confusionClass(character: string): string {
  return soundAlike.find((alike) => alike.includes(character)) ?? '';
}

/** How readily one upper-case character is taken for another: 0 they sound alike, 1 they look alike, 2 neither. */
export function confusionRank(one: string, other: string): 0 | 1 | 2 {
  if (confusionClass(one).includes(other)) return 0;
  return lookAlike.has(one < other ? one + other : other + one) ? 1 : 2;
}
