/**
 * Gap licenses (protocol §1.5): whoever shows a token of a source that this server knows to be dead, or of one whose
 * CALs had gone on to it, works on until the CALs of that source are here, and need not show the token again.
 */
import { showsHolder } from '../../core/dead-source.ts';
import { isoDate } from '../../core/time.ts';
import type { GapRow } from '../../store/gap-rows.ts';
import {
  findGap,
  hadGap,
  holdingDeclaration,
  insertGap,
  isOthers,
  updateGap,
  waitsForDead,
  waitsUntil,
} from '../../store/gap-rows.ts';
import type { TemporaryRow } from '../../store/license-rows.ts';
import type { Entry, WriteTx } from '../../store/port.ts';
import type { RestoredRow } from '../../store/predecessor-rows.ts';
import { findRestored, isPredecessor, updateRestored } from '../../store/predecessor-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerContext } from '../context.ts';
import { noteEvent } from './events.ts';
import type { Candidate, Situation } from './license-situation.ts';
import { serverLog } from './license-token.ts';
import type { LicenseRequest } from './request-license.ts';
import type { ShownToken } from './take-over.ts';
import { isShownFor } from './take-over.ts';

export interface GapSituation {
  /** The gap license that the holder has, unless it has a permanent one since. */
  readonly row: GapRow | null;
  /** A holder of the server before this one, under an agreement that this one is not activated for yet. */
  readonly restored: RestoredRow | null;
  /** One may be given now: the line of the dead source, and the token that was shown. */
  readonly open: { readonly line: LineRow; readonly shown: ShownToken } | null;
  /**
   * The token that the holder showed when it was given its gap license: as long as it runs, and again when no
   * lease of the source can run any more. In between the source may have given the unit to somebody else.
   */
  readonly remembered: ShownToken | null;
  /** Until when the gap license is renewed: all leases of the source have ended then; null: it is not. */
  readonly until: number | null;
}

const noGap: GapSituation = { row: null, restored: null, open: null, remembered: null, until: null };

/** The license without a unit that this holder has, or has a right to because the server before knew it; null: neither. */
export function bridgeOf({ row, restored }: GapSituation): BareRow | null {
  return row ?? (restored && { ...restored, sub: restored.bareSub, holder: restored.holder ?? '' });
}

/** What there is for this holder; one query where no source was ever declared dead. */
export async function gapFor(
  tx: WriteTx,
  of: Pick<Situation, 'facts' | 'subIn'> & {
    readonly request: LicenseRequest;
    readonly candidates: readonly Candidate[];
    /** What was shown now, ended or not. */
    readonly shown: ShownToken | null;
    readonly nowMs: number;
  },
): Promise<GapSituation> {
  const { facts, candidates, shown, nowMs } = of;
  if (!facts.deadSources) return noGap;
  for (const { line, authority } of candidates) {
    const sub = of.subIn(authority);
    const row = await findGap(tx, line.id, sub);
    if (row !== undefined) {
      const { source, origin, leaseEnd: expiresAt } = row;
      const until = await renewedUntil(tx, row);
      const counts = expiresAt > nowMs || (until !== null && until <= nowMs);
      // After its lease the source may have given that very unit to somebody else, who has come here with it.
      const gone = counts && expiresAt <= nowMs && (await isOthers(tx, { lineId: line.id, origin, sub }));
      const { product } = line;
      const remembered = counts && !gone ? { source, product, sub, origin, expiresAt } : null;
      return { ...noGap, row, remembered, until };
    }
    if (shown === null || !isShownFor(shown, line, sub) || !showsHolder(shown.expiresAt, nowMs)) continue;
    const { source } = shown;
    const waits =
      (await waitsForDead(tx, { lineId: line.id, source, nowMs })) || (await isLost(tx, line, source));
    if (!waits || (await hadGap(tx, line.id, sub))) continue;
    return { ...noGap, open: { line, shown } };
  }
  return facts.restored ? restoredOf(tx, of.request) : noGap;
}

/** Whether this server has come in another's place, whose CALs of a line it has not asked for yet. */
async function isLost(tx: WriteTx, line: LineRow, source: string): Promise<boolean> {
  if (!(await isPredecessor(tx, source))) return false;
  return (await holdingDeclaration(tx, { lineId: line.id, source })) === undefined;
}

async function restoredOf(
  tx: WriteTx,
  { type: kind, holder, product }: LicenseRequest,
): Promise<GapSituation> {
  const restored = await findRestored(tx, { kind, holder, product });
  return restored === undefined ? noGap : { ...noGap, restored, until: restored.until };
}

/** Until when no lease of the source can run any more, by what was declared of it or by its own database. */
async function renewedUntil(tx: WriteTx, { lineId, source, until }: GapRow): Promise<number | null> {
  const declared = await waitsUntil(tx, { lineId, source });
  return until === 0 ? declared : Math.max(until, declared ?? 0);
}

/** Gives it again, to the same holder: the units of its source are not for everybody yet. */
export async function prolongGap(
  tx: WriteTx,
  { given, row, type }: { readonly given: GapRow; readonly row: BareRow; readonly type: string },
): Promise<void> {
  await updateGap(tx, { ...given, ...row });
  await tx.post(againEntry(given, row, type));
}

/** Gives a restored holder a license, or gives it again: its own server knows whose CAL it has. */
export async function bridgeRestored(
  tx: WriteTx,
  { given, row, type }: { readonly given: RestoredRow; readonly row: BareRow; readonly type: string },
): Promise<void> {
  await updateRestored(tx, { ...row, id: given.id, bareSub: row.sub });
  await tx.post(againEntry(given, row, type));
}

type BareRow = Omit<TemporaryRow, 'id' | 'validatedAt'>;

/** The first one of a restored holder has none before it. */
function againEntry(
  { source, origin, expiresAt: before }: Pick<GapRow, 'source' | 'origin' | 'expiresAt'>,
  { jti, product, sub, issuedAt: at, expiresAt }: BareRow,
  type: string,
): Entry {
  const body = { product, type, sub, until: expiresAt };
  if (before > 0) return { log: serverLog, kind: 'gap-license-renewed', id: jti, at, body };
  return { log: serverLog, kind: 'gap-license', id: jti, at, body: { ...body, source, origin } };
}

/** Gives it. */
export async function enterGap(
  context: ServerContext,
  tx: WriteTx,
  row: Omit<GapRow, 'id' | 'until'> & { readonly type: string },
): Promise<void> {
  await insertGap(tx, row);
  const { jti, product, type, sub, source, origin, issuedAt, expiresAt } = row;
  await tx.post({
    log: serverLog,
    kind: 'gap-license',
    id: jti,
    at: issuedAt,
    body: { product, type, sub, source, origin, until: expiresAt },
  });
  await noteEvent(context, tx, { number: 5033, data: { product, type, source, until: isoDate(expiresAt) } });
}
