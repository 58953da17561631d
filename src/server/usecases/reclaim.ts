/**
 * Units whose holders have let their lease run out go back to the pool (facts §3.1): on demand where
 * nothing else is free, and by a sweep. What was inherited waits until its source is known to be closed.
 */
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { ok } from '../../core/result.ts';
import { endLicense, lapsedLicenses } from '../../store/license-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { drawReserve, lapsedReservations, openReservation, openReserves } from '../../store/reserve-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { findLineById, listLines } from '../../store/server-authority-rows.ts';
import { addUnits, freePool, shiftUnits } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import { accountsOf, serverLog } from './license-token.ts';
import { newId } from './new-id.ts';
import { readPast } from './past.ts';
import { openQuarantined } from './quarantine.ts';

interface Reclaim {
  readonly line: LineRow;
  readonly nowMs: number;
}

/** Takes back one lapsed unit of a line, or a reserve that has opened; answers how many units. */
export async function reclaimOne(context: ServerContext, tx: WriteTx, reclaim: Reclaim): Promise<number> {
  const lapsed = await reclaimLapsed(context, tx, { ...reclaim, limit: 1 });
  if (lapsed > 0) return lapsed;
  const reserved = await openReserved(context, tx, reclaim);
  return reserved > 0 ? reserved : openQuarantined(context, tx, reclaim);
}

async function reclaimLapsed(
  context: ServerContext,
  tx: WriteTx,
  { line, nowMs, limit }: Reclaim & { readonly limit: number },
): Promise<number> {
  const licenses = await lapsedLicenses(tx, line.id, { nowMs, limit });
  for (const license of licenses) {
    await endLicense(tx, license.id, 'expired');
    await addUnits(tx, { lineId: line.id, pool: freePool, first: license.unit, last: license.unit });
  }
  if (licenses.length === 0) return 0;
  const accounts = accountsOf(line);
  await tx.post({
    log: serverLog,
    kind: 'expired',
    id: newId(context),
    at: nowMs,
    body: { agreement: line.agreement, line: line.line, units: licenses.map((license) => license.unit) },
    postings: [
      { kind: 'transfer', debit: accounts.issued, credit: accounts.unissued, amount: licenses.length },
    ],
  });
  return licenses.length;
}

/**
 * Telephone reserves are open to others 89 days after the last release (protocol §2.4, rule 5), also after one that took
 * a part of the line away from here. When a reserve came is told by the day on which it opens, which stays as it is.
 */
export async function openReserved(
  context: ServerContext,
  tx: WriteTx,
  { line, nowMs }: Reclaim,
): Promise<number> {
  if (line.namelessUntil >= nowMs) return 0;
  let opened = 0;
  for (const reserve of await openReserves(tx, line.id, nowMs)) {
    await drawReserve(tx, reserve.id, reserve.amount);
    await shiftUnits(tx, { lineId: line.id, from: reserve.id, to: freePool, amount: reserve.amount });
    await postOpened(context, tx, { line, nowMs, pool: reserve.id, amount: reserve.amount });
    opened += reserve.amount;
  }
  return opened;
}

async function postOpened(
  context: ServerContext,
  tx: WriteTx,
  of: Reclaim & { readonly pool: string; readonly amount: number },
): Promise<void> {
  const accounts = accountsOf(of.line);
  await tx.post({
    log: serverLog,
    kind: 'reserve-opened',
    id: newId(context),
    at: of.nowMs,
    body: { agreement: of.line.agreement, line: of.line.line, pool: of.pool, amount: of.amount },
    postings: [{ kind: 'transfer', debit: accounts.reserved, credit: accounts.unissued, amount: of.amount }],
  });
}

/** The sweep: at most `limit` licenses of each line, then reservations nobody came for. */
export async function sweepLapsed(
  context: ServerContext,
  limit: number,
): Promise<Result<{ readonly reclaimed: number }, Refusal>> {
  const nowMs = context.clock.nowMs();
  return context.store.write(async (tx) => {
    // Who has what is not known, and no timer frees anything (protocol §5.2).
    if ((await readPast(tx))?.state === 'doubted') return ok({ reclaimed: 0 });
    let reclaimed = 0;
    for (const line of await listLines(tx)) {
      reclaimed += await reclaimLapsed(context, tx, { line, nowMs, limit });
      reclaimed += await openReserved(context, tx, { line, nowMs });
      reclaimed += await openQuarantined(context, tx, { line, nowMs });
    }
    for (const reservation of await lapsedReservations(tx, nowMs, limit)) {
      const line = await findLineById(tx, reservation.lineId);
      if (line === undefined) continue;
      await openReservation(tx, reservation);
      await shiftUnits(tx, { lineId: line.id, from: reservation.move, to: freePool, amount: 1 });
      await postOpened(context, tx, { line, nowMs, pool: reservation.move, amount: 1 });
      reclaimed += 1;
    }
    return ok({ reclaimed });
  });
}
