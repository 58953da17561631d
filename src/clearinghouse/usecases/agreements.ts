/** What customers bought: entering an agreement, adding to it, and showing where its CALs are. */
import { clearinghouseAccount } from '../../core/account.ts';
import type { Agreement } from '../../core/agreement.ts';
import { addLine, checkAgreement, checkAgreementNumber } from '../../core/agreement.ts';
import { base64url } from '../../core/bytes.ts';
import { checkCalType } from '../../core/product.ts';
import type { RecoveryPolicy, RecoveryRule } from '../../core/recovery.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { AgreementRow } from '../../store/agreement-rows.ts';
import {
  agreementLines,
  findAgreement,
  findProduct,
  insertAgreement,
  insertAgreementLine,
  listProducts,
  pageAgreements,
  setRecovery,
} from '../../store/agreement-rows.ts';
import { risksOf } from '../../store/dead-source-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import type { RiskView } from './dead-source-view.ts';
import { viewRisk } from './dead-source-view.ts';
import { newId } from './new-id.ts';
import { publisherLog } from './products.ts';

export interface AgreementOrder {
  readonly number: string;
  readonly program: string;
  readonly customer: string;
  readonly product: string;
  readonly type: string;
  readonly quantity: number;
  readonly authorization?: string | undefined;
  readonly license?: string | undefined;
  /** The idempotency key of the request. */
  readonly requestId: string;
}

export type LineView = {
  readonly line: number;
  readonly product: string;
  readonly name: string;
  readonly type: string;
  readonly entitled: number;
  readonly inHand: number;
  readonly committed: number;
  readonly inTransit: number;
  readonly quarantined: number;
  readonly retired: number;
};

export type AgreementView = {
  readonly number: string;
  readonly program: string;
  readonly customer: string;
  readonly authorization: string | null;
  readonly license: string | null;
  readonly lines: readonly LineView[];
  /** Whether recovered CALs come at once (protocol §5.5). */
  readonly recovery: RecoveryPolicy;
  /** How much of what is unissued, in percent. */
  readonly recoveryShare: number;
  /** CALs of sources that no longer function which may have two holders for a time (protocol §2.5). */
  readonly atRisk: readonly RiskView[];
};

/** An agreement has a journal of its own under its number, and this is the publisher's. */
const reserved: Refusal = {
  code: 'invalid-input',
  field: 'agreement',
  problem: `"${publisherLog}" names the journal of the publisher`,
};

/** The largest quantity one entry may add: far above any sale, low enough to stay exact. */
const mostEntitled = 100_000_000;

/**
 * Enters an agreement, or adds a quantity (and a line, where needed) to a known one of the same
 * program and customer. Refused: the fields of its program, `product-unknown`, `agreement-exists`,
 * `lines-full`, `quantity-invalid`, `idempotency-key-reused`.
 */
export async function addAgreement(
  context: ClearinghouseContext,
  order: AgreementOrder,
): Promise<Result<AgreementView, Refusal>> {
  const agreement = checkAgreement(order);
  if (!agreement.ok) return agreement;
  if (agreement.value.number === publisherLog) return err(reserved);
  const type = checkCalType(order.type);
  if (!type.ok) return type;
  if (!Number.isSafeInteger(order.quantity) || order.quantity < 1 || order.quantity > mostEntitled) {
    return err({ code: 'quantity-invalid', quantity: order.quantity, most: mostEntitled });
  }
  const nowMs = context.clock.nowMs();
  return context.store.write(async (tx) => {
    const entitleId = `entitle:${order.requestId}`;
    const requestDigest = digestOf(agreement.value, order);
    const repeat = await tx.answer(entitleId);
    if (repeat !== undefined) {
      if (repeat.requestDigest !== requestDigest)
        return err({ code: 'idempotency-key-reused', id: order.requestId });
      return viewAgreement(tx, agreement.value.number, nowMs);
    }
    if ((await findProduct(tx, order.product)) === undefined) {
      const known = (await listProducts(tx)).map((product) => product.id);
      return err({ code: 'product-unknown', product: order.product, known });
    }
    const kept = await keepAgreement(context, tx, agreement.value);
    if (!kept.ok) return kept;
    const line = addLine(kept.value, { product: order.product, type: type.value });
    if (!line.ok) return line;
    const { number } = agreement.value;
    if (line.value.added) {
      await insertAgreementLine(tx, {
        agreement: number,
        line: line.value.line.number,
        product: order.product,
        type: type.value,
      });
    }
    const account = clearinghouseAccount(number, line.value.line.number);
    await tx.post({
      log: number,
      kind: 'entitled',
      id: entitleId,
      at: nowMs,
      body: {
        line: line.value.line.number,
        product: order.product,
        type: type.value,
        quantity: order.quantity,
      },
      postings: [
        { kind: 'transfer', debit: account.entitled, credit: account.inHand, amount: order.quantity },
      ],
      answer: { id: entitleId, requestDigest, body: { agreement: number } },
    });
    return viewAgreement(tx, number, nowMs);
  });
}

/** What the idempotency key of an entry stands for: all that was asked. */
function digestOf(agreement: Agreement, order: AgreementOrder): string {
  const { number, program, customer, authorization, license } = agreement;
  return JSON.stringify([
    number,
    program,
    customer,
    authorization,
    license,
    order.product,
    order.type,
    order.quantity,
  ]);
}

/** The agreement as stored, with its lines; entered now where it is new. */
async function keepAgreement(
  context: ClearinghouseContext,
  tx: WriteTx,
  agreement: Agreement,
): Promise<Result<Agreement, Refusal>> {
  const present = await findAgreement(tx, agreement.number);
  if (present === undefined) {
    await insertAgreement(tx, {
      number: agreement.number,
      program: agreement.program,
      customer: agreement.customer,
      authorization: agreement.authorization,
      license: agreement.license,
      salt: base64url(context.random.bytes(16)),
      addedAt: context.clock.nowMs(),
    });
    return ok(agreement);
  }
  const same =
    present.program === agreement.program &&
    present.customer === agreement.customer &&
    present.authorization === agreement.authorization &&
    present.license === agreement.license;
  if (!same) return err({ code: 'agreement-exists', agreement: agreement.number });
  return loadAgreement(tx, agreement.number);
}

/**
 * An agreement with its lines, as the rules want it. Refused: `agreement-missing` where no number is
 * given, `invalid-input`, `agreement-unknown`.
 */
export async function loadAgreement(tx: ReadTx, number: string): Promise<Result<Agreement, Refusal>> {
  const checked = checkAgreementNumber(number);
  if (!checked.ok) return checked;
  const row = await findAgreement(tx, number);
  if (row === undefined) return err({ code: 'agreement-unknown', agreement: number });
  const lines = await agreementLines(tx, number);
  return ok({
    number: row.number,
    program: row.program as Agreement['program'],
    customer: row.customer,
    authorization: row.authorization,
    license: row.license,
    lines: lines.map((line) => ({ number: line.line, product: line.product.id, type: line.type })),
  });
}

async function viewAgreement(
  tx: ReadTx,
  number: string,
  nowMs: number,
): Promise<Result<AgreementView, Refusal>> {
  const row = await findAgreement(tx, number);
  if (row === undefined) return err({ code: 'agreement-unknown', agreement: number });
  return ok(await viewOf(tx, row, nowMs));
}

async function viewOf(tx: ReadTx, row: AgreementRow, nowMs: number): Promise<AgreementView> {
  const lines: LineView[] = [];
  for (const line of await agreementLines(tx, row.number)) {
    const sum = { entitled: 0, inHand: 0, committed: 0, inTransit: 0, quarantined: 0, retired: 0 };
    const names: Readonly<Record<string, keyof typeof sum>> = {
      entitled: 'entitled',
      'in-hand': 'inHand',
      committed: 'committed',
      'in-transit': 'inTransit',
      quarantined: 'quarantined',
      retired: 'retired',
    };
    for (const [account, balance] of await tx.balances(`${row.number}/${line.line}/`)) {
      const name = names[account.split('/')[2] ?? ''];
      if (name !== undefined) sum[name] += balance;
    }
    lines.push({
      line: line.line,
      product: line.product.id,
      name: line.product.name,
      type: line.type,
      ...sum,
    });
  }
  const { number, program, customer, authorization, license, recovery, recoveryShare } = row;
  const atRisk = (await risksOf(tx, number, nowMs)).map(viewRisk);
  return { number, program, customer, authorization, license, lines, recovery, recoveryShare, atRisk };
}

/** Says whether recovered CALs come at once, and how much of them (protocol §5.5). Refused: `agreement-unknown`. */
export async function setRecoveryPolicy(
  context: ClearinghouseContext,
  change: {
    readonly agreement: string;
    readonly policy: RecoveryPolicy;
    /** undefined: as it was. */
    readonly share?: number | undefined;
  },
): Promise<Result<AgreementView, Refusal>> {
  const { agreement, policy } = change;
  const nowMs = context.clock.nowMs();
  return context.store.write(async (tx) => {
    const present = await findAgreement(tx, agreement);
    if (present === undefined) return err({ code: 'agreement-unknown', agreement });
    const share = change.share ?? present.recoveryShare;
    if (present.recovery !== policy || present.recoveryShare !== share) {
      const rule: RecoveryRule = { policy, share };
      await setRecovery(tx, agreement, rule);
      const entry = { log: agreement, kind: 'recovery-policy', id: newId(context), at: nowMs };
      await tx.post({ ...entry, body: { ...rule } });
    }
    return viewAgreement(tx, agreement, nowMs);
  });
}

export async function showAgreement(
  context: ClearinghouseContext,
  number: string,
): Promise<Result<AgreementView, Refusal>> {
  return context.store.read((tx) => viewAgreement(tx, number, context.clock.nowMs()));
}

/** A page of agreements by number, after the number `after`. */
export async function listAgreements(
  context: ClearinghouseContext,
  page: { readonly after: string; readonly limit: number },
): Promise<{ readonly items: readonly AgreementView[]; readonly nextCursor: string | null }> {
  return context.store.read(async (tx) => {
    const rows = await pageAgreements(tx, page);
    const items: AgreementView[] = [];
    for (const row of rows) items.push(await viewOf(tx, row, context.clock.nowMs()));
    return { items, nextCursor: rows.length < page.limit ? null : (rows.at(-1)?.number ?? null) };
  });
}
