/**
 * The way out of a past that is in doubt (protocol §5.2): the clearinghouse has seen nothing of this server beyond its
 * database, and no license can run any more of which nobody knows here.
 */
import { base64url } from '../../core/bytes.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { ok } from '../../core/result.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import type { WriteTx } from '../../store/port.ts';
import { listLines } from '../../store/server-authority-rows.ts';
import type { ServerContext } from '../context.ts';
import { noteEvent } from './events.ts';
import { accountsOf, serverLog } from './license-token.ts';
import { newId } from './new-id.ts';
import type { Past } from './past.ts';
import { readPast, writePast } from './past.ts';
import { question } from './put-back.ts';

/** Takes in what the clearinghouse has seen. An answer to another question than the last one counts for nothing. */
export async function takeRevalidated(
  context: ServerContext,
  tx: WriteTx,
  { body }: MessageOf<'revalidated'>,
): Promise<Result<null, Refusal>> {
  const past = await readPast(tx);
  if (past?.state !== 'doubted' || past.nonce !== body.nonce) return ok(null);
  const { ahead } = body;
  if (ahead?.what === 'unproved') {
    // It had cosigned more of this journal than this server had heard of; it has now, and can prove it.
    const nonce = base64url(context.random.bytes(16));
    const id = newId(context);
    await writePast(tx, { ...past, nonce, question: id });
    await tx.post({
      ...{ log: serverLog, kind: 'revalidate-requested', id, at: context.clock.nowMs() },
      body: {},
      outbox: [await question(context, tx, { id, nonce })],
    });
    return ok(null);
  }
  await writePast(tx, { ...past, answer: { ahead } });
  if (ahead !== null) await noteEvent(context, tx, { number: 5044, data: { ...ahead } });
  return ok(null);
}

/** The clearinghouse refuses even the question: the message that asked it had a number that another one had. */
export async function noteUnanswerable(context: ServerContext, tx: WriteTx, re: string): Promise<void> {
  const past = await readPast(tx);
  if (past?.state !== 'doubted' || past.question !== re) return;
  const ahead = { what: 'messages', seen: 1, here: 0 };
  await writePast(tx, { ...past, answer: { ahead } });
  await noteEvent(context, tx, { number: 5044, data: ahead });
}

const isOver = (past: Past | null, nowMs: number): boolean =>
  past !== null &&
  nowMs > past.untilMs &&
  (past.state === 'restored' || (past.answer !== null && past.answer.ahead === null));

/** Ends what is over of it: whether its past is certain again. Units that were set aside are opened by the next sweep. */
export async function settlePast(context: ServerContext): Promise<boolean> {
  const nowMs = context.clock.nowMs();
  if (!isOver(await context.store.read(readPast), nowMs)) return false;
  await context.store.write(async (tx) => {
    const past = await readPast(tx);
    if (past === null) return ok(null);
    await writePast(tx, null);
    context.cache.facts = null;
    if (past.state === 'restored') return ok(null);
    const lines = await listLines(tx);
    let count = 0;
    for (const line of lines) count += await tx.balance(accountsOf(line).quarantined);
    const body = { since: past.sinceMs, reason: past.reason };
    await tx.post({ log: serverLog, kind: 'revalidated', id: newId(context), at: nowMs, body });
    await noteEvent(context, tx, { number: 5043, data: { count } });
    return ok(null);
  });
  context.machine?.accept();
  return true;
}
