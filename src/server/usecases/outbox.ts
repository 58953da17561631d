/**
 * What leaves this server, whatever carries it: the whole outbox in its order, closed by a contact that
 * says what was received. Sent again until the clearinghouse confirms it, word for word.
 */
import type { JsonObject } from '../../core/json.ts';
import { ok } from '../../core/result.ts';
import { clearinghouseName } from '../../protocol/envelope.ts';
import { sealContent } from '../../protocol/message-content.ts';
import { writeMessageFile } from '../../protocol/message-file.ts';
import { waitingWithin } from '../../store/outbox-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { tellApplied } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import type { ServerContent } from '../send.ts';
import { outgoing } from '../send.ts';
import { serverLog } from './license-token.ts';
import { anyUnfinished, continueLongMoves } from './long-move.ts';
import { newId } from './new-id.ts';
import { readReport } from './recovery.ts';
import { noteSealed } from './seen-time.ts';
import { readAddress, readMethod } from './settings.ts';
import { stateEndedMoves } from './state-move.ts';
import { readyLogs, tellLogs } from './witness.ts';

/**
 * The most of one sending over the network; the rest goes with the next. Signing 256 KiB takes some 10 ms,
 * for which everybody else waits: the receipts of a long move would take a second at once.
 */
const mostAtOnce = { messages: 500, bytes: 256 * 1024 };
/** A file has no next one. */
const everything = { messages: 1_000_000, bytes: Number.MAX_SAFE_INTEGER };

export interface Sending {
  readonly tokens: readonly string[];
  /** Whether more waits than is sent now, or is still to be made for a long move. */
  readonly more: boolean;
  /** The message that has waited longest; null where none waits. */
  readonly oldest: string | null;
}

/** The beginning of the outbox, signed now; where that is all of it, with a contact at its end. */
export async function sealSome(context: ServerContext, most = mostAtOnce): Promise<Sending> {
  await stateEndedMoves(context);
  await readyLogs(context);
  const sealed = await context.store.write<Sending>(async (tx) => {
    const waits = await waitingWithin(tx, clearinghouseName, most);
    const { count } = waits;
    const more = waits.more || (await anyUnfinished(tx));
    const waiting = await tx.outbox(clearinghouseName, count);
    const oldest = waiting[0]?.id ?? null;
    const tokens: string[] = [];
    for (const row of waiting) tokens.push(await seal(context, tx, row.body));
    // A contact is numbered after all that waits, so it may not overtake what this sending leaves behind.
    if (more) return ok({ tokens, more, oldest });
    const contact = newId(context);
    await noteSealed(context, tx, contact);
    const ack = await tellApplied(tx, contact);
    const method = await readMethod(tx);
    const address = await readAddress(tx);
    const logs = await tellLogs(context, tx);
    const report = await readReport(tx);
    const last = await outgoing(tx, {
      id: contact,
      type: 'contact',
      body: {
        ...{ ack, name: context.name, method, logs },
        ...(address === null ? {} : { address }),
        ...(report === undefined ? {} : { report }),
      },
    });
    return ok({ tokens: [...tokens, await seal(context, tx, last.body)], more, oldest });
  });
  if (!sealed.ok) throw new Error(`The outbox cannot be refused, but was: ${sealed.error.code}`);
  return sealed.value;
}

/** The whole outbox, signed now, with a contact at its end; what a long move still has to say comes first. */
export async function sealOutbox(context: ServerContext): Promise<readonly string[]> {
  await continueLongMoves(context);
  return (await sealSome(context, everything)).tokens;
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
  return writeMessageFile(context.digest, {
    kind: 'request',
    messages: await sealOutbox(context),
    trustLists: [],
  });
}
