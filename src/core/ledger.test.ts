import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Books, Changes, LedgerProblem, Pending, Posting } from './ledger.ts';
import { applyPostings, isSourceAccount, lineOf } from './ledger.ts';

/** Books as plain maps; accounts of the table tests are written without their line. */
interface State {
  readonly balances: Map<string, number>;
  readonly pendings: Map<string, Pending>;
}

function booksOf({ balances, pendings }: State): Books {
  return { balance: (account) => balances.get(account) ?? 0, pending: (id) => pendings.get(id) };
}

function keep(state: State, changes: Changes): void {
  for (const [account, balance] of changes.balances) state.balances.set(account, balance);
  for (const [id, pending] of changes.pendings) state.pendings.set(id, pending);
}

const line = 'A/0/';

/** `5 a>b` transfers, `5 a>(h)b as p` opens pending p, `post p`, `post p to c`, `void p`. */
function postingOf(text: string): Posting {
  const transfer = /^(-?[\d.]+) (\S+)>([^\s()]+)$/.exec(text);
  if (transfer) {
    const [, amount, debit, credit] = transfer;
    return { kind: 'transfer', debit: line + debit, credit: line + credit, amount: Number(amount) };
  }
  const pending = /^(-?[\d.]+) (\S+)>\((\S+)\)(\S+) as (\S+)$/.exec(text);
  if (pending) {
    const [, amount, debit, hold, credit, id = ''] = pending;
    const accounts = { debit: line + debit, hold: line + hold, credit: line + credit };
    return { kind: 'pending', id, ...accounts, amount: Number(amount) };
  }
  const post = /^post (\S+?)(?: to (\S+))?$/.exec(text);
  if (post) {
    const [, id = '', credit] = post;
    return { kind: 'post', pending: id, ...(credit === undefined ? {} : { credit: line + credit }) };
  }
  const voided = /^void (\S+)$/.exec(text);
  if (voided) return { kind: 'void', pending: voided[1] ?? '' };
  throw new Error(`cannot read ${text}`);
}

/** Balances as `a=5 b=3`, empty accounts left out. */
function shown(balances: ReadonlyMap<string, number>): string {
  return [...balances]
    .filter(([, balance]) => balance !== 0)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([account, balance]) => `${account.slice(line.length)}=${balance}`)
    .join(' ');
}

/** Each line is one list of postings (`;` between them), and the balances or the problem after it. */
const story = `
  10 entitled>in-hand                      | entitled=10 in-hand=10
  4 in-hand>committed                      | committed=4 entitled=10 in-hand=6
  7 in-hand>committed                      | overdraft
  0 in-hand>committed                      | amount-invalid
  -1 in-hand>committed                     | amount-invalid
  1.5 in-hand>committed                    | amount-invalid
  9007199254740992 entitled>in-hand        | amount-invalid
  9007199254740991 entitled>in-hand        | overflow
  1 in-hand>in-hand                        | same-account
  1 entitled>entitled                      | same-account
  6 in-hand>retired; 1 in-hand>retired     | overdraft
  6 in-hand>retired; 6 retired>in-hand     | committed=4 entitled=10 in-hand=6
  2 in-hand>entitled                       | committed=4 entitled=8 in-hand=4
  5 in-hand>entitled                       | overdraft
  3 committed>(transit/m1)committed-b as m1 | committed=1 entitled=8 in-hand=4 transit/m1=3
  1 committed>(transit/m1)committed-b as m1 | pending-exists
  2 committed>(transit/m2)committed-b as m2 | overdraft
  1 committed>(committed)in-hand as m3     | same-account
  1 committed>(transit)transit as m3       | same-account
  1 committed>(transit)committed as m3     | same-account
  0 committed>(transit)in-hand as m3       | amount-invalid
  post m9                                  | pending-unknown
  void m9                                  | pending-unknown
  post m1 to transit/m1                    | same-account
  post m1                                  | committed=1 committed-b=3 entitled=8 in-hand=4
  post m1                                  | pending-resolved
  void m1                                  | pending-resolved
  1 committed>(transit/m1)committed-b as m1 | pending-exists
  2 committed-b>(transit/m4)committed as m4; void m4 | committed=1 committed-b=3 entitled=8 in-hand=4
  post m4                                  | pending-resolved
  3 committed-b>(transit/m5)committed as m5; post m5 to in-hand | committed=1 entitled=8 in-hand=7
  1 in-hand>(transit)retired as m6; 1 in-hand>(transit)retired as m6 | pending-exists
  1 in-hand>(transit)retired as m6; post m6; void m6 | pending-resolved
  7 in-hand>(transit)retired as m6; void m6; 8 in-hand>retired | overdraft
  5 installed>in-hand                      | committed=1 entitled=8 in-hand=12 installed=5
`;

describe('the ledger, told as a story', () => {
  const state: State = { balances: new Map(), pendings: new Map() };
  for (const row of story.trim().split('\n')) {
    const [told = '', expected = ''] = row.split('|').map((part) => part.trim());
    const postings = told.split(';').map((part) => postingOf(part.trim()));
    it(`${told} gives ${expected}`, () => {
      const before = structuredClone(state);
      const outcome = applyPostings(booksOf(state), postings);
      assert.deepEqual(state, before, 'the rules change nothing themselves');
      if (!outcome.ok) {
        assert.equal(outcome.error.code, expected);
        return;
      }
      keep(state, outcome.value);
      assert.equal(shown(state.balances), expected);
    });
  }
});

describe('a refused posting', () => {
  const state: State = {
    balances: new Map([
      ['A/0/x', 3],
      ['A/1/x', 3],
    ]),
    pendings: new Map(),
  };
  const refusals: readonly [string, Posting, LedgerProblem][] = [
    [
      'names the account and the numbers of an overdraft',
      { kind: 'transfer', debit: 'A/0/x', credit: 'A/0/y', amount: 4 },
      { code: 'overdraft', account: 'A/0/x', balance: 3, amount: 4 },
    ],
    [
      'may not lead from one line to another',
      { kind: 'transfer', debit: 'A/0/x', credit: 'A/1/x', amount: 1 },
      { code: 'across-lines', debit: 'A/0/x', credit: 'A/1/x' },
    ],
    [
      'may not lead to another line later',
      { kind: 'pending', id: 'p', debit: 'A/0/x', hold: 'A/0/h', credit: 'A/1/x', amount: 1 },
      { code: 'across-lines', debit: 'A/0/h', credit: 'A/1/x' },
    ],
    [
      'names an account without a line',
      { kind: 'transfer', debit: 'A/0/x', credit: 'y', amount: 1 },
      { code: 'account-invalid', account: 'y' },
    ],
    [
      'names an account without a name',
      { kind: 'transfer', debit: 'A/0/', credit: 'A/0/x', amount: 1 },
      { code: 'account-invalid', account: 'A/0/' },
    ],
  ];
  for (const [name, posting, problem] of refusals) {
    it(name, () => {
      assert.deepEqual(applyPostings(booksOf(state), [posting]), { ok: false, error: problem });
    });
  }
});

describe('the names of accounts', () => {
  it('give the line by their first two parts', () => {
    assert.equal(lineOf('4965437/0/in-hand'), '4965437/0');
    assert.equal(lineOf('4965437/0/committed/AAAAA/1'), '4965437/0');
    for (const bad of ['', 'a', 'a/b', 'a/b/', '/b/c', 'a//c', '//'])
      assert.equal(lineOf(bad), undefined, bad);
  });

  it('tell the sources by their last part', () => {
    assert.ok(isSourceAccount('1/0/entitled'));
    assert.ok(isSourceAccount('1/0/installed'));
    for (const other of ['1/0/uninstalled', '1/0/installed/x', '1/0/issued'])
      assert.ok(!isSourceAccount(other), other);
  });
});

describe('conservation', () => {
  const names = ['entitled', 'in-hand', 'committed/s', 'transit/m', 'retired'];
  const amount = fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 3 }) },
    { weight: 1, arbitrary: fc.constant(0) },
  );
  const id = fc.integer({ min: 1, max: 12 }).map(String);
  /** Postings within one line for the most part: those across lines are all refused. */
  const posting: fc.Arbitrary<Posting> = fc
    .constantFrom(['A/0'], ['A/1'], ['A/0'], ['A/1'], ['A/0', 'A/1'])
    .chain((lines) => {
      const account = fc.constantFrom(...lines.flatMap((one) => names.map((name) => `${one}/${name}`)));
      const accounts = { debit: account, credit: account, amount };
      return fc.oneof<fc.MaybeWeightedArbitrary<Posting>[]>(
        { weight: 4, arbitrary: fc.record({ kind: fc.constant('transfer' as const), ...accounts }) },
        {
          weight: 6,
          arbitrary: fc.record({ kind: fc.constant('pending' as const), id, hold: account, ...accounts }),
        },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('post' as const), pending: id }) },
        {
          weight: 1,
          arbitrary: fc.record({ kind: fc.constant('post' as const), pending: id, credit: account }),
        },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('void' as const), pending: id }) },
      );
    });
  const lists = fc.array(fc.array(posting, { minLength: 1, maxLength: 2, size: 'max' }), {
    minLength: 40,
    maxLength: 80,
    size: 'max',
  });
  const bought: readonly Posting[] = ['A/0', 'A/1'].map((one) => ({
    kind: 'transfer',
    debit: `${one}/entitled`,
    credit: `${one}/in-hand`,
    amount: 30,
  }));

  function assertConserved({ balances }: State): void {
    const surplus = new Map<string | undefined, number>();
    for (const [name, balance] of balances) {
      assert.ok(Number.isSafeInteger(balance) && balance >= 0, `${name} = ${balance}`);
      const share = isSourceAccount(name) ? balance : -balance;
      surplus.set(lineOf(name), (surplus.get(lineOf(name)) ?? 0) + share);
    }
    for (const [name, rest] of surplus) assert.equal(rest, 0, `line ${name}`);
  }

  it('holds after every accepted list: per line what came in is what is there, and nothing is negative', () => {
    let accepted = 0;
    let resolved = 0;
    fc.assert(
      fc.property(fc.noBias(lists), (told) => {
        const state: State = { balances: new Map(), pendings: new Map() };
        for (const list of [bought, ...told]) {
          const outcome = applyPostings(booksOf(state), list);
          if (!outcome.ok) continue;
          accepted += 1;
          for (const one of outcome.value.pendings.values()) resolved += one.state === 'open' ? 0 : 1;
          keep(state, outcome.value);
          assertConserved(state);
        }
      }),
      { numRuns: 200 },
    );
    assert.ok(accepted > 500, `only ${accepted} lists were accepted: the property would prove little`);
    assert.ok(resolved > 50, `only ${resolved} pendings were resolved: the property would prove little`);
  });
});
