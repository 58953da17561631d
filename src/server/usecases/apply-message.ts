/**
 * Takes in what the clearinghouse sends, over the network or in a file: each message once, in a
 * command of its own, whatever the order and however often it comes.
 */
import type { JsonObject, JsonValue } from '../../core/json.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { checkClock } from '../../core/standing.ts';
import { isoTime, msOfIso } from '../../core/time.ts';
import type { Message, Opened } from '../../protocol/envelope.ts';
import { openEnvelope } from '../../protocol/envelope.ts';
import { runsOf } from '../../protocol/list-parts.ts';
import { readMessageFile } from '../../protocol/message-file.ts';
import type { TrustList } from '../../protocol/trust.ts';
import { trustedKey } from '../../protocol/trust.ts';
import { claimedTrustLists } from '../../protocol/trust-lists.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { findRequest, noteApplied } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { handleAnswer } from './handle-answer.ts';
import { serverLog } from './license-token.ts';
import { continueLongMoves } from './long-move.ts';
import { checkPast } from './past.ts';
import { askCertificates } from './recovery.ts';
import { administer } from './server-facts.ts';
import { trustListFor } from './trust-list.ts';
import { checkForked, takeLogs } from './witness.ts';

export interface AppliedMessages {
  /** Messages that did something now, by type. */
  readonly applied: readonly string[];
  /** Messages that had been applied before. */
  readonly again: readonly string[];
  /** What the clearinghouse refused, by request. */
  readonly refused: readonly { readonly re: string; readonly refusal: Refusal }[];
  /** Messages that this server could not apply: they come again, and hold up no other. */
  readonly failed: readonly { readonly type: string; readonly refusal: Refusal }[];
  /** Each message that is applied, now or before, with what came of it. */
  readonly results: readonly AppliedResult[];
}

export type AppliedResult = JsonObject & {
  readonly message: string;
  readonly again: boolean;
  /** When it was applied first. */
  readonly at: string;
};

/**
 * Applies messages in their order. Refused as a whole, before anything changes: a message that cannot
 * be opened. `ofOthers: skip` passes over mail for other servers, which shares our stick in a file.
 */
export async function applyMessages(
  context: ServerContext,
  call: {
    readonly messages: readonly string[];
    readonly ofOthers: 'skip' | 'refuse';
    /** The trust lists of the file that they come in, oldest first. */
    readonly trustLists?: readonly string[];
  },
): Promise<Result<AppliedMessages, Refusal>> {
  const opened: Opened[] = [];
  // The list that vouches for a message may come with it, in the file or in the welcome, which is the first message. It is
  // signed by the root itself.
  const [welcome = ''] = call.messages;
  const { list } = await trustListFor(context, [...(call.trustLists ?? []), ...claimedTrustLists(welcome)]);
  // A clock far behind takes keys for not valid yet that are: it is the clock that is wrong, not the key.
  const clock = checkClock(context.clock.nowMs(), msOfIso(list.iat) ?? 0);
  if (!clock.ok) return clock;
  for (const token of call.messages) {
    // Opening a long list takes some milliseconds: others have their turn in between.
    await context.nextTurn();
    const nowMs = context.clock.nowMs();
    const keyOf = (kid: string): Uint8Array | undefined =>
      trustedKey(list, kid, { role: 'issue', atMs: nowMs });
    const message = openEnvelope(token, {
      nowMs,
      to: context.licenseServerId,
      digest: context.digest,
      keyOf,
    });
    if (message.ok) opened.push(message.value);
    else if (message.error.code !== 'message-not-for-us' || call.ofOthers === 'refuse') return message;
  }
  if (opened.length === 0) {
    return err({ code: 'message-invalid', problem: 'there is no message for this license server in it' });
  }
  // A welcome tells the horizon of what the certificate beside it has just brought: it goes last.
  const isWelcome = (message: Opened): boolean => message.envelope.t === 'welcome';
  await takeLogsOf(context, { opened, list });
  const ordered = [...opened.filter((message) => !isWelcome(message)), ...opened.filter(isWelcome)];
  const done = await applyAll(context, ordered);
  const [first] = done.failed;
  if (first !== undefined && done.applied.length + done.again.length === 0) return err(first.refusal);
  return ok(done);
}

/** Applies opened messages in their order, and says what came of each. */
async function applyAll(context: ServerContext, messages: readonly Opened[]): Promise<AppliedMessages> {
  const applied: string[] = [];
  const again: string[] = [];
  const refused: { re: string; refusal: Refusal }[] = [];
  const failed: { type: string; refusal: Refusal }[] = [];
  const results: AppliedResult[] = [];
  for (const run of runsOf(messages)) {
    const all = await Promise.all(run.map((message) => applyOne(context, message)));
    for (const [at, { envelope }] of run.entries()) {
      const done = all[at];
      if (done === undefined) continue;
      if (!done.ok) {
        failed.push({ type: envelope.t, refusal: done.error });
        continue;
      }
      (done.value.again ? again : applied).push(envelope.t);
      results.push(await resultOf(context, envelope, done.value));
      if (envelope.t !== 'refused') continue;
      refused.push({ re: envelope.body.re, refusal: envelope.body.refused as unknown as Refusal });
    }
  }
  return { applied, again, refused, failed, results };
}

/** What a welcome shows of the journals is looked at before anything that comes with it is applied. */
async function takeLogsOf(
  context: ServerContext,
  { opened, list }: { readonly opened: readonly Opened[]; readonly list: TrustList },
): Promise<void> {
  for (const { envelope } of opened) {
    if (envelope.t !== 'welcome') continue;
    await context.store.write(async (tx) => {
      await takeLogs(context, tx, { message: envelope, list });
      return ok(null);
    });
  }
}

/** What came of a message: the answer of the request that it settles, or the refusal. */
async function resultOf(
  context: ServerContext,
  message: Message,
  done: { readonly again: boolean; readonly at: string },
): Promise<AppliedResult> {
  const result = {
    message: message.t,
    ...done,
    ...(message.move === undefined ? {} : { move: message.move }),
  };
  const re = 're' in message.body ? message.body.re : undefined;
  if (message.t === 'refused') return { ...result, refused: message.body.refused };
  const request = re === undefined ? undefined : await context.store.read((tx) => findRequest(tx, re));
  return { ...result, ...(JSON.parse(request?.answer ?? '{}') as JsonObject) };
}

/** What takes units away from here waits, and comes again, while the past is in doubt (protocol §5.2). */
const leaving: ReadonlySet<string> = new Set(['freeze', 'release', 'cancel', 'unfreeze']);

async function applyOne(
  context: ServerContext,
  opened: Opened,
): Promise<Result<{ readonly again: boolean; readonly at: string }, Refusal>> {
  const message = opened.envelope;
  return administer<{ readonly again: boolean; readonly at: string }>(context, async (tx) => {
    const before = await tx.answer(answerId(message));
    if (before !== undefined) {
      await noteApplied(tx, message.id);
      return ok({ again: true, at: typeof before.body === 'string' ? before.body : '' });
    }
    const forked = await checkForked(context, tx, message);
    if (!forked.ok) return forked;
    const certain = leaving.has(message.t) ? await checkPast(tx) : ok(null);
    if (!certain.ok) return certain;
    const handled = await handleAnswer(context, tx, message);
    if (!handled.ok) return handled;
    await keep(context, tx, { message, requestDigest: opened.requestDigest });
    return ok({ again: false, at: isoTime(context.clock.nowMs()) });
  });
}

function answerId(message: Message): string {
  return `in:${message.id}`;
}

/** The mark that a message was applied, and the newest time that the clearinghouse has told. */
async function keep(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly message: Message; readonly requestDigest: string },
): Promise<void> {
  const { message, requestDigest } = of;
  const id = answerId(message);
  const nowMs = context.clock.nowMs();
  // A welcome answers one contact only and changes nothing that would have to be found again.
  if (message.t !== 'welcome') {
    await tx.post({
      log: serverLog,
      kind: `received-${message.t}`,
      id,
      at: nowMs,
      body: {
        message: message.id,
        type: message.t,
        ...(message.move === undefined ? {} : { move: message.move }),
      },
      answer: { id, requestDigest, body: isoTime(nowMs) },
    });
    await noteApplied(tx, message.id);
  }
  const toldMs = msOfIso(message.iat) ?? 0;
  const before = Number((await readMeta(tx, 'lastContactAt')) ?? '0');
  if (toldMs > before) await writeMeta(tx, 'lastContactAt', String(toldMs));
}

/**
 * Applies an answer file. Refused: `file-damaged`, `file-other-kind`, what `applyMessages` refuses, and
 * `already-applied`, with the first numbers, where nothing in it was new.
 */
export async function applyAnswerFile(
  context: ServerContext,
  text: string,
): Promise<Result<AppliedMessages, Refusal>> {
  const file = readMessageFile(context.digest, text, 'answer');
  if (!file.ok) return file;
  const done = await applyMessages(context, {
    messages: file.value.messages,
    trustLists: file.value.trustLists,
    ofOthers: 'skip',
  });
  await continueLongMoves(context);
  await askCertificates(context);
  if (!done.ok) return done;
  // A welcome is new in every file: it alone does not make one that was given before a new one.
  const news = done.value.applied.filter((type) => type !== 'welcome');
  const before = done.value.results.filter((result) => result.again);
  if (news.length > 0 || before.length === 0) return done;
  return err(firstNumbers(before));
}

/** What a file brought that is given again: the key pack in it, a refusal, or only when that was. */
function firstNumbers(results: readonly AppliedResult[]): Refusal {
  const pack = results.findLast((result) => result.message === 'key-pack') ?? results.at(-1);
  if (pack?.['refused'] !== undefined) return pack['refused'] as unknown as Refusal;
  const text = (value: JsonValue | undefined): string | null => (typeof value === 'string' ? value : null);
  const count = (value: JsonValue | undefined): number => (typeof value === 'number' ? value : 0);
  return {
    code: 'already-applied',
    product: text(pack?.['product']),
    type: text(pack?.['type']),
    added: count(pack?.['added']),
    installed: count(pack?.['installed']),
    at: pack?.at ?? '',
  };
}
