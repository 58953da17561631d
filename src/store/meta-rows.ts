/** Single values by name: identity, settings and counters that need no table of their own. */
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

/** Raises a counter by one and answers its new value; a counter never seen starts at 0. */
export async function nextCount(tx: WriteTx, key: string): Promise<number> {
  const next = Number((await readMeta(tx, key)) ?? '0') + 1;
  await writeMeta(tx, key, String(next));
  return next;
}
