/**
 * What becomes of a source that was declared to function no longer (protocol §2.5): its units wait in
 * quarantine, and it is fenced off when they are granted. Whether that may be is decided in `dead-source.ts`.
 */
import { clearinghouseAccount } from '../../core/account.ts';
import { shownSince } from '../../core/dead-source.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Posting } from '../../core/ledger.ts';
import { isoTime } from '../../core/time.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findMove, frozenMoves } from '../../store/clearinghouse-rows.ts';
import {
  authoritiesOfServer,
  findServer,
  saveGrantedAuthority,
  saveServer,
} from '../../store/committed-server-rows.ts';
import type { DeadSourceRow } from '../../store/dead-source-rows.ts';
import { declarationsOf, earlierSources, findDeadSource } from '../../store/dead-source-rows.ts';
import type { OutgoingMessage, ReadTx, WriteTx } from '../../store/port.ts';
import { stateWithout } from '../../store/statement-rows.ts';
import type { ClearinghouseContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { addressField } from '../server-address.ts';
import { newId } from './new-id.ts';
import { publisherLog } from './products.ts';

/** The declaration that a move rests on. Throws where there is none: the table asks for it only where there is. */
export async function declarationOf(tx: ReadTx, move: Pick<MoveRow, 'id'>): Promise<DeadSourceRow> {
  const declared = await findDeadSource(tx, move.id);
  if (declared === undefined) throw new Error(`Move ${move.id} rests on a declaration that is not there.`);
  return declared;
}

/** The units into quarantine, or out of it again; nothing where a return has left none. */
export function quarantinePostings(
  declared: DeadSourceRow,
  of: { readonly move: MoveRow; readonly act: 'quarantine' | 'end-quarantine' },
): readonly Posting[] {
  const { pending, units: amount } = declared;
  if (amount === 0) return [];
  if (of.act === 'end-quarantine') return [{ kind: 'void', pending }];
  const { id, source, sourceGeneration } = of.move;
  const account = clearinghouseAccount(declared.agreement, declared.line);
  const debit = account.committed(source, sourceGeneration);
  return [
    {
      kind: 'pending',
      id: pending,
      debit,
      hold: account.quarantined(id),
      credit: account.inTransit(id),
      amount,
    },
  ];
}

/** What the target is told when its declaration was taken in. */
export async function sourceDeadBody(tx: ReadTx, move: MoveRow, nowMs: number): Promise<JsonObject> {
  const { agreement, line, source, units, horizon } = await declarationOf(tx, move);
  const waits = await deadHolders(tx, move, nowMs);
  return { agreement, line, source, units, horizon: isoTime(horizon), ...waits };
}

/** The servers that CALs had come to a dead source from, whose holders may still show their licenses. */
export function earlierOf(tx: ReadTx, move: MoveRow, nowMs: number): Promise<readonly string[]> {
  return earlierSources(tx, { ...move, sinceMs: shownSince(nowMs) });
}

/**
 * What a message says of the holders of a dead source: when none of them has a license of it any more, and whose
 * holders belong to them though they were never there.
 */
export async function deadHolders(tx: ReadTx, move: MoveRow, nowMs: number): Promise<JsonObject> {
  const { opensAt } = await declarationOf(tx, move);
  const alsoFrom = await earlierOf(tx, move, nowMs);
  return { opensAt: isoTime(opensAt), ...(alsoFrom.length === 0 ? {} : { alsoFrom }) };
}

/** What the grant of a recovery that did not wait says besides: until when the source may give its units to others. */
export async function atRiskOf(tx: ReadTx, move: MoveRow): Promise<JsonObject> {
  const { immediate, approvedAt, horizon } = await declarationOf(tx, move);
  return immediate === 1 && approvedAt === null ? { atRiskUntil: isoTime(horizon) } : {};
}

/**
 * Closes the source for good: its generation is over, so that whatever it still sends has no effect, and
 * what waited for it is replaced by one message that says so. Its other lines stay committed to it: nobody
 * can use them, and another declaration brings them over.
 */
export async function fenceSource(
  context: ClearinghouseContext,
  tx: WriteTx,
  move: MoveRow,
): Promise<OutgoingMessage> {
  const earlier = (await declarationsOf(tx, move.source)).filter((row) => row.grantedAt !== null);
  for (const authority of await authoritiesOfServer(tx, move.source)) {
    if (authority.state === 'active') await saveGrantedAuthority(tx, { ...authority, state: 'closed' });
  }
  const server = await findServer(tx, move.source);
  if (server === undefined) throw new Error(`Move ${move.id} names a source that is not there.`);
  const fenced = server.generation + (earlier.length === 0 ? 1 : 0);
  await saveServer(tx, { ...server, state: 'closed', generation: fenced });
  const waiting = await tx.outbox(move.source, 10_000);
  if (waiting.length > 0) await tx.acknowledge(waiting.map((row) => row.id));
  await stateWithout(tx, move.source);
  return closeMessage(context, tx, {
    source: move.source,
    moves: [...earlier.map((row) => row.move), move.id],
  });
}

/** The message that closes a source: which generation, and where its units went by which moves. */
async function closeMessage(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly source: string; readonly moves: readonly string[] },
): Promise<OutgoingMessage> {
  // First what it had frozen for others, each for whom it was frozen; then what was left of its lines.
  const moves: NonNullable<BodyOf<'close'>['moves']>[number][] = [];
  const fencedMove = async ({ id: move, agreement, line, target }: MoveRow) => ({
    ...{ move, agreement, line, target },
    ...(await addressField(tx, target)),
  });
  for (const row of await frozenMoves(tx, of.source))
    moves.push({ ...(await fencedMove(row)), frozen: true });
  for (const id of of.moves) {
    const move = await findMove(tx, id);
    if (move !== undefined) moves.push(await fencedMove(move));
  }
  const gen = (await findServer(tx, of.source))?.generation ?? 1;
  const agreement = moves[0]?.agreement ?? publisherLog;
  return outgoing(tx, { id: newId(context), type: 'close', to: of.source, agreement, body: { gen, moves } });
}

/** The same message again, for a copy of the source that never got it; null while one still waits. */
export async function closeAgain(
  context: ClearinghouseContext,
  tx: WriteTx,
  source: string,
): Promise<OutgoingMessage | null> {
  const waiting = await tx.outbox(source, 10_000);
  if (waiting.some((row) => row.type === 'close')) return null;
  const granted = (await declarationsOf(tx, source)).filter((row) => row.grantedAt !== null);
  return closeMessage(context, tx, { source, moves: granted.map((row) => row.move) });
}
