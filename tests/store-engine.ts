/** What the store's contract needs of an engine, and the fixtures that its tests share. */
import { createHash } from 'node:crypto';
import { hex } from '../src/core/bytes.ts';
import type { Digest } from '../src/core/digest.ts';
import type { Posting } from '../src/core/ledger.ts';
import type { Result } from '../src/core/result.ts';
import { ok } from '../src/core/result.ts';
import { nodeDigest } from '../src/platform/digest.ts';
import type { Entry, JournalRow, LogHead, OutboxRow, ReadTx, Store, WriteTx } from '../src/store/port.ts';

export interface StoreEngine {
  /** A place for a new database: a file, an address. */
  readonly newPlace: () => string;
  /** Opens the database there, and makes it where there is none. */
  readonly open: (place: string, onCommit: (commands: number) => void) => Store;
  /** Absent where nothing outlives the store. */
  readonly lasting?: {
    /** Runs SQL behind the store's back; throws what the database throws. */
    readonly meddle: (place: string, sql: string) => void;
    /** Arguments of a Node process that writes until it is killed (store-writer.ts). */
    readonly writerArguments: (place: string) => readonly string[];
  };
}

export interface Opened {
  readonly store: Store;
  readonly place: string;
  /** The number of commands that shared each commit so far. */
  readonly commits: number[];
}

/** Runs `work` on a new store, and closes it. */
export async function withStore(engine: StoreEngine, work: (opened: Opened) => Promise<void>): Promise<void> {
  const place = engine.newPlace();
  const commits: number[] = [];
  const store = engine.open(place, (commands) => commits.push(commands));
  try {
    await work({ store, place, commits });
  } finally {
    await store.close();
  }
}

/** Runs `work` on the store at `place`, opened again. */
export async function withReopened(
  engine: StoreEngine,
  place: string,
  work: (store: Store) => Promise<void>,
): Promise<void> {
  const store = engine.open(place, () => undefined);
  try {
    await work(store);
  } finally {
    await store.close();
  }
}

export const installed = 'A/0/installed';
export const unissued = 'A/0/unissued';
export const issued = 'A/0/issued';

export function entryOf(id: string, more: Partial<Entry> = {}): Entry {
  return { log: 'server', kind: 'test', id, at: 1000, body: {}, ...more };
}

export function transfer(debit: string, credit: string, amount: number): Posting {
  return { kind: 'transfer', debit, credit, amount };
}

/** Posts one entry as a command of its own. */
export function post(store: Store, entry: Entry): Promise<Result<undefined, never>> {
  return store.write(async (tx) => {
    await tx.post(entry);
    return ok(undefined);
  }) as Promise<Result<undefined, never>>;
}

export function install(store: Store, amount: number): Promise<unknown> {
  return post(store, entryOf('install', { postings: [transfer(installed, unissued, amount)] }));
}

export async function setMeta(tx: WriteTx, key: string, value: string): Promise<void> {
  await tx.run(
    'insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value',
    key,
    value,
  );
}

/** SHA-256 by another way than the program's, so that both would have to be wrong. */
export const otherDigest: Digest = {
  ...nodeDigest,
  sha256: (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()),
};

/** A head with its root in hexadecimal: comparable, whatever class the bytes come in. */
export function shownHead({ size, root }: LogHead): { size: number; root: string } {
  return { size, root: hex(root) };
}

/** Everything that is committed, in comparable form. */
export interface Snapshot {
  readonly balances: readonly (readonly [string, number])[];
  readonly pendings: readonly unknown[];
  readonly journals: readonly JournalRow[];
  readonly heads: readonly unknown[];
  readonly answers: readonly unknown[];
  readonly outbox: readonly unknown[];
  readonly meta: readonly unknown[];
}

const logs = ['server', 'other'];

export function snapshot(store: Store): Promise<Snapshot> {
  return store.read(async (tx: ReadTx) => {
    const journals: JournalRow[] = [];
    const heads: unknown[] = [];
    for (const log of logs) {
      journals.push(...(await tx.journal(log, 0, 10_000)));
      heads.push(shownHead(await tx.head(log)));
    }
    const outbox: OutboxRow[] = [];
    for (const recipient of ['clearinghouse', 'target']) outbox.push(...(await tx.outbox(recipient, 10_000)));
    return {
      balances: [...(await tx.balances(''))],
      pendings: await tx.all('select id, debit, hold, credit, amount, state from pendings order by id'),
      journals,
      heads,
      answers: await tx.all('select id, request_digest, body from answers order by id'),
      outbox,
      meta: await tx.all('select key, value from meta order by key'),
    };
  });
}
