/**
 * A license of this very server that its holder shows. It counts where the books were put back to an older day (protocol
 * §5.2): they may not know of it, or not how long it runs.
 */
import { msOfIso } from '../../core/time.ts';
import { readLicenseBundle, verifyLicense } from '../../protocol/license-bundle.ts';
import { isRevoked } from '../../store/license-rows.ts';
import type { ReadTx } from '../../store/port.ts';
import { moveOfFrozen, quarantineOf } from '../../store/quarantine-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerContext } from '../context.ts';
import type { ShownToken, TakeOver } from './take-over.ts';
import { isShownFor } from './take-over.ts';

export interface OwnToken extends ShownToken {
  readonly unit: number;
  readonly issuedAt: number;
}

/** Verifies what a holder shows; null where it is no living permanent license of this server. */
export async function verifyOwn(
  context: ServerContext,
  tx: ReadTx,
  of: { readonly source: { readonly token: string; readonly bundle: unknown }; readonly nowMs: number },
): Promise<OwnToken | null> {
  const bundle = readLicenseBundle(of.source.bundle);
  if (!bundle.ok) return null;
  const verified = verifyLicense({
    token: of.source.token,
    bundle: bundle.value,
    root: context.root.publicKey,
    nowMs: of.nowMs,
    digest: context.digest,
  });
  if (!verified.ok) return null;
  const { claims } = verified.value;
  if (claims.kind === 'temp' || claims.iss !== context.licenseServerId) return null;
  if (await isRevoked(tx, claims.jti)) return null;
  const [issuedAt = 0, expiresAt = 0] = [claims.iat, claims.exp].map(msOfIso);
  const { iss: source, prod, sub, origin, unit } = claims;
  return { source, product: prod, sub, origin, unit, issuedAt, expiresAt };
}

/** The unit that a shown license is of, where it is in quarantine: nobody else has it, so its holder has it back. */
export async function findRecoverable(
  tx: ReadTx,
  of: { readonly line: LineRow; readonly sub: string; readonly own: OwnToken },
): Promise<TakeOver | null> {
  const { line, sub, own } = of;
  if (!isShownFor(own, line, sub)) return null;
  const quarantine = await quarantineOf(tx, { lineId: line.id, unit: own.unit });
  return quarantine === undefined ? null : { by: 'quarantine', quarantine, own };
}

/**
 * The move that has frozen the unit which a shown license is of, out of quarantine; null: none has. Its holder is a present
 * one, though the books do not know the name.
 */
export async function frozenFor(
  tx: ReadTx,
  of: { readonly line: LineRow; readonly sub: string; readonly own: OwnToken },
): Promise<string | null> {
  const { line, sub, own } = of;
  if (!isShownFor(own, line, sub)) return null;
  return (await moveOfFrozen(tx, { lineId: line.id, unit: own.unit })) ?? null;
}
