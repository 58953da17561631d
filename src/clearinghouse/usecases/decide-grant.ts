/**
 * Whether units may be granted to a license server, and their way out of what is in hand: the same
 * rules for a caller on the telephone and for a signed message.
 */
import { clearinghouseAccount } from '../../core/account.ts';
import { checkCovered, checkRequest, findLine } from '../../core/agreement.ts';
import { chainLength, freeChain } from '../../core/chain.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Posting } from '../../core/ledger.ts';
import type { Carrier } from '../../core/move.ts';
import { checkCalType } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { agreementKits } from '../../store/agreement-rows.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import { chainsOf } from '../../store/committed-server-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import { grantUnits } from '../signer.ts';
import { loadAgreement } from './agreements.ts';
import { livingAuthority } from './open-authority.ts';
import { checkRecovered } from './recovery.ts';

export interface GrantAsked {
  readonly agreement: string;
  /** The License Server ID, in its 7 groups. */
  readonly serverId: string;
  readonly product: string;
  readonly type: string;
  readonly quantity: number;
  readonly authorization?: string | undefined;
  readonly license?: string | undefined;
}

export interface Decided {
  readonly authority: GrantedAuthorityRow;
  readonly line: number;
}

export interface GrantDecision extends Decided {
  /** Whether the chain can carry it; a certificate can be renewed where it cannot, a kit slot cannot. */
  readonly fits: boolean;
  readonly room: number;
}

/** Every reason to refuse, in the order in which a caller can do something about it. */
export async function decideGrant(
  tx: ReadTx,
  call: GrantAsked,
  nowMs: number,
): Promise<Result<GrantDecision, Refusal>> {
  const type = checkCalType(call.type);
  if (!type.ok) return type;
  const agreement = await loadAgreement(tx, call.agreement);
  if (!agreement.ok) return agreement;
  const quoted = checkRequest(agreement.value, call);
  if (!quoted.ok) return quoted;
  const found = findLine(agreement.value, { product: call.product, type: type.value });
  if (!found.ok) return found;
  const line = found.value.number;
  const authority = await livingAuthority(tx, call.serverId, call.agreement);
  if (!authority.ok) return authority;
  const recovered = await checkRecovered(tx, call.agreement, nowMs);
  if (!recovered.ok) return recovered;
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
  const room = await chainRoom(tx, authority.value, { line, kind: 'free' });
  if (!room.ok) return room;
  return ok({ authority: authority.value, line, fits: call.quantity <= room.value, room: room.value });
}

/** Moves the units from what is in hand to the server, and reveals them on its free chain. */
export async function commitUnits(
  tx: WriteTx,
  of: Decided & {
    readonly id: string;
    readonly amount: number;
    readonly carrier: Carrier;
    readonly nowMs: number;
  },
): Promise<{
  readonly kAfter: number;
  readonly total: number;
  readonly entry: {
    readonly kind: 'granted';
    readonly postings: readonly Posting[];
    readonly body: JsonObject;
  };
}> {
  const { authority, line, id, amount, carrier, nowMs } = of;
  const { agreement, licenseServerId, generation } = authority;
  const account = clearinghouseAccount(agreement, line);
  const credit = account.committed(licenseServerId, generation);
  const posting: Posting = { kind: 'transfer', debit: account.inHand, credit, amount };
  const order = { id, authority, line, kind: 'free', amount, carrier, source: null, nowMs } as const;
  const { kBefore, kAfter, total } = await grantUnits(tx, { ...order, cover: [posting] });
  // What an auditor matches with the installation: the chain positions, under which authority.
  const proof = { aid: authority.aid, chain: 'free', kBefore, k: kAfter };
  const body = { server: licenseServerId, generation, line, amount, ...proof, carrier };
  return { kAfter, total, entry: { kind: 'granted', postings: [posting], body } };
}

/**
 * How many more units a chain of a line can carry. Refused: `kit-missing` where the line was added to
 * the agreement after the kit was made. A line that the certificate does not have can carry none.
 */
export async function chainRoom(
  tx: ReadTx,
  authority: GrantedAuthorityRow,
  of: { readonly line: number; readonly kind: 'free' | 'held' },
): Promise<Result<number, Refusal>> {
  const { slot } = authority;
  if (authority.basis === 'slot' && slot !== null) {
    const kits = await agreementKits(tx, authority.agreement);
    const kit = kits.find((row) => slot >= row.firstSlot && slot < row.firstSlot + row.slots);
    if (kit === undefined || kit.lines <= of.line) {
      return err({ code: 'kit-missing', agreement: authority.agreement });
    }
  }
  const chain = (await chainsOf(tx, authority.aid)).find(
    (row) => row.line === of.line && row.kind === of.kind,
  );
  if (authority.basis === 'key' && chain === undefined) return ok(0);
  return ok(chainLength(freeChain(of.line)) - (chain?.k ?? 0));
}
