/**
 * Units of a move that was undone while its source gave them up: those on which licenses may still run are
 * quarantined, and in hand when the last of them has ended (`core/lapse.ts`).
 */
import { clearinghouseAccount } from '../../core/account.ts';
import { lapseOf } from '../../core/lapse.ts';
import type { AccountId, Posting } from '../../core/ledger.ts';
import type { MoveEffect } from '../../core/move.ts';
import { ok } from '../../core/result.ts';
import { msOf } from '../../protocol/schema.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { declarationsOf } from '../../store/dead-source-rows.ts';
import { insertLapse, markLapseEnded, passedLapses } from '../../store/lapse-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import type { MoveHappening } from './advance-move.ts';
import { wasGranted } from './cancel-body.ts';
import { newId } from './new-id.ts';

export type LapseEffect = Extract<MoveEffect['do'], 'post-to-lapse' | 'source-to-lapse'>;

/** The postings of an effect, and the record of what waits. `source` is what the books have it committed to. */
export async function lapsePostings(
  tx: WriteTx,
  of: MoveHappening & { readonly what: LapseEffect; readonly source: AccountId },
): Promise<readonly Posting[]> {
  const { move, what, source, nowMs } = of;
  const { id, agreement, line } = move;
  const account = clearinghouseAccount(agreement, line);
  const units = move.unissued + move.held;
  const told = [...(of.leases ?? []), ...(of.returned?.holders ?? [])];
  const lapse = lapseOf({
    ...{ units, nowMs, free: await freeUnits(tx, of) },
    leaseEnds: [...told.map(({ leaseEnd }) => msOf(leaseEnd)), ...(await fencedEnds(tx, move))],
  });
  const waits = account.quarantined(id);
  if (lapse.waiting > 0) {
    await insertLapse(tx, { move: id, agreement, line, units: lapse.waiting, endsAt: lapse.endsAtMs });
  }
  const transfer = (debit: AccountId, credit: AccountId, amount: number): readonly Posting[] =>
    amount === 0 ? [] : [{ kind: 'transfer', debit, credit, amount }];
  if (what === 'source-to-lapse') {
    return [...transfer(source, account.inHand, lapse.free), ...transfer(source, waits, lapse.waiting)];
  }
  // A pending is posted whole, to one account.
  return [{ kind: 'post', pending: id, credit: waits }, ...transfer(waits, account.inHand, lapse.free)];
}

/** When the licenses of its ends must have ended that are fenced off: nobody tells how long theirs run. */
export async function fencedEnds(tx: ReadTx, { source, target }: MoveRow): Promise<readonly number[]> {
  const rows = [...(await declarationsOf(tx, source)), ...(await declarationsOf(tx, target))];
  return rows.filter(({ grantedAt }) => grantedAt !== null).map(({ opensAt }) => opensAt);
}

/**
 * How many of the units nobody can have a license on: what the target says it never gave to anybody; else
 * what the source had frozen unissued, where the target was never granted anything.
 */
async function freeUnits(tx: WriteTx, { move, returned }: MoveHappening): Promise<number> {
  if (returned !== undefined) return Math.min(returned.unissued, move.unissued + move.held);
  return (await wasGranted(tx, move)) ? 0 : move.unissued;
}

/** Puts in hand whatever has waited long enough. */
export async function endLapses(context: ClearinghouseContext): Promise<void> {
  const nowMs = context.clock.nowMs();
  const passed = await context.store.read((tx) => passedLapses(tx, nowMs));
  if (passed.length === 0) return;
  await context.store.write(async (tx) => {
    // Looked for again: another look at the clock may have put them in hand in between.
    for (const { move, agreement, line, units } of await passedLapses(tx, nowMs)) {
      const account = clearinghouseAccount(agreement, line);
      await markLapseEnded(tx, move, nowMs);
      await tx.post({
        log: agreement,
        kind: 'lapse-ended',
        id: newId(context),
        at: nowMs,
        body: { move, line, units },
        postings: [
          { kind: 'transfer', debit: account.quarantined(move), credit: account.inHand, amount: units },
        ],
      });
    }
    return ok(null);
  });
}
