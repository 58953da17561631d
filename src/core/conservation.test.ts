import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type {
  ClearinghouseNumbers,
  ClearinghouseWord,
  Evidence,
  Finding,
  Heard,
  ServerNumbers,
  ServerWord,
  Totals,
} from './conservation.ts';
import { checkConservation } from './conservation.ts';

const ends = { source: 'OLD', target: 'NEW' };

/** 100 bought: 30 of 40 went from OLD to NEW, which had 5; 10 are in hand, 45 with a third server. */
const oldNumbers: ServerNumbers = {
  ...{ installed: 10, unissued: 4, issued: 6, held: 0, reserved: 0, quarantined: 0, granted: 40 },
};
const newNumbers: ServerNumbers = {
  ...{ installed: 35, unissued: 20, issued: 5, held: 0, reserved: 10, quarantined: 0, granted: 35 },
};
const books: ClearinghouseNumbers = {
  ...{ entitled: 100, inHand: 10, retired: 0, quarantined: [], inTransit: [] },
  committed: [
    { licenseServerId: 'OLD', generation: 1, amount: 10 },
    { licenseServerId: 'NEW', generation: 1, amount: 35 },
    { licenseServerId: 'THIRD', generation: 2, amount: 45 },
  ],
};
const moved = { unissued: 20, held: 10 };

interface Changes {
  readonly source?: Partial<ServerNumbers> | null;
  readonly target?: Partial<ServerNumbers> | null;
  readonly books?: Partial<ClearinghouseNumbers> | null;
  readonly sourceHeard?: Partial<Heard> | null;
  readonly targetHeard?: Partial<Heard> | null;
  readonly silent?: readonly ('source' | 'target')[];
  readonly targetMoved?: ServerWord['moved'];
}

function evidence(changes: Changes = {}): Evidence {
  const word = (id: string, size: number, numbers: ServerNumbers): ServerWord => ({
    ...{ licenseServerId: id, size, numbers, moved },
  });
  const heard = (of: Heard, change: Partial<Heard> | null | undefined): Heard | null =>
    change === null ? null : { ...of, ...change };
  const clearinghouse: ClearinghouseWord = {
    numbers: { ...books, ...changes.books },
    moved,
    silent: changes.silent ?? [],
    heard: {
      source: heard({ size: 7, committed: 10, coming: 0, granted: 40 }, changes.sourceHeard),
      target: heard({ size: 9, committed: 35, coming: 0, granted: 35 }, changes.targetHeard),
    },
  };
  return {
    clearinghouse: changes.books === null ? null : clearinghouse,
    source: changes.source === null ? null : word('OLD', 7, { ...oldNumbers, ...changes.source }),
    target:
      changes.target === null
        ? null
        : {
            ...word('NEW', 9, { ...newNumbers, ...changes.target }),
            ...('targetMoved' in changes ? { moved: changes.targetMoved ?? null } : {}),
          },
  };
}

/** Everything but `held`, which is a part of what is in transit. */
function added({ purchased: _, held: __, ...parts }: Totals): number {
  return Object.values(parts).reduce((total, amount) => total + amount, 0);
}

interface Case {
  readonly name: string;
  readonly changes: Changes;
  readonly verdict: 'ok' | 'broken' | 'incomplete';
  readonly findings?: readonly Finding[];
  readonly totals?: Partial<Totals>;
}

const cases: readonly Case[] = [
  {
    name: 'a finished move, another server beside it',
    changes: {},
    verdict: 'ok',
    totals: {
      ...{ purchased: 100, inHand: 10, unissued: 24, issued: 11, reserved: 10, elsewhere: 45 },
      ...{ inTransit: 0, underWay: 0, unheard: 0, since: 0, unstated: 0 },
    },
  },
  {
    name: 'a key pack that was read out to the target and not typed yet',
    changes: {
      books: { inHand: 4, committed: books.committed.map((row) => more(row, 'NEW', 6)) },
      targetHeard: { committed: 41, granted: 41 },
    },
    verdict: 'ok',
    totals: { inHand: 4, underWay: 6, unheard: 0 },
  },
  {
    name: 'units that the source gave back, its code not read to the desk yet',
    changes: { source: { installed: 7, unissued: 1 } },
    verdict: 'ok',
    totals: { unheard: 3, underWay: 0, unissued: 21 },
  },
  {
    name: 'what was given to the target after its statement was taken in',
    changes: { books: { inHand: 8, committed: books.committed.map((row) => more(row, 'NEW', 2)) } },
    verdict: 'ok',
    totals: { since: 2, underWay: 0 },
  },
  {
    name: 'a move under way: the target has installed, the source still holds',
    changes: {
      source: { installed: 40, held: 30 },
      books: {
        committed: books.committed.map((row) => more(row, 'NEW', -30)),
        inTransit: [{ move: 'm', target: 'NEW', amount: 30 }],
      },
      targetHeard: { committed: 5, coming: 30 },
    },
    verdict: 'ok',
    totals: { inTransit: 0, held: 30, since: 0, unheard: 0 },
  },
  {
    name: 'another move, out of the third server',
    changes: {
      books: {
        committed: books.committed.map((row) => more(row, 'THIRD', -5)),
        inTransit: [{ move: 'm', target: 'FOURTH', amount: 5 }],
      },
    },
    verdict: 'ok',
    totals: { inTransit: 5, elsewhere: 40 },
  },
  {
    name: 'the clearinghouse does not add up',
    changes: { books: { inHand: 11 } },
    verdict: 'broken',
    findings: [{ code: 'sum-differs', side: 'clearinghouse', expected: 100, found: 101 }],
  },
  {
    name: 'a server does not add up',
    changes: { target: { issued: 6 } },
    verdict: 'broken',
    findings: [{ code: 'sum-differs', side: 'target', expected: 35, found: 36 }],
  },
  {
    name: 'the source has kept what it gave up',
    changes: { source: { installed: 40, unissued: 34 } },
    verdict: 'broken',
    findings: [{ code: 'more-than-committed', side: 'source', expected: 10, found: 40 }],
  },
  {
    name: 'the target has installed what nobody granted',
    changes: { target: { installed: 36, unissued: 21, granted: 36 } },
    verdict: 'broken',
    findings: [{ code: 'more-than-granted', side: 'target', expected: 35, found: 36 }],
  },
  {
    name: 'the target has one more than it can have been granted',
    changes: { target: { installed: 36, unissued: 21 } },
    verdict: 'broken',
    findings: [{ code: 'more-than-committed', side: 'target', expected: 35, found: 36 }],
  },
  {
    name: 'they differ over what has moved',
    changes: { targetMoved: { unissued: 20, held: 9 } },
    verdict: 'broken',
    findings: [{ code: 'moved-differs', side: 'target', expected: 10, found: 9 }],
  },
  {
    name: 'a statement that is about another move says nothing of this one',
    changes: { targetMoved: null },
    verdict: 'ok',
  },
  {
    name: 'the target has said nothing yet',
    changes: { target: null, targetHeard: null },
    verdict: 'incomplete',
    findings: [{ code: 'statement-missing', side: 'target', expected: 1, found: 0 }],
    totals: { unstated: 35, unissued: 4 },
  },
  {
    name: 'the target was never granted anything, as the move was undone before',
    changes: { target: null, targetHeard: null, silent: ['target'] },
    verdict: 'ok',
    totals: { unstated: 35, unissued: 4 },
  },
  {
    name: 'the source is gone for good, and its units are the target’s',
    changes: {
      ...{ source: null, sourceHeard: null, silent: ['source'] },
      books: {
        committed: books.committed.map((row) => more(more(row, 'OLD', -10), 'NEW', 10)),
      },
      target: { installed: 45, reserved: 20, granted: 45 },
      targetHeard: { committed: 45, granted: 45 },
    },
    verdict: 'ok',
    totals: { unstated: 0, reserved: 20 },
  },
  {
    name: 'the source was declared to function no longer, and says something after all',
    changes: {
      books: {
        committed: books.committed.map((row) => more(row, 'OLD', -10)),
        quarantined: [{ move: 'd', source: 'OLD', amount: 10 }],
      },
      sourceHeard: { committed: 0, coming: 10 },
    },
    verdict: 'ok',
    totals: { quarantined: 0, since: 0, unissued: 24 },
  },
  {
    name: 'the clearinghouse speaks of an earlier statement of the source',
    changes: { sourceHeard: { size: 6 } },
    verdict: 'incomplete',
    findings: [{ code: 'statement-unheard', side: 'source', expected: 7, found: 6 }],
    totals: { unstated: 10 },
  },
  {
    name: 'the clearinghouse has said nothing',
    changes: { books: null },
    verdict: 'incomplete',
    findings: [{ code: 'statement-missing', side: 'clearinghouse', expected: 1, found: 0 }],
  },
  {
    name: 'what is missing does not hide what is wrong',
    changes: { source: null, target: { issued: 6 } },
    verdict: 'broken',
    findings: [
      { code: 'sum-differs', side: 'target', expected: 35, found: 36 },
      { code: 'statement-missing', side: 'source', expected: 1, found: 0 },
    ],
  },
];

type Committed = ClearinghouseNumbers['committed'][number];

function more(row: Committed, licenseServerId: string, amount: number): Committed {
  return row.licenseServerId === licenseServerId ? { ...row, amount: row.amount + amount } : row;
}

describe('the equation of a move across three books', () => {
  for (const { name, changes, verdict, findings = [], totals = {} } of cases) {
    it(`${verdict}: ${name}`, () => {
      const checked = checkConservation(evidence(changes), ends);
      assert.deepEqual([checked.verdict, checked.findings], [verdict, findings]);
      if (changes.books === null) assert.equal(checked.totals, null);
      else assert.partialDeepStrictEqual(checked.totals, totals);
      // Every CAL that was bought is in one of the parts, whatever is missing.
      if (checked.totals !== null && verdict !== 'broken') {
        assert.equal(added(checked.totals), checked.totals.purchased);
      }
    });
  }
});
