/**
 * What the 140 bits of a telephone code are (protocol §3.4): a type, a context byte and a value of
 * 128 bits. How they are written down is the duty of code.ts (characters) and code-digits.ts (digits).
 */
import type { Code, CodeKind } from './code.ts';
import type { RefusalOf } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';

/** The kinds in the order of their type numbers, which start at 1 (protocol §3.4). */
const codeKinds: readonly CodeKind[] = [
  'license-server-id',
  'activation',
  'key-pack',
  'held-key-pack',
  'horizon',
  'confirmation',
];

/** Bytes of a code as a 144-bit number: four zero bits, then its 140. */
export const codeLength = 18;

/** The only version of License Server ID there is, which is its context byte. */
export const licenseServerIdVersion = 1;

/** The type number of a kind, 1 to 6: the first four bits of its codes, and a part of its mask. */
export function typeOfKind(kind: CodeKind): number {
  return codeKinds.indexOf(kind) + 1;
}

/**
 * The 18 bytes of a code: type, context, value. Throws where the context is not one byte or the value
 * not 16 bytes, for no rule of the product makes such a code.
 */
export function codeBytes(code: Code): Uint8Array {
  if (!Number.isInteger(code.ctx) || code.ctx < 0 || code.ctx > 0xff || code.value.length !== 16) {
    throw new RangeError(`no code has the context ${code.ctx} and ${code.value.length} bytes of value`);
  }
  const bytes = new Uint8Array(codeLength);
  bytes[0] = typeOfKind(code.kind);
  bytes[1] = code.ctx;
  bytes.set(code.value, 2);
  return bytes;
}

/**
 * The code of 18 bytes. Types 0 and 7…15, and a License Server ID of another version than 1, are
 * refused `code-kind-unknown`: no program that follows protocol §3.4 makes them.
 */
export function codeOfBytes(bytes: Uint8Array): Result<Code, RefusalOf<'code-kind-unknown'>> {
  const type = bytes[0] ?? 0;
  const ctx = bytes[1] ?? 0;
  const kind = codeKinds[type - 1];
  if (kind === undefined || (kind === 'license-server-id' && ctx !== licenseServerIdVersion)) {
    return err({ code: 'code-kind-unknown', type, ctx });
  }
  return ok({ kind, ctx, value: bytes.slice(2, codeLength) });
}

const separator = /[\s\p{Pd}\u2212\u200b\u2060]/u;

/**
 * The characters of a typed code without what only separates its groups: white space and dashes,
 * also those that word processors put in their place.
 */
export function withoutSeparators(text: string): string[] {
  return [...text].filter((character) => !separator.test(character));
}
