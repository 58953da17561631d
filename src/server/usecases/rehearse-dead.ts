/**
 * The rehearsal of a move from a source that no longer functions, on its target: the declaration is played here
 * and undone, and so is what its CALs would bring; when, and how many, the clearinghouse says (protocol §2.5).
 */
import { normalizeLicenseServerId } from '../../core/code.ts';
import type { Statement } from '../../core/dead-source.ts';
import { parseStatement, splitGrant } from '../../core/dead-source.ts';
import type { Awaited } from '../../core/move-awaited.ts';
import type { CalType } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { msOf } from '../../protocol/schema.ts';
import { waitingGaps } from '../../store/gap-rows.ts';
import { takenOverEarly } from '../../store/license-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { findLine } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { freePool } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import { bringIn, chainOf, takeProof } from './advance-chain.ts';
import { divideDead } from './dead-source.ts';
import type { DeadOrder } from './declare-dead.ts';
import { declareIn } from './declare-dead.ts';
import { serverLog } from './license-token.ts';
import { viewMove } from './move-view.ts';
import { newId } from './new-id.ts';
import type { ClearinghouseSide, Counts } from './rehearsal.ts';
import { askClearinghouse, countsOf, horizonHere, playedMove, playHere } from './rehearsal.ts';

export type DeadRehearsalOrder = Omit<DeadOrder, 'statement' | 'requestId'> & {
  /** What would be declared, where that is decided already. */
  readonly statement: string | undefined;
};

export type DeadRehearsal = {
  readonly agreement: string;
  readonly product: string;
  readonly type: CalType;
  readonly carrier: 'online' | 'telephone';
  readonly source: string;
  readonly statement: Statement | null;
  /** The declaration that is open already. */
  readonly resumes: { readonly id: string; readonly state: string; readonly awaited: Awaited } | null;
  readonly holders: {
    /** Those who have shown a license of the source here and wait for its CALs, with a gap license. */
    readonly waiting: number;
    /** Those who were taken over on a CAL of this server's own. */
    readonly takenOver: number;
  };
  readonly target: {
    readonly licenseServerId: string;
    readonly horizon: string | null;
    readonly before: Counts;
    /** When the CALs are here, and when they were released early; null where nobody can say how many. */
    readonly granted: Counts | null;
    readonly early: Counts | null;
  };
  readonly clearinghouse: ClearinghouseSide;
};

/**
 * Refused as the declaration itself would be here, and where the source is said in a statement that cannot be read
 * (`invalid-input`); what the clearinghouse would refuse is part of the answer.
 */
export async function rehearseDead(
  context: ServerContext,
  order: DeadRehearsalOrder,
): Promise<Result<DeadRehearsal, Refusal>> {
  const statement = order.statement === undefined ? ok(null) : parseStatement(order.statement);
  if (!statement.ok) return statement;
  const declaration = { ...order, statement: order.statement ?? anyStatement };
  const declared = await playHere(context, (tx) => declare(context, tx, declaration));
  if (!declared.ok) return declared;
  const { move, target, ...rehearsal } = declared.value;
  const { agreement, product, type, carrier, source } = rehearsal;
  const question: BodyOf<'rehearse'> = {
    ...{ agreement, product, type, quantity: 'all', source, target: context.licenseServerId, carrier },
    ...{ reason: 'dead', hold: false, unissued: 0, held: 0 },
  };
  const clearinghouse = await askClearinghouse(context, { question, move });
  const dead = clearinghouse.reached ? clearinghouse.dead : null;
  const coming = async (early: boolean): Promise<Counts | null> => {
    if (dead === null || (early && dead.early === null)) return null;
    const grant = { units: dead.units, opensAtMs: msOf(dead.opensAt), horizonMs: msOf(dead.horizon), early };
    const played = await playHere(context, (tx) => playGrant(context, tx, { order: declaration, grant }));
    return played.ok ? played.value : null;
  };
  return ok({
    ...rehearsal,
    statement: statement.value,
    target: { ...target, granted: await coming(false), early: await coming(true) },
    clearinghouse,
  });
}

/** Stands for what is still to be said: nothing here rests on it. */
const anyStatement = 'rehearsal: rehearsal';

type Declared = Omit<DeadRehearsal, 'statement' | 'clearinghouse' | 'target'> & {
  readonly target: Omit<DeadRehearsal['target'], 'granted' | 'early'>;
  readonly move: string | null;
};

async function declare(
  context: ServerContext,
  tx: WriteTx,
  order: DeadOrder,
): Promise<Result<Declared, Refusal>> {
  const from = normalizeLicenseServerId(context.digest, order.from);
  if (!from.ok) return from;
  const before = await countsOf(context, tx, order);
  const declared = await declareIn(context, tx, order);
  if (!declared.ok) return declared;
  const { id, resumed } = declared.value;
  const played = await playedMove(tx, id);
  if (!played.ok) return played;
  const { move, line } = played.value;
  const { agreement, product, type, carrier, source } = move;
  const place = { move: id, lineId: line.id, source };
  return ok({
    ...{ agreement, product, type, carrier, source },
    resumes: resumed ? await resumesOf(context, tx, move) : null,
    holders: {
      waiting: (await waitingGaps(tx, place)).length,
      takenOver: (await takenOverEarly(tx, line.id, source)).length,
    },
    target: {
      licenseServerId: context.licenseServerId,
      horizon: await horizonHere(context, tx, agreement),
      before,
    },
    move: resumed ? id : null,
  });
}

async function resumesOf(
  context: ServerContext,
  tx: WriteTx,
  move: ServerMoveRow,
): Promise<DeadRehearsal['resumes']> {
  const { id, state, awaited } = await viewMove(context, tx, { move, resumed: true });
  return { id, state, awaited };
}

interface Grant {
  readonly units: number;
  readonly opensAtMs: number;
  readonly horizonMs: number;
  readonly early: boolean;
}

/**
 * What the grant would bring here. Its proof is the clearinghouse's alone and not shown in a rehearsal: so many
 * units are taken as proven, and undone with the rest.
 */
async function playGrant(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly order: DeadOrder; readonly grant: Grant },
): Promise<Result<Counts, Refusal>> {
  const { units, opensAtMs, early } = of.grant;
  const declared = await declareIn(context, tx, of.order);
  if (!declared.ok) return declared;
  const { id, agreement, line: number, source } = declared.value;
  const present = await findLine(tx, agreement, number);
  if (present === undefined) return err({ code: 'move-unknown', move: id });
  // All that it had is under way: that ends without it, and nothing comes by the declaration.
  if (units === 0) return ok(await countsOf(context, tx, declared.value));
  const now = context.clock.nowMs();
  const nowMs = early ? now : Math.max(now, of.grant.horizonMs + 1);
  const { unissued: free, held } = splitGrant({ units, opensAtMs, nowMs, early });
  const chain = free > 0 ? 'free' : 'held';
  const k = chainOf(present, chain).present.k + units;
  const { line } = await takeProof(tx, {
    ...{ line: present, proof: { chain, k, value: new Uint8Array(16) } },
    ...{ pool: free > 0 ? freePool : id, nowMs },
  });
  const brought = bringIn(line, free > 0 ? 'unissued' : 'reserved', units);
  const divided = await divideDead(tx, {
    ...{ line, move: id, source, alsoFrom: [], free, held, opensAt: opensAtMs, nowMs },
  });
  const postings = [brought, ...divided];
  await tx.post({ log: serverLog, kind: 'rehearsed', id: newId(context), at: nowMs, body: {}, postings });
  return ok(await countsOf(context, tx, declared.value));
}
