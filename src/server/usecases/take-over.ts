/**
 * Taking a holder over from another license server: by the list that came with a move, or by the
 * source token that the holder shows, drawn from the anonymous reserve of that source (protocol §3.6).
 */
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { msOfIso } from '../../core/time.ts';
import { readLicenseBundle, verifyLicense } from '../../protocol/license-bundle.ts';
import { readPayload } from '../../protocol/paseto.ts';
import { leasesEndOf } from '../../store/gap-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { QuarantineRow } from '../../store/quarantine-rows.ts';
import { drawQuarantine } from '../../store/quarantine-rows.ts';
import type { ReservationRow, ReserveRow } from '../../store/reserve-rows.ts';
import { drawReserve, honorTokens, takeReservation, wasHonored } from '../../store/reserve-rows.ts';
import { findReserves } from '../../store/reserve-source-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { findServerMove } from '../../store/server-rows.ts';
import { takeThisUnit } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import type { OwnToken } from './own-token.ts';

/** A token of another server, verified end to end. */
export interface ShownToken {
  readonly source: string;
  /** With the pseudonym, which every agreement has its own of, the line: CALs of another one are no matter of it. */
  readonly product: string;
  readonly sub: string;
  readonly origin: string;
  readonly expiresAt: number;
}

/** Whether a token is of a line and of this holder, whom `sub` names under the salt of the line's agreement. */
export function isShownFor(shown: ShownToken, line: Pick<LineRow, 'product'>, sub: string): boolean {
  return shown.product === line.product && shown.sub === sub;
}

/** What our own books know of a license that a move has taken from here, or of a CAL that waited here for its holder. */
export interface LeftLicense {
  readonly sub: string;
  readonly origin: string;
  /** When the holder's token ends. */
  readonly expiresAt: number;
}

export type TakeOver =
  | { readonly by: 'list'; readonly reservation: ReservationRow }
  | { readonly by: 'token'; readonly reserve: ReserveRow; readonly shown: ShownToken }
  | { readonly by: 'quarantine'; readonly quarantine: QuarantineRow; readonly own: OwnToken };

/**
 * Verifies what a holder shows from elsewhere: publisher, certificate, server key, unit and dates.
 * Refused: `source-token-invalid`, saying why. Our own tokens and temporary ones count as nothing.
 */
export function verifyShown(
  context: ServerContext,
  source: { readonly token: string; readonly bundle: unknown },
  nowMs: number,
): Result<ShownToken | null, Refusal> {
  const bundle = readLicenseBundle(source.bundle);
  if (!bundle.ok) return bundle;
  const verified = verifyLicense({
    token: source.token,
    bundle: bundle.value,
    root: context.root.publicKey,
    nowMs,
    digest: context.digest,
  });
  if (!verified.ok) return err({ code: 'source-token-invalid', problem: verified.error.reason });
  const { claims } = verified.value;
  const expiresAt = msOfIso(claims.exp);
  if (claims.kind === 'temp' || claims.origin === null || expiresAt === undefined) return ok(null);
  if (claims.iss === context.licenseServerId) return ok(null);
  return ok({ source: claims.iss, product: claims.prod, sub: claims.sub, origin: claims.origin, expiresAt });
}

/**
 * A token that has ended and is right in all else: as `verifyShown` at its very end. It shows whose holder
 * somebody was, which counts where the source no longer functions (protocol §1.5). null: it shows nothing.
 */
export function verifyEnded(
  context: ServerContext,
  source: { readonly token: string; readonly bundle: unknown },
): ShownToken | null {
  const expiresAt = msOfIso(String(readPayload(source.token)?.['exp'] ?? ''));
  if (expiresAt === undefined) return null;
  const verified = verifyShown(context, source, expiresAt);
  return verified.ok ? verified.value : null;
}

/** A reserve of the token's source that has not honored this token yet. */
export async function findTakeOver(tx: WriteTx, lineId: number, shown: ShownToken): Promise<TakeOver | null> {
  for (const reserve of await findReserves(tx, lineId, shown.source)) {
    if (!(await wasHonored(tx, { origin: shown.origin, reserve: reserve.id })))
      return { by: 'token', reserve, shown };
  }
  return null;
}

/**
 * A CAL that left this server with its holder and has come back without a name: our own books show whose it was, as
 * well as our token would that the holder still has. Where that lease has ended they show nothing.
 */
export async function findReturned(
  tx: ReadTx,
  of: {
    readonly self: string;
    readonly reserve: ReserveRow;
    readonly product: string;
    readonly left: LeftLicense;
    readonly nowMs: number;
  },
): Promise<TakeOver | null> {
  const { self, reserve, product, left, nowMs } = of;
  const { sub, origin, expiresAt } = left;
  if (expiresAt <= nowMs || reserve.amount === 0) return null;
  if (await wasHonored(tx, { origin, reserve: reserve.id })) return null;
  return { by: 'token', reserve, shown: { source: self, product, sub, origin, expiresAt } };
}

/** What a take-over knows of the holder's past. */
export interface Inherited {
  readonly origin: string;
  /** The move whose source is not known to be closed yet; null where it is. */
  readonly waitsFor: string | null;
  /** The pool that the unit number comes from: the move or the reserve. */
  readonly pool: string;
  /** When the last token known from the source ends. */
  readonly leaseEnd: number;
  /** The very unit that its holder had, taken out of its pool already, and since when; null: any of the pool. */
  readonly recovered: { readonly unit: number; readonly issuedAt: number } | null;
}

/** Where the unit of a new license comes from, and what the journal calls that. */
export function comesFrom(inherited: Inherited | null): {
  readonly kind: string;
  readonly account: 'unissued' | 'reserved' | 'quarantined';
} {
  if (inherited === null) return { kind: 'issued', account: 'unissued' };
  return inherited.recovered === null
    ? { kind: 'taken-over', account: 'reserved' }
    : { kind: 'recovered', account: 'quarantined' };
}

/** Uses a reservation up, or one unit of a reserve, so that it can serve nobody else. */
export async function settleTakeOver(tx: WriteTx, takeOver: TakeOver, nowMs: number): Promise<Inherited> {
  if (takeOver.by === 'list') {
    const { reservation } = takeOver;
    await takeReservation(tx, reservation);
    const { origin, leaseEnd, move } = reservation;
    // An undone move has brought it back here, and its target has given it up.
    const closed = ['closed', 'undone'].includes((await findServerMove(tx, move))?.state ?? '');
    return { origin, waitsFor: closed ? null : move, pool: move, leaseEnd, recovered: null };
  }
  if (takeOver.by === 'quarantine') return recover(tx, takeOver);
  const { reserve, shown } = takeOver;
  const honored = {
    source: shown.source,
    origin: shown.origin,
    reserve: reserve.id,
    sub: shown.sub,
    at: nowMs,
  };
  await honorTokens(tx, [honored]);
  await drawReserve(tx, reserve.id, 1);
  // One that no longer functions told nobody whom it renewed after this token. And who has drawn here may draw
  // once more where a part of the reserve has gone on to: until it opens, its unit is nobody else's.
  const leasesEnd = await leasesEndOf(tx, reserve.lineId, shown.source);
  const leaseEnd = Math.max(shown.expiresAt, leasesEnd, reserve.opensAt);
  return { origin: shown.origin, waitsFor: null, pool: reserve.id, leaseEnd, recovered: null };
}

/** The unit that its holder has: what was renewed since the license that it shows may run until the quarantine opens. */
async function recover(
  tx: WriteTx,
  { quarantine, own }: Extract<TakeOver, { readonly by: 'quarantine' }>,
): Promise<Inherited> {
  const { id: pool, lineId, opensAt } = quarantine;
  const { unit, issuedAt, origin, expiresAt } = own;
  if (!(await takeThisUnit(tx, { lineId, pool, unit })))
    throw new Error(`Unit ${unit} is not in quarantine.`);
  await drawQuarantine(tx, pool, 1);
  return {
    origin,
    waitsFor: null,
    pool,
    leaseEnd: Math.max(expiresAt, opensAt),
    recovered: { unit, issuedAt },
  };
}
