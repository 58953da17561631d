/** What a license server is and has, and its lists: nothing here changes anything. */

import { base64url } from '../../core/bytes.ts';
import { renderEvent } from '../../core/event.ts';
import type { CalType } from '../../core/product.ts';
import { horizonWarning } from '../../core/standing.ts';
import { isoDate, isoTime } from '../../core/time.ts';
import type { LastBackup } from '../../store/backup-rows.ts';
import { readLastBackup } from '../../store/backup-rows.ts';
import { countGaps } from '../../store/gap-rows.ts';
import { countTemporaries, pageLicenses } from '../../store/license-rows.ts';
import { readMeta } from '../../store/meta-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { listAuthorities, listKits, listLines } from '../../store/server-authority-rows.ts';
import { openServerMoves, pageEvents } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { keptUntil } from './kept-until.ts';
import { accountsOf } from './license-token.ts';
import type { MoveView } from './move-view.ts';
import { viewMove } from './move-view.ts';
import type { Ahead, Past } from './past.ts';
import type { SuccessionView } from './recover.ts';
import { viewSuccessions } from './recover.ts';
import type { ServerFacts } from './server-facts.ts';
import { activationOf, readFacts, standingOf } from './server-facts.ts';
import type { InstallationMethod } from './settings.ts';
import { readAddress, readMethod } from './settings.ts';
import type { AtOnceView } from './suspend.ts';
import { viewAtOnce } from './suspend.ts';

export type PackView = {
  readonly agreement: string;
  readonly product: string;
  readonly name: string;
  readonly type: CalType;
  readonly installed: number;
  readonly issued: number;
  readonly unissued: number;
  readonly held: number;
  readonly reserved: number;
  readonly quarantined: number;
  /** Until when what holders leave or give back is given to nobody else; null: at once to whoever asks. */
  readonly keptUntil: string | null;
};

export type OpenMove = Pick<
  MoveView,
  'id' | 'role' | 'product' | 'type' | 'state' | 'ageDays' | 'reminder' | 'awaited'
>;

export type StatusView = {
  readonly licenseServerId: string;
  readonly publicKey: string;
  readonly name: string;
  readonly publisher: string;
  readonly activation: ServerFacts['activation'];
  readonly generation: number;
  readonly method: InstallationMethod;
  readonly clearinghouseUrl: string | null;
  /** Where clients reach it, as it was set. */
  readonly address: string | null;
  readonly assurance: 'none' | 'slot' | 'key';
  readonly horizon: string | null;
  readonly horizonWarning: string;
  readonly agreements: readonly {
    readonly agreement: string;
    readonly assurance: 'slot' | 'key';
    readonly state: string;
    readonly horizon: string | null;
  }[];
  readonly kits: readonly string[];
  readonly packs: readonly PackView[];
  readonly temporary: number;
  /** Moves that are not over, and wait for somebody. */
  readonly openMoves: readonly OpenMove[];
  /** Gap licenses of holders of a server that no longer functions (protocol §1.5). */
  readonly gap: number;
  readonly lastContactAt: string | null;
  readonly lastBackup: LastBackup | null;
  /** An older database was put back, or its past is in doubt (protocol §5.2); null: neither. */
  readonly past: PastView | null;
  /** Servers in whose place this one has come (protocol §5.5), oldest first. */
  readonly successions: readonly SuccessionView[];
  /** What came from them before their horizon had passed, as long as it may have a second holder. */
  readonly atRisk: readonly AtOnceView[];
};

export type PastView = {
  readonly state: Past['state'];
  readonly since: string;
  /** Until when licenses may run of which nobody knows here. */
  readonly until: string;
  /** Why its past is in doubt. */
  readonly reason: string | null;
  /** What the clearinghouse has answered: whether it has seen more; null: nothing yet. */
  readonly answer: { readonly ahead: Ahead | null } | null;
};

export async function readStatus(context: ServerContext): Promise<StatusView> {
  return context.store.read(async (tx) => {
    const facts = await readFacts(context, tx);
    const nowMs = context.clock.nowMs();
    const agreements = [...facts.authorities.values()].map((authority) => ({
      agreement: authority.row.agreement,
      assurance: authority.row.basis,
      state: authority.row.state,
      horizonMs: standingOf(authority, nowMs).horizonMs,
      warning: horizonWarning(standingOf(authority, nowMs), nowMs, authority.row.activatedAt),
    }));
    const active = agreements.filter((row) => row.state === 'active');
    const earliest = active
      .map((row) => row.horizonMs)
      .filter((ms) => ms !== null)
      .sort((a, b) => a - b)[0];
    const url = await readMeta(tx, 'clearinghouseUrl');
    return {
      licenseServerId: context.licenseServerId,
      publicKey: base64url(context.key.publicKey),
      name: context.name,
      publisher: context.publisher,
      activation: facts.activation,
      generation: facts.generation,
      method: await readMethod(tx),
      clearinghouseUrl: url === undefined || url === '' ? null : url,
      address: await readAddress(tx),
      assurance: assuranceOf(active.map((row) => row.assurance)),
      horizon: earliest === undefined ? null : isoDate(earliest),
      horizonWarning: active.map((row) => row.warning).find((warning) => warning !== 'none') ?? 'none',
      agreements: agreements.map(({ agreement, assurance, state, horizonMs }) => ({
        agreement,
        assurance,
        state,
        horizon: horizonMs === null ? null : isoDate(horizonMs),
      })),
      kits: (await listKits(tx)).map((kit) => kit.agreement),
      packs: await packsOf(tx, facts.lines, nowMs),
      temporary: await countTemporaries(tx, null, nowMs),
      openMoves: await openMovesOf(context, tx),
      gap: await countGaps(tx, nowMs),
      lastContactAt: await lastContactOf(tx),
      lastBackup: await readLastBackup(tx),
      past: pastView(facts.past),
      successions: await viewSuccessions(context, tx),
      atRisk: await viewAtOnce(tx, nowMs),
    };
  });
}

function pastView(past: Past | null): PastView | null {
  if (past === null) return null;
  const { state, sinceMs, untilMs } = past;
  const doubt = state === 'doubted' ? past : { reason: null, answer: null };
  const { reason, answer } = doubt;
  const told = answer && { ahead: answer.ahead };
  return { state, since: isoTime(sinceMs), until: isoTime(untilMs), reason, answer: told };
}

async function openMovesOf(context: ServerContext, tx: ReadTx): Promise<readonly OpenMove[]> {
  const moves: OpenMove[] = [];
  for (const move of await openServerMoves(tx)) {
    moves.push(openMoveOf(await viewMove(context, tx, { move, resumed: true })));
  }
  return moves;
}

/**
 * Which server this is, as `/health` and `/v1/identity` show it. Monitors ask again and again, and anybody
 * may: it is looked up, and none of the facts are built for it, which open every document of the server.
 */
export async function readIdentity(
  context: ServerContext,
): Promise<Pick<StatusView, 'licenseServerId' | 'name' | 'publisher' | 'activation' | 'lastContactAt'>> {
  const { licenseServerId, name, publisher } = context;
  return context.store.read(async (tx) => ({
    ...{ licenseServerId, name, publisher },
    activation: activationOf(await listAuthorities(tx)),
    lastContactAt: await lastContactOf(tx),
  }));
}

function openMoveOf({ id, role, product, type, state, ageDays, reminder, awaited }: MoveView): OpenMove {
  return { id, role, product, type, state, ageDays, reminder, awaited };
}

async function lastContactOf(tx: ReadTx): Promise<string | null> {
  const lastContact = await readMeta(tx, 'lastContactAt');
  return lastContact === undefined ? null : isoTime(Number(lastContact));
}

/** The weakest of the agreements in force: one open slot is enough for somebody else's key. */
function assuranceOf(bases: readonly ('slot' | 'key')[]): StatusView['assurance'] {
  if (bases.length === 0) return 'none';
  return bases.every((basis) => basis === 'key') ? 'key' : 'slot';
}

/** The counts of each line that has ever had a CAL, from the books. */
export async function packsOf(
  tx: ReadTx,
  lines: readonly LineRow[],
  nowMs: number,
): Promise<readonly PackView[]> {
  const packs: PackView[] = [];
  for (const line of lines) {
    const accounts = accountsOf(line);
    const installed = await tx.balance(accounts.installed);
    if (installed === 0 && line.freeK + line.heldK + line.openUnits === 0) continue;
    packs.push({
      agreement: line.agreement,
      product: line.product,
      name: line.productName,
      type: line.type,
      installed,
      issued: await tx.balance(accounts.issued),
      unissued: await tx.balance(accounts.unissued),
      held: await tx.balance(accounts.held),
      reserved: await tx.balance(accounts.reserved),
      quarantined: await tx.balance(accounts.quarantined),
      keptUntil: await keptUntil(tx, line, nowMs),
    });
  }
  return packs;
}

export async function listPacks(context: ServerContext): Promise<readonly PackView[]> {
  const nowMs = context.clock.nowMs();
  return context.store.read(async (tx) => packsOf(tx, await listLines(tx), nowMs));
}

interface Page {
  /** The last position of the page before, as a text; empty for the first page. */
  readonly cursor: string;
  readonly limit: number;
}

export type LicenseView = {
  readonly product: string;
  readonly type: string;
  readonly holder: string;
  readonly unit: number;
  readonly origin: string;
  readonly state: string;
  readonly issuedAt: string;
  readonly renewedAt: string;
  readonly expiresAt: string;
  /** Until when its CAL is nobody else's, where that is longer than the license lasts; null: it is not. */
  readonly keptUntil: string | null;
};

export async function listLicenses(
  context: ServerContext,
  page: Page,
): Promise<{ readonly items: readonly LicenseView[]; readonly nextCursor: string | null }> {
  const rows = await context.store.read((tx) =>
    pageLicenses(tx, { after: positionOf(page.cursor), limit: page.limit }),
  );
  const items = rows.map(({ id: _, leaseEnd, ...row }) => ({
    ...row,
    issuedAt: isoTime(row.issuedAt),
    renewedAt: isoTime(row.renewedAt),
    expiresAt: isoTime(row.expiresAt),
    keptUntil: leaseEnd > row.expiresAt ? isoTime(leaseEnd) : null,
  }));
  return { items, nextCursor: rows.length < page.limit ? null : String(rows.at(-1)?.id ?? '') };
}

export type EventView = {
  readonly id: number;
  readonly at: string;
  readonly level: string;
  readonly text: string;
  readonly data: Record<string, unknown>;
};

export async function listEvents(
  context: ServerContext,
  page: Page,
): Promise<{ readonly items: readonly EventView[]; readonly nextCursor: string | null }> {
  const rows = await context.store.read((tx) =>
    pageEvents(tx, { after: positionOf(page.cursor), limit: page.limit }),
  );
  const items = rows.map((row) => {
    const data = JSON.parse(row.data) as Parameters<typeof renderEvent>[1];
    return {
      id: row.number,
      at: isoTime(row.at),
      level: row.level,
      text: renderEvent(row.number, data),
      data,
    };
  });
  return { items, nextCursor: rows.length < page.limit ? null : String(rows.at(-1)?.position ?? '') };
}

/** Cursors are positions; anything else starts at the beginning. */
function positionOf(cursor: string): number {
  return /^\d{1,15}$/.test(cursor) ? Number(cursor) : 0;
}
