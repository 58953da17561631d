/**
 * Certificates are renewed for their age, with a contact (protocol §3.4), so that no chain of keys and anchors is
 * used for ever. A server that only telephones keeps the one it has: its horizon is moved on by codes.
 */
import { dayMs } from '../../core/time.ts';
import { readStoredCertificate } from '../../protocol/authority.ts';
import { msOf } from '../../protocol/schema.ts';
import { hasOpenMoves } from '../../store/clearinghouse-rows.ts';
import type { ServerRow } from '../../store/committed-server-rows.ts';
import { authoritiesOfServer } from '../../store/committed-server-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { certifyAgain, checkRenewable } from './activate-server.ts';
import { newId } from './new-id.ts';

/** Fourteen months: a server of which files are carried once a year is renewed each time. */
const renewalMs = 425 * dayMs;

/**
 * Sends a new certificate where the term of the present one is near. Not while a move of the server is open:
 * a grant is under the chains of the present certificate, and what undoes it, too.
 */
export async function renewCertificates(
  context: ClearinghouseContext,
  tx: WriteTx,
  server: ServerRow,
): Promise<void> {
  const nowMs = context.clock.nowMs();
  for (const before of await authoritiesOfServer(tx, server.licenseServerId)) {
    if (before.state !== 'active' || before.document === null) continue;
    if (msOf(readStoredCertificate(before.document).exp) - nowMs > renewalMs) continue;
    if ((await hasOpenMoves(tx, before)) || !(await checkRenewable(tx, before)).ok) continue;
    const { authority, message } = await certifyAgain(context, tx, { before, nowMs });
    const { agreement, generation } = before;
    await tx.post({
      log: agreement,
      kind: 'certified-again',
      id: newId(context),
      at: nowMs,
      body: {
        ...{ server: server.licenseServerId, generation, basis: 'key' },
        ...{ aid: authority.aid, name: server.name },
      },
      outbox: [message],
    });
  }
}
