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
  insertGap,
  isOthers,
  updateGap,
  waitsForDead,
  waitsUntil,
} from '../../store/gap-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerContext } from '../context.ts';
import { noteEvent } from './events.ts';
import type { Candidate, Situation } from './license-situation.ts';
import { serverLog } from './license-token.ts';
import type { ShownToken } from './take-over.ts';
import { isShownFor } from './take-over.ts';

export interface GapSituation {
  /** The gap license that the holder has, unless it has a permanent one since. */
  readonly row: GapRow | null;
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

const noGap: GapSituation = { row: null, open: null, remembered: null, until: null };

/** What there is for this holder; one query where no source was ever declared dead. */
export async function gapFor(
  tx: WriteTx,
  of: Pick<Situation, 'facts' | 'subIn'> & {
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
      const until = await waitsUntil(tx, { lineId: line.id, source });
      const counts = expiresAt > nowMs || (until !== null && until <= nowMs);
      // After its lease the source may have given that very unit to somebody else, who has come here with it.
      const gone = counts && expiresAt <= nowMs && (await isOthers(tx, { lineId: line.id, origin, sub }));
      const { product } = line;
      const remembered = counts && !gone ? { source, product, sub, origin, expiresAt } : null;
      return { row, open: null, remembered, until };
    }
    if (shown === null || !isShownFor(shown, line, sub) || !showsHolder(shown.expiresAt, nowMs)) continue;
    const waits = await waitsForDead(tx, { lineId: line.id, source: shown.source, nowMs });
    if (!waits || (await hadGap(tx, line.id, sub))) continue;
    return { row: null, open: { line, shown }, remembered: null, until: null };
  }
  return noGap;
}

/** Gives it again, to the same holder: the units of its source are not for everybody yet. */
export async function prolongGap(tx: WriteTx, row: GapRow & { readonly type: string }): Promise<void> {
  await updateGap(tx, row);
  const { jti, product, type, sub, issuedAt, expiresAt } = row;
  await tx.post({
    log: serverLog,
    kind: 'gap-license-renewed',
    id: jti,
    at: issuedAt,
    body: { product, type, sub, until: expiresAt },
  });
}

/** Gives it. */
export async function enterGap(
  context: ServerContext,
  tx: WriteTx,
  row: Omit<GapRow, 'id'> & { readonly type: string },
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
