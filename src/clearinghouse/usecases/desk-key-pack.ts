/**
 * A CAL key pack over the telephone: units leave what is in hand and are committed to the caller's
 * license server, and the code that installs them is read out.
 */
import { clearinghouseAccount } from '../../core/account.ts';
import { checkCovered, checkRequest, findLine } from '../../core/agreement.ts';
import { chainLength, freeChain } from '../../core/chain.ts';
import { normalizeLicenseServerId } from '../../core/code.ts';
import { checkCalType } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import { err, ok, type Result } from '../../core/result.ts';
import { agreementKits } from '../../store/agreement-rows.ts';
import { chainsOf, type GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import { type OnceKey, once } from '../../store/once.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { grantUnits } from '../signer.ts';
import { moveCode } from './advance-move.ts';
import { loadAgreement } from './agreements.ts';
import { type DeskAnswer, deskAnswer } from './desk-answer.ts';
import { openAuthority } from './open-authority.ts';

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
  const requestDigest = [id.value, call.agreement, call.product, call.type, call.quantity].join(' ');
  const key = { id: `key-pack:${call.requestId}`, requestDigest };
  return context.store.write((tx) =>
    once<DeskAnswer>(tx, key, async () => {
      const decided = await decide(tx, { ...call, serverId: id.value });
      return decided.ok ? grant(context, tx, { ...decided.value, call, key }) : decided;
    }),
  );
}

interface Decided {
  readonly authority: GrantedAuthorityRow;
  readonly line: number;
}

/** Every reason to refuse, in the order in which a caller can do something about it. */
async function decide(tx: WriteTx, call: KeyPackCall): Promise<Result<Decided, Refusal>> {
  const type = checkCalType(call.type);
  if (!type.ok) return type;
  const agreement = await loadAgreement(tx, call.agreement);
  if (!agreement.ok) return agreement;
  const quoted = checkRequest(agreement.value, call);
  if (!quoted.ok) return quoted;
  const found = findLine(agreement.value, { product: call.product, type: type.value });
  if (!found.ok) return found;
  const line = found.value.number;
  const authority = await openAuthority(tx, call.serverId, call.agreement);
  if (!authority.ok) return authority;
  const account = clearinghouseAccount(call.agreement, line);
  const covered = checkCovered({
    agreement: call.agreement,
    product: call.product,
    type: type.value,
    asked: call.quantity,
    inHand: await tx.balance(account.inHand),
    entitled: await tx.balance(account.entitled),
  });
  if (!covered.ok) return covered;
  const room = await chainRoom(tx, authority.value, line);
  if (!room.ok) return room;
  if (call.quantity > room.value) return err({ code: 'quantity-invalid', quantity: call.quantity, most: room.value });
  return ok({ authority: authority.value, line });
}

async function grant(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: Decided & { readonly call: KeyPackCall; readonly key: OnceKey },
): Promise<Result<DeskAnswer, Refusal>> {
  const { authority, line, call, key } = of;
  const nowMs = context.clock.nowMs();
  const account = clearinghouseAccount(call.agreement, line);
  const posting = {
    kind: 'transfer',
    debit: account.inHand,
    credit: account.committed(authority.licenseServerId, authority.generation),
    amount: call.quantity,
  } as const;
  const granted = await grantUnits(tx, {
    ...{ id: key.id, authority, line, kind: 'free', amount: call.quantity, carrier: 'telephone', source: null },
    ...{ cover: [posting], nowMs },
  });
  const k = granted.kAfter;
  const view = moveCode(context, { move: { source: '', target: authority.licenseServerId, line }, authority, kind: 'free', k });
  const answer = deskAnswer([view], keyPackNext, {
    ...{ product: call.product, type: call.type, quantity: call.quantity, total: granted.total },
  });
  await tx.post({
    log: call.agreement,
    kind: 'granted',
    id: key.id,
    at: nowMs,
    body: {
      ...{ server: authority.licenseServerId, generation: authority.generation, line, amount: call.quantity },
      ...{ chain: 'free', k, carrier: 'telephone' },
    },
    postings: [posting],
    answer: { ...key, body: answer },
  });
  return ok(answer);
}

const keyPackNext =
  'Read out the CAL Key Pack ID. The caller types it in the boxes of the Obtain Client License Key Pack ' +
  'dialog, or: calyx server install --code CODE';

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
