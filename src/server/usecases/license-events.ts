/**
 * Events of the license path, with the model system's numbers (facts §5.2): written when a count
 * crosses a line or at most once an hour, because ten thousand equal events tell no more than one.
 */
import type { EventNumber } from '../../core/event.ts';
import type { Refusal, RefusalCode } from '../../core/refusal.ts';
import { hourMs } from '../../core/time.ts';
import type { WriteTx } from '../../store/port.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { lastEventAt } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { noteAlone, noteEvent } from './events.ts';
import type { Situation } from './license-situation.ts';
import { accountsOf } from './license-token.ts';
import type { LicenseRequest } from './request-license.ts';

/** The part of the installed CALs at which the administrator is warned (a tenth, and at least one). */
const lowShare = 0.1;

/** 20: few are left, once when the count comes down to a tenth; 21: the last one is gone. */
export async function noteIssued(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly line: LineRow; readonly nowMs: number },
): Promise<void> {
  const accounts = accountsOf(of.line);
  const left = await tx.balance(accounts.unissued);
  if (left > 0 && left > (await tx.balance(accounts.installed)) * lowShare) return;
  const installed = await tx.balance(accounts.installed);
  const low = Math.max(1, Math.floor(installed * lowShare));
  const data = { product: of.line.product, type: of.line.type, left, installed };
  if (left === low) await noteEvent(context, tx, { number: 20, data });
  if (left === 0) await noteEvent(context, tx, { number: 21, data: { ...data, holder: '' } });
}

/** 18: not activated, so temporary licenses only; 22: no CALs of this product are installed. */
export async function noteTemporary(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly situation: Situation; readonly product: string; readonly nowMs: number },
): Promise<void> {
  const { state } = of.situation;
  const bare = state.installed === 0 ? 22 : null;
  const number = state.standing === null ? 18 : bare;
  if (number === null || of.nowMs - (await lastEventAt(tx, number)) < hourMs) return;
  await noteEvent(context, tx, { number, data: { product: of.product } });
}

/** Refusals that the administrator can do something about. */
const denialEvents: Readonly<Partial<Record<RefusalCode, EventNumber>>> = {
  'none-available': 21,
  'product-not-installed': 22,
  'clock-behind': 5016,
};

/** 21, 22 and 5016 for a client that was turned away, at most once an hour for each product and reason. */
export async function noteDenial(
  context: ServerContext,
  request: LicenseRequest,
  refusal: Refusal,
): Promise<void> {
  const number = denialEvents[refusal.code];
  if (number === undefined) return;
  const seen = context.cache.denials;
  const key = `${number} ${request.type} ${request.product}`;
  const nowMs = context.clock.nowMs();
  if (nowMs - (seen.get(key) ?? 0) < hourMs) return;
  if (seen.size > 1000) seen.clear();
  seen.set(key, nowMs);
  const installed = refusal.code === 'none-available' ? refusal.installed : 0;
  const clock = refusal.code === 'clock-behind' ? { now: refusal.now, seen: refusal.seen } : {};
  const { product, type, holder } = request;
  await noteAlone(context, { number, data: { product, type, left: 0, installed, holder, ...clock } });
}
