/** The trust list that this server has: the keys that may sign for the clearinghouse. */
import type { TrustList } from '../../protocol/trust.ts';
import { openTrustList } from '../../protocol/trust.ts';
import { readMeta } from '../../store/meta-rows.ts';
import type { ServerContext } from '../context.ts';

/** The list as it was signed, and opened under the root that this server has pinned. */
export async function readTrustList(
  context: ServerContext,
): Promise<{ readonly token: string; readonly list: TrustList }> {
  const token = (await context.store.read((tx) => readMeta(tx, 'trustList'))) ?? '';
  const list = openTrustList(context.digest, token, [context.root]);
  if (!list.ok) throw new Error('The trust list of this license server cannot be opened.');
  return { token, list: list.value };
}
