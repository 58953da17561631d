/** Store contract: random commands in random groups, against a model that is a few maps. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Pending, Posting } from '../src/core/ledger.ts';
import { applyPostings } from '../src/core/ledger.ts';
import { err, ok } from '../src/core/result.ts';
import type { Store, WriteTx } from '../src/store/port.ts';
import { LedgerFailure } from '../src/store/port.ts';
import { headOf } from './store-contract-journal.ts';
import type { StoreEngine } from './store-engine.ts';
import { entryOf, setMeta, shownHead, snapshot, withReopened, withStore } from './store-engine.ts';

type Step =
  | {
      readonly kind: 'post';
      readonly log: string;
      readonly id: string;
      readonly postings: readonly Posting[];
      readonly extra: 'answer' | 'message' | 'none';
    }
  | { readonly kind: 'meta'; readonly key: string; readonly value: string }
  | { readonly kind: 'acknowledge'; readonly id: string }
  | { readonly kind: 'look' };

type End = 'ok' | 'refuse' | 'throw';

interface Command {
  readonly steps: readonly Step[];
  readonly end: End;
}

type Outcome = 'kept' | 'refused' | 'threw' | 'ledger';

interface Model {
  readonly balances: Map<string, number>;
  readonly pendings: Map<string, Pending>;
  readonly entries: Set<string>;
  readonly answers: Set<string>;
  readonly messages: Map<string, boolean>;
  readonly meta: Map<string, string>;
}

const emptyModel = (): Model => ({
  balances: new Map(),
  pendings: new Map(),
  entries: new Set(),
  answers: new Set(),
  messages: new Map(),
  meta: new Map(),
});

const account = fc.constantFrom('A/0/installed', 'A/0/unissued', 'A/0/issued', 'A/0/held');
const amount = fc.integer({ min: 1, max: 4 });
const id = fc.integer({ min: 1, max: 60 }).map(String);
const pendingId = fc.integer({ min: 1, max: 6 }).map(String);
const accounts = { debit: account, credit: account, amount };

const posting: fc.Arbitrary<Posting> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('transfer' as const),
      debit: fc.constant('A/0/installed'),
      credit: fc.constant('A/0/unissued'),
      amount,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('transfer' as const), ...accounts }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('pending' as const),
      id: pendingId,
      hold: account,
      ...accounts,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('post' as const), pending: pendingId }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('void' as const), pending: pendingId }) },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('post' as const),
      log: fc.constantFrom('server', 'other'),
      id,
      postings: fc.array(posting, { maxLength: 2 }),
      extra: fc.constantFrom('answer' as const, 'message' as const, 'none' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('meta' as const), key: fc.constantFrom('a', 'b'), value: id }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('acknowledge' as const), id }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('look' as const) }) },
);

const command: fc.Arbitrary<Command> = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 3 }),
  end: fc.oneof(
    { weight: 6, arbitrary: fc.constant('ok' as const) },
    { weight: 1, arbitrary: fc.constant('refuse' as const) },
    { weight: 1, arbitrary: fc.constant('throw' as const) },
  ),
});

/** Groups of commands: those of one group are sent at the same time. */
const groups = fc.array(fc.array(command, { minLength: 1, maxLength: 6 }), {
  minLength: 4,
  maxLength: 12,
  size: 'max',
});

class Broken extends Error {}

async function perform(tx: WriteTx, { steps, end }: Command) {
  for (const one of steps) {
    if (one.kind === 'meta') await setMeta(tx, one.key, one.value);
    else if (one.kind === 'acknowledge') await tx.acknowledge([one.id]);
    else if (one.kind === 'look') await tx.balances('A/');
    else {
      const answer = { id: one.id, requestDigest: 'd', body: one.id };
      const outbox = [{ id: one.id, recipient: 'target', type: 't', body: {} }];
      const more = { answer: { answer }, message: { outbox }, none: {} }[one.extra];
      await tx.post(entryOf(one.id, { log: one.log, postings: one.postings, ...more }));
    }
  }
  if (end === 'throw') throw new Broken();
  return end === 'ok' ? ok('done') : err({ code: 'not-authorized' } as const);
}

async function outcomeOf(store: Store, one: Command): Promise<Outcome> {
  try {
    const result = await store.write((tx) => perform(tx, one));
    return result.ok ? 'kept' : 'refused';
  } catch (error) {
    if (error instanceof LedgerFailure) return 'ledger';
    if (error instanceof Broken) return 'threw';
    throw error;
  }
}

function modelPost(model: Model, one: Step & { kind: 'post' }): boolean {
  const books = {
    balance: (name: string) => model.balances.get(name) ?? 0,
    pending: (name: string) => model.pendings.get(name),
  };
  const changes = applyPostings(books, one.postings);
  const entry = `${one.log} ${one.id}`;
  if (!changes.ok || model.entries.has(entry)) return false;
  if (one.extra === 'answer' && model.answers.has(one.id)) return false;
  if (one.extra === 'message' && model.messages.has(one.id)) return false;
  for (const [name, balance] of changes.value.balances) model.balances.set(name, balance);
  for (const [name, pending] of changes.value.pendings) model.pendings.set(name, pending);
  model.entries.add(entry);
  if (one.extra === 'answer') model.answers.add(one.id);
  if (one.extra === 'message') model.messages.set(one.id, false);
  return true;
}

/** What the command comes to, and the model after it. */
function modelCommand(model: Model, { steps, end }: Command): readonly [Outcome, Model] {
  const after = structuredClone(model);
  for (const one of steps) {
    if (one.kind === 'meta') after.meta.set(one.key, one.value);
    if (one.kind === 'acknowledge' && after.messages.has(one.id)) after.messages.set(one.id, true);
    if (one.kind === 'post' && !modelPost(after, one)) return ['ledger', model];
  }
  if (end === 'ok') return ['kept', after];
  return [end === 'refuse' ? 'refused' : 'threw', model];
}

async function assertSame(store: Store, model: Model): Promise<void> {
  const found = await snapshot(store);
  const byName = ([left]: readonly [string, unknown], [right]: readonly [string, unknown]) =>
    left < right ? -1 : 1;
  assert.deepEqual(found.balances, [...model.balances].sort(byName));
  assert.deepEqual(
    found.pendings,
    [...model.pendings].sort(byName).map(([, pending]) => pending),
  );
  assert.deepEqual(
    found.meta,
    [...model.meta].sort(byName).map(([key, value]) => ({ key, value })),
  );
  assert.deepEqual(found.journals.map((row) => `${row.log} ${row.id}`).sort(), [...model.entries].sort());
  assert.deepEqual(
    found.answers.map((row) => (row as { id: string }).id),
    [...model.answers].sort(),
  );
  const waiting = [...model.messages].filter(([, acknowledged]) => !acknowledged).map(([name]) => name);
  assert.deepEqual(
    found.outbox.map((row) => (row as { id: string }).id),
    waiting,
  );
  const heads = ['server', 'other'].map((log) =>
    shownHead(headOf(found.journals.filter((row) => row.log === log))),
  );
  assert.deepEqual(found.heads, heads);
}

export function modelContract(engine: StoreEngine): void {
  describe('random commands', () => {
    it('come to what a simple model says, group by group', async () => {
      const seen = new Map<Outcome, number>();
      await fc.assert(
        fc.asyncProperty(groups, (told) =>
          withStore(engine, async ({ store, place }) => {
            let model = emptyModel();
            for (const group of told) {
              const expected: Outcome[] = [];
              for (const one of group) {
                const [outcome, after] = modelCommand(model, one);
                expected.push(outcome);
                model = after;
                seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
              }
              assert.deepEqual(await Promise.all(group.map((one) => outcomeOf(store, one))), expected);
              await assertSame(store, model);
            }
            if (engine.lasting === undefined) return;
            await store.close();
            await withReopened(engine, place, (again) => assertSame(again, model));
          }),
        ),
        { numRuns: 60 },
      );
      for (const outcome of ['kept', 'refused', 'threw', 'ledger'] as const) {
        assert.ok(
          (seen.get(outcome) ?? 0) > 50,
          `${outcome}: ${seen.get(outcome)} times, which proves little`,
        );
      }
    });
  });
}
