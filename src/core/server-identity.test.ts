import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HighWater } from './high-water.ts';
import type { IdentityDecision, IdentityFacts } from './server-identity.ts';
import { decideIdentity } from './server-identity.ts';

const mark: HighWater = {
  ...{ generation: 1, seq: 9, logSize: 40, logRoot: 'aa', rightsAt: 20, seenAtMs: 1000 },
  ...{
    lines: [
      {
        ...{ agreement: '4965437', line: 0, installed: 10, unissued: 6, freeK: 10, heldK: 0 },
        ...{ nextRange: 1, nextUnit: 5, freedAt: 0 },
      },
    ],
    ...{ counts: [], branches: [] },
  },
};
const older: HighWater = { ...mark, logSize: 30 };
const fewer: HighWater = { ...older, lines: [] };
const emptied: HighWater = {
  ...mark,
  lines: mark.lines.map((line) => ({ ...line, nextRange: 0, nextUnit: 0, freedAt: 35 })),
};
const free = [{ agreement: '4965437', line: 0, position: 1, first: 5, last: 10 }];

const well: IdentityFacts = {
  ...{ secret: 'present', mark, database: mark, standing: 'ahead', free },
  ...{ machine: 'same', seenAhead: false, doubted: null },
};

const say = (decision: IdentityDecision): string =>
  decision.result === 'ok' ? 'ok' : `${decision.result}: ${decision.reason}`;

describe('the table of identity', () => {
  const rows: readonly [string, Partial<IdentityFacts>, string][] = [
    ['all as it was', {}, 'ok'],
    ['signals that cannot be read', { machine: 'unknown' }, 'ok'],
    [
      'an older database, the same rights',
      { database: older, standing: 'behind' },
      'reconcile: older-database',
    ],
    [
      'an older database, other rights',
      { database: fewer, standing: 'behind' },
      'revalidate: rights-changed',
    ],
    [
      'an older database, and units that were given on',
      { database: older, standing: 'behind', mark: emptied },
      'revalidate: units-given-on',
    ],
    [
      'an older database, in doubt already',
      { database: older, standing: 'behind', doubted: 'machine-changed' },
      'revalidate: machine-changed',
    ],
    ['in doubt, and nothing else', { doubted: 'machine-changed' }, 'ok'],
    ['logs that part', { standing: 'forked' }, 'revalidate: forked'],
    ['somebody has seen more', { seenAhead: true }, 'revalidate: seen-ahead'],
    ['another machine', { machine: 'changed' }, 'revalidate: machine-changed'],
    ['no mark', { mark: null, standing: null }, 'revalidate: mark-missing'],
    ['no secret', { secret: 'absent' }, 'system-replaced: secret-absent'],
    ['a secret that opens nothing', { secret: 'undecryptable' }, 'system-replaced: secret-undecryptable'],
  ];
  for (const [name, change, expected] of rows) {
    it(`${name}: ${expected}`, () => assert.equal(say(decideIdentity({ ...well, ...change })), expected));
  }
});

/** Every combination of what may be found. */
function* combinations(): Generator<IdentityFacts> {
  for (const secret of ['present', 'absent', 'undecryptable'] as const) yield* combinationsWith(secret);
}

function* combinationsWith(secret: IdentityFacts['secret']): Generator<IdentityFacts> {
  for (const [standing, database, known] of [
    ['ahead', mark, mark],
    ['behind', older, mark],
    ['behind', fewer, mark],
    ['behind', older, emptied],
    ['forked', mark, mark],
    [null, mark, null],
  ] as const)
    for (const machine of ['same', 'changed', 'unknown'] as const)
      for (const seenAhead of [false, true])
        for (const doubted of [null, 'mark-missing'] as const) {
          yield { secret, mark: known, database, standing, free, machine, seenAhead, doubted };
        }
}

describe('every combination', () => {
  it('gives out new licenses only where nothing is in doubt', () => {
    let count = 0;
    for (const facts of combinations()) {
      count += 1;
      const { result } = decideIdentity(facts);
      const { secret, standing, machine, seenAhead, database, doubted } = facts;
      const same = database !== fewer && facts.mark !== emptied;
      const name = JSON.stringify({ secret, standing, machine, seenAhead, same, doubted });
      if (secret !== 'present') {
        assert.equal(result, 'system-replaced', name);
        continue;
      }
      const isOther =
        standing === null || standing === 'forked' || (standing === 'behind' && doubted !== null);
      const doubt = seenAhead || isOther || !same || machine === 'changed';
      if (doubt) assert.equal(result, 'revalidate', name);
      else assert.equal(result, standing === 'behind' ? 'reconcile' : 'ok', name);
    }
    assert.equal(count, 216);
  });
});
