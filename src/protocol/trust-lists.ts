/**
 * Trust lists one after another (protocol §4.5): how the next one is made, and how whoever has an old one
 * follows them to the one in force. What a single list must be is in trust.ts.
 */
import Type from 'typebox';
import type { Digest } from '../core/digest.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { dayMs, isoTime } from '../core/time.ts';
import type { SigningKey } from './paseto.ts';
import { readPayload } from './paseto.ts';
import { msOf, parserOf, Token } from './schema.ts';
import type { RootKey, TrustList } from './trust.ts';
import {
  acceptTrustList,
  makeTrustList,
  openTrustList,
  readPublisherBundle,
  trustedKey,
  writePublisherBundle,
} from './trust.ts';

/** The term of a list: a year of issuing, and a month in which to make the next one. */
export const trustListDays = 400;

/** From so many days before its end on the publisher is reminded to make the next one. */
export const renewalDays = 60;

/** Lists before the one that is sent along, oldest first: one a year. */
export const EarlierTrustLists = Type.Array(Token, { maxItems: 64 });

/** Lists, oldest first, as a file carries them: the one in force by itself, those before it where there are any. */
export function trustListMembers(lists: readonly string[]): {
  readonly trustList?: string;
  readonly earlierTrustLists?: readonly string[];
} {
  const trustList = lists.at(-1);
  if (trustList === undefined) return {};
  return lists.length === 1 ? { trustList } : { trustList, earlierTrustLists: lists.slice(0, -1) };
}

/** The lists that a file carries, oldest first. */
export function trustListsOf(members: {
  readonly trustList?: string | undefined;
  readonly earlierTrustLists?: readonly string[] | undefined;
}): readonly string[] {
  const { trustList, earlierTrustLists = [] } = members;
  return trustList === undefined ? [] : [...earlierTrustLists, trustList];
}

/** A trust list as it was signed, and what it says. */
export interface SignedTrustList {
  readonly token: string;
  readonly list: TrustList;
}

/**
 * The list after `current`, signed: the same publisher, roots and keys, each key that is not revoked and the list
 * itself for `trustListDays` from now. A term is never cut short by it. Refused: message-untrusted (`root` is no
 * root of the list).
 */
function nextTrustList(
  digest: Digest,
  current: TrustList,
  by: { readonly root: SigningKey; readonly nowMs: number },
): Result<string, Refusal> {
  const { root, nowMs } = by;
  if (!current.roots.some(({ kid }) => kid === root.kid)) {
    return err({ code: 'message-untrusted', signer: root.kid });
  }
  const untilMs = nowMs + trustListDays * dayMs;
  const longer = (exp: string): string => isoTime(Math.max(untilMs, msOf(exp)));
  const keys = current.keys.map((key) =>
    current.revoked.includes(key.kid) ? key : { ...key, exp: longer(key.exp) },
  );
  const next = {
    ...{ ...current, version: current.version + 1, keys },
    ...{ iat: isoTime(nowMs), exp: longer(current.exp) },
  };
  return ok(makeTrustList(digest, next, root));
}

/**
 * The publisher bundle after the one of this text, with the next list in it: what whoever has the root key makes once a
 * year. Refused: what `readPublisherBundle` refuses; message-untrusted (`by.root` is no root of the list).
 */
export function nextPublisherBundle(
  digest: Digest,
  text: string,
  by: { readonly root: SigningKey; readonly nowMs: number },
): Result<string, Refusal> {
  const bundle = readPublisherBundle(digest, text);
  if (!bundle.ok) return bundle;
  const { publisher, root, trustList } = bundle.value;
  const next = nextTrustList(digest, trustList, by);
  return next.ok ? ok(writePublisherBundle({ publisher, root, trustListToken: next.value })) : next;
}

/**
 * Goes from the present list on by `tokens`, oldest first, as far as they lead: each must be signed by one of
 * `roots` and be of the very next version; one that is known already is passed over. The first that may not be
 * taken ends it, and is answered beside what was taken until then: whoever has a list goes on with it.
 */
export function followTrustLists(
  digest: Digest,
  from: { readonly current: SignedTrustList; readonly roots: readonly RootKey[] },
  tokens: readonly string[],
): { readonly reached: SignedTrustList; readonly refused: Refusal | null } {
  let reached = from.current;
  for (const token of tokens) {
    const opened = openTrustList(digest, token, from.roots);
    if (!opened.ok) return { reached, refused: opened.error };
    const update = acceptTrustList(reached.list, opened.value);
    if (!update.ok) return { reached, refused: update.error };
    if (update.value.outcome === 'accepted') reached = { token, list: update.value.list };
  }
  return { reached, refused: null };
}

/**
 * Whether a clearinghouse may put this list in force: its own key is in it, and may sign today. Refused:
 * message-invalid, in words.
 */
export function checkNamesKey(
  list: TrustList,
  own: { readonly kid: string; readonly nowMs: number },
): Result<null, Refusal> {
  if (trustedKey(list, own.kid, { role: 'issue', atMs: own.nowMs }) !== undefined) return ok(null);
  const problem = `trust list ${list.version} does not say that the key ${own.kid}, which this clearinghouse signs with, may sign today`;
  return err({ code: 'message-invalid', problem });
}

/** Days until a list ends; negative once it has. */
export function daysLeft(list: TrustList, nowMs: number): number {
  return Math.floor((msOf(list.exp) - nowMs) / dayMs);
}

const parseClaim = parserOf(Type.Object({ body: Type.Object({ trustLists: EarlierTrustLists }) }));

/** The trust lists that a message says it brings, nothing verified; none where it brings none, or is no message. */
export function claimedTrustLists(message: string): readonly string[] {
  const payload = readPayload(message);
  if (payload?.['t'] !== 'welcome') return [];
  const claim = parseClaim(payload);
  return claim.ok ? claim.value.body.trustLists : [];
}
