/** The generation of this server, of which its tokens and messages speak: every deactivation ends one. */
import { readMeta, writeMeta } from '../store/meta-rows.ts';
import type { ReadTx, WriteTx } from '../store/port.ts';

const generationKey = 'generation';

export async function readGeneration(tx: ReadTx): Promise<number> {
  return Number((await readMeta(tx, generationKey)) ?? '1');
}

/** Ends the present generation. */
export async function nextGeneration(tx: WriteTx): Promise<void> {
  await raiseGeneration(tx, (await readGeneration(tx)) + 1);
}

/** Raises the generation to the one that the clearinghouse names, and never lowers it; answers it as it is now. */
export async function raiseGeneration(tx: WriteTx, named: number): Promise<number> {
  const generation = Math.max(await readGeneration(tx), named);
  await writeMeta(tx, generationKey, String(generation));
  return generation;
}
