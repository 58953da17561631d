/** The model of several moves held against the tables that the programs run: each step leads where they lead. */
import assert from 'node:assert/strict';
import type { MoveEvent, MoveState } from '../../src/core/move.ts';
import { advance } from '../../src/core/move.ts';
import type { SourceEvent, TargetEvent } from '../../src/core/move-servers.ts';
import { advanceSource, advanceTarget } from '../../src/core/move-servers.ts';
import type { Step } from './explore.ts';
import { at } from './holders.ts';
import type { Move, State } from './several-moves-state.ts';

const id = 'the move';

/** What a step of the clearinghouse is heard of as; a receipt may stand for two, which come together. */
const desk: readonly (readonly [RegExp, readonly MoveEvent[]])[] = [
  [/^grant (\d)$/, ['frozen', 'grant']],
  [/^undo (\d)$/, ['cancel']],
  [/^commit (\d)$/, ['installed', 'verified']],
  [/^close (\d)$/, ['released']],
  [/^end the undo (\d)$/, ['relinquished']],
];

const source: readonly (readonly [RegExp, SourceEvent])[] = [
  [/^source of (\d) freezes/, 'freeze'],
  [/^source of (\d) releases/, 'release'],
  [/^source of (\d) takes back/, 'unfreeze'],
];

const target: readonly (readonly [RegExp, TargetEvent])[] = [
  [/^target of (\d) installs/, 'grant'],
  [/^target of (\d) gives back/, 'cancel'],
  [/^final (\d)$/, 'final'],
  [/^known to be closed (\d)$/, 'source-closed'],
];

function found<Event>(table: readonly (readonly [RegExp, Event])[], event: string) {
  for (const [pattern, named] of table) {
    const index = pattern.exec(event)?.[1];
    if (index !== undefined) return { named, index: Number(index) };
  }
  return undefined;
}

function after(state: MoveState, events: readonly MoveEvent[]): MoveState {
  return events.reduce((now: MoveState, event) => {
    const step = advance({ id, state: now }, event, 'online');
    assert.ok(step.ok && !step.value.again, `${event} in ${now}`);
    return step.value.state;
  }, state);
}

/** To the tables a target that knows its source to be closed is *final* like any other. */
const targetOf = ({ target: stands }: Move) => (stands === 'closed' ? 'final' : stands);

/** Compares all steps of one state; answers how many were compared. */
export function compareSeveral(state: State, steps: readonly Step<State>[]): number {
  let compared = 0;
  for (const { event, next } of steps) {
    const heard = found(desk, event);
    const ordered = found(source, event);
    const arrived = found(target, event);
    const index = heard?.index ?? ordered?.index ?? arrived?.index;
    if (index === undefined) continue;
    compared += 1;
    const before = at(state.moves, index);
    const then = at(next.moves, index);
    if (heard !== undefined && before.state !== 'none')
      assert.equal(after(before.state, heard.named), then.state, event);
    if (ordered !== undefined) {
      const step = advanceSource({ id, state: before.source }, ordered.named, 'online');
      assert.ok(step.ok && step.value.state === then.source, event);
    }
    if (arrived !== undefined) {
      const step = advanceTarget({ id, state: targetOf(before) }, arrived.named);
      assert.ok(step.ok && step.value.state === targetOf(then), event);
    }
  }
  return compared;
}
