/** Tests of chain.ts: vectors of protocol §3.4, reveals read by the server they are for, and the search. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeDigest } from '../platform/digest.ts';
import { hex } from './bytes.ts';
import type { Position, Reveal } from './chain.ts';
import {
  activationChain,
  chainAnchor,
  chainLength,
  chainValue,
  codeOfValue,
  findAppliedPosition,
  findPosition,
  freeChain,
  heldChain,
  highestLine,
  horizonChain,
  isAbove,
  maskValue,
  placeOfReveal,
  revealCode,
  searchLimit,
  seedValue,
  slotAid,
  stepDown,
  walkDown,
} from './chain.ts';
import { formatCode, licenseServerIdValueOfKey } from './code.ts';
import type { Digest } from './digest.ts';

const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

const kitKey = filled(32, 0x33);
const lsidValue = licenseServerIdValueOfKey(nodeDigest, filled(32, 0x11));
const sourceValue = licenseServerIdValueOfKey(nodeDigest, filled(32, 0x12));
const aid = slotAid(nodeDigest, filled(16, 0x22), 2);
const free = freeChain(0);
const name = { kitKey, aid, chain: free };

/** Hashes counted, to hold the search to its bounds. */
function counting(): { digest: Digest; hashes: () => number } {
  let hashes = 0;
  return {
    digest: {
      ...nodeDigest,
      sha256: (bytes) => {
        hashes += 1;
        return nodeDigest.sha256(bytes);
      },
    },
    hashes: () => hashes,
  };
}

/** The values of the free chain of line 0 by position: one walk for all tests, most of which ask for several. */
const freeValues: readonly Uint8Array[] = (() => {
  const values: Uint8Array[] = [];
  let value = seedValue(nodeDigest, name);
  for (let k = chainLength(free); k > 0; k -= 1) {
    values[k] = value;
    value = stepDown(nodeDigest, { aid, chain: free, k, value });
  }
  values[0] = value;
  return values;
})();

/** A position of that chain. */
function at(k: number): { k: number; value: Uint8Array } {
  const value = freeValues[k];
  assert.ok(value !== undefined);
  return { k, value };
}

describe('the published chains', () => {
  it('gives the aid, the anchors and the values', () => {
    assert.equal(hex(aid), 'd7e7d4e84245a91539a6760233475180');
    const values: [number, number, string][] = [
      [activationChain, 0, 'ef910b8ed37f704d46bb6a0c36479ba0'],
      [activationChain, 1, 'c40da7bfe1dafd5ee449a937eb268368'],
      [horizonChain, 0, '8f9afc216facbf9bb2fd44582edb1eab'],
      [free, 0, '1dba83fcdca8a50f7047f80ab593aba7'],
      [free, 25, '9725582e79dcec3ddea9e4497b2fa5ea'],
      [heldChain(0), 0, 'bff2b5f72fd2adc3db61e21c9360aa3a'],
    ];
    for (const [chain, k, expected] of values) {
      assert.equal(hex(chainValue(nodeDigest, { kitKey, aid, chain, k })), expected);
      if (k === 0) assert.equal(hex(chainAnchor(nodeDigest, { kitKey, aid, chain })), expected);
    }
  });

  it('gives the codes', () => {
    const codes: [Reveal, string][] = [
      [{ kind: 'activation', slot: 2 }, '40HBM-6N5N9-J212S-BMRG2-4BDZD-VJXVB-1EM3V'],
      [{ kind: 'horizon', k: 13 }, 'A39RR-A219K-YWJ1E-F00XR-A6VW1-26Z1W-CCY0J'],
      [{ kind: 'key-pack', line: 0, k: 25 }, '66F61-8MTTS-THV6A-14WX2-FYQPF-P3W8C-CVT15'],
      [{ kind: 'key-pack', line: 0, k: 281 }, '669YF-PHZXJ-W8NXW-KCWVX-EXZMT-NCJN1-PETS9'],
      [{ kind: 'held-key-pack', line: 0, k: 15, sourceValue }, '83Z2P-HQE46-3RXWV-XF89T-VEXKW-HHDQ1-YQ48A'],
    ];
    for (const [reveal, expected] of codes) {
      assert.equal(formatCode(revealCode(nodeDigest, { kitKey, aid, lsidValue, reveal })), expected);
      const { chain, k } = placeOfReveal(reveal);
      const value = chainValue(nodeDigest, { kitKey, aid, chain, k });
      assert.equal(formatCode(codeOfValue(nodeDigest, { lsidValue, reveal }, value)), expected);
    }
  });
});

describe('chains', () => {
  it('are numbered by line and have their lengths', () => {
    assert.deepEqual([0, 1, highestLine].map(freeChain), [2, 4, 30]);
    assert.deepEqual([0, 1, highestLine].map(heldChain), [3, 5, 31]);
    assert.deepEqual([0, 1, 2, 31].map(chainLength), [1, 360, 65_535, 65_535]);
    for (const wrong of [-1, 15, 0.5]) assert.throws(() => freeChain(wrong), RangeError);
    for (const wrong of [-1, 32, 1.5]) assert.throws(() => chainLength(wrong), RangeError);
  });

  it('go down step by step, in one walk, and from anywhere to the same values', () => {
    const chain = horizonChain;
    let value = seedValue(nodeDigest, { kitKey, aid, chain });
    for (let k = 360; k > 0; k -= 1) {
      assert.deepEqual(value, chainValue(nodeDigest, { kitKey, aid, chain, k }));
      const from = { k: 360, value: seedValue(nodeDigest, { kitKey, aid, chain }) };
      assert.deepEqual(walkDown(nodeDigest, { aid, chain, from, to: k }), value);
      value = stepDown(nodeDigest, { aid, chain, k, value });
    }
    assert.deepEqual(value, chainAnchor(nodeDigest, { kitKey, aid, chain }));
  });

  it('differ by key, authority and number', () => {
    const seeds = [
      name,
      { ...name, chain: 3 },
      { ...name, aid: filled(16, 0) },
      { ...name, kitKey: filled(32, 0) },
    ];
    const tops = seeds.map((seed) => hex(seedValue(nodeDigest, seed)));
    assert.equal(new Set(tops).size, seeds.length);
    const value = filled(16, 7);
    const steps = [
      { aid, chain: 2, k: 9, value },
      { aid, chain: 4, k: 9, value },
      { aid, chain: 2, k: 8, value },
      { aid: filled(16, 0), chain: 2, k: 9, value },
      { aid, chain: 2, k: 9, value: filled(16, 8) },
    ].map((step) => hex(stepDown(nodeDigest, step)));
    assert.equal(new Set(steps).size, 5);
  });

  it('leave the given value as it was', () => {
    const value = filled(16, 7);
    stepDown(nodeDigest, { aid, chain: 2, k: 9, value });
    assert.deepEqual(value, filled(16, 7));
  });

  it('throw where there is no such position', () => {
    const value = filled(16, 0);
    for (const k of [0, 65_536, 1.5, -1]) {
      assert.throws(() => stepDown(nodeDigest, { aid, chain: 2, k, value }), RangeError);
    }
    for (const k of [-1, 361]) {
      assert.throws(() => chainValue(nodeDigest, { kitKey, aid, chain: horizonChain, k }), RangeError);
    }
    for (const to of [-1, 6, 0.5]) {
      assert.throws(() => walkDown(nodeDigest, { aid, chain: 2, from: { k: 5, value }, to }), RangeError);
    }
    for (const reveal of [
      { kind: 'key-pack', line: 0, k: 0 },
      { kind: 'key-pack', line: 0, k: 65_536 },
      { kind: 'key-pack', line: 15, k: 1 },
      { kind: 'horizon', k: 361 },
      { kind: 'activation', slot: 256 },
    ] as const) {
      assert.throws(() => revealCode(nodeDigest, { kitKey, aid, lsidValue, reveal }), RangeError);
    }
  });

  it('prove a position to who has a lower one, and no other position', () => {
    const present = at(10);
    const { value } = at(40);
    const proves = (k: number, chain = free): boolean =>
      isAbove(nodeDigest, { aid, chain, present, above: { k, value } });
    assert.equal(proves(40), true);
    for (const k of [39, 41, 10, 9, 0, -1, 65_536, 40.5]) assert.equal(proves(k), false, String(k));
    assert.equal(proves(40, free + 2), false);
    assert.equal(isAbove(nodeDigest, { aid, chain: free, present, above: present }), true);
  });
});

describe('masks', () => {
  const value = filled(16, 0x5a);
  const mask = (input: Parameters<typeof maskValue>[1]): string => hex(maskValue(nodeDigest, input, value));

  it('come off again, and differ by kind, server and source', () => {
    const inputs = [
      { kind: 'activation', lsidValue },
      { kind: 'key-pack', lsidValue },
      { kind: 'horizon', lsidValue },
      { kind: 'key-pack', lsidValue: sourceValue },
      { kind: 'held-key-pack', lsidValue, sourceValue },
      { kind: 'held-key-pack', lsidValue, sourceValue: filled(16, 9) },
      { kind: 'held-key-pack', lsidValue: sourceValue, sourceValue: lsidValue },
    ] as const;
    assert.equal(new Set(inputs.map(mask)).size, inputs.length);
    for (const input of inputs) {
      assert.deepEqual(maskValue(nodeDigest, input, maskValue(nodeDigest, input, value)), value);
    }
  });

  it('take a source for a held key pack and for nothing else', () => {
    assert.throws(() => mask({ kind: 'held-key-pack', lsidValue }), RangeError);
    assert.throws(() => mask({ kind: 'key-pack', lsidValue, sourceValue }), RangeError);
  });
});

describe('finding the position of a code', () => {
  const seek = (k: number, present: number, quantity?: number): { k: number } | null =>
    findPosition(nodeDigest, {
      aid,
      chain: free,
      value: at(k).value,
      ctx: k % 256,
      present: at(present),
      ...(quantity === undefined ? {} : { quantity }),
    });

  it('finds every position within 2,048 above the present one, and none beyond', () => {
    assert.equal(searchLimit, 2048);
    for (const present of [0, 1, 255, 256, 300]) {
      for (const distance of [1, 2, 255, 256, 257, 1024, 2047, 2048]) {
        assert.deepEqual(seek(present + distance, present), { k: present + distance });
      }
      for (const distance of [0, 2049, 2304]) assert.equal(seek(present + distance, present), null);
    }
  });

  it('finds the quantity that was bought at any distance', () => {
    assert.deepEqual(seek(40_000, 100, 39_900), { k: 40_000 });
    assert.deepEqual(seek(65_535, 0, 65_535), { k: 65_535 });
    assert.equal(seek(40_000, 100, 39_900 - 256), null);
    assert.equal(seek(40_000, 100, 39_901), null);
    assert.equal(seek(40_000, 100), null);
  });

  it('finds what is near although another quantity was said, and takes no quantity that is none', () => {
    assert.deepEqual(seek(125, 100, 30), { k: 125 });
    assert.deepEqual(seek(125, 100, 281), { k: 125 });
    assert.deepEqual(seek(125, 100, 70_000), { k: 125 });
    assert.deepEqual(seek(125, 100, 0), { k: 125 });
    assert.deepEqual(seek(125, 100, -256), { k: 125 });
  });

  it('goes by the context byte', () => {
    const wrong = { aid, chain: free, value: at(125).value, ctx: 126, present: at(100) };
    assert.equal(findPosition(nodeDigest, wrong), null);
    assert.equal(findPosition(nodeDigest, { ...wrong, quantity: 25 }), null);
    assert.equal(
      findAppliedPosition(nodeDigest, { ...wrong, values: [at(125).value], present: at(130) }),
      null,
    );
  });

  it('stops at the end of the chain', () => {
    const top = chainLength(horizonChain);
    const value = chainValue(nodeDigest, { kitKey, aid, chain: horizonChain, k: top });
    const present = { k: 300, value: chainValue(nodeDigest, { kitKey, aid, chain: horizonChain, k: 300 }) };
    const sought = { aid, chain: horizonChain, value, ctx: top % 256, present };
    assert.deepEqual(findPosition(nodeDigest, sought), { k: top });
    assert.equal(findPosition(nodeDigest, { ...sought, value: filled(16, 1) }), null);
  });

  it('knows the activation by its one position, whatever the slot in its context byte', () => {
    const chain = activationChain;
    const value = seedValue(nodeDigest, { kitKey, aid, chain });
    const anchor = { k: 0, value: chainAnchor(nodeDigest, { kitKey, aid, chain }) };
    const sought = { aid, chain, value, ctx: 2, present: anchor };
    assert.deepEqual(findPosition(nodeDigest, sought), { k: 1 });
    assert.equal(findPosition(nodeDigest, { ...sought, value: filled(16, 1) }), null);
    assert.equal(findPosition(nodeDigest, { ...sought, present: { k: 1, value } }), null);
    const applied = { ...sought, values: [value] };
    assert.deepEqual(findAppliedPosition(nodeDigest, { ...applied, present: { k: 1, value } }), {
      k: 1,
      value,
    });
    assert.equal(findAppliedPosition(nodeDigest, applied), null);
  });

  it('knows what was applied before, at the present position or below, but not the anchor', () => {
    const applied = (k: number, present: number): Position | null =>
      findAppliedPosition(nodeDigest, {
        aid,
        chain: free,
        values: [filled(16, 1), at(k).value, filled(16, 2)],
        ctx: k % 256,
        present: at(present),
      });
    for (const k of [1, 25, 256, 281, 300]) assert.deepEqual(applied(k, 300), at(k));
    for (const k of [0, 301, 556]) assert.equal(applied(k, 300), null);
    assert.equal(applied(0, 0), null);
  });

  it('keeps within its bounds of hashes', () => {
    const near = counting();
    const sought = { aid, chain: free, value: filled(16, 1), ctx: 0, present: at(0) };
    assert.equal(findPosition(near.digest, sought), null);
    assert.equal(near.hashes(), 9216);
    const far = counting();
    assert.equal(findPosition(far.digest, { ...sought, quantity: 65_280 }), null);
    assert.equal(far.hashes(), 9216 + 65_280);
    const below = counting();
    const values = [filled(16, 1), filled(16, 2), filled(16, 3)];
    assert.equal(findAppliedPosition(below.digest, { ...sought, values, present: at(700) }), null);
    assert.equal(below.hashes(), 700, 'however many values');
    const applied = { ...sought, ctx: 188, values: [...values, at(444).value], present: at(700) };
    assert.deepEqual(findAppliedPosition(below.digest, applied), at(444));
    assert.equal(below.hashes(), 700 + 256, 'no step below the position found');
  });
});

describe('a server given a code', () => {
  it('takes its mask off and finds what it brings; a code for another server fits nothing', () => {
    const reveal = { kind: 'key-pack', line: 3, k: 700 } as const;
    const code = revealCode(nodeDigest, { kitKey, aid, lsidValue, reveal });
    const anchor = { k: 0, value: chainAnchor(nodeDigest, { kitKey, aid, chain: freeChain(3) }) };
    const seen = (own: Uint8Array): { k: number } | null =>
      findPosition(nodeDigest, {
        aid,
        chain: freeChain(3),
        value: maskValue(nodeDigest, { kind: 'key-pack', lsidValue: own }, code.value),
        ctx: code.ctx,
        present: anchor,
      });
    assert.deepEqual(seen(lsidValue), { k: 700 });
    assert.equal(seen(sourceValue), null);
  });

  it('finds a held key pack only with the source that it came from', () => {
    const reveal = { kind: 'held-key-pack', line: 0, k: 15, sourceValue } as const;
    const code = revealCode(nodeDigest, { kitKey, aid, lsidValue, reveal });
    const chain = heldChain(0);
    const anchor = { k: 0, value: chainAnchor(nodeDigest, { kitKey, aid, chain }) };
    const seen = (source: Uint8Array): { k: number } | null =>
      findPosition(nodeDigest, {
        aid,
        chain,
        value: maskValue(nodeDigest, { kind: 'held-key-pack', lsidValue, sourceValue: source }, code.value),
        ctx: code.ctx,
        present: anchor,
      });
    assert.deepEqual(seen(sourceValue), { k: 15 });
    assert.equal(seen(lsidValue), null);
  });
});
