/** Store contract: commands, group commit, what a failed command leaves, and what it may await. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { err, ok } from '../src/core/result.ts';
import type { ReadTx, Store, WriteTx } from '../src/store/port.ts';
import { StoreFailure } from '../src/store/port.ts';
import type { StoreEngine } from './store-engine.ts';
import {
  entryOf,
  install,
  issued,
  post,
  setMeta,
  snapshot,
  transfer,
  unissued,
  withStore,
} from './store-engine.ts';

const refusal = err({ code: 'not-authorized' } as const);

export function commandsContract(engine: StoreEngine): void {
  describe('group commit', () => groupCommit(engine));
  describe('a command that fails', () => failedCommand(engine));
  describe('a command that awaits something else', () => foreignAwait(engine));
  describe('the end of a transaction and of the store', () => endings(engine));
}

/** Adds one to a counter that is kept as text. */
async function count(tx: WriteTx): Promise<number> {
  const row = await tx.get<{ value: string }>("select value from meta where key = 'count'");
  const next = Number(row?.value ?? 0) + 1;
  await setMeta(tx, 'count', String(next));
  return next;
}

function counted(store: Store): Promise<string | undefined> {
  return store.read(async (tx) => {
    const row = await tx.get<{ value: string }>("select value from meta where key = 'count'");
    return row?.value;
  });
}

function groupCommit(engine: StoreEngine): void {
  it('lets writes that wait together share a commit', () =>
    withStore(engine, async ({ store, commits }) => {
      const writes = Array.from({ length: 200 }, () => store.write(async (tx) => ok(await count(tx))));
      await Promise.all(writes);
      assert.deepEqual(commits, [200]);
    }));

  it('commits each write that comes alone', () =>
    withStore(engine, async ({ store, commits }) => {
      for (let number = 0; number < 3; number += 1) await store.write(async (tx) => ok(await count(tx)));
      assert.deepEqual(commits, [1, 1, 1]);
    }));

  it('runs commands one after the other in the order of the calls, each on what the last one left', () =>
    withStore(engine, async ({ store, commits }) => {
      const results = await Promise.all(
        Array.from({ length: 700 }, () =>
          store.write(async (tx) => {
            const before = await tx.get<{ value: string }>("select value from meta where key = 'count'");
            await Promise.resolve();
            const next = await count(tx);
            return ok([Number(before?.value ?? 0), next]);
          }),
        ),
      );
      assert.deepEqual(
        results,
        results.map((_, index) => ok([index, index + 1])),
      );
      assert.ok(commits.length < 10, `${commits.length} commits`);
      assert.equal(await counted(store), '700');
    }));

  it('makes 1,000 writes at once against one account exact', () =>
    withStore(engine, async ({ store }) => {
      await install(store, 700);
      const results = await Promise.all(
        Array.from({ length: 1000 }, (_, number) =>
          store.write(async (tx) => {
            if ((await tx.balance(unissued)) === 0) return refusal;
            await tx.post(entryOf(`issue-${number}`, { postings: [transfer(unissued, issued, 1)] }));
            return ok(number);
          }),
        ),
      );
      assert.equal(results.filter((result) => result.ok).length, 700);
      assert.deepEqual(results[999], refusal);
      const { balances, journals } = await snapshot(store);
      assert.deepEqual(balances, [
        ['A/0/installed', 700],
        [issued, 700],
        [unissued, 0],
      ]);
      assert.equal(journals.length, 701);
    }));
}

/** Does a bit of everything, and leaves the end of the command to `end`. */
async function busyWork(tx: WriteTx, id: string): Promise<void> {
  await setMeta(tx, id, 'done');
  const message = { id, recipient: 'clearinghouse', type: 'test', body: {} };
  const answer = { id, requestDigest: 'd', body: id };
  const hold = { debit: unissued, hold: 'A/0/held', credit: issued, amount: 1 };
  const postings = [transfer(unissued, issued, 3), { kind: 'pending', id, ...hold }] as const;
  await tx.post(entryOf(id, { postings, answer, outbox: [message] }));
  await tx.post(entryOf(`${id}-2`, { log: 'other', postings: [{ kind: 'post', pending: id }] }));
}

const failures: readonly [string, (tx: WriteTx) => Promise<unknown>][] = [
  ['a refusal', async () => refusal],
  [
    'an exception',
    async () => {
      throw new Error('a bug');
    },
  ],
  ['an overdraft', (tx) => tx.post(entryOf('o', { postings: [transfer(unissued, issued, 1000)] }))],
  [
    'an overdraft that it swallows',
    (tx) => swallowed(tx.post(entryOf('o', { postings: [transfer(unissued, issued, 1000)] }))),
  ],
  ['a statement that fails', (tx) => tx.run('insert into meta (key) values (?)', 'no value')],
  [
    'a statement that fails, swallowed',
    (tx) => swallowed(tx.run('insert into meta (key) values (?)', 'no value')),
  ],
  [
    'a look at the books through SQL, and a refusal',
    async (tx) => {
      await tx.get('select balance from accounts where id = ?', unissued);
      await tx.balances('A/');
      return refusal;
    },
  ],
];

async function swallowed(call: Promise<unknown>): Promise<unknown> {
  await call.catch(() => undefined);
  return ok('went on');
}

/** What the two commands around the failed one did is there, and nothing of its own. */
async function assertKeptAlone(store: Store): Promise<void> {
  const { meta, journals, balances, outbox, answers, pendings } = await snapshot(store);
  const kept = ['kept-1', 'kept-2'];
  assert.deepEqual(
    meta,
    kept.map((key) => ({ key, value: 'done' })),
  );
  assert.deepEqual(
    journals.map((row) => row.id),
    ['install', 'waits', ...kept, 'kept-1-2', 'kept-2-2'],
  );
  assert.deepEqual(balances, [
    ['A/0/held', 0],
    ['A/0/installed', 100],
    [issued, 8],
    [unissued, 92],
  ]);
  assert.deepEqual(
    outbox.map((row) => (row as { id: string }).id),
    ['waits', 'kept-1', 'kept-2'],
  );
  assert.equal(answers.length, 2);
  assert.equal(pendings.length, 2);
}

function failedCommand(engine: StoreEngine): void {
  for (const [name, end] of failures) {
    it(`is undone alone, whatever it did before ${name}`, () =>
      withStore(engine, async ({ store, commits }) => {
        await install(store, 100);
        const waits = { id: 'waits', recipient: 'clearinghouse', type: 'test', body: {} };
        await post(store, entryOf('waits', { outbox: [waits] }));
        const before = store.write(async (tx) => ok(await busyWork(tx, 'kept-1')));
        const failed = store.write(async (tx) => {
          await busyWork(tx, 'failed');
          await tx.acknowledge(['waits', 'kept-1']);
          return (await end(tx)) as typeof refusal;
        });
        const after = store.write(async (tx) => {
          assert.equal(await tx.balance(unissued), 96);
          assert.equal((await tx.outbox('clearinghouse', 10)).length, 2);
          assert.equal(await tx.answer('failed'), undefined);
          await busyWork(tx, 'kept-2');
          return ok(undefined);
        });
        const [, outcome] = await Promise.allSettled([before, failed, after]);
        assert.ok(outcome.status === 'rejected' || !outcome.value.ok);
        assert.equal((await after).ok, true);
        assert.deepEqual(commits.slice(2), [3]);
        await assertKeptAlone(store);
      }));
  }

  it('hands its own error to its caller', () =>
    withStore(engine, async ({ store }) => {
      const bug = new Error('a bug');
      const threw = store.write(async () => {
        throw bug;
      });
      await assert.rejects(threw, bug);
      const early = store.write((() => {
        throw bug;
      }) as () => Promise<typeof refusal>);
      await assert.rejects(early, bug);
    }));

  it('hands its refusal to its caller', () =>
    withStore(engine, async ({ store }) => {
      assert.equal(await store.write(async () => refusal), refusal);
    }));
}

function foreignAwait(engine: StoreEngine): void {
  const foreign: readonly [string, (store: Store) => Promise<unknown>][] = [
    ['a timer', () => sleep(1)],
    ['the next turn of the event loop', () => nextTurn()],
    ['another write', (store) => store.write(async () => ok(1))],
    ['something that never happens', () => new Promise(() => undefined)],
  ];
  for (const [name, wait] of foreign) {
    it(`is told so and undone, and no other: ${name}`, () =>
      withStore(engine, async ({ store }) => {
        await install(store, 10);
        const late: unknown[] = [];
        const waits = (id: string) =>
          store.write(async (tx) => {
            await tx.post(entryOf(id, { postings: [transfer(unissued, issued, 1)] }));
            await wait(store);
            await tx.balance(unissued).catch((error: unknown) => late.push(error));
            return ok(undefined);
          });
        const writes = [
          waits('first'),
          post(store, entryOf('second')),
          waits('third'),
          post(store, entryOf('fourth')),
        ];
        const outcomes = await Promise.allSettled(writes);
        assert.deepEqual(
          outcomes.map(({ status }) => status),
          ['rejected', 'fulfilled', 'rejected', 'fulfilled'],
        );
        await assert.rejects(writes[0] as Promise<unknown>, /awaited something other than its transaction/);
        await post(store, entryOf('fifth'));
        const { journals, balances } = await snapshot(store);
        assert.deepEqual(
          journals.map((row) => row.id),
          ['install', 'second', 'fourth', 'fifth'],
        );
        assert.deepEqual(balances, [
          ['A/0/installed', 10],
          [unissued, 10],
        ]);
        await sleep(5);
        for (const error of late) assert.match(String(error), /after its command had ended/);
      }));
  }
}

function endings(engine: StoreEngine): void {
  it('leave a transaction that cannot be used', () =>
    withStore(engine, async ({ store }) => {
      let leaked: WriteTx | undefined;
      await store.write(async (tx) => {
        leaked = tx;
        return ok(undefined);
      });
      const before = await snapshot(store);
      assert.ok(leaked);
      const uses = [
        leaked.post(entryOf('late')),
        leaked.run("delete from meta where key = 'x'"),
        leaked.balance(unissued),
        leaked.acknowledge(['x']),
        leaked.get('select key from meta'),
      ];
      for (const use of uses) await assert.rejects(use, /after its command had ended/);
      await post(store, entryOf('next'));
      assert.equal((await snapshot(store)).journals.length, before.journals.length + 1);
    }));

  it('let the writes that wait be done before the store closes', () =>
    withStore(engine, async ({ store }) => {
      const writes = Array.from({ length: 300 }, (_, number) => post(store, entryOf(`w${number}`)));
      const closed = store.close();
      assert.equal((await Promise.all(writes)).length, 300);
      await closed;
    }));

  it('refuse everything after that, and a second close is no error', () =>
    withStore(engine, async ({ store }) => {
      let leaked: ReadTx | undefined;
      await store.read(async (tx) => {
        leaked = tx;
      });
      await store.close();
      await store.close();
      const isClosed = (error: unknown) => error instanceof StoreFailure && error.code === 'closed';
      await assert.rejects(post(store, entryOf('late')), isClosed);
      await assert.rejects(
        store.read((tx) => tx.balance(unissued)),
        isClosed,
      );
      await assert.rejects(async () => leaked?.head('server'), isClosed);
    }));
}
