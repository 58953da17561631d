/**
 * Where the license of a holder went who has none here any more. A stranger is given a first license;
 * a holder whose CAL a move has taken must find that CAL instead of getting a second one.
 */
import { endedLicense } from '../../store/license-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import { leftReservation } from '../../store/reserve-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { findServerMove } from '../../store/server-rows.ts';
import type { Situation } from './license-situation.ts';
import { candidatesFor } from './license-situation.ts';
import type { LicenseRequest } from './request-license.ts';

/**
 * The move that took this holder's license, or the CAL that had been reserved for it;
 * null for a stranger, and for one who gave its license back since. What is newest decides: a CAL may
 * have come here, gone and come again.
 */
export async function whereItWent(
  tx: ReadTx,
  { request, situation }: { readonly request: LicenseRequest; readonly situation: Situation },
): Promise<ServerMoveRow | null> {
  if (situation.own !== null || situation.takeOver !== null) return null;
  const candidates = candidatesFor(situation.facts, request);
  const lineIds = candidates.map(({ line }) => line.id);
  const ended = await endedLicense(tx, { kind: request.type, holder: request.holder, lineIds });
  let newest = ended && { at: ended.issuedAt, move: ended.state === 'released' ? ended.move : null };
  for (const { line, authority } of situation.facts.reservations ? candidates : []) {
    const left = await leftReservation(tx, line.id, situation.subIn(authority));
    if (left !== undefined && (newest === undefined || left.at >= newest.at)) newest = left;
  }
  const move = newest?.move == null ? undefined : await findServerMove(tx, newest.move);
  return move ?? null;
}
