/** A move as this server knows it, with what it waits for in words. */
import type { Awaited } from '../../core/move-awaited.ts';
import { awaited } from '../../core/move-awaited.ts';
import { ageDays, reminderReached } from '../../core/reminder.ts';
import { isoTime } from '../../core/time.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';

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
};

export interface Viewing {
  readonly resumed: boolean;
  readonly undoing?: boolean;
  readonly nowMs: number;
}

export function viewMove(
  { reserved: _r, quarantined: _q, ...move }: ServerMoveRow,
  { resumed, undoing = false, nowMs }: Viewing,
): MoveView {
  const waits = undoing ? awaited('aborting', move.carrier) : awaitedOn(move);
  const over = waits.from === 'nobody';
  return {
    ...move,
    startedAt: isoTime(move.startedAt),
    updatedAt: isoTime(move.updatedAt),
    resumed,
    undoing,
    awaited: waits,
    ageDays: over ? 0 : ageDays(move.startedAt, nowMs),
    reminder: over ? 0 : reminderReached(move.startedAt, nowMs),
  };
}

/** What this server's own state lets one say; the clearinghouse knows the rest. */
function awaitedOn({ state, carrier, hold }: Pick<ServerMoveRow, 'state' | 'carrier' | 'hold'>): Awaited {
  switch (state) {
    case 'requested':
      return awaited('reserved', carrier);
    case 'frozen':
      return awaited('granted', carrier);
    case 'undone':
    case 'refused':
    case 'relinquished':
      return awaited('aborted', carrier);
    case 'provisional':
      return awaited(hold ? 'installed' : 'granted', carrier);
    case 'final':
      return awaited('committed', carrier);
    default:
      return awaited('closed', carrier);
  }
}
