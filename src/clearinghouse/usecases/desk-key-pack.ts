/**
 * A CAL key pack over the telephone: units leave what is in hand and are committed to the caller's
 * license server, and the code that installs them is read out.
 */
import { clearinghouseAccount } from '../../core/account.ts';
import { normalizeLicenseServerId } from '../../core/code.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { OnceKey } from '../../store/once.ts';
import { once } from '../../store/once.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import type { Decided, GrantAsked } from './decide-grant.ts';
import { commitUnits, decideGrant } from './decide-grant.ts';
import type { DeskAnswer } from './desk-answer.ts';
import { deskAnswer, viewCode } from './desk-answer.ts';

export interface KeyPackCall extends GrantAsked {
  /** The idempotency key: the same request gives the same code, and the books move once. */
  readonly requestId: string;
}

/**
 * Grants a key pack. Refused: `agreement-unknown`, program fields, `line-unknown`, `server-unknown`,
 * `not-activated`, `server-suspect`, `quantity-above-agreement`, `quantity-invalid`.
 */
export async function grantKeyPack(
  context: ClearinghouseContext,
  call: KeyPackCall,
): Promise<Result<DeskAnswer, Refusal>> {
  const id = normalizeLicenseServerId(context.digest, call.serverId);
  if (!id.ok) return id;
  const requestDigest = [id.value, call.agreement, call.product, call.type, call.quantity].join(' ');
  const key = { id: `key-pack:${call.requestId}`, requestDigest };
  return context.store.write((tx) =>
    once<DeskAnswer>(tx, key, async () => {
      const decided = await decideGrant(tx, { ...call, serverId: id.value }, context.clock.nowMs());
      if (!decided.ok) return decided;
      const { fits, room: most } = decided.value;
      if (!fits) return err({ code: 'quantity-invalid', quantity: call.quantity, most });
      return grant(context, tx, { ...decided.value, call, key });
    }),
  );
}

async function grant(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: Decided & { readonly call: KeyPackCall; readonly key: OnceKey },
): Promise<Result<DeskAnswer, Refusal>> {
  const { authority, line, call, key } = of;
  const nowMs = context.clock.nowMs();
  const amount = call.quantity;
  const { licenseServerId, generation } = authority;
  const committed = clearinghouseAccount(call.agreement, line).committed(licenseServerId, generation);
  const granted = await commitUnits(tx, { authority, line, id: key.id, amount, carrier: 'telephone', nowMs });
  const view = viewCode(context, authority, { kind: 'key-pack', line, k: granted.kAfter });
  const answer = deskAnswer([view], keyPackNext, {
    product: call.product,
    type: call.type,
    quantity: amount,
    // What the license server asks about before it installs: "+25 → total 125".
    total: (await tx.balance(committed)) + amount,
  });
  await tx.post({
    log: call.agreement,
    id: key.id,
    at: nowMs,
    ...granted.entry,
    answer: { ...key, body: answer },
  });
  return ok(answer);
}

const keyPackNext =
  'Read out the CAL Key Pack ID. The caller types it in the boxes of the Obtain Client License Key Pack ' +
  'dialog, or: calyx server install --code CODE';
