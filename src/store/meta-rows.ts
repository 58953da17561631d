/** Single values by name, and a few that share the beginning of one: identity, settings and counters that need no table of their own. */
import type { ReadTx, WriteTx } from './port.ts';

export async function readMeta(tx: ReadTx, key: string): Promise<string | undefined> {
  const row = await tx.get<{ value: string }>('select value from meta where key = ?', key);
  return row?.value;
}

export async function writeMeta(tx: WriteTx, key: string, value: string): Promise<void> {
  await tx.run(
    'insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value',
    key,
    value,
  );
}

/** All keys that begin with a prefix, which ends with a colon, are between these: `;` is the character after `:`. */
function rangeOf(prefix: string): readonly [string, string] {
  return [prefix, `${prefix.slice(0, -1)};`];
}

/** All values whose keys begin with `prefix`, which ends with a colon, in the order of the keys. */
export async function valuesUnder(tx: ReadTx, prefix: string): Promise<readonly string[]> {
  const rows = await tx.all<{ value: string }>(
    'select value from meta where key > ? and key < ? order by key',
    ...rangeOf(prefix),
  );
  return rows.map(({ value }) => value);
}

export async function dropValuesUnder(tx: WriteTx, prefix: string): Promise<void> {
  await tx.run('delete from meta where key > ? and key < ?', ...rangeOf(prefix));
}

/** Raises a counter by one and answers its new value; a counter never seen starts at 0. */
export async function nextCount(tx: WriteTx, key: string): Promise<number> {
  const next = Number((await readMeta(tx, key)) ?? '0') + 1;
  await writeMeta(tx, key, String(next));
  return next;
}
