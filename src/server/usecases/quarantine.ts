/**
 * Units that are with holders whom the books do not know, or may be (protocol §5.2): nobody gets them before no license of
 * them can run any more. Whoever shows a living license of such a unit has it back.
 */
import type { WriteTx } from '../../store/port.ts';
import type { QuarantineRow } from '../../store/quarantine-rows.ts';
import { drawQuarantine, insertQuarantine, openQuarantines } from '../../store/quarantine-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { listLines } from '../../store/server-authority-rows.ts';
import { freePool, shiftUnits } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import { accountsOf, serverLog } from './license-token.ts';
import { newId } from './new-id.ts';
import { readPast } from './past.ts';

/** Takes the first free numbers of a line out of its pool; the postings are the caller's. */
export async function setAside(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly line: LineRow;
    readonly amount: number;
    readonly opensAt: number;
    /** By which it is found again, where somebody looks for it. */
    readonly id?: string;
  },
): Promise<void> {
  const { line, amount, opensAt } = of;
  if (amount === 0) return;
  const id = of.id ?? newId(context);
  await insertQuarantine(tx, { id, lineId: line.id, amount, opensAt });
  await shiftUnits(tx, { lineId: line.id, from: freePool, to: id, amount });
}

/** The posting for what is set aside. */
export function asidePosting(line: LineRow, amount: number) {
  const { unissued, quarantined } = accountsOf(line);
  return { kind: 'transfer', debit: unissued, credit: quarantined, amount } as const;
}

/** While its past is in doubt whatever comes in or becomes free is set aside, in the transaction that it comes in. */
export async function setAsideInDoubt(context: ServerContext, tx: WriteTx): Promise<void> {
  const past = await readPast(tx);
  if (past?.state !== 'doubted') return;
  for (const line of await listLines(tx)) {
    const amount = await tx.balance(accountsOf(line).unissued);
    if (amount === 0) continue;
    await setAside(context, tx, { line, amount, opensAt: past.untilMs });
    await tx.post({
      ...{ log: serverLog, kind: 'quarantined', id: newId(context), at: context.clock.nowMs() },
      body: { agreement: line.agreement, line: line.line, amount },
      postings: [asidePosting(line, amount)],
    });
  }
}

/**
 * What no license can run of any more is for everybody again; answers how many units. Not while the past is in doubt, and
 * not while nothing of the line lapses (protocol §2.4, rule 5).
 */
export async function openQuarantined(
  context: ServerContext,
  tx: WriteTx,
  { line, nowMs }: { readonly line: LineRow; readonly nowMs: number },
): Promise<number> {
  if (line.namelessUntil >= nowMs) return 0;
  const open = await openQuarantines(tx, line.id, nowMs);
  if (open.length === 0 || (await readPast(tx))?.state === 'doubted') return 0;
  return openAll(context, tx, { line, open, nowMs });
}

/** Lets quarantines out, whatever their day; answers how many units. */
export async function openAll(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly line: LineRow; readonly open: readonly QuarantineRow[]; readonly nowMs: number },
): Promise<number> {
  const { line, open, nowMs } = of;
  let opened = 0;
  for (const { id, amount } of open) {
    await drawQuarantine(tx, id, amount);
    await shiftUnits(tx, { lineId: line.id, from: id, to: freePool, amount });
    opened += amount;
  }
  const { unissued, quarantined } = accountsOf(line);
  await tx.post({
    ...{ log: serverLog, kind: 'quarantine-opened', id: newId(context), at: nowMs },
    body: { agreement: line.agreement, line: line.line, amount: opened },
    postings: [{ kind: 'transfer', debit: quarantined, credit: unissued, amount: opened }],
  });
  return opened;
}
