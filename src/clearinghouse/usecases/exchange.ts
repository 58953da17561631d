/**
 * One exchange with a license server: its messages in, everything that waits for it out. The same for
 * a network request and for a file; only how long it may wait differs.
 */
import { base64url } from '../../core/bytes.ts';
import { horizonChain } from '../../core/chain.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { ok } from '../../core/result.ts';
import { horizonPosition } from '../../core/standing.ts';
import { clearinghouseName } from '../../protocol/envelope.ts';
import { sealContent } from '../../protocol/message-content.ts';
import { readMessageFile, writeMessageFile } from '../../protocol/message-file.ts';
import { pageMoves } from '../../store/clearinghouse-rows.ts';
import type { GrantedAuthorityRow, ServerRow } from '../../store/committed-server-rows.ts';
import { authoritiesOfServer, findServer, saveGrantedAuthority } from '../../store/committed-server-rows.ts';
import { waitingWithin } from '../../store/outbox-rows.ts';
import type { OutgoingMessage, ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import type { ClearinghouseContent } from '../send.ts';
import { outgoing } from '../send.ts';
import { revealAt } from '../signer.ts';
import { idBytes } from '../stored-ids.ts';
import { monthsFor } from './horizon-months.ts';
import { newId } from './new-id.ts';
import { checkNotDead } from './open-authority.ts';
import { publisherLog } from './products.ts';
import type { Taken } from './receive-messages.ts';
import { receiveMessages } from './receive-messages.ts';
import { tellRecovery } from './recovery.ts';
import { answerRehearsal, isRehearsal } from './rehearse-move.ts';
import { renewCertificates } from './renew-certificates.ts';
import { stateDueMoves } from './state-move.ts';
import { tellLogs } from './witness.ts';

interface Most {
  readonly messages: number;
  readonly bytes: number;
}

/** The most of one answer: what opens in some 60 ms. The rest goes with the next contact, which comes at once. */
const mostAtOnce: Most = { messages: 500, bytes: 1024 * 1024 };
/** The most of one recipient in a file; the rest goes with the next file, for which somebody has to walk. */
const mostInFile: Most = { messages: 5000, bytes: 16 * 1024 * 1024 };

interface Exchange {
  readonly messages: readonly string[];
  readonly waitMs: number;
  /** Of this program, for those who ask what a move would meet. */
  readonly version?: string;
}

interface Answer {
  readonly messages: readonly string[];
}

/**
 * Takes messages in and answers with what waits for their sender, first of all a welcome that says what
 * was received. Where there is nothing else, waits up to `waitMs` for something. Refused: see
 * `receiveMessages`.
 */
export async function exchangeMessages(
  context: ClearinghouseContext,
  call: Exchange,
): Promise<Result<Answer, Refusal>> {
  const exchange = exchangeNow(context, call);
  context.exchanges.add(exchange);
  try {
    return await exchange;
  } finally {
    context.exchanges.delete(exchange);
  }
}

async function exchangeNow(context: ClearinghouseContext, call: Exchange): Promise<Result<Answer, Refusal>> {
  const [first, ...others] = call.messages;
  if (first !== undefined && others.length === 0 && isRehearsal(first)) {
    const answer = await answerRehearsal(context, { token: first, version: call.version ?? 'unknown' });
    return answer.ok ? ok({ messages: [answer.value] }) : answer;
  }
  const taken = await receiveMessages(context, call.messages, { live: true });
  if (!taken.ok) return taken;
  await stateDueMoves(context);
  const { licenseServerId } = taken.value;
  const until = context.clock.nowMs() + call.waitMs;
  while (!(await hasMail(context, licenseServerId))) {
    const leftMs = until - context.clock.nowMs();
    if (leftMs <= 0 || context.stopping.signal.aborted) break;
    await context.mailbox.wait(leftMs);
  }
  return ok({
    messages: [await welcome(context, taken.value), ...(await mailFor(context, licenseServerId, mostAtOnce))],
  });
}

async function hasMail(context: ClearinghouseContext, licenseServerId: string): Promise<boolean> {
  const waiting = await context.store.read((tx) => waitingWithin(tx, licenseServerId, mostAtOnce));
  return waiting.count > 0;
}

/** Everything that waits for a recipient, signed now: the content is that of the outbox, word for word. */
async function mailFor(
  context: ClearinghouseContext,
  licenseServerId: string,
  most: Most,
): Promise<readonly string[]> {
  return context.store.read(async (tx) => {
    const tokens: string[] = [];
    const { count } = await waitingWithin(tx, licenseServerId, most);
    for (const row of await tx.outbox(licenseServerId, count)) {
      tokens.push(await seal(context, tx, row));
    }
    return tokens;
  });
}

async function seal(
  context: ClearinghouseContext,
  tx: ReadTx,
  message: Pick<OutgoingMessage, 'recipient' | 'body'>,
): Promise<string> {
  const content = message.body as ClearinghouseContent;
  return sealContent(content, {
    from: { id: clearinghouseName, gen: 1, head: await tx.head(content.log) },
    to: message.recipient,
    nowMs: context.clock.nowMs(),
    key: context.issueKey,
  });
}

/** The answer to a contact: what was received, and how far the horizon has moved on by it. */
async function welcome(context: ClearinghouseContext, taken: Taken): Promise<string> {
  const sealed = await context.store.write(async (tx) => {
    const server = await findServer(tx, taken.licenseServerId);
    const horizon = server?.state === 'ok' ? await prolong(context, tx, server) : [];
    const logs = await tellLogs(context, tx, taken.licenseServerId);
    const recovery = await tellRecovery(tx, taken.licenseServerId);
    const message = await outgoing(tx, {
      id: newId(context),
      type: 'welcome',
      to: taken.licenseServerId,
      agreement: publisherLog,
      body: {
        ...{ received: taken.received, horizon, logs },
        ...(context.trustLists.length === 1 ? {} : { trustLists: context.trustLists }),
        ...(recovery === undefined ? {} : { recovery }),
      },
    });
    return ok(await seal(context, tx, message));
  });
  if (!sealed.ok) throw new Error(`A welcome cannot be refused, but was: ${sealed.error.code}`);
  return sealed.value;
}

/**
 * Every contact moves the horizon on: 3 months for a connection, 13 for files (protocol §2.1, §3.4); and the
 * term of the certificate, once it is near.
 */
async function prolong(
  context: ClearinghouseContext,
  tx: WriteTx,
  server: ServerRow,
): Promise<readonly JsonObject[]> {
  const { licenseServerId } = server;
  // What was declared to function no longer must not live longer than was known then (§2.1).
  if (!(await checkNotDead(tx, licenseServerId)).ok) return [];
  await renewCertificates(context, tx, server);
  const reveals: JsonObject[] = [];
  for (const authority of await authoritiesOfServer(tx, licenseServerId)) {
    if (authority.state !== 'active') continue;
    const { agreement } = authority;
    const months = await monthsFor(context, tx, { licenseServerId, agreement, method: server.method });
    const e = await raiseHorizon(context, tx, { authority, months });
    if (e === 0) continue;
    const aid = idBytes(authority.aid);
    const value = base64url(revealAt(context, { aid, chain: horizonChain, k: e }));
    reveals.push({ agreement, e, value });
  }
  return reveals;
}

async function raiseHorizon(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly authority: GrantedAuthorityRow; readonly months: number },
): Promise<number> {
  const { authority } = of;
  const nowMs = context.clock.nowMs();
  const e = Math.max(authority.horizonE, horizonPosition(authority.baseMonth, nowMs, of.months));
  if (e === authority.horizonE) return e;
  await saveGrantedAuthority(tx, { ...authority, horizonE: e });
  await tx.post({
    log: authority.agreement,
    kind: 'horizon',
    id: newId(context),
    at: nowMs,
    body: { server: authority.licenseServerId, e },
  });
  return e;
}

/**
 * The web-browser method: a request file in, an answer file out. The answer carries what waits for the
 * sender and for the other servers it has moves with, so that one stick serves both.
 */
export async function answerFile(
  context: ClearinghouseContext,
  text: string,
): Promise<
  Result<{ readonly file: string; readonly messages: number; readonly for: readonly string[] }, Refusal>
> {
  const request = readMessageFile(context.digest, text, 'request');
  if (!request.ok) return request;
  const taken = await receiveMessages(context, request.value.messages);
  if (!taken.ok) return taken;
  await stateDueMoves(context);
  const { licenseServerId } = taken.value;
  const messages = [await welcome(context, taken.value)];
  const recipients = [licenseServerId, ...(await partnersOf(context, licenseServerId))];
  for (const recipient of recipients) messages.push(...(await mailFor(context, recipient, mostInFile)));
  const file = writeMessageFile(context.digest, { kind: 'answer', messages, trustLists: context.trustLists });
  return ok({ file, messages: messages.length, for: recipients });
}

/** The other ends of a server's moves. */
async function partnersOf(
  context: ClearinghouseContext,
  licenseServerId: string,
): Promise<readonly string[]> {
  const moves = await context.store.read((tx) => pageMoves(tx, { after: '', limit: 10_000 }));
  const partners = new Set<string>();
  for (const move of moves) {
    if (move.source === licenseServerId) partners.add(move.target);
    if (move.target === licenseServerId) partners.add(move.source);
  }
  return [...partners];
}
