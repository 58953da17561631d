/** The key pack of a source that was declared dead here, which says nothing of that but what is typed with it (protocol §2.5). */
import { longestLeaseMs } from '../../core/cal.ts';
import { chainLength, freeChain } from '../../core/chain.ts';
import type { CodeKind } from '../../core/code.ts';
import { normalizeLicenseServerId } from '../../core/code.ts';
import { horizonMonths } from '../../core/standing.ts';
import { endOfMonthMs, monthOf } from '../../core/time.ts';
import { holdingDeclaration, openDeclaration, waitingByTelephone } from '../../store/gap-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { isPredecessor } from '../../store/predecessor-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { findServerMove, updateServerMove } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { keepAtOnce } from './at-once.ts';
import { divideDead } from './dead-source.ts';
import { accountsOf, serverLog } from './license-token.ts';
import { newId } from './new-id.ts';

/**
 * The declaration that a code is of, by the source that was typed with it: held, or released early. Where it went by
 * message the grant comes by message as well and divides what there is; but a held key pack of a source whose horizon
 * has passed is for nobody else before that source's last lease must have ended, however it comes (protocol §2.5).
 */
export async function openDead(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly kind: CodeKind;
    readonly from: string | undefined;
    readonly nowMs: number;
  },
): Promise<ServerMoveRow | undefined> {
  const { line, kind, from, nowMs } = of;
  const source = from === undefined ? await recoveredFrom(tx, of) : readSource(context, from);
  if (source === undefined) return undefined;
  const place = { lineId: line.id, source };
  const declared = await openDeclaration(tx, place);
  if (declared === undefined) return goesOn(tx, place, line);
  if (declared.state !== 'waiting') return undefined;
  const move = await findServerMove(tx, declared.move);
  const isItsOwn = kind === 'held-key-pack' && declared.horizon !== null && declared.horizon <= nowMs;
  return move?.carrier === 'telephone' || isItsOwn ? move : undefined;
}

function readSource(context: ServerContext, from: string): string | undefined {
  const source = normalizeLicenseServerId(context.digest, from);
  return source.ok ? source.value : undefined;
}

/**
 * Whose CALs a key pack brings that was typed without a source: where those of the server before are awaited by telephone,
 * theirs, so that nobody has to type its License Server ID.
 */
async function recoveredFrom(
  tx: WriteTx,
  { line, kind }: { readonly line: LineRow; readonly kind: CodeKind },
): Promise<string | undefined> {
  if (kind !== 'key-pack') return undefined;
  for (const source of await waitingByTelephone(tx, line.id)) {
    if (await isPredecessor(tx, source)) return source;
  }
  return undefined;
}

/** The same of a pack that came by message, on its way past a code: one that was declared by message has its own grant to come. */
export async function openDeadByTelephone(
  context: ServerContext,
  tx: WriteTx,
  of: Parameters<typeof openDead>[2],
): Promise<ServerMoveRow | undefined> {
  const move = await openDead(context, tx, of);
  return move?.carrier === 'telephone' ? move : undefined;
}

/**
 * More than one key pack can bring comes by another one, once the target has fresh chains: it is added to the reserve of
 * that before, so that nobody is served of each. Only one that has brought all that a chain can, as often as it has come,
 * is followed by more.
 */
async function goesOn(
  tx: WriteTx,
  place: { readonly lineId: number; readonly source: string },
  { line }: LineRow,
): Promise<ServerMoveRow | undefined> {
  const before = await holdingDeclaration(tx, place);
  const move = before && (await findServerMove(tx, before.move));
  if (move?.carrier !== 'telephone') return undefined;
  const brought = move.unissued + move.held;
  return brought > 0 && brought % chainLength(freeChain(line)) === 0 ? move : undefined;
}

/**
 * Units of a dead source for its holders, of the unissued ones as many as nobody has been given since: those who showed a
 * token are named, and the move is over here; one by message when its grant has been here, and the clearinghouse has
 * heard so.
 */
export async function takeDead(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly move: ServerMoveRow;
    readonly alsoFrom: readonly string[];
    readonly free: number;
    readonly held: number;
    readonly nowMs: number;
  },
): Promise<void> {
  const { line, move, alsoFrom, free, held, nowMs } = of;
  // By code nobody tells the horizon: the last lease can have begun today (protocol §2.5).
  const opensAt = nowMs + longestLeaseMs;
  const { source, id } = move;
  const left = Math.min(free, await tx.balance(accountsOf(line).unissued));
  const came = { free: left, held, opensAt, nowMs };
  const postings = await divideDead(tx, { line, move: id, source, alsoFrom, ...came });
  if (move.carrier === 'telephone' && free > 0 && (await isPredecessor(tx, source))) {
    // Nobody tells the old horizon either: it is no later than one that was signed today.
    const opens = endOfMonthMs(monthOf(nowMs) + horizonMonths.other) + longestLeaseMs;
    const at = { move: id, source, cameAt: nowMs, riskUntil: null, opensAt: opens };
    await keepAtOnce(tx, { ...at, line, free: left, postings });
  }
  if (move.carrier === 'telephone')
    await updateServerMove(tx, {
      ...{ ...move, state: 'closed', updatedAt: nowMs },
      ...{ unissued: move.unissued + free, held: move.held + held },
    });
  if (postings.length === 0) return;
  const { agreement, line: number } = line;
  await tx.post({
    ...{ log: serverLog, kind: 'reserve-settled', id: newId(context), at: nowMs, postings },
    body: { agreement, line: number, source },
  });
}
