/**
 * The writer's state during one transaction: the accounts and journal heads that were touched, kept
 * in memory until the commit, with what it takes to undo one command and no other. Knows nothing of
 * queues and promises.
 */
import { canonicalJson } from '../core/canonical.ts';
import type { Digest } from '../core/digest.ts';
import type { AccountId, Books, Changes, LedgerProblem, Pending, Posting } from '../core/ledger.ts';
import { applyPostings } from '../core/ledger.ts';
import type { Frontier } from '../core/merkle.ts';
import { append, encodeFrontier, leafHash } from '../core/merkle.ts';
import type { Entry, OutgoingMessage } from './port.ts';
import { LedgerFailure } from './port.ts';
import { isUniqueViolation } from './sqlite-errors.ts';
import { readBalance, readFrontier, readPending } from './sqlite-rows.ts';
import type { Statements } from './sqlite-statements.ts';

/** An account or a journal head held in memory; `stored` is false where the database is behind. */
interface Slot<Value> {
  readonly name: string;
  value: Value;
  stored: boolean;
}

/** Slots of one kind, the values that the running command replaced, and what it sent to the database. */
class Held<Value> {
  readonly #slots = new Map<string, Slot<Value>>();
  readonly #load: (name: string) => Value;
  readonly #save: (name: string, value: Value) => void;
  #behind: Slot<Value>[] = [];
  #replaced: { readonly slot: Slot<Value>; readonly value: Value }[] = [];
  #sent: Slot<Value>[] = [];

  constructor(load: (name: string) => Value, save: (name: string, value: Value) => void) {
    this.#load = load;
    this.#save = save;
  }

  get(name: string): Value {
    return this.#slot(name).value;
  }

  set(name: string, value: Value): void {
    const slot = this.#slot(name);
    this.#replaced.push({ slot, value: slot.value });
    slot.value = value;
    this.#fallBehind(slot);
  }

  /** Brings the database up to date with what is held. */
  save(): void {
    for (const slot of this.#behind) {
      this.#save(slot.name, slot.value);
      slot.stored = true;
      this.#sent.push(slot);
    }
    this.#behind = [];
  }

  keep(): void {
    if (this.#replaced.length > 0) this.#replaced = [];
    if (this.#sent.length > 0) this.#sent = [];
  }

  /** Back to how the command found it; its savepoint takes back what was sent meanwhile. */
  undo(): void {
    for (const { slot, value } of this.#replaced.reverse()) {
      slot.value = value;
      this.#fallBehind(slot);
    }
    for (const slot of this.#sent) this.#fallBehind(slot);
    this.keep();
  }

  names(): Iterable<string> {
    return this.#slots.keys();
  }

  #slot(name: string): Slot<Value> {
    let slot = this.#slots.get(name);
    if (slot === undefined) {
      slot = { name, value: this.#load(name), stored: true };
      this.#slots.set(name, slot);
    }
    return slot;
  }

  #fallBehind(slot: Slot<Value>): void {
    if (!slot.stored) return;
    slot.stored = false;
    this.#behind.push(slot);
  }
}

export class Batch {
  readonly statements: Statements;
  readonly #digest: Digest;
  readonly #accounts: Held<number | undefined>;
  readonly #logs: Held<Frontier>;
  readonly #committed = new Map<string, Frontier>();
  readonly #books: Books;
  #savepoint = false;
  #wrote = false;

  /** Begins the transaction; throws what SQLite throws where another process holds the lock. */
  constructor(statements: Statements, digest: Digest) {
    this.statements = statements;
    this.#digest = digest;
    this.#accounts = new Held(
      (name) => readBalance(statements, name),
      (name, balance) => saveAccount(statements, name, balance),
    );
    this.#logs = new Held(
      (name) => this.#loadFrontier(name),
      (name, frontier) => saveLog(statements, name, frontier),
    );
    this.#books = {
      balance: (account) => this.balance(account),
      pending: (id) => readPending(statements, id),
    };
    statements.own('begin immediate').run();
  }

  /** Whether any command wrote something that was kept or may have to be undone. */
  get wrote(): boolean {
    return this.#wrote;
  }

  /** The journals that this transaction looked at. */
  logsTouched(): Iterable<string> {
    return this.#logs.names();
  }

  balance(account: AccountId): number {
    return this.#accounts.get(account) ?? 0;
  }

  /** The journal's right edge before this transaction. */
  committed(log: string): Frontier {
    this.#logs.get(log);
    return this.#committed.get(log) as Frontier;
  }

  /** To be called before each write of a command: its savepoint is opened at the first one. */
  aboutToWrite(): void {
    if (this.#savepoint) return;
    this.statements.own('savepoint command').run();
    this.#savepoint = true;
    this.#wrote = true;
  }

  /** Sends accounts and journal heads to the database, for a statement that reads those tables. */
  saveHeld(): void {
    this.aboutToWrite();
    this.#accounts.save();
    this.#logs.save();
  }

  /** Ends a command: keeps or undoes everything that it did. */
  endCommand(keep: boolean): void {
    if (this.#savepoint) {
      if (!keep) this.statements.own('rollback to command').run();
      this.statements.own('release command').run();
      this.#savepoint = false;
    }
    if (keep) {
      this.#accounts.keep();
      this.#logs.keep();
    } else {
      this.#accounts.undo();
      this.#logs.undo();
    }
  }

  /** Makes everything durable; a throw leaves the outcome unknown. */
  commit(): void {
    this.#accounts.save();
    this.#logs.save();
    this.statements.own('commit').run();
  }

  rollback(): void {
    if (this.statements.db.isTransaction) this.statements.own('rollback').run();
  }

  /** One entry with all that belongs to it; throws `LedgerFailure` where the books refuse. */
  post(entry: Entry): void {
    const postings = entry.postings ?? [];
    const text = canonicalJson(entryValue(entry, postings));
    const outcome = applyPostings(this.#books, postings);
    if (!outcome.ok) throw new LedgerFailure(problemText(entry, outcome.error));
    this.aboutToWrite();
    this.#keepChanges(outcome.value);
    this.#appendJournal(entry, text);
    if (entry.answer !== undefined) this.#insertAnswer(entry.answer, entry.at);
    for (const message of entry.outbox ?? []) this.#insertMessage(message, entry.at);
  }

  acknowledge(ids: readonly string[]): void {
    this.aboutToWrite();
    const statement = this.statements.own(
      'update outbox set acknowledged = 1 where id = ? and acknowledged = 0',
    );
    for (const id of ids) statement.run(id);
  }

  #loadFrontier(log: string): Frontier {
    const frontier = readFrontier(this.statements, log);
    this.#committed.set(log, frontier);
    return frontier;
  }

  #keepChanges(changes: Changes): void {
    for (const [account, balance] of changes.balances) this.#accounts.set(account, balance);
    for (const pending of changes.pendings.values()) savePending(this.statements, pending);
  }

  #appendJournal(entry: Entry, text: string): void {
    const frontier = this.#logs.get(entry.log);
    const leaf = leafHash(this.#digest, Buffer.from(text, 'utf8'));
    const statement = this.statements.own(
      'insert into journal (log, position, id, kind, at, text, leaf) values (?, ?, ?, ?, ?, ?, ?)',
    );
    orReused(`entry ${entry.id} is in journal ${entry.log} already`, () =>
      statement.run(entry.log, frontier.size, entry.id, entry.kind, entry.at, text, leaf),
    );
    this.#logs.set(entry.log, append(this.#digest, frontier, leaf));
  }

  #insertAnswer(answer: NonNullable<Entry['answer']>, at: number): void {
    const statement = this.statements.own(
      'insert into answers (id, request_digest, body, at) values (?, ?, ?, ?)',
    );
    orReused(`an answer under ${answer.id} was given already`, () =>
      statement.run(answer.id, answer.requestDigest, JSON.stringify(answer.body), at),
    );
  }

  #insertMessage(message: OutgoingMessage, at: number): void {
    const statement = this.statements.own(
      'insert into outbox (id, recipient, type, body, at) values (?, ?, ?, ?, ?)',
    );
    orReused(`message ${message.id} is in the outbox already`, () =>
      statement.run(message.id, message.recipient, message.type, JSON.stringify(message.body), at),
    );
  }
}

/** What a leaf covers; `v` names this form, so that a later one can be told apart. */
function entryValue({ log, id, kind, at, body }: Entry, postings: readonly Posting[]) {
  return { v: 1, log, id, kind, at, body, postings };
}

function saveAccount(statements: Statements, account: AccountId, balance: number | undefined): void {
  // An account that only an undone command touched has no row, as before.
  if (balance === undefined) return;
  statements
    .own(
      `insert into accounts (id, balance) values (?, ?)
       on conflict (id) do update set balance = excluded.balance`,
    )
    .run(account, balance);
}

function saveLog(statements: Statements, log: string, frontier: Frontier): void {
  // A journal whose only entries were undone has nothing to say, and no row.
  if (frontier.size === 0) return;
  statements
    .own(
      `insert into logs (log, size, frontier) values (?, ?, ?)
       on conflict (log) do update set size = excluded.size, frontier = excluded.frontier`,
    )
    .run(log, frontier.size, encodeFrontier(frontier));
}

function savePending(statements: Statements, pending: Pending): void {
  const { id, debit, hold, credit, amount, state } = pending;
  const { changes } = statements
    .own(
      `insert into pendings (id, debit, hold, credit, amount, state) values (?, ?, ?, ?, ?, ?)
       on conflict (id) do update set credit = excluded.credit, state = excluded.state
       where pendings.state = 'open'`,
    )
    .run(id, debit, hold, credit, amount, state);
  // The rules looked before; this is the same promise, kept a second time by the database.
  if (changes !== 1) throw new LedgerFailure(`pending ${id} was resolved already`);
}

function orReused(problem: string, insert: () => unknown): void {
  try {
    insert();
  } catch (error) {
    if (isUniqueViolation(error)) throw new LedgerFailure(problem, { cause: error });
    throw error;
  }
}

function problemText(entry: Entry, problem: LedgerProblem): string {
  return `the books refuse entry ${entry.id} (${entry.kind}): ${JSON.stringify(problem)}`;
}
