/**
 * Everything that the databases of a world hold, and what differs between two moments: the measure of
 * "nothing was changed". Books, journals, outboxes, licenses and all other tables, row by row.
 */
import type { Store } from '../../src/store/port.ts';

/** Rows as JSON, by `program.table`. */
export type Snapshot = ReadonlyMap<string, readonly string[]>;

interface Program {
  readonly name: string;
  readonly store: Store;
}

/** `logs` holds the edge of each journal's tree and says nothing that the journal does not. */
const derived = /^(?:logs|sqlite_.*)$/;

export async function takeSnapshot(programs: readonly Program[]): Promise<Snapshot> {
  const snapshot = new Map<string, readonly string[]>();
  for (const { name, store } of programs) {
    await store.read(async (tx) => {
      for (const { table, sql } of await queriesOf(tx, store)) {
        snapshot.set(`${name}.${table}`, (await tx.all<Record<string, unknown>>(sql)).map(rowText));
      }
      // The one way of asking for balances that the use cases have must see the same books.
      snapshot.set(
        `${name}.balances`,
        [...(await tx.balances(''))].map((each) => each.join(' ')),
      );
    });
  }
  return snapshot;
}

type Reader = Parameters<Parameters<Store['read']>[0]>[0];

interface TableQuery {
  readonly table: string;
  readonly sql: string;
}

/** The tables of an open database do not change. */
const known = new WeakMap<Store, readonly TableQuery[]>();

async function queriesOf(tx: Reader, store: Store): Promise<readonly TableQuery[]> {
  const before = known.get(store);
  if (before !== undefined) return before;
  const columns = await tx.all<{ table: string; column: string }>(
    `select m.name as "table", c.name as "column" from sqlite_master m, pragma_table_info(m.name) c
     where m.type = 'table' order by m.name, c.cid`,
  );
  const tables = Map.groupBy(columns, (row) => row.table);
  const queries = [...tables]
    .filter(([table]) => !derived.test(table))
    .map(([table, rows]) => ({
      table,
      sql: `select ${rows.map((row) => row.column).join(', ')} from ${table}`,
    }));
  known.set(store, queries);
  return queries;
}

function rowText(row: Record<string, unknown>): string {
  return JSON.stringify(row, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  );
}

/** What a row is called in a difference: the kind of a journal entry, the type of a message, … */
const labels: Readonly<Record<string, string>> = {
  journal: 'kind',
  outbox: 'type',
  events: 'number',
  meta: 'key',
  requests: 'state',
};

function labelOf(table: string, row: string): string {
  const column = labels[table.split('.')[1] ?? ''];
  return column === undefined ? '' : `:${String((JSON.parse(row) as Record<string, unknown>)[column])}`;
}

/** Rows of `some` that are not in `others`, each as often as it is missing there. */
function without(some: readonly string[], others: readonly string[]): readonly string[] {
  const left = new Map<string, number>();
  for (const row of others) left.set(row, (left.get(row) ?? 0) + 1);
  return some.filter((row) => {
    const count = left.get(row) ?? 0;
    left.set(row, count - 1);
    return count <= 0;
  });
}

/**
 * The differences, sorted: `LS.events+:21` is a new row, `-` one that went, `~` one that changed.
 * Equal differences are named once.
 */
export function differences(before: Snapshot, after: Snapshot): readonly string[] {
  const found = new Set<string>();
  for (const table of new Set([...before.keys(), ...after.keys()])) {
    const added = without(after.get(table) ?? [], before.get(table) ?? []).map((row) => labelOf(table, row));
    const removed = without(before.get(table) ?? [], after.get(table) ?? []).map((row) =>
      labelOf(table, row),
    );
    for (const label of added) found.add(`${table}${removed.includes(label) ? '~' : '+'}${label}`);
    for (const label of removed) if (!added.includes(label)) found.add(`${table}-${label}`);
  }
  return [...found].sort();
}
