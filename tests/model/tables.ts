/**
 * The models held against the tables that the programs run (core/move.ts, core/move-servers.ts): a step of a
 * model is what the table says, with the same next state, the same messages and the same amounts, and what a
 * model ignores the table ignores. Every step of every reachable state is looked at, and what a state allows
 * depends on nothing else: so each history of the models is one of the tables.
 */
import assert from 'node:assert/strict';
import type { MoveEffect, MoveEvent, MoveState } from '../../src/core/move.ts';
import { advance } from '../../src/core/move.ts';
import type { SourceEvent, SourceState, TargetEvent, TargetState } from '../../src/core/move-servers.ts';
import { advanceSource, advanceTarget } from '../../src/core/move-servers.ts';
import { startMove } from '../../src/core/move-start.ts';
import type { Step } from './explore.ts';
import { at } from './holders.ts';
import { receivers } from './one-move-mail.ts';
import type { State } from './one-move-state.ts';
import type { Design, State as TelephoneState } from './telephone-state.ts';

interface Parts {
  readonly move: MoveState | 'none';
  readonly source: SourceState;
  readonly target: TargetState;
}

/** What a table answers: the next state, and what is sent or read out. Null where nothing changes. */
interface Answer<PartState> {
  readonly state: PartState;
  readonly told: readonly string[];
  readonly effects: readonly string[];
}

type Told = { readonly do: string; readonly message?: string; readonly code?: string };

function answerOf<PartState>(
  step: ReturnType<typeof advance> | ReturnType<typeof advanceSource> | ReturnType<typeof advanceTarget>,
): Answer<PartState> | null {
  if (!step.ok || step.value.again) return null;
  const effects: readonly Told[] = step.value.effects;
  return {
    // The table that was asked has states of this kind.
    state: step.value.state as PartState,
    told: effects.flatMap(({ message, code }) => message ?? code ?? []).sort(),
    effects: effects.map((effect) => effect.do),
  };
}

const id = 'the move';

const clearinghouseEvents: Readonly<Record<string, MoveEvent>> = {
  ...{ grant: 'grant', commit: 'verified' },
  'declare the source dead': 'declare-dead',
  'take the declaration back': 'dead-abort',
  'grant for the dead source': 'horizon-passed',
  ...{ 'undo before the grant': 'cancel', 'undo after the grant': 'cancel' },
  'clearinghouse reads: frozen': 'frozen',
  'clearinghouse reads: installed': 'installed',
  'clearinghouse reads: released': 'released',
  'clearinghouse reads: relinquished': 'relinquished',
};

const sourceEvents: Readonly<Record<string, SourceEvent>> = {
  'source reads: freeze': 'freeze',
  'source reads: unfreeze': 'unfreeze',
  'source reads: release': 'release',
};

const targetEvents: Readonly<Record<string, TargetEvent>> = {
  'target reads: grant': 'grant',
  'target reads: final': 'final',
  'target reads: cancel': 'cancel',
};

/**
 * What the model knows without being told: its target reads of the release in the world, and a declaration
 * changes nothing on it (dead-source.ts has what it does there).
 */
const unsaid: ReadonlySet<string> = new Set(['source-closed', 'source-dead', 'source-lives']);

/**
 * From a dead source the model installs and commits in two steps, as from one that works; the programs wait for
 * nothing between them, so that both states before the second are *fenced*, and those after it *closed*.
 */
function moveOf({ ch }: State): Parts['move'] {
  if (!ch.ofDead) return ch.move;
  return ch.move === 'granted' || ch.move === 'installed' ? 'fenced' : 'closed';
}

/** The event that the table has for a step of the clearinghouse; null: it is in the model alone. */
function heardOf({ ch }: State, event: string): MoveEvent | null | undefined {
  if (!ch.ofDead) return clearinghouseEvents[event];
  if (event === 'clearinghouse reads: installed') return null;
  return event === 'commit' ? 'installed' : clearinghouseEvents[event];
}

function partsOf(state: State): Parts {
  const { source, target } = state;
  const undone = source.tombstone ? 'undone' : 'none';
  return {
    move: moveOf(state),
    source: source.state === 'ok' ? undone : source.state,
    target: target.state,
  };
}

/** A move of all that the source has, with nothing in its way. */
export const anyMove = {
  source: 'S',
  target: 'T',
  quantity: 'all',
  committed: 2,
  open: null,
  unfinished: false,
} as const;

function start(reason: 'replaced' | 'dead'): Answer<MoveState> | null {
  return answerOf<MoveState>(startMove({ reason, carrier: 'online', ...anyMove }));
}

interface Made {
  readonly parts: Parts;
  readonly told: readonly string[];
  readonly effects: readonly string[];
}

/** What the tables make of an event: the parts afterwards, and the letters that are new. */
function byTables(state: State, parts: Parts, event: string): Made {
  const { move } = parts;
  const nothing = { parts, told: [], effects: [] };
  const heard = heardOf(state, event);
  const ordered = sourceEvents[event];
  const arrived = targetEvents[event];
  if (event === 'start' && move === 'none') return changed(parts, 'move', start('replaced'));
  // Its closing is no event of a move that it has a part in: whatever it had is over.
  if (event === 'source reads: close') return { ...nothing, parts: { ...parts, source: 'closed' } };
  if (heard === null) return nothing;
  if (heard !== undefined && (move !== 'none' || heard === 'declare-dead')) {
    // A freeze is sent with a declaration, too; the model has it only where a move was begun before.
    const from = move === 'none' ? (start('dead')?.state ?? 'reserved') : move;
    return changed(parts, 'move', answerOf<MoveState>(advance({ id, state: from }, heard, 'online')));
  }
  if (ordered !== undefined) {
    const answer = advanceSource({ id, state: parts.source }, ordered, 'online');
    return changed(parts, 'source', answerOf<SourceState>(answer));
  }
  if (arrived !== undefined) {
    const answer = advanceTarget({ id, state: parts.target }, arrived);
    return changed(parts, 'target', answerOf<TargetState>(answer));
  }
  return nothing;
}

function changed<Part extends keyof Parts>(
  parts: Parts,
  part: Part,
  answer: Answer<Parts[Part]> | null,
): Made {
  if (answer === null) return { parts, told: [], effects: [] };
  const { effects } = answer;
  const told = answer.told.filter((message) => !unsaid.has(message));
  // Fencing a source off says so to it.
  const closing = effects.includes('fence-source') ? ['close'] : [];
  return { parts: { ...parts, [part]: answer.state }, told: [...told, ...closing].sort(), effects };
}

type Amounts = readonly [source: number, transit: number, target: number];

/**
 * The books of the clearinghouse after the effects of a step, for a move of everything. What is quarantined is the
 * source's: the model does not count it apart.
 */
function posted([source, transit, target]: Amounts, effects: readonly string[]): Amounts {
  const does = (effect: MoveEffect['do']): boolean => effects.includes(effect);
  if (does('reserve-in-transit')) return [0, source + transit, target];
  if (does('post-to-target')) return [source, 0, target + transit];
  if (does('void-to-source')) return [source + transit, 0, target];
  return [source, transit, target];
}

const amountsOf = ({ ch }: State): Amounts => [ch.committedToSource, ch.inTransit, ch.committedToTarget];

/** Letters that a step has sent; one that tells a source to give up which is fenced off anyway is left out. */
function toldBy(state: State, next: State): readonly string[] {
  const before = new Set(state.mail.map(({ key }) => key));
  const told = next.mail.filter(({ key }) => !before.has(key)).map(({ kind }) => kind);
  return told.filter((kind) => !(next.ch.ofDead && kind === 'release')).sort();
}

/** A letter that is in the model alone, since nothing is asked of a source that is fenced off: its closing says all. */
function isModelsOwn({ ch }: State, event: string): boolean {
  return ch.ofDead && event === 'source reads: release';
}

/** What is due is done before a letter is read: a dead source whose horizon has passed is fenced off by then. */
function comesTooLate({ ch, horizonPassed }: State, event: string): boolean {
  return ch.move === 'dead-wait' && horizonPassed && event === 'clearinghouse reads: frozen';
}

/** Compares all steps of one state by message, and what it ignores; answers how many were compared. */
export function compareWithTables(state: State, steps: readonly Step<State>[]): number {
  const parts = partsOf(state);
  let compared = 0;
  for (const { event, next } of steps) {
    if (isModelsOwn(state, event)) continue;
    const table = byTables(state, parts, event);
    assert.deepEqual(partsOf(next), table.parts, event);
    assert.deepEqual(toldBy(state, next), table.told, event);
    assert.deepEqual(amountsOf(next), posted(amountsOf(state), table.effects), event);
    compared += 1;
  }
  if (state.ch.ofDead && parts.move !== 'none') {
    assert.ok(!advance({ id, state: parts.move }, 'cancel', 'online').ok, 'a dead source gets nothing back');
  }
  const taken = new Set(steps.map(({ event }) => event));
  for (const { kind } of state.mail) {
    const event = `${receivers[kind]} reads: ${kind}`;
    if (taken.has(event) || (state.dead && receivers[kind] === 'source')) continue;
    if (isModelsOwn(state, event) || comesTooLate(state, event)) continue;
    assert.deepEqual(byTables(state, parts, event).parts, parts, `${event} is ignored`);
    compared += 1;
  }
  return compared;
}

const freezeStates = { frozen: 'frozen', released: 'closed', undone: 'undone' } as const;

/** One move by telephone: the desk starts it before its freeze can be heard of, and has no target part. */
function telephoneParts(state: TelephoneState, index: number, design: Design): Omit<Parts, 'target'> {
  const move = at(state.moves, index);
  const freeze = at(at(state.servers, at(design.moves, index).from).freezes, index);
  const reserved = move.state === 'none' ? 'reserved' : move.state;
  return {
    move: move.returned ? 'closed' : reserved,
    source: freeze === null ? 'none' : freezeStates[freeze.state],
  };
}

const telephoneMoveEvents: readonly (readonly [RegExp, MoveEvent])[] = [
  [/^desk hears: frozen (\d)/, 'frozen'],
  [/^desk hears: released (\d)/, 'released'],
  [/^desk grants move (\d)/, 'grant'],
  [/^desk undoes move (\d)/, 'cancel'],
];

const telephoneSourceEvents: readonly (readonly [RegExp, SourceEvent])[] = [
  [/freezes for move (\d)/, 'freeze'],
  [/releases move (\d)/, 'release'],
  [/^typed: undo (\d)/, 'unfreeze'],
];

function found<Event>(table: readonly (readonly [RegExp, Event])[], event: string) {
  for (const [pattern, named] of table) {
    const index = pattern.exec(event)?.[1];
    if (index !== undefined) return { named, index: Number(index) };
  }
  return undefined;
}

/**
 * Compares all steps of one state by telephone; answers how many were compared. The model lets the desk undo
 * a frozen move, by a code that is not built: there the table must refuse, so that the programs do less than
 * what the model showed to be safe.
 */
export function compareTelephone(
  state: TelephoneState,
  steps: readonly Step<TelephoneState>[],
  design: Design,
): number {
  let compared = 0;
  for (const { event, next } of steps) {
    const atDesk = found(telephoneMoveEvents, event);
    const onSource = found(telephoneSourceEvents, event);
    const index = atDesk?.index ?? onSource?.index;
    if (index === undefined) continue;
    compared += 1;
    const before = telephoneParts(state, index, design);
    const after = telephoneParts(next, index, design);
    if (onSource !== undefined) {
      const step = advanceSource({ id, state: before.source }, onSource.named, 'telephone');
      assert.equal(answerOf<SourceState>(step)?.state, after.source, event);
      assert.equal(after.move, before.move, event);
      continue;
    }
    if (atDesk === undefined || before.move === 'none') continue;
    const step = advance({ id, state: before.move }, atDesk.named, 'telephone');
    if (atDesk.named === 'cancel') {
      assert.equal(step.ok ? '' : step.error.code, 'move-state', event);
      continue;
    }
    const answer = answerOf<MoveState>(step);
    assert.equal(answer?.state, after.move, event);
    assert.deepEqual(readOuts(state, next, index), nonZero(answer?.told ?? [], at(next.moves, index)), event);
  }
  return compared;
}

/** The codes of the table, without those that would be of no units. */
function nonZero(told: readonly string[], move: { unissued: number; held: number }): readonly string[] {
  return told.filter((code) => (code === 'key-pack' ? move.unissued : move.held) > 0);
}

function readOuts(before: TelephoneState, after: TelephoneState, index: number): readonly string[] {
  const { unissued } = at(after.moves, index);
  return after.codes
    .filter((code) => !before.codes.includes(code))
    .filter(({ kind }) => kind === 'held key pack' || (kind === 'key pack' && unissued > 0))
    .map(({ kind }) => (kind === 'key pack' ? 'key-pack' : 'held-key-pack'))
    .sort();
}
