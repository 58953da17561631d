import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Carrier, MoveEffect, MoveEvent, MoveState } from './move.ts';
import { advance, isOver } from './move.ts';
import type { RefusalCode } from './refusal.ts';

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
const events: readonly MoveEvent[] = [
  'frozen',
  'grant',
  'installed',
  'verified',
  'released',
  'cancel',
  'relinquished',
  'kept',
  'declare-dead',
  'horizon-passed',
  'early-release',
  'dead-abort',
  'nothing-left',
  'target-gone',
  'target-lapsed',
];

/** "post-to-target", "target:grant", "code:key-pack": effects on one line, to compare. */
function told(effects: readonly MoveEffect[]): string {
  return effects
    .map((effect) => {
      if (effect.do === 'send') return `${effect.to}:${effect.message}`;
      return effect.do === 'read-out' ? `code:${effect.code}` : effect.do;
    })
    .join(' ');
}

/** [state, event, next state or refusal or "again", effects] */
type Row = readonly [MoveState, MoveEvent, MoveState | RefusalCode | 'again', string];

const onlineRows: readonly Row[] = [
  ['reserved', 'target-gone', 'aborted', 'source:unfreeze'],
  ['granted', 'target-gone', 'aborting', ''],
  ['installed', 'target-gone', 'aborting', ''],
  ['fenced', 'target-gone', 'closed', 'post-to-target'],
  ['committed', 'target-gone', 'move-state', ''],
  ['aborting', 'target-lapsed', 'aborted', 'void-to-source source:unfreeze'],
  ['returning', 'target-lapsed', 'closed', 'post-to-lapse'],
  ['granted', 'target-lapsed', 'move-state', ''],
  ['dead-wait', 'nothing-left', 'aborted', 'fence-source target:source-lives'],
  ['reserved', 'frozen', 'frozen', 'reserve-in-transit'],
  ['frozen', 'grant', 'granted', 'target:grant'],
  ['granted', 'installed', 'installed', ''],
  ['installed', 'verified', 'committed', 'post-to-target source:release target:final'],
  ['committed', 'released', 'closed', 'target:source-closed'],
  ['reserved', 'cancel', 'aborted', 'source:unfreeze'],
  ['frozen', 'cancel', 'aborted', 'void-to-source source:unfreeze'],
  ['granted', 'cancel', 'aborting', 'target:cancel'],
  ['installed', 'cancel', 'aborting', 'target:cancel'],
  ['aborting', 'relinquished', 'aborted', 'void-to-source source:unfreeze'],
  ['frozen', 'released', 'closed', 'target:grant post-to-target target:final target:source-closed'],
  ['granted', 'released', 'closed', 'post-to-target target:final target:source-closed'],
  ['installed', 'released', 'closed', 'post-to-target target:final target:source-closed'],
  ['aborting', 'kept', 'committed', 'post-to-target source:release target:final'],
  ['returning', 'kept', 'closed', 'post-to-target target:final target:source-closed'],
  ['granted', 'kept', 'move-state', ''],
  ['installed', 'kept', 'move-state', ''],
  ['aborted', 'kept', 'move-state', ''],
  ['fenced', 'kept', 'move-state', ''],
  ['aborting', 'released', 'returning', ''],
  ['returning', 'relinquished', 'closed', 'post-to-lapse'],
  ['aborted', 'released', 'closed', 'source-to-lapse'],
  ['reserved', 'released', 'earlier-code-missing', ''],
  ['reserved', 'grant', 'move-state', ''],
  ['reserved', 'installed', 'move-state', ''],
  ['granted', 'verified', 'move-state', ''],
  ['granted', 'relinquished', 'move-state', ''],
  ['committed', 'cancel', 'move-state', ''],
  ['closed', 'cancel', 'move-state', ''],
  ['aborted', 'verified', 'move-state', ''],
  ['aborting', 'verified', 'move-state', ''],
  ['reserved', 'declare-dead', 'dead-wait', 'quarantine target:source-dead'],
  ['granted', 'declare-dead', 'move-state', ''],
  ['dead-wait', 'frozen', 'frozen', 'end-quarantine reserve-in-transit'],
  [
    'dead-wait',
    'released',
    'closed',
    'end-quarantine reserve-in-transit target:grant post-to-target target:final target:source-closed',
  ],
  ['dead-wait', 'horizon-passed', 'fenced', 'end-quarantine reserve-in-transit fence-source target:grant'],
  ['dead-wait', 'early-release', 'fenced', 'end-quarantine reserve-in-transit fence-source target:grant'],
  ['dead-wait', 'dead-abort', 'aborted', 'end-quarantine source:unfreeze target:source-lives'],
  ['dead-wait', 'cancel', 'move-state', ''],
  ['dead-wait', 'installed', 'move-state', ''],
  ['fenced', 'installed', 'closed', 'post-to-target target:final target:source-closed'],
  ['fenced', 'cancel', 'move-state', ''],
  ['fenced', 'dead-abort', 'move-state', ''],
  ['granted', 'horizon-passed', 'closed', 'post-to-target target:final target:source-closed'],
  ['committed', 'horizon-passed', 'closed', 'target:source-closed'],
  ['installed', 'horizon-passed', 'closed', 'post-to-target target:final target:source-closed'],
  ['reserved', 'horizon-passed', 'aborted', 'source:unfreeze'],
  ['aborting', 'horizon-passed', 'returning', ''],
  ['reserved', 'target-gone', 'aborted', 'source:unfreeze'],
  ['granted', 'target-gone', 'aborting', ''],
  ['installed', 'target-gone', 'aborting', ''],
  ['dead-wait', 'target-gone', 'aborted', 'end-quarantine source:unfreeze'],
  ['dead-wait', 'nothing-left', 'aborted', 'fence-source target:source-lives'],
  ['fenced', 'target-gone', 'closed', 'post-to-target'],
  ['committed', 'target-gone', 'move-state', ''],
];

const telephoneRows: readonly Row[] = [
  ['reserved', 'target-gone', 'aborted', 'source:unfreeze'],
  ['granted', 'target-gone', 'aborting', ''],
  ['aborting', 'released', 'returning', ''],
  ['aborting', 'target-lapsed', 'aborted', 'void-to-source source:unfreeze'],
  ['returning', 'target-lapsed', 'closed', 'post-to-lapse'],
  ['dead-wait', 'nothing-left', 'aborted', 'fence-source'],
  ['reserved', 'frozen', 'frozen', 'reserve-in-transit'],
  ['frozen', 'grant', 'granted', 'code:key-pack'],
  ['granted', 'released', 'closed', 'post-to-target code:held-key-pack'],
  ['frozen', 'released', 'closed', 'post-to-target code:key-pack code:held-key-pack'],
  ['installed', 'released', 'closed', 'post-to-target code:held-key-pack'],
  ['aborted', 'released', 'closed', 'source-to-lapse'],
  ['reserved', 'released', 'earlier-code-missing', ''],
  ['reserved', 'cancel', 'aborted', 'source:unfreeze'],
  ['frozen', 'cancel', 'move-state', ''],
  ['granted', 'cancel', 'move-state', ''],
  ['aborted', 'frozen', 'move-state', ''],
  ['reserved', 'declare-dead', 'dead-wait', 'quarantine'],
  ['dead-wait', 'frozen', 'frozen', 'end-quarantine reserve-in-transit'],
  [
    'dead-wait',
    'released',
    'closed',
    'end-quarantine reserve-in-transit post-to-target code:key-pack code:held-key-pack',
  ],
  [
    'dead-wait',
    'horizon-passed',
    'closed',
    'end-quarantine reserve-in-transit fence-source post-to-target code:key-pack code:held-key-pack',
  ],
  [
    'dead-wait',
    'early-release',
    'closed',
    'end-quarantine reserve-in-transit fence-source post-to-target code:key-pack code:held-key-pack',
  ],
  ['dead-wait', 'dead-abort', 'aborted', 'end-quarantine source:unfreeze'],
  ['granted', 'horizon-passed', 'closed', 'post-to-target code:held-key-pack'],
  ['reserved', 'horizon-passed', 'aborted', 'source:unfreeze'],
  ['aborting', 'horizon-passed', 'returning', ''],
  ['reserved', 'target-gone', 'aborted', 'source:unfreeze'],
  ['granted', 'target-gone', 'aborting', ''],
  ['dead-wait', 'target-gone', 'aborted', 'end-quarantine source:unfreeze'],
  ['dead-wait', 'nothing-left', 'aborted', 'fence-source'],
];

function table(carrier: Carrier, rows: readonly Row[]): void {
  for (const [state, event, expected, effects] of rows) {
    it(`${state} + ${event} → ${expected}${effects === '' ? '' : `: ${effects}`}`, () => {
      const step = advance({ id: 'm1', state }, event, carrier);
      if (step.ok) {
        assert.deepEqual([step.value.state, told(step.value.effects)], [expected, effects]);
        assert.equal(step.value.again, false);
      } else {
        assert.equal(step.error.code, expected);
      }
    });
  }
}

describe('advance, by messages', () => table('online', onlineRows));
describe('advance, by telephone', () => table('telephone', telephoneRows));

describe('advance', () => {
  it('names the move, its state and the act where it refuses', () => {
    assert.deepEqual(advance({ id: 'm1', state: 'committed' }, 'cancel', 'online'), {
      ok: false,
      error: { code: 'move-state', move: 'm1', state: 'committed', act: 'cancel' },
    });
  });

  it('answers an event that comes again without effects, wherever the first one was taken', () => {
    const cells = states.flatMap((state) => events.map((event) => [state, event] as const));
    for (const carrier of ['online', 'telephone'] as const) {
      for (const [state, event] of cells) {
        const first = advance({ id: 'm1', state }, event, carrier);
        if (!first.ok || first.value.again) continue;
        const second = advance({ id: 'm1', state: first.value.state }, event, carrier);
        assert.deepEqual(
          second,
          { ok: true, value: { state: first.value.state, effects: [], again: true } },
          `${carrier}: ${state} + ${event} twice`,
        );
      }
    }
  });

  it('lets a receipt of the source count in every state but before its freeze', () => {
    for (const carrier of ['online', 'telephone'] as const) {
      for (const state of states) {
        if (state === 'reserved') continue;
        assert.ok(advance({ id: 'm1', state }, 'released', carrier).ok, `${carrier}: ${state}`);
      }
    }
  });
});

describe('isOver', () => {
  it('is so where closed or aborted, and nowhere else', () => {
    assert.deepEqual(
      states.filter((state) => isOver(state)),
      ['closed', 'aborted'],
    );
  });
});
