/** Kits, authorities, lines and applied reveals of a license server: plain SQL, no rules. */
import type { CalType } from '../core/product.ts';
import type { ReadTx, WriteTx } from './port.ts';

export interface KitRow {
  readonly kitId: string;
  readonly agreement: string;
  readonly document: string;
  readonly trustList: string;
}

const kitColumns = 'kit_id as "kitId", agreement, document, trust_list as "trustList"';

export async function listKits(tx: ReadTx): Promise<readonly KitRow[]> {
  return tx.all<KitRow>(`select ${kitColumns} from kits order by added_at`);
}

/** Keeps a kit; an extended kit (same id, more lines) takes the place of the older one. */
export async function saveKit(tx: WriteTx, kit: KitRow, nowMs: number): Promise<void> {
  await tx.run(
    `insert into kits (kit_id, agreement, document, trust_list, added_at) values (?, ?, ?, ?, ?)
     on conflict (kit_id) do update set document = excluded.document, trust_list = excluded.trust_list`,
    kit.kitId,
    kit.agreement,
    kit.document,
    kit.trustList,
    nowMs,
  );
}

export interface AuthorityRow {
  readonly aid: string;
  readonly agreement: string;
  readonly basis: 'slot' | 'key';
  readonly slot: number | null;
  readonly document: string;
  readonly trustList: string;
  readonly state: 'active' | 'superseded' | 'deactivated';
  readonly confirmationKey: Uint8Array;
  readonly confirmationSeq: number;
  readonly freezes: number;
  readonly releases: number;
  readonly returns: number;
  readonly horizonE: number;
  readonly horizonValue: string;
  readonly activatedAt: number;
}

const authorityColumns = `aid, agreement, basis, slot, document, trust_list as "trustList", state,
  confirmation_key as "confirmationKey", confirmation_seq as "confirmationSeq", freezes, releases, returns,
  horizon_e as "horizonE", horizon_value as "horizonValue", activated_at as "activatedAt"`;

/** All authorities but superseded ones, oldest first. */
export async function listAuthorities(tx: ReadTx): Promise<readonly AuthorityRow[]> {
  return tx.all<AuthorityRow>(
    `select ${authorityColumns} from authorities where state <> 'superseded' order by activated_at, aid`,
  );
}

/** Whether this server gives anything out under an agreement: it is activated, and not deactivated since. */
export async function isActive(tx: ReadTx, agreement: string): Promise<boolean> {
  return (await listAuthorities(tx)).some((row) => row.agreement === agreement && row.state === 'active');
}

export async function findAuthority(tx: ReadTx, aid: string): Promise<AuthorityRow | undefined> {
  return tx.get<AuthorityRow>(`select ${authorityColumns} from authorities where aid = ?`, aid);
}

export async function insertAuthority(tx: WriteTx, row: AuthorityRow): Promise<void> {
  await tx.run(
    `insert into authorities (aid, agreement, basis, slot, document, trust_list, state, confirmation_key,
       confirmation_seq, freezes, releases, returns, horizon_e, horizon_value, activated_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.aid,
    row.agreement,
    row.basis,
    row.slot,
    row.document,
    row.trustList,
    row.state,
    row.confirmationKey,
    row.confirmationSeq,
    row.freezes,
    row.releases,
    row.returns,
    row.horizonE,
    row.horizonValue,
    row.activatedAt,
  );
}

export async function setAuthorityState(
  tx: WriteTx,
  aid: string,
  state: AuthorityRow['state'],
): Promise<void> {
  await tx.run('update authorities set state = ? where aid = ?', state, aid);
}

/** Replaces the signed document of an authority (an extended kit, a renewed certificate). */
export async function setAuthorityDocument(
  tx: WriteTx,
  aid: string,
  document: { readonly text: string; readonly trustList: string },
): Promise<void> {
  await tx.run(
    'update authorities set document = ?, trust_list = ? where aid = ?',
    document.text,
    document.trustList,
    aid,
  );
}

export async function setHorizon(
  tx: WriteTx,
  aid: string,
  horizon: { readonly e: number; readonly value: string },
): Promise<void> {
  await tx.run(
    'update authorities set horizon_e = ?, horizon_value = ? where aid = ? and horizon_e < ?',
    horizon.e,
    horizon.value,
    aid,
    horizon.e,
  );
}

/** Keeps the ratchet and the counters after a confirmation was made. */
export async function saveConfirmationState(
  tx: WriteTx,
  row: Pick<AuthorityRow, 'aid' | 'confirmationKey' | 'confirmationSeq' | 'freezes' | 'releases' | 'returns'>,
): Promise<void> {
  await tx.run(
    `update authorities set confirmation_key = ?, confirmation_seq = ?, freezes = ?, releases = ?, returns = ?
     where aid = ?`,
    row.confirmationKey,
    row.confirmationSeq,
    row.freezes,
    row.releases,
    row.returns,
    row.aid,
  );
}

export interface LineRow {
  readonly id: number;
  readonly agreement: string;
  readonly line: number;
  readonly aid: string;
  readonly product: string;
  readonly productName: string;
  readonly family: string;
  readonly version: number;
  readonly type: CalType;
  readonly openUnits: number;
  readonly freeK: number;
  readonly freeValue: string;
  readonly heldK: number;
  readonly heldValue: string;
  readonly lastUnit: number;
  /** Until when no license of it lapses: a telephone move took a part, and who its holders are nobody knows. 0: there was none. */
  readonly namelessUntil: number;
}

const lineColumns = `id, agreement, line, aid, product, product_name as "productName", family, version, type,
  open_units as "openUnits", free_k as "freeK", free_value as "freeValue", held_k as "heldK",
  held_value as "heldValue", last_unit as "lastUnit", coalesce(nameless_until, 0) as "namelessUntil"`;

export async function listLines(tx: ReadTx): Promise<readonly LineRow[]> {
  return tx.all<LineRow>(`select ${lineColumns} from lines order by agreement, line`);
}

export async function linesOfAgreement(tx: ReadTx, agreement: string): Promise<readonly LineRow[]> {
  return tx.all<LineRow>(`select ${lineColumns} from lines where agreement = ? order by line`, agreement);
}

export async function findLine(tx: ReadTx, agreement: string, line: number): Promise<LineRow | undefined> {
  return tx.get<LineRow>(
    `select ${lineColumns} from lines where agreement = ? and line = ?`,
    agreement,
    line,
  );
}

export async function findLineById(tx: ReadTx, id: number): Promise<LineRow | undefined> {
  return tx.get<LineRow>(`select ${lineColumns} from lines where id = ?`, id);
}

/** What `saveLine` writes; the rest of a line comes with what is done with it. */
export type NewLine = Omit<LineRow, 'id' | 'lastUnit' | 'namelessUntil'>;

/** Adds a line, or moves a known one to a new authority with its chains started afresh. */
export async function saveLine(tx: WriteTx, row: NewLine): Promise<void> {
  await tx.run(
    `insert into lines (agreement, line, aid, product, product_name, family, version, type, open_units,
       free_k, free_value, held_k, held_value, last_unit)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)
     on conflict (agreement, line) do update set aid = excluded.aid, open_units = excluded.open_units,
       free_k = excluded.free_k, free_value = excluded.free_value, held_k = excluded.held_k,
       held_value = excluded.held_value`,
    row.agreement,
    row.line,
    row.aid,
    row.product,
    row.productName,
    row.family,
    row.version,
    row.type,
    row.openUnits,
    row.freeK,
    row.freeValue,
    row.heldK,
    row.heldValue,
  );
}

export async function advanceChain(
  tx: WriteTx,
  change: {
    readonly lineId: number;
    readonly chain: 'free' | 'held';
    readonly k: number;
    readonly value: string;
    readonly lastUnit: number;
  },
): Promise<void> {
  const columns = change.chain === 'free' ? 'free_k = ?, free_value = ?' : 'held_k = ?, held_value = ?';
  await tx.run(
    `update lines set ${columns}, last_unit = ? where id = ?`,
    change.k,
    change.value,
    change.lastUnit,
    change.lineId,
  );
}

export interface AppliedReveal {
  readonly aid: string;
  readonly chain: number;
  readonly k: number;
  readonly value: string;
  readonly added: number;
  readonly installed: number;
  readonly at: number;
}

export async function findAppliedReveal(
  tx: ReadTx,
  of: Pick<AppliedReveal, 'aid' | 'chain' | 'value'>,
): Promise<AppliedReveal | undefined> {
  return tx.get<AppliedReveal>(
    'select aid, chain, k, value, added, installed, at from applied_reveals where aid = ? and chain = ? and value = ?',
    of.aid,
    of.chain,
    of.value,
  );
}

/** The first position above `k` that a code or a message has brought a chain to. */
export async function findOvertaking(
  tx: ReadTx,
  { aid, chain, k }: Pick<AppliedReveal, 'aid' | 'chain' | 'k'>,
): Promise<AppliedReveal | undefined> {
  return tx.get<AppliedReveal>(
    `select aid, chain, k, value, added, installed, at from applied_reveals
     where aid = ? and chain = ? and k > ? order by k limit 1`,
    aid,
    chain,
    k,
  );
}

export async function insertAppliedReveal(tx: WriteTx, row: AppliedReveal): Promise<void> {
  await tx.run(
    'insert into applied_reveals (aid, chain, k, value, added, installed, at) values (?, ?, ?, ?, ?, ?, ?)',
    row.aid,
    row.chain,
    row.k,
    row.value,
    row.added,
    row.installed,
    row.at,
  );
}

export async function setLastUnit(tx: WriteTx, lineId: number, lastUnit: number): Promise<void> {
  await tx.run('update lines set last_unit = ? where id = ?', lastUnit, lineId);
}
