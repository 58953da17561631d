/**
 * Reminds of moves that wait: an event in the System log 14, 30 and 60 days after a move began, once each.
 * Whether one is due is worked out from the times in the database whenever the program looks.
 */
import type { EventNumber } from '../../core/event.ts';
import type { Refusal } from '../../core/refusal.ts';
import { reminderReached } from '../../core/reminder.ts';
import type { Result } from '../../core/result.ts';
import { ok } from '../../core/result.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { openServerMoves } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { noteEvent } from './events.ts';
import { moveEvent } from './move-row.ts';
import { viewMove } from './move-view.ts';

const reminders: Readonly<Record<ServerMoveRow['role'], EventNumber>> = { source: 5050, target: 5051 };

interface Due {
  readonly move: ServerMoveRow;
  readonly days: number;
}

const toldKey = (move: ServerMoveRow): string => `reminded:${move.id}`;

async function dueMoves(tx: ReadTx, nowMs: number): Promise<readonly Due[]> {
  const due: Due[] = [];
  for (const move of await openServerMoves(tx)) {
    const days = reminderReached(move.startedAt, nowMs);
    if (days > Number((await readMeta(tx, toldKey(move))) ?? '0')) due.push({ move, days });
  }
  return due;
}

/** Writes what is due into the System log; answers how many. Nothing is written where nothing is. */
export async function remindOfMoves(context: ServerContext): Promise<Result<number, Refusal>> {
  const nowMs = context.clock.nowMs();
  const due = await context.store.read((tx) => dueMoves(tx, nowMs));
  if (due.length === 0) return ok(0);
  return context.store.write(async (tx) => {
    const still = await dueMoves(tx, nowMs);
    for (const { move, days } of still) {
      const { awaited } = await viewMove(context, tx, { move, resumed: true });
      const data = { ...moveEvent(move), days, awaited: awaited.text };
      await noteEvent(context, tx, { number: reminders[move.role], data });
      await writeMeta(tx, toldKey(move), String(days));
    }
    return ok(still.length);
  });
}
