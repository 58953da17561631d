/** Releases that a message has told, and a code tells as well that nobody has read yet: plain SQL, no rules. */
import { valuesUnder, writeMeta } from './meta-rows.ts';
import type { ReadTx, WriteTx } from './port.ts';

export interface ToldRelease {
  /** The authority and the number of the code. */
  readonly aid: string;
  readonly seq: number;
  readonly move: string;
}

const prefixOf = (aid: string): string => `told-release:${aid}:`;

export async function keepToldRelease(tx: WriteTx, { aid, seq, move }: ToldRelease): Promise<void> {
  await writeMeta(tx, `${prefixOf(aid)}${seq}:${move}`, JSON.stringify({ aid, seq, move }));
}

/** Those of the codes of an authority. */
export async function toldReleases(tx: ReadTx, aid: string): Promise<readonly ToldRelease[]> {
  return (await valuesUnder(tx, prefixOf(aid))).map((value) => JSON.parse(value) as ToldRelease);
}

/** Its code was read, or passed over: nobody will ask for it any more. */
export async function forgetToldRelease(tx: WriteTx, { aid, seq, move }: ToldRelease): Promise<void> {
  await tx.run('delete from meta where key = ?', `${prefixOf(aid)}${seq}:${move}`);
}
