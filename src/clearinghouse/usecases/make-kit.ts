/**
 * The agreement kit: the signed anchors that come with the paper agreement, so that a server without
 * any connection can check telephone codes from the first minute (protocol §3.5).
 */
import { base64url } from '../../core/bytes.ts';
import type { Product } from '../../core/product.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { defaultSunsetMonths, horizonMonths } from '../../core/standing.ts';
import { isoTime, monthOf } from '../../core/time.ts';
import { monthText, sealKit, writeKitFile } from '../../protocol/authority.ts';
import type { AgreementLineRow, AgreementRow, KitRecord } from '../../store/agreement-rows.ts';
import {
  agreementKits,
  agreementLines,
  agreementSlots,
  findAgreement,
  saveKitRecord,
} from '../../store/agreement-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { slotAnchors } from '../signer.ts';
import { idBytes } from '../stored-ids.ts';

/** Slots of a kit: four license servers are enough for most agreements (protocol §3.5). */
const slotsPerKit = 4;

/** A slot number is one byte in an activation code. */
const mostSlots = 256;

export interface KitView {
  readonly agreement: string;
  readonly kitId: string;
  readonly slots: readonly number[];
  readonly lines: readonly { readonly product: Product; readonly type: string }[];
  /** The content of the kit file. */
  readonly file: string;
}

/**
 * Makes the kit of an agreement, or hands out the one there is: extended where lines were added since
 * (same id, slots and anchors), a further one where all slots are used. Refused: `agreement-unknown`,
 * `kit-full` (256 slots used).
 */
export async function makeKit(
  context: ClearinghouseContext,
  number: string,
): Promise<Result<KitView, Refusal>> {
  const nowMs = context.clock.nowMs();
  return context.store.write(async (tx) => {
    const agreement = await findAgreement(tx, number);
    if (agreement === undefined) return err({ code: 'agreement-unknown', agreement: number });
    const lines = await agreementLines(tx, number);
    const kits = await agreementKits(tx, number);
    const used = await agreementSlots(tx, number);
    const last = kits.at(-1);
    if (last !== undefined && used.length < kits.reduce((sum, kit) => sum + kit.slots, 0)) {
      if (last.lines === lines.length) return ok(viewKit(context, last, lines));
      return ok(viewKit(context, await keepKit(context, tx, { agreement, lines, kit: last, nowMs }), lines));
    }
    const firstSlot = last === undefined ? 0 : last.firstSlot + last.slots;
    if (firstSlot + slotsPerKit > mostSlots) {
      return err({ code: 'kit-full', agreement: number, slots: firstSlot });
    }
    const kit = {
      kitId: base64url(context.random.bytes(16)),
      agreement: number,
      firstSlot,
      slots: slotsPerKit,
      baseMonth: monthOf(nowMs) + horizonMonths.other,
      sunsetMonths: defaultSunsetMonths,
      lines: 0,
      document: '',
      madeAt: nowMs,
    };
    return ok(viewKit(context, await keepKit(context, tx, { agreement, lines, kit, nowMs }), lines));
  });
}

/** Signs the document of a kit for all lines the agreement has now, and keeps it. */
async function keepKit(
  context: ClearinghouseContext,
  tx: WriteTx,
  work: {
    readonly agreement: AgreementRow;
    readonly lines: readonly AgreementLineRow[];
    readonly kit: KitRecord;
    readonly nowMs: number;
  },
): Promise<KitRecord> {
  const { agreement, lines, kit } = work;
  const kitId = idBytes(kit.kitId);
  const slots = Array.from({ length: kit.slots }, (_, index) =>
    slotAnchors(context, { kitId, slot: kit.firstSlot + index, lines: lines.length }),
  );
  const document = sealKit(
    {
      t: 'kit',
      v: 1,
      kitId: kit.kitId,
      agreement: agreement.number,
      program: agreement.program,
      customer: agreement.customer,
      publisher: context.publisher,
      salt: agreement.salt,
      iat: isoTime(kit.madeAt),
      base: monthText(kit.baseMonth),
      sunsetMonths: kit.sunsetMonths,
      lines: lines.map((line) => ({ product: line.product, type: line.type })),
      slots,
    },
    context.issueKey,
  );
  const kept = { ...kit, lines: lines.length, document };
  await saveKitRecord(tx, kept);
  await tx.post({
    log: agreement.number,
    kind: kit.lines === 0 ? 'kit-made' : 'kit-extended',
    id: `kit:${kit.kitId}:${lines.length}`,
    at: work.nowMs,
    body: { kitId: kit.kitId, firstSlot: kit.firstSlot, slots: kit.slots, lines: lines.length },
  });
  return kept;
}

function viewKit(context: ClearinghouseContext, kit: KitRecord, lines: readonly AgreementLineRow[]): KitView {
  return {
    agreement: kit.agreement,
    kitId: kit.kitId,
    slots: Array.from({ length: kit.slots }, (_, index) => kit.firstSlot + index),
    lines: lines.map((line) => ({ product: line.product, type: line.type })),
    file: writeKitFile({ kit: kit.document, trustLists: context.trustLists }),
  };
}
