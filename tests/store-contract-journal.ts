/** Store contract: the journal's text, its Merkle tree and its heads. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { utf8 } from '../src/core/bytes.ts';
import { canonicalJson } from '../src/core/canonical.ts';
import type { JsonValue } from '../src/core/json.ts';
import { append, emptyFrontier, emptyRoot, leafHash, rootOf } from '../src/core/merkle.ts';
import { err, ok } from '../src/core/result.ts';
import type { JournalRow, LogHead, Store } from '../src/store/port.ts';
import type { StoreEngine } from './store-engine.ts';
import {
  entryOf,
  install,
  issued,
  otherDigest,
  post,
  shownHead,
  transfer,
  unissued,
  withReopened,
  withStore,
} from './store-engine.ts';

/** The head that follows from the texts alone. */
export function headOf(rows: readonly JournalRow[]): LogHead {
  let frontier = emptyFrontier;
  for (const row of rows) frontier = append(otherDigest, frontier, leafHash(otherDigest, utf8(row.text)));
  return { size: frontier.size, root: rootOf(otherDigest, frontier) };
}

async function assertHeads(store: Store): Promise<void> {
  for (const log of ['server', 'other', 'empty']) {
    const [head, rows] = await store.read(
      async (tx) => [await tx.head(log), await tx.journal(log, 0, 1000)] as const,
    );
    assert.deepEqual(shownHead(head), shownHead(headOf(rows)), log);
  }
}

export function journalContract(engine: StoreEngine): void {
  describe('the journal', () => journal(engine));
  describe('the head of a journal', () => {
    heads(engine);
    headsWithin(engine);
  });
}

function journal(engine: StoreEngine): void {
  it('keeps the canonical text of each entry', () =>
    withStore(engine, async ({ store }) => {
      const postings = [transfer('A/0/installed', unissued, 3)];
      await post(store, entryOf('first', { kind: 'install', at: 5, body: { z: 'é', a: [1] }, postings }));
      const [row] = await store.read((tx) => tx.journal('server', 0, 10));
      assert.ok(row);
      const { text, ...rest } = row;
      assert.deepEqual(rest, { log: 'server', position: 0, kind: 'install', id: 'first', at: 5 });
      assert.equal(
        text,
        '{"at":5,"body":{"a":[1],"z":"é"},"id":"first","kind":"install","log":"server","postings":[{"amount":3,"credit":"A/0/unissued","debit":"A/0/installed","kind":"transfer"}],"v":1}',
      );
      assert.equal(canonicalJson(JSON.parse(text) as JsonValue), text);
    }));

  it('keeps the leaf hash of each entry, for proofs', () =>
    withStore(engine, async ({ store }) => {
      for (const id of ['a', 'b', 'c']) await post(store, entryOf(id, { body: { customer: 'Société €' } }));
      const rows = await store.read((tx) =>
        tx.all<{ text: string; leaf: Uint8Array }>('select text, leaf from journal order by position'),
      );
      assert.equal(rows.length, 3);
      for (const { text, leaf } of rows) {
        assert.deepEqual(new Uint8Array(leaf), leafHash(otherDigest, utf8(text)));
      }
    }));

  it('is read in pages', () =>
    withStore(engine, async ({ store }) => {
      await Promise.all(Array.from({ length: 10 }, (_, number) => post(store, entryOf(`e${number}`))));
      const page = (from: number, limit: number) =>
        store.read(async (tx) => (await tx.journal('server', from, limit)).map((row) => row.position));
      assert.deepEqual(await page(0, 3), [0, 1, 2]);
      assert.deepEqual(await page(8, 5), [8, 9]);
      assert.deepEqual(await page(10, 5), []);
    }));

  const { lasting } = engine;
  if (lasting === undefined) return;
  for (const sql of [
    'delete from journal',
    "update journal set text = 'x' where position = 0",
    'update journal set position = 5 where position = 1',
    "insert into journal (log, position, id, kind, at, text, leaf) select log, position, id || 'x', kind, at, text, leaf from journal",
  ]) {
    it(`stays as it is even behind the store's back: ${sql.slice(0, 40)}`, () =>
      withStore(engine, async ({ store, place }) => {
        for (const id of ['a', 'b']) await post(store, entryOf(id));
        const before = await store.read((tx) => tx.journal('server', 0, 10));
        assert.throws(() => lasting.meddle(place, sql));
        assert.deepEqual(await store.read((tx) => tx.journal('server', 0, 10)), before);
      }));
  }
}

function heads(engine: StoreEngine): void {
  it('is the Merkle root over the texts, for each journal by itself, after every commit', () =>
    withStore(engine, async ({ store, place }) => {
      for (let number = 0; number < 40; number += 1) {
        const group = Array.from({ length: number % 5 }, (_, index) =>
          post(
            store,
            entryOf(`${number}-${index}`, { log: (number + index) % 3 === 0 ? 'other' : 'server' }),
          ),
        );
        await Promise.all(group);
        await assertHeads(store);
      }
      if (engine.lasting === undefined) return;
      await store.close();
      await withReopened(engine, place, async (again) => {
        await assertHeads(again);
        await post(again, entryOf('more'));
        await assertHeads(again);
      });
    }));

  it('of an empty journal has size 0 and the root of nothing', () =>
    withStore(engine, async ({ store }) => {
      const empty = shownHead({ size: 0, root: emptyRoot(otherDigest) });
      assert.deepEqual(shownHead(await store.read((tx) => tx.head('server'))), empty);
      const inside = await store.write(async (tx) => {
        await tx.post(entryOf('a'));
        return ok(shownHead(await tx.head('server')));
      });
      assert.deepEqual(inside, ok(empty));
    }));
}

function headsWithin(engine: StoreEngine): void {
  it('within a command is the committed one, whatever it and its neighbors posted', () =>
    withStore(engine, async ({ store }) => {
      await install(store, 10);
      const committed = shownHead(headOf(await store.read((tx) => tx.journal('server', 0, 10))));
      const posting = (id: string) =>
        store.write(async (tx) => {
          await tx.post(entryOf(id, { postings: [transfer(unissued, issued, 1)] }));
          await tx.balances('A/');
          return ok(shownHead(await tx.head('server')));
        });
      const results = await Promise.all([posting('a'), posting('b')]);
      assert.deepEqual(results, [ok(committed), ok(committed)]);
      assert.equal((await store.read((tx) => tx.head('server'))).size, 3);
      await assertHeads(store);
    }));

  it('does not move for a command that is undone', () =>
    withStore(engine, async ({ store }) => {
      await post(store, entryOf('a'));
      const before = shownHead(await store.read((tx) => tx.head('server')));
      await store.write(async (tx) => {
        await tx.post(entryOf('b'));
        return err({ code: 'not-authorized' });
      });
      assert.deepEqual(shownHead(await store.read((tx) => tx.head('server'))), before);
      await post(store, entryOf('c'));
      await assertHeads(store);
    }));
}
