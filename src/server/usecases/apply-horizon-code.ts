/** The yearly code: moves the horizon of one agreement on (protocol §3.4, chain 1). */
import { base64url } from '../../core/bytes.ts';
import { findAppliedPosition, findPosition, horizonChain, maskValue } from '../../core/chain.ts';
import type { Code } from '../../core/code.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { standing } from '../../core/standing.ts';
import { isoDate, isoTime } from '../../core/time.ts';
import { authorityOf } from '../../protocol/authority.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { AuthorityRow } from '../../store/server-authority-rows.ts';
import { findAppliedReveal, listAuthorities } from '../../store/server-authority-rows.ts';
import type { ServerContext } from '../context.ts';
import { administerOnce } from './administer-once.ts';
import { horizonOf, takeHorizon } from './advance-chain.ts';
import type { CodeInput, CodeOutcome } from './apply-code.ts';
import { noteEvent } from './events.ts';
import { serverLog } from './license-token.ts';
import { newId } from './new-id.ts';
import { knownServers, slotsOfKits, whyNotActivated } from './whose-code.ts';

/**
 * Applies a horizon code. Refused: `already-applied`, `code-other-server`, `code-not-for-this-server`,
 * `kit-missing`, `not-activated`.
 */
export async function applyHorizonCode(
  context: ServerContext,
  code: Code,
  input: CodeInput,
): Promise<Result<CodeOutcome, Refusal>> {
  const nowMs = context.clock.nowMs();
  return administerOnce<CodeOutcome>(context, { act: 'horizon-code', order: input }, async (tx) => {
    const value = maskValue(context.digest, { kind: 'horizon', lsidValue: context.lsidValue }, code.value);
    const authorities = await listAuthorities(tx);
    if (authorities.length === 0) return err(await whyNotActivated(tx));
    for (const row of authorities) {
      const place = { ...horizonOf(row), ctx: code.ctx };
      if (findAppliedPosition(context.digest, { ...place, values: [value] }) !== null) {
        return err(await appliedBefore(tx, row.aid, value));
      }
      const position = findPosition(context.digest, { ...place, value });
      if (position !== null) return moveOn(context, tx, { row, e: position.k, value, nowMs });
    }
    const peer = await forPeer(context, tx, code);
    return err(peer ?? { code: 'code-not-for-this-server', kind: 'horizon', searched: 360, quantity: null });
  });
}

/** When it was applied first; where a later position has counted it in, nothing more is known. */
async function appliedBefore(tx: ReadTx, aid: string, value: Uint8Array): Promise<Refusal> {
  const record = await findAppliedReveal(tx, { aid, chain: horizonChain, value: base64url(value) });
  const at = record === undefined ? '' : isoTime(record.at);
  return { code: 'already-applied', product: null, type: null, added: 0, installed: 0, at };
}

/** Whether the code is meant for a server that this one knows, under a slot of one of our kits. */
async function forPeer(context: ServerContext, tx: ReadTx, code: Code): Promise<Refusal | undefined> {
  const slots = await slotsOfKits(context, tx);
  for (const { licenseServerId, name, value: lsidValue } of await knownServers(context, tx)) {
    const value = maskValue(context.digest, { kind: 'horizon', lsidValue }, code.value);
    const fits = slots.some(({ aid, horizonAnchor }) => {
      const present = { k: 0, value: horizonAnchor };
      return (
        findPosition(context.digest, { aid, chain: horizonChain, present, value, ctx: code.ctx }) !== null
      );
    });
    if (fits) return { code: 'code-other-server', licenseServerId, name };
  }
  return undefined;
}

async function moveOn(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly row: AuthorityRow; readonly e: number; readonly value: Uint8Array; readonly nowMs: number },
): Promise<Result<CodeOutcome, Refusal>> {
  const { row, e, nowMs } = of;
  await takeHorizon(tx, of);
  const { baseMonth, sunsetMonths } = authorityOf(context.digest, row);
  const { horizonMs } = standing({ baseMonth, e, sunsetMonths, nowMs });
  const horizon = horizonMs === null ? '' : isoDate(horizonMs);
  await tx.post({
    log: serverLog,
    kind: 'horizon',
    id: newId(context),
    at: nowMs,
    body: { agreement: row.agreement, e },
  });
  await noteEvent(context, tx, { number: 5011, data: { agreement: row.agreement, horizon } });
  return ok({ kind: 'horizon', agreement: row.agreement, horizon });
}
