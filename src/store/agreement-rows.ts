/** Products, agreements, lines, kits and slots of the clearinghouse: plain SQL, no rules. */
import type { CalType, Product } from '../core/product.ts';
import type { RecoveryPolicy, RecoveryRule } from '../core/recovery.ts';
import type { ReadTx, WriteTx } from './port.ts';

export async function findProduct(tx: ReadTx, id: string): Promise<Product | undefined> {
  return tx.get<Product>('select id, name, family, version from products where id = ?', id);
}

export async function listProducts(tx: ReadTx): Promise<readonly Product[]> {
  return tx.all<Product>('select id, name, family, version from products order by family, version, id');
}

export async function insertProduct(tx: WriteTx, product: Product, nowMs: number): Promise<void> {
  await tx.run(
    'insert into products (id, name, family, version, added_at) values (?, ?, ?, ?, ?)',
    product.id,
    product.name,
    product.family,
    product.version,
    nowMs,
  );
}

export interface AgreementRow {
  readonly number: string;
  readonly program: string;
  readonly customer: string;
  readonly authorization: string | null;
  readonly license: string | null;
  /** base64url, 16 bytes: holders are pseudonyms under it. */
  readonly salt: string;
  readonly addedAt: number;
  /** Whether recovered CALs come at once, and how much of what is unissued, in percent (protocol §5.5). */
  readonly recovery: RecoveryPolicy;
  readonly recoveryShare: number;
}

const agreementColumns = `number, program, customer, authorization_number as "authorization",
  license_number as "license", salt, added_at as "addedAt", recovery, recovery_share as "recoveryShare"`;

export async function findAgreement(tx: ReadTx, number: string): Promise<AgreementRow | undefined> {
  return tx.get<AgreementRow>(`select ${agreementColumns} from agreements where number = ?`, number);
}

export async function pageAgreements(
  tx: ReadTx,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly AgreementRow[]> {
  return tx.all<AgreementRow>(
    `select ${agreementColumns} from agreements where number > ? order by number limit ?`,
    page.after,
    page.limit,
  );
}

export async function insertAgreement(
  tx: WriteTx,
  row: Omit<AgreementRow, 'recovery' | 'recoveryShare'>,
): Promise<void> {
  await tx.run(
    `insert into agreements (number, program, customer, authorization_number, license_number, salt, added_at)
     values (?, ?, ?, ?, ?, ?, ?)`,
    row.number,
    row.program,
    row.customer,
    row.authorization,
    row.license,
    row.salt,
    row.addedAt,
  );
}

export async function setRecovery(
  tx: WriteTx,
  number: string,
  { policy, share }: RecoveryRule,
): Promise<void> {
  const set = 'update agreements set recovery = ?, recovery_share = ? where number = ?';
  await tx.run(set, policy, share, number);
}

export interface AgreementLineRow {
  readonly agreement: string;
  readonly line: number;
  readonly type: CalType;
  readonly product: Product;
}

type StoredLine = { agreement: string; line: number; type: CalType } & Product;

/** The lines of an agreement in their numbering. */
export async function agreementLines(tx: ReadTx, agreement: string): Promise<readonly AgreementLineRow[]> {
  const rows = await tx.all<StoredLine>(
    `select n.agreement, n.line, n.type, p.id, p.name, p.family, p.version
     from lines n join products p on p.id = n.product where n.agreement = ? order by n.line`,
    agreement,
  );
  return rows.map(({ agreement: number, line, type, ...product }) => ({
    agreement: number,
    line,
    type,
    product,
  }));
}

export async function insertAgreementLine(
  tx: WriteTx,
  row: {
    readonly agreement: string;
    readonly line: number;
    readonly product: string;
    readonly type: CalType;
  },
): Promise<void> {
  await tx.run(
    'insert into lines (agreement, line, product, type) values (?, ?, ?, ?)',
    row.agreement,
    row.line,
    row.product,
    row.type,
  );
}

export interface KitRecord {
  readonly kitId: string;
  readonly agreement: string;
  readonly firstSlot: number;
  readonly slots: number;
  readonly baseMonth: number;
  readonly sunsetMonths: number;
  /** How many lines of the agreement the document covers. */
  readonly lines: number;
  readonly document: string;
  readonly madeAt: number;
}

const kitColumns = `kit_id as "kitId", agreement, first_slot as "firstSlot", slots, base_month as "baseMonth",
  sunset_months as "sunsetMonths", lines, document, made_at as "madeAt"`;

export async function agreementKits(tx: ReadTx, agreement: string): Promise<readonly KitRecord[]> {
  return tx.all<KitRecord>(
    `select ${kitColumns} from kits where agreement = ? order by first_slot`,
    agreement,
  );
}

export async function findKit(tx: ReadTx, kitId: string): Promise<KitRecord | undefined> {
  return tx.get<KitRecord>(`select ${kitColumns} from kits where kit_id = ?`, kitId);
}

export async function saveKitRecord(tx: WriteTx, kit: KitRecord): Promise<void> {
  await tx.run(
    `insert into kits (kit_id, agreement, first_slot, slots, base_month, sunset_months, lines, document, made_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?)
     on conflict (kit_id) do update set lines = excluded.lines, document = excluded.document`,
    kit.kitId,
    kit.agreement,
    kit.firstSlot,
    kit.slots,
    kit.baseMonth,
    kit.sunsetMonths,
    kit.lines,
    kit.document,
    kit.madeAt,
  );
}

export interface SlotRow {
  readonly agreement: string;
  readonly slot: number;
  readonly kitId: string;
  readonly licenseServerId: string;
}

export async function agreementSlots(tx: ReadTx, agreement: string): Promise<readonly SlotRow[]> {
  return tx.all<SlotRow>(
    `select agreement, slot, kit_id as "kitId", license_server_id as "licenseServerId"
     from slots where agreement = ? order by slot`,
    agreement,
  );
}

export async function insertSlot(tx: WriteTx, row: SlotRow): Promise<void> {
  await tx.run(
    'insert into slots (agreement, slot, kit_id, license_server_id) values (?, ?, ?, ?)',
    row.agreement,
    row.slot,
    row.kitId,
    row.licenseServerId,
  );
}
