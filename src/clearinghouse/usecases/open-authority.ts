/** Whether a license server may be granted anything under an agreement. */
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import { findGrantedAuthority, findServer } from '../../store/committed-server-rows.ts';
import { declarationsOf } from '../../store/dead-source-rows.ts';
import type { ReadTx } from '../../store/port.ts';

/** Why a server whose messages told of a fork gets nothing more (protocol §2.1). */
export function suspected(licenseServerId: string): Refusal {
  return { code: 'server-suspect', licenseServerId, reason: 'its messages do not fit its past' };
}

/** The authority under which a server may be granted units. Refused: unknown, suspect, not activated. */
export async function openAuthority(
  tx: ReadTx,
  licenseServerId: string,
  agreement: string,
): Promise<Result<GrantedAuthorityRow, Refusal>> {
  const server = await findServer(tx, licenseServerId);
  if (server === undefined) return err({ code: 'server-unknown', licenseServerId });
  if (server.state === 'suspect') {
    return err(suspected(licenseServerId));
  }
  const authority = await findGrantedAuthority(tx, licenseServerId, agreement);
  if (authority === undefined) return err({ code: 'not-activated', agreement });
  if (authority.state === 'closed') {
    return err({ code: 'server-closed', licenseServerId, generation: server.generation });
  }
  return ok(authority);
}

/**
 * What was declared to function no longer gets nothing more, and nothing that would let it live longer.
 * Refused: `server-declared-dead`.
 */
export async function checkNotDead(tx: ReadTx, licenseServerId: string): Promise<Result<null, Refusal>> {
  const [declared] = await declarationsOf(tx, licenseServerId);
  if (declared === undefined) return ok(null);
  return err({ code: 'server-declared-dead', licenseServerId, move: declared.move });
}

/** The authority of a server that may be given something: as `openAuthority`, and `server-declared-dead`. */
export async function livingAuthority(
  tx: ReadTx,
  licenseServerId: string,
  agreement: string,
): Promise<Result<GrantedAuthorityRow, Refusal>> {
  const living = await checkNotDead(tx, licenseServerId);
  return living.ok ? openAuthority(tx, licenseServerId, agreement) : living;
}
