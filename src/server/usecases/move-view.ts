/** A move as this server knows it, with what it waits for in words. */
import { awaitedDead } from '../../core/dead-source.ts';
import type { Awaited } from '../../core/move-awaited.ts';
import { awaited } from '../../core/move-awaited.ts';
import { ageDays, reminderReached } from '../../core/reminder.ts';
import { isoTime } from '../../core/time.ts';
import { findDeclared } from '../../store/gap-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';

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
  /** Of a source that no longer functions: what it waits for, with the days. */
  readonly dead?: Awaited | undefined;
  readonly nowMs: number;
}

export function viewMove(
  { reserved: _r, quarantined: _q, ...move }: ServerMoveRow,
  { resumed, undoing = false, dead, nowMs }: Viewing,
): MoveView {
  const waits = undoing ? awaited('aborting', move.carrier) : (dead ?? awaitedOn(move));
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
function awaitedOn({
  state,
  carrier,
  hold,
  role,
}: Pick<ServerMoveRow, 'state' | 'carrier' | 'hold' | 'role'>): Awaited {
  switch (state) {
    case 'requested':
      return role === 'target' ? declared : awaited('reserved', carrier);
    case 'dead-wait':
      return carrier === 'telephone' ? awaitedCode : awaited('dead-wait', carrier);
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

const declared: Awaited = {
  from: 'clearinghouse',
  text: 'The clearinghouse is to take the declaration in; it does so at the next contact, or by file.',
};

const awaitedCode: Awaited = {
  from: 'clearinghouse',
  text:
    'When the horizon of the source has passed, or a second person has released its CALs earlier, the ' +
    'clearinghouse reads their key pack out. Type it here: calyx server install --code CODE --from ID.',
};

/** What a move from a dead source waits for, where this server was told the days. */
export async function deadAwaited(
  context: Pick<ServerContext, 'clock'>,
  tx: ReadTx,
  move: ServerMoveRow,
): Promise<Awaited | undefined> {
  if (move.role !== 'target' || move.state !== 'dead-wait') return undefined;
  const { horizon = null, opensAt = null } = (await findDeclared(tx, move.id)) ?? {};
  if (horizon === null || opensAt === null) return undefined;
  return awaitedDead({ horizonMs: horizon, opensAtMs: opensAt, nowMs: context.clock.nowMs() });
}
