/** A key pack by message: units are committed to the sender, with the proof in the answer. */
import { clearinghouseAccount } from '../../core/account.ts';
import { checkRequest, findLine } from '../../core/agreement.ts';
import { base64url, bytesOfBase64url } from '../../core/bytes.ts';
import { chainLength, freeChain } from '../../core/chain.ts';
import type { Posting } from '../../core/ledger.ts';
import type { Refusal } from '../../core/refusal.ts';
import { err, ok, type Result } from '../../core/result.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import { agreementLines } from '../../store/agreement-rows.ts';
import { chainsOf } from '../../store/committed-server-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { grantUnits, revealAt } from '../signer.ts';
import { loadAgreement } from './agreements.ts';
import type { Handling } from './handle-message.ts';
import { newId } from './new-id.ts';
import { openAuthority } from './open-authority.ts';

/**
 * Grants what a license server asks for. Refused: `agreement-unknown`, program fields, `line-unknown`,
 * `not-activated`, `quantity-above-agreement`, `quantity-invalid` (the chain's 65,535 are used up).
 */
export async function installRequest(
  context: ClearinghouseContext,
  tx: WriteTx,
  { message, nowMs }: Handling<MessageOf<'install'>>,
): Promise<Result<null, Refusal>> {
  const { agreement: number, product, type, quantity, program } = message.body;
  const agreement = await loadAgreement(tx, number);
  if (!agreement.ok) return agreement;
  const quoted = checkRequest(agreement.value, program ?? {});
  if (!quoted.ok) return quoted;
  const found = findLine(agreement.value, { product, type });
  if (!found.ok) return found;
  const authority = await openAuthority(tx, message.from.id, number);
  if (!authority.ok) return authority;
  const line = found.value.number;
  const account = clearinghouseAccount(number, line);
  const inHand = await tx.balance(account.inHand);
  if (quantity > inHand) {
    const entitled = await tx.balance(account.entitled);
    return err({ code: 'quantity-above-agreement', agreement: number, product, type, asked: quantity, inHand, entitled });
  }
  const chains = await chainsOf(tx, authority.value.aid);
  const used = chains.find((chain) => chain.line === line && chain.kind === 'free')?.k ?? 0;
  const room = chainLength(freeChain(line)) - used;
  if (quantity > room) return err({ code: 'quantity-invalid', quantity, most: room });
  const posting: Posting = {
    kind: 'transfer',
    debit: account.inHand,
    credit: account.committed(message.from.id, authority.value.generation),
    amount: quantity,
  };
  const grant = await grantUnits(tx, {
    ...{ id: message.id, authority: authority.value, line, kind: 'free', amount: quantity, carrier: 'online' },
    ...{ source: null, cover: [posting], nowMs },
  });
  const row = (await agreementLines(tx, number)).find((each) => each.line === line);
  if (row === undefined) return err({ code: 'line-unknown', agreement: number, product, type });
  const aid = bytesOfBase64url(authority.value.aid) ?? new Uint8Array(16);
  const value = base64url(revealAt(context, { aid, chain: freeChain(line), k: grant.kAfter }));
  const answer = await outgoing(tx, {
    id: newId(context),
    type: 'key-pack',
    to: message.from.id,
    agreement: number,
    body: {
      ...{ re: message.id, agreement: number, line, product: { ...row.product }, type, amount: quantity },
      ...{ k: grant.kAfter, value, total: grant.total },
    },
  });
  await tx.post({
    log: number,
    kind: 'granted',
    id: message.id,
    at: nowMs,
    body: {
      ...{ server: message.from.id, generation: authority.value.generation, line, amount: quantity },
      ...{ chain: 'free', k: grant.kAfter, carrier: 'online' },
    },
    postings: [posting],
    outbox: [answer],
  });
  return ok(null);
}
