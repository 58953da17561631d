/**
 * The contract of a store: what every engine (SQLite now, PostgreSQL later) must keep. The contract
 * is also a test suite, `tests/store-contract.ts`, that each engine is run through.
 *
 * 1. **Durable when it returns.** `write` resolves only after the transaction that holds the command
 *    is on disk (SQLite: WAL with synchronous=FULL, read back on every open). If the outcome of a
 *    commit is unknown, the store is finished: every waiting and later call rejects with
 *    `StoreFailure`, and only opening it anew answers what happened. A failed fsync is never retried.
 * 2. **Group commit.** Writes that arrive while a commit is under way share the next one. Each has a
 *    savepoint of its own: a refusal (`ok: false`) or an exception undoes that command and no other.
 * 3. **One writer.** Within `write`, commands run one after the other; each sees all that earlier
 *    ones did. A command may only await the transaction it was given: awaiting anything else
 *    (network, timers, another `write`) would hold up everybody, and is refused where it can be seen.
 * 4. **One door.** Balances, pendings, journal, stored answers and outbox change through `post`
 *    alone; `run` refuses SQL that names those tables.
 * 5. **Reads see committed state**, statement by statement; there is no snapshot over several
 *    statements, because whatever decides does so inside `write`.
 * 6. SQL is plain and portable: `?` parameters, `on conflict`, `returning`, explicit columns, never `*`.
 */
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { AccountId, Posting } from '../core/ledger.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';

export type SqlValue = string | number | null | Uint8Array;

/** Size and RFC 6962 root of a journal. */
export interface LogHead {
  readonly size: number;
  readonly root: Uint8Array;
}

/** The first answer given under an idempotency key. */
export interface StoredAnswer {
  /** Digest of what was asked: the same key with another request is a mistake, not a repeat. */
  readonly requestDigest: string;
  readonly body: JsonValue;
}

/** A message waiting to be carried to `recipient` (a License Server ID, or `clearinghouse`). */
export interface OutgoingMessage {
  readonly id: string;
  readonly recipient: string;
  /** The type tag of the message, for lists. */
  readonly type: string;
  /** The message before signing; it is signed afresh each time that it is sent (envelope.ts). */
  readonly body: JsonObject;
}

export interface OutboxRow extends OutgoingMessage {
  /** Position in the outbox: messages are sent in this order. */
  readonly position: number;
  readonly at: number;
}

/** One change: journal entry, postings, stored answer and outgoing messages, all or nothing. */
export interface Entry {
  /** Which journal: an agreement number at the clearinghouse, `server` on a license server. */
  readonly log: string;
  /** What happened, for example `issue` or `move-frozen`. */
  readonly kind: string;
  /** Names the act; unique within its journal. */
  readonly id: string;
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
  readonly body: JsonObject;
  readonly postings?: readonly Posting[];
  readonly answer?: { readonly id: string; readonly requestDigest: string; readonly body: JsonValue };
  readonly outbox?: readonly OutgoingMessage[];
}

/** A journal entry as stored: `text` is the canonical JSON that the leaf hash covers (as UTF-8). */
export interface JournalRow {
  readonly log: string;
  readonly position: number;
  readonly kind: string;
  readonly id: string;
  readonly at: number;
  readonly text: string;
}

export interface ReadTx {
  /** The first row, or undefined. In `write` also of a change with `returning`, under the rules of `run`. */
  get<Row>(sql: string, ...params: readonly SqlValue[]): Promise<Row | undefined>;
  all<Row>(sql: string, ...params: readonly SqlValue[]): Promise<readonly Row[]>;
  /** The balance of an account; 0 for one that nothing was ever posted to. */
  balance(account: AccountId): Promise<number>;
  /** All accounts whose name starts with `prefix`, by name. */
  balances(prefix: string): Promise<ReadonlyMap<AccountId, number>>;
  answer(id: string): Promise<StoredAnswer | undefined>;
  /** The journal's head as last committed: what a signature may speak of. */
  head(log: string): Promise<LogHead>;
  /** Entries from `position` (0 is the first) on, at most `limit`. */
  journal(log: string, position: number, limit: number): Promise<readonly JournalRow[]>;
  /** What waits for `recipient`, oldest first. */
  outbox(recipient: string, limit: number): Promise<readonly OutboxRow[]>;
}

export interface WriteTx extends ReadTx {
  /** Changes rows of the tables that are not behind `post`; answers how many. */
  run(sql: string, ...params: readonly SqlValue[]): Promise<number>;
  /**
   * The only door to the books. Throws `LedgerFailure` where a posting would overdraw an account,
   * resolve a pending twice or reuse an id: the rules in `core` refuse such things in words
   * beforehand, so that reaching the throw is a bug, and the command is undone. As with any error of a
   * transaction, catching it does not save the command.
   */
  post(entry: Entry): Promise<void>;
  /** Takes messages out of the outbox: the recipient has confirmed that it holds them. */
  acknowledge(ids: readonly string[]): Promise<void>;
}

/** What the last commit has made durable, read at once: for whoever has to know it before anybody is answered. */
export interface Committed {
  all<Row>(sql: string, ...params: readonly SqlValue[]): readonly Row[];
  balance(account: AccountId): number;
  head(log: string): LogHead;
}

export interface CommitWitness {
  /** Where it throws the store is finished (rule 1): what it was to note may be missing. */
  readonly note: (committed: Committed) => void;
  /** Called once, when the store is closed. */
  readonly close: () => void;
}

export interface Store {
  read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T>;
  /** Runs one command; an `ok: false` result undoes what it did, and is handed to the caller. */
  write<T>(work: (tx: WriteTx) => Promise<Result<T, Refusal>>): Promise<Result<T, Refusal>>;
  /** From now on this witness is told of each commit that wrote, before its commands are answered. */
  beforeAnswers(witness: CommitWitness): void;
  /** What is committed now. Throws while a transaction is under way: it is for whoever has just opened this store. */
  committed(): Committed;
  /** Waits for the commit under way, then closes. */
  close(): Promise<void>;
}

/**
 * The store cannot go on: unknown commit outcome, disk full, damaged (or no) database, or one too new.
 * `busy` alone says that nothing was changed and that the same may be tried again.
 */
export class StoreFailure extends Error {
  override readonly name = 'StoreFailure';
  readonly code: 'too-new' | 'damaged' | 'unsafe' | 'outcome-unknown' | 'closed' | 'busy';
  constructor(code: StoreFailure['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A posting that the books refuse: see `WriteTx.post`. */
export class LedgerFailure extends Error {
  override readonly name = 'LedgerFailure';
}
