/**
 * The signer: every code, grant, kit and certificate of the clearinghouse passes through here, and
 * units are revealed only against a debit (protocol §7.1). It holds no state of its own.
 */
import { base64url } from '../core/bytes.ts';
import type { Reveal } from '../core/chain.ts';
import {
  activationChain,
  chainAnchor,
  chainValue,
  freeChain,
  heldChain,
  horizonChain,
  revealCode,
  slotAid,
} from '../core/chain.ts';
import type { Code } from '../core/code.ts';
import type { Posting } from '../core/ledger.ts';
import type { MoveRow } from '../store/clearinghouse-rows.ts';
import type { GrantedAuthorityRow } from '../store/committed-server-rows.ts';
import { chainsOf, grantsOf, insertGrant, saveChain } from '../store/committed-server-rows.ts';
import type { WriteTx } from '../store/port.ts';
import type { ClearinghouseContext } from './context.ts';
import { idBytes, idValue } from './stored-ids.ts';

type ChainKeys = Pick<ClearinghouseContext, 'digest' | 'kitKey'>;

/** Anchors of all chains of an authority, as they stand in kits and certificates. */
export function anchorsOf(
  context: ChainKeys,
  aid: Uint8Array,
  lines: number,
): { horizon: string; lines: { free: string; held: string }[] } {
  const anchor = (chain: number): string =>
    base64url(chainAnchor(context.digest, { kitKey: context.kitKey, aid, chain }));
  return {
    horizon: anchor(horizonChain),
    lines: Array.from({ length: lines }, (_, line) => ({
      free: anchor(freeChain(line)),
      held: anchor(heldChain(line)),
    })),
  };
}

/** The anchors of one kit slot, the activation anchor among them. */
export function slotAnchors(
  context: ChainKeys,
  slot: { readonly kitId: Uint8Array; readonly slot: number; readonly lines: number },
): { slot: number; activation: string; horizon: string; lines: { free: string; held: string }[] } {
  const aid = slotAid(context.digest, slot.kitId, slot.slot);
  const activation = chainAnchor(context.digest, { kitKey: context.kitKey, aid, chain: activationChain });
  return { slot: slot.slot, activation: base64url(activation), ...anchorsOf(context, aid, slot.lines) };
}

/** v[k] of a chain: proof that the publisher went as far as k. */
export function revealAt(
  context: ChainKeys,
  place: { readonly aid: Uint8Array; readonly chain: number; readonly k: number },
): Uint8Array {
  return chainValue(context.digest, { kitKey: context.kitKey, ...place });
}

/** The telephone code for a chain value of an authority, masked so that only its license server can read it. */
export function codeOf(
  context: ChainKeys,
  authority: Pick<GrantedAuthorityRow, 'aid' | 'licenseServerId'>,
  reveal: Reveal,
): Code {
  const aid = idBytes(authority.aid);
  const lsidValue = idValue(context, authority.licenseServerId);
  return revealCode(context.digest, { kitKey: context.kitKey, aid, lsidValue, reveal });
}

export interface GrantOrder {
  readonly id: string;
  readonly authority: GrantedAuthorityRow;
  readonly line: number;
  readonly kind: 'free' | 'held';
  readonly amount: number;
  readonly carrier: 'online' | 'telephone';
  readonly source: string | null;
  /** What pays for it: the postings of this very transaction, or the move whose units are in transit. */
  readonly cover: readonly Posting[] | MoveRow;
  readonly nowMs: number;
}

/** Raises a chain by `amount` units and records the grant; throws where nothing pays for it. */
export async function grantUnits(
  tx: WriteTx,
  order: GrantOrder,
): Promise<{ kBefore: number; kAfter: number; total: number }> {
  const covered = await coverOf(tx, order);
  if (order.amount > covered) {
    throw new Error(`The signer refuses: ${order.amount} units asked, ${covered} debited for them.`);
  }
  const chains = await chainsOf(tx, order.authority.aid);
  const chain = chains.find((row) => row.line === order.line && row.kind === order.kind) ?? {
    aid: order.authority.aid,
    line: order.line,
    kind: order.kind,
    openUnits: 0,
    k: 0,
    confirmedK: 0,
  };
  const kAfter = chain.k + order.amount;
  await saveChain(tx, { ...chain, k: kAfter });
  await insertGrant(tx, {
    id: order.id,
    aid: order.authority.aid,
    agreement: order.authority.agreement,
    licenseServerId: order.authority.licenseServerId,
    line: order.line,
    kind: order.kind,
    kBefore: chain.k,
    kAfter,
    carrier: order.carrier,
    source: order.source,
    move: 'state' in order.cover ? order.cover.id : null,
    at: order.nowMs,
  });
  return { kBefore: chain.k, kAfter, total: chain.openUnits + kAfter };
}

/** What pays for a grant: debits of this transaction, or what a move has in transit and not granted yet. */
async function coverOf(tx: WriteTx, order: GrantOrder): Promise<number> {
  if (!('state' in order.cover)) {
    return order.cover.reduce((sum, posting) => sum + (posting.kind === 'transfer' ? posting.amount : 0), 0);
  }
  const move = order.cover;
  const granted = (await grantsOf(tx, order.authority.aid)).filter(
    (grant) => grant.move === move.id && grant.kind === order.kind,
  );
  const spent = granted.reduce((sum, grant) => sum + grant.kAfter - grant.kBefore, 0);
  return (order.kind === 'free' ? move.unissued : move.held) - spent;
}
