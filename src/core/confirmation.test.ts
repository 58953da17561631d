/** Tests of confirmation.ts: vectors of protocol §3.4, reading, and the clearinghouse's bounded search. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeDigest } from '../platform/digest.ts';
import { bytesOfHex, hex } from './bytes.ts';
import type { Code } from './code.ts';
import { formatCode, licenseServerIdValueOfKey } from './code.ts';
import type {
  ConfirmationKind,
  ConfirmationMatch,
  Counters,
  LinePositions,
  MatchInput,
} from './confirmation.ts';
import {
  allLines,
  confirmationCode,
  confirmationState,
  firstKey,
  matchConfirmation,
  matchLimit,
  mostInConfirmation,
  nextKey,
  readConfirmation,
} from './confirmation.ts';
import type { Digest } from './digest.ts';

const activation = bytesOfHex('c40da7bfe1dafd5ee449a937eb268368') ?? new Uint8Array(0);
const lsidValue = licenseServerIdValueOfKey(nodeDigest, new Uint8Array(32).fill(0x11));
const k0 = firstKey(nodeDigest, activation, lsidValue);

const none: Counters = { freezes: 0, releases: 0, returns: 0 };

function keyAt(seq: number): Uint8Array {
  let key = k0;
  for (let step = 0; step < seq; step += 1) key = nextKey(nodeDigest, key);
  return key;
}

interface Said {
  readonly kind: ConfirmationKind;
  readonly seq?: number;
  readonly line?: number;
  readonly lines?: readonly LinePositions[];
  readonly counters: Counters;
}

/** What a server says that has these positions and counters. */
function said({ kind, seq = 1, line = 0, lines = [{ free: 40, held: 0 }], counters }: Said): Code {
  const state = confirmationState(nodeDigest, { lines, counters });
  return confirmationCode(nodeDigest, keyAt(seq), { seq, kind, line, unissued: 25, held: 15, state });
}

function match(code: Code, books: Partial<MatchInput> = {}): ConfirmationMatch | null {
  return matchConfirmation(nodeDigest, {
    code,
    last: { seq: 0, key: k0 },
    positions: [{ free: [40], held: [0] }],
    counters: none,
    openFreezes: 0,
    ...books,
  });
}

describe('the published confirmations', () => {
  const frozen = { freezes: 1, releases: 0, returns: 0 };
  const released = { freezes: 1, releases: 1, returns: 0 };

  it('gives the keys and the states', () => {
    assert.equal(hex(k0), '87292b6ae91b3e1450b495cae5c893ff88877f0c5d77c1a3982950b7677165fb');
    assert.equal(hex(keyAt(1)), '5a4362ab86b7e93e25bb278f632b4d42a0dcd4d957fdca841c2dc102fe3b6fbb');
    const state = (counters: Counters): string =>
      hex(confirmationState(nodeDigest, { lines: [{ free: 40, held: 0 }], counters }));
    assert.equal(state(frozen), 'f7a60e69a05e0a4b066270e762c7f585cddd3996e989cf96df02bf83774ab57d');
    assert.equal(state(released), '1848f6df0892bf8a3f2f88195b0735898812cfb93a292b2f7fb6cc281161287d');
  });

  it('gives the codes, which the books find in their order', () => {
    const first = said({ kind: 'frozen', counters: frozen });
    const second = said({ kind: 'deactivated', seq: 2, line: allLines, counters: released });
    assert.equal(formatCode(first), 'C08GX-00CGV-03YX2-QKEW4-9A4J6-7V9B9-MYZVQ');
    assert.equal(formatCode(second), 'C0JZM-00CGV-03XES-9DDNQ-CMSJH-B1Q10-0Z4T5');
    const found = match(first);
    assert.deepEqual(found, {
      seq: 1,
      key: keyAt(1),
      positions: [{ free: 40, held: 0 }],
      counters: frozen,
      unseen: none,
    });
    const next = match(second, { last: { seq: 1, key: keyAt(1) }, counters: frozen, openFreezes: 1 });
    assert.deepEqual(next, { ...found, seq: 2, key: keyAt(2), counters: released });
  });
});

describe('the state', () => {
  it('leaves lines without positions out at the end, not in between', () => {
    const state = (lines: LinePositions[]): string =>
      hex(confirmationState(nodeDigest, { lines, counters: none }));
    const zero = { free: 0, held: 0 };
    assert.equal(state([]), state([zero, zero]));
    assert.equal(state([{ free: 1, held: 0 }]), state([{ free: 1, held: 0 }, zero]));
    const different = [[], [{ free: 1, held: 0 }], [{ free: 0, held: 1 }], [zero, { free: 1, held: 0 }]].map(
      state,
    );
    assert.equal(new Set(different).size, 4);
  });

  it('tells the counters apart', () => {
    const states = [none, { ...none, freezes: 1 }, { ...none, releases: 1 }, { ...none, returns: 1 }].map(
      (counters) => hex(confirmationState(nodeDigest, { lines: [], counters })),
    );
    assert.equal(new Set(states).size, 4);
  });
});

describe('reading a confirmation', () => {
  it('says what every kind says', () => {
    const kinds = ['frozen', 'released', 'heartbeat', 'returned', 'deactivated'] as const;
    const told = [
      ...kinds.map((kind) => ({ kind, someReturned: false })),
      ...(['released', 'deactivated'] as const).map((kind) => ({ kind, someReturned: true })),
    ];
    for (const { kind, someReturned } of told) {
      for (const line of [0, 7, allLines]) {
        const code = confirmationCode(nodeDigest, keyAt(1), {
          seq: 300,
          kind,
          someReturned,
          line,
          unissued: mostInConfirmation,
          held: 258,
          state: new Uint8Array(32),
        });
        const read = readConfirmation(code);
        assert.ok(read.ok);
        const { tag, ...content } = read.value;
        assert.deepEqual(content, { kind, someReturned, line, unissued: 65_535, held: 258, seqMod256: 44 });
        assert.equal(tag.length, 11);
      }
    }
  });

  it('refuses other kinds of code, and kinds of confirmation that there are not', () => {
    const other = readConfirmation({ kind: 'horizon', ctx: 1, value: new Uint8Array(16) });
    assert.ok(!other.ok && other.error.code === 'code-wrong-kind');
    for (const kind of [0, 8, 15]) {
      const value = new Uint8Array(16).fill(kind << 4);
      const code: Code = { kind: 'confirmation', ctx: 1, value };
      const read = readConfirmation(code);
      assert.ok(!read.ok && read.error.code === 'code-kind-unknown');
      assert.equal(match(code), null);
    }
  });

  it('makes none of another kind that tells of returned licenses', () => {
    const message = {
      seq: 1,
      kind: 'frozen',
      line: 0,
      unissued: 0,
      held: 0,
      state: new Uint8Array(32),
    } as const;
    assert.throws(
      () => confirmationCode(nodeDigest, keyAt(1), { ...message, someReturned: true }),
      RangeError,
    );
  });

  it('makes none of amounts or lines that do not fit', () => {
    const message = {
      seq: 1,
      kind: 'frozen',
      line: 0,
      unissued: 0,
      held: 0,
      state: new Uint8Array(32),
    } as const;
    for (const wrong of [{ unissued: 65_536 }, { held: -1 }, { line: 16 }, { line: -1 }, { line: 0.5 }]) {
      assert.throws(() => confirmationCode(nodeDigest, k0, { ...message, ...wrong }), RangeError);
    }
  });
});

describe('the search of the clearinghouse', () => {
  it('finds each kind with the counters that its act explains', () => {
    const before = { freezes: 5, releases: 3, returns: 2 };
    const after: [ConfirmationKind, Counters][] = [
      ['frozen', { ...before, freezes: 6 }],
      ['released', { ...before, releases: 4 }],
      ['heartbeat', before],
      ['returned', { ...before, returns: 3 }],
      ['deactivated', { ...before, releases: 5 }],
    ];
    for (const [kind, counters] of after) {
      const found = match(said({ kind, counters }), { counters: before, openFreezes: 2 });
      assert.deepEqual([kind, found?.counters, found?.unseen], [kind, counters, none]);
    }
  });

  it('finds up to 16 messages ahead, and none further, repeated or older', () => {
    for (const seq of [1, 2, 15, 16]) {
      const found = match(said({ kind: 'heartbeat', seq, counters: none }));
      assert.equal(found?.seq, seq);
      assert.deepEqual(found.key, keyAt(seq));
    }
    assert.equal(match(said({ kind: 'heartbeat', seq: 17, counters: none })), null);
    const last = { seq: 20, key: keyAt(20) };
    for (const seq of [20, 19, 4, 37]) {
      assert.equal(match(said({ kind: 'heartbeat', seq, counters: none }), { last }), null);
    }
  });

  it('goes over the end of the byte that a sequence number has', () => {
    for (const [last, seq] of [
      [250, 258],
      [255, 256],
      [511, 527],
    ] as const) {
      const found = match(said({ kind: 'heartbeat', seq, counters: none }), {
        last: { seq: last, key: keyAt(last) },
      });
      assert.equal(found?.seq, seq);
    }
  });

  it('finds which of the issued positions were applied', () => {
    const positions = [
      { free: [40, 65, 125], held: [0, 15] },
      { free: [], held: [] },
      { free: [0, 10], held: [3] },
    ];
    const lines = [
      { free: 125, held: 15 },
      { free: 0, held: 0 },
      { free: 10, held: 3 },
    ];
    const code = said({ kind: 'heartbeat', counters: none, lines });
    assert.deepEqual(match(code, { positions })?.positions, lines);
    assert.equal(match(code, { positions: positions.with(0, { free: [40, 65], held: [0, 15] }) }), null);
    assert.equal(match(code, { positions: positions.slice(0, 2) }), null);
  });

  it('tells acts that were never heard of from the one that is told', () => {
    const unheard = { freezes: 2, releases: 1, returns: 4 };
    const counters = { freezes: 3, releases: 1, returns: 4 };
    const found = match(said({ kind: 'frozen', seq: 8, counters }));
    assert.deepEqual(found?.counters, counters);
    assert.deepEqual(found.unseen, unheard);
  });

  it('finds up to 16 unheard steps and not 17', () => {
    for (const counter of ['freezes', 'releases', 'returns'] as const) {
      const found = match(said({ kind: 'heartbeat', seq: 16, counters: { ...none, [counter]: 16 } }));
      assert.deepEqual(found?.unseen, { ...none, [counter]: 16 });
      assert.equal(match(said({ kind: 'heartbeat', seq: 16, counters: { ...none, [counter]: 17 } })), null);
    }
    const spread = { freezes: 5, releases: 5, returns: 6 };
    assert.deepEqual(match(said({ kind: 'heartbeat', counters: spread }))?.unseen, spread);
    assert.equal(match(said({ kind: 'heartbeat', counters: { ...spread, returns: 7 } })), null);
  });

  it('counts a release for each freeze that a deactivation finds open, heard of or not', () => {
    const books = { counters: { freezes: 4, releases: 1, returns: 0 }, openFreezes: 3 };
    const close = (counters: Counters): ConfirmationMatch | null =>
      match(said({ kind: 'deactivated', seq: 3, line: allLines, counters }), books);
    assert.deepEqual(close({ freezes: 4, releases: 4, returns: 0 })?.unseen, none);
    // A freeze was undone: one release fewer.
    assert.deepEqual(close({ freezes: 4, releases: 3, returns: 0 })?.unseen, none);
    assert.deepEqual(close({ freezes: 4, releases: 1, returns: 0 })?.unseen, none);
    // Two freezes were never heard of, and are released with the others.
    assert.deepEqual(close({ freezes: 6, releases: 6, returns: 0 })?.unseen, { ...none, freezes: 2 });
    assert.deepEqual(close({ freezes: 4, releases: 5, returns: 1 })?.unseen, {
      freezes: 0,
      releases: 1,
      returns: 1,
    });
    assert.equal(close({ freezes: 4, releases: 0, returns: 0 }), null);
    assert.equal(close({ freezes: 3, releases: 3, returns: 0 }), null);
  });

  it('finds nothing where one bit of the code is another', () => {
    const code = said({ kind: 'frozen', counters: { ...none, freezes: 1 } });
    assert.ok(match(code));
    for (let bit = 0; bit < 128; bit += 1) {
      const value = code.value.slice();
      value[bit >> 3] = (value[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
      assert.equal(match({ ...code, value }), null, `bit ${bit}`);
    }
    for (const ctx of [0, 2, 17, 129]) assert.equal(match({ ...code, ctx }), null);
  });

  it('finds nothing under another key, or for a server that is older than the books', () => {
    const code = said({ kind: 'heartbeat', counters: none });
    assert.equal(match(code, { last: { seq: 0, key: keyAt(1) } }), null);
    assert.equal(match(code, { counters: { ...none, freezes: 1 } }), null);
    assert.equal(match(code, { positions: [{ free: [41], held: [0] }] }), null);
  });

  it('finds how the lines stood before, with steps that were not heard of, however many positions were issued', () => {
    const lines = [
      { free: 5, held: 2 },
      { free: 7, held: 1 },
      { free: 0, held: 3 },
    ];
    const code = said({ kind: 'frozen', lines, counters: { freezes: 2, releases: 1, returns: 0 } });
    const many = Array.from({ length: 17 }, (_, at) => 16 - at);
    const positions = lines.map(() => ({ free: many, held: many }));
    assert.equal(match(code, { positions }), null);
    const found = match(code, { positions, likely: [lines.map(() => ({ free: 9, held: 9 })), lines] });
    assert.deepEqual(found?.positions, lines);
    assert.deepEqual(found.unseen, { freezes: 1, releases: 1, returns: 0 });
  });

  it('keeps to its bound of tags, three hashes each, and tries what is expected first', () => {
    let hashes = 0;
    const digest: Digest = {
      ...nodeDigest,
      sha256: (bytes) => {
        hashes += 1;
        return nodeDigest.sha256(bytes);
      },
    };
    const hashesOf = (code: Code, books: Partial<MatchInput>): number => {
      hashes = 0;
      const input = {
        code,
        last: { seq: 0, key: k0 },
        positions: [],
        counters: none,
        openFreezes: 0,
        ...books,
      };
      matchConfirmation(digest, input);
      return hashes;
    };
    const choice = { free: [1, 2], held: [1, 2] };
    const unknown = said({ kind: 'heartbeat', counters: none });
    assert.equal(hashesOf(unknown, { positions: [choice] }), 3 * 969 * 4);
    assert.equal(hashesOf(unknown, { positions: Array.from({ length: 15 }, () => choice) }), 3 * matchLimit);
    const close = said({ kind: 'deactivated', lines: [], counters: { freezes: 0, releases: 2, returns: 0 } });
    assert.equal(hashesOf(close, { openFreezes: 2 }), 3);
    // For each of the 153 pairs (freezes, returns), as many fewer releases as there are open freezes.
    assert.equal(hashesOf(close, { openFreezes: 2, positions: [choice] }), 3 * 4 * (969 + 816 + 2 * 153));
  });
});
