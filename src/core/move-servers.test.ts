import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Carrier, MoveEvent, MoveState, MoveStep } from './move.ts';
import { advance, isOver } from './move.ts';
import type { SourceEvent, SourceState, TargetEvent, TargetState } from './move-servers.ts';
import { advanceSource, advanceTarget, checkFreeze } from './move-servers.ts';
import { startMove } from './move-start.ts';
import type { Refusal, RefusalCode } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';

type Effect = { readonly do: string; readonly message?: string; readonly confirmation?: string };

function told(effects: readonly Effect[]): string {
  return effects.map((effect) => effect.message ?? effect.confirmation ?? effect.do).join(' ');
}

describe('the source', () => {
  type Row = readonly [SourceState, SourceEvent, SourceState | RefusalCode | 'again', string];
  const rows: readonly Row[] = [
    ['none', 'freeze', 'frozen', 'freeze-units frozen'],
    ['none', 'unfreeze', 'undone', ''],
    ['none', 'release', 'move-unknown', ''],
    ['frozen', 'freeze', 'again', ''],
    ['frozen', 'unfreeze', 'undone', 'unfreeze-units'],
    ['frozen', 'release', 'closed', 'release-units released'],
    ['closed', 'freeze', 'again', ''],
    ['closed', 'unfreeze', 'again', ''],
    ['closed', 'release', 'again', ''],
    ['undone', 'freeze', 'again', ''],
    ['undone', 'unfreeze', 'again', ''],
    ['undone', 'release', 'move-state', ''],
  ];
  for (const carrier of ['online', 'telephone'] as const) {
    for (const [state, event, expected, effects] of rows) {
      it(`${carrier}: ${state} + ${event} → ${expected}`, () => {
        const step = advanceSource({ id: 'm1', state }, event, carrier);
        if (!step.ok) return assert.equal(step.error.code, expected);
        assert.equal(step.value.again ? 'again' : step.value.state, expected);
        assert.equal(told(step.value.effects), effects);
        const receipts = step.value.effects.filter((each) => each.do === 'send' || each.do === 'read-out');
        for (const each of receipts) assert.equal(each.do, carrier === 'online' ? 'send' : 'read-out');
      });
    }
  }
});

describe('the target', () => {
  type Row = readonly [TargetState, TargetEvent, TargetState | RefusalCode | 'again', string];
  const rows: readonly Row[] = [
    ['none', 'grant', 'provisional', 'apply-grant installed'],
    ['none', 'cancel', 'relinquished', 'relinquished'],
    ['none', 'final', 'move-unknown', ''],
    ['none', 'source-closed', 'move-unknown', ''],
    ['provisional', 'grant', 'again', ''],
    ['provisional', 'final', 'final', 'make-final'],
    ['provisional', 'cancel', 'relinquished', 'relinquish-units relinquished'],
    ['provisional', 'source-closed', 'final', 'make-final open-inherited'],
    ['final', 'grant', 'again', ''],
    ['final', 'final', 'again', ''],
    ['final', 'cancel', 'move-state', ''],
    ['final', 'source-closed', 'final', 'open-inherited'],
    ['relinquished', 'grant', 'again', ''],
    ['relinquished', 'cancel', 'again', ''],
    ['relinquished', 'final', 'move-state', ''],
    ['relinquished', 'source-closed', 'move-state', ''],
  ];
  for (const [state, event, expected, effects] of rows) {
    it(`${state} + ${event} → ${expected}`, () => {
      const step = advanceTarget({ id: 'm1', state }, event);
      if (!step.ok) return assert.equal(step.error.code, expected);
      assert.equal(step.value.again ? 'again' : step.value.state, expected);
      assert.equal(told(step.value.effects), effects);
    });
  }
});

describe('checkFreeze', () => {
  const request = { move: 'm1', source: 'A', target: 'B', open: null };

  it('lets a first freeze and a repeat of the same through', () => {
    assert.ok(checkFreeze(request).ok);
    assert.ok(checkFreeze({ ...request, open: { id: 'm1', state: 'frozen' } }).ok);
  });

  it('refuses a second freeze of a line and a freeze for the server itself', () => {
    assert.deepEqual(checkFreeze({ ...request, open: { id: 'm0', state: 'frozen' } }), {
      ok: false,
      error: { code: 'move-open', move: 'm0', state: 'frozen' },
    });
    assert.deepEqual(checkFreeze({ ...request, target: 'A' }), {
      ok: false,
      error: { code: 'move-to-itself', licenseServerId: 'A' },
    });
  });
});

/*
 * All interleavings of the three tables: two units, one unissued and one held; every message and
 * code ever made stays deliverable, in any order, any number of times; the administrator releases,
 * undoes and confirms whenever the tables let him. Leases and holders are the model checker's matter
 * (protocol §2.6); here it is books and who may assign.
 */
interface World {
  readonly ch: MoveState | 'none';
  readonly source: SourceState;
  readonly target: TargetState;
  readonly books: {
    readonly source: number;
    readonly transit: number;
    readonly target: number;
    readonly hand: number;
  };
  /** By telephone: units that typed codes have brought to the target. */
  readonly typed: readonly string[];
  readonly sent: readonly string[];
}

const start: World = {
  ch: 'none',
  source: 'none',
  target: 'none',
  books: { source: 2, transit: 0, target: 0, hand: 0 },
  typed: [],
  sent: [],
};

const transfers: Readonly<Record<string, readonly [keyof World['books'], keyof World['books']]>> = {
  'reserve-in-transit': ['source', 'transit'],
  'post-to-target': ['transit', 'target'],
  'void-to-source': ['transit', 'source'],
  'post-to-lapse': ['transit', 'hand'],
  'source-to-lapse': ['source', 'hand'],
};

function perform(world: World, effects: readonly (Effect & { readonly code?: string })[]): World {
  let { books, sent } = world;
  for (const effect of effects) {
    const transfer = transfers[effect.do];
    if (transfer !== undefined) {
      books = { ...books, [transfer[0]]: books[transfer[0]] - 2 };
      books = { ...books, [transfer[1]]: books[transfer[1]] + 2 };
    }
    const message = effect.message ?? effect.confirmation ?? effect.code;
    if (message !== undefined && !sent.includes(message)) sent = [...sent, message].sort();
  }
  return { ...world, books, sent };
}

type Advance = typeof advance;
type Rules = { readonly carrier: Carrier; readonly advance: Advance; readonly source: typeof advanceSource };

const clearinghouseHears: readonly MoveEvent[] = ['frozen', 'installed', 'released', 'relinquished'];
const decisions: readonly MoveEvent[] = ['grant', 'verified', 'cancel'];
const sourceHears: readonly SourceEvent[] = ['freeze', 'unfreeze', 'release'];
const targetHears: readonly TargetEvent[] = ['grant', 'final', 'cancel', 'source-closed'];

/** Every world that can come next. */
function following(world: World, rules: Rules): World[] {
  const next: World[] = [];
  const { carrier } = rules;
  const { ch, sent } = world;
  if (ch === 'none') {
    const started = startMove({
      ...{ reason: 'replaced', carrier, source: 'A', target: 'B', quantity: 2, committed: 2 },
      ...{ open: null, unfinished: false },
    });
    if (started.ok) next.push(perform({ ...world, ch: started.value.state }, started.value.effects));
  } else {
    const heard = [...decisions, ...clearinghouseHears.filter((event) => sent.includes(event))];
    for (const event of heard) {
      const step = rules.advance({ id: 'm', state: ch }, event, carrier);
      if (step.ok) next.push(perform({ ...world, ch: step.value.state }, step.value.effects));
    }
  }
  // The administrator of the source may release at any time, and by telephone freeze, too.
  const own: readonly SourceEvent[] = carrier === 'telephone' ? ['freeze', 'release'] : ['release'];
  for (const event of sourceHears.filter((each) => own.includes(each) || sent.includes(each))) {
    const step = rules.source({ id: 'm', state: world.source }, event, carrier);
    if (step.ok) next.push(perform({ ...world, source: step.value.state }, step.value.effects));
  }
  for (const event of targetHears.filter((each) => sent.includes(each))) {
    const step = advanceTarget({ id: 'm', state: world.target }, event);
    if (step.ok) next.push(perform({ ...world, target: step.value.state }, step.value.effects));
  }
  for (const code of ['key-pack', 'held-key-pack']) {
    if (sent.includes(code) && !world.typed.includes(code)) {
      next.push({ ...world, typed: [...world.typed, code].sort() });
    }
  }
  return next;
}

function atTarget(world: World): number {
  const here = world.target === 'provisional' || world.target === 'final' ? 2 : 0;
  return here + world.typed.length;
}

/** What must hold in every world. */
function complaint(world: World): string | null {
  const { books } = world;
  const amounts = Object.values(books);
  if (amounts.some((amount) => amount < 0)) return 'an account is below zero';
  if (amounts.reduce((sum, amount) => sum + amount, 0) !== 2) return 'units were lost or made';
  const atSource = world.source === 'none' || world.source === 'undone' ? 2 : 0;
  if (atSource + atTarget(world) + books.hand > 2) return 'a unit is assignable in two places';
  if (atSource > books.source) return 'the source assigns more than is committed to it';
  if (atTarget(world) > books.target + books.transit) return 'the target has more than it was granted';
  return null;
}

/** Everything arrived: every unit is usable in one place again, or in hand. */
function isSettled(world: World): boolean {
  if (world.ch === 'none' || !isOver(world.ch)) return false;
  const atSource = world.source === 'none' || world.source === 'undone' ? 2 : 0;
  return atSource + atTarget(world) + world.books.hand === 2 && world.target !== 'provisional';
}

interface Verdict {
  readonly worlds: number;
  readonly complaint: string | null;
  /** Worlds from which no settled one can be reached. */
  readonly stuck: readonly World[];
}

function explore(rules: Rules): Verdict {
  const numbers = new Map([[JSON.stringify(start), 0]]);
  const worlds = [start];
  const before: number[][] = [[]];
  for (let at = 0; at < worlds.length; at += 1) {
    const world = worlds[at] ?? start;
    const wrong = complaint(world);
    if (wrong !== null) return { worlds: worlds.length, complaint: wrong, stuck: [] };
    for (const next of following(world, rules)) {
      const key = JSON.stringify(next);
      const known = numbers.get(key) ?? worlds.length;
      if (known === worlds.length) {
        numbers.set(key, known);
        worlds.push(next);
        before.push([]);
      }
      before[known]?.push(at);
    }
  }
  const canSettle = new Set<number>();
  for (const [at, world] of worlds.entries()) if (isSettled(world)) canSettle.add(at);
  for (const at of canSettle) for (const earlier of before[at] ?? []) canSettle.add(earlier);
  return { worlds: worlds.length, complaint: null, stuck: worlds.filter((_, at) => !canSettle.has(at)) };
}

describe('clearinghouse, source and target together', () => {
  for (const carrier of ['online', 'telephone'] as const) {
    it(`${carrier}: lose nothing, assign nothing twice and can always settle, in every interleaving`, () => {
      const verdict = explore({ carrier, advance, source: advanceSource });
      assert.equal(verdict.complaint, null);
      assert.deepEqual(verdict.stuck.slice(0, 1), []);
      assert.ok(verdict.worlds > 20, `only ${verdict.worlds} worlds`);
    });
  }

  const online = { carrier: 'online', advance, source: advanceSource } as const;
  const changed =
    (state: MoveState, event: MoveEvent, step: Omit<MoveStep, 'again'>): Advance =>
    (move, happened, carrier): Result<MoveStep, Refusal> =>
      move.state === state && happened === event
        ? ok({ ...step, again: false })
        : advance(move, happened, carrier);

  it('would be caught undoing a grant without the receipt of the target', () => {
    const mutant = changed('granted', 'cancel', {
      state: 'aborted',
      effects: [{ do: 'void-to-source' }, { do: 'send', to: 'source', message: 'unfreeze' }],
    });
    assert.notEqual(explore({ ...online, advance: mutant }).complaint, null);
  });

  it('would be caught putting units in hand while the target still has them', () => {
    const mutant = changed('aborting', 'released', { state: 'closed', effects: [{ do: 'post-to-lapse' }] });
    assert.notEqual(explore({ ...online, advance: mutant }).complaint, null);
  });

  it('would be caught granting before the receipt of the freeze', () => {
    const mutant = changed('reserved', 'grant', {
      state: 'granted',
      effects: [{ do: 'reserve-in-transit' }, { do: 'send', to: 'target', message: 'grant' }],
    });
    assert.notEqual(explore({ ...online, advance: mutant }).complaint, null);
  });

  it('would be caught ignoring a release after an undo', () => {
    const mutant: Advance = (move, event, carrier) =>
      move.state === 'aborted' && event === 'released'
        ? err({ code: 'move-unknown', move: move.id })
        : advance(move, event, carrier);
    assert.ok(explore({ ...online, advance: mutant }).stuck.length > 0);
  });
});
