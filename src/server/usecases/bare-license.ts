/** Licenses without a unit: a first contact's temporary one, and the one that bridges a gap (protocol §1.5). */
import { leaseEnd } from '../../core/cal.ts';
import { subjectOf } from '../../protocol/cal-token.ts';
import { insertTemporary } from '../../store/license-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ServerContext } from '../context.ts';
import { bridgeRestored, enterGap, prolongGap } from './gap.ts';
import { noteTemporary } from './license-events.ts';
import type { Asked, Situation } from './license-situation.ts';
import type { temporaryToken } from './license-token.ts';
import { marksOf, serverLog } from './license-token.ts';
import { newId } from './new-id.ts';
import { noteTemporaryGiven } from './temporary-count.ts';

interface Bare {
  readonly situation: Situation;
  readonly asked: Asked;
}

type BareRow = Parameters<typeof temporaryToken>[2];

/** 90 days for this holder, under the pseudonym that only this server knows. */
async function bareRow(context: ServerContext, tx: WriteTx, { situation, asked }: Bare): Promise<BareRow> {
  const { facts } = situation;
  const { request, nowMs } = asked;
  const { product, holder } = request;
  const sub = subjectOf(context.digest, { salt: facts.bare.salt, kind: request.type, name: holder });
  const sunsetMs = situation.state.standing?.sunsetMs ?? null;
  const expiresAt = leaseEnd({ kind: 'temporary', nowMs, draw: context.random.between, sunsetMs });
  const marks = marksOf(facts, await tx.head(serverLog));
  return { product, holder, sub, jti: newId(context), ...marks, issuedAt: nowMs, expiresAt };
}

/** A first contact. */
export async function giveTemporary(context: ServerContext, tx: WriteTx, bare: Bare): Promise<BareRow> {
  const { nowMs } = bare.asked;
  const row = await bareRow(context, tx, bare);
  const { jti, product, sub, expiresAt } = row;
  await insertTemporary(tx, row);
  noteTemporaryGiven(context, product);
  await tx.post({
    log: serverLog,
    kind: 'temporary',
    id: jti,
    at: nowMs,
    body: { product, sub, until: expiresAt },
  });
  await noteTemporary(context, tx, { situation: bare.situation, product, nowMs });
  return row;
}

/** Bridges the gap until the CALs of a dead source are here; the token that was shown is remembered. */
export async function giveGap(context: ServerContext, tx: WriteTx, bare: Bare): Promise<BareRow> {
  const { row: given, restored, open } = bare.situation.gap;
  const row = await bareRow(context, tx, bare);
  const { type } = bare.asked.request;
  if (given !== null) {
    await prolongGap(tx, { given, row, type });
    return row;
  }
  if (restored !== null) {
    await bridgeRestored(tx, { given: restored, row, type });
    return row;
  }
  if (open === null) throw new Error('A gap license is given to somebody who has shown nothing.');
  const { source, origin, sub: sourceSub, expiresAt: leaseEndShown } = open.shown;
  const from = { lineId: open.line.id, source, origin, sourceSub, leaseEnd: leaseEndShown };
  await enterGap(context, tx, { ...row, ...from, type });
  return row;
}
