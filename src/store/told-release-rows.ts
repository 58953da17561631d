/**
 * Releases that are told twice, by a message and by a code: those of messages whose code nobody has read yet, and those
 * of codes that were read. Plain SQL, no rules.
 */
import { readMeta, valuesUnder, writeMeta } from './meta-rows.ts';
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

const readKey = (aid: string, seq: number): string => `read-release:${aid}:${seq}`;

/** The code was read, and taken for the release of this move. */
export async function keepReadRelease(tx: WriteTx, { aid, seq, move }: ToldRelease): Promise<void> {
  await writeMeta(tx, readKey(aid, seq), move);
}

/** The move that a code was taken for. */
export function findReadRelease(
  tx: ReadTx,
  { aid, seq }: Omit<ToldRelease, 'move'>,
): Promise<string | undefined> {
  return readMeta(tx, readKey(aid, seq));
}
