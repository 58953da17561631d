import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MoveState } from './move.ts';
import { isOver } from './move.ts';
import type { Awaited, MoveAtServer } from './move-awaited.ts';
import { awaited, awaitedAtServer, awaitedDeactivated } from './move-awaited.ts';

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

/** What an end shows in each state of its list (docs/moves.md), from whom, and words that must or must not be in it. */
const atServers: readonly (readonly [
  MoveAtServer['role'],
  string,
  Partial<MoveAtServer>,
  Awaited['from'],
  RegExp,
])[] = [
  ['source', 'requested', {}, 'clearinghouse', /take the move in/],
  ['source', 'requested', { undo: 'asked' }, 'clearinghouse', /hear that the move is to be undone/],
  ['source', 'frozen', {}, 'target', /is to install/],
  [
    'source',
    'frozen',
    { hold: true },
    'administrator',
    /finish it here: repeat calyx server move without --hold/,
  ],
  ['source', 'frozen', { carrier: 'telephone' }, 'source', /calyx server deactivate --code-out/],
  ['source', 'frozen', { undo: 'asked' }, 'clearinghouse', /hear that the move is to be undone/],
  ['source', 'frozen', { undo: 'heard', hold: true }, 'target', /give back what it installed/],
  ['source', 'closed', {}, 'nobody', /finished/],
  ['source', 'closed', { carrier: 'telephone' }, 'nobody', /codes that were read out/],
  ['source', 'undone', {}, 'nobody', /was undone/],
  ['source', 'undone', { undo: 'asked' }, 'nobody', /nothing was frozen.*hears of it/],
  ['source', 'refused', {}, 'nobody', /was undone/],
  ['target', 'requested', {}, 'clearinghouse', /take the declaration in/],
  ['target', 'dead-wait', {}, 'clearinghouse', /horizon of the source is to pass/],
  [
    'target',
    'dead-wait',
    { carrier: 'telephone' },
    'clearinghouse',
    /calyx server install --code CODE --from ID/,
  ],
  ['target', 'provisional', {}, 'clearinghouse', /are installed here/],
  ['target', 'provisional', { hold: true }, 'administrator', /finish it on the source/],
  ['target', 'provisional', { undo: 'heard' }, 'target', /give back/],
  ['target', 'provisional', { active: false }, 'administrator', /is deactivated.*Activate it again/],
  ['target', 'provisional', { active: false, hold: true }, 'administrator', /is deactivated/],
  ['target', 'provisional', { active: false, undo: 'asked' }, 'clearinghouse', /is to be undone/],
  ['target', 'final', {}, 'source', /is to release/],
  ['target', 'closed', {}, 'nobody', /finished/],
  ['target', 'relinquished', {}, 'nobody', /was undone/],
];

describe('awaitedAtServer', () => {
  it('says what the end of a move can know, and where something is to be done', () => {
    for (const [role, state, more, from, words] of atServers) {
      const plain = { carrier: 'online', hold: false, undo: 'none', active: true } as const;
      const shown = awaitedAtServer({ role, state, ...plain, ...more });
      assert.equal(shown.from, from, `${role} ${state} ${JSON.stringify(more)}: ${shown.text}`);
      assert.match(shown.text, words);
    }
  });
});

describe('awaitedDeactivated', () => {
  it('says of each move that waits for a target what a deactivated one is to do, and how else it goes on', () => {
    for (const state of states) {
      const shown = awaitedDeactivated(state);
      const waits = ['granted', 'installed', 'aborting'].includes(state);
      assert.equal(shown?.from, waits ? 'target' : undefined, state);
      if (waits) assert.match(String(shown?.text), /deactivated.* activated again/);
    }
  });
});
