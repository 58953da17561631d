/** How a move begins in this server's own records, and how the System log speaks of it. */
import type { JsonObject } from '../../core/json.ts';
import type { TargetState } from '../../core/move-servers.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';

type Beginning = Pick<ServerMoveRow, 'id' | 'role' | 'carrier' | 'quantity' | 'source' | 'target' | 'state'> &
  Partial<Pick<ServerMoveRow, 'unissued' | 'held' | 'reserved' | 'quarantined' | 'hold' | 'startedAt'>>;

/** A move of a line, with no amounts unless they are given. */
export function moveRow(line: LineRow, beginning: Beginning, nowMs: number): ServerMoveRow {
  return {
    agreement: line.agreement,
    line: line.line,
    product: line.product,
    type: line.type,
    unissued: 0,
    held: 0,
    reserved: 0,
    quarantined: 0,
    hold: false,
    startedAt: nowMs,
    updatedAt: nowMs,
    ...beginning,
  };
}

/** Where a move stands for its target. */
export function targetState(move: ServerMoveRow | undefined): TargetState {
  // Asked for here, from a source that no longer functions: nothing has come of it yet.
  if (move === undefined || ['requested', 'dead-wait', 'undone'].includes(move.state)) return 'none';
  return move.state === 'closed' ? 'final' : (move.state as TargetState);
}

/** The fields that the events of a move show. */
export function moveEvent(move: ServerMoveRow): JsonObject {
  const { product, type, unissued, held, target, source, id } = move;
  return { product, type, unissued, held, count: unissued + held, target, source, move: id };
}

/** Where a move has taken CALs from here: to its target, or back to its source where it was undone here. */
export function otherEnd({
  role,
  source,
  target,
}: Pick<ServerMoveRow, 'role' | 'source' | 'target'>): string {
  return role === 'target' ? source : target;
}
