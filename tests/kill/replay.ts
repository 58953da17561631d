/**
 * The journal of a database, replayed: every posting since the first entry, and every leaf hash, must
 * lead to the balances, pendings and tree heads that stand in the tables. It goes on where the last
 * look at the same database ended, after making sure that the entries before it are still there.
 */
import assert from 'node:assert/strict';
import type { DatabaseSync } from 'node:sqlite';
import { canonicalJson } from '../../src/core/canonical.ts';
import type { JsonValue } from '../../src/core/json.ts';
import type { AccountId, Pending, Posting } from '../../src/core/ledger.ts';
import { applyPostings } from '../../src/core/ledger.ts';
import type { Frontier } from '../../src/core/merkle.ts';
import { append, emptyFrontier, encodeFrontier, leafHash } from '../../src/core/merkle.ts';
import { nodeDigest } from '../../src/platform/digest.ts';

interface Replayed {
  frontier: Frontier;
  lastLeaf: string;
}

interface Entry {
  readonly position: number;
  readonly id: string;
  readonly text: string;
  readonly leaf: Uint8Array;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export class Replay {
  readonly #name: string;
  readonly #logs = new Map<string, Replayed>();
  readonly #balances = new Map<AccountId, number>();
  readonly #pendings = new Map<string, Pending>();

  constructor(name: string) {
    this.#name = name;
  }

  /** How many entries were replayed so far, of all journals. */
  get entries(): number {
    return [...this.#logs.values()].reduce((sum, log) => sum + log.frontier.size, 0);
  }

  /** Replays what is new and holds the tables against it. */
  readOn(db: DatabaseSync): void {
    const heads = db.prepare('select log, size, frontier from logs order by log').all() as unknown as {
      log: string;
      size: number;
      frontier: Uint8Array;
    }[];
    for (const { log, size, frontier } of heads) {
      const replayed = this.#readLog(db, log);
      assert.equal(replayed.size, size, `${this.#name}: entries of journal ${log}`);
      assert.equal(hex(encodeFrontier(replayed)), hex(frontier), `${this.#name}: the head of journal ${log}`);
    }
    const lost = [...this.#logs.keys()].filter((log) => !heads.some((head) => head.log === log));
    assert.deepEqual(lost, [], `${this.#name}: journals that were there before`);
    this.#compare(db);
  }

  #readLog(db: DatabaseSync, log: string): Frontier {
    const known = this.#logs.get(log) ?? { frontier: emptyFrontier, lastLeaf: '' };
    this.#logs.set(log, known);
    const from = Math.max(0, known.frontier.size - 1);
    const entries = db
      .prepare(
        'select position, id, text, leaf from journal where log = ? and position >= ? order by position',
      )
      .all(log, from) as unknown as Entry[];
    if (known.frontier.size > 0) {
      const last = entries.shift();
      assert.ok(last !== undefined, `${this.#name}: entry ${from} of journal ${log} was there before`);
      assert.equal(hex(last.leaf), known.lastLeaf, `${this.#name}: entry ${from} of journal ${log}`);
    }
    for (const entry of entries) this.#replay(known, entry);
    return known.frontier;
  }

  #replay(log: Replayed, entry: Entry): void {
    const where = `${this.#name}: entry ${entry.position} (${entry.id})`;
    assert.equal(entry.position, log.frontier.size, `${where}: no gap`);
    const value = JSON.parse(entry.text) as { readonly postings: readonly Posting[] } & JsonValue;
    assert.equal(canonicalJson(value), entry.text, `${where}: canonical`);
    const leaf = leafHash(nodeDigest, Buffer.from(entry.text, 'utf8'));
    assert.equal(hex(leaf), hex(entry.leaf), `${where}: its leaf hash`);
    log.frontier = append(nodeDigest, log.frontier, leaf);
    log.lastLeaf = hex(leaf);
    const changes = applyPostings(
      { balance: (account) => this.#balances.get(account) ?? 0, pending: (id) => this.#pendings.get(id) },
      value.postings,
    );
    assert.ok(changes.ok, `${where}: ${JSON.stringify(changes)}`);
    for (const [account, balance] of changes.value.balances) this.#balances.set(account, balance);
    for (const [id, pending] of changes.value.pendings) this.#pendings.set(id, pending);
  }

  #compare(db: DatabaseSync): void {
    const balances = db.prepare('select id, balance from accounts').all() as unknown as {
      id: AccountId;
      balance: number;
    }[];
    assert.deepEqual(
      new Map(balances.map(({ id, balance }) => [id, balance])),
      this.#balances,
      `${this.#name}: the balances are those of the journal`,
    );
    const pendings = db
      .prepare('select id, debit, hold, credit, amount, state from pendings')
      .all() as unknown as Pending[];
    assert.deepEqual(
      new Map(pendings.map((pending) => [pending.id, { ...pending }])),
      this.#pendings,
      `${this.#name}: the pendings are those of the journal`,
    );
  }
}
