import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MoveStep } from './move.ts';
import type { MoveWish } from './move-start.ts';
import { startMove } from './move-start.ts';

const messagesOf = ({ effects }: MoveStep): string =>
  effects.map((effect) => (effect.do === 'send' ? `${effect.to}:${effect.message}` : effect.do)).join(' ');

const request = {
  reason: 'replaced',
  carrier: 'online',
  source: 'A',
  target: 'B',
  quantity: 25,
  committed: 100,
  open: null,
  unfinished: false,
} as const;

describe('startMove', () => {
  it('sends a freeze where messages travel, and waits for the source where they do not', () => {
    for (const [carrier, effects] of [
      ['online', 'source:freeze'],
      ['telephone', ''],
    ] as const) {
      const started = startMove({ ...request, carrier });
      assert.ok(started.ok);
      assert.equal(started.value.state, 'reserved');
      assert.equal(messagesOf(started.value), effects);
    }
  });

  it('starts a move from a dead source like any other', () => {
    const started = startMove({ ...request, reason: 'dead', quantity: 'all' });
    assert.ok(started.ok);
    assert.equal(started.value.state, 'reserved');
    assert.equal(messagesOf(started.value), 'source:freeze');
  });

  it('declares a source dead whatever it had begun, and asks it for no freeze that it cannot make', () => {
    for (const state of ['granted', 'installed', 'committed', 'aborting'] as const) {
      const wish = { ...request, reason: 'dead', quantity: 'all', open: { id: 'm0', state } } as const;
      for (const change of [{}, { committed: 0, unfinished: true }]) {
        const started = startMove({ ...wish, ...change });
        assert.ok(started.ok, state);
        assert.equal(messagesOf(started.value), '', state);
      }
    }
  });

  it('takes everything there is', () => {
    assert.ok(startMove({ ...request, quantity: 'all' }).ok);
    assert.ok(startMove({ ...request, quantity: 100 }).ok);
  });

  const refused: readonly [string, Partial<MoveWish>, object][] = [
    ['a move to itself', { target: 'A' }, { code: 'move-to-itself', licenseServerId: 'A' }],
    [
      'a source that was declared dead already',
      { reason: 'dead', quantity: 'all', open: { id: 'm0', state: 'dead-wait' } },
      { code: 'server-declared-dead', licenseServerId: 'A', move: 'm0' },
    ],
    [
      'another move of what was granted from a dead source',
      { open: { id: 'm0', state: 'fenced' } },
      { code: 'server-declared-dead', licenseServerId: 'A', move: 'm0' },
    ],
    [
      'a part of a dead source',
      { reason: 'dead' },
      {
        code: 'invalid-input',
        field: 'quantity',
        problem: 'a source that no longer functions cannot keep a part: all CALs of the product are moved',
      },
    ],
    [
      'a second move of the same line',
      { open: { id: 'm0', state: 'granted' } },
      { code: 'move-open', move: 'm0', state: 'granted' },
    ],
    [
      'more than there is',
      { quantity: 101 },
      { code: 'move-more-than-there-is', asked: 101, available: 100 },
    ],
    [
      'all of nothing',
      { quantity: 'all', committed: 0 },
      { code: 'move-more-than-there-is', asked: 0, available: 0 },
    ],
    [
      'a dead source that has nothing, and nothing under way',
      { reason: 'dead', quantity: 'all', committed: 0 },
      { code: 'move-more-than-there-is', asked: 0, available: 0 },
    ],
    [
      'all of nothing of a source that works, whatever is under way',
      { quantity: 'all', committed: 0, unfinished: true },
      { code: 'move-more-than-there-is', asked: 0, available: 0 },
    ],
    [
      'more than a move brings, however they are divided',
      { quantity: 131_071, committed: 200_000 },
      { code: 'move-too-large', asked: 131_071, most: 65_535 },
    ],
    ['no quantity', { quantity: 0 }, { code: 'quantity-invalid', quantity: 0, most: 100 }],
    ['half a CAL', { quantity: 1.5 }, { code: 'quantity-invalid', quantity: 1.5, most: 100 }],
  ];
  for (const [name, change, error] of refused) {
    it(`refuses ${name}`, () => {
      assert.deepEqual(startMove({ ...request, ...change }), { ok: false, error });
    });
  }
});
