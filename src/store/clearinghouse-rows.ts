/** Moves and telephone confirmations at the clearinghouse: plain SQL, no rules. */
import type { Carrier, MoveState } from '../core/move.ts';
import type { CalType } from '../core/product.ts';
import { waitingGrants } from './outbox-rows.ts';
import type { ReadTx, WriteTx } from './port.ts';

export interface MoveRow {
  readonly id: string;
  readonly agreement: string;
  readonly line: number;
  readonly product: string;
  readonly type: CalType;
  readonly quantity: number | 'all';
  readonly source: string;
  readonly sourceGeneration: number;
  readonly target: string;
  readonly targetGeneration: number;
  readonly reason: string;
  readonly carrier: Carrier;
  readonly state: MoveState;
  readonly unissued: number;
  readonly held: number;
  readonly hold: boolean;
  readonly verified: boolean;
  readonly startedAt: number;
  readonly updatedAt: number;
}

type StoredMove = Omit<MoveRow, 'quantity' | 'hold' | 'verified'> & {
  quantity: number;
  hold: number;
  verified: number;
};

/** -1 stands for `all` in the database. */
const everything = -1;

function moveOf(row: StoredMove): MoveRow {
  return {
    ...row,
    quantity: row.quantity === everything ? 'all' : row.quantity,
    hold: row.hold === 1,
    verified: row.verified === 1,
  };
}

const moveColumns = `id, agreement, line, product, type, quantity, source, source_generation as "sourceGeneration",
  target, target_generation as "targetGeneration", reason, carrier, state, unissued, held, hold, verified,
  started_at as "startedAt", updated_at as "updatedAt"`;

export async function findMove(tx: ReadTx, id: string): Promise<MoveRow | undefined> {
  const row = await tx.get<StoredMove>(`select ${moveColumns} from moves where id = ?`, id);
  return row && moveOf(row);
}

/** Newest first. `after` is the last id of the page before; `open` leaves out what is over. */
export async function pageMoves(
  tx: ReadTx,
  page: { readonly after: string; readonly limit: number; readonly open?: boolean | undefined },
): Promise<readonly MoveRow[]> {
  const rows = await tx.all<StoredMove>(
    `select ${moveColumns} from moves
     where (? = '' or (started_at, id) < (select started_at, id from moves where id = ?))
       and (? = 0 or state not in ('closed', 'aborted'))
     order by started_at desc, id desc limit ?`,
    ...[page.after, page.after, page.open === true ? 1 : 0, page.limit],
  );
  return rows.map(moveOf);
}

async function openMovesAt(
  tx: ReadTx,
  end: 'source' | 'target',
  licenseServerId: string,
): Promise<readonly MoveRow[]> {
  const rows = await tx.all<StoredMove>(
    `select ${moveColumns} from moves where ${end} = ? and state not in ('closed', 'aborted') order by started_at, id`,
    licenseServerId,
  );
  return rows.map(moveOf);
}

/** Moves out of a server that are not over, oldest first. */
export function openMovesFrom(tx: ReadTx, source: string): Promise<readonly MoveRow[]> {
  return openMovesAt(tx, 'source', source);
}

/** States in which no report of the target that it has installed is waited for. */
const unreported: readonly string[] = ['closed', 'aborting', 'returning'];

/**
 * A move by messages whose grant its target has not reported as installed. A move that its source has ended meanwhile,
 * or that is being undone, waits for no such report: whether that grant has arrived, the outbox tells.
 */
export async function grantUnderWay(
  tx: ReadTx,
  of: { readonly target: string; readonly agreement: string },
): Promise<MoveRow | undefined> {
  const row = await tx.get<StoredMove>(
    `select ${moveColumns} from moves where target = ? and agreement = ? and carrier = 'online'
       and state in ('granted', 'fenced') order by started_at, id limit 1`,
    ...[of.target, of.agreement],
  );
  if (row !== undefined) return moveOf(row);
  for (const waiting of await waitingGrants(tx, of.target)) {
    const move = await findMove(tx, waiting.move);
    if (move?.agreement === of.agreement && unreported.includes(move.state)) return move;
  }
  return undefined;
}

/** Moves to a server that are not over, oldest first. */
export function openMovesTo(tx: ReadTx, target: string): Promise<readonly MoveRow[]> {
  return openMovesAt(tx, 'target', target);
}

/** When the last move to a server on a line has ended there; 0 where none has. */
export async function lastArrival(
  tx: ReadTx,
  of: { readonly target: string; readonly agreement: string; readonly line: number },
): Promise<number> {
  const row = await tx.get<{ at: number | null }>(
    `select max(updated_at) as at from moves where target = ? and agreement = ? and line = ? and state = 'closed'`,
    ...[of.target, of.agreement, of.line],
  );
  return row?.at ?? 0;
}

/**
 * Moves that a server froze for and has not been heard to release, oldest first: those under way, and those that
 * ended without its word when it was declared dead.
 */
export async function frozenMoves(tx: ReadTx, source: string): Promise<readonly MoveRow[]> {
  const rows = await tx.all<StoredMove>(
    `select ${moveColumns} from moves m where source = ? and (state in ('granted', 'installed', 'committed', 'aborting')
       or (state in ('closed', 'returning') and reason <> 'dead' and exists
         (select 1 from dead_sources d where d.source = m.source and d.granted_at is not null
            and m.updated_at >= d.granted_at)))
     order by started_at, id`,
    source,
  );
  return rows.map(moveOf);
}

/** Whether any move to or from a server under an agreement is not over. */
export async function hasOpenMoves(
  tx: ReadTx,
  of: { readonly licenseServerId: string; readonly agreement: string },
): Promise<boolean> {
  const row = await tx.get(
    `select 1 as found from moves where agreement = ? and (source = ? or target = ?)
       and state not in ('closed', 'aborted') limit 1`,
    ...[of.agreement, of.licenseServerId, of.licenseServerId],
  );
  return row !== undefined;
}

/** The moves out of a server on one line, over or not, newest first. */
export async function movesOnLine(
  tx: ReadTx,
  of: { readonly source: string; readonly agreement: string; readonly line: number },
): Promise<readonly MoveRow[]> {
  const rows = await tx.all<StoredMove>(
    `select ${moveColumns} from moves where source = ? and agreement = ? and line = ? order by started_at desc, id`,
    of.source,
    of.agreement,
    of.line,
  );
  return rows.map(moveOf);
}

export async function insertMove(tx: WriteTx, row: MoveRow): Promise<void> {
  await tx.run(
    `insert into moves (id, agreement, line, product, type, quantity, source, source_generation, target,
       target_generation, reason, carrier, state, unissued, held, hold, verified, holders, started_at,
       updated_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '[]', ?, ?)`,
    row.id,
    row.agreement,
    row.line,
    row.product,
    row.type,
    row.quantity === 'all' ? everything : row.quantity,
    row.source,
    row.sourceGeneration,
    row.target,
    row.targetGeneration,
    row.reason,
    row.carrier,
    row.state,
    row.unissued,
    row.held,
    row.hold ? 1 : 0,
    row.verified ? 1 : 0,
    row.startedAt,
    row.updatedAt,
  );
}

/** Guarded update: the move must still be in the state the decision was made in. */
export async function updateMove(tx: WriteTx, expected: MoveState, row: MoveRow): Promise<boolean> {
  const changed = await tx.run(
    `update moves set state = ?, unissued = ?, held = ?, hold = ?, verified = ?, updated_at = ?
     where id = ? and state = ?`,
    row.state,
    row.unissued,
    row.held,
    row.hold ? 1 : 0,
    row.verified ? 1 : 0,
    row.updatedAt,
    row.id,
    expected,
  );
  return changed === 1;
}

/** The code of a release said that no license which still runs was returned to the source of these moves. */
export async function markNoneReturned(tx: WriteTx, moves: readonly string[]): Promise<void> {
  for (const id of moves) await tx.run('update moves set none_returned = 1 where id = ?', id);
}

export async function saidNoneReturned(tx: ReadTx, move: string): Promise<boolean> {
  const row = await tx.get<{ said: number }>('select none_returned as said from moves where id = ?', move);
  return row?.said === 1;
}

/**
 * Keeps who comes along with a move, as JSON: a list of megabytes for a long one, which is why it is no part of
 * the row that is read for each message.
 */
export async function saveHolders(tx: WriteTx, id: string, holders: string): Promise<void> {
  await tx.run('update moves set holders = ? where id = ?', holders, id);
}

export async function readHolders(tx: ReadTx, id: string): Promise<string> {
  return (await tx.get<{ holders: string }>('select holders from moves where id = ?', id))?.holders ?? '[]';
}

export interface ConfirmationRecord {
  readonly code: string;
  readonly agreement: string;
  readonly licenseServerId: string;
  readonly seq: number;
  readonly kind: string;
  readonly answer: string;
  readonly at: number;
}

export async function findConfirmation(tx: ReadTx, code: string): Promise<ConfirmationRecord | undefined> {
  return tx.get<ConfirmationRecord>(
    `select code, agreement, license_server_id as "licenseServerId", seq, kind, answer, at
     from confirmations where code = ?`,
    code,
  );
}

export async function insertConfirmationRecord(tx: WriteTx, row: ConfirmationRecord): Promise<void> {
  await tx.run(
    `insert into confirmations (code, agreement, license_server_id, seq, kind, answer, at)
     values (?, ?, ?, ?, ?, ?, ?)`,
    row.code,
    row.agreement,
    row.licenseServerId,
    row.seq,
    row.kind,
    row.answer,
    row.at,
  );
}

export async function insertFailure(
  tx: WriteTx,
  licenseServerId: string | null,
  nowMs: number,
): Promise<void> {
  await tx.run(
    'insert into confirmation_failures (license_server_id, at) values (?, ?)',
    licenseServerId,
    nowMs,
  );
}

/** When confirmations failed since `sinceMs`, oldest first: of one server, or of all where none is named. */
export async function failuresSince(
  tx: ReadTx,
  licenseServerId: string | null,
  sinceMs: number,
): Promise<readonly number[]> {
  const rows =
    licenseServerId === null
      ? await tx.all<{ at: number }>('select at from confirmation_failures where at > ? order by at', sinceMs)
      : await tx.all<{ at: number }>(
          'select at from confirmation_failures where license_server_id = ? and at > ? order by at',
          licenseServerId,
          sinceMs,
        );
  return rows.map((row) => row.at);
}
