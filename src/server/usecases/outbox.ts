/**
 * What leaves this server, whatever carries it: the whole outbox in its order, closed by a contact that
 * says what was received. Sent again until the clearinghouse confirms it, word for word.
 */
import type { JsonObject } from '../../core/json.ts';
import { ok } from '../../core/result.ts';
import { clearinghouseName } from '../../protocol/envelope.ts';
import { sealContent } from '../../protocol/message-content.ts';
import { writeMessageFile } from '../../protocol/message-file.ts';
import type { WriteTx } from '../../store/port.ts';
import { tellApplied } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import type { ServerContent } from '../send.ts';
import { outgoing } from '../send.ts';
import { serverLog } from './license-token.ts';
import { newId } from './new-id.ts';
import { noteSealed } from './seen-time.ts';
import { readAddress, readMethod } from './settings.ts';
import { stateEndedMoves } from './state-move.ts';
import { tellLogs } from './witness.ts';

/** The most messages of one sending; the rest goes with the next. */
const mostMessages = 500;

/** The outbox, signed now, with a contact at its end. */
export async function sealOutbox(context: ServerContext): Promise<readonly string[]> {
  await stateEndedMoves(context);
  const sealed = await context.store.write<readonly string[]>(async (tx) => {
    const waiting = await tx.outbox(clearinghouseName, mostMessages);
    const tokens: string[] = [];
    for (const row of waiting) tokens.push(await seal(context, tx, row.body));
    // A contact is numbered after all that waits, so it may not overtake what this sending leaves behind.
    if (waiting.length === mostMessages) return ok(tokens);
    const contact = newId(context);
    await noteSealed(context, tx, contact);
    const ack = await tellApplied(tx, contact);
    const method = await readMethod(tx);
    const address = await readAddress(tx);
    const logs = await tellLogs(context, tx);
    const last = await outgoing(tx, {
      id: contact,
      type: 'contact',
      body: { ack, name: context.name, method, logs, ...(address === null ? {} : { address }) },
    });
    return ok([...tokens, await seal(context, tx, last.body)]);
  });
  if (!sealed.ok) throw new Error(`The outbox cannot be refused, but was: ${sealed.error.code}`);
  return sealed.value;
}

async function seal(context: ServerContext, tx: WriteTx, stored: JsonObject): Promise<string> {
  const content = stored as ServerContent;
  return sealContent(content, {
    from: { id: context.licenseServerId, gen: content.gen, head: await tx.head(serverLog) },
    to: clearinghouseName,
    nowMs: context.clock.nowMs(),
    key: context.key,
  });
}

/** The outbox as a request file, to be carried to the clearinghouse. */
export async function requestFile(context: ServerContext): Promise<string> {
  return writeMessageFile(context.digest, { kind: 'request', messages: await sealOutbox(context) });
}
