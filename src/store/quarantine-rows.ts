/** Units that are nobody's until the licenses of them that may be out there have ended: plain SQL, no rules. */
import type { ReadTx, WriteTx } from './port.ts';
import { dropUnits, shiftUnits } from './unit-rows.ts';

export interface QuarantineRow {
  readonly id: string;
  readonly lineId: number;
  readonly amount: number;
  readonly opensAt: number;
}

const columns = 'id, line_id as "lineId", amount, opens_at as "opensAt"';

export async function insertQuarantine(tx: WriteTx, row: QuarantineRow): Promise<void> {
  await tx.run(
    'insert into quarantines (id, line_id, amount, opens_at) values (?, ?, ?, ?)',
    ...[row.id, row.lineId, row.amount, row.opensAt],
  );
}

/** What of a line is in quarantine, and not frozen for a move; what opens first goes first. */
async function lineQuarantines(tx: ReadTx, lineId: number): Promise<readonly QuarantineRow[]> {
  return tx.all<QuarantineRow>(
    `select ${columns} from quarantines where line_id = ? and amount > 0 order by opens_at, id`,
    lineId,
  );
}

export async function findQuarantine(tx: ReadTx, id: string): Promise<QuarantineRow | undefined> {
  return tx.get<QuarantineRow>(`select ${columns} from quarantines where id = ?`, id);
}

/** Those that have opened by `nowMs`. */
export async function openQuarantines(
  tx: ReadTx,
  lineId: number,
  nowMs: number,
): Promise<readonly QuarantineRow[]> {
  return (await lineQuarantines(tx, lineId)).filter(({ opensAt }) => opensAt < nowMs);
}

/** The quarantine that a unit is in. */
export async function quarantineOf(
  tx: ReadTx,
  of: { readonly lineId: number; readonly unit: number },
): Promise<QuarantineRow | undefined> {
  return tx.get<QuarantineRow>(
    `select ${columns} from quarantines q where line_id = ? and amount > 0 and exists (
       select 1 from unit_ranges r where r.line_id = q.line_id and r.pool = q.id and ? between r.first_unit and r.last_unit)`,
    of.lineId,
    of.unit,
  );
}

export async function drawQuarantine(tx: WriteTx, id: string, amount: number): Promise<void> {
  await tx.run('update quarantines set amount = amount - ? where id = ?', amount, id);
}

/** All of them wait until `opensAt` at least. */
export async function prolongQuarantines(tx: WriteTx, opensAt: number): Promise<void> {
  await tx.run('update quarantines set opens_at = max(opens_at, ?) where amount > 0', opensAt);
}

/** Freezes `amount` of them for a move out. Their numbers stay where they are until the release. */
export async function freezeQuarantined(
  tx: WriteTx,
  freeze: { readonly lineId: number; readonly move: string; readonly amount: number },
): Promise<void> {
  let left = freeze.amount;
  for (const { id, amount: present } of left === 0 ? [] : await lineQuarantines(tx, freeze.lineId)) {
    const amount = Math.min(left, present);
    if (amount === 0) break;
    await drawQuarantine(tx, id, amount);
    await tx.run(
      'insert into frozen_quarantines (move, quarantine, amount) values (?, ?, ?)',
      ...[freeze.move, id, amount],
    );
    left -= amount;
  }
  if (left > 0) throw new Error(`${left} quarantined units are in the books, but not to be found.`);
}

/** The move that has frozen what the quarantine of a unit still had. */
export async function moveOfFrozen(
  tx: ReadTx,
  of: { readonly lineId: number; readonly unit: number },
): Promise<string | undefined> {
  const row = await tx.get<{ move: string }>(
    `select f.move from frozen_quarantines f join quarantines q on q.id = f.quarantine
     join unit_ranges r on r.line_id = q.line_id and r.pool = q.id
     where q.line_id = ? and ? between r.first_unit and r.last_unit limit 1`,
    of.lineId,
    of.unit,
  );
  return row?.move;
}

interface FrozenQuarantine {
  readonly quarantine: string;
  readonly amount: number;
}

async function frozenFor(tx: ReadTx, move: string): Promise<readonly FrozenQuarantine[]> {
  return tx.all<FrozenQuarantine>(
    'select quarantine, amount from frozen_quarantines where move = ? order by quarantine',
    move,
  );
}

/** What a move has frozen of them leaves for good, with as many numbers. */
export async function releaseQuarantined(tx: WriteTx, lineId: number, move: string): Promise<void> {
  for (const { quarantine, amount } of await frozenFor(tx, move)) {
    await shiftUnits(tx, { lineId, from: quarantine, to: move, amount });
  }
  await dropUnits(tx, lineId, move);
  await tx.run('delete from frozen_quarantines where move = ?', move);
}

/** What a move had frozen of them is in quarantine again. */
export async function unfreezeQuarantined(tx: WriteTx, move: string): Promise<void> {
  for (const { quarantine, amount } of await frozenFor(tx, move))
    await drawQuarantine(tx, quarantine, -amount);
  await tx.run('delete from frozen_quarantines where move = ?', move);
}
