/**
 * What a license server says back over the telephone (protocol §3.6): acts that it has decided and
 * only reports, under a key that ratchets with each message. Making, reading and the clearinghouse's
 * bounded search for the state that a message was made in; what follows from it is decided elsewhere.
 */
import { ascii, concat, equalBytes, firstBytes, readUnsigned, u8, u16, u32 } from './bytes.ts';
import type { Code } from './code.ts';
import type { Digest } from './digest.ts';
import type { RefusalOf } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';

export type ConfirmationKind = 'frozen' | 'released' | 'heartbeat' | 'returned' | 'deactivated';

/** The kinds in the order of their numbers, which start at 1 (protocol §3.6). */
const confirmationKinds: readonly ConfirmationKind[] = [
  'frozen',
  'released',
  'heartbeat',
  'returned',
  'deactivated',
];

/**
 * A release, or a deactivation, of a server to which holders have returned licenses that still run, has a number of its
 * own: the key pack that follows says so on the target (protocol §2.4).
 */
const afterReturns: ReadonlyMap<ConfirmationKind, number> = new Map([
  ['released', 6],
  ['deactivated', 7],
]);

/** In the place of a line: all lines of the agreement. */
export const allLines = 15;

/** The largest amount that fits the two bytes of a confirmation. */
export const mostInConfirmation = 0xffff;

/** How many messages may have gone unheard, and how many counter steps, before one that is accepted. */
const unheardLimit = 16;

/** The most tags that one search computes, about half a second; typical are below 100. */
export const matchLimit = 200_000;

const firstKeyInfo = ascii('CALK0');
const ratchetInfo = ascii('ratchet');
const statePrefix = ascii('CALSTATE1');
const tagPrefix = ascii('CALCONF1');
const tagLength = 11;

/**
 * K₀ = HKDF-SHA256(ikm, info "CALK0" ‖ LSID value, 32 bytes). `ikm` is the activation value v[1] where
 * a kit's slot activated the server, and the X25519 secret of the one-time keys where a certificate did.
 */
export function firstKey(digest: Digest, ikm: Uint8Array, lsidValue: Uint8Array): Uint8Array {
  return digest.hkdfSha256(ikm, concat(firstKeyInfo, lsidValue), 32);
}

/** K_s of K_{s−1}. The first message has seq 1 and uses K₁; a key that was used is deleted. */
export function nextKey(digest: Digest, key: Uint8Array): Uint8Array {
  return digest.hkdfSha256(key, ratchetInfo, 32);
}

/** How far the two chains of a line have been applied. */
export interface LinePositions {
  readonly free: number;
  readonly held: number;
}

/** How often a server has done each, ever; all agreements apart. */
export interface Counters {
  readonly freezes: number;
  readonly releases: number;
  readonly returns: number;
}

/** What a server's tags are computed over besides the message, and the books are compared with. */
export interface ServerState {
  /**
   * The `aid` of the certificate it acts under; none under a slot. A certificate that renews the chains goes
   * on with the ratchet: the same positions under the one before are another state.
   */
  readonly aid?: Uint8Array | undefined;
  /** By line number; lines without positions at the end may be there or not. */
  readonly lines: readonly LinePositions[];
  /** The act that is being reported included. */
  readonly counters: Counters;
}

/**
 * SHA-256("CALSTATE1" ‖ aid of the certificate ‖ u32(free) ‖ u32(held) of each line from 0 to the highest
 * with a position that is not zero ‖ u32(freezes) ‖ u32(releases) ‖ u32(returns)).
 */
export function confirmationState(digest: Digest, { aid, lines, counters }: ServerState): Uint8Array {
  return digest.sha256(withCounters(stateBytes(aid, lines), counters));
}

const counterBytes = 12;

/** What a state is hashed over, its counters still to come (`withCounters`). */
function stateBytes(aid: Uint8Array | undefined, lines: readonly LinePositions[]): Uint8Array {
  let count = lines.length;
  while (count > 0 && lines[count - 1]?.free === 0 && lines[count - 1]?.held === 0) count -= 1;
  const positions = lines.slice(0, count).flatMap(({ free, held }) => [u32(free), u32(held)]);
  return concat(statePrefix, aid ?? new Uint8Array(0), ...positions, new Uint8Array(counterBytes));
}

/** Writes the counters into the bytes of a state, in the place that was left for them. */
function withCounters(bytes: Uint8Array, { freezes, releases, returns }: Counters): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - counterBytes);
  view.setUint32(0, freezes);
  view.setUint32(4, releases);
  view.setUint32(8, returns);
  return bytes;
}

export interface ConfirmationContent {
  readonly kind: ConfirmationKind;
  /** 0 to 14, or `allLines`. */
  readonly line: number;
  /** 0 to 65,535. */
  readonly unissued: number;
  /** 0 to 65,535. */
  readonly held: number;
  /** Of `released` and `deactivated`: holders have returned licenses of these lines that still run. */
  readonly someReturned?: boolean;
}

/** u8(number of the kind·16 + line) ‖ u16(unissued) ‖ u16(held). */
function contentBytes({ kind, line, unissued, held, someReturned }: ConfirmationContent): Uint8Array {
  if (!Number.isInteger(line) || line < 0 || line > allLines) throw new RangeError(`no line ${line}`);
  const number = someReturned === true ? afterReturns.get(kind) : confirmationKinds.indexOf(kind) + 1;
  if (number === undefined) throw new RangeError(`a code of kind ${kind} does not tell of returned licenses`);
  return concat(u8(number * 16 + line), u16(unissued), u16(held));
}

/** The kind that a number stands for, and whether it tells of returned licenses. */
function kindOfNumber(number: number): Pick<ReadConfirmation, 'kind' | 'someReturned'> | undefined {
  const kind = confirmationKinds[number - 1];
  if (kind !== undefined) return { kind, someReturned: false };
  for (const [returned, other] of afterReturns)
    if (other === number) return { kind: returned, someReturned: true };
  return undefined;
}

/** What the tag of a message is computed over, up to the state: "CALCONF1" ‖ u32(seq) ‖ content. */
function tagInput(seq: number, content: Uint8Array): Uint8Array {
  return concat(tagPrefix, u32(seq), content);
}

/**
 * The code that reports an act.
 *
 * @param key K_seq, 32 bytes
 * @param message its sequence number (from 1), what it says, and the state after the act. Throws where
 *   an amount is above `mostInConfirmation`: a caller that can have more refuses before.
 */
export function confirmationCode(
  digest: Digest,
  key: Uint8Array,
  message: ConfirmationContent & { readonly seq: number; readonly state: Uint8Array },
): Code {
  const content = contentBytes(message);
  const tagged = digest.hmacSha256(key, concat(tagInput(message.seq, content), message.state));
  const tag = firstBytes(tagged, tagLength);
  return { kind: 'confirmation', ctx: message.seq % 256, value: concat(content, tag) };
}

export interface ReadConfirmation extends ConfirmationContent {
  readonly someReturned: boolean;
  readonly seqMod256: number;
  /** 11 bytes. */
  readonly tag: Uint8Array;
}

/**
 * What a confirmation claims, before its tag has been checked. Kind numbers 0 and 8…15 are refused
 * `code-kind-unknown`, and another kind of code `code-wrong-kind`.
 */
export function readConfirmation(
  code: Code,
): Result<ReadConfirmation, RefusalOf<'code-kind-unknown'> | RefusalOf<'code-wrong-kind'>> {
  if (code.kind !== 'confirmation') {
    return err({ code: 'code-wrong-kind', expected: 'confirmation', found: code.kind });
  }
  const first = readUnsigned(code.value, 0, 1);
  const kind = kindOfNumber(first >>> 4);
  if (kind === undefined) return err({ code: 'code-kind-unknown', type: 6, ctx: code.ctx });
  return ok({
    ...kind,
    seqMod256: code.ctx,
    line: first & 15,
    unissued: readUnsigned(code.value, 1, 2),
    held: readUnsigned(code.value, 3, 2),
    tag: code.value.slice(5),
  });
}

/** What the clearinghouse's books allow a server's state to be; the likeliest first in each list. */
export interface MatchInput {
  readonly code: Code;
  /** The last message accepted and its key; seq 0 and K₀ before the first. */
  readonly last: { readonly seq: number; readonly key: Uint8Array };
  /** Of the certificate whose positions these are. */
  readonly aid?: Uint8Array | undefined;
  /** By line number: the positions issued since (any of their codes may have been typed, or none). */
  readonly positions: readonly { readonly free: readonly number[]; readonly held: readonly number[] }[];
  /**
   * Choices that are tried before any other, with every step that may be unheard: as the lines stood one after another,
   * if all that was issued was installed in its order.
   */
  readonly likely?: readonly (readonly LinePositions[])[] | undefined;
  /** As after the last message accepted. */
  readonly counters: Counters;
  /** Freezes of the agreement that the books do not know as released. */
  readonly openFreezes: number;
}

export interface ConfirmationMatch {
  readonly seq: number;
  /** K_seq: with `seq` the next search's `last`. */
  readonly key: Uint8Array;
  readonly positions: readonly LinePositions[];
  /** As the server has them, this act included. */
  readonly counters: Counters;
  /** The part of them that neither the books nor this act explain: messages that were never heard. */
  readonly unseen: Counters;
}

interface CounterGuess {
  readonly counters: Counters;
  readonly unseen: Counters;
}

/**
 * Releases that the act itself may count. A deactivation releases each freeze that is still open, so it
 * counts those the books know and those they have not heard of; fewer where some were undone.
 */
function ownReleases(kind: ConfirmationKind, open: number, unseenReleases: number): number[] {
  if (kind === 'released') return [1];
  if (kind !== 'deactivated') return [0];
  // With unseen releases besides, a smaller number of its own would give a sum that was tried before.
  return unseenReleases > 0 ? [open] : Array.from({ length: open + 1 }, (_, fewer) => open - fewer);
}

/** Counters that the server may have with so many steps that were not heard of, the fewest first. */
function* counterGuesses(
  kind: ConfirmationKind,
  { counters, openFreezes }: MatchInput,
  unheard: { readonly from: number; readonly to: number },
): Generator<CounterGuess> {
  for (let steps = unheard.from; steps <= unheard.to; steps += 1) {
    for (let freezes = 0; freezes <= steps; freezes += 1) {
      for (let returns = 0; freezes + returns <= steps; returns += 1) {
        const releases = steps - freezes - returns;
        for (const own of ownReleases(kind, openFreezes + freezes, releases)) {
          yield {
            counters: {
              freezes: counters.freezes + freezes + (kind === 'frozen' ? 1 : 0),
              releases: counters.releases + releases + own,
              returns: counters.returns + returns + (kind === 'returned' ? 1 : 0),
            },
            unseen: { freezes, releases, returns },
          };
        }
      }
    }
  }
}

interface PositionGuess {
  readonly positions: readonly LinePositions[];
  readonly bytes: Uint8Array;
}

/** Every choice of one position from each list, the first of all lists first. */
function* positionGuesses(positions: MatchInput['positions']): Generator<LinePositions[]> {
  const choices = positions.flatMap(({ free, held }) => [free, held]);
  const chosen = choices.map(() => 0);
  for (;;) {
    const pick = (chain: number): number => choices[chain]?.[chosen[chain] ?? 0] ?? 0;
    yield positions.map((_, line) => ({ free: pick(2 * line), held: pick(2 * line + 1) }));
    let wheel = 0;
    while (wheel < choices.length && (chosen[wheel] ?? 0) + 1 >= (choices[wheel]?.length ?? 0)) {
      chosen[wheel] = 0;
      wheel += 1;
    }
    if (wheel === choices.length) return;
    chosen[wheel] = (chosen[wheel] ?? 0) + 1;
  }
}

/**
 * Whether a tag is that of one state after another, under one key. HMAC (RFC 2104) is put together from
 * SHA-256 here because a search asks for thousands, and two hashes cost a sixth of an HMAC object of node:crypto.
 */
function tagCheck(
  digest: Digest,
  of: { readonly key: Uint8Array; readonly head: Uint8Array; readonly tag: Uint8Array },
): (state: Uint8Array) => boolean {
  const inner = concat(new Uint8Array(64).fill(0x36), of.head, new Uint8Array(32));
  const outer = new Uint8Array(96).fill(0x5c);
  for (const [at, byte] of of.key.entries()) {
    inner[at] = byte ^ 0x36;
    outer[at] = byte ^ 0x5c;
  }
  return (state) => {
    inner.set(digest.sha256(state), inner.length - 32);
    outer.set(digest.sha256(inner), 64);
    return equalBytes(digest.sha256(outer).subarray(0, tagLength), of.tag);
  };
}

/** Choices of positions with their bytes, made as they are asked for and kept for the next counters. */
function keptGuesses(
  aid: Uint8Array | undefined,
  choices: Iterable<readonly LinePositions[]>,
): (at: number) => PositionGuess | undefined {
  const made: PositionGuess[] = [];
  const more = choices[Symbol.iterator]();
  return (at) => {
    if (at < made.length) return made[at];
    const next = more.next();
    if (next.done === true) return undefined;
    made.push({ positions: next.value, bytes: stateBytes(aid, next.value) });
    return made[at];
  };
}

interface Pass {
  readonly choices: Iterable<readonly LinePositions[]>;
  readonly unheard: { readonly from: number; readonly to: number };
  /** So many tags are tried in it and all before it. */
  readonly most: number;
}

/**
 * What is tried in which order: first without any step that was not heard of. Where there are very many choices of
 * positions, those leave room for the likely ones with such steps.
 */
function passesOf({ positions, likely = [] }: MatchInput): readonly Pass[] {
  const none = { from: 0, to: 0 };
  const some = { from: 1, to: unheardLimit };
  return [
    { choices: likely, unheard: none, most: matchLimit },
    { choices: positionGuesses(positions), unheard: none, most: matchLimit * 0.75 },
    { choices: likely, unheard: some, most: matchLimit },
    { choices: positionGuesses(positions), unheard: some, most: matchLimit },
  ];
}

/**
 * Finds the state in which a server that the books know made this confirmation, or null: then the
 * server is older or newer than the books, or the code is not its own (protocol §3.6).
 *
 * Tried are the one sequence number in (last, last + 16] that fits the context byte, and for it up to
 * 16 counter steps nobody has told of, fewest first, each with every choice of positions; the likely choices come
 * before the others. With p choices, those that are tried as likely ones counted again, these are at most 969·p tags
 * (for a deactivation with f open freezes 969·p + 153·(f + 16)·p), never more than `matchLimit`; a message that
 * the books expect is found within p. An empty list of positions stands for 0.
 */
export function matchConfirmation(digest: Digest, input: MatchInput): ConfirmationMatch | null {
  const read = readConfirmation(input.code);
  if (!read.ok) return null;
  const ahead = (((read.value.seqMod256 - input.last.seq) % 256) + 256) % 256;
  if (ahead < 1 || ahead > unheardLimit) return null;
  const seq = input.last.seq + ahead;
  let key = input.last.key;
  for (let step = 0; step < ahead; step += 1) key = nextKey(digest, key);
  const head = tagInput(seq, input.code.value.subarray(0, 5));
  const isTagOf = tagCheck(digest, { key, head, tag: read.value.tag });
  let tries = 0;
  for (const { choices, unheard, most } of passesOf(input)) {
    const guess = keptGuesses(input.aid, choices);
    for (const { counters, unseen } of counterGuesses(read.value.kind, input, unheard)) {
      let at = 0;
      for (let tried = guess(at); tried !== undefined && tries < most; tried = guess(at)) {
        tries += 1;
        const { positions, bytes } = tried;
        if (isTagOf(withCounters(bytes, counters))) return { seq, key, positions, counters, unseen };
        at += 1;
      }
    }
  }
  return null;
}
