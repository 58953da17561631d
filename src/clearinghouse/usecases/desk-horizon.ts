/** The yearly code: how far a license server may go on giving CALs to new holders (protocol §2.1). */
import { chainLength, horizonChain } from '../../core/chain.ts';
import { normalizeLicenseServerId } from '../../core/code.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { ok } from '../../core/result.ts';
import { horizonPosition } from '../../core/standing.ts';
import { endOfMonthMs, isoDate } from '../../core/time.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import { saveGrantedAuthority } from '../../store/committed-server-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import type { CodeView, DeskAnswer } from './desk-answer.ts';
import { deskAnswer, viewCode } from './desk-answer.ts';
import { monthsFor } from './horizon-months.ts';
import { newId } from './new-id.ts';
import { livingAuthority } from './open-authority.ts';

/** Moves a server's horizon on by 13 months from now; by 3 while units are at risk there (protocol §5.5). Refused: `server-unknown`, `not-activated`, … */
export async function giveHorizonCode(
  context: ClearinghouseContext,
  call: { readonly agreement: string; readonly serverId: string },
): Promise<Result<DeskAnswer, Refusal>> {
  const id = normalizeLicenseServerId(context.digest, call.serverId);
  if (!id.ok) return id;
  const nowMs = context.clock.nowMs();
  return context.store.write(async (tx) => {
    const authority = await livingAuthority(tx, id.value, call.agreement);
    if (!authority.ok) return authority;
    const { code, horizon } = await extendHorizon(context, tx, { authority: authority.value, nowMs });
    return ok(deskAnswer([code], horizonNext, { horizon }));
  });
}

export const horizonNext = 'Read out the horizon code. The caller types: calyx server code CODE';

/** The horizon code of this month, and the day it leads to; asked again in the same month, the same. */
export async function extendHorizon(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly authority: GrantedAuthorityRow; readonly nowMs: number },
): Promise<{ readonly code: CodeView; readonly horizon: string }> {
  const { authority, nowMs } = of;
  const months = await monthsFor(context, tx, authority);
  const wanted = Math.max(1, horizonPosition(authority.baseMonth, nowMs, months));
  const e = Math.min(chainLength(horizonChain), Math.max(authority.horizonE, wanted));
  const horizon = isoDate(endOfMonthMs(authority.baseMonth + e));
  if (e > authority.horizonE) {
    await saveGrantedAuthority(tx, { ...authority, horizonE: e });
    await tx.post({
      log: authority.agreement,
      kind: 'horizon',
      id: newId(context),
      at: nowMs,
      body: {
        server: authority.licenseServerId,
        e,
        until: horizon,
      },
    });
  }
  return { code: viewCode(context, authority, { kind: 'horizon', k: e }), horizon };
}
