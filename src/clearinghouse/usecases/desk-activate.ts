/**
 * Activation over the telephone: the caller reads a License Server ID, the representative reads an
 * activation code that opens one slot of the agreement kit for it (protocol §3.5).
 */
import { base64url, bytesOfBase64url } from '../../core/bytes.ts';
import { activationChain, slotAid } from '../../core/chain.ts';
import { licenseServerIdValue, normalizeLicenseServerId } from '../../core/code.ts';
import { firstKey } from '../../core/confirmation.ts';
import type { Refusal } from '../../core/refusal.ts';
import { err, ok, type Result } from '../../core/result.ts';
import { horizonMonths, horizonPosition, renewBelowMonths } from '../../core/standing.ts';
import { monthOf } from '../../core/time.ts';
import {
  agreementKits,
  agreementSlots,
  findKit,
  insertSlot,
  type KitRecord,
} from '../../store/agreement-rows.ts';
import {
  findGrantedAuthority,
  findServer,
  type GrantedAuthorityRow,
  saveGrantedAuthority,
  saveServer,
} from '../../store/committed-server-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { codeOf, revealAt } from '../signer.ts';
import { loadAgreement } from './agreements.ts';
import { type CodeView, type DeskAnswer, deskAnswer, viewCode } from './desk-answer.ts';

/**
 * Answers the activation code of a License Server ID under an agreement; asked again, the same code.
 * Refused: `agreement-unknown`, a mistyped id, `kit-missing`, `kit-full`, `server-suspect`,
 * `already-activated` (by file or connection, which needs no code).
 */
export async function activateByTelephone(
  context: ClearinghouseContext,
  call: { readonly agreement: string; readonly serverId: string; readonly name?: string | undefined },
): Promise<Result<DeskAnswer, Refusal>> {
  const id = normalizeLicenseServerId(context.digest, call.serverId);
  if (!id.ok) return id;
  const lsidValue = licenseServerIdValue(context.digest, id.value);
  if (!lsidValue.ok) return lsidValue;
  const nowMs = context.clock.nowMs();
  return context.store.write(async (tx) => {
    const agreement = await loadAgreement(tx, call.agreement);
    if (!agreement.ok) return agreement;
    const server = await findServer(tx, id.value);
    if (server?.state === 'suspect') {
      return err({ code: 'server-suspect', licenseServerId: id.value, reason: 'its messages do not fit its past' });
    }
    const present = await findGrantedAuthority(tx, id.value, call.agreement);
    if (present?.basis === 'key' && present.state === 'active') {
      return err({ code: 'already-activated', agreement: call.agreement });
    }
    const slot = await chooseSlot(tx, call.agreement, id.value);
    if (!slot.ok) return slot;
    const generation = server?.generation ?? 1;
    if (server === undefined || server.state === 'closed') {
      await saveServer(tx, {
        licenseServerId: id.value,
        name: call.name ?? server?.name ?? '',
        publicKey: server?.publicKey ?? null,
        generation,
        state: 'ok',
        seq: server?.seq ?? 0,
        logSize: server?.logSize ?? 0,
        logRoot: server?.logRoot ?? '',
        method: server?.method ?? 'telephone',
        lastContactAt: nowMs,
        addedAt: server?.addedAt ?? nowMs,
      });
    }
    const authority = present ?? newAuthority(context, { id: id.value, agreement: call.agreement, ...slot.value, generation, nowMs, lsidValue: lsidValue.value });
    const order = { authority, slot: slot.value.slot, lsidValue: lsidValue.value, nowMs };
    const answer = activationAnswer(context, order);
    if (present?.state !== 'active') {
      await saveGrantedAuthority(tx, { ...authority, state: 'active', generation, horizonE: answer.horizonE });
      await tx.post({
        log: call.agreement,
        kind: present === undefined ? 'activated' : 'reactivated',
        id: `activate:${authority.aid}:${generation}`,
        at: nowMs,
        body: { server: id.value, generation, basis: 'slot', slot: slot.value.slot },
      });
    } else if (answer.horizonE > authority.horizonE) {
      await saveGrantedAuthority(tx, { ...authority, horizonE: answer.horizonE });
    }
    return ok(answer.desk);
  });
}

/** The slot of this server, or the first that nobody has. */
async function chooseSlot(
  tx: WriteTx,
  agreement: string,
  licenseServerId: string,
): Promise<Result<{ slot: number; kit: KitRecord }, Refusal>> {
  const kits = await agreementKits(tx, agreement);
  if (kits.length === 0) return err({ code: 'kit-missing', agreement });
  const used = await agreementSlots(tx, agreement);
  const own = used.find((row) => row.licenseServerId === licenseServerId);
  if (own !== undefined) {
    const kit = await findKit(tx, own.kitId);
    if (kit !== undefined) return ok({ slot: own.slot, kit });
  }
  const taken = new Set(used.map((row) => row.slot));
  for (const kit of kits) {
    for (let slot = kit.firstSlot; slot < kit.firstSlot + kit.slots; slot += 1) {
      if (taken.has(slot)) continue;
      await insertSlot(tx, { agreement, slot, kitId: kit.kitId, licenseServerId });
      return ok({ slot, kit });
    }
  }
  return err({ code: 'kit-full', agreement, slots: taken.size });
}

function newAuthority(
  context: ClearinghouseContext,
  order: {
    readonly id: string;
    readonly agreement: string;
    readonly slot: number;
    readonly kit: KitRecord;
    readonly generation: number;
    readonly nowMs: number;
    readonly lsidValue: Uint8Array;
  },
): GrantedAuthorityRow {
  const aid = slotAid(context.digest, bytesOfBase64url(order.kit.kitId) ?? new Uint8Array(16), order.slot);
  const activation = revealAt(context, { aid, chain: activationChain, k: 1 });
  return {
    aid: base64url(aid),
    agreement: order.agreement,
    licenseServerId: order.id,
    generation: order.generation,
    basis: 'slot',
    slot: order.slot,
    baseMonth: order.kit.baseMonth,
    sunsetMonths: order.kit.sunsetMonths,
    state: 'active',
    document: null,
    confirmationKey: context.box.seal('confirmation', firstKey(context.digest, activation, order.lsidValue)),
    confirmationSeq: 0,
    freezes: 0,
    releases: 0,
    returns: 0,
    horizonE: 0,
    activatedAt: order.nowMs,
  };
}

/** The codes to read: activation, and a horizon code where less than a year is left (protocol §3.4). */
function activationAnswer(
  context: ClearinghouseContext,
  order: {
    readonly authority: GrantedAuthorityRow;
    readonly slot: number;
    readonly lsidValue: Uint8Array;
    readonly nowMs: number;
  },
): { desk: DeskAnswer; horizonE: number } {
  const { authority, lsidValue, nowMs } = order;
  const aid = bytesOfBase64url(authority.aid) ?? new Uint8Array(16);
  const forServer = authority.licenseServerId;
  const codes: CodeView[] = [
    viewCode(
      context.digest,
      codeOf(context, { aid, lsidValue, reveal: { kind: 'activation', slot: order.slot } }),
      forServer,
    ),
  ];
  let horizonE = authority.horizonE;
  const monthsAhead = authority.baseMonth + horizonE - monthOf(nowMs);
  if (monthsAhead < renewBelowMonths) {
    horizonE = horizonPosition(authority.baseMonth, nowMs, horizonMonths.other);
  }
  if (horizonE > 0) {
    const code = codeOf(context, { aid, lsidValue, reveal: { kind: 'horizon', k: horizonE } });
    codes.push(viewCode(context.digest, code, forServer));
  }
  const next =
    codes.length === 1
      ? 'Read out the activation code. The caller types: calyx server activate --code CODE'
      : 'Read out the activation code (calyx server activate --code CODE), then the horizon code (calyx server code CODE).';
  return { desk: deskAnswer(codes, next, { licenseServerId: forServer, slot: order.slot }), horizonE };
}
