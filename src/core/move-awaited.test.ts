import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MoveState } from './move.ts';
import { isOver } from './move.ts';
import { awaited } from './move-awaited.ts';

const states: readonly MoveState[] = [
  'reserved',
  'frozen',
  'granted',
  'installed',
  'committed',
  'closed',
  'aborting',
  'returning',
  'aborted',
  'dead-wait',
  'fenced',
];

describe('awaited', () => {
  it('says from whom something is awaited in every state', () => {
    for (const carrier of ['online', 'telephone'] as const) {
      for (const state of states) {
        const { from, text } = awaited(state, carrier);
        assert.match(text, /^[A-Z].{20,}[.E]$/);
        if (isOver(state)) assert.equal(from, 'nobody');
      }
    }
    assert.equal(awaited('reserved', 'telephone').from, 'source');
    assert.match(awaited('reserved', 'telephone').text, /calyx server move --freeze/);
    assert.match(awaited('granted', 'telephone').text, /calyx server deactivate/);
    assert.equal(awaited('granted', 'online').from, 'target');
  });
});
