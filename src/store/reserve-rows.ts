/** Units that came with a move for holders who have not come yet: by name, or by the tokens they show. */
import type { CalType } from '../core/product.ts';
import type { ReadTx, WriteTx } from './port.ts';
import { dropUnits, shiftUnits } from './unit-rows.ts';

export interface ReservationRow {
  readonly lineId: number;
  readonly sub: string;
  readonly kind: CalType;
  readonly origin: string;
  readonly move: string;
  readonly source: string;
  readonly leaseEnd: number;
}

const reservationColumns =
  'r.line_id as "lineId", r.sub, r.kind, r.origin, r.move, r.source, r.lease_end as "leaseEnd"';

export async function findReservation(
  tx: ReadTx,
  lineId: number,
  sub: string,
): Promise<ReservationRow | undefined> {
  return tx.get<ReservationRow>(
    `select ${reservationColumns} from reservations r
     where r.line_id = ? and r.sub = ? and r.state = 'reserved'`,
    lineId,
    sub,
  );
}

/** Whether anything ever came here for holders of another server, by name or without. */
export async function hasReservations(tx: ReadTx): Promise<boolean> {
  const found = await tx.get(
    'select 1 as found where exists (select 1 from reservations) or exists (select 1 from reserves)',
  );
  return found !== undefined;
}

/** So many rows go with one statement. */
const rowsAtOnce = 100;

/** In the order of the index, many rows at once: of a long list that takes half the time of one after another. */
export async function insertReservations(tx: WriteTx, rows: readonly ReservationRow[]): Promise<void> {
  const sorted = rows.toSorted((left, right) => (left.sub < right.sub ? -1 : 1));
  for (let from = 0; from < sorted.length; from += rowsAtOnce) {
    const some = sorted.slice(from, from + rowsAtOnce);
    await tx.run(
      `insert into reservations (line_id, sub, kind, origin, move, source, lease_end, state)
       values ${some.map(() => `(?, ?, ?, ?, ?, ?, ?, 'reserved')`).join(', ')}`,
      ...some.flatMap((row) => [
        row.lineId,
        row.sub,
        row.kind,
        row.origin,
        row.move,
        row.source,
        row.leaseEnd,
      ]),
    );
  }
}

export async function takeReservation(tx: WriteTx, row: ReservationRow): Promise<void> {
  await tx.run(
    `update reservations set state = 'taken' where line_id = ? and sub = ? and move = ?`,
    row.lineId,
    row.sub,
    row.move,
  );
}

/** Of the move `m` that brought a reservation: nobody else renews its holder. */
export const isSettled = "m.state = case m.role when 'target' then 'closed' else 'undone' end";

/**
 * Reservations whose holders never came and whose last token has ended, where nobody else renews it: its
 * source is known to be closed, or gave it back here when the move was undone.
 */
export async function lapsedReservations(
  tx: ReadTx,
  nowMs: number,
  limit: number,
): Promise<readonly ReservationRow[]> {
  return tx.all<ReservationRow>(
    `select ${reservationColumns} from reservations r
     join moves m on m.id = r.move and ${isSettled}
     where r.state = 'reserved' and r.lease_end < ? order by r.lease_end limit ?`,
    nowMs,
    limit,
  );
}

export async function openReservation(tx: WriteTx, row: ReservationRow): Promise<void> {
  await tx.run(
    `update reservations set state = 'opened' where line_id = ? and sub = ? and move = ?`,
    row.lineId,
    row.sub,
    row.move,
  );
}

/** All that was ever reserved for the holders of a move, whatever became of it. */
export async function reservationsOf(tx: ReadTx, move: string): Promise<readonly ReservationRow[]> {
  return tx.all<ReservationRow>(`select ${reservationColumns} from reservations r where r.move = ?`, move);
}

/** Raises the known lease end of a reserved holder to what the source reported. */
export async function extendReservation(tx: WriteTx, row: ReservationRow, leaseEnd: number): Promise<void> {
  await tx.run(
    'update reservations set lease_end = ? where line_id = ? and sub = ? and move = ?',
    leaseEnd,
    row.lineId,
    row.sub,
    row.move,
  );
}

export interface ReserveRow {
  readonly id: string;
  readonly lineId: number;
  readonly source: string;
  readonly amount: number;
  readonly opensAt: number;
}

export const reserveColumns = 'r.id, r.line_id as "lineId", r.source, r.amount, r.opens_at as "opensAt"';

export async function openReserves(
  tx: ReadTx,
  lineId: number,
  nowMs: number,
): Promise<readonly ReserveRow[]> {
  return tx.all<ReserveRow>(
    `select ${reserveColumns} from reserves r where line_id = ? and amount > 0 and opens_at < ? order by opens_at, id`,
    lineId,
    nowMs,
  );
}

/** What comes for a reserve that is there already is added to it, and it opens on the later day. */
export async function insertReserve(tx: WriteTx, row: ReserveRow): Promise<void> {
  await tx.run(
    `insert into reserves (id, line_id, source, amount, opens_at) values (?, ?, ?, ?, ?)
     on conflict (id) do update set amount = amount + excluded.amount, opens_at = max(opens_at, excluded.opens_at)`,
    row.id,
    row.lineId,
    row.source,
    row.amount,
    row.opensAt,
  );
}

export async function drawReserve(tx: WriteTx, id: string, amount: number): Promise<void> {
  await tx.run('update reserves set amount = amount - ? where id = ?', amount, id);
}

/**
 * Whether a token of this origin was honored for a reserve before, whichever server gave it. What came of a source that
 * no longer functions is one reserve, in however many parts it came.
 */
export async function wasHonored(
  tx: ReadTx,
  key: { readonly origin: string; readonly reserve: string },
): Promise<boolean> {
  const row = await tx.get<{ at: number }>(
    `select at from honored_tokens where origin = ? and (reserve = ? or reserve in (
       select other.move from dead_sources own join dead_sources other
         on other.line_id = own.line_id and other.source = own.source and other.state = 'granted'
       where own.move = ? and own.state = 'granted')) limit 1`,
    key.origin,
    key.reserve,
    key.reserve,
  );
  return row !== undefined;
}

export interface HonoredToken {
  readonly source: string;
  readonly origin: string;
  readonly reserve: string;
  readonly sub: string;
  readonly at: number;
}

/** Marks source tokens as honored for a reserve. */
export async function honorTokens(tx: WriteTx, rows: readonly HonoredToken[]): Promise<void> {
  for (let from = 0; from < rows.length; from += rowsAtOnce) {
    const some = rows.slice(from, from + rowsAtOnce);
    await tx.run(
      `insert into honored_tokens (source, origin, reserve, sub, at)
       values ${some.map(() => '(?, ?, ?, ?, ?)').join(', ')} on conflict (source, origin, reserve) do nothing`,
      ...some.flatMap((row) => [row.source, row.origin, row.reserve, row.sub, row.at]),
    );
  }
}

/**
 * Freezes `amount` reserved units of a line for a move out: named ones first, those whose leases end
 * first, then parts of anonymous reserves. Their unit numbers stay where they are until the release.
 */
export async function freezeReserved(
  tx: WriteTx,
  freeze: { readonly lineId: number; readonly move: string; readonly amount: number },
): Promise<void> {
  if (freeze.amount === 0) return;
  let left = freeze.amount;
  left -= await tx.run(
    `update reservations set state = 'frozen', frozen_by = ? where state = 'reserved' and line_id = ? and (sub, move) in (
       select sub, move from reservations where line_id = ? and state = 'reserved' order by lease_end, sub limit ?)`,
    freeze.move,
    freeze.lineId,
    freeze.lineId,
    left,
  );
  for (const reserve of await lineReserves(tx, freeze.lineId)) {
    if (left === 0) break;
    const amount = Math.min(left, reserve.amount);
    await drawReserve(tx, reserve.id, amount);
    await tx.run(
      'insert into frozen_reserves (move, reserve, amount) values (?, ?, ?)',
      freeze.move,
      reserve.id,
      amount,
    );
    left -= amount;
  }
  if (left > 0) throw new Error(`${left} reserved units are in the books, but for nobody.`);
}

/** Reserved units that a move has frozen leave for good, with their unit numbers. */
export async function releaseReserved(tx: WriteTx, lineId: number, move: string): Promise<void> {
  const named = await tx.all<{ pool: string; amount: number }>(
    `select move as pool, count(*) as amount from reservations where frozen_by = ? and state = 'frozen' group by move`,
    move,
  );
  const anonymous = await tx.all<{ pool: string; amount: number }>(
    'select reserve as pool, amount from frozen_reserves where move = ?',
    move,
  );
  for (const { pool, amount } of [...named, ...anonymous]) {
    await shiftUnits(tx, { lineId, from: pool, to: move, amount });
  }
  await dropUnits(tx, lineId, move);
  await tx.run(`update reservations set state = 'moved' where frozen_by = ? and state = 'frozen'`, move);
}

/** Reserved units that a move had frozen are reserved again. */
export async function unfreezeReserved(tx: WriteTx, move: string): Promise<void> {
  await tx.run(
    `update reservations set state = 'reserved', frozen_by = null where frozen_by = ? and state = 'frozen'`,
    move,
  );
  await tx.run(
    `update reserves set amount = amount + (select f.amount from frozen_reserves f where f.move = ? and f.reserve = reserves.id)
     where id in (select reserve from frozen_reserves where move = ?)`,
    move,
    move,
  );
  await tx.run('delete from frozen_reserves where move = ?', move);
}

/** What a move had reserved here by name, and nobody came for, leaves with it again; answers how many. */
export async function returnReservations(tx: WriteTx, move: string): Promise<number> {
  return tx.run(
    `update reservations set state = 'moved', frozen_by = move where move = ? and state = 'reserved'`,
    move,
  );
}

/** How many of those whom a move had reserved units for here have not come yet. */
export async function countReserved(tx: ReadTx, move: string): Promise<number> {
  const row = await tx.get<{ total: number }>(
    `select count(*) as total from reservations where move = ? and state = 'reserved'`,
    move,
  );
  return row?.total ?? 0;
}

/** What is left of one anonymous reserve. */
export async function reserveLeft(tx: ReadTx, id: string): Promise<number> {
  const row = await tx.get<{ amount: number }>('select amount from reserves where id = ?', id);
  return row?.amount ?? 0;
}

/** The anonymous reserves of a line that have something left. */
export async function lineReserves(tx: ReadTx, lineId: number): Promise<readonly ReserveRow[]> {
  return tx.all<ReserveRow>(
    `select ${reserveColumns} from reserves r where line_id = ? and amount > 0 order by opens_at, id`,
    lineId,
  );
}

/** Raises the known lease end of a holder's reservation; answers whether there is one. */
export async function extendReserved(
  tx: WriteTx,
  change: { readonly lineId: number; readonly sub: string; readonly leaseEnd: number },
): Promise<boolean> {
  const changed = await tx.run(
    `update reservations set lease_end = max(lease_end, ?) where line_id = ? and sub = ? and state = 'reserved'`,
    change.leaseEnd,
    change.lineId,
    change.sub,
  );
  return changed > 0;
}

/** A CAL that went on before its holder came: `expiresAt` is the end of the holder's token, as far as is known here. */
interface LeftReservation extends Pick<ReservationRow, 'sub' | 'origin' | 'move'> {
  readonly at: number;
  readonly expiresAt: number;
}

/** The newest reservation of a holder that left with a move out of here, or is frozen for one. */
export async function leftReservation(
  tx: ReadTx,
  lineId: number,
  sub: string,
): Promise<LeftReservation | undefined> {
  return tx.get<LeftReservation>(
    `select m.id as move, m.updated_at as at, r.sub, r.origin, r.lease_end as "expiresAt" from reservations r join moves m on m.id = r.frozen_by
     where r.line_id = ? and r.sub = ? and r.state in ('frozen', 'moved') order by m.updated_at desc limit 1`,
    lineId,
    sub,
  );
}

/** The named holders that a move has frozen before they came. */
export async function frozenReservations(tx: ReadTx, move: string): Promise<readonly ReservationRow[]> {
  return tx.all<ReservationRow>(
    `select ${reservationColumns} from reservations r
     where r.frozen_by = ? and r.state in ('frozen', 'moved') order by r.sub`,
    move,
  );
}
