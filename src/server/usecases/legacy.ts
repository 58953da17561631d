/**
 * What a new license server takes over from the database of the one in whose place it comes (protocol §5.5): its settings,
 * and the holders whom it knew. Its books it does not take over: they say what was, and only the clearinghouse what is.
 */
import { firstBytes, hex } from '../../core/bytes.ts';
import { opensAtMs } from '../../core/dead-source.ts';
import type { LostLine, RecoveryReason, SuccessionCause } from '../../core/recovery.ts';
import { ok } from '../../core/result.ts';
import { standing } from '../../core/standing.ts';
import { authorityOf } from '../../protocol/authority.ts';
import type { LegacyHolder } from '../../store/legacy-rows.ts';
import {
  countRestored,
  holderPages,
  insertTemporaries,
  listTemporaries,
  readPeers,
  takenSettings,
} from '../../store/legacy-rows.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { ReadTx, Store, WriteTx } from '../../store/port.ts';
import type { PredecessorRow } from '../../store/predecessor-rows.ts';
import { insertPredecessor, insertRestored } from '../../store/predecessor-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { listAuthorities, listKits, listLines, saveKit } from '../../store/server-authority-rows.ts';
import { savePeer } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { noteEvent } from './events.ts';
import { accountsOf, serverLog } from './license-token.ts';

/** So many rows of the one database are written to the other at once. */
const pageRows = 2000;

/** The License Server ID of the server that a database belongs to: its journal begins with it. */
export async function ownerOf(tx: ReadTx): Promise<string | undefined> {
  const [made] = await tx.journal(serverLog, 0, 1);
  if (made === undefined) return undefined;
  const { body } = JSON.parse(made.text) as { readonly body: { readonly licenseServerId?: unknown } };
  return typeof body.licenseServerId === 'string' ? body.licenseServerId : undefined;
}

export interface Succession {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly cause: SuccessionCause;
  readonly reason: RecoveryReason;
  readonly aside: string;
  readonly proof: string | null;
}

type Needs = Pick<ServerContext, 'clock' | 'digest'>;

/** Settings, kits and the like, which are no more than they were typed in with. */
export async function takeSettings(context: Needs, old: Store, next: Store): Promise<void> {
  const nowMs = context.clock.nowMs();
  const found = await old.read(async (tx) => {
    const settings: (readonly [string, string])[] = [];
    for (const key of takenSettings) {
      const value = await readMeta(tx, key);
      if (value !== undefined) settings.push([key, value]);
    }
    const [kits, peers] = [await listKits(tx), await readPeers(tx)];
    return { settings, kits, peers };
  });
  await next.write(async (tx) => {
    for (const [key, value] of found.settings) await writeMeta(tx, key, value);
    for (const kit of found.kits) await saveKit(tx, kit, nowMs);
    for (const peer of found.peers) await savePeer(tx, peer);
    return ok(null);
  });
  await eachPage(old, listTemporaries, async (rows) => {
    await next.write(async (tx) => {
      const head = await tx.head(serverLog);
      const marks = { generation: 1, logSize: head.size, logRoot: hex(firstBytes(head.root, 6)) };
      await insertTemporaries(tx, rows, marks);
      return ok(null);
    });
  });
}

/** Hands over all rows of a database, so many at a time. */
async function eachPage<Row extends { readonly id: number }>(
  old: Store,
  page: (tx: ReadTx, of: { readonly after: number; readonly limit: number }) => Promise<readonly Row[]>,
  work: (rows: readonly Row[]) => Promise<void>,
): Promise<void> {
  let after = 0;
  for (;;) {
    const rows = await old.read((tx) => page(tx, { after, limit: pageRows }));
    if (rows.length === 0) return;
    await work(rows);
    after = rows.at(-1)?.id ?? after;
  }
}

/** The holders, page by page; answers what the old books say of each line. */
export async function takeHolders(
  context: Needs,
  of: { readonly old: Store; readonly next: Store; readonly from: string },
): Promise<readonly LostLine[]> {
  const { old, next, from } = of;
  const { lines, untils } = await old.read(async (tx) => ({
    lines: await listLines(tx),
    untils: await leaseEnds(context, tx),
  }));
  for (const page of holderPages) {
    await eachPage(old, page, async (rows) => {
      await next.write(async (tx) => {
        await insertRestored(
          tx,
          rows.map((row) => restoredOf(row, { from, untils })),
        );
        return ok(null);
      });
    });
  }
  const restored = await next.read(countRestored);
  return old.read(async (tx) => {
    const lost: LostLine[] = [];
    for (const line of lines) lost.push(await lostLine(tx, line, restored));
    return lost.filter(({ installed, restored: holders }) => installed > 0 || holders > 0);
  });
}

/** Until when a lease of each agreement can run that the old server gave. */
async function leaseEnds({ digest, clock }: Needs, tx: ReadTx): Promise<ReadonlyMap<string, number>> {
  const ends = new Map<string, number>();
  for (const row of await listAuthorities(tx)) {
    const { baseMonth, sunsetMonths } = authorityOf(digest, row);
    const { horizonMs, sunsetMs } = standing({
      ...{ baseMonth, e: row.horizonE, sunsetMonths },
      nowMs: clock.nowMs(),
    });
    if (horizonMs === null || sunsetMs === null) continue;
    ends.set(row.agreement, opensAtMs({ horizonMs, sunsetMs }));
  }
  return ends;
}

function restoredOf(
  row: LegacyHolder,
  of: { readonly from: string; readonly untils: ReadonlyMap<string, number> },
): Parameters<typeof insertRestored>[1][number] {
  const { id: _, until, source, ...holder } = row;
  const ends = Math.max(until, of.untils.get(row.agreement) ?? 0);
  return { ...holder, source: source ?? of.from, until: ends };
}

async function lostLine(tx: ReadTx, line: LineRow, restored: ReadonlyMap<string, number>): Promise<LostLine> {
  const accounts = accountsOf(line);
  const { agreement, line: number, product, type } = line;
  return {
    ...{ agreement, line: number, product, type },
    installed: await tx.balance(accounts.installed),
    // What is set aside has no holder either, and does not come along.
    unissued: (await tx.balance(accounts.unissued)) + (await tx.balance(accounts.quarantined)),
    restored: restored.get(`${agreement}/${number}`) ?? 0,
  };
}

/** Enters who was before, and says it in journal and System log: event 26 with the count of each product (§5.2). */
export async function enterSuccession(
  context: Needs,
  next: Store,
  of: {
    readonly succession: Succession;
    readonly lines: readonly LostLine[] | null;
    readonly earlier: readonly PredecessorRow[];
  },
): Promise<void> {
  const { succession, lines, earlier } = of;
  const { from, to, name, cause, reason, aside, proof } = succession;
  const at = context.clock.nowMs();
  await next.write(async (tx) => {
    for (const row of earlier) await insertPredecessor(tx, row);
    await insertPredecessor(tx, { licenseServerId: from, cause, reason, at, aside, lines, proof });
    await savePeer(tx, { licenseServerId: from, name, url: null });
    const told = (lines ?? []).map((line) => ({ ...line }));
    await tx.post({
      ...{ log: serverLog, kind: 'succeeded', id: `succeeded:${from}`, at },
      body: { from, to, cause, reason, lines: told },
    });
    const restored = told.reduce((sum, line) => sum + line.restored, 0);
    await noteEvent(context, tx, {
      number: 5070,
      data: { source: from, target: to, count: restored, aside },
    });
    if (cause === 'rebuilt') await noteEvent(context, tx, { number: 88, data: { reason } });
    if (cause === 'system-replaced') await noteNotRestored(context, tx, { lines: told, server: from });
    return ok(null);
  });
}

/** Once for each product; also where the database, which may be an older one, knew of no CALs. */
async function noteNotRestored(
  context: Needs,
  tx: WriteTx,
  { lines, server }: { readonly lines: readonly LostLine[]; readonly server: string },
): Promise<void> {
  if (lines.length === 0) await noteEvent(context, tx, { number: 26, data: { count: 0, server } });
  for (const { agreement, product, type, unissued: count } of lines) {
    await noteEvent(context, tx, { number: 26, data: { count, product, type, agreement, server } });
  }
}
