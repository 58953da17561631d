import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyBooks, foreignAccount, replayPostings } from './books.ts';

const line = 'A-1/0';
const entitle = {
  kind: 'transfer',
  debit: `${line}/entitled`,
  credit: `${line}/in-hand`,
  amount: 10,
} as const;
const freeze = {
  kind: 'pending',
  id: 'm',
  debit: `${line}/in-hand`,
  hold: `${line}/in-transit/m`,
  credit: `${line}/retired`,
  amount: 4,
} as const;

const of = (from: string, to: string) => ({ from: `${line}/${from}`, to: `${line}/${to}` });

describe('the replayed books', () => {
  it('tell what moved, pendings included, wherever they end', () => {
    const books = emptyBooks();
    assert.deepEqual(replayPostings(books, [entitle, freeze]), [
      { by: 'transfer', ...of('entitled', 'in-hand'), origin: `${line}/entitled`, amount: 10 },
      { by: 'pending', ...of('in-hand', 'in-transit/m'), origin: `${line}/in-hand`, amount: 4 },
    ]);
    const elsewhere = { kind: 'post', pending: 'm', credit: `${line}/committed/S/1` } as const;
    assert.deepEqual(replayPostings(books, [elsewhere]), [
      { by: 'post', ...of('in-transit/m', 'committed/S/1'), origin: `${line}/in-hand`, amount: 4 },
    ]);
    assert.deepEqual(books.sums.get(line), { came: 10, there: 10 });
    assert.equal(books.balances.get(`${line}/in-hand`), 6);
  });

  it('tell of a void where it goes back to', () => {
    const books = emptyBooks();
    replayPostings(books, [entitle, freeze]);
    assert.deepEqual(replayPostings(books, [{ kind: 'void', pending: 'm' }]), [
      { by: 'void', ...of('in-transit/m', 'in-hand'), origin: `${line}/in-hand`, amount: 4 },
    ]);
  });

  it('refuse in words what the ledger refuses, and keep nothing of it', () => {
    const books = emptyBooks();
    replayPostings(books, [entitle]);
    const more = { ...freeze, amount: 11 };
    assert.match(String(replayPostings(books, [more])), /overdraft/);
    assert.match(String(replayPostings(books, [{ kind: 'post', pending: 'm' }])), /pending-unknown/);
    assert.equal(books.balances.get(`${line}/in-hand`), 10);
  });

  it('find a line of which more is there than came in, whatever the ledger says', () => {
    const books = emptyBooks();
    replayPostings(books, [entitle]);
    // Somebody has taught the ledger an account that it does not know: the sums are kept beside it.
    books.balances.set(`${line}/in-hand`, 12);
    books.sums.set(line, { came: 10, there: 12 });
    const give = { ...entitle, debit: `${line}/in-hand`, credit: `${line}/retired`, amount: 1 };
    assert.match(
      String(replayPostings(books, [give])),
      /10 units came into line A-1\/0, its accounts hold 12/,
    );
  });

  it('know accounts that are not theirs', () => {
    const books = emptyBooks();
    const names = new Set(['entitled', 'in-hand']);
    const of = { names, agreement: 'A-1' };
    assert.equal(foreignAccount(books, [entitle], of), undefined);
    const others = ['A-2/0/in-hand', 'A-1/0/held', 'A-1/00/in-hand', 'A-1/x/in-hand', 'A-1'];
    for (const credit of others) assert.equal(foreignAccount(books, [{ ...entitle, credit }], of), credit);
    assert.equal(foreignAccount(books, [{ ...freeze, hold: 'B/0/in-hand' }], of), 'B/0/in-hand');
    const post = { kind: 'post', pending: 'm', credit: 'B/0/in-hand' } as const;
    assert.equal(foreignAccount(books, [post], of), 'B/0/in-hand');
  });
});
