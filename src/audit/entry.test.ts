import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { utf8 } from '../core/bytes.ts';
import { canonicalJson } from '../core/canonical.ts';
import { readEntry } from './entry.ts';

const transfer = { kind: 'transfer', debit: 'A-1/0/in-hand', credit: 'A-1/0/retired', amount: 2 };
const entry = {
  v: 1,
  log: 'A-1',
  id: 'one',
  kind: 'retired',
  at: 5,
  body: { line: 0 },
  postings: [transfer],
};
const text = canonicalJson(entry);
const withPosting = (posting: object): string =>
  canonicalJson({ ...entry, postings: [posting] } as typeof entry);
const pending = { kind: 'pending', id: 'p', debit: 'a', hold: 'b', credit: 'c', amount: 1 };

describe('an entry of a journal', () => {
  it('is read as it was written, with postings of every kind', () => {
    const { v, ...members } = entry;
    assert.equal(v, 1);
    assert.deepEqual(readEntry(utf8(text)), members);
    const kinds = [pending, { kind: 'post', pending: 'p' }, { kind: 'post', pending: 'p', credit: 'd' }];
    for (const posting of [...kinds, { kind: 'void', pending: 'p' }]) {
      assert.deepEqual(readEntry(utf8(withPosting(posting)))?.postings, [posting]);
    }
  });

  const refused: readonly [string, string][] = [
    ['nothing', ''],
    ['no JSON', text.slice(1)],
    ['no object', '[]'],
    ['with a space', text.replace(':', ': ')],
    ['with a member twice', text.replace('"at":5', '"at":5,"at":5')],
    ['with a number in another form', text.replace('"at":5', '"at":5.0')],
    ['with an escape that is not needed', text.replace('"one"', String.raw`"\u006fne"`)],
    ['with its members in another order', JSON.stringify(entry)],
    ['of a newer form', text.replace('"v":1', '"v":2')],
    ['with a member more', text.replace('"v":1', '"v":1,"w":1')],
    ['without its postings', text.replace(/"postings":\[.*\],/, '')],
    ['with an id that is no text', text.replace('"one"', '1')],
    ['with a posting of another kind', withPosting({ kind: 'gift', credit: 'a', amount: 1 })],
    ['with a posting that lacks a side', withPosting({ kind: 'transfer', debit: 'a', amount: 1 })],
    ['with a transfer without amount', withPosting({ kind: 'transfer', debit: 'a', credit: 'b' })],
    ['with a void of an amount', withPosting({ kind: 'void', pending: 'p', amount: 1 })],
    ['with a void to elsewhere', withPosting({ kind: 'void', pending: 'p', credit: 'a' })],
    ['with a posting of more than it has', withPosting({ ...transfer, hold: 'a' })],
    ['with an amount that is a text', withPosting({ ...transfer, amount: '2' })],
  ];
  for (const [name, line] of refused) {
    it(`is refused: ${name}`, () => assert.equal(readEntry(utf8(line)), undefined));
  }

  it('is refused where it is not UTF-8', () => {
    const bytes = utf8(text);
    bytes[text.indexOf('one')] = 0xff;
    assert.equal(readEntry(bytes), undefined);
  });
});
