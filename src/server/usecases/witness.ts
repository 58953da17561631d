/**
 * This server as a witness, and witnessed (protocol §6): with each contact it shows that its journal only
 * grew since the clearinghouse has cosigned it, and looks whether the clearinghouse's journals of its
 * agreements only grew. Where one did not, that agreement's messages are refused.
 */
import { equalBytes, hex } from '../../core/bytes.ts';
import type { Frontier } from '../../core/merkle.ts';
import { decodeFrontier, emptyFrontier, encodeFrontier, rootOf } from '../../core/merkle.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { NoteKey, NoteSigner } from '../../protocol/checkpoint.ts';
import {
  clearinghouseOrigin,
  cosignCheckpoint,
  openCheckpoint,
  readCheckpoint,
  serverOrigin,
  signCheckpoint,
} from '../../protocol/checkpoint.ts';
import type { Message, MessageOf } from '../../protocol/envelope.ts';
import type { ToldLog } from '../../protocol/log-exchange.ts';
import { judgeLog, mostAhead, mostSeen, tellLog } from '../../protocol/log-exchange.ts';
import { readPayload } from '../../protocol/paseto.ts';
import type { TrustList } from '../../protocol/trust.ts';
import { checkpointKeys } from '../../protocol/trust.ts';
import {
  dropCheckpoint,
  findCheckpoint,
  frontierAt,
  learnBlock,
  noteConflict,
  saveCheckpoint,
  subtreesBetween,
} from '../../store/checkpoint-rows.ts';
import type { LogHead, ReadTx, WriteTx } from '../../store/port.ts';
import { listAuthorities } from '../../store/server-authority-rows.ts';
import { findServerMove } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { noteEvent } from './events.ts';
import { serverLog } from './license-token.ts';
import { readBranches } from './past.ts';
import { takeRecovery } from './recovery.ts';

/** This server, as whose journal it is and as a witness. */
export function ownLog(context: ServerContext): NoteSigner {
  const { publicKey, privateKey } = context.key;
  return { name: serverOrigin(context.licenseServerId), publicKey, privateKey };
}

/** What a contact shows: our journal, and those of the clearinghouse as we have cosigned them. */
export async function tellLogs(
  context: ServerContext,
  tx: ReadTx,
): Promise<{ readonly own: ToldLog; readonly seen: readonly string[] }> {
  const signer = ownLog(context);
  const own = await tellOwn(context, tx, signer);
  const seen: string[] = [];
  for (const agreement of [...(await agreementsOf(tx))].slice(0, mostSeen)) {
    const cosigned = await findCheckpoint(tx, keyOf(context, agreement));
    if (cosigned !== undefined) seen.push(cosigned.note);
  }
  return { own, seen };
}

/** Our journal, proved from what the clearinghouse has cosigned of it on. */
export async function tellOwn(context: ServerContext, tx: ReadTx, signer: NoteSigner): Promise<ToldLog> {
  const witness = clearinghouseOrigin(context.publisher);
  const row = await findCheckpoint(tx, { origin: signer.name, witness });
  const head = await tx.head(serverLog);
  const before = row === undefined ? emptyFrontier : frontierOf(row.frontier);
  if (before === undefined) {
    // What the clearinghouse has seen is none of our trees: we say what we have, and cannot prove it.
    const note = signCheckpoint(context.digest, { origin: signer.name, ...head }, signer);
    return { note, from: row?.size ?? 0, proof: [] };
  }
  const range = { log: serverLog, from: before.size, to: Math.min(head.size, before.size + mostAhead) };
  const added = await subtreesBetween(context.digest, tx, { ...range, known: context.cache.blocks });
  return tellLog(context.digest, { signer, before, added });
}

/**
 * Hashes what a contact will have to prove, a block at a time: a journal that has grown by tens of thousands of
 * entries would keep everybody waiting who wants to renew meanwhile.
 */
export async function readyLogs(context: ServerContext): Promise<void> {
  const { store, digest, cache } = context;
  const key = {
    origin: serverOrigin(context.licenseServerId),
    witness: clearinghouseOrigin(context.publisher),
  };
  const seen = await store.read(async (tx) => (await findCheckpoint(tx, key))?.size ?? 0);
  for (const at of cache.blocks.keys()) if (at < seen) cache.blocks.delete(at);
  const next = (): Promise<boolean> =>
    store.read(async (tx) => {
      const to = Math.min((await tx.head(serverLog)).size, seen + mostAhead);
      return learnBlock(digest, tx, { log: serverLog, from: seen, to, known: cache.blocks });
    });
  while (await next()) await context.nextTurn();
}

function frontierOf(stored: Uint8Array | null): Frontier | undefined {
  return stored === null ? undefined : decodeFrontier(stored);
}

function keyOf(context: ServerContext, agreement: string) {
  const origin = clearinghouseOrigin(context.publisher, agreement);
  return { origin, witness: serverOrigin(context.licenseServerId) };
}

async function agreementsOf(tx: ReadTx): Promise<ReadonlySet<string>> {
  return new Set((await listAuthorities(tx)).map(({ agreement }) => agreement));
}

/** Takes in what a welcome shows; `list` has the keys of the clearinghouse. Refuses nothing. */
export async function takeLogs(
  context: ServerContext,
  tx: WriteTx,
  told: { readonly message: MessageOf<'welcome'>; readonly list: TrustList },
): Promise<void> {
  const { logs, recovery } = told.message.body;
  const restored = await takeRecovery(context, tx, recovery);
  // What was seen of journals that are declared to be gone proves nothing any more; the event keeps it.
  if (restored)
    for (const agreement of await agreementsOf(tx)) await dropCheckpoint(tx, keyOf(context, agreement));
  if (logs === undefined) return;
  if (logs.seen !== null) await takeSeen(context, tx, { note: logs.seen, list: told.list });
  const prefix = `${clearinghouseOrigin(context.publisher)}/`;
  for (const log of logs.own) {
    // Also of an agreement whose certificate comes with this very welcome, and is applied after it.
    const origin = readCheckpoint(log.note)?.origin ?? '';
    if (!origin.startsWith(prefix)) continue;
    const agreement = origin.slice(prefix.length);
    await cosignAgreement(context, tx, { agreement, log, list: told.list, restored });
  }
}

/**
 * Of the entries that went when an older database was put back, now or any time before: what was seen of those is known to
 * be none of ours now.
 */
async function isOfLost(tx: ReadTx, { size, root }: LogHead): Promise<boolean> {
  const branches = await readBranches(tx);
  return branches.some(
    (lost) => size > lost.from && (size < lost.size || (size === lost.size && hex(root) === lost.root)),
  );
}

/**
 * What the clearinghouse has cosigned of our journal is where the next proof begins. Where it is none of
 * our trees, this is a copy that was put back: no proof will fit, and the clearinghouse finds that out.
 */
async function takeSeen(
  context: ServerContext,
  tx: WriteTx,
  told: { readonly note: string; readonly list: TrustList },
): Promise<void> {
  const { digest } = context;
  const own = ownLog(context);
  const witness = clearinghouseOrigin(context.publisher);
  const keys: readonly NoteKey[] = [
    { name: own.name, role: 'log', publicKey: own.publicKey },
    ...checkpointKeys(told.list, { name: witness, role: 'witness' }),
  ];
  const opened = openCheckpoint(digest, told.note, keys);
  if (opened === undefined || opened.cosigned.length === 0) return;
  const key = { origin: own.name, witness };
  const before = await findCheckpoint(tx, key);
  if (before?.note === told.note) return;
  const { size, root } = opened;
  const known = frontierOf(before?.frontier ?? null);
  const frontier = await frontierAt(digest, tx, {
    ...{ log: serverLog, size, known },
    blocks: context.cache.blocks,
  });
  const fits = frontier !== undefined && equalBytes(rootOf(digest, frontier), root);
  if (!fits && (await isOfLost(tx, { size, root }))) return;
  const { note } = told;
  const edge = fits
    ? { frontier: encodeFrontier(frontier), conflict: null }
    : { frontier: null, conflict: note };
  await saveCheckpoint(tx, { ...key, size, root, note, ...edge });
  if (fits) return;
  const problem = `it has seen a journal of ${size} entries that is not this one`;
  await noteEvent(context, tx, { number: 5025, data: { problem } });
}

/** Whether the clearinghouse has shown a journal of ours that is none of our trees: another copy has gone on. */
export async function isSeenAhead(context: ServerContext, tx: ReadTx): Promise<boolean> {
  const key = {
    origin: serverOrigin(context.licenseServerId),
    witness: clearinghouseOrigin(context.publisher),
  };
  const seen = await findCheckpoint(tx, key);
  return seen !== undefined && seen.conflict !== null;
}

async function cosignAgreement(
  context: ServerContext,
  tx: WriteTx,
  told: {
    readonly agreement: string;
    readonly log: ToldLog;
    readonly list: TrustList;
    /** Declared just now: what is shown holds from here on, whatever was seen before (§5.6). */
    readonly restored: boolean;
  },
): Promise<void> {
  const { digest } = context;
  const key = keyOf(context, told.agreement);
  const seen = await findCheckpoint(tx, key);
  const keys = checkpointKeys(told.list, { name: key.origin, role: 'log' });
  const judged = judgeLog(digest, { told: told.log, seen, keys });
  if (judged === undefined) return;
  const { size, root } = judged.checkpoint;
  const { restored } = told;
  if (!restored && judged.verdict === 'fork' && seen !== undefined && seen.conflict === null) {
    await noteConflict(tx, key, told.log.note);
    const data = { agreement: told.agreement, seen: seen.size, told: size };
    await noteEvent(context, tx, { number: 5040, data });
  }
  const isNews = judged.verdict === 'extends' && !(size === seen?.size && seen.conflict === null);
  if (!isNews && !restored) return;
  const note = cosignCheckpoint(digest, told.log.note, {
    signer: ownLog(context),
    atMs: context.clock.nowMs(),
  });
  await saveCheckpoint(tx, { ...key, size, root, frontier: null, note, conflict: null });
}

/**
 * Whether a message may be applied as far as its agreement's journal goes. Refused:
 * `clearinghouse-forked`, until the clearinghouse shows a journal that goes on from what was seen.
 */
export async function checkForked(
  context: ServerContext,
  tx: ReadTx,
  message: Message,
): Promise<Result<null, Refusal>> {
  const agreement = await agreementOf(tx, message);
  return agreement === undefined ? ok(null) : checkAgreementForked(context, tx, agreement);
}

/** The same for an agreement. Refused: `clearinghouse-forked`. */
export async function checkAgreementForked(
  context: ServerContext,
  tx: ReadTx,
  agreement: string,
): Promise<Result<null, Refusal>> {
  const row = await findCheckpoint(tx, keyOf(context, agreement));
  if (row === undefined || row.conflict === null) return ok(null);
  const told = readCheckpoint(row.conflict)?.size ?? 0;
  return err({ code: 'clearinghouse-forked', agreement, seen: row.size, told });
}

/** The agreement that a message is about, said by itself, its certificate, or what it answers. */
async function agreementOf(tx: ReadTx, message: Message): Promise<string | undefined> {
  if ('agreement' in message.body) return message.body.agreement;
  if (message.t === 'activated') {
    const agreement = readPayload(message.body.certificate)?.['agreement'];
    return typeof agreement === 'string' ? agreement : undefined;
  }
  const move = message.move === undefined ? undefined : await findServerMove(tx, message.move);
  return move?.agreement;
}
