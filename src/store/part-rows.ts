/** Parts of a long list that have come ahead of the receipt that they belong to. */
import { writeMeta } from './meta-rows.ts';
import type { WriteTx } from './port.ts';

export interface PartList {
  readonly move: string;
  readonly list: 'holders' | 'leases';
}

/** Long enough for every part number, so that the keys are in the order of the parts. */
const digits = 6;

const prefixOf = ({ move, list }: PartList): string => `part:${list}:${move}:`;

export async function keepPart(
  tx: WriteTx,
  of: PartList,
  { part, text }: { readonly part: number; readonly text: string },
): Promise<void> {
  await writeMeta(tx, `${prefixOf(of)}${String(part).padStart(digits, '0')}`, text);
}

/** All parts of a list in their order; they are not kept any longer. */
export async function takeParts(tx: WriteTx, of: PartList): Promise<readonly string[]> {
  const prefix = prefixOf(of);
  // `;` is the character after `:`.
  const end = `${prefix.slice(0, -1)};`;
  const rows = await tx.all<{ value: string }>(
    'select value from meta where key > ? and key < ? order by key',
    prefix,
    end,
  );
  await tx.run('delete from meta where key > ? and key < ?', prefix, end);
  return rows.map((row) => row.value);
}
