/**
 * A database that is not what this server has told (protocol §5.2): an older one with the same rights is made good at
 * once; of any other the past is in doubt, and the clearinghouse is asked.
 */
import { base64url, bytesOfHex, hex } from '../../core/bytes.ts';
import { longestLeaseMs, renewalMs } from '../../core/cal.ts';
import type { HighWater, Reconciled } from '../../core/high-water.ts';
import type { JsonObject } from '../../core/json.ts';
import type { IdentityReason } from '../../core/server-identity.ts';
import { isoTime } from '../../core/time.ts';
import { signCheckpoint } from '../../protocol/checkpoint.ts';
import { keepRenewed } from '../../store/held-rows.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { OutgoingMessage, ReadTx, WriteTx } from '../../store/port.ts';
import { prolongQuarantines } from '../../store/quarantine-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { findLine, listAuthorities, listLines, setHorizon } from '../../store/server-authority-rows.ts';
import type { ServerContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { noteEvent } from './events.ts';
import { accountsOf, serverLog } from './license-token.ts';
import { newId } from './new-id.ts';
import { readBranches, readPast, writeBranches, writePast, writePutBack } from './past.ts';
import { asidePosting, setAside } from './quarantine.ts';
import { ownLog, tellOwn } from './witness.ts';

/** So many of the last times that it was put back are told. */
const mostMarks = 64;
/** So many numbers of messages are passed over where nobody knows which were used. */
const unknownNumbers = 2 ** 20;

/** How the clearinghouse compares this database with its own books. */
async function positionsOf(tx: ReadTx): Promise<JsonObject> {
  const lines = await listLines(tx);
  const authorities = await listAuthorities(tx);
  return {
    lines: lines.map(({ aid, agreement, line, freeK, heldK }) => ({ aid, agreement, line, freeK, heldK })),
    counts: authorities.map(({ aid, confirmationSeq: seq, freezes, releases, returns }) => ({
      ...{ aid, seq, freezes, releases, returns },
    })),
  };
}

/** What proves a horizon is signed for: having had it, the server has it still. */
async function keepHorizons(tx: WriteTx, mark: HighWater): Promise<void> {
  for (const { aid, horizonE: before } of await listAuthorities(tx)) {
    const known = mark.counts.find((each) => each.aid === aid);
    if (known === undefined || known.horizonE <= before) continue;
    await setHorizon(tx, aid, { e: known.horizonE, value: known.horizonValue });
  }
}

/** The next message gets a number that none had; answers the last one that this database knows. */
async function passOver(tx: WriteTx, usedUpTo: number): Promise<number> {
  const known = Number((await readMeta(tx, 'seq')) ?? '0');
  await writeMeta(tx, 'seq', String(Math.max(known, usedUpTo)));
  return known;
}

interface Aside {
  readonly line: LineRow;
  readonly amount: number;
}

/** What was set aside, for the journal and for the System log. */
async function asideOf(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly lines: readonly Reconciled[]; readonly opensAt: number },
): Promise<readonly Aside[]> {
  const aside: Aside[] = [];
  for (const { agreement, line: number, quarantined: amount } of of.lines) {
    const line = await findLine(tx, agreement, number);
    if (line === undefined || amount === 0) continue;
    await setAside(context, tx, { line, amount, opensAt: of.opensAt });
    aside.push({ line, amount });
  }
  return aside;
}

/**
 * An older database with the same rights (RECONCILE). What was issued since is set aside until no license of it can run,
 * whatever was renewed since is its holder's until then, no number of a message is used again, and the clearinghouse is
 * told that the journal was put back.
 */
export async function makeGood(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly mark: HighWater;
    readonly lines: readonly Reconciled[];
  },
): Promise<void> {
  const { mark } = of;
  const { size, root } = await tx.head(serverLog);
  const nowMs = context.clock.nowMs();
  const untilMs = mark.seenAtMs + longestLeaseMs;
  // Whoever of an earlier time has come since has its unit until then, and this database has it in quarantine still.
  await prolongQuarantines(tx, untilMs);
  const aside = await asideOf(context, tx, { lines: of.lines, opensAt: untilMs });
  await keepRenewed(tx, { atMs: mark.seenAtMs + renewalMs, untilMs });
  await keepHorizons(tx, mark);
  const seq = await passOver(tx, mark.seq);
  await writePast(tx, { state: 'restored', sinceMs: nowMs, untilMs });
  await writePutBack(tx, { size: mark.logSize, root: mark.logRoot });
  const own = ownLog(context);
  const note = signCheckpoint(context.digest, { origin: own.name, size, root }, own);
  const id = newId(context);
  const lost = { size: mark.logSize, root: mark.logRoot, seq: mark.seq };
  const branches = [...mark.branches, { from: size, id, ...lost }];
  await writeBranches(tx, branches);
  // Those of before too: what told of them may be among what is lost now.
  const marks = branches.slice(-mostMarks).map(({ size: of, root: head, seq: last }) => ({
    ...{ size: of, root: base64url(bytesOfHex(head) ?? new Uint8Array(32)), seq: last },
  }));
  const database = { size, root: base64url(root) };
  const body = { marks, database, seq, ...(await positionsOf(tx)), note };
  await tx.post({
    ...{ log: serverLog, kind: 'restored', id, at: nowMs },
    body: { marks, database, until: untilMs, quarantined: amountsOf(aside) },
    postings: aside.map(({ line, amount }) => asidePosting(line, amount)),
    outbox: [await outgoing(tx, { id, type: 'restored', body })],
  });
  const entries = mark.logSize - size;
  const count = aside.reduce((sum, { amount }) => sum + amount, 0);
  await noteEvent(context, tx, { number: 5041, data: { entries, count, until: isoTime(untilMs) } });
}

const amountsOf = (aside: readonly Aside[]) =>
  aside.map(({ line: { agreement, line }, amount }) => ({ agreement, line, amount }));

/**
 * The past is in doubt (REVALIDATE): all that is unissued is set aside, and the clearinghouse is asked, with a nonce that
 * nobody can have answered before, whether it has seen more of this server than its database has.
 */
export async function doubtPast(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly reason: IdentityReason;
    /** What the database was held against; null: the mark is lost, and nobody knows how far this server had got. */
    readonly mark: HighWater | null;
  },
): Promise<void> {
  const { mark, reason } = of;
  const { size, root } = await tx.head(serverLog);
  const nowMs = context.clock.nowMs();
  const before = await readPast(tx);
  // A clock that was set back, or a mark that is lost, makes no doubt shorter than it was.
  const untilMs = Math.max(Math.max(nowMs, mark?.seenAtMs ?? 0) + longestLeaseMs, before?.untilMs ?? 0);
  await prolongQuarantines(tx, untilMs);
  const aside: Aside[] = [];
  for (const line of await listLines(tx)) {
    const amount = await tx.balance(accountsOf(line).unissued);
    await setAside(context, tx, { line, amount, opensAt: untilMs });
    if (amount > 0) aside.push({ line, amount });
  }
  await keepRenewed(tx, { atMs: untilMs, untilMs });
  const seq = await passOver(tx, mark?.seq ?? 0);
  if (mark === null) await passOver(tx, seq + unknownNumbers);
  else if (mark.logRoot !== hex(root)) await writePutBack(tx, { size: mark.logSize, root: mark.logRoot });
  const nonce = base64url(context.random.bytes(16));
  const id = newId(context);
  const known = mark?.branches ?? (await readBranches(tx));
  const lost = { size: mark?.logSize ?? size, root: mark?.logRoot ?? hex(root), seq: mark?.seq ?? seq };
  await writeBranches(tx, [...known, { from: size, id, ...lost }]);
  const asked = { nonce, question: id, answer: null };
  await writePast(tx, { state: 'doubted', reason, sinceMs: nowMs, untilMs, ...asked });
  await tx.post({
    ...{ log: serverLog, kind: 'doubted', id, at: nowMs },
    body: { reason, until: untilMs, quarantined: amountsOf(aside) },
    postings: aside.map(({ line, amount }) => asidePosting(line, amount)),
    outbox: [await question(context, tx, { id, nonce, seq })],
  });
  const count = aside.reduce((sum, { amount }) => sum + amount, 0);
  await noteEvent(context, tx, { number: 5042, data: { reason, count, until: isoTime(untilMs) } });
}

/** The message that asks the clearinghouse what it has seen, as this database stands now; `seq` where numbers were passed over. */
export async function question(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly id: string; readonly nonce: string; readonly seq?: number },
): Promise<OutgoingMessage> {
  const { id, nonce } = of;
  const { size, root } = await tx.head(serverLog);
  const seq = of.seq ?? Number((await readMeta(tx, 'seq')) ?? '0');
  const own = await tellOwn(context, tx, ownLog(context));
  const body = { nonce, seq, database: { size, root: base64url(root) }, ...(await positionsOf(tx)), own };
  return outgoing(tx, { id, type: 'revalidate', body });
}
