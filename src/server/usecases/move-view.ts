/** A move as this server knows it, with what it waits for in words. */
import { awaitedDead, awaitedRest } from '../../core/dead-source.ts';
import type { Awaited } from '../../core/move-awaited.ts';
import { awaitedAtServer, awaitedRefused } from '../../core/move-awaited.ts';
import type { Refusal } from '../../core/refusal.ts';
import { ageDays, reminderReached } from '../../core/reminder.ts';
import { isoTime } from '../../core/time.ts';
import { refusedBody } from '../../protocol/problem.ts';
import { findDeclared, leasesEndOf } from '../../store/gap-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import { isActive } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { findRequest } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { undoStanding } from './open-undo.ts';

export type MoveView = Omit<ServerMoveRow, 'startedAt' | 'updatedAt' | 'reserved' | 'quarantined'> & {
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly resumed: boolean;
  /** Its undoing was asked for here, and is not answered yet. */
  readonly undoing: boolean;
  /** Whole days since it began, and the last reminder that it has reached (0, 14, 30 or 60); 0 once it is over. */
  readonly ageDays: number;
  readonly reminder: number;
  readonly awaited: Awaited;
  /** Why it was undone, where the clearinghouse could not take in what was frozen here; else null. */
  readonly refused: ReturnType<typeof refusedBody> | null;
};

/** How a move stands now. `resumed`: it had been begun before it was asked for. */
export async function viewMove(
  context: Pick<ServerContext, 'clock'>,
  tx: ReadTx,
  of: { readonly move: ServerMoveRow; readonly resumed: boolean },
): Promise<MoveView> {
  const { reserved: _r, quarantined: _q, ...move } = of.move;
  const nowMs = context.clock.nowMs();
  const undo = await undoStanding(tx, move.id);
  const dead = undo === 'none' ? await deadAwaited(tx, { move: of.move, nowMs }) : undefined;
  const refused = await refusedFreeze(tx, of.move);
  const waits =
    dead ??
    (refused && awaitedRefused(refused)) ??
    awaitedAtServer({ ...move, undo, active: await isActive(tx, move.agreement) });
  const over = waits.from === 'nobody';
  return {
    ...move,
    startedAt: isoTime(move.startedAt),
    updatedAt: isoTime(move.updatedAt),
    resumed: of.resumed,
    undoing: undo !== 'none',
    awaited: waits,
    refused: refused ?? null,
    ageDays: over ? 0 : ageDays(move.startedAt, nowMs),
    reminder: over ? 0 : reminderReached(move.startedAt, nowMs),
  };
}

async function refusedFreeze(
  tx: ReadTx,
  { id, role, state }: ServerMoveRow,
): Promise<ReturnType<typeof refusedBody> | undefined> {
  const request = role === 'source' && state === 'undone' ? await findRequest(tx, `move:${id}`) : undefined;
  if (request?.state !== 'refused') return undefined;
  return refusedBody(JSON.parse(request.answer ?? '{}') as Refusal);
}

/** What a move from a dead source waits for, where this server was told the days. */
async function deadAwaited(
  tx: ReadTx,
  { move, nowMs }: { readonly move: ServerMoveRow; readonly nowMs: number },
): Promise<Awaited | undefined> {
  if (move.role !== 'target' || move.state !== 'dead-wait') return undefined;
  const declared = await findDeclared(tx, move.id);
  if (declared === undefined) return undefined;
  const { horizon, opensAt } = declared;
  if (horizon === null || opensAt === null) return undefined;
  if ((await leasesEndOf(tx, declared.lineId, move.source)) > 0) return awaitedRest(horizon);
  return awaitedDead({ horizonMs: horizon, opensAtMs: opensAt, nowMs });
}
