/** The desk's view of moves, and reading codes of a server out again. */

import type { Reveal } from '../../core/chain.ts';
import { activationChain } from '../../core/chain.ts';
import { normalizeLicenseServerId } from '../../core/code.ts';
import type { Awaited } from '../../core/move.ts';
import { awaited } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
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
};

export function viewMove({ holders: _, ...move }: MoveRow): MoveView {
  return {
    ...move,
    startedAt: isoTime(move.startedAt),
    updatedAt: isoTime(move.updatedAt),
    awaited: awaited(move.state, move.carrier),
  };
}

export async function listMoves(
  context: ClearinghouseContext,
  page: { readonly after: string; readonly limit: number },
): Promise<{ readonly items: readonly MoveView[]; readonly nextCursor: string | null }> {
  const rows = await context.store.read((tx) => pageMoves(tx, page));
  return {
    items: rows.map(viewMove),
    nextCursor: rows.length < page.limit ? null : (rows.at(-1)?.id ?? null),
  };
}

export async function showMove(
  context: ClearinghouseContext,
  id: string,
): Promise<Result<MoveView, Refusal>> {
  const move = await context.store.read((tx) => findMove(tx, id));
  return move === undefined ? err({ code: 'move-unknown', move: id }) : ok(viewMove(move));
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
