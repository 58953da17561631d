/**
 * Activation over the telephone: the caller reads a License Server ID, the representative reads an
 * activation code that opens one slot of the agreement kit for it (protocol §3.5).
 */
import { base64url } from '../../core/bytes.ts';
import { activationChain, slotAid } from '../../core/chain.ts';
import { normalizeLicenseServerId } from '../../core/code.ts';
import { firstKey } from '../../core/confirmation.ts';
import type { RecoveryReason } from '../../core/recovery.ts';
import { reasonField } from '../../core/recovery.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { horizonPosition, renewBelowMonths } from '../../core/standing.ts';
import { monthOf } from '../../core/time.ts';
import type { KitRecord } from '../../store/agreement-rows.ts';
import { agreementKits, agreementSlots, findKit, insertSlot } from '../../store/agreement-rows.ts';
import type { GrantedAuthorityRow, ServerRow } from '../../store/committed-server-rows.ts';
import {
  findGrantedAuthority,
  findServer,
  saveGrantedAuthority,
  saveServer,
} from '../../store/committed-server-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { revealAt } from '../signer.ts';
import { idBytes, idValue } from '../stored-ids.ts';
import { loadAgreement } from './agreements.ts';
import { carryOver } from './close-authority.ts';
import type { CodeView, DeskAnswer } from './desk-answer.ts';
import { deskAnswer, viewCode } from './desk-answer.ts';
import { monthsFor } from './horizon-months.ts';
import { checkNotDead, suspected } from './open-authority.ts';
import { checkRecovered } from './recovery.ts';

/**
 * Answers the activation code of a License Server ID under an agreement; asked again, the same code.
 * Refused: `agreement-unknown`, a mistyped id, `kit-missing`, `kit-full`, `server-suspect`,
 * `server-declared-dead`,
 * `already-activated` (by file or connection, which needs no code), `not-yet-supported` for a closed server
 * that had a certificate.
 */
export async function activateByTelephone(
  context: ClearinghouseContext,
  call: {
    readonly agreement: string;
    readonly serverId: string;
    readonly name?: string | undefined;
    /** Why a server that was deactivated is activated again, as the caller says. */
    readonly reason?: RecoveryReason | undefined;
  },
): Promise<Result<DeskAnswer, Refusal>> {
  const id = normalizeLicenseServerId(context.digest, call.serverId);
  if (!id.ok) return id;
  const nowMs = context.clock.nowMs();
  return context.store.write(async (tx) => {
    const agreement = await loadAgreement(tx, call.agreement);
    if (!agreement.ok) return agreement;
    const server = await findServer(tx, id.value);
    if (server?.state === 'suspect') return err(suspected(id.value));
    const living = await checkNotDead(tx, id.value);
    if (!living.ok) return living;
    const present = await findGrantedAuthority(tx, id.value, call.agreement);
    if (present?.basis === 'key') return err(whyCertified(present));
    // Which slots were opened since a backup that was restored is not known yet.
    const recovered = present === undefined ? await checkRecovered(tx, call.agreement, nowMs) : ok(null);
    if (!recovered.ok) return recovered;
    const slot = await chooseSlot(tx, call.agreement, id.value);
    if (!slot.ok) return slot;
    const known = await openServer(tx, { id: id.value, name: call.name, server, nowMs });
    const order = {
      ...slot.value,
      id: id.value,
      agreement: call.agreement,
      generation: known.generation,
      reason: call.reason,
      nowMs,
    };
    return ok(await openSlot(context, tx, { ...order, present }));
  });
}

/**
 * A certificate has counted unit numbers that the chains of a slot do not prove: a server that had one is
 * activated again by connection or file.
 */
function whyCertified({ agreement, state }: GrantedAuthorityRow): Refusal {
  if (state === 'active') return { code: 'already-activated', agreement };
  const what =
    'activating by telephone a license server that had a certificate (a connection or a file does)';
  return { code: 'not-yet-supported', what };
}

/** The caller's server as the books have it: new, open, or opened again. */
async function openServer(
  tx: WriteTx,
  of: {
    readonly id: string;
    readonly name: string | undefined;
    readonly server: ServerRow | undefined;
    readonly nowMs: number;
  },
): Promise<ServerRow> {
  const { server, nowMs } = of;
  if (server?.state === 'ok') return server;
  const fresh = { publicKey: null, generation: 1, seq: 0, logSize: 0, logRoot: '', method: 'telephone' };
  const row: ServerRow = {
    ...(server ?? { ...fresh, addedAt: nowMs }),
    licenseServerId: of.id,
    name: of.name ?? server?.name ?? '',
    state: 'ok',
    lastContactAt: nowMs,
  };
  await saveServer(tx, row);
  return row;
}

/** Opens the slot for the server, once; asked again, the same codes come out and nothing is posted. */
async function openSlot(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: SlotOrder & { readonly present: GrantedAuthorityRow | undefined },
): Promise<DeskAnswer> {
  const { present: own, generation, nowMs } = of;
  // A slot that was closed goes on: chains, ratchet and counters (§3.5).
  if (own === undefined) context.noteServer({ agreement: of.agreement, licenseServerId: of.id });
  const authority = own ?? newAuthority(context, of);
  const months = await monthsFor(context, tx, authority);
  const answer = activationAnswer(context, { authority, slot: of.slot, months, nowMs });
  if (own?.state === 'active') {
    if (answer.horizonE > own.horizonE) await saveGrantedAuthority(tx, { ...own, horizonE: answer.horizonE });
    return answer.desk;
  }
  await saveGrantedAuthority(tx, { ...authority, state: 'active', generation, horizonE: answer.horizonE });
  await tx.post({
    log: of.agreement,
    kind: own === undefined ? 'activated' : 'reactivated',
    id: `activate:${authority.aid}:${generation}`,
    at: nowMs,
    body: { server: of.id, generation, basis: 'slot', slot: of.slot, ...reasonField(of.reason) },
    postings: own === undefined ? [] : await carryOver(tx, { before: own, generation }),
  });
  return answer.desk;
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

interface SlotOrder {
  readonly id: string;
  readonly agreement: string;
  readonly slot: number;
  readonly kit: KitRecord;
  readonly generation: number;
  readonly reason: RecoveryReason | undefined;
  readonly nowMs: number;
}

function newAuthority(context: ClearinghouseContext, order: SlotOrder): GrantedAuthorityRow {
  const aid = slotAid(context.digest, idBytes(order.kit.kitId), order.slot);
  const activation = revealAt(context, { aid, chain: activationChain, k: 1 });
  const k0 = firstKey(context.digest, activation, idValue(context, order.id));
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
    confirmationKey: context.box.seal('confirmation', k0),
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
    /** How far ahead a horizon code leads. */
    readonly months: number;
    readonly nowMs: number;
  },
): { desk: DeskAnswer; horizonE: number } {
  const { authority, nowMs } = order;
  const codes: CodeView[] = [viewCode(context, authority, { kind: 'activation', slot: order.slot })];
  let horizonE = authority.horizonE;
  const monthsAhead = authority.baseMonth + horizonE - monthOf(nowMs);
  if (monthsAhead < renewBelowMonths) {
    horizonE = horizonPosition(authority.baseMonth, nowMs, order.months);
  }
  if (horizonE > 0) codes.push(viewCode(context, authority, { kind: 'horizon', k: horizonE }));
  const next =
    codes.length === 1
      ? 'Read out the activation code. The caller types: calyx server activate --code CODE'
      : 'Read out the activation code (calyx server activate --code CODE), then the horizon code (calyx server code CODE).';
  const { licenseServerId } = authority;
  return { desk: deskAnswer(codes, next, { licenseServerId, slot: order.slot }), horizonE };
}
