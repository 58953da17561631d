/**
 * How long a move can be undone (protocol §2.4): by messages until the commit, by telephone until the
 * freeze is read out. Later the CALs are the target's, and the way back is a move of its own.
 */
import type { Carrier, MoveState } from './move.ts';
import type { Refusal } from './refusal.ts';
import type { Result } from './result.ts';
import { err, ok } from './result.ts';

/** A move as one end of it, or the clearinghouse, knows it. */
export interface Undoable {
  readonly id: string;
  readonly state: MoveState;
  readonly carrier: Carrier;
  readonly agreement: string;
  readonly product: string;
  readonly type: string;
  readonly quantity: number | 'all';
  readonly unissued: number;
  readonly held: number;
  readonly source: string;
  readonly target: string;
  /** How the source stands, as far as is known there; the target of a move cannot know. */
  readonly sourceIs: 'active' | 'deactivated' | 'declared-dead' | 'not-known';
}

const tooLate: Readonly<Record<Carrier, readonly MoveState[]>> = {
  online: ['committed', 'closed', 'fenced'],
  telephone: ['frozen', 'granted', 'installed', 'committed', 'closed', 'fenced'],
};

/** Refused: `undo-too-late`, with all that the move back needs. What is undone already is no refusal. */
export function checkUndo(move: Undoable): Result<null, Refusal> {
  const { id, state, carrier, agreement, product, type, source, target, sourceIs } = move;
  if (!tooLate[carrier].includes(state)) return ok(null);
  const moved = move.unissued + move.held;
  const quantity = moved > 0 ? moved : move.quantity;
  return err({
    code: 'undo-too-late',
    ...{ move: id, state, carrier, agreement, product, type, quantity, source, target, sourceIs },
  });
}
