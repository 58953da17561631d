/**
 * Takes in what a license server sends, over the network or in a file: each message once, in the
 * sender's order, as a command of its own; and answers with everything that waits for the sender.
 */
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { compareClocks } from '../../core/standing.ts';
import { msOfIso } from '../../core/time.ts';
import type { Message, Opened } from '../../protocol/envelope.ts';
import { clearinghouseName, openEnvelope } from '../../protocol/envelope.ts';
import { runsOf } from '../../protocol/list-parts.ts';
import { findMove } from '../../store/clearinghouse-rows.ts';
import type { ServerRow } from '../../store/committed-server-rows.ts';
import { findReceived, findServer, insertReceived, saveServer } from '../../store/committed-server-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { isUnheard } from '../../store/recovery-rows.ts';
import type { ClearinghouseContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { advanceMove } from './advance-move.ts';
import { grantPassed } from './dead-source.ts';
import { keepEvidence, spokenByMessage } from './dead-source-spoke.ts';
import { handleMessage } from './handle-message.ts';
import { newId } from './new-id.ts';
import { suspected } from './open-authority.ts';
import { publisherLog } from './products.ts';
import { keepRefusedFreeze } from './refused-freeze.ts';
import { checkTeller, isLost, noteLostNumbers } from './server-past.ts';
import { settleDue } from './settle-due.ts';
import { fencedUntil } from './settle-fenced.ts';
import { countStranger } from './stranger-limit.ts';
import { takeReport } from './take-report.ts';
import { keepForkedLog, takeLogs } from './witness.ts';

export interface Taken {
  readonly licenseServerId: string;
  /** Ids of messages that are durably taken in, refused ones among them. */
  readonly received: readonly string[];
}

/**
 * Takes messages in. Refused as a whole, before anything changes: a message that cannot be opened
 * (`message-invalid`, `message-untrusted`, `message-not-for-us`, `message-expired`, `clock-ahead`) or
 * messages of two senders, and `strangers-limited`; over a `live` line also `clock-behind`, because what comes over it was signed
 * just now. A message refused by its handler is answered with a signed `refused`.
 */
export async function receiveMessages(
  context: ClearinghouseContext,
  tokens: readonly string[],
  { live }: { readonly live: boolean } = { live: false },
): Promise<Result<Taken, Refusal>> {
  const opened: Opened[] = [];
  for (const token of tokens) {
    const message = live ? openLive(context, token) : openMessage(context, token);
    if (!message.ok) return message;
    opened.push(message.value);
  }
  const [first] = opened;
  if (first === undefined) return err({ code: 'message-invalid', problem: 'there is no message in it' });
  const licenseServerId = first.envelope.from.id;
  if (opened.some((message) => message.envelope.from.id !== licenseServerId)) {
    return err({ code: 'message-invalid', problem: 'it has messages of more than one license server' });
  }
  // What was due before they came is done before they count: a source whose horizon has passed is fenced.
  await settleDue(context);
  const received: string[] = [];
  for (const run of runsOf(opened)) {
    if (await isHeldBack(context, run)) {
      await reportAlone(context, opened);
      break;
    }
    const all = await Promise.all(run.map((message) => receiveOne(context, message)));
    const refused = all.find((done) => !done.ok);
    if (refused?.ok === false) return refused;
    received.push(...run.map((message) => message.envelope.id));
  }
  // What is recovered, and need not wait, comes with the answer.
  if (opened.some(({ envelope }) => envelope.t === 'move-request')) await grantPassed(context);
  context.mailbox.wake();
  return ok({ licenseServerId, received });
}

function openMessage(context: ClearinghouseContext, token: string): Result<Opened, Refusal> {
  const nowMs = context.clock.nowMs();
  const opened = openEnvelope(token, {
    nowMs,
    to: clearinghouseName,
    digest: context.digest,
    keyOf: () => undefined,
  });
  // Seen from here our clock is behind the sender's; seen from the sender, who reads this, it is ahead.
  if (opened.ok || opened.error.code !== 'clock-behind') return opened;
  return err({ code: 'clock-ahead', now: opened.error.seen, seen: opened.error.now });
}

/** A server whose clock is more than a day behind could not open our answers either: it is told why. */
export function openLive(context: ClearinghouseContext, token: string): Result<Opened, Refusal> {
  const opened = openMessage(context, token);
  if (!opened.ok) {
    const { error } = opened;
    return error.code === 'message-expired'
      ? err({ code: 'clock-behind', now: error.madeAt, seen: error.now })
      : opened;
  }
  const signedMs = msOfIso(opened.value.envelope.iat) ?? 0;
  const clocks = compareClocks(signedMs, context.clock.nowMs());
  return clocks.ok ? opened : clocks;
}

async function receiveOne(context: ClearinghouseContext, opened: Opened): Promise<Result<null, Refusal>> {
  const handled = await context.store.write((tx) => place(context, tx, opened));
  if (handled.ok) return ok(null);
  if (handled.error.code === 'message-out-of-order') return handled;
  if (await isStranger(context, opened)) {
    const counted = countStranger(context);
    if (!counted.ok) return counted;
  }
  // The refusal is an answer like any other: stored, signed, and the same when it is asked for again.
  return context.store.write(async (tx) => {
    await answerRefused(context, tx, { opened, refusal: handled.error });
    return ok(null);
  });
}

/**
 * Whether a message has to wait, with all that come after it: while it is not known again how far its sender has come, or
 * the other end of its move (protocol §5.6), there is no telling what it would do. It comes again with each contact.
 */
async function isHeldBack(context: ClearinghouseContext, run: readonly Opened[]): Promise<boolean> {
  const message = run[0]?.envelope;
  if (message === undefined || message.t === 'contact') return false;
  const nowMs = context.clock.nowMs();
  return context.store.read(async (tx) => {
    if (await isUnheard(tx, { licenseServerId: message.from.id, nowMs })) return true;
    if (message.move === undefined || message.t === 'move-request') return false;
    const move = await findMove(tx, message.move);
    if (move === undefined) return false;
    const { agreement, source, target } = move;
    const other = source === message.from.id ? target : source;
    return isUnheard(tx, { licenseServerId: other, agreement, nowMs });
  });
}

/** What the contact behind messages that have to wait reports; the contact itself comes again with them. */
async function reportAlone(context: ClearinghouseContext, opened: readonly Opened[]): Promise<void> {
  const last = opened.at(-1);
  if (last?.envelope.t !== 'contact') return;
  const { envelope: message, signer } = last;
  const nowMs = context.clock.nowMs();
  await context.store.write((tx) => takeReport(context, tx, { message, publicKey: signer.publicKey, nowMs }));
}

/** Whether nothing at all is known of the sender. */
async function isStranger(context: ClearinghouseContext, { envelope }: Opened): Promise<boolean> {
  return (await context.store.read((tx) => findServer(tx, envelope.from.id))) === undefined;
}

/** Puts a message at its place in the sender's sequence and carries it out. */
async function place(
  context: ClearinghouseContext,
  tx: WriteTx,
  opened: Opened,
): Promise<Result<null, Refusal>> {
  const message = opened.envelope;
  const { id, gen, seq } = message.from;
  const nowMs = context.clock.nowMs();
  const before = await findReceived(tx, { licenseServerId: id, generation: gen, seq });
  if (before?.digest === opened.requestDigest) return ok(null);
  const server = await findServer(tx, id);
  if (server === undefined && message.t !== 'activate') return fromUnknown(context, tx, opened);
  if (server !== undefined) {
    // A contact that was overtaken says nothing any more; what it told came again with the later one. Its
    // generation is one that is not known here yet where a server was closed and its code is still to be read.
    const overtaken = message.t === 'contact' && before === undefined && seq < server.seq;
    if (overtaken && gen >= server.generation) return ok(null);
    if (await isLost(tx, { message, isNew: before === undefined })) return noteLost(tx, opened, nowMs);
    const isReceipt = receipts.has(message.t) && (await fencedUntil(tx, id)) === undefined;
    const known = checkSender({ server, message, repeated: before !== undefined, isReceipt });
    if (!known.ok) return known;
  }
  const { publicKey } = opened.signer;
  if (message.t === 'contact') {
    const heard = await hearContact(context, tx, { message, publicKey, nowMs });
    if (!heard.ok) return heard;
  }
  const done = await handleMessage(context, tx, { message, publicKey, nowMs });
  if (!done.ok) return done;
  await noteReceived(tx, opened, nowMs);
  return ok(null);
}

/** One that was activated after the backup that is restored here is known again by what it can prove. */
async function fromUnknown(
  context: ClearinghouseContext,
  tx: WriteTx,
  { envelope: message, signer: { publicKey } }: Opened,
): Promise<Result<null, Refusal>> {
  if (message.t !== 'contact') return err({ code: 'server-unknown', licenseServerId: message.from.id });
  return takeReport(context, tx, { message, publicKey, nowMs: context.clock.nowMs() });
}

/** What a contact tells besides: the journals, and what a clearinghouse that was restored has to know. */
async function hearContact(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: Parameters<typeof takeReport>[2],
): Promise<Result<null, Refusal>> {
  const logs = await takeLogs(context, tx, of);
  return logs.ok ? takeReport(context, tx, of) : logs;
}

/** It is taken in like any other, and nothing comes of it. */
async function noteLost(tx: WriteTx, opened: Opened, nowMs: number): Promise<Result<null, Refusal>> {
  await noteReceived(tx, opened, nowMs);
  return ok(null);
}

/**
 * What a server has done before its end, though a code of that end was heard first: nobody else can say it, and the other
 * end waits for it (protocol §2.1). Only one that was fenced off is not listened to any more.
 */
const receipts: ReadonlySet<string> = new Set([
  ...['frozen-part', 'frozen', 'released-part', 'released'],
  ...['installed', 'relinquished-part', 'relinquished'],
]);

/** Generation, sequence and journal must go on from what was seen (protocol §2.1); else it is a fork. */
function checkSender(of: {
  readonly server: ServerRow;
  readonly message: Message;
  readonly repeated: boolean;
  readonly isReceipt: boolean;
}): Result<null, Refusal> {
  const { server, message } = of;
  if (message.t === 'restored' || message.t === 'revalidate') return checkTeller({ ...of, message });
  const { gen, seq, log } = message.from;
  const { licenseServerId } = server;
  if (server.state === 'suspect') {
    return err(suspected(licenseServerId));
  }
  // A closed server starts again with the generation that it was closed with, or the one after.
  if (message.t === 'activate' && server.state === 'closed') return ok(null);
  if (gen < server.generation && !of.isReceipt) {
    return err({ code: 'server-closed', licenseServerId, generation: server.generation });
  }
  const forked =
    of.repeated ||
    seq <= server.seq ||
    (tellsHead(message) && log.size < server.logSize) ||
    (log.size === server.logSize && server.logRoot !== '' && log.root !== server.logRoot);
  return forked ? err({ code: 'server-suspect', licenseServerId, reason: forkReason(of) }) : ok(null);
}

/**
 * Only a contact is signed once, and last of what is sent with it: its journal is never shorter than
 * that of an earlier contact. Everything else is signed anew at each sending. An old letter that
 * arrives late therefore tells of a shorter journal than a newer one of which we, being killed, had
 * taken in the beginning only; that is no fork.
 */
function tellsHead(message: Message): boolean {
  return message.t === 'contact';
}

function forkReason({ server, message }: { readonly server: ServerRow; readonly message: Message }): string {
  const { seq, log } = message.from;
  if (seq <= server.seq) return `message ${seq} came after message ${server.seq}, with another content`;
  return `its journal has ${log.size} entries where ${server.logSize} were seen`;
}

async function noteReceived(tx: WriteTx, opened: Opened, nowMs: number): Promise<void> {
  const message = opened.envelope;
  const { from, id } = message;
  await insertReceived(tx, {
    licenseServerId: from.id,
    generation: from.gen,
    seq: from.seq,
    id,
    digest: opened.requestDigest,
    at: nowMs,
  });
  const server = await findServer(tx, from.id);
  if (server === undefined) return;
  const { size: logSize, root: logRoot } = from.log;
  const head = tellsHead(message) && logSize >= server.logSize ? { logSize, logRoot } : {};
  await saveServer(tx, { ...server, ...head, seq: Math.max(server.seq, from.seq), lastContactAt: nowMs });
}

/**
 * Stores a refusal as the answer to a message. A fork makes the server suspect: it gets no new CALs
 * until that is settled, and its present holders are not touched (protocol §2.1).
 */
async function answerRefused(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly opened: Opened; readonly refusal: Refusal },
): Promise<void> {
  const { opened, refusal } = of;
  const { from, id } = opened.envelope;
  const nowMs = context.clock.nowMs();
  const place = { licenseServerId: from.id, generation: from.gen, seq: from.seq };
  const before = await findReceived(tx, place);
  // The same message came twice at once, and was refused in between already.
  if (before?.digest === opened.requestDigest) return;
  if (before === undefined) await noteReceived(tx, opened, nowMs);
  const server = await findServer(tx, from.id);
  const isFork = refusal.code === 'server-suspect' && isRefusedItself(opened.envelope, refusal);
  if (isFork && server !== undefined && server.state !== 'suspect') {
    await saveServer(tx, { ...server, state: 'suspect' });
    if (opened.envelope.t === 'contact') await keepForkedLog(context, tx, opened.envelope);
  }
  const { envelope } = opened;
  if (server === undefined && envelope.t === 'restored') await noteLostNumbers(tx, envelope);
  await endRefusedFreeze(context, tx, { message: opened.envelope, refusal });
  if (refusal.code === 'server-closed') await keepEvidence(context, tx, spokenByMessage(opened));
  const message = await outgoing(tx, {
    id: newId(context),
    type: 'refused',
    to: from.id,
    agreement: publisherLog,
    ...(opened.envelope.move === undefined ? {} : { move: opened.envelope.move }),
    body: { re: id, refused: { ...refusal } },
  });
  await tx.post({
    log: publisherLog,
    kind: 'message-refused',
    id: newId(context),
    at: nowMs,
    body: { server: from.id, message: id, type: opened.envelope.t, refused: refusal.code },
    outbox: [message],
  });
}

/** A receipt that contradicts itself or the order is no source's word: nothing is known to be frozen by it. */
const impossible: ReadonlySet<string> = new Set(['message-invalid', 'quantity-differs']);

/** Whether it is the sender itself that is refused, and not the other end of a move: what it says has no effect at all. */
function isRefusedItself({ from }: Message, refusal: Refusal): boolean {
  const isOfServer = refusal.code === 'server-suspect' || refusal.code === 'server-closed';
  return isOfServer && refusal.licenseServerId === from.id;
}

/**
 * Where what the source has frozen cannot be taken in, the move ends, and the source takes its units back. Why does not
 * matter: what is refused is settled and never comes again, and the source would hold its units for nobody. So does the
 * declaration that it functions no longer: it lives, and whatever it gives up from now on is given up to nobody.
 */
async function endRefusedFreeze(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly message: Message; readonly refusal: Refusal },
): Promise<void> {
  const { message, refusal } = of;
  if (message.t !== 'frozen' || message.move === undefined || impossible.has(refusal.code)) return;
  if (message.body.unissued + message.body.held === 0) return;
  const move = await findMove(tx, message.move);
  if (move === undefined || move.source !== message.from.id) return;
  const declared = move.state === 'dead-wait';
  if (move.state !== 'reserved' && !declared) return;
  if (declared && isRefusedItself(message, refusal)) return;
  const event = declared ? 'dead-abort' : 'cancel';
  const nowMs = context.clock.nowMs();
  const ended = await advanceMove(context, tx, { move, event, nowMs, refused: refusal });
  if (!ended.ok) throw new Error(`A move of which nothing is granted cannot be ended: ${ended.error.code}`);
  await keepRefusedFreeze(tx, move.id, refusal);
}
