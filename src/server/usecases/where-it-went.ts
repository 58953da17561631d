/**
 * Where the license of a holder went who has none here any more. A stranger is given a first license; a holder whose
 * CAL a move has taken must find that CAL instead of getting a second one, as long as it can be waiting there.
 */
import { endedLicense, latestLeaseEnd } from '../../store/license-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import { leftReservation } from '../../store/reserve-rows.ts';
import { onwardFrom, reserveThatCameBack } from '../../store/reserve-source-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { findServerMove, moveOfQuarantined } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import type { Candidate, Situation } from './license-situation.ts';
import type { OwnToken } from './own-token.ts';
import type { LicenseRequest } from './request-license.ts';
import type { LeftLicense } from './take-over.ts';
import { findReturned, isShownFor } from './take-over.ts';

/** A CAL that left with its holder. */
export interface Gone {
  readonly move: ServerMoveRow;
  /**
   * Until when it can wait for this holder where it went. Then somebody else may have it: over a connection when the last
   * lease that is known of it has ended; by telephone, where somebody who stayed may have drawn it, 89 days after the release
   * (protocol §2.4, rules 1 and 5).
   */
  readonly owedUntil: number;
  /** CALs have come back since from where it went, nobody knows by name whose they are, and this holder is not sent away. */
  readonly cameBack: boolean;
  /** One of those, for this holder. */
  readonly takeOver: Situation['takeOver'];
}

/**
 * The move that took this holder's license, or the CAL that had been reserved for it;
 * null for a stranger, and for one who gave its license back since. What is newest decides: a CAL may
 * have come here, gone and come again.
 */
export async function whereItWent(
  context: ServerContext,
  tx: ReadTx,
  of: Pick<Situation, 'facts' | 'subIn' | 'shown' | 'ownShown'> & {
    readonly request: LicenseRequest;
    readonly candidates: readonly Candidate[];
    readonly nowMs: number;
  },
): Promise<Gone | null> {
  const left = await newestLeft(tx, of);
  const move = left === undefined ? undefined : await findServerMove(tx, left.move);
  const candidate = of.candidates.find(({ line }) => line.id === left?.lineId);
  if (left === undefined || move === undefined || candidate === undefined) return null;
  const owedUntil = await owedFor(tx, { ...of, candidate, left });
  const away = { move, owedUntil, cameBack: false, takeOver: null };
  if (!of.facts.reservations) return away;
  const back = await reserveThatCameBack(tx, {
    ...{ self: context.licenseServerId, lineId: left.lineId },
    ...{ target: move.target, sinceMs: move.updatedAt },
  });
  if (back === undefined) return away;
  const from = await findReturned(tx, {
    self: context.licenseServerId,
    reserve: back,
    product: candidate.line.product,
    left,
    nowMs: of.nowMs,
  });
  if (from === null && left.expiresAt > of.nowMs) {
    // All that came back has found its holders: with a license that runs this one has its CAL where it went, or
    // where the rest has gone on to.
    return { ...away, move: (await onwardFrom(tx, back.id)) ?? move };
  }
  return { ...away, cameBack: true, takeOver: from && { ...candidate, from } };
}

/** The end of all tokens that are known of this holder, one that it shows of another server included (rule 4). */
async function owedFor(
  tx: ReadTx,
  of: Pick<Parameters<typeof whereItWent>[2], 'request' | 'shown'> & {
    readonly candidate: Candidate;
    readonly left: LeftLicense;
  },
): Promise<number> {
  const { line } = of.candidate;
  const { type: kind, holder } = of.request;
  const known = await latestLeaseEnd(tx, { lineId: line.id, kind, holder });
  return Math.max(of.left.expiresAt, known, line.namelessUntil, of.shown?.expiresAt ?? 0);
}

/** What a holder had here last, where a move took it. */
async function newestLeft(
  tx: ReadTx,
  of: Parameters<typeof whereItWent>[2],
): Promise<(LeftLicense & { readonly lineId: number; readonly move: string }) | undefined> {
  const { request, candidates, facts } = of;
  const lineIds = candidates.map(({ line }) => line.id);
  const ended = await endedLicense(tx, { kind: request.type, holder: request.holder, lineIds });
  let newest:
    | (LeftLicense & { readonly lineId: number; readonly at: number; readonly move: string | null })
    | undefined = ended && {
    ...ended,
    at: ended.issuedAt,
    move: ended.state === 'released' ? ended.move : null,
  };
  const { ownShown } = of;
  // The older books that were put back never had it: the license itself shows what has left (protocol §5.2).
  if (ownShown !== null && ownShown.unit !== ended?.unit && ownShown.issuedAt > (newest?.at ?? 0)) {
    newest = (await leftQuarantine(tx, { ...of, own: ownShown })) ?? newest;
  }
  for (const { line, authority } of facts.reservations ? candidates : []) {
    const left = await leftReservation(tx, line.id, of.subIn(authority));
    if (left === undefined || (newest !== undefined && left.at < newest.at)) continue;
    // Of all the tokens that are known the last end counts (protocol §2.4, rule 4).
    const expiresAt = Math.max(left.expiresAt, newest?.expiresAt ?? 0);
    newest = { ...left, lineId: line.id, expiresAt };
  }
  if (newest === undefined || newest.move === null) return undefined;
  return { ...newest, move: newest.move };
}

/** A license of this server on a unit that was in quarantine when a move took it. */
async function leftQuarantine(
  tx: ReadTx,
  of: Pick<Situation, 'subIn'> & { readonly candidates: readonly Candidate[]; readonly own: OwnToken },
): Promise<(LeftLicense & { readonly lineId: number; readonly at: number; readonly move: string }) | null> {
  const { sub, origin, expiresAt, issuedAt: at } = of.own;
  for (const { line, authority } of of.candidates) {
    if (!isShownFor(of.own, line, of.subIn(authority))) continue;
    const move = await moveOfQuarantined(tx, line.agreement, line.line);
    if (move !== undefined) return { sub, origin, expiresAt, at, lineId: line.id, move: move.id };
  }
  return null;
}
