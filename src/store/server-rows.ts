/** Moves, requests, confirmations, peers and events of a license server: plain SQL, no rules. */
import type { ConfirmationKind } from '../core/confirmation.ts';
import type { CalType } from '../core/product.ts';
import type { ReadTx, WriteTx } from './port.ts';

export interface ServerMoveRow {
  readonly id: string;
  readonly role: 'source' | 'target';
  readonly carrier: 'online' | 'telephone';
  readonly agreement: string;
  readonly line: number;
  readonly product: string;
  readonly type: CalType;
  readonly quantity: number | 'all';
  readonly source: string;
  readonly target: string;
  readonly state: string;
  readonly unissued: number;
  readonly held: number;
  /** How much of `held` was reserved and quarantined; the rest was issued. */
  readonly reserved: number;
  readonly quarantined: number;
  readonly hold: boolean;
  readonly startedAt: number;
  readonly updatedAt: number;
}

type StoredMove = Omit<ServerMoveRow, 'quantity' | 'hold'> & { quantity: number; hold: number };

/** -1 stands for `all` in the database. */
const everything = -1;

function moveOf(row: StoredMove): ServerMoveRow {
  return { ...row, quantity: row.quantity === everything ? 'all' : row.quantity, hold: row.hold === 1 };
}

const moveColumns = `id, role, carrier, agreement, line, product, type, quantity, source, target, state, unissued,
  held, reserved, quarantined, hold, started_at as "startedAt", updated_at as "updatedAt"`;

export async function findServerMove(tx: ReadTx, id: string): Promise<ServerMoveRow | undefined> {
  const row = await tx.get<StoredMove>(`select ${moveColumns} from moves where id = ?`, id);
  return row && moveOf(row);
}

export async function listServerMoves(tx: ReadTx): Promise<readonly ServerMoveRow[]> {
  const rows = await tx.all<StoredMove>(`select ${moveColumns} from moves order by started_at, id`);
  return rows.map(moveOf);
}

/** Moves whose other end, or the clearinghouse, is still waited for, oldest first. */
export async function openServerMoves(tx: ReadTx): Promise<readonly ServerMoveRow[]> {
  const rows = await tx.all<StoredMove>(
    `select ${moveColumns} from moves where state in ('requested', 'dead-wait', 'frozen', 'provisional', 'final')
     order by started_at, id`,
  );
  return rows.map(moveOf);
}

/** One move of a line in a certain state, if any. `state` is a condition of this file. */
async function moveOnLine(
  tx: ReadTx,
  of: { readonly agreement: string; readonly line: number },
  state: string,
): Promise<ServerMoveRow | undefined> {
  const row = await tx.get<StoredMove>(
    `select ${moveColumns} from moves where agreement = ? and line = ? and ${state}`,
    of.agreement,
    of.line,
  );
  return row && moveOf(row);
}

/** The freeze that is open on a line, if any: at most one (protocol §2.4, rule 6). */
export function openFreeze(tx: ReadTx, agreement: string, line: number): Promise<ServerMoveRow | undefined> {
  return moveOnLine(tx, { agreement, line }, `role = 'source' and state = 'frozen'`);
}

/** A move out of here that is asked for, and has frozen nothing yet, if any. */
export function requestedMove(
  tx: ReadTx,
  agreement: string,
  line: number,
): Promise<ServerMoveRow | undefined> {
  return moveOnLine(tx, { agreement, line }, `role = 'source' and state = 'requested'`);
}

/** A move to this server that is not final yet, if any. */
export function provisionalMove(
  tx: ReadTx,
  agreement: string,
  line: number,
): Promise<ServerMoveRow | undefined> {
  return moveOnLine(tx, { agreement, line }, `role = 'target' and state = 'provisional'`);
}

/** A move to this server whose holders its source still renews: it has not given them up, as far as is known here. */
export function sharedMove(tx: ReadTx, agreement: string, line: number): Promise<ServerMoveRow | undefined> {
  return moveOnLine(tx, { agreement, line }, `role = 'target' and state = 'final' and held > 0`);
}

/** The last move that has taken units in quarantine along. */
export function moveOfQuarantined(
  tx: ReadTx,
  agreement: string,
  line: number,
): Promise<ServerMoveRow | undefined> {
  const order = 'order by started_at desc, id desc limit 1';
  return moveOnLine(
    tx,
    { agreement, line },
    `role = 'source' and state = 'closed' and quarantined > 0 ${order}`,
  );
}

/** The last move of a line that has changed something here: out of this server, or to it. */
export async function newestMove(
  tx: ReadTx,
  agreement: string,
  line: number,
): Promise<ServerMoveRow | undefined> {
  const row = await tx.get<StoredMove>(
    `select ${moveColumns} from moves
     where agreement = ? and line = ? and (role = 'source' and state in ('frozen', 'closed')
       or role = 'target' and state in ('provisional', 'final', 'closed'))
     order by started_at desc, id desc limit 1`,
    agreement,
    line,
  );
  return row && moveOf(row);
}

/** The moves by telephone whose CALs left with one code of a deactivation. */
export async function releasedAt(
  tx: ReadTx,
  code: { readonly agreement: string; readonly at: number },
): Promise<readonly string[]> {
  const rows = await tx.all<{ id: string }>(
    `select id from moves where role = 'source' and carrier = 'telephone' and state = 'closed'
       and agreement = ? and updated_at = ?`,
    code.agreement,
    code.at,
  );
  return rows.map(({ id }) => id);
}

export async function insertServerMove(tx: WriteTx, row: ServerMoveRow): Promise<void> {
  await tx.run(
    `insert into moves (id, role, carrier, agreement, line, product, type, quantity, source, target, state,
       unissued, held, reserved, quarantined, hold, started_at, updated_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.id,
    row.role,
    row.carrier,
    row.agreement,
    row.line,
    row.product,
    row.type,
    row.quantity === 'all' ? everything : row.quantity,
    row.source,
    row.target,
    row.state,
    row.unissued,
    row.held,
    row.reserved,
    row.quarantined,
    row.hold ? 1 : 0,
    row.startedAt,
    row.updatedAt,
  );
}

export async function updateServerMove(tx: WriteTx, row: ServerMoveRow): Promise<void> {
  await tx.run(
    `update moves set state = ?, unissued = ?, held = ?, reserved = ?, quarantined = ?, hold = ?, updated_at = ?
     where id = ?`,
    row.state,
    row.unissued,
    row.held,
    row.reserved,
    row.quarantined,
    row.hold ? 1 : 0,
    row.updatedAt,
    row.id,
  );
}

export interface RequestRow {
  readonly id: string;
  readonly kind: string;
  readonly ask: string;
  readonly state: 'waiting' | 'done' | 'refused';
  readonly answer: string | null;
  readonly at: number;
}

const requestColumns = 'id, kind, ask, state, answer, at';

export async function findRequest(tx: ReadTx, id: string): Promise<RequestRow | undefined> {
  return tx.get<RequestRow>(`select ${requestColumns} from requests where id = ?`, id);
}

/** The same thing, asked before and still without an answer. */
/** All that is asked for and not answered yet. */
export async function waitingRequests(
  tx: ReadTx,
): Promise<readonly { readonly id: string; readonly kind: string }[]> {
  return tx.all("select id, kind from requests where state = 'waiting' order by at, id");
}

export async function waitingRequest(tx: ReadTx, kind: string, ask: string): Promise<RequestRow | undefined> {
  return tx.get<RequestRow>(
    `select ${requestColumns} from requests where kind = ? and ask = ? and state = 'waiting'`,
    kind,
    ask,
  );
}

/** What was asked last of a kind, whatever has become of it. */
export async function newestRequest(tx: ReadTx, kind: string): Promise<RequestRow | undefined> {
  return tx.get<RequestRow>(
    `select ${requestColumns} from requests where kind = ? order by at desc, id desc limit 1`,
    kind,
  );
}

/** Whether anything of a kind was asked for and not answered yet. */
export async function isWaiting(tx: ReadTx, kind: string): Promise<boolean> {
  const row = await tx.get<{ id: string }>(
    `select id from requests where kind = ? and state = 'waiting' limit 1`,
    kind,
  );
  return row !== undefined;
}

export async function insertRequest(
  tx: WriteTx,
  row: Pick<RequestRow, 'id' | 'kind' | 'ask' | 'at'>,
): Promise<void> {
  await tx.run(
    `insert into requests (id, kind, ask, state, at) values (?, ?, ?, 'waiting', ?)`,
    row.id,
    row.kind,
    row.ask,
    row.at,
  );
}

export async function settleRequest(
  tx: WriteTx,
  row: { readonly id: string; readonly state: 'done' | 'refused'; readonly answer: string },
): Promise<void> {
  await tx.run(
    `update requests set state = ?, answer = ? where id = ? and state = 'waiting'`,
    row.state,
    row.answer,
    row.id,
  );
}

export interface ConfirmationRow {
  readonly aid: string;
  readonly agreement: string;
  readonly seq: number;
  readonly kind: ConfirmationKind;
  readonly line: number;
  readonly unissued: number;
  readonly held: number;
  readonly move: string | null;
  readonly code: string;
  readonly at: number;
}

export async function insertConfirmation(tx: WriteTx, row: ConfirmationRow): Promise<void> {
  await tx.run(
    `insert into confirmations (aid, agreement, seq, kind, line, unissued, held, move, code, at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.aid,
    row.agreement,
    row.seq,
    row.kind,
    row.line,
    row.unissued,
    row.held,
    row.move,
    row.code,
    row.at,
  );
}

/** The confirmations of an agreement, newest first. */
export async function listConfirmations(
  tx: ReadTx,
  agreement: string,
  kind: ConfirmationKind,
): Promise<readonly ConfirmationRow[]> {
  return tx.all<ConfirmationRow>(
    `select aid, agreement, seq, kind, line, unissued, held, move, code, at from confirmations
     where agreement = ? and kind = ? order by id desc`,
    agreement,
    kind,
  );
}

export interface PeerRow {
  readonly licenseServerId: string;
  readonly name: string | null;
  readonly url: string | null;
}

export async function listPeers(tx: ReadTx): Promise<readonly PeerRow[]> {
  return tx.all<PeerRow>(
    'select license_server_id as "licenseServerId", name, url from peers order by license_server_id',
  );
}

export async function findPeer(tx: ReadTx, licenseServerId: string): Promise<PeerRow | undefined> {
  return tx.get<PeerRow>(
    'select license_server_id as "licenseServerId", name, url from peers where license_server_id = ?',
    licenseServerId,
  );
}

/** Remembers another license server by its id, so that a code meant for it is recognized. */
export async function savePeer(tx: WriteTx, peer: PeerRow): Promise<void> {
  await tx.run(
    `insert into peers (license_server_id, name, url) values (?, ?, ?)
     on conflict (license_server_id) do update set name = coalesce(excluded.name, peers.name),
       url = coalesce(excluded.url, peers.url)`,
    peer.licenseServerId,
    peer.name,
    peer.url,
  );
}

export interface EventRow {
  readonly position: number;
  readonly number: number;
  readonly level: string;
  readonly at: number;
  readonly data: string;
}

export async function insertEvent(tx: WriteTx, row: Omit<EventRow, 'position'>): Promise<void> {
  await tx.run(
    'insert into events (number, level, at, data) values (?, ?, ?, ?)',
    row.number,
    row.level,
    row.at,
    row.data,
  );
}

/** A page of the System log, oldest first, after the position `after`. */
export async function pageEvents(
  tx: ReadTx,
  page: { readonly after: number; readonly limit: number },
): Promise<readonly EventRow[]> {
  return tx.all<EventRow>(
    'select id as position, number, level, at, data from events where id > ? order by id limit ?',
    page.after,
    page.limit,
  );
}

/** When an event of this number was last written, or 0. */
export async function lastEventAt(tx: ReadTx, number: number): Promise<number> {
  const row = await tx.get<{ at: number | null }>(
    'select max(at) as at from events where number = ?',
    number,
  );
  return row?.at ?? 0;
}

/** Marks a message of the clearinghouse as applied, to be told at the next contact. */
export async function noteApplied(tx: WriteTx, id: string): Promise<void> {
  await tx.run('insert into applied_messages (id) values (?) on conflict (id) do nothing', id);
}

/** What is still to be told, now to be told by this contact. */
export async function tellApplied(tx: WriteTx, contact: string): Promise<readonly string[]> {
  await tx.run('update applied_messages set contact = ?', contact);
  const rows = await tx.all<{ id: string }>('select id from applied_messages order by id');
  return rows.map((row) => row.id);
}

/** A contact was received: what it told need not be told again. */
export async function forgetApplied(tx: WriteTx, contact: string): Promise<void> {
  await tx.run('delete from applied_messages where contact = ?', contact);
}
