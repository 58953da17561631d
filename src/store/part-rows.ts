/** Parts of a long list that have come ahead of the message that they belong to, in either program. */
import { dropValuesUnder, readMeta, valuesUnder, writeMeta } from './meta-rows.ts';
import type { ReadTx, WriteTx } from './port.ts';

export interface PartList {
  readonly move: string;
  readonly list: 'holders' | 'leases' | 'returned' | 'frozen';
}

/** Long enough for every part number, so that the keys are in the order of the parts. */
const digits = 6;

const prefixOf = ({ move, list }: PartList): string => `part:${list}:${move}:`;
const keyOf = (of: PartList, part: number): string => `${prefixOf(of)}${String(part).padStart(digits, '0')}`;

export async function keepPart(
  tx: WriteTx,
  of: PartList,
  { part, text }: { readonly part: number; readonly text: string },
): Promise<void> {
  await writeMeta(tx, keyOf(of, part), text);
}

/** All parts of a list in their order; they are not kept any longer. */
export async function takeParts(tx: WriteTx, of: PartList): Promise<readonly string[]> {
  const texts = await valuesUnder(tx, prefixOf(of));
  await dropParts(tx, of);
  return texts;
}

export async function readPart(tx: ReadTx, of: PartList, part: number): Promise<string | undefined> {
  return readMeta(tx, keyOf(of, part));
}

/** Parts of a list that nobody will ask for any more. */
export async function dropParts(tx: WriteTx, of: PartList): Promise<void> {
  await dropValuesUnder(tx, prefixOf(of));
}
