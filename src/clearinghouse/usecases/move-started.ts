/** The beginning of a move in the journal, whoever asked for it. */
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import type { Entry } from '../../store/port.ts';

/** What the journal says of a move that begins, without the entry's id. */
export function startedEntry(move: MoveRow): Omit<Entry, 'id'> {
  const { id, agreement, line, source, target, quantity, carrier, reason, startedAt } = move;
  const body = { move: id, line, source, target, quantity, carrier, reason };
  return { log: agreement, kind: 'move-started', at: startedAt, body };
}
