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
import type { Doubted, Past } from './past.ts';
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
  const { ahead, nonce: to } = body;
  // It had cosigned more of this journal than this server had heard of; it has now, and can prove it.
  if (ahead?.what === 'unproved') await askAnew(context, tx, past);
  else await keepAnswer(context, tx, { past, answer: { ahead, to } });
  return ok(null);
}

/** Asks the same once more, as the database stands now; what was answered holds until then. */
async function askAnew(context: ServerContext, tx: WriteTx, past: Doubted): Promise<void> {
  const nonce = base64url(context.random.bytes(16));
  const id = newId(context);
  await writePast(tx, { ...past, nonce, question: id });
  await tx.post({
    ...{ log: serverLog, kind: 'revalidate-requested', id, at: context.clock.nowMs() },
    body: {},
    outbox: [await question(context, tx, { id, nonce })],
  });
}

async function keepAnswer(
  context: ServerContext,
  tx: WriteTx,
  { past, answer }: { readonly past: Doubted; readonly answer: NonNullable<Doubted['answer']> },
): Promise<void> {
  await writePast(tx, { ...past, answer });
  const { ahead } = answer;
  const isNews = ahead !== null && ahead.what !== past.answer?.ahead?.what;
  if (isNews) await noteEvent(context, tx, { number: 5044, data: { ...ahead } });
}

/** What it lacks may have come since: a key pack that was read out and is typed, a grant on its way, its activation. */
const mayHaveCome: ReadonlySet<string | undefined> = new Set(['granted', 'authority', 'unknown']);

/** Asks again, every hour, where the answer may be another one by now. */
export async function askAgain(context: ServerContext): Promise<void> {
  await context.store.write(async (tx) => {
    const past = await readPast(tx);
    const answer = past?.state === 'doubted' ? past.answer : null;
    if (past?.state !== 'doubted' || answer?.to !== past.nonce) return ok(null);
    if (mayHaveCome.has(answer.ahead?.what)) await askAnew(context, tx, past);
    return ok(null);
  });
}

/** What a refusal of the question itself says: its number was used before, or the clearinghouse has no such server any more. */
const unanswerable: ReadonlyMap<unknown, string> = new Map([
  ['server-suspect', 'messages'],
  ['server-closed', 'closed'],
  ['server-unknown', 'unknown'],
]);

/** The clearinghouse refuses even the question. */
export async function noteUnanswerable(
  context: ServerContext,
  tx: WriteTx,
  { re, refused }: Pick<MessageOf<'refused'>['body'], 're' | 'refused'>,
): Promise<void> {
  const what = unanswerable.get(refused['code']);
  const past = await readPast(tx);
  if (what === undefined || past?.state !== 'doubted' || past.question !== re) return;
  await keepAnswer(context, tx, { past, answer: { ahead: { what, seen: 1, here: 0 }, to: past.nonce } });
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
