/**
 * The source takes back what it had frozen, because the move is undone: everything is as it was, but for
 * those whom the target has given one of the units meanwhile. They are reserved here by name.
 */
import type { Posting } from '../../core/ledger.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { msOfIso, secondMs } from '../../core/time.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { extendLease } from '../../store/held-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { drawReserve, extendReserved, insertReservations, lineReserves } from '../../store/reserve-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { liveLeases } from '../../store/undo-rows.ts';
import { freePool, shiftUnits } from '../../store/unit-rows.ts';
import { unfreezeUnits } from './freeze.ts';
import { accountsOf } from './license-token.ts';

type Holder = NonNullable<BodyOf<'unfreeze'>['returned']>['holders'][number];

/**
 * Answers the postings. A holder that is known here keeps the unit it had, to the latest end of its tokens
 * (protocol §2.4, rule 4). Refused: `move-more-than-there-is` where more come back than there are units.
 */
export async function takeBack(
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly move: ServerMoveRow;
    /** Whom the target had given some of it to. */
    readonly returned: readonly Holder[];
  },
): Promise<Result<readonly Posting[], Refusal>> {
  const { line, move, returned } = of;
  const postings = await unfreezeUnits(tx, { line, move });
  const newcomers: Holder[] = [];
  // All are looked at once: looking for each of many by name took time in the square of them.
  const live = returned.length === 0 ? [] : await liveLeases(tx, line.id);
  const bySub = new Map(live.map((license) => [license.sub, license]));
  for (const holder of returned) {
    const known = { lineId: line.id, sub: holder.sub, leaseEnd: endOf(holder) };
    const license = bySub.get(holder.sub);
    if (license === undefined) {
      if (!(await extendReserved(tx, known))) newcomers.push(holder);
    } else {
      // Later than its own license ends, also where that from there does not: given back before, this CAL waits (`mayHaveOthers`).
      const end = Math.max(known.leaseEnd, license.expiresAt + secondMs);
      if (end > license.leaseEnd) await extendLease(tx, license.id, end);
    }
  }
  if (newcomers.length === 0) return ok(postings);
  const accounts = accountsOf(line);
  const free = (await tx.balance(accounts.unissued)) + move.unissued;
  const fromFree = Math.min(newcomers.length, free);
  await shiftUnits(tx, { lineId: line.id, from: freePool, to: move.id, amount: fromFree });
  const left = await drawNameless(tx, { line, move, amount: newcomers.length - fromFree });
  if (left > 0) {
    return err({
      code: 'move-more-than-there-is',
      asked: newcomers.length,
      available: newcomers.length - left,
    });
  }
  const came = { lineId: line.id, move: move.id, source: move.target };
  await insertReservations(
    tx,
    newcomers.map((holder) => {
      const { sub, kind, origin } = holder;
      return { ...came, sub, kind, origin, leaseEnd: Math.max(endOf(holder), line.namelessUntil) };
    }),
  );
  if (fromFree === 0) return ok(postings);
  const reserved: Posting = {
    kind: 'transfer',
    debit: accounts.unissued,
    credit: accounts.reserved,
    amount: fromFree,
  };
  return ok([...postings, reserved]);
}

/** Its form was checked when the message was opened. */
function endOf({ leaseEnd }: Holder): number {
  return msOfIso(leaseEnd) ?? 0;
}

/** Who drew on an anonymous reserve at the target draws on the one here; answers how many find none. */
async function drawNameless(
  tx: WriteTx,
  of: { readonly line: LineRow; readonly move: ServerMoveRow; readonly amount: number },
): Promise<number> {
  let left = of.amount;
  if (left === 0) return 0;
  for (const reserve of await lineReserves(tx, of.line.id)) {
    const amount = Math.min(left, reserve.amount);
    await drawReserve(tx, reserve.id, amount);
    await shiftUnits(tx, { lineId: of.line.id, from: reserve.id, to: of.move.id, amount });
    left -= amount;
    if (left === 0) break;
  }
  return left;
}
