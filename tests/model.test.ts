/**
 * The designs hold in every state that they can reach, and each rule is needed: without it a shortest
 * history to a broken promise is found. Numbers of states and lengths are those of protocol §2.6; a change of
 * a model that changes them changes what was shown.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DeadDesign } from './model/dead-source.ts';
import { deadSource } from './model/dead-source.ts';
import { compareDead } from './model/dead-tables.ts';
import type { Exploration, Model } from './model/explore.ts';
import { explore } from './model/explore.ts';
import { oneMove } from './model/one-move.ts';
import type { Design as MoveDesign } from './model/one-move-state.ts';
import { severalMoves } from './model/several-moves.ts';
import type { SeveralDesign } from './model/several-moves-state.ts';
import { compareSeveral } from './model/several-tables.ts';
import { compareTelephone, compareWithTables } from './model/tables.ts';
import { telephone } from './model/telephone.ts';
import type { Design as TelephoneDesign } from './model/telephone-state.ts';

/** No state of a design breaks a promise, and from each a settled one can be reached. */
function assertHolds<State>(model: Model<State>, states: number, transitions: number): Exploration {
  const found = explore(model);
  assert.equal(found.violation, null);
  assert.equal(found.stuck, null);
  assert.deepEqual([found.states, found.transitions], [states, transitions]);
  return found;
}

/** A mutant is caught in so many steps and no fewer, by this promise. */
function assertCaught<State>(model: Model<State>, what: string, length: number): void {
  const { violation } = explore(model);
  assert.ok(violation !== null, 'nothing was found');
  assert.deepEqual([violation.what, violation.history.length], [what, length], violation.history.join(' > '));
}

describe('one move, by message', () => {
  const design: MoveDesign = { cals: 2, devices: 3, rollback: false, availability: false, without: null };
  const availability = true;
  const rollback = true;

  it('keeps all promises with 2 CALs', () => {
    const { events } = assertHolds(oneMove(design), 11_483, 50_400);
    // Every letter is read and every decision taken somewhere, or the run would show less than it says.
    for (const event of ['source reads: close', 'target reads: cancel', 'take the declaration back']) {
      assert.ok((events.get(event) ?? 0) > 0, event);
    }
  });

  it('always leaves a server for those who have a CAL', () => {
    assertHolds(oneMove({ ...design, availability }), 11_483, 50_400);
  });

  it('keeps them where the disk of the source is put back once, and it notices', () => {
    assertHolds(oneMove({ ...design, rollback }), 209_229, 953_695);
  });

  it('keeps them with 1 CAL, and with 3 CALs and 4 devices', () => {
    assertHolds(oneMove({ ...design, cals: 1 }), 2_414, 8_508);
    assertHolds(oneMove({ ...design, cals: 3, devices: 4 }), 111_299, 592_904);
  });

  it('does not need the target to have installed for conservation, only for availability', () => {
    const without = 'the commit waits until the target has installed';
    assertHolds(oneMove({ ...design, without }), 11_772, 52_261);
    assertCaught(oneMove({ ...design, without, availability }), 'service gap', 6);
  });

  const mutants: readonly [MoveDesign['without'], string, number, Partial<MoveDesign>?][] = [
    ['the grant waits for the freeze receipt', 'two issuers', 3],
    ['a grant is applied once', 'books of the target', 5],
    ['an undo waits for the receipt of the target', 'two issuers', 7],
    ['an undone move leaves a tombstone', 'duplicate', 10],
    ['a frozen source gives nothing to anybody new', 'duplicate', 7],
    ['a dead source has its horizon to pass', 'two issuers', 3],
    ['a source keeps its horizon', 'two issuers', 4],
    ['a rollback is detected at start', 'duplicate', 5, { rollback }],
    ['a suspect server renews nobody who has lapsed', 'duplicate', 7, { rollback }],
    ['a stored message clears no suspicion', 'duplicate', 8, { rollback }],
    ['what a suspect server counts is quarantined', 'duplicate', 6, { rollback }],
    ['ends of leases are carried to the new owner', 'duplicate', 13],
    ['a reserved unit waits until its source is closed', 'duplicate', 11],
    ['no timer cuts the source off', 'service gap', 3, { availability }],
    ['an inherited unit waits until its source is closed', 'duplicate', 15],
  ];
  for (const [without, what, length, more] of mutants) {
    it(`needs: ${without}`, () => {
      assertCaught(oneMove({ ...design, ...more, without }), what, length);
    });
  }
});

describe('moves by telephone', () => {
  const there = { from: 0, to: 1, quantity: 2 } as const;
  const back = { from: 1, to: 0, quantity: 2 } as const;
  const one = { quantity: 1 } as const;
  const design: TelephoneDesign = {
    ...{ devices: 3, moves: [{ ...there, ...one }], purchases: [0, 0], purchasesLast: false },
    ...{ countsInstalled: true, without: [] },
  };

  it('keep all promises, with purchases before and after', () => {
    assertHolds(telephone({ ...design, purchases: [1, 0], purchasesLast: true }), 1_145, 4_426);
    assertHolds(telephone({ ...design, moves: [there], purchases: [0, 1], devices: 4 }), 10_435, 41_234);
  });

  it('keep them there and back, of a part with a purchase in between, and whole', () => {
    const part = [
      { ...there, ...one },
      { ...back, ...one },
    ];
    assertHolds(telephone({ ...design, moves: part, purchases: [1, 0] }), 29_948, 132_920);
    assertHolds(telephone({ ...design, moves: [there, back] }), 53_757, 146_589);
  });

  it('need: a code is measured by its position, not by what is installed', () => {
    const without = ['a code is measured by its position, not by what is installed'] as const;
    const mutant = telephone({ ...design, purchases: [1, 0], purchasesLast: true, without });
    assertCaught(mutant, 'more installed than bought', 7);
  });

  // In the others holders are looked at, as a customer would count them.
  const counts = { ...design, countsInstalled: false, moves: [there] };
  const honoredOften = 'a source token is honored once per server and move';
  const undo = 'nothing is undone by telephone after the grant';

  it('need: held units have a chain of their own', () => {
    const without = ['held units have a chain of their own'] as const;
    assertCaught(telephone({ ...counts, purchases: [0, 1], devices: 4, without }), 'duplicate', 10);
  });

  it('need: nothing is undone by telephone after the grant', () => {
    assertCaught(telephone({ ...counts, without: [undo] }), 'duplicate', 10);
    const early = [undo, 'a target gives back only what was typed on it'] as const;
    assertCaught(telephone({ ...design, moves: [there], without: early }), 'more installed than bought', 7);
  });

  it('need: a source token is honored once per server and move', () => {
    const mutant = { moves: [there, back], purchases: [0, 1], devices: 4, without: [honoredOften] } as const;
    assertCaught(telephone({ ...counts, ...mutant }), 'duplicate', 22);
  });
});

describe('a source that is declared to function no longer, and lives', () => {
  const design: DeadDesign = { cals: 2, devices: 3, own: 0, early: false, without: null };

  it('keeps all promises, whether or not the target has CALs of its own', () => {
    assertHolds(deadSource(design), 8_149, 35_566);
    assertHolds(deadSource({ ...design, own: 1, devices: 4 }), 124_669, 766_770);
  });

  it('keeps them where it is released early, beside what is shown to be at risk', () => {
    assertHolds(deadSource({ ...design, early: true }), 19_213, 91_365);
    assertHolds(deadSource({ ...design, own: 1, early: true }), 38_262, 217_410);
  });

  const mutants: readonly [DeadDesign['without'], number, Partial<DeadDesign>?][] = [
    ['the grant waits for the horizon', 8],
    ['at the horizon nothing is free for others', 6],
    ['the reserve waits for the end of the last lease', 7],
    ['a token that has ended is not honored', 9],
    ['a place by name is for a token that lives at the grant', 10],
    ['an early take-over is not counted against the reserve', 8, { cals: 1, own: 1 }],
    ['no horizon is signed for a server that is declared dead', 8],
    ['a renewal past the horizon counts as at risk', 8],
    ['what is released early counts as at risk', 5, { early: true }],
  ];
  for (const [without, length, more] of mutants) {
    it(`needs: ${without}`, () => {
      assertCaught(deadSource({ ...design, ...more, without }), 'duplicate', length);
    });
  }
});

describe('several moves at the same time, each of a part', () => {
  const there = { from: 0, to: 1, quantity: 1 } as const;
  const back = { from: 1, to: 0, quantity: 1 } as const;
  const onward = { from: 1, to: 2, quantity: 1 } as const;
  const chain: SeveralDesign = { cals: [1, 0, 0], devices: 2, moves: [there, onward], without: null };

  it('keep all promises there and back, with a part that stays and is given out', () => {
    assertHolds(severalMoves({ ...chain, cals: [2, 0], devices: 3, moves: [there, back] }), 11_990, 49_113);
  });

  it('keep them against each other', () => {
    assertHolds(severalMoves({ ...chain, cals: [1, 1], devices: 3, moves: [there, back] }), 86_736, 366_752);
  });

  it('keep them onward, and from two servers into one', () => {
    assertHolds(severalMoves(chain), 2_150, 5_972);
    assertHolds(severalMoves({ ...chain, cals: [2, 0, 0], devices: 3 }), 13_172, 55_395);
    const both = [{ ...there, to: 2 }, onward];
    assertHolds(severalMoves({ ...chain, cals: [1, 1, 0], devices: 3, moves: both }), 93_780, 402_576);
  });

  const mutants: readonly [SeveralDesign['without'], string, number][] = [
    ['a frozen source gives nothing to anybody new', 'duplicate', 4],
    ['what is provisional is not moved on', 'books of server 1', 12],
    ['whom another source still renews is not moved on', 'duplicate', 20],
    ['the end of a lease goes along the whole way', 'duplicate', 23],
    ['an inherited unit waits until its source is closed', 'duplicate', 7],
    ['an undo waits for the receipt of the target', 'books of server 1', 5],
    ['who comes back waits for the end of the license of the target', 'duplicate', 11],
  ];
  for (const [without, what, length] of mutants) {
    it(`need: ${without}`, () => {
      assertCaught(severalMoves({ ...chain, without }), what, length);
    });
  }
});

describe('the keys of the states', () => {
  /** A key that left something out would merge states that differ, and hide what follows from one of them. */
  function assertKeyComplete<State>(model: Model<State>): void {
    const written = explore({ ...model, key: (state) => JSON.stringify(state) });
    assert.equal(explore(model).states, written.states);
  }

  it('leave nothing of a state out', () => {
    const rollback = { cals: 1, devices: 2, rollback: true, availability: false, without: null };
    assertKeyComplete(oneMove(rollback));
    assertKeyComplete(deadSource({ cals: 1, devices: 3, own: 1, early: true, without: null }));
    const moves = [
      { from: 0, to: 1, quantity: 1 },
      { from: 1, to: 0, quantity: 1 },
    ] as const;
    assertKeyComplete(severalMoves({ cals: [1, 1], devices: 2, moves, without: null }));
    const counted = { purchases: [1, 0], purchasesLast: false, countsInstalled: true, without: [] } as const;
    assertKeyComplete(telephone({ devices: 2, moves, ...counted }));
  });
});

describe('the tables of the programs', () => {
  it('take every step of a move by message as the model does, and no other', () => {
    const design: MoveDesign = { cals: 2, devices: 3, rollback: false, availability: false, without: null };
    let compared = 0;
    explore(oneMove(design), (state, steps) => {
      compared += compareWithTables(state, steps);
    });
    assert.ok(compared > 30_000, `${compared} steps`);
  });

  it('take every step of a dead source as the model does, and show what is at risk', () => {
    const design: DeadDesign = { cals: 2, devices: 3, own: 0, early: true, without: null };
    let compared = 0;
    for (const each of [design, { ...design, early: false }, { ...design, own: 1 }]) {
      explore(deadSource(each), (state, steps) => {
        compared += compareDead(state, steps, each);
      });
    }
    assert.ok(compared > 1_000, `${compared} steps`);
  });

  it('take every step of several moves as the model does', () => {
    const moves = [
      { from: 0, to: 1, quantity: 1 },
      { from: 1, to: 0, quantity: 1 },
    ];
    let compared = 0;
    explore(severalMoves({ cals: [2, 0], devices: 3, moves, without: null }), (state, steps) => {
      compared += compareSeveral(state, steps);
    });
    assert.ok(compared > 10_000, `${compared} steps`);
  });

  it('take every step of moves by telephone as the model does, and undo nothing there', () => {
    const design: TelephoneDesign = {
      moves: [
        { from: 0, to: 1, quantity: 2 },
        { from: 1, to: 0, quantity: 2 },
      ],
      ...{ devices: 3, purchases: [0, 0], purchasesLast: false, countsInstalled: true, without: [] },
    };
    let compared = 0;
    explore(telephone(design), (state, steps) => {
      compared += compareTelephone(state, steps, design);
    });
    assert.ok(compared > 10_000, `${compared} steps`);
  });
});
