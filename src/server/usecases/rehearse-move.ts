/**
 * The rehearsal of a move on its source: the very steps of the move are played on the real books, from the
 * order to the release, and undone; and the clearinghouse is asked for its side. Nothing is changed.
 */

import { normalizeLicenseServerId } from '../../core/code.ts';
import type { Awaited } from '../../core/move-awaited.ts';
import type { CalType } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoTime } from '../../core/time.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { heldLicenses } from '../../store/license-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { frozenReservations } from '../../store/reserve-rows.ts';
import { findLineById } from '../../store/server-authority-rows.ts';
import { findPeer, findRequest, findServerMove, listServerMoves } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { keptUntil } from './kept-until.ts';
import { freezeRest, releaseWhole } from './long-move.ts';
import { onFreeze } from './move-as-source.ts';
import { viewMove } from './move-view.ts';
import type { ClearinghouseSide, Counts } from './rehearsal.ts';
import { askClearinghouse, countsOf, horizonHere, playedMove, playHere } from './rehearsal.ts';
import type { MoveOrder } from './start-move.ts';
import { startIn } from './start-move.ts';
import { freezeIn, release } from './telephone-move.ts';

export type RehearsalOrder = Pick<
  MoveOrder,
  'agreement' | 'to' | 'product' | 'type' | 'quantity' | 'hold'
> & {
  readonly carrier: 'online' | 'telephone';
};

export type Rehearsal = {
  readonly agreement: string;
  readonly product: string;
  readonly type: CalType;
  readonly carrier: 'online' | 'telephone';
  readonly quantity: number | 'all';
  readonly target: string;
  /** Where the target is reached, as it was told here before; null where it was not. */
  readonly targetUrl: string | null;
  /** The open move that the same command would go on with. */
  readonly resumes: { readonly id: string; readonly state: string; readonly awaited: Awaited } | null;
  readonly unissued: number;
  readonly held: number;
  /** Whom it concerns: holders by name, units held for others, and when the leases of the former end. */
  readonly holders: {
    readonly named: number;
    readonly nameless: number;
    readonly firstLeaseEnd: string | null;
    readonly lastLeaseEnd: string | null;
    /** Until when their CALs are nobody else's, where that is longer: other tokens are known of them, or may be about. */
    readonly keptUntil: string | null;
  };
  /** Until when what stays with holders is given to nobody else: by telephone nobody tells whose CALs went, now or before. */
  readonly keptUntil: string | null;
  readonly source: {
    readonly licenseServerId: string;
    readonly horizon: string | null;
    readonly before: Counts;
    readonly frozen: Counts;
    readonly after: Counts;
  };
  readonly clearinghouse: ClearinghouseSide;
};

type Played = Omit<Rehearsal, 'clearinghouse'> & { readonly move: string | null };

/** Refused as the move itself would be here; what the clearinghouse would refuse is part of the answer. */
export async function rehearseMove(
  context: ServerContext,
  order: RehearsalOrder,
): Promise<Result<Rehearsal, Refusal>> {
  const played = await playHere(context, (tx) => play(context, tx, order));
  if (!played.ok) return played;
  const { move, ...rehearsal } = played.value;
  const { agreement, product, type, quantity, target, carrier, unissued, held } = rehearsal;
  const question: BodyOf<'rehearse'> = {
    ...{ agreement, product, type, quantity, source: context.licenseServerId, target, carrier },
    ...{ reason: 'replaced', hold: order.hold, unissued, held },
  };
  return ok({ ...rehearsal, clearinghouse: await askClearinghouse(context, { question, move }) });
}

/** From the order to the release, by the same steps that the move takes. */
async function play(
  context: ServerContext,
  tx: WriteTx,
  order: RehearsalOrder,
): Promise<Result<Played, Refusal>> {
  const target = normalizeLicenseServerId(context.digest, order.to);
  if (!target.ok) return target;
  const { product } = order;
  const before = await countsOf(context, tx, order);
  const begun = await begin(context, tx, { ...order, to: target.value });
  if (!begun.ok) return begun;
  const { id, resumed } = begun.value;
  const played = await playedMove(tx, id);
  if (!played.ok) return played;
  const { move, line } = played.value;
  const frozen = await countsOf(context, tx, move);
  const holders = await concerned(tx, { id, held: move.held });
  const nowMs = context.clock.nowMs();
  if (move.carrier === 'online') await releaseWhole(context, tx, { line, move });
  else await release(context, tx, { line, move, nowMs, code: { aid: line.aid, seq: 0 } });
  const after = await countsOf(context, tx, move);
  const released = (await findLineById(tx, line.id)) ?? line;
  const { awaited } = await viewMove(context, tx, { move, resumed: true });
  return ok({
    ...{ agreement: move.agreement, product, type: move.type, carrier: move.carrier },
    quantity: move.quantity,
    target: move.target,
    targetUrl: (await findPeer(tx, move.target))?.url ?? null,
    resumes: resumed === null ? null : { id, state: resumed, awaited },
    ...{ unissued: move.unissued, held: move.held },
    holders,
    keptUntil: await keptUntil(tx, released, nowMs),
    source: {
      licenseServerId: context.licenseServerId,
      horizon: await horizonHere(context, tx, move.agreement),
      ...{ before, frozen, after },
    },
    move: resumed === null ? null : id,
  });
}

function isoOrNull(ms: number | undefined): string | null {
  return ms === undefined ? null : isoTime(ms);
}

interface Begun {
  readonly id: string;
  /** The state in which the move was open already, or null. */
  readonly resumed: string | null;
}

/** The order and the freeze; a move that is open is gone on with, as the command itself would. */
async function begin(
  context: ServerContext,
  tx: WriteTx,
  order: RehearsalOrder,
): Promise<Result<Begun, Refusal>> {
  if (order.carrier === 'telephone') {
    const known = new Set((await listServerMoves(tx)).map(({ id }) => id));
    const told = await freezeIn(context, tx, order);
    if (!told.ok) return told;
    const id = told.value.move ?? '';
    return ok({ id, resumed: known.has(id) ? 'frozen' : null });
  }
  const started = await startIn(context, tx, { ...order, reason: 'replaced' });
  if (!started.ok) return started;
  const { id, state, agreement, line, quantity, target, resumed } = started.value;
  if (state === 'requested') {
    const body = { agreement, line, quantity, target };
    const frozen = await onFreeze(context, tx, { message: { body }, id, move: await findServerMove(tx, id) });
    if (!frozen.ok) return frozen;
  }
  await freezeRest(context, tx, id);
  const now = await findServerMove(tx, id);
  if (now?.state !== 'refused') return ok({ id, resumed: resumed ? state : null });
  const request = await findRequest(tx, `move:${id}`);
  return err(JSON.parse(request?.answer ?? '{"code":"move-unknown"}') as Refusal);
}

/** Whom a move concerns: when the leases end of those who are known by name, and until when their CALs are kept. */
async function concerned(
  tx: WriteTx,
  { id, held }: { readonly id: string; readonly held: number },
): Promise<Rehearsal['holders']> {
  const licenses = await heldLicenses(tx, id);
  const rows = [
    ...licenses.map(({ sub, expiresAt, leaseEnd }) => ({ sub, endsAt: expiresAt, leaseEnd })),
    ...(await frozenReservations(tx, id)).map(({ sub, leaseEnd }) => ({ sub, endsAt: leaseEnd, leaseEnd })),
  ];
  const ends = new Map<string, number>();
  for (const { sub, endsAt } of rows) ends.set(sub, Math.max(ends.get(sub) ?? 0, endsAt));
  const sorted = [...ends.values()].sort((one, other) => one - other);
  const last = sorted.at(-1);
  const keptMs = rows.reduce((latest, { leaseEnd }) => Math.max(latest, leaseEnd), 0);
  return {
    named: sorted.length,
    nameless: held - sorted.length,
    firstLeaseEnd: isoOrNull(sorted[0]),
    lastLeaseEnd: isoOrNull(last),
    keptUntil: last !== undefined && keptMs > last ? isoTime(keptMs) : null,
  };
}
