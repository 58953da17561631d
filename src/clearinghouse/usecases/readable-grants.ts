/**
 * Which key packs of a license server may be read out. A code brings no names: who has a CAL of it shows the
 * license of the source, and 89 days after the typing it is for anybody (protocol §2.4, rule 5). That holds only
 * where the source renews nobody any more. So the CALs with holders of a move by messages are not read out
 * before their source has given them up.
 */
import type { GrantedAuthorityRow, GrantRow } from '../../store/committed-server-rows.ts';
import { grantsOf, unreleasedFrom } from '../../store/committed-server-rows.ts';
import type { ReadTx } from '../../store/port.ts';

/** What is said where something is left out. */
export const laterRead =
  'A key pack of CALs that have holders is not among them: it is read out when their source has given them up, or ' +
  'comes to the license server by message.';

type Place = Pick<GrantRow, 'line' | 'kind' | 'kAfter'>;

/** Whether a position of a chain of this authority may be read out. */
export async function isReadable(tx: ReadTx, aid: string, place: Place): Promise<boolean> {
  return isBelow(await unreleasedFrom(tx, aid), place);
}

function isBelow(unreleased: ReadonlyMap<number, number>, { line, kind, kAfter }: Place): boolean {
  return kind === 'free' || kAfter <= (unreleased.get(line) ?? kAfter);
}

/** The last readable grant of each chain, and whether there is a later one. */
export async function readableGrants(
  tx: ReadTx,
  { aid }: Pick<GrantedAuthorityRow, 'aid'>,
): Promise<{ readonly grants: readonly GrantRow[]; readonly withheld: boolean }> {
  const unreleased = await unreleasedFrom(tx, aid);
  // A part of no CALs stands where the one before it does, and names another source.
  const real = (await grantsOf(tx, aid)).filter(({ kBefore, kAfter }) => kAfter > kBefore);
  const readable = real.filter((grant) => isBelow(unreleased, grant));
  const last = new Map(readable.map((grant) => [`${grant.line}/${grant.kind}`, grant]));
  return { grants: [...last.values()], withheld: readable.length < real.length };
}
