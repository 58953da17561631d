/**
 * What this server asks the clearinghouse for. Asking for the same thing while the first request is
 * still under way goes on with that one, so that an impatient administrator never buys twice.
 */

import { checkAgreementNumber, checkQuantity } from '../../core/agreement.ts';
import { base64url } from '../../core/bytes.ts';
import { canonicalJson } from '../../core/canonical.ts';
import type { JsonObject } from '../../core/json.ts';
import { checkCalType } from '../../core/product.ts';
import type { RecoveryReason } from '../../core/recovery.ts';
import { reasonField } from '../../core/recovery.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { parseBody } from '../../protocol/messages.ts';
import { writeMeta } from '../../store/meta-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { AuthorityRow } from '../../store/server-authority-rows.ts';
import { listAuthorities } from '../../store/server-authority-rows.ts';
import type { RequestRow, ServerMoveRow } from '../../store/server-rows.ts';
import { findRequest, insertRequest, listServerMoves, waitingRequest } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { keyedId } from './keyed-id.ts';
import { serverLog } from './license-token.ts';

export type AskedFor = { readonly id: string; readonly kind: string; readonly resumed: boolean };

interface Ask {
  readonly kind: 'activate' | 'install' | 'deactivate';
  readonly ask: JsonObject;
  /** What the journal says beyond it, which makes no other request of it. */
  readonly told?: JsonObject;
  readonly message: (id: string) => JsonObject;
  /** The caller's idempotency key: the same key finds the same request, answered or not. */
  readonly requestId: string | undefined;
}

/** Puts a request into the outbox, or finds the one for the same that is under way. */
async function ask(context: ServerContext, tx: WriteTx, order: Ask): Promise<Result<AskedFor, Refusal>> {
  const id = keyedId(context, order.requestId);
  const body = order.message(id);
  // What cannot be said in a message must not come into the outbox, where it would stop all that follows.
  const form = parseBody(order.kind, body);
  if (!form.ok) return err({ code: 'invalid-input', field: order.kind, problem: form.error });
  const text = canonicalJson(order.ask);
  const same = order.requestId === undefined ? undefined : await findRequest(tx, id);
  if (same !== undefined && (same.kind !== order.kind || same.ask !== text)) {
    return err({ code: 'idempotency-key-reused', id: order.requestId ?? '' });
  }
  if (same !== undefined) return ok({ id, kind: order.kind, resumed: true });
  const joined = await joinedRequest(context, tx, { ...order, text });
  if (joined !== undefined) return ok({ id: joined, kind: order.kind, resumed: true });
  const nowMs = context.clock.nowMs();
  await insertRequest(tx, { id, kind: order.kind, ask: text, at: nowMs });
  const message = await outgoing(tx, { id, type: order.kind, body });
  await tx.post({
    log: serverLog,
    kind: `${order.kind}-requested`,
    id,
    at: nowMs,
    body: { ...order.ask, ...order.told },
    outbox: [message],
  });
  return ok({ id, kind: order.kind, resumed: false });
}

/**
 * The request for the same that is under way, or that was when this key was first used: the key is bound
 * to it, so that repeating it after the answer does not ask for more.
 */
async function joinedRequest(
  context: ServerContext,
  tx: WriteTx,
  order: Ask & { readonly text: string },
): Promise<string | undefined> {
  const id = order.requestId === undefined ? undefined : `joined:${keyedId(context, order.requestId)}`;
  const bound = id === undefined ? undefined : await tx.answer(id);
  if (bound?.requestDigest === order.text) return String(bound.body);
  const waiting = await waitingRequest(tx, order.kind, order.text);
  if (waiting === undefined || id === undefined) return waiting?.id;
  await tx.post({
    log: serverLog,
    kind: 'request-joined',
    id,
    at: context.clock.nowMs(),
    body: { request: waiting.id },
    answer: { id, requestDigest: order.text, body: waiting.id },
  });
  return waiting.id;
}

/**
 * Asks for a server certificate under an agreement. Refused: `agreement-missing`, `invalid-input`,
 * `already-activated`, `move-open` while a move by telephone is open.
 */
export async function requestActivation(
  context: ServerContext,
  order: {
    readonly agreement: string | undefined;
    readonly contact?: JsonObject | undefined;
    /** Why it is activated again, where it was deactivated (facts §1.7). */
    readonly reason?: RecoveryReason | undefined;
    readonly requestId?: string | undefined;
    /** Although there is a certificate: a clearinghouse that was restored wants another one to count. */
    readonly renew?: true;
  },
): Promise<Result<AskedFor, Refusal>> {
  const agreement = checkAgreementNumber(order.agreement);
  if (!agreement.ok) return agreement;
  return context.store.write(async (tx) => {
    const known = (await listAuthorities(tx)).find((row) => row.agreement === agreement.value);
    const sameKey =
      order.requestId === undefined ? undefined : await findRequest(tx, keyedId(context, order.requestId));
    const certified = known?.state === 'active' && known.basis === 'key';
    if (sameKey === undefined && certified && order.renew === undefined) {
      return err({ code: 'already-activated', agreement: agreement.value });
    }
    const told = sameKey === undefined ? await telephoneFreeze(tx, agreement.value) : undefined;
    if (told !== undefined) return err({ code: 'move-open', move: told.id, state: told.state });
    const waiting = await waitingRequest(tx, 'activate', canonicalJson({ agreement: agreement.value }));
    const key = context.oneTimeKey();
    if (waiting === undefined && sameKey === undefined) {
      const sealed = context.box.seal('one-time-key', key.seed);
      await writeMeta(tx, `one-time-key:${agreement.value}`, base64url(sealed));
    }
    return ask(context, tx, {
      kind: 'activate',
      requestId: order.requestId,
      ask: { agreement: agreement.value },
      told: reasonField(order.reason),
      message: () => ({
        agreement: agreement.value,
        name: context.name,
        publicKey: base64url(context.key.publicKey),
        ekPublic: base64url(key.publicKey),
        ...(order.contact === undefined ? {} : { contact: order.contact }),
        ...(known === undefined ? {} : { confirmations: madeUnder(known) }),
        ...reasonField(order.reason),
      }),
    });
  });
}

/** The codes that an authority has made: under another one they could not be read any more. */
function madeUnder({ aid, confirmationSeq: seq, freezes, releases, returns }: AuthorityRow): JsonObject {
  return { aid, seq, freezes, releases, returns };
}

/**
 * A freeze that is told by telephone and not released yet: a certificate would start another ratchet, and
 * its codes could not be read any more.
 */
async function telephoneFreeze(tx: WriteTx, agreement: string): Promise<ServerMoveRow | undefined> {
  const moves = await listServerMoves(tx);
  return moves.find((move) => {
    const told = move.role === 'source' && move.carrier === 'telephone';
    return told && move.state === 'frozen' && move.agreement === agreement;
  });
}

export interface InstallOrder {
  readonly agreement: string | undefined;
  readonly product: string;
  readonly type: string;
  readonly quantity: number;
  readonly authorization?: string | undefined;
  readonly license?: string | undefined;
  /** The caller's idempotency key. */
  readonly requestId?: string | undefined;
}

/** Asks for a key pack. Refused: `agreement-missing`, `not-activated` (before anything is sent), input. */
export async function requestInstall(
  context: ServerContext,
  order: InstallOrder,
): Promise<Result<AskedFor, Refusal>> {
  const agreement = checkAgreementNumber(order.agreement);
  if (!agreement.ok) return agreement;
  const type = checkCalType(order.type);
  if (!type.ok) return type;
  const quantity = checkQuantity(order.quantity);
  if (!quantity.ok) return quantity;
  return context.store.write(async (tx) => {
    const authority = (await listAuthorities(tx)).find((row) => row.agreement === agreement.value);
    if (authority === undefined) return err({ code: 'not-activated', agreement: agreement.value });
    if (authority.state !== 'active') return err({ code: 'deactivated' });
    const { product, authorization, license } = order;
    const program = {
      ...(authorization === undefined ? {} : { authorization }),
      ...(license === undefined ? {} : { license }),
    };
    const body = {
      agreement: agreement.value,
      product,
      type: type.value,
      quantity: quantity.value,
      ...(Object.keys(program).length === 0 ? {} : { program }),
    };
    return ask(context, tx, { kind: 'install', requestId: order.requestId, ask: body, message: () => body });
  });
}

/** How a request stands. Refused: what the clearinghouse refused it with. */
export async function readRequest(
  context: ServerContext,
  id: string,
): Promise<Result<RequestRow | undefined, Refusal>> {
  const row = await context.store.read((tx) => findRequest(tx, id));
  if (row?.state === 'refused') return err(JSON.parse(row.answer ?? '{}') as Refusal);
  return ok(row);
}
