/**
 * A move played on the real books, from where it stands to its end, by the same use cases that carry it out.
 * Whoever calls this undoes the transaction (store/rehearse.ts).
 */
import { clearinghouseAccount } from '../../core/account.ts';
import { findLine } from '../../core/agreement.ts';
import { chainLength, freeChain } from '../../core/chain.ts';
import type { Following } from '../../core/dead-source.ts';
import { awaitedGrantable, earlyReleasesLeft, riskOf } from '../../core/dead-source.ts';
import type { MoveEvent } from '../../core/move.ts';
import { checkCalType } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { ok } from '../../core/result.ts';
import { isoTime } from '../../core/time.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { problemOf } from '../../protocol/problem.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findMove } from '../../store/clearinghouse-rows.ts';
import type { DeadSourceRow } from '../../store/dead-source-rows.ts';
import { approvalsOf, waitingDeclaration } from '../../store/dead-source-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { advanceMove } from './advance-move.ts';
import { loadAgreement } from './agreements.ts';
import { grantDead } from './dead-source.ts';
import { declarationOf } from './fence-source.ts';
import { stakeOf } from './settle-fenced.ts';
import type { MoveStart } from './start-move.ts';
import { beginMove, startOnlineMove } from './start-move.ts';
import { takeFreeze } from './take-freeze.ts';

type Told = BodyOf<'rehearsed'>;
export type Books = NonNullable<Told['books']>;
export type DeadOutlook = NonNullable<Told['dead']>;

export interface PlannedMove {
  readonly start: MoveStart;
  /** The move that is open already, and would be gone on with. */
  readonly present: MoveRow | undefined;
  /** What the source would freeze; null where that is not known, and for a source that no longer functions. */
  readonly frozen: { readonly unissued: number; readonly held: number } | null;
}

export interface PlayedMove {
  readonly books: Books;
  readonly entered: boolean;
  readonly dead: DeadOutlook | null;
  /** CALs of a dead source that go on waiting when the first have come, because another grant has no room for them; null: none. */
  readonly following: Following | null;
}

/** Refused: whatever the move would be refused at any step. */
export async function playMove(
  context: ClearinghouseContext,
  tx: WriteTx,
  plan: PlannedMove,
): Promise<Result<PlayedMove, Refusal>> {
  const { start, present } = plan;
  const before = await booksBefore(tx, plan);
  const begun = present === undefined ? await begin(context, tx, start) : ok(present);
  if (!begun.ok) return begun;
  if (before === undefined) throw new Error('A move that could be entered has a line.');
  const move = begun.value;
  const dead = move.reason === 'dead' ? await outlookOf(context, tx, move) : null;
  const middle =
    dead === null
      ? await playFreeze(context, tx, { move, plan })
      : ok({ move, books: await booksOf(tx, move) });
  if (!middle.ok) return middle;
  const end =
    dead === null
      ? await playRest(context, tx, middle.value.move)
      : await playGrant(context, tx, middle.value.move);
  if (!end.ok) return end;
  const frozen = middle.value.books;
  const { move: last, following } = end.value;
  const after = await booksOf(tx, last);
  return ok({ books: { before, frozen, after }, entered: present !== undefined, dead, following });
}

async function begin(
  context: ClearinghouseContext,
  tx: WriteTx,
  start: MoveStart,
): Promise<Result<MoveRow, Refusal>> {
  if (start.carrier === 'online') return startOnlineMove(context, tx, start);
  const begun = await beginMove(context, tx, start);
  return begun.ok ? ok(begun.value.move) : begun;
}

/** The freeze that the source would tell, and the grant that follows it at once. */
async function playFreeze(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly move: MoveRow; readonly plan: PlannedMove },
): Promise<Result<{ readonly move: MoveRow; readonly books: Books['frozen'] }, Refusal>> {
  const { move, plan } = of;
  if (move.state !== 'reserved') return ok({ move, books: await booksOf(tx, move) });
  const all = move.quantity === 'all' ? (await booksOf(tx, move)).source : move.quantity;
  const unissued = Math.min(all, chainLength(freeChain(move.line)));
  // Only the source knows how they are divided: where it is not asked, so that most of them would fit.
  const split = plan.frozen ?? { unissued, held: all - unissued };
  const nowMs = context.clock.nowMs();
  const frozen = await takeFreeze(context, tx, { move: { ...move, ...split }, nowMs });
  return frozen.ok ? ok({ move: frozen.value.move, books: await booksOf(tx, move) }) : frozen;
}

/** What is left of a move whose CALs are granted. */
async function playRest(
  context: ClearinghouseContext,
  tx: WriteTx,
  from: MoveRow,
): Promise<Result<Played, Refusal>> {
  const events: readonly MoveEvent[] =
    from.carrier === 'online' ? ['installed', 'verified', 'released'] : ['released'];
  let move = from;
  for (const event of events) {
    const done = await advanceMove(context, tx, { move, event, nowMs: context.clock.nowMs() });
    if (!done.ok) return done;
    move = done.value.move;
  }
  return ok({ move, following: null });
}

/** The last move that was played, and what would wait on. */
interface Played {
  readonly move: MoveRow;
  readonly following: Following | null;
}

/** The day on which the horizon of a dead source has passed, and the target's receipt; and so on until all has come. */
async function playGrant(
  context: ClearinghouseContext,
  tx: WriteTx,
  waiting: MoveRow,
): Promise<Result<Played, Refusal>> {
  let move = waiting;
  const { horizon } = await declarationOf(tx, move);
  const nowMs = Math.max(context.clock.nowMs(), horizon + 1);
  if (move.state === 'dead-wait') {
    const granted = await grantDead(context, tx, { move, event: 'horizon-passed', nowMs });
    if (!granted.ok) return granted;
    move = granted.value.move;
  }
  if (move.state === 'fenced') {
    const installed = await advanceMove(context, tx, { move, event: 'installed', nowMs });
    if (!installed.ok) return installed;
    move = installed.value.move;
  }
  // What one grant cannot bring follows it, to the same target.
  const rest = await waitingDeclaration(tx, move);
  const next = rest === undefined ? undefined : await findMove(tx, rest.move);
  if (rest === undefined || next === undefined) return ok({ move, following: null });
  const further = await playGrant(context, tx, next);
  // Its target needs fresh chains first, by telephone or in a kit slot: the move is entered, and waits for that.
  if (further.ok || further.error.code !== 'chains-used-up') return further;
  const { text } = awaitedGrantable(problemOf(further.error));
  return ok({ move: next, following: { units: rest.units, awaited: text } });
}

/** The days of a declaration, what is at risk, and whether it may be released early. */
async function outlookOf(context: ClearinghouseContext, tx: ReadTx, move: MoveRow): Promise<DeadOutlook> {
  const declared = await declarationOf(tx, move);
  const { units, horizon, opensAt, sunset } = declared;
  const nowMs = context.clock.nowMs();
  const stake = await stakeOf(tx, move);
  const atRisk = (early: boolean): DeadOutlook['atRisk'] => {
    const risk = riskOf({ units: units + stake, opensAtMs: opensAt, sunsetMs: sunset, nowMs, early });
    return { units: risk.units, from: isoTime(risk.fromMs), until: isoTime(risk.untilMs) };
  };
  const { left, next } = earlyReleasesLeft({ earlier: await approvalsOf(tx, move.agreement), nowMs });
  return {
    ...{ units, horizon: isoTime(horizon), opensAt: isoTime(opensAt), sunset: isoTime(sunset) },
    atRisk: declared.grantedAt === null ? atRisk(false) : presentRisk(declared),
    early: move.state === 'dead-wait' && horizon >= nowMs ? { left, next, atRisk: atRisk(true) } : null,
  };
}

function presentRisk({ riskUnits: units, riskFrom, riskUntil }: DeadSourceRow): DeadOutlook['atRisk'] {
  return { units, from: isoTime(riskFrom ?? 0), until: isoTime(riskUntil ?? 0) };
}

type Place = Pick<MoveRow, 'id' | 'agreement' | 'line' | 'source' | 'target'>;

/** The books before anything is entered; nothing where there is no such line, which is refused then. */
async function booksBefore(
  tx: ReadTx,
  { start, present }: PlannedMove,
): Promise<Books['before'] | undefined> {
  if (present !== undefined) return booksOf(tx, present);
  const type = checkCalType(start.type);
  const agreement = await loadAgreement(tx, start.agreement);
  if (!type.ok || !agreement.ok) return undefined;
  const line = findLine(agreement.value, { product: start.product, type: type.value });
  if (!line.ok) return undefined;
  const { id, from: source, to: target } = start;
  return booksOf(tx, { id, agreement: start.agreement, line: line.value.number, source, target });
}

/** What the books have of the line of a move: in hand, at its ends and under way. */
async function booksOf(tx: ReadTx, { id, agreement, line, source, target }: Place): Promise<Books['before']> {
  const account = clearinghouseAccount(agreement, line);
  const committed = async (end: string): Promise<number> => {
    const balances = await tx.balances(`${agreement}/${line}/committed/${end}/`);
    return [...balances.values()].reduce((sum, amount) => sum + amount, 0);
  };
  return {
    inHand: await tx.balance(account.inHand),
    source: await committed(source),
    target: await committed(target),
    inTransit: await tx.balance(account.inTransit(id)),
    quarantined: await tx.balance(account.quarantined(id)),
  };
}
