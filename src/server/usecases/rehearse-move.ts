/**
 * The rehearsal of a move on its source: the very steps of the move are played on the real books, from the
 * order to the release, and undone; and the clearinghouse is asked for its side. Nothing is changed.
 */

import { normalizeLicenseServerId } from '../../core/code.ts';
import type { Awaited } from '../../core/move-awaited.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoDate, isoTime, msOfIso } from '../../core/time.ts';
import { clearinghouseName, openEnvelope } from '../../protocol/envelope.ts';
import { contentOf, sealContent } from '../../protocol/message-content.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { problemOf } from '../../protocol/problem.ts';
import { trustedKey } from '../../protocol/trust.ts';
import { heldLicenses } from '../../store/license-rows.ts';
import { readMeta } from '../../store/meta-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { rehearse } from '../../store/rehearse.ts';
import { frozenReservations } from '../../store/reserve-rows.ts';
import { findLine } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { findRequest, findServerMove, listServerMoves } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { readGeneration } from '../generation.ts';

import { serverLog } from './license-token.ts';
import { freezeRest, releaseWhole } from './long-move.ts';
import { onFreeze } from './move-as-source.ts';
import { viewMove } from './move-view.ts';
import { newId } from './new-id.ts';
import { readFacts, standingOf } from './server-facts.ts';
import type { MoveOrder } from './start-move.ts';
import { startIn } from './start-move.ts';
import type { PackView } from './status.ts';
import { packsOf } from './status.ts';
import { freezeIn, release } from './telephone-move.ts';
import { readTrustList } from './trust-list.ts';

export type RehearsalOrder = Pick<
  MoveOrder,
  'agreement' | 'to' | 'product' | 'type' | 'quantity' | 'hold'
> & {
  readonly carrier: 'online' | 'telephone';
};

type Counts = Pick<PackView, 'installed' | 'issued' | 'unissued' | 'held' | 'reserved' | 'quarantined'>;

/** What the clearinghouse says, or why it was not heard. */
export type ClearinghouseSide =
  | { readonly reached: false; readonly reason: string }
  | ({ readonly reached: true; readonly clockDifferenceMs: number } & Omit<BodyOf<'rehearsed'>, 're'>);

export type Rehearsal = {
  readonly agreement: string;
  readonly product: string;
  readonly type: string;
  readonly carrier: 'online' | 'telephone';
  readonly quantity: number | 'all';
  readonly target: string;
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
  };
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
  const played = await rehearse(context.store, (tx) => play(context, tx, order));
  // What the undone command has left in memory is looked up again.
  context.cache.facts = null;
  context.cache.seen = null;
  if (!played.ok) return played;
  const { move, ...rehearsal } = played.value;
  return ok({ ...rehearsal, clearinghouse: await askClearinghouse(context, { order, rehearsal, move }) });
}

/** From the order to the release, by the same steps that the move takes. */
async function play(
  context: ServerContext,
  tx: WriteTx,
  order: RehearsalOrder,
): Promise<Result<Played, Refusal>> {
  const target = normalizeLicenseServerId(context.digest, order.to);
  if (!target.ok) return target;
  const { product, type } = order;
  const before = await countsOf(context, tx, order);
  const begun = await begin(context, tx, { ...order, to: target.value });
  if (!begun.ok) return begun;
  const { id, resumed } = begun.value;
  const move = await findServerMove(tx, id);
  const line = move && (await findLine(tx, move.agreement, move.line));
  if (move === undefined || line === undefined) return err({ code: 'move-unknown', move: id });
  const frozen = await countsOf(context, tx, move);
  const named = await namedLeases(tx, id);
  const nowMs = context.clock.nowMs();
  if (move.carrier === 'online') await releaseWhole(context, tx, { line, move });
  else await release(context, tx, { line, move, nowMs });
  const after = await countsOf(context, tx, move);
  const { awaited } = viewMove(move, { resumed: true, nowMs });
  const facts = await readFacts(context, tx);
  const authority = facts.authorities.get(move.agreement);
  const horizonMs = authority === undefined ? null : standingOf(authority, nowMs).horizonMs;
  return ok({
    ...{ agreement: move.agreement, product, type, carrier: move.carrier, quantity: move.quantity },
    target: move.target,
    resumes: resumed === null ? null : { id, state: resumed, awaited },
    ...{ unissued: move.unissued, held: move.held },
    holders: {
      named: named.length,
      nameless: move.held - named.length,
      firstLeaseEnd: isoOrNull(named[0]),
      lastLeaseEnd: isoOrNull(named.at(-1)),
    },
    source: {
      licenseServerId: context.licenseServerId,
      horizon: horizonMs === null ? null : isoDate(horizonMs),
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

/** The counts of the line in the transaction, the rehearsed steps included. */
async function countsOf(
  context: ServerContext,
  tx: WriteTx,
  of: Pick<RehearsalOrder, 'agreement' | 'product' | 'type'> | ServerMoveRow,
): Promise<Counts> {
  const facts = await readFacts(context, tx);
  const pack = (await packsOf(tx, facts.lines)).find(
    ({ agreement, product, type }) =>
      product === of.product &&
      type === of.type &&
      (of.agreement === undefined || agreement === of.agreement),
  );
  const { installed, issued, unissued, held, reserved, quarantined } = pack ?? nothing;
  return { installed, issued, unissued, held, reserved, quarantined };
}

const nothing: Counts = { installed: 0, issued: 0, unissued: 0, held: 0, reserved: 0, quarantined: 0 };

/** The lease ends of those who are known by name, earliest first. */
async function namedLeases(tx: WriteTx, move: string): Promise<readonly number[]> {
  const rows = [...(await heldLicenses(tx, move)), ...(await frozenReservations(tx, move))];
  const ends = new Map<string, number>();
  for (const { sub, leaseEnd } of rows) ends.set(sub, Math.max(ends.get(sub) ?? 0, leaseEnd));
  return [...ends.values()].sort((one, other) => one - other);
}

/** The signed question. Whatever goes wrong is said in words: the rehearsal here stands by itself. */
async function askClearinghouse(
  context: ServerContext,
  of: {
    readonly order: RehearsalOrder;
    readonly rehearsal: Omit<Rehearsal, 'clearinghouse'>;
    readonly move: string | null;
  },
): Promise<ClearinghouseSide> {
  const url = (await context.store.read((tx) => readMeta(tx, 'clearinghouseUrl'))) ?? '';
  if (url === '') return { reached: false, reason: 'This license server knows no address of it.' };
  const { id, token } = await sealQuestion(context, of);
  const { signal } = context.stopping;
  const answer = await context.delivery.exchange({ url, messages: [token], waitMs: 0, signal });
  if (!answer.ok) return { reached: false, reason: problemOf(answer.error).message };
  const { list } = await readTrustList(context);
  const nowMs = context.clock.nowMs();
  const opened = openEnvelope(answer.value[0] ?? '', {
    nowMs,
    to: context.licenseServerId,
    digest: context.digest,
    keyOf: (kid) => trustedKey(list, kid, { role: 'issue', atMs: nowMs }),
  });
  if (!opened.ok) return { reached: false, reason: problemOf(opened.error).message };
  const message = opened.value.envelope;
  if (message.t !== 'rehearsed' || message.body.re !== id) {
    return { reached: false, reason: 'It gave no answer to the question.' };
  }
  const { re: _, ...said } = message.body;
  return { reached: true, clockDifferenceMs: nowMs - (msOfIso(said.now) ?? nowMs), ...said };
}

async function sealQuestion(
  context: ServerContext,
  of: Parameters<typeof askClearinghouse>[1],
): Promise<{ readonly id: string; readonly token: string }> {
  const { order, rehearsal, move } = of;
  const { agreement, product, type, target, carrier, unissued, held } = rehearsal;
  const id = newId(context);
  const source = context.licenseServerId;
  const body = {
    ...{ agreement, product, type, quantity: rehearsal.quantity, source, target, carrier },
    ...{ hold: order.hold, unissued, held },
  };
  const token = await context.store.read(async (tx) => {
    const gen = await readGeneration(tx);
    // It is kept in no outbox, and takes no number of the sequence.
    const named = move === null ? {} : { move };
    return sealContent(contentOf({ id, type: 'rehearse', body, ...named }, { seq: 0 }), {
      from: { id: source, gen, head: await tx.head(serverLog) },
      to: clearinghouseName,
      nowMs: context.clock.nowMs(),
      key: context.key,
    });
  });
  return { id, token };
}
