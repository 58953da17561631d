/**
 * A license server was heard of whose CALs went to another one before its horizon had passed (protocol §5.5): what of them
 * nobody has is set aside there, until no lease of the old one can run any more, or a supervisor takes that back.
 */
import { isSamePerson } from '../../core/dead-source.ts';
import { suspends } from '../../core/recovery.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoTime } from '../../core/time.ts';
import { findMove } from '../../store/clearinghouse-rows.ts';
import type { DeadSourceRow } from '../../store/dead-source-rows.ts';
import { declarationsOf, findDeadSource, saveDeadSource } from '../../store/dead-source-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { outgoing } from '../send.ts';
import type { MoveView } from './desk-moves.ts';
import { viewMove } from './desk-moves.ts';
import { newId } from './new-id.ts';

/** Suspends what a recovery brought at once, where what was heard is a sign that the old server lives. */
export async function suspendRecovery(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: {
    readonly row: DeadSourceRow;
    readonly words: string;
    /** When that was signed; null: it has no time. */
    readonly signedMs: number | null;
  },
): Promise<void> {
  const { row, words, signedMs } = of;
  const nowMs = context.clock.nowMs();
  const move = await findMove(tx, row.move);
  if (move === undefined || !isAtOnce(row)) return;
  const settled = row.suspendedAt !== null;
  const { declaredAt: sinceMs, opensAt: untilMs } = row;
  if (!suspends({ sinceMs, untilMs, signedMs, settled, nowMs })) return;
  await saveDeadSource(tx, { ...row, suspendedAt: nowMs });
  const { agreement, line, source, riskUnits: units } = row;
  const told = { agreement, line, source };
  const id = newId(context);
  const body = { ...told, until: isoTime(untilMs), said: words };
  await tx.post({
    ...{ log: agreement, kind: 'recovery-suspended', id, at: nowMs },
    body: { ...body, move: move.id, target: move.target, units },
    outbox: [await outgoing(tx, { id, type: 'suspend', to: move.target, agreement, move: move.id, body })],
  });
}

/** Whether its units came without waiting for the horizon or a second person. */
function isAtOnce({ immediate, approvedAt, grantedAt }: DeadSourceRow): boolean {
  return immediate === 1 && approvedAt === null && grantedAt !== null;
}

/** Tells the new server that what was set aside may be given out; `by`: who decided that, null where nobody has to. */
async function postResume(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly row: DeadSourceRow; readonly target: string; readonly by: string | null },
): Promise<void> {
  const { row, target: to, by } = of;
  const { agreement, line, source, move } = row;
  const body = { agreement, line, source };
  const id = newId(context);
  const entry = { log: agreement, kind: 'recovery-lifted', id, at: context.clock.nowMs() };
  await tx.post({
    ...{ ...entry, body: { ...body, move, ...(by === null ? {} : { by }) } },
    outbox: [await outgoing(tx, { id, type: 'resume', to, agreement, move, body })],
  });
}

/**
 * A server has set aside by itself what by telephone came early: where a second person had not waited for the horizon it
 * could not know so, and is told that nothing is to be set aside.
 */
export async function answerSeen(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly source: string; readonly agreement: string; readonly line: number; readonly target: string },
): Promise<void> {
  const rows = (await declarationsOf(tx, of.source)).filter(
    ({ agreement, line }) => agreement === of.agreement && line === of.line,
  );
  const [row] = rows;
  if (row === undefined || rows.some((each) => isAtOnce(each) && each.liftedAt === null)) return;
  await postResume(context, tx, { row, target: of.target, by: null });
}

/**
 * A supervisor's decision that what was set aside may be given out: another person than who declared the old server dead.
 * It holds for this recovery, whatever else is heard of that server. Refused: `move-unknown`, `move-state`,
 * `approval-same-person`, `invalid-input`.
 */
export async function liftSuspension(
  context: ClearinghouseContext,
  call: { readonly move: string; readonly by: string },
): Promise<Result<MoveView, Refusal>> {
  const by = call.by.trim();
  if (by === '') return err({ code: 'invalid-input', field: 'by', problem: 'say who decides it' });
  const nowMs = context.clock.nowMs();
  const done = await context.store.write<MoveView>(async (tx) => {
    const move = await findMove(tx, call.move);
    if (move === undefined) return err({ code: 'move-unknown', move: call.move });
    const row = await findDeadSource(tx, move.id);
    const again = row?.liftedBy !== null && row?.liftedBy !== undefined && isSamePerson(row.liftedBy, by);
    if (again) return ok(await viewMove(context, tx, move));
    if (row === undefined || row.suspendedAt === null || row.liftedAt !== null)
      return err({ code: 'move-state', move: move.id, state: move.state, act: 'lift' });
    const others = row.enteredBy === null ? [row.declaredBy] : [row.declaredBy, row.enteredBy];
    if (others.some((name) => isSamePerson(name, by)))
      return err({ code: 'approval-same-person', move: move.id, name: by });
    await saveDeadSource(tx, { ...row, liftedAt: nowMs, liftedBy: by });
    await postResume(context, tx, { row, target: move.target, by });
    return ok(await viewMove(context, tx, move));
  });
  context.mailbox.wake();
  return done;
}
