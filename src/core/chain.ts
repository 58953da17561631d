/**
 * Hash chains behind the codes that grant something (protocol §3.4): v[k] proves "granted k in total,
 * ever", and whoever holds the anchor v[0] can check it. Making values needs the kit key, which the
 * signer of the clearinghouse alone holds; everything else here needs no secret.
 */
import { ascii, concat, equalBytes, firstBytes, u8, u32, xor } from './bytes.ts';
import type { Code, CodeKind } from './code.ts';
import { typeOfKind } from './code-layout.ts';
import type { Digest } from './digest.ts';

/** The kinds of code that reveal a value of a chain. */
export type RevealKind = Exclude<CodeKind, 'license-server-id' | 'confirmation'>;

/** The chain whose one position activates. */
export const activationChain = 0;

/** The chain of months: v[e] proves "may assign until the end of month base + e". */
export const horizonChain = 1;

/** Lines of an agreement are numbered 0 to 14; 15 means all of them in a confirmation. */
export const highestLine = 14;

/** How far above the present position a code is looked for without a quantity (protocol §3.4). */
export const searchLimit = 2048;

function checkedLine(line: number): number {
  if (!Number.isInteger(line) || line < 0 || line > highestLine) throw new RangeError(`no line ${line}`);
  return line;
}

/** The chain of a line's free units. */
export function freeChain(line: number): number {
  return 2 + 2 * checkedLine(line);
}

/** The chain of a line's held units, those that arrived with their holders. */
export function heldChain(line: number): number {
  return 3 + 2 * checkedLine(line);
}

/** N, the highest position of a chain. */
export function chainLength(chain: number): number {
  if (!Number.isInteger(chain) || chain < 0 || chain > heldChain(highestLine)) {
    throw new RangeError(`no chain ${chain}`);
  }
  if (chain === activationChain) return 1;
  return chain === horizonChain ? 360 : 65_535;
}

const kitPrefix = ascii('CALKIT1');
const seedPrefix = ascii('CALSEED1');
const stepPrefix = ascii('CALCHN1');
const maskPrefix = ascii('CALMASK1');

/** The aid of slot `slot` (0 to 255) of an agreement kit, whose id has 16 bytes. */
export function slotAid(digest: Digest, kitId: Uint8Array, slot: number): Uint8Array {
  return firstBytes(digest.sha256(concat(kitPrefix, kitId, u8(slot))), 16);
}

/** What names a chain: the authority it belongs to (aid, 16 bytes) and its number. */
export interface ChainName {
  readonly aid: Uint8Array;
  readonly chain: number;
}

/** A value of a chain (16 bytes) and its position. */
export interface Position {
  readonly k: number;
  readonly value: Uint8Array;
}

function checkedPosition(chain: number, k: number, lowest: number): void {
  if (!Number.isInteger(k) || k < lowest || k > chainLength(chain)) {
    throw new RangeError(`chain ${chain} has no position ${k}`);
  }
}

/** v[N], the top of a chain, which only the holder of the kit key can make. */
export function seedValue(digest: Digest, name: ChainName & { readonly kitKey: Uint8Array }): Uint8Array {
  chainLength(name.chain);
  return firstBytes(digest.hmacSha256(name.kitKey, concat(seedPrefix, name.aid, u8(name.chain))), 16);
}

/**
 * Walks down from a position and shows each value passed, the first one at `from.k - 1`, until `visit`
 * says so or `to` is reached. The bytes shown are overwritten by the next step. One buffer serves the
 * whole walk: a chain has up to 65,535 steps.
 */
function walk(
  digest: Digest,
  { aid, chain, from, to }: ChainName & { readonly from: Position; readonly to: number },
  visit?: (k: number, value: Uint8Array) => boolean,
): Uint8Array {
  checkedPosition(chain, from.k, 0);
  if (!Number.isInteger(to) || to < 0 || to > from.k)
    throw new RangeError(`no way down from ${from.k} to ${to}`);
  // "CALCHN1" (7) · aid (16) · chain (1) · k (4) · value (16); room behind it for the rest of a hash.
  const room = concat(stepPrefix, aid, u8(chain), u32(from.k), from.value, new Uint8Array(16));
  const input = room.subarray(0, 44);
  const value = room.subarray(28, 44);
  for (let k = from.k; k > to; k -= 1) {
    room[24] = k >>> 24;
    room[25] = (k >>> 16) & 0xff;
    room[26] = (k >>> 8) & 0xff;
    room[27] = k & 0xff;
    room.set(digest.sha256(input), 28);
    if (visit?.(k - 1, value) === true) break;
  }
  return value.slice();
}

/** v[k - 1] of v[k], for k from 1 on: trunc128(SHA-256("CALCHN1" ‖ aid ‖ u8(chain) ‖ u32(k) ‖ v[k])). */
export function stepDown(digest: Digest, { aid, chain, k, value }: ChainName & Position): Uint8Array {
  checkedPosition(chain, k, 1);
  return walk(digest, { aid, chain, from: { k, value }, to: k - 1 });
}

/** The value at position `to` below (or at) a known one. */
export function walkDown(
  digest: Digest,
  step: ChainName & { readonly from: Position; readonly to: number },
): Uint8Array {
  return walk(digest, step);
}

/** v[k] from the top, for the holder of the kit key. */
export function chainValue(
  digest: Digest,
  { kitKey, aid, chain, k }: ChainName & { readonly kitKey: Uint8Array; readonly k: number },
): Uint8Array {
  checkedPosition(chain, k, 0);
  const top = { k: chainLength(chain), value: seedValue(digest, { kitKey, aid, chain }) };
  return walk(digest, { aid, chain, from: top, to: k });
}

/** v[0], which is public and stands signed in the kit or the certificate. */
export function chainAnchor(digest: Digest, name: ChainName & { readonly kitKey: Uint8Array }): Uint8Array {
  return chainValue(digest, { ...name, k: 0 });
}

/** Whether `above` lies on the chain of `present`, at or above it: the proof that every carrier uses. */
export function isAbove(
  digest: Digest,
  { aid, chain, present, above }: ChainName & { readonly present: Position; readonly above: Position },
): boolean {
  if (!Number.isInteger(above.k) || above.k < present.k || above.k > chainLength(chain)) return false;
  return equalBytes(walk(digest, { aid, chain, from: above, to: present.k }), present.value);
}

export interface MaskInput {
  readonly kind: RevealKind;
  /** 16 bytes: the License Server ID value of the server that the code is for. */
  readonly lsidValue: Uint8Array;
  /** 16 bytes: that of the source; for a held key pack, and for no other kind. */
  readonly sourceValue?: Uint8Array;
  /** With a source: holders have returned licenses to it that still run (protocol §2.4). */
  readonly someReturned?: boolean | undefined;
}

/**
 * Puts the mask of a code on a chain value, or takes it off again: XOR with
 * trunc128(SHA-256("CALMASK1" ‖ u8(type) ‖ LSID value [‖ source's LSID value [‖ u8(1) where some were returned]])). It ties a code to one
 * server against casual reuse; it is no secret.
 */
export function maskValue(digest: Digest, input: MaskInput, value: Uint8Array): Uint8Array {
  if ((input.kind === 'held-key-pack') !== (input.sourceValue !== undefined)) {
    throw new RangeError('a held key pack, and only that, is masked with its source');
  }
  const source = input.sourceValue ?? new Uint8Array(0);
  const returned = input.someReturned === true ? u8(1) : new Uint8Array(0);
  const type = u8(typeOfKind(input.kind));
  const hash = digest.sha256(concat(maskPrefix, type, input.lsidValue, source, returned));
  return xor(value, firstBytes(hash, 16));
}

/** What a code shall reveal: one value of one chain. */
export type Reveal =
  | { readonly kind: 'activation'; readonly slot: number }
  | { readonly kind: 'horizon'; readonly k: number }
  | { readonly kind: 'key-pack'; readonly line: number; readonly k: number }
  | {
      readonly kind: 'held-key-pack';
      readonly line: number;
      readonly k: number;
      readonly sourceValue: Uint8Array;
      /** Whether holders have returned licenses to the source that still run. */
      readonly someReturned?: boolean;
    };

/** The chain and the position that a code of this kind reveals, and its context byte. */
export function placeOfReveal(reveal: Reveal): { chain: number; k: number; ctx: number } {
  switch (reveal.kind) {
    case 'activation':
      if (!Number.isInteger(reveal.slot) || reveal.slot < 0 || reveal.slot > 255) {
        throw new RangeError(`no slot ${reveal.slot}`);
      }
      return { chain: activationChain, k: 1, ctx: reveal.slot };
    case 'horizon':
      return { chain: horizonChain, k: reveal.k, ctx: reveal.k % 256 };
    case 'key-pack':
      return { chain: freeChain(reveal.line), k: reveal.k, ctx: reveal.k % 256 };
    case 'held-key-pack':
      return { chain: heldChain(reveal.line), k: reveal.k, ctx: reveal.k % 256 };
  }
}

/** The code for one server that carries a chain value already at hand. */
export function codeOfValue(
  digest: Digest,
  { lsidValue, reveal }: { readonly lsidValue: Uint8Array; readonly reveal: Reveal },
  value: Uint8Array,
): Code {
  const { sourceValue, someReturned } = reveal.kind === 'held-key-pack' ? reveal : {};
  const source = sourceValue === undefined ? {} : { sourceValue, someReturned };
  const masked = maskValue(digest, { kind: reveal.kind, lsidValue, ...source }, value);
  return { kind: reveal.kind, ctx: placeOfReveal(reveal).ctx, value: masked };
}

/**
 * The code that reveals position k (1 to N: total units ever granted, or months after the base month)
 * to one server. Throws where there is no such position, line or slot; whether the books cover it is
 * the signer's question, not this function's.
 */
export function revealCode(
  digest: Digest,
  {
    kitKey,
    aid,
    lsidValue,
    reveal,
  }: {
    readonly kitKey: Uint8Array;
    readonly aid: Uint8Array;
    readonly lsidValue: Uint8Array;
    readonly reveal: Reveal;
  },
): Code {
  const { chain, k } = placeOfReveal(reveal);
  checkedPosition(chain, k, 1);
  return codeOfValue(digest, { lsidValue, reveal }, chainValue(digest, { kitKey, aid, chain, k }));
}

/** An unmasked value whose position is not known yet, and how far the chain has been applied. */
export interface Sought extends ChainName {
  /** 16 bytes, without mask. */
  readonly value: Uint8Array;
  /** The context byte of the code: k mod 256 (on the activation chain the slot, and not looked at). */
  readonly ctx: number;
  /** The highest position applied; the anchor at 0 before the first. */
  readonly present: Position;
}

/**
 * The position above the present one that a value stands at, or null. First the one that `quantity`
 * more units lead to, however far up the chain; then the positions ≡ ctx (mod 256), the nearest first,
 * at most 2,048 above the present one (protocol §3.4). Costs at most N + 9,216 hashes.
 */
export function findPosition(
  digest: Digest,
  { aid, chain, value, ctx, present, quantity }: Sought & { readonly quantity?: number },
): { k: number } | null {
  const highest = chainLength(chain);
  const fits = (k: number): boolean => isAbove(digest, { aid, chain, present, above: { k, value } });
  if (chain === activationChain) return present.k < highest && fits(highest) ? { k: highest } : null;
  if (quantity !== undefined && quantity > 0) {
    const k = present.k + quantity;
    if (k % 256 === ctx && fits(k)) return { k };
  }
  const nearest = present.k + 1 + ((((ctx - present.k - 1) % 256) + 256) % 256);
  for (let k = nearest; k <= Math.min(present.k + searchLimit, highest); k += 256) {
    if (fits(k)) return { k };
  }
  return null;
}

/**
 * The position at or below the present one that one of several values stands at, and which it was, or
 * null: the code was applied before, or a later one has already counted what it brings. Several,
 * because the mask of a held code depends on its source, and one walk down looks for all that may be it.
 * Costs `present.k` hashes.
 */
export function findAppliedPosition(
  digest: Digest,
  {
    aid,
    chain,
    values,
    ctx,
    present,
  }: Omit<Sought, 'value'> & {
    readonly values: readonly Uint8Array[];
  },
): Position | null {
  const at = (k: number, passed: Uint8Array): Position | null => {
    if (k === 0 || (chain !== activationChain && k % 256 !== ctx)) return null;
    const value = values.find((one) => equalBytes(one, passed));
    return value === undefined ? null : { k, value };
  };
  let found = at(present.k, present.value);
  if (found !== null) return found;
  walk(digest, { aid, chain, from: present, to: 0 }, (k, passed) => {
    found = at(k, passed);
    return found !== null;
  });
  return found;
}
