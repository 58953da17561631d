/**
 * A CAL key pack over the telephone: units leave what is in hand and are committed to the caller's
 * license server, and the code that installs them is read out.
 */
import { clearinghouseAccount } from '../../core/account.ts';
import { checkCovered, checkRequest, findLine } from '../../core/agreement.ts';
import { bytesOfBase64url } from '../../core/bytes.ts';
import { chainLength, freeChain } from '../../core/chain.ts';
import { licenseServerIdValue, normalizeLicenseServerId } from '../../core/code.ts';
import { checkCalType } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import { err, ok, type Result } from '../../core/result.ts';
import { agreementKits } from '../../store/agreement-rows.ts';
import {
  chainsOf,
  findGrantedAuthority,
  findServer,
  type GrantedAuthorityRow,
} from '../../store/committed-server-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { codeOf, grantUnits } from '../signer.ts';
import { loadAgreement } from './agreements.ts';
import { type DeskAnswer, deskAnswer, viewCode } from './desk-answer.ts';

export interface KeyPackCall {
  readonly agreement: string;
  readonly serverId: string;
  readonly product: string;
  readonly type: string;
  readonly quantity: number;
  readonly authorization?: string | undefined;
  readonly license?: string | undefined;
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
  const lsidValue = licenseServerIdValue(context.digest, id.value);
  if (!lsidValue.ok) return lsidValue;
  const type = checkCalType(call.type);
  if (!type.ok) return type;
  const nowMs = context.clock.nowMs();
  const requestDigest = [id.value, call.agreement, call.product, call.type, call.quantity].join(' ');
  return context.store.write<DeskAnswer>(async (tx) => {
    const answerId = `key-pack:${call.requestId}`;
    const repeat = await tx.answer(answerId);
    if (repeat !== undefined) {
      if (repeat.requestDigest !== requestDigest) return err({ code: 'idempotency-key-reused', id: call.requestId });
      return ok(repeat.body as DeskAnswer);
    }
    const agreement = await loadAgreement(tx, call.agreement);
    if (!agreement.ok) return agreement;
    const quoted = checkRequest(agreement.value, call);
    if (!quoted.ok) return quoted;
    const line = findLine(agreement.value, { product: call.product, type: type.value });
    if (!line.ok) return line;
    const authority = await openAuthority(tx, id.value, call.agreement);
    if (!authority.ok) return authority;
    const account = clearinghouseAccount(call.agreement, line.value.number);
    const covered = checkCovered({
      agreement: call.agreement,
      product: call.product,
      type: type.value,
      asked: call.quantity,
      inHand: await tx.balance(account.inHand),
      entitled: await tx.balance(account.entitled),
    });
    if (!covered.ok) return covered;
    const room = await chainRoom(tx, authority.value, line.value.number);
    if (!room.ok) return room;
    if (call.quantity > room.value) return err({ code: 'quantity-invalid', quantity: call.quantity, most: room.value });
    const posting = {
      kind: 'transfer',
      debit: account.inHand,
      credit: account.committed(id.value, authority.value.generation),
      amount: call.quantity,
    } as const;
    const grant = await grantUnits(tx, {
      id: answerId,
      authority: authority.value,
      line: line.value.number,
      kind: 'free',
      amount: call.quantity,
      carrier: 'telephone',
      source: null,
      cover: [posting],
      nowMs,
    });
    const aid = bytesOfBase64url(authority.value.aid) ?? new Uint8Array(16);
    const code = codeOf(context, {
      aid,
      lsidValue: lsidValue.value,
      reveal: { kind: 'key-pack', line: line.value.number, k: grant.kAfter },
    });
    const answer = deskAnswer(
      [viewCode(context.digest, code, id.value)],
      'Read out the CAL Key Pack ID. The caller types it in the Obtain Client License Key Pack dialog, or: calyx server install --code CODE',
      { product: call.product, type: call.type, quantity: call.quantity, total: grant.total },
    );
    await tx.post({
      log: call.agreement,
      kind: 'granted',
      id: answerId,
      at: nowMs,
      body: {
        server: id.value,
        generation: authority.value.generation,
        line: line.value.number,
        amount: call.quantity,
        chain: 'free',
        k: grant.kAfter,
        carrier: 'telephone',
      },
      postings: [posting],
      answer: { id: answerId, requestDigest, body: answer },
    });
    return ok(answer);
  });
}

/** The authority under which a server may be granted units. Refused: unknown, suspect, not activated. */
export async function openAuthority(
  tx: ReadTx,
  licenseServerId: string,
  agreement: string,
): Promise<Result<GrantedAuthorityRow, Refusal>> {
  const server = await findServer(tx, licenseServerId);
  if (server === undefined) return err({ code: 'server-unknown', licenseServerId });
  if (server.state === 'suspect') {
    return err({ code: 'server-suspect', licenseServerId, reason: 'its messages do not fit its past' });
  }
  const authority = await findGrantedAuthority(tx, licenseServerId, agreement);
  if (authority === undefined) return err({ code: 'not-activated', agreement });
  if (authority.state === 'closed') {
    return err({ code: 'server-closed', licenseServerId, generation: authority.generation });
  }
  return ok(authority);
}

/**
 * How many more units a line's free chain can carry on the telephone. Refused: `kit-missing` where the
 * line was added to the agreement after the kit was made.
 */
async function chainRoom(
  tx: ReadTx,
  authority: GrantedAuthorityRow,
  line: number,
): Promise<Result<number, Refusal>> {
  if (authority.basis === 'slot') {
    const kits = await agreementKits(tx, authority.agreement);
    const kit = kits.find(
      (row) => authority.slot !== null && authority.slot >= row.firstSlot && authority.slot < row.firstSlot + row.slots,
    );
    if (kit === undefined || kit.lines <= line) return err({ code: 'kit-missing', agreement: authority.agreement });
  }
  const chains = await chainsOf(tx, authority.aid);
  const k = chains.find((row) => row.line === line && row.kind === 'free')?.k ?? 0;
  return ok(chainLength(freeChain(line)) - k);
}
