/**
 * The second person's yes to an early release (protocol §2.5): the units of a source that no longer functions are
 * granted now, and counted as at risk until the source can have no holder any more.
 */

import type { Following } from '../../core/dead-source.ts';
import { checkEarlyRelease, followingText, isSamePerson } from '../../core/dead-source.ts';
import { awaitedNothing } from '../../core/fenced-end.ts';
import { awaited } from '../../core/move-awaited.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoTime } from '../../core/time.ts';
import { installWords } from '../../protocol/problem-words.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findMove } from '../../store/clearinghouse-rows.ts';
import type { DeadSourceRow } from '../../store/dead-source-rows.ts';
import { approvalsOf, findDeadSource, saveDeadSource } from '../../store/dead-source-rows.ts';
import type { OnceKey } from '../../store/once.ts';
import { once } from '../../store/once.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import type { MoveOutcome } from './advance-move.ts';
import { grantDead, grantPassed } from './dead-source.ts';
import type { DeskAnswer } from './desk-answer.ts';
import { deskAnswer } from './desk-answer.ts';
import { followingOf } from './desk-moves.ts';
import { declarationOf, earlierOf } from './fence-source.ts';
import { checkRecovered } from './recovery.ts';
import { settleFenced } from './settle-fenced.ts';

/**
 * Releases early; by telephone the key pack is read out with it. Approved again by the same person it answers what
 * it answered first. Refused: `move-unknown`, `move-state`, `approval-same-person`, `early-release-limit`,
 * `invalid-input`, and what refuses the grant.
 */
export async function approveMove(
  context: ClearinghouseContext,
  call: { readonly move: string; readonly by: string },
): Promise<Result<DeskAnswer, Refusal>> {
  await grantPassed(context);
  const done = await context.store.write<DeskAnswer>(async (tx) => {
    const move = await findMove(tx, call.move);
    if (move === undefined) return err({ code: 'move-unknown', move: call.move });
    const declared = await findDeadSource(tx, move.id);
    const approvedBy = declared?.approvedBy ?? null;
    const again = approvedBy !== null && isSamePerson(approvedBy, call.by);
    // What follows a move that was released early waits for its target alone.
    const waits = move.state === 'dead-wait' && approvedBy === null;
    if (declared === undefined || !(waits || (again && move.state !== 'dead-wait'))) {
      return err({ code: 'move-state', move: move.id, state: move.state, act: 'approve' });
    }
    // A move is released early once: its own name is what the act is known again by.
    const key = { id: `approve:${move.id}`, requestDigest: 'approve' };
    return once(tx, key, () => approve(context, tx, { key, move, declared, by: call.by.trim() }));
  });
  await settleFenced(context);
  context.mailbox.wake();
  return done;
}

interface Approval {
  readonly key: OnceKey;
  readonly move: MoveRow;
  readonly declared: DeadSourceRow;
  readonly by: string;
}

async function approve(
  context: ClearinghouseContext,
  tx: WriteTx,
  { key, move, declared, by }: Approval,
): Promise<Result<DeskAnswer, Refusal>> {
  const { agreement, declaredBy, enteredBy } = declared;
  const nowMs = context.clock.nowMs();
  const allowed = checkEarlyRelease({
    ...{ move: move.id, agreement, by, nowMs },
    declaredBy: enteredBy === null ? [declaredBy] : [declaredBy, enteredBy],
    earlier: await approvalsOf(tx, agreement),
  });
  if (!allowed.ok) return allowed;
  const recovered = await checkRecovered(tx, agreement, nowMs);
  if (!recovered.ok) return recovered;
  await saveDeadSource(tx, { ...declared, approvedBy: by, approvedAt: nowMs });
  const granted = await grantDead(context, tx, { move, event: 'early-release', nowMs });
  if (!granted.ok) return granted;
  // Those of moves that were under way, too: they do not wait for it any more either.
  const { riskUnits, riskUntil } = await declarationOf(tx, move);
  // More than one grant brings follows as soon as this is taken in, at the same risk.
  const following = await followingOf(context, tx, move);
  const unitsAtRisk = riskUnits + (following?.units ?? 0);
  const until = isoTime(riskUntil ?? nowMs);
  const from = [move.source, ...(await earlierOf(tx, move, nowMs))].join(',');
  const answer = answerOf(granted.value, { by, unitsAtRisk, until }, { from, following });
  await tx.post({
    log: agreement,
    kind: 'early-release-approved',
    id: key.id,
    at: nowMs,
    body: { move: move.id, by, unitsAtRisk, until },
    answer: { ...key, body: answer },
  });
  return ok(answer);
}

function answerOf(
  { move, codes }: MoveOutcome,
  told: { readonly by: string; readonly unitsAtRisk: number; readonly until: string },
  of: { readonly from: string; readonly following: Following | null },
): DeskAnswer {
  const more = of.following === null ? [] : [followingText(of.following)];
  const next =
    codes.length === 0
      ? [(move.state === 'aborted' ? awaitedNothing : awaited(move.state, move.carrier)).text, ...more]
      : [
          'Read out the CAL Key Pack ID.',
          ...more,
          `The caller types on the new license server: ${installWords(of.from, move.unissued)}`,
        ];
  const { id, state, source: from, target: to } = move;
  return deskAnswer(codes, next.join(' '), { move: id, state, from, to, ...told });
}
