/**
 * The trust list that this server has: the keys that may sign for the clearinghouse; and how a newer one takes
 * its place. Its root is the one of the publisher bundle, for good.
 */
import type { Refusal } from '../../core/refusal.ts';
import { ok } from '../../core/result.ts';
import { openTrustList } from '../../protocol/trust.ts';
import type { SignedTrustList } from '../../protocol/trust-lists.ts';
import { followTrustLists } from '../../protocol/trust-lists.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ServerContext } from '../context.ts';
import { noteEvent } from './events.ts';

/** The list as it was signed, and opened under the root that this server has pinned. */
export async function readTrustList(context: ServerContext): Promise<SignedTrustList> {
  return context.store.read((tx) => trustListIn(context, tx));
}

async function trustListIn(context: ServerContext, tx: ReadTx): Promise<SignedTrustList> {
  const token = (await readMeta(tx, 'trustList')) ?? '';
  const list = openTrustList(context.digest, token, [context.root]);
  if (!list.ok) throw new Error('The trust list of this license server cannot be opened.');
  return { token, list: list.value };
}

/**
 * Goes on to the newest of `tokens` that the present list leads to (protocol §4.5), and stores it before anything
 * that it vouches for is looked at. Answers the list that is in force then, and why the first of them that was
 * not taken was not.
 */
export async function takeTrustLists(
  context: ServerContext,
  tx: WriteTx,
  tokens: readonly string[],
): Promise<{ readonly list: SignedTrustList; readonly refused: Refusal | null }> {
  const current = await trustListIn(context, tx);
  const { reached, refused } = followTrustLists(context.digest, { current, roots: [context.root] }, tokens);
  if (reached.token !== current.token) {
    await writeMeta(tx, 'trustList', reached.token);
    const { version, exp } = reached.list;
    await noteEvent(context, tx, { number: 5047, data: { version, until: exp } });
  }
  return { list: reached, refused };
}

/**
 * The list to judge messages by: the present one, or where they bring newer ones the newest of those. A list that
 * may not be taken changes nothing: what is signed by a key of the present one goes on being believed.
 */
export async function trustListFor(
  context: ServerContext,
  brought: readonly string[],
): Promise<SignedTrustList> {
  const present = await readTrustList(context);
  // Each contact brings all of them again: those up to the present one are behind us.
  const newer = brought.slice(brought.lastIndexOf(present.token) + 1);
  if (newer.length === 0) return present;
  const taken = await context.store.write(async (tx) => ok(await takeTrustLists(context, tx, newer)));
  return taken.ok ? taken.value.list : present;
}
