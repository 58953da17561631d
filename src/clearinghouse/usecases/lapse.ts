/**
 * Units of a move that was undone while its source gave them up: those on which licenses may still run are
 * quarantined, and in hand when the last of them has ended (`core/lapse.ts`).
 */
import { clearinghouseAccount } from '../../core/account.ts';
import type { Lapse } from '../../core/lapse.ts';
import { lapseOf } from '../../core/lapse.ts';
import type { AccountId, Posting } from '../../core/ledger.ts';
import type { MoveEffect } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { msOf } from '../../protocol/schema.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { declarationsOf } from '../../store/dead-source-rows.ts';
import { addLapse, markLapseEnded, passedLapses } from '../../store/lapse-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { UncoveredRow } from '../../store/uncovered-rows.ts';
import { saveUncovered, uncoveredOf } from '../../store/uncovered-rows.ts';
import type { ClearinghouseContext } from '../context.ts';
import type { MoveHappening } from './advance-move.ts';
import { grantsOfMove, wasGranted } from './cancel-body.ts';
import { givenUpOf } from './given-up.ts';
import { coverOf, leaveAccount } from './leave-account.ts';
import { newId } from './new-id.ts';

export type LapseEffect = Extract<MoveEffect['do'], 'post-to-lapse' | 'source-to-lapse'>;

/**
 * The postings of an effect, and the record of what waits. `source` is what the books have it committed to. Refused:
 * `move-more-than-there-is` where the source gives up more than it can have.
 */
export async function lapsePostings(
  tx: WriteTx,
  of: MoveHappening & { readonly what: LapseEffect; readonly source: AccountId },
): Promise<Result<readonly Posting[], Refusal>> {
  const { move, what, nowMs } = of;
  const told = [...(of.leases ?? []), ...(of.returned?.holders ?? [])];
  const lapse = lapseOf({
    ...{ units: move.unissued + move.held, nowMs, free: await freeUnits(tx, of) },
    leaseEnds: [...told.map(({ leaseEnd }) => msOf(leaseEnd)), ...(await fencedEnds(tx, move))],
  });
  if (what === 'source-to-lapse') return leaveSource(tx, { ...of, lapse });
  const account = clearinghouseAccount(move.agreement, move.line);
  const waits = account.quarantined(move.id);
  await noteWaiting(tx, { move, units: lapse.waiting, endsAt: lapse.endsAtMs });
  // A pending is posted whole, to one account.
  return ok([
    { kind: 'post', pending: move.id, credit: waits },
    ...transfer(waits, account.inHand, lapse.free),
  ]);
}

const transfer = (debit: AccountId, credit: AccountId, amount: number): readonly Posting[] =>
  amount === 0 ? [] : [{ kind: 'transfer', debit, credit, amount }];

async function noteWaiting(
  tx: WriteTx,
  of: {
    readonly move: Pick<MoveRow, 'id' | 'agreement' | 'line'>;
    readonly units: number;
    readonly endsAt: number;
  },
): Promise<void> {
  const { move, units, endsAt } = of;
  const { id, agreement, line } = move;
  if (units > 0) await addLapse(tx, { move: id, agreement, line, units, endsAt });
}

/**
 * What the source gives up leaves its account; also what is not in it yet, because it was typed from the key pack of a move
 * by telephone whose source has still to release. Those with licenses on them are taken first: what is in hand is then
 * never more than the books can miss, and the others wait when they come (`givenUpPostings`).
 */
async function leaveSource(
  tx: WriteTx,
  of: MoveHappening & { readonly lapse: Lapse; readonly source: AccountId },
): Promise<Result<readonly Posting[], Refusal>> {
  const { move, lapse, source: debit } = of;
  const { id, agreement, line, source: server } = move;
  const asked = move.unissued + move.held;
  const cover = await coverOf(tx, { server, agreement, line, debit });
  if (asked < 1 || asked > cover.available) {
    return err({ code: 'move-more-than-there-is', asked, available: cover.available });
  }
  const account = clearinghouseAccount(agreement, line);
  const shares = [
    { credit: account.quarantined(id), amount: lapse.waiting },
    { credit: account.inHand, amount: lapse.free },
  ];
  const { postings, toCome } = await leaveAccount(tx, { cover, shares, id });
  const [units = 0] = toCome;
  const endsAt = lapse.endsAtMs;
  await noteWaiting(tx, { move, units: lapse.waiting - units, endsAt });
  await saveUncovered(tx, { move: id, agreement, line, server, units, endsAt });
  return ok(postings);
}

/**
 * What a server gave up before it came goes on when it has come: into quarantine where licenses may still run on it, as
 * long as those do, and to hand. `debit` is the account in which it has come.
 */
export async function givenUpPostings(tx: WriteTx, of: GivenUp): Promise<readonly Posting[]> {
  const { agreement, line, debit, amount } = of;
  const account = clearinghouseAccount(agreement, line);
  const postings: Posting[] = [];
  let left = amount;
  for (const { row, units } of await owedOf(tx, of)) {
    postings.push(...transfer(debit, account.quarantined(row.move), units));
    await settleOwed(tx, row, units);
    left -= units;
  }
  return [...postings, ...transfer(debit, account.inHand, left)];
}

interface GivenUp {
  readonly server: string;
  readonly agreement: string;
  readonly line: number;
  readonly debit: AccountId;
  readonly amount: number;
  readonly nowMs: number;
}

interface Owed {
  readonly row: UncoveredRow;
  readonly units: number;
}

/** How many of so many units have to wait, and for the licenses of which release. */
async function owedOf(tx: ReadTx, of: Omit<GivenUp, 'debit'>): Promise<readonly Owed[]> {
  const owed: Owed[] = [];
  let left = of.amount;
  for (const row of await uncoveredOf(tx, of)) {
    const units = Math.min(left, row.units);
    if (units > 0) owed.push({ row, units });
    left -= units;
  }
  return owed;
}

async function settleOwed(tx: WriteTx, row: UncoveredRow, units: number): Promise<void> {
  const { move: id, agreement, line, endsAt } = row;
  await noteWaiting(tx, { move: { id, agreement, line }, units, endsAt });
  await saveUncovered(tx, { ...row, units: row.units - units });
}

/**
 * A move that does not come to its target after all takes everything along that it was to bring: what the target has given
 * up of it meanwhile, it has given up of its own, or of other moves that come to it. Answers the postings; refused:
 * `move-more-than-there-is`.
 */
export async function takeFromOthers(
  tx: WriteTx,
  of: { readonly move: MoveRow; readonly debit: AccountId; readonly nowMs: number },
): Promise<Result<readonly Posting[], Refusal>> {
  const { move, debit, nowMs } = of;
  const amount = givenUpOf(await grantsOfMove(tx, move));
  if (amount === 0) return ok([]);
  const { id, target: server, agreement, line } = move;
  const cover = await coverOf(tx, { server, agreement, line, debit, without: id });
  const { available } = cover;
  if (amount > available) return err({ code: 'move-more-than-there-is', asked: amount, available });
  const account = clearinghouseAccount(agreement, line);
  const owed = await owedOf(tx, { server, agreement, line, amount, nowMs });
  const waiting = owed.map(({ row, units }) => ({ credit: account.quarantined(row.move), amount: units }));
  const free = amount - owed.reduce((sum, { units }) => sum + units, 0);
  const shares = [...waiting, { credit: account.inHand, amount: free }];
  const { postings, toCome } = await leaveAccount(tx, { cover, shares, id });
  for (const [at, { row, units }] of owed.entries()) await settleOwed(tx, row, units - (toCome[at] ?? 0));
  return ok(postings);
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
