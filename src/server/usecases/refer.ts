/**
 * Sending clients after their CALs (protocol §2.4): a referral to the target of the newest move out of
 * here. It is given beside what this server can still do for the client, and in place of what it cannot.
 */
import type { Refusal } from '../../core/refusal.ts';
import { isoTime } from '../../core/time.ts';
import { referralMs, signReferral } from '../../protocol/referral.ts';
import type { LicenseRow } from '../../store/license-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import { anyReserveSince } from '../../store/reserve-source-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { findPeer, findServerMove, newestMove } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import type { Asked, Candidate, Situation } from './license-situation.ts';
import { candidatesFor } from './license-situation.ts';
import { otherEnd } from './move-row.ts';

/** What is refused because there is nothing here to give: elsewhere there may be. */
const lacking: ReadonlySet<Refusal['code']> = new Set<Refusal['code']>([
  'none-available',
  'product-not-installed',
  'temporary-used-up',
  'temporary-cap',
  'horizon-passed',
  'not-activated',
  'deactivated',
]);

/** Where a license goes that is frozen for a move: its holder may ask there at once. Null: nowhere. */
export async function referHeld(
  context: ServerContext,
  tx: ReadTx,
  { state, move }: Pick<LicenseRow, 'state' | 'move'>,
): Promise<string | null> {
  const frozen = state === 'held' && move !== null ? await findServerMove(tx, move) : undefined;
  return frozen === undefined ? null : referralOf(context, tx, frozen);
}

/** For a stranger for whom a temporary license is all that is left here: the CALs are elsewhere. */
export async function referStranger(
  context: ServerContext,
  tx: ReadTx,
  { situation, asked }: { readonly situation: Situation; readonly asked: Pick<Asked, 'request'> },
): Promise<string | null> {
  if (situation.state.unissued > 0) return null;
  const move = await moveAway(tx, candidatesFor(situation.facts, asked.request));
  return move === undefined ? null : referralOf(context, tx, move);
}

/**
 * The move that took CALs of these lines away last; undefined where there is none, or where CALs of that
 * line have come here since, so that it is this server which others refer to.
 */
async function moveAway(tx: ReadTx, candidates: readonly Candidate[]): Promise<ServerMoveRow | undefined> {
  for (const { line } of candidates) {
    const newest = await newestMove(tx, line.agreement, line.line);
    if (newest?.role !== 'source') continue;
    if (!(await anyReserveSince(tx, line.id, newest.updatedAt))) return newest;
  }
  return undefined;
}

/** The refusal with a referral in its details, where CALs that this server lacks have moved away. */
export async function referRefused(
  context: ServerContext,
  tx: ReadTx,
  of: { readonly refusal: Refusal; readonly candidates: readonly Candidate[] },
): Promise<Refusal> {
  const { refusal, candidates } = of;
  const move = lacking.has(refusal.code) ? await moveAway(tx, candidates) : undefined;
  return move === undefined ? refusal : referTo(context, tx, { refusal, move });
}

/** The refusal with a referral in its details, to where a move has taken the CALs. */
export async function referTo(
  context: ServerContext,
  tx: ReadTx,
  { refusal, move }: { readonly refusal: Refusal; readonly move: ServerMoveRow },
): Promise<Refusal & { readonly referral: string }> {
  return { ...refusal, referral: await referralOf(context, tx, move) };
}

/** A signed referral, and when it is time for a fresh one. */
export interface KeptReferral {
  readonly token: string;
  readonly freshUntilMs: number;
}

/** Referrals that are kept signed: one for each move that clients still ask for. */
const mostKept = 1000;

/**
 * The referral to where a move takes the CALs, good for a day. It is signed anew when half of that is over: between
 * the freeze and the release each renewal carries one.
 */
async function referralOf(context: ServerContext, tx: ReadTx, move: ServerMoveRow): Promise<string> {
  const { referrals } = context.cache;
  const nowMs = context.clock.nowMs();
  const target = otherEnd(move);
  const url = (await findPeer(tx, target))?.url ?? null;
  const name = `${move.id} ${url}`;
  const kept = referrals.get(name);
  if (kept !== undefined && nowMs < kept.freshUntilMs && nowMs >= kept.freshUntilMs - referralMs) {
    return kept.token;
  }
  const token = signReferral(
    {
      ...{ t: 'referral', v: 1, iss: context.licenseServerId, root: context.root.kid },
      ...{ agreement: move.agreement, prod: move.product, kind: move.type, move: move.id },
      ...{ target, urls: url === null ? [] : [url] },
      ...{ iat: isoTime(nowMs), exp: isoTime(nowMs + referralMs) },
    },
    context.key,
  );
  if (referrals.size >= mostKept) referrals.clear();
  referrals.set(name, { token, freshUntilMs: nowMs + referralMs / 2 });
  return token;
}
