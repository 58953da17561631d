/** A key pack by message: units are committed to the sender, with the proof in the answer. */
import { mostUnits } from '../../core/agreement.ts';
import { base64url } from '../../core/bytes.ts';
import { freeChain } from '../../core/chain.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import { agreementLines } from '../../store/agreement-rows.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import type { OutgoingMessage, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { revealAt } from '../signer.ts';
import { idBytes } from '../stored-ids.ts';
import { certifyAgain, checkRenewable } from './activate-server.ts';
import type { GrantDecision } from './decide-grant.ts';
import { commitUnits, decideGrant } from './decide-grant.ts';
import type { Handling } from './handle-message.ts';
import { newId } from './new-id.ts';

/** Grants what a license server asks for. Refused: as `decideGrant` says. */
export async function installRequest(
  context: ClearinghouseContext,
  tx: WriteTx,
  { message, nowMs }: Handling<MessageOf<'install'>>,
): Promise<Result<null, Refusal>> {
  const { agreement, product, type, quantity, program } = message.body;
  const asked = { agreement, product, type, quantity, ...program, serverId: message.from.id };
  const decided = await decideGrant(tx, asked, nowMs);
  if (!decided.ok) return decided;
  const { line } = decided.value;
  const row = (await agreementLines(tx, agreement)).find((each) => each.line === line);
  if (row === undefined) return err({ code: 'line-unknown', agreement, product, type });
  const { id } = message;
  const made = await makeRoom(context, tx, { ...decided.value, quantity, nowMs });
  if (!made.ok) return made;
  const { authority, certificate } = made.value;
  const granted = await commitUnits(tx, { authority, line, id, amount: quantity, carrier: 'online', nowMs });
  const { kAfter: k, total } = granted;
  const aid = idBytes(authority.aid);
  const value = base64url(revealAt(context, { aid, chain: freeChain(line), k }));
  const answer = await outgoing(tx, {
    id: newId(context),
    type: 'key-pack',
    to: message.from.id,
    agreement,
    body: { re: id, agreement, line, product: { ...row.product }, type, amount: quantity, k, value, total },
  });
  await tx.post({ log: agreement, id, at: nowMs, ...granted.entry, outbox: [...certificate, answer] });
  return ok(null);
}

/** Renews the certificate where its chains cannot carry the quantity; a kit slot cannot be renewed. Refused: as `checkRenewable`. */
async function makeRoom(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: GrantDecision & { readonly quantity: number; readonly nowMs: number },
): Promise<
  Result<
    { readonly authority: GrantedAuthorityRow; readonly certificate: readonly OutgoingMessage[] },
    Refusal
  >
> {
  const { authority, quantity, nowMs } = of;
  if (of.fits) return ok({ authority, certificate: [] });
  if (authority.basis === 'slot' || quantity > mostUnits) {
    return err({
      code: 'quantity-invalid',
      quantity,
      most: authority.basis === 'slot' ? of.room : mostUnits,
    });
  }
  const timely = await checkRenewable(tx, authority);
  if (!timely.ok) return timely;
  const renewed = await certifyAgain(context, tx, { before: authority, nowMs });
  return ok({ authority: renewed.authority, certificate: [renewed.message] });
}
