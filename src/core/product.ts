/**
 * Products, their versions and the types of CAL: which CAL may serve which host. Pure rules; the
 * amounts that go with them are in account.ts.
 */
import type { Refusal } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';

/** One version of a product that a publisher sells CALs for. Versions count within a family. */
export interface Product {
  readonly id: string;
  readonly name: string;
  readonly family: string;
  readonly version: number;
}

/** Whom one CAL licenses: a device, a user, or one session among those open at a time. */
export type CalType = 'device' | 'user' | 'concurrent';

const calTypes: readonly CalType[] = ['device', 'user', 'concurrent'];

const idPattern = /^[a-z0-9][a-z0-9-]{0,31}$/;
const idWords = '1 to 32 characters a-z, 0-9 and "-", the first not "-"';
const longestName = 80;
const highestVersion = 1_000_000;

/**
 * Names end up on terminals, sheets of paper and in events: control characters could move the
 * cursor there and bidirectional overrides could turn the text round, so neither is taken. (The
 * invisible joiners that Persian and Indic names need are.)
 */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/u;

/**
 * Checks a text meant for people (a product's or customer's name): 1 to 80 printable characters.
 * Answers it without surrounding blanks. Refused: invalid-input.
 */
export function checkName(field: string, text: string): Result<string, Refusal> {
  const name = text.trim();
  if (name === '') return err({ code: 'invalid-input', field, problem: 'it is empty' });
  if ([...name].length > longestName) {
    return err({ code: 'invalid-input', field, problem: `it is longer than ${longestName} characters` });
  }
  if (unprintable.test(name)) {
    return err({ code: 'invalid-input', field, problem: 'it contains characters that cannot be printed' });
  }
  return ok(name);
}

/** Checks the id of a product or family. Refused: invalid-input, naming `field`. */
export function checkId(field: string, text: string): Result<string, Refusal> {
  if (idPattern.test(text)) return ok(text);
  return err({ code: 'invalid-input', field, problem: `"${text}" is not ${idWords}` });
}

/** Checks a product before it is added. Refused: invalid-input, naming the field. */
export function checkProduct(draft: Product): Result<Product, Refusal> {
  const id = checkId('id', draft.id);
  if (!id.ok) return id;
  const family = checkId('family', draft.family);
  if (!family.ok) return family;
  const name = checkName('name', draft.name);
  if (!name.ok) return name;
  if (!Number.isInteger(draft.version) || draft.version < 0 || draft.version > highestVersion) {
    return err({
      code: 'invalid-input',
      field: 'version',
      problem: `${draft.version} is not a whole number from 0 to ${highestVersion}`,
    });
  }
  return ok({ id: id.value, name: name.value, family: family.value, version: draft.version });
}

/** Reads the name of a CAL type. Refused: invalid-input. */
export function checkCalType(text: string): Result<CalType, Refusal> {
  const found = calTypes.find((type) => type === text);
  if (found !== undefined) return ok(found);
  return err({
    code: 'invalid-input',
    field: 'type',
    problem: `"${text}" is none of ${calTypes.join(', ')}`,
  });
}

/**
 * Whether a CAL of `cal` licenses a host of `host`: within a family a newer CAL serves an older
 * host, never the reverse (facts §3.6).
 */
export function serves(cal: Product, host: Product): boolean {
  return cal.family === host.family && cal.version >= host.version;
}

/**
 * The lines that may serve `host`, in the order in which they are to be tried: its own version
 * first, then the nearest newer, so that the newest CALs are spent last (facts §3.6, the default
 * upgrade rule). Lines of one version keep the order in which they were given.
 */
export function rankCandidates<Line extends { readonly product: Product }>(
  lines: readonly Line[],
  host: Product,
): readonly Line[] {
  return lines
    .filter((line) => serves(line.product, host))
    .sort((one, other) => one.product.version - other.product.version);
}
