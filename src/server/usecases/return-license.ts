/** A holder gives its license back before the end, and the host reports that a device has signed in. */
import type { CalType } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoTime } from '../../core/time.ts';
import type { LicenseRow } from '../../store/license-rows.ts';
import {
  countRevoked,
  endLicense,
  endToken,
  findTemporary,
  insertRevoked,
  liveLicenses,
  markValidated,
} from '../../store/license-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { addUnits, freePool } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import { accountsOf, serverLog } from './license-token.ts';
import { newId } from './new-id.ts';
import { administer, serverFacts } from './server-facts.ts';

export interface HolderName {
  readonly product: string;
  readonly type: CalType;
  readonly holder: string;
}

/**
 * Takes a license back: its token goes on the list of revoked tokens until it would have ended, and its
 * unit is free at once, or when no other token of it can be alive any more. What is held for a move stays with the move. Refused: `license-unknown`,
 * `move-open`.
 */
export async function returnLicense(
  context: ServerContext,
  name: HolderName,
): Promise<Result<{ readonly returned: boolean; readonly unit: number }, Refusal>> {
  const nowMs = context.clock.nowMs();
  return administer(context, async (tx) => {
    const facts = await serverFacts(context, tx);
    const licenses = await liveLicenses(tx, name.type, name.holder);
    const lines = new Map(facts.lines.map((line) => [line.id, line]));
    const license = licenses.find((row) => lines.get(row.lineId)?.product === name.product);
    const line = license && lines.get(license.lineId);
    if (license === undefined || line === undefined) {
      return err({ code: 'license-unknown', product: name.product, holder: name.holder });
    }
    if (license.state === 'held')
      return err({ code: 'move-open', move: license.move ?? '', state: 'frozen' });
    await takeBack(context, tx, { license, line, nowMs });
    return ok({ returned: true, unit: license.unit });
  });
}

/** Revoked tokens that a bundle lists at most: 60 bytes each in every answer. */
const mostRevoked = 1000;

/**
 * Whether the holder may have another living token of this unit than the one that is revoked: from the
 * server that it came over from (protocol §2.4, rule 1), or its own from before a renewal. Or another CAL,
 * which it has drawn where a telephone move took a part of the line (rule 5), or had from the target of a move that
 * was undone: its lease here ends when the license from there does (rule 4).
 */
function mayHaveOthers(
  context: ServerContext,
  of: { readonly license: LicenseRow; readonly line: LineRow; readonly nowMs: number },
): boolean {
  const { license, line, nowMs } = of;
  const first = `${context.licenseServerId}/${license.unit}`;
  const { origin, renewedAt, issuedAt, leaseEnd, expiresAt } = license;
  const renewed = renewedAt !== issuedAt || leaseEnd > expiresAt;
  return origin !== first || renewed || line.namelessUntil > nowMs;
}

async function takeBack(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly license: LicenseRow; readonly line: LineRow; readonly nowMs: number },
): Promise<void> {
  const { license, line, nowMs } = of;
  const accounts = accountsOf(line);
  const others = mayHaveOthers(context, of);
  // Where the list of revoked tokens, which rides in every answer, is long enough, the unit waits as well.
  const listed = others || (await countRevoked(tx, nowMs)) < mostRevoked;
  const waits = others || !listed;
  if (waits) {
    await endToken(tx, license.id, nowMs);
  } else {
    await endLicense(tx, license.id, 'returned');
    await addUnits(tx, { lineId: line.id, pool: freePool, first: license.unit, last: license.unit });
  }
  if (listed) await insertRevoked(tx, { jti: license.jti, lineId: line.id, expiresAt: license.expiresAt });
  await tx.post({
    log: serverLog,
    kind: 'returned',
    id: newId(context),
    at: nowMs,
    body: { agreement: line.agreement, line: line.line, unit: license.unit, sub: license.sub, waits },
    postings: waits
      ? []
      : [{ kind: 'transfer', debit: accounts.issued, credit: accounts.unissued, amount: 1 }],
  });
}

/**
 * The device has really signed in: its temporary license is marked validated, and the next request is
 * answered with a permanent one (facts §3.1). Refused: `license-unknown`.
 */
export async function validateLicense(
  context: ServerContext,
  name: HolderName,
): Promise<Result<{ readonly validated: boolean; readonly expiresAt: string }, Refusal>> {
  const nowMs = context.clock.nowMs();
  return context.store.write(async (tx) => {
    const temporary = name.type === 'device' ? await findTemporary(tx, name.product, name.holder) : undefined;
    if (temporary === undefined) return permanentHolder(context, tx, name);
    const { product, holder } = name;
    if ((await markValidated(tx, { product, holder, nowMs })) > 0) {
      await tx.post({
        log: serverLog,
        kind: 'validated',
        id: newId(context),
        at: nowMs,
        body: { product, sub: temporary.sub },
      });
    }
    return ok({ validated: true, expiresAt: isoTime(temporary.expiresAt) });
  });
}

/** A holder of a permanent license signs in every day: nothing to mark, and no mistake either. */
async function permanentHolder(
  context: ServerContext,
  tx: WriteTx,
  name: HolderName,
): Promise<Result<{ readonly validated: boolean; readonly expiresAt: string }, Refusal>> {
  const facts = await serverFacts(context, tx);
  const lines = new Map(facts.lines.map((line) => [line.id, line.product]));
  const licenses = await liveLicenses(tx, name.type, name.holder);
  const license = licenses.find((row) => lines.get(row.lineId) === name.product);
  if (license === undefined)
    return err({ code: 'license-unknown', product: name.product, holder: name.holder });
  return ok({ validated: true, expiresAt: isoTime(license.expiresAt) });
}
