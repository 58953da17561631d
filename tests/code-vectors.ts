/**
 * Reads the vectors printed in docs/codes.md and computes what each of them should say, with the code of
 * the product. The tests beside it hold the page against this.
 */
import { bytesOfHex, hex, xor } from '../src/core/bytes.ts';
import type { Reveal } from '../src/core/chain.ts';
import { chainValue, codeOfValue, placeOfReveal, slotAid } from '../src/core/chain.ts';
import type { Code } from '../src/core/code.ts';
import { formatCode, licenseServerIdValueOfKey, parseCode } from '../src/core/code.ts';
import { formatDigits } from '../src/core/code-digits.ts';
import type { ConfirmationKind } from '../src/core/confirmation.ts';
import { confirmationCode, confirmationState, firstKey, nextKey } from '../src/core/confirmation.ts';
import type { Refusal } from '../src/core/refusal.ts';
import { nodeDigest } from '../src/platform/digest.ts';

/** One block of the page: a title, lines `name  value` that are given, lines `name = value` that follow. */
export interface Vector {
  readonly title: string;
  readonly given: ReadonlyMap<string, string>;
  readonly follows: ReadonlyMap<string, string>;
}

/** The vectors of a page: its code blocks that are marked `vector`. */
export function vectorsOf(page: string): Vector[] {
  return [...page.matchAll(/^```vector\n(.*?)^```$/gms)].map((block) => {
    const [title = '', ...lines] = (block[1] ?? '').trimEnd().split('\n');
    const given = new Map<string, string>();
    const follows = new Map<string, string>();
    for (const line of lines) {
      const follow = /^(\S.*?) += (.*)$/.exec(line);
      const give = /^(\S.*?) {2,}(\S.*)$/.exec(line);
      if (follow !== null) follows.set(follow[1] ?? '', follow[2] ?? '');
      else if (give !== null) given.set(give[1] ?? '', give[2] ?? '');
      else throw new Error(`The page has a line in a vector that is none: ${line}`);
    }
    return { title, given, follows };
  });
}

type Given = Vector['given'];

function textOf(given: Given, name: string): string {
  const text = given.get(name);
  if (text === undefined) throw new Error(`A vector gives no ${name}.`);
  return text;
}

function bytesOf(given: Given, name: string): Uint8Array {
  const bytes = bytesOfHex(textOf(given, name));
  if (bytes === undefined) throw new Error(`A vector has no bytes in ${name}.`);
  return bytes;
}

const numberOf = (given: Given, name: string): number => Number(textOf(given, name));

const serverOf = (given: Given, name: string): Uint8Array =>
  licenseServerIdValueOfKey(nodeDigest, bytesOf(given, name));

const forms = (code: Code): [string, string][] => [
  ['code', formatCode(code)],
  ['digits', formatDigits(nodeDigest, code)],
];

function revealOf(title: string, given: Given): Reveal {
  switch (title) {
    case 'activation':
      return { kind: 'activation', slot: numberOf(given, 'slot') };
    case 'horizon':
      return { kind: 'horizon', k: numberOf(given, 'k') };
    case 'key pack':
      return { kind: 'key-pack', line: numberOf(given, 'line'), k: numberOf(given, 'k') };
    default: {
      const sourceValue = serverOf(given, 'source public key');
      const place = { line: numberOf(given, 'line'), k: numberOf(given, 'k') };
      return { kind: 'held-key-pack', ...place, sourceValue, someReturned: given.has('returned') };
    }
  }
}

function revealed(title: string, given: Given): [string, string][] {
  const reveal = revealOf(title, given);
  const { chain, k } = placeOfReveal(reveal);
  const kitKey = bytesOf(given, 'kit key');
  const aid = given.has('aid')
    ? bytesOf(given, 'aid')
    : slotAid(nodeDigest, bytesOf(given, 'kit id'), numberOf(given, 'slot'));
  const value = chainValue(nodeDigest, { kitKey, aid, chain, k });
  const code = codeOfValue(nodeDigest, { lsidValue: serverOf(given, 'public key'), reveal }, value);
  return [
    ['aid', hex(aid)],
    ['chain', String(chain)],
    ['v[0]', hex(chainValue(nodeDigest, { kitKey, aid, chain, k: 0 }))],
    [`v[${k}]`, hex(value)],
    ['mask', hex(xor(value, code.value))],
    ...forms(code),
  ];
}

function confirmed(given: Given): [string, string][] {
  const seq = numberOf(given, 'seq');
  const first = firstKey(nodeDigest, bytesOf(given, 'ikm'), serverOf(given, 'public key'));
  let key = first;
  for (let step = 0; step < seq; step += 1) key = nextKey(nodeDigest, key);
  const positions = textOf(given, 'positions');
  const lines = (positions === 'none' ? [] : positions.split(', ')).map((pair) => {
    const [free = 0, held = 0] = pair.split('/').map(Number);
    return { free, held };
  });
  const [freezes = 0, releases = 0, returns = 0] = textOf(given, 'counters').split('/').map(Number);
  const state = confirmationState(nodeDigest, { lines, counters: { freezes, releases, returns } });
  const code = confirmationCode(nodeDigest, key, {
    seq,
    kind: textOf(given, 'kind') as ConfirmationKind,
    line: numberOf(given, 'line'),
    unissued: numberOf(given, 'unissued'),
    held: numberOf(given, 'held'),
    someReturned: given.has('returned'),
    state,
  });
  return [
    ['K[0]', hex(first)],
    [`K[${seq}]`, hex(key)],
    ['state', hex(state)],
    ['tag', hex(code.value.slice(5))],
    ...forms(code),
  ];
}

function refusalLines(error: Refusal): [string, string][] {
  switch (error.code) {
    case 'code-mistyped': {
      const groups = error.groups.map(({ group, repairs }): [string, string] => [
        `group ${group}`,
        repairs.map((repair) => repair.text).join(' '),
      ]);
      return [['refused', error.code], ...groups];
    }
    case 'code-unreadable': {
      const places = error.places.map(({ place, found }): [string, string] => [`place ${place}`, found]);
      return [['refused', `${error.code}, ${error.problem}, ${error.length} characters`], ...places];
    }
    case 'code-kind-unknown':
      return [['refused', `${error.code}, type ${error.type}, context ${error.ctx}`]];
    default:
      return [['refused', error.code]];
  }
}

function reading(given: Given): [string, string][] {
  const parsed = parseCode(nodeDigest, textOf(given, 'typed'));
  return parsed.ok ? [['means', formatCode(parsed.value)]] : refusalLines(parsed.error);
}

function serverId(given: Given): [string, string][] {
  const value = serverOf(given, 'public key');
  return [['value', hex(value)], ...forms({ kind: 'license-server-id', ctx: 1, value })];
}

/** What follows from what a vector gives, by the code of the product. */
export function computed({ title, given }: Pick<Vector, 'title' | 'given'>): ReadonlyMap<string, string> {
  if (title === 'License Server ID') return new Map(serverId(given));
  if (title === 'confirmation') return new Map(confirmed(given));
  if (title === 'reading') return new Map(reading(given));
  if (['activation', 'horizon', 'key pack', 'held key pack'].includes(title))
    return new Map(revealed(title, given));
  throw new Error(`The page has a vector of no kind: ${title}`);
}
