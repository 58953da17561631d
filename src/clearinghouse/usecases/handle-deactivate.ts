/** The last words of a license server: what it was activated for ends, and its generation is over. */
import { nextKey } from '../../core/confirmation.ts';
import { isDoneBySource } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoTime } from '../../core/time.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import { openMovesFrom } from '../../store/clearinghouse-rows.ts';
import type { GrantedAuthorityRow } from '../../store/committed-server-rows.ts';
import { authoritiesOfServer, findServer } from '../../store/committed-server-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { advanceMove } from './advance-move.ts';
import { closeAuthority } from './close-authority.ts';
import { releaseDead } from './dead-source.ts';
import type { Handling } from './handle-message.ts';
import { newId } from './new-id.ts';
import { publisherLog } from './products.ts';
import { moveRatchet, takeTold, toldByMessage } from './ratchet.ts';

/** Moves that the server never froze for are over; one that it froze for it has to release first. */
async function endMoves(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly authority: GrantedAuthorityRow; readonly nowMs: number },
): Promise<Result<null, Refusal>> {
  const { licenseServerId, agreement } = of.authority;
  for (const move of await openMovesFrom(tx, licenseServerId)) {
    if (move.agreement !== agreement || isDoneBySource(move.state)) continue;
    const { nowMs } = of;
    if (move.state !== 'reserved' && move.state !== 'dead-wait') {
      return err({ code: 'move-open', move: move.id, state: move.state });
    }
    const ended =
      move.state === 'dead-wait'
        ? await releaseDead(context, tx, { move, nowMs })
        : await advanceMove(context, tx, { move, event: 'cancel', nowMs });
    if (!ended.ok) return ended;
  }
  return ok(null);
}

/** Far more confirmations than anybody makes without reading one; each step costs a hash. */
const mostUnread = 4096;

/**
 * Passes the ratchet over the codes that the server has made and nobody has read: what they tell is
 * settled with the end, and read afterwards they would give units back a second time. Refused:
 * `earlier-code-missing` where a release is among them that no message has told. Its units have holders whose licenses run on, and
 * only its code tells where they are to go: in hand now, they would be granted a second time.
 */
async function settleCodes(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly authority: GrantedAuthorityRow; readonly message: MessageOf<'deactivate'> },
): Promise<Result<null, Refusal>> {
  const { authority, message } = of;
  const told = message.body.confirmations.find((row) => row.agreement === authority.agreement);
  const unread = (told?.seq ?? 0) - authority.confirmationSeq;
  if (told === undefined || unread <= 0) return ok(null);
  const heard = (await toldByMessage(tx, authority)).length;
  if (told.releases > authority.releases + heard)
    return err({ code: 'earlier-code-missing', kind: 'released' });
  if (unread > mostUnread)
    return err({ code: 'message-invalid', problem: `${unread} codes that were never read` });
  let key = context.box.unseal('confirmation', authority.confirmationKey);
  for (let step = 0; step < unread; step += 1) key = nextKey(context.digest, key);
  await takeTold(tx, { authority, seq: told.seq });
  await moveRatchet(context, tx, { authority, key, seq: told.seq, counters: told });
  return ok(null);
}

/** The units that the server says it has applied under an agreement, by line. */
function toldUnits(message: MessageOf<'deactivate'>, agreement: string): ReadonlyMap<number, number> {
  const told = message.body.applied.filter((row) => row.agreement === agreement);
  return new Map(told.map(({ line, units }) => [line, units]));
}

/**
 * Closes the agreements that the server names; one that it does not name it does not know of, and its
 * codes may still be typed. Refused: `move-open` where it has frozen for a move and not released, and
 * `earlier-code-missing` where it has released by telephone and nobody has read it.
 */
export async function handleDeactivate(
  context: ClearinghouseContext,
  tx: WriteTx,
  { message, nowMs }: Handling<MessageOf<'deactivate'>>,
): Promise<Result<null, Refusal>> {
  const { agreements } = message.body;
  let log = publisherLog;
  for (const authority of await authoritiesOfServer(tx, message.from.id)) {
    if (authority.state !== 'active' || !agreements.includes(authority.agreement)) continue;
    // The journal of an agreement that the sender really has; it may name others.
    log = authority.agreement;
    const ended = await endMoves(context, tx, { authority, nowMs });
    if (!ended.ok) return ended;
    const settled = await settleCodes(context, tx, { authority, message });
    if (!settled.ok) return settled;
    await closeAuthority(context, tx, { authority, applied: toldUnits(message, authority.agreement), nowMs });
  }
  const server = await findServer(tx, message.from.id);
  const answer = await outgoing(tx, {
    id: newId(context),
    type: 'deactivated',
    to: message.from.id,
    agreement: log,
    body: { re: message.id, gen: server?.generation ?? message.from.gen },
  });
  await tx.post({
    log,
    kind: 'server-closed',
    id: message.id,
    at: nowMs,
    body: { server: message.from.id, at: isoTime(nowMs) },
    outbox: [answer],
  });
  return ok(null);
}
