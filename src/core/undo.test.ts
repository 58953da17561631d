import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Carrier, MoveState } from './move.ts';
import { advance } from './move.ts';
import type { Undoable } from './undo.ts';
import { checkUndo } from './undo.ts';

const states: Readonly<Record<MoveState, readonly [online: boolean, telephone: boolean]>> = {
  reserved: [true, true],
  frozen: [true, false],
  granted: [true, false],
  installed: [true, false],
  committed: [false, false],
  closed: [false, false],
  aborting: [true, true],
  returning: [true, true],
  aborted: [true, true],
  'dead-wait': [true, true],
  fenced: [false, false],
};

const move: Omit<Undoable, 'state' | 'carrier' | 'unissued' | 'held'> = {
  id: 'm-1',
  agreement: '4965437',
  product: 'ts-2022',
  type: 'device',
  quantity: 'all',
  source: 'S',
  target: 'T',
  sourceIs: 'deactivated',
};

function undo(state: MoveState, carrier: Carrier, moved = { unissued: 25, held: 15 }) {
  return checkUndo({ ...move, ...moved, state, carrier });
}

describe('checkUndo', () => {
  for (const [state, [online, telephone]] of Object.entries(states) as [MoveState, [boolean, boolean]][]) {
    it(`${online ? 'allows' : 'refuses'} ${state} by messages, ${telephone ? 'allows' : 'refuses'} it by telephone`, () => {
      assert.equal(undo(state, 'online').ok, online);
      assert.equal(undo(state, 'telephone').ok, telephone);
    });
  }

  it('refuses nothing that the table of moves can undo, and allows nothing that it cannot', () => {
    for (const state of Object.keys(states) as MoveState[]) {
      if (state === 'dead-wait') continue;
      for (const carrier of ['online', 'telephone'] as const) {
        assert.equal(undo(state, carrier).ok, advance({ id: 'm-1', state }, 'cancel', carrier).ok, state);
      }
    }
  });

  it('says what is to be moved back: what was moved, or what was asked for', () => {
    const refused = undo('closed', 'online');
    assert.deepEqual(refused.ok ? null : refused.error, {
      code: 'undo-too-late',
      ...{ move: 'm-1', state: 'closed', carrier: 'online', agreement: '4965437' },
      ...{ product: 'ts-2022', type: 'device', quantity: 40, source: 'S', target: 'T' },
      sourceIs: 'deactivated',
    });
    const nothing = undo('closed', 'online', { unissued: 0, held: 0 });
    assert.partialDeepStrictEqual(nothing, { error: { quantity: 'all' } });
  });
});
