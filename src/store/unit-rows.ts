/**
 * Unit numbers that nobody holds, kept as ranges so that handing one out costs the same whether ten
 * or a hundred thousand are free. Ranges are taken oldest first: returned numbers go to the end, which
 * keeps a number out of use for as long as others are there.
 */
import type { ReadTx, WriteTx } from './port.ts';

/** The pool of numbers that may be issued to anybody. */
export const freePool = '';

interface Range {
  readonly position: number;
  readonly first: number;
  readonly last: number;
}

/** The range that is taken from next. */
async function oldestRange(tx: ReadTx, lineId: number, pool: string): Promise<Range | undefined> {
  return tx.get<Range>(
    `select position, first_unit as first, last_unit as last from unit_ranges
     where line_id = ? and pool = ? order by position limit 1`,
    lineId,
    pool,
  );
}

/**
 * Takes one number out of a pool, or undefined where it is empty. Two small statements take half the
 * time of one with a subquery and `returning`.
 */
export async function takeUnit(tx: WriteTx, lineId: number, pool: string): Promise<number | undefined> {
  const range = await oldestRange(tx, lineId, pool);
  if (range === undefined) return undefined;
  const { position, first, last } = range;
  if (first === last) await tx.run('delete from unit_ranges where position = ?', position);
  else await tx.run('update unit_ranges set first_unit = ? where position = ?', first + 1, position);
  return first;
}

/** Takes one very number out of a pool; answers false where it is not in it. */
export async function takeThisUnit(
  tx: WriteTx,
  of: { readonly lineId: number; readonly pool: string; readonly unit: number },
): Promise<boolean> {
  const { lineId, pool, unit } = of;
  const range = await tx.get<Range>(
    `select position, first_unit as first, last_unit as last from unit_ranges
     where line_id = ? and pool = ? and ? between first_unit and last_unit`,
    ...[lineId, pool, unit],
  );
  if (range === undefined) return false;
  const { position, first, last } = range;
  await tx.run('delete from unit_ranges where position = ?', position);
  if (first < unit) await addUnits(tx, { lineId, pool, first, last: unit - 1 });
  if (unit < last) await addUnits(tx, { lineId, pool, first: unit + 1, last });
  return true;
}

export async function addUnits(
  tx: WriteTx,
  range: { readonly lineId: number; readonly pool: string; readonly first: number; readonly last: number },
): Promise<void> {
  await tx.run(
    'insert into unit_ranges (line_id, pool, first_unit, last_unit) values (?, ?, ?, ?)',
    range.lineId,
    range.pool,
    range.first,
    range.last,
  );
}

/**
 * Moves `amount` numbers of a line, or all where there are fewer, from one pool to another, splitting
 * the last range touched. The cost grows with the ranges, not with the amount.
 */
export async function shiftUnits(
  tx: WriteTx,
  shift: { readonly lineId: number; readonly from: string; readonly to: string; readonly amount: number },
): Promise<void> {
  let left = shift.amount;
  while (left > 0) {
    const range = await oldestRange(tx, shift.lineId, shift.from);
    if (range === undefined) return;
    const size = range.last - range.first + 1;
    if (size <= left) {
      await tx.run('update unit_ranges set pool = ? where position = ?', shift.to, range.position);
      left -= size;
    } else {
      await tx.run(
        'update unit_ranges set first_unit = ? where position = ?',
        range.first + left,
        range.position,
      );
      await addUnits(tx, {
        lineId: shift.lineId,
        pool: shift.to,
        first: range.first,
        last: range.first + left - 1,
      });
      left = 0;
    }
  }
}

/** Forgets the numbers of a pool: their units have left this server for good. */
export async function dropUnits(tx: WriteTx, lineId: number, pool: string): Promise<void> {
  await tx.run('delete from unit_ranges where line_id = ? and pool = ?', lineId, pool);
}
