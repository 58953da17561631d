/**
 * The publisher's trust lists: which one is in force, and how the next one comes into force (protocol §4.5).
 * The root key is not here and never has to be: whoever has it signs a list elsewhere.
 */

import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { ok } from '../../core/result.ts';
import {
  claimedRoots,
  openTrustList,
  readPublisherBundle,
  writePublisherBundle,
} from '../../protocol/trust.ts';
import type { SignedTrustList } from '../../protocol/trust-lists.ts';
import { checkNamesKey, daysLeft, followTrustLists, renewalDays } from '../../protocol/trust-lists.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { publisherLog } from './products.ts';

/** The list that is in force. It lies beside the keys of this clearinghouse, which is why its own roots are believed. */
export function trustListInForce(context: ClearinghouseContext): SignedTrustList {
  const token = context.trustLists.at(-1) ?? '';
  const list = openTrustList(context.digest, token, claimedRoots(token));
  if (!list.ok) throw new Error(`The clearinghouse cannot open its own trust list: ${list.error.code}`);
  return { token, list: list.value };
}

/** All lists, oldest first, the one in force last: whoever has an old one follows them (trust-lists.ts). */
export async function storedTrustLists(tx: ReadTx): Promise<readonly string[]> {
  const earlier = JSON.parse((await readMeta(tx, 'earlierTrustLists')) ?? '[]') as readonly string[];
  return [...earlier, (await readMeta(tx, 'trustList')) ?? ''];
}

/** The trust list in force, for people. */
export type TrustListView = {
  readonly version: number;
  readonly publisher: string;
  readonly issuedAt: string;
  readonly expiresAt: string;
  readonly daysLeft: number;
  /** The next list is due: there are at most 60 days left. */
  readonly renewalDue: boolean;
  readonly roots: readonly string[];
  readonly keys: readonly {
    readonly id: string;
    readonly role: string;
    readonly expiresAt: string;
    readonly revoked: boolean;
  }[];
};

export function showTrustList(context: ClearinghouseContext): TrustListView {
  const { list } = trustListInForce(context);
  const left = daysLeft(list, context.clock.nowMs());
  return {
    version: list.version,
    publisher: list.publisher,
    issuedAt: list.iat,
    expiresAt: list.exp,
    daysLeft: left,
    renewalDue: left <= renewalDays,
    roots: list.roots.map(({ kid }) => kid),
    keys: list.keys.map(({ kid, role, exp }) => {
      return { id: kid, role, expiresAt: exp, revoked: list.revoked.includes(kid) };
    }),
  };
}

/**
 * Puts the list of a publisher bundle in force, and says whether it is a new one: the one that is in force already,
 * or an older one, changes nothing. From then on every kit, answer file and welcome carries it. Refused: what
 * `readPublisherBundle` and `followTrustLists` refuse; message-invalid where it does not name the key that this
 * clearinghouse signs with.
 */
export async function importTrustList(
  context: ClearinghouseContext,
  text: string,
): Promise<Result<TrustListView & { readonly imported: boolean }, Refusal>> {
  const bundle = readPublisherBundle(context.digest, text);
  if (!bundle.ok) return bundle;
  const nowMs = context.clock.nowMs();
  const taken = await context.store.write(async (tx) => {
    const lists = await storedTrustLists(tx);
    const current = trustListInForce(context);
    const roots = claimedRoots(current.token);
    const { reached, refused } = followTrustLists(context.digest, { current, roots }, [
      bundle.value.trustListToken,
    ]);
    if (refused !== null) return { ok: false, error: refused };
    if (reached.token === current.token) return ok(lists);
    const named = checkNamesKey(reached.list, { kid: context.issueKey.kid, nowMs });
    if (!named.ok) return named;
    const { version, exp } = reached.list;
    await writeMeta(tx, 'trustList', reached.token);
    await writeMeta(tx, 'earlierTrustLists', JSON.stringify(lists));
    await tx.post({
      ...{ log: publisherLog, kind: 'trust-list', id: `trust-list:${version}`, at: nowMs },
      body: { version, expiresAt: exp, signed: reached.token },
    });
    return ok([...lists, reached.token]);
  });
  if (!taken.ok) return taken;
  const imported = taken.value.length > context.trustLists.length;
  context.trustLists = taken.value;
  context.saveBundle(publisherBundle(context));
  return ok({ ...showTrustList(context), imported });
}

/** The publisher bundle with the list in force: what license servers are made with from now on. */
export function publisherBundle(context: Pick<ClearinghouseContext, 'publisher' | 'trustLists'>): string {
  const trustListToken = context.trustLists.at(-1) ?? '';
  const [root] = claimedRoots(trustListToken);
  if (root === undefined) throw new Error('The trust list of this clearinghouse names no root.');
  return writePublisherBundle({ publisher: context.publisher, root, trustListToken });
}

/** For the log of a service: the next list is due, or overdue; undefined otherwise. */
export function renewalReminder(view: TrustListView): string | undefined {
  if (!view.renewalDue) return undefined;
  const end = view.expiresAt.slice(0, 10);
  const when =
    view.daysLeft < 0
      ? `ended on ${end}: license servers refuse what this clearinghouse sends them`
      : `ends on ${end}`;
  return `Trust list ${view.version} ${when}. Sign the next one with the root key, and import it: calyx clearinghouse trust-list sign --help`;
}
