/** The desk's view of moves, and reading codes of a server out again. */

import type { Reveal } from '../../core/chain.ts';
import { activationChain } from '../../core/chain.ts';
import { normalizeLicenseServerId } from '../../core/code.ts';
import type { Awaited } from '../../core/move.ts';
import { awaited, isOver } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import { ageDays, reminderReached } from '../../core/reminder.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoTime } from '../../core/time.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findMove, pageMoves } from '../../store/clearinghouse-rows.ts';
import { chainsOf, grantsOf } from '../../store/committed-server-rows.ts';
import type { ClearinghouseContext } from '../context.ts';
import { moveCode } from './advance-move.ts';
import type { CodeView, DeskAnswer } from './desk-answer.ts';
import { deskAnswer, viewCode } from './desk-answer.ts';
import { openAuthority } from './open-authority.ts';

export type MoveView = Omit<MoveRow, 'holders' | 'startedAt' | 'updatedAt'> & {
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly awaited: Awaited;
  /** Whole days since it began, and the last reminder that it has reached (0, 14, 30 or 60); 0 once it is over. */
  readonly ageDays: number;
  readonly reminder: number;
};

export function viewMove({ holders: _, ...move }: MoveRow, nowMs: number): MoveView {
  const over = isOver(move.state);
  return {
    ...move,
    startedAt: isoTime(move.startedAt),
    updatedAt: isoTime(move.updatedAt),
    awaited: awaited(move.state, move.carrier),
    ageDays: over ? 0 : ageDays(move.startedAt, nowMs),
    reminder: over ? 0 : reminderReached(move.startedAt, nowMs),
  };
}

export async function listMoves(
  context: ClearinghouseContext,
  page: { readonly after: string; readonly limit: number },
): Promise<{ readonly items: readonly MoveView[]; readonly nextCursor: string | null }> {
  const rows = await context.store.read((tx) => pageMoves(tx, page));
  return {
    items: rows.map((row) => viewMove(row, context.clock.nowMs())),
    nextCursor: rows.length < page.limit ? null : (rows.at(-1)?.id ?? null),
  };
}

export async function showMove(
  context: ClearinghouseContext,
  id: string,
): Promise<Result<MoveView, Refusal>> {
  const move = await context.store.read((tx) => findMove(tx, id));
  return move === undefined
    ? err({ code: 'move-unknown', move: id })
    : ok(viewMove(move, context.clock.nowMs()));
}

/**
 * The current code of each chain of a server again: whoever is given its License Server ID may read
 * them, because the books have moved already (protocol §3.6). Refused: `server-unknown`, `not-activated`.
 */
export async function repeatCodes(
  context: ClearinghouseContext,
  call: { readonly agreement: string; readonly serverId: string },
): Promise<Result<DeskAnswer, Refusal>> {
  const id = normalizeLicenseServerId(context.digest, call.serverId);
  if (!id.ok) return id;
  return context.store.read(async (tx) => {
    const found = await openAuthority(tx, id.value, call.agreement);
    if (!found.ok) return found;
    const authority = found.value;
    const codes: CodeView[] = [];
    const add = (reveal: Reveal): void => {
      codes.push(viewCode(context, authority, reveal));
    };
    const grants = await grantsOf(tx, authority.aid);
    for (const chain of await chainsOf(tx, authority.aid)) {
      const last = grants.filter((grant) => grant.line === chain.line && grant.kind === chain.kind).at(-1);
      if (last === undefined || chain.k === 0) continue;
      const move = { source: last.source ?? '', line: chain.line };
      codes.push(moveCode(context, { move, authority, kind: chain.kind, k: chain.k }));
    }
    if (authority.horizonE > 0) add({ kind: 'horizon', k: authority.horizonE });
    if (authority.basis === 'slot') add({ kind: 'activation', slot: authority.slot ?? activationChain });
    return ok(
      deskAnswer(codes, 'Read out the code that the caller misses; a code typed twice changes nothing.', {}),
    );
  });
}
