/** What each message of a license server does at the clearinghouse (protocol §2.3). */
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { Message, MessageOf } from '../../protocol/envelope.ts';
import { msOf } from '../../protocol/schema.ts';
import { findGrantedAuthority, findServer, saveServer } from '../../store/committed-server-rows.ts';
import { waitingAmong } from '../../store/outbox-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { noteAddress } from '../server-address.ts';
import { activateServer } from './activate-server.ts';
import { keepEvidence } from './dead-source-spoke.ts';
import { handleDeactivate } from './handle-deactivate.ts';
import { handleMoveMessage } from './handle-move-message.ts';
import { installRequest } from './install-request.ts';
import { returnUnits } from './return-units.ts';
import { handleRestored, handleRevalidate } from './server-past.ts';
import { answerSeen } from './suspend-recovery.ts';

export interface Handling<Of extends Message = Message> {
  readonly message: Of;
  readonly nowMs: number;
}

type Handled = Promise<Result<null, Refusal>>;

/** Carries one message out, in the transaction that marks it received. */
export async function handleMessage(
  context: ClearinghouseContext,
  tx: WriteTx,
  handling: Handling & { readonly publicKey: Uint8Array },
): Handled {
  const { message, nowMs } = handling;
  switch (message.t) {
    case 'contact':
      return handleContact(tx, { message, nowMs });
    case 'activate':
      return activateServer(context, tx, { message, nowMs });
    case 'install':
      return installRequest(context, tx, { message, nowMs });
    case 'move-request':
    case 'frozen':
    case 'frozen-part':
    case 'released-part':
    case 'relinquished-part':
    case 'declined':
    case 'installed':
    case 'verified':
    case 'released':
    case 'relinquished':
    case 'kept':
    case 'statement':
    case 'undo':
      return handleMoveMessage(context, tx, { message, nowMs });
    case 'return':
      return handleReturn(tx, { message, nowMs });
    case 'source-seen':
      return handleSeen(context, tx, { message, nowMs });
    case 'restored':
      return handleRestored(context, tx, { ...handling, message });
    case 'revalidate':
      return handleRevalidate(context, tx, { ...handling, message });
    case 'deactivate':
      return handleDeactivate(context, tx, { message, nowMs });
    default:
      return err({ code: 'message-invalid', problem: `a license server does not send ${message.t}` });
  }
}

/** What was received is not sent again; only the sender's own mail is looked at. */
async function handleContact(tx: WriteTx, { message, nowMs }: Handling<MessageOf<'contact'>>): Handled {
  const own = await waitingAmong(tx, message.from.id, message.body.ack);
  if (own.length > 0) await tx.acknowledge(own);
  const server = await findServer(tx, message.from.id);
  if (server !== undefined) {
    const { name, method, address } = message.body;
    await saveServer(tx, { ...server, name, method, lastContactAt: nowMs });
    await noteAddress(tx, message.from.id, address);
  }
  return ok(null);
}

/** A license that an old server signed after its end was shown to the one that has its CALs. */
async function handleSeen(
  context: ClearinghouseContext,
  tx: WriteTx,
  { message }: Handling<MessageOf<'source-seen'>>,
): Handled {
  const { source: server, signedAt, token } = message.body;
  const words = `a license that it signed on ${signedAt}, shown to license server ${message.from.id}`;
  const said = { type: 'license', seenBy: message.from.id, signedAt, token };
  await keepEvidence(context, tx, { server, words, said, signedMs: msOf(signedAt) });
  await answerSeen(context, tx, { ...message.body, target: message.from.id });
  return ok(null);
}

/**
 * Whoever gives something up needs nobody's leave. Also not under an authority that is closed: the server may
 * have typed its code again and given back what it then had, before its last words of the time before arrived.
 */
async function handleReturn(tx: WriteTx, { message, nowMs }: Handling<MessageOf<'return'>>): Handled {
  const { agreement, line, quantity } = message.body;
  const authority = await findGrantedAuthority(tx, message.from.id, agreement);
  if (authority === undefined) return err({ code: 'not-activated', agreement });
  const given = { authority, line, amount: quantity };
  const returned = await returnUnits(tx, { ...given, id: message.id, carrier: 'online', nowMs });
  return returned.ok ? ok(null) : returned;
}
