/** Store contract: the one door to the books, what it refuses, and what readers see. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Posting } from '../src/core/ledger.ts';
import { err, ok } from '../src/core/result.ts';
import type { Entry } from '../src/store/port.ts';
import { LedgerFailure } from '../src/store/port.ts';
import type { StoreEngine } from './store-engine.ts';
import {
  entryOf,
  install,
  installed,
  issued,
  post,
  setMeta,
  snapshot,
  transfer,
  unissued,
  withStore,
} from './store-engine.ts';

export function booksContract(engine: StoreEngine): void {
  describe('the door', () => door(engine));
  describe('the books', () => books(engine));
  describe('answers and messages', () => answersAndMessages(engine));
  describe('a reader', () => {
    readers(engine);
    lookups(engine);
  });
}

function door(engine: StoreEngine): void {
  const refused = [
    'update accounts set balance = 1000000',
    'insert into accounts (id, balance) values (?, ?)',
    'delete from pendings',
    "update journal set text = ''",
    'delete from logs',
    "insert into answers (id, request_digest, body, at) values ('a', '', '', 1)",
    'update outbox set acknowledged = 1',
    'delete from schema_migrations',
    'UPDATE "Accounts" SET balance = 0',
    'insert into meta (key, value) select id, balance from accounts',
    'create table accounts2 (a integer)',
    'drop table accounts',
    'pragma synchronous = off',
    'commit',
    'select key from meta',
    "delete from meta; delete from meta where key = 'x'",
  ];
  for (const sql of refused) {
    it(`is shut for: ${sql}`, () =>
      withStore(engine, async ({ store }) => {
        await install(store, 5);
        const before = await snapshot(store);
        await assert.rejects(
          store.write(async (tx) => ok(await tx.run(sql))),
          Error,
        );
        if (!sql.startsWith('select')) {
          await assert.rejects(
            store.write(async (tx) => ok(await tx.get(sql))),
            Error,
          );
          await assert.rejects(
            store.write(async (tx) => ok(await tx.all(sql))),
            Error,
          );
          await assert.rejects(
            store.read((tx) => tx.all(sql)),
            Error,
          );
        }
        assert.deepEqual(await snapshot(store), before);
      }));
  }

  it('is no hindrance for other tables, nor for words in values', () =>
    withStore(engine, async ({ store }) => {
      const changed = await store.write(async (tx) => {
        await setMeta(tx, 'a', 'the journal');
        await tx.run("insert into meta (key, value) values ('b', 'accounts')");
        const row = await tx.get<{ value: string }>(
          "update meta set value = 'new' where key = 'b' returning value",
        );
        assert.deepEqual(row, { value: 'new' });
        return ok(await tx.run('update meta set value = ? where key in (?, ?)', 'x', 'a', 'b'));
      });
      assert.deepEqual(changed, ok(2));
    }));
}

const hold = { debit: unissued, hold: 'A/0/held', credit: issued, amount: 2 };
const opened: Posting = { kind: 'pending', id: 'p', ...hold };

/** Entries that the books refuse, once ten units are installed and `p` was opened and posted. */
const refusedEntries: readonly [string, Entry][] = [
  ['an overdraft', entryOf('n', { postings: [transfer(unissued, issued, 9)] })],
  [
    'an overdraft by the last of several',
    entryOf('n', { postings: [transfer(unissued, issued, 5), transfer(unissued, issued, 4)] }),
  ],
  ['an overdraft of an unknown account', entryOf('n', { postings: [transfer('A/0/none', issued, 1)] })],
  ['a pending resolved twice', entryOf('n', { postings: [{ kind: 'post', pending: 'p' }] })],
  ['a pending voided after it was posted', entryOf('n', { postings: [{ kind: 'void', pending: 'p' }] })],
  ['an unknown pending', entryOf('n', { postings: [{ kind: 'post', pending: 'q' }] })],
  ['a pending id used again', entryOf('n', { postings: [opened] })],
  ['an amount of zero', entryOf('n', { postings: [transfer(unissued, issued, 0)] })],
  ['a transfer across lines', entryOf('n', { postings: [transfer(unissued, 'A/1/issued', 1)] })],
  ['an entry id used again in its journal', entryOf('opened', { postings: [transfer(unissued, issued, 1)] })],
  ['an answer given twice', entryOf('n', { answer: { id: 'answered', requestDigest: '', body: 1 } })],
  [
    'a message sent twice',
    entryOf('n', { outbox: [{ id: 'sent', recipient: 'target', type: 'other', body: {} }] }),
  ],
];

function books(engine: StoreEngine): void {
  for (const [name, entry] of refusedEntries) {
    it(`refuse ${name} with a LedgerFailure, and nothing changes`, () =>
      withStore(engine, async ({ store }) => {
        await install(store, 10);
        const answer = { id: 'answered', requestDigest: 'd', body: {} };
        const outbox = [{ id: 'sent', recipient: 'target', type: 'test', body: {} }];
        await post(store, entryOf('opened', { postings: [opened], answer, outbox }));
        await post(store, entryOf('posted', { postings: [{ kind: 'post', pending: 'p' }] }));
        const before = await snapshot(store);
        await assert.rejects(post(store, entry), LedgerFailure);
        assert.deepEqual(await snapshot(store), before);
      }));
  }

  it('take the same entry id in two journals', () =>
    withStore(engine, async ({ store }) => {
      await post(store, entryOf('a'));
      await post(store, entryOf('a', { log: 'other' }));
      assert.equal((await snapshot(store)).journals.length, 2);
    }));

  it('keep pendings until they are resolved, also to another destination', () =>
    withStore(engine, async ({ store }) => {
      await install(store, 10);
      await post(store, entryOf('1', { postings: [opened, { kind: 'pending', id: 'q', ...hold }] }));
      assert.deepEqual((await snapshot(store)).balances, [
        ['A/0/held', 4],
        [installed, 10],
        [unissued, 6],
      ]);
      const resolved: Posting[] = [
        { kind: 'post', pending: 'p', credit: 'A/0/gone' },
        { kind: 'void', pending: 'q' },
      ];
      await post(store, entryOf('2', { postings: resolved }));
      const { balances, pendings } = await snapshot(store);
      assert.deepEqual(balances, [
        ['A/0/gone', 2],
        ['A/0/held', 0],
        [installed, 10],
        [unissued, 8],
      ]);
      assert.deepEqual(pendings, [
        { id: 'p', ...hold, credit: 'A/0/gone', state: 'posted' },
        { id: 'q', ...hold, state: 'voided' },
      ]);
    }));

  it('refuse a body that has no canonical form, and nothing changes', () =>
    withStore(engine, async ({ store }) => {
      await assert.rejects(post(store, entryOf('n', { body: { share: 0.5 } })), /safe integers/);
      assert.equal((await snapshot(store)).journals.length, 0);
    }));
}

function answersAndMessages(engine: StoreEngine): void {
  it('are committed with their entry, word for word', () =>
    withStore(engine, async ({ store }) => {
      const body = { z: 1, a: ['é', null, { b: true }] };
      const answer = { id: 'key', requestDigest: 'digest', body };
      const outbox = [
        { id: 'm1', recipient: 'clearinghouse', type: 'freeze', body },
        { id: 'm2', recipient: 'target', type: 'grant', body: {} },
        { id: 'm3', recipient: 'clearinghouse', type: 'release', body: {} },
      ];
      await post(store, entryOf('a', { answer, outbox, at: 77 }));
      await store.read(async (tx) => {
        const stored = await tx.answer('key');
        assert.deepEqual(stored, { requestDigest: 'digest', body });
        assert.equal(JSON.stringify(stored?.body), JSON.stringify(body), 'in the order of its keys');
        assert.equal(await tx.answer('other'), undefined);
        const waiting = await tx.outbox('clearinghouse', 10);
        assert.deepEqual(
          waiting.map(({ position: _, ...row }) => row),
          [
            { ...outbox[0], at: 77 },
            { ...outbox[2], at: 77 },
          ],
        );
        assert.ok((waiting[0]?.position ?? 0) < (waiting[1]?.position ?? 0));
        assert.deepEqual(await tx.outbox('clearinghouse', 1), waiting.slice(0, 1));
        assert.deepEqual(await tx.outbox('nobody', 10), []);
      });
    }));

  it('wait until they are acknowledged, which may be told twice', () =>
    withStore(engine, async ({ store }) => {
      const messageOf = (id: string) => ({ id, recipient: 'target', type: 'test', body: {} });
      await post(store, entryOf('a', { outbox: [messageOf('m1'), messageOf('m2'), messageOf('m3')] }));
      for (const ids of [['m2', 'm1'], ['m1', 'unknown'], []]) {
        await store.write(async (tx) => ok(await tx.acknowledge(ids)));
        assert.deepEqual(
          (await store.read((tx) => tx.outbox('target', 9))).map((row) => row.id),
          ['m3'],
        );
      }
      await assert.rejects(post(store, entryOf('b', { outbox: [messageOf('m1')] })), LedgerFailure);
    }));
}

function readers(engine: StoreEngine): void {
  it('never sees what is not committed, not even while a command runs', () =>
    withStore(engine, async ({ store }) => {
      await install(store, 10);
      const seen: Promise<unknown>[] = [];
      const look = () => {
        seen.push(store.read((tx) => tx.balance(unissued)));
        seen.push(store.read(async (tx) => (await tx.head('server')).size));
        seen.push(store.read(async (tx) => (await tx.all('select position from journal')).length));
      };
      const refused = store.write(async (tx) => {
        await tx.post(entryOf('a', { postings: [transfer(unissued, issued, 1)] }));
        look();
        await tx.balances('A/');
        look();
        return err({ code: 'not-authorized' } as const);
      });
      await refused;
      assert.deepEqual(await Promise.all(seen), [10, 1, 1, 10, 1, 1]);
    }));

  it('sees what was acknowledged, at once', () =>
    withStore(engine, async ({ store }) => {
      for (let number = 1; number <= 20; number += 1) {
        await post(store, entryOf(`${number}`, { postings: [transfer(installed, unissued, 1)] }));
        assert.equal(await store.read((tx) => tx.balance(unissued)), number);
      }
    }));
}

function lookups(engine: StoreEngine): void {
  it('finds accounts by the beginning of their name, in order', () =>
    withStore(engine, async ({ store }) => {
      const credits = ['A/0/b', 'A/0/a/x', 'A/0/é', 'A/0/B'];
      await post(store, entryOf('1', { postings: credits.map((credit) => transfer(installed, credit, 1)) }));
      await post(store, entryOf('2', { postings: [transfer('A/1/installed', 'A/1/a', 1)] }));
      const found = await store.read(async (tx) => [...(await tx.balances('A/0/')).keys()]);
      assert.deepEqual(found, ['A/0/B', 'A/0/a/x', 'A/0/b', installed, 'A/0/é']);
      assert.deepEqual(await store.read((tx) => tx.balances('A/0/a')), new Map([['A/0/a/x', 1]]));
      assert.deepEqual(await store.read((tx) => tx.balances('A/0/b')), new Map([['A/0/b', 1]]));
      assert.deepEqual(await store.read((tx) => tx.balances('B')), new Map());
      assert.equal(await store.read((tx) => tx.balance('A/9/none')), 0);
    }));

  it('within a command sees what the command did, by every way', () =>
    withStore(engine, async ({ store }) => {
      await install(store, 10);
      await store.write(async (tx) => {
        await tx.post(entryOf('a', { log: 'other', postings: [transfer(unissued, issued, 4)] }));
        assert.deepEqual(await tx.get('select balance from accounts where id = ?', unissued), { balance: 6 });
        assert.equal(await tx.balance(issued), 4);
        assert.deepEqual(
          await tx.balances('A/0/i'),
          new Map([
            [installed, 10],
            [issued, 4],
          ]),
        );
        assert.deepEqual(await tx.all("select size from logs where log = 'other'"), [{ size: 1 }]);
        assert.equal((await tx.journal('other', 0, 10)).length, 1);
        return ok(undefined);
      });
    }));

  it('cannot write', () =>
    withStore(engine, async ({ store }) => {
      await assert.rejects(
        store.read((tx) => tx.get("delete from meta where key = 'a' returning key")),
        Error,
      );
      await assert.rejects(
        store.read((tx) => tx.all("insert into meta (key, value) values ('a', 'b')")),
        Error,
      );
      assert.deepEqual((await snapshot(store)).meta, []);
    }));
}
