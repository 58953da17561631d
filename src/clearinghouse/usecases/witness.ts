/**
 * The clearinghouse as a witness, and witnessed (protocol §6): with each contact it looks whether the
 * server's journal only grew and cosigns it, and shows that its own journals of that server's agreements
 * only grew since the server has cosigned them.
 */
import { base64url, equalBytes } from '../../core/bytes.ts';
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
import type { MessageOf } from '../../protocol/envelope.ts';
import type { ToldLog, Verdict } from '../../protocol/log-exchange.ts';
import { judgeLog, mostAhead, tellLog } from '../../protocol/log-exchange.ts';
import {
  findCheckpoint,
  frontierAt,
  noteConflict,
  saveCheckpoint,
  subtreesBetween,
} from '../../store/checkpoint-rows.ts';
import type { ServerRow } from '../../store/committed-server-rows.ts';
import { authoritiesOfServer, findServer, saveServer } from '../../store/committed-server-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';

/** The key that signs journals is the one that signs messages: each text says which of the two it is. */
function signerAs(context: ClearinghouseContext, name: string): NoteSigner {
  const { publicKey, privateKey } = context.issueKey;
  return { name, publicKey, privateKey };
}

/** The log key of a checkpoint of ours, of a given journal. */
export function ownLog(context: ClearinghouseContext, log: string): NoteSigner {
  return signerAs(context, clearinghouseOrigin(context.publisher, log));
}

interface Told {
  readonly message: MessageOf<'contact'>;
  readonly publicKey: Uint8Array;
}

/**
 * Takes in what a contact shows, in its transaction. Refused: `message-invalid` (a checkpoint that is not
 * the server's), `server-suspect` (a fork).
 */
export async function takeLogs(
  context: ClearinghouseContext,
  tx: WriteTx,
  told: Told,
): Promise<Result<null, Refusal>> {
  const { logs } = told.message.body;
  if (logs === undefined) return ok(null);
  const grown = await cosignServerLog(context, tx, { ...told, log: logs.own });
  if (!grown.ok) return grown;
  await keepKey(tx, told);
  for (const agreement of await agreementsOf(tx, told.message.from.id)) {
    const origin = clearinghouseOrigin(context.publisher, agreement);
    const note = logs.seen.find((each) => readCheckpoint(each)?.origin === origin);
    if (note !== undefined) await takeSeen(context, tx, { ...told, agreement, note });
  }
  return ok(null);
}

/** A server that was activated by telephone has shown its key with its first message: an auditor needs it. */
async function keepKey(tx: WriteTx, { message, publicKey }: Told): Promise<void> {
  const server = await findServer(tx, message.from.id);
  if (server?.publicKey !== null) return;
  await saveServer(tx, { ...server, publicKey: base64url(publicKey) });
}

async function cosignServerLog(
  context: ClearinghouseContext,
  tx: WriteTx,
  told: Told & { readonly log: ToldLog },
): Promise<Result<null, Refusal>> {
  const { digest } = context;
  const { id } = told.message.from;
  const origin = serverOrigin(id);
  const witness = clearinghouseOrigin(context.publisher);
  const seen = await findCheckpoint(tx, { origin, witness });
  const key: NoteKey = { name: origin, role: 'log', publicKey: told.publicKey };
  const judged = judgeLog(digest, { told: told.log, seen, keys: [key] });
  if (judged === undefined) {
    return err({ code: 'message-invalid', problem: 'its checkpoint is not one of the sender’s journal' });
  }
  const { size, root } = judged.checkpoint;
  if (judged.verdict === 'fork') {
    const reason = `its journal of ${size} entries does not go on from the ${seen?.size ?? 0} that were seen`;
    return err({ code: 'server-suspect', licenseServerId: id, reason });
  }
  if (judged.verdict !== 'extends' || size === seen?.size) return ok(null);
  const signed = { signer: signerAs(context, witness), atMs: context.clock.nowMs() };
  const note = cosignCheckpoint(digest, told.log.note, signed);
  await saveCheckpoint(tx, { origin, witness, size, root, frontier: null, note, conflict: null });
  return ok(null);
}

/** What was seen of a server's journal: with its last contact, and as it was cosigned. */
export async function seenOf(
  context: ClearinghouseContext,
  tx: ReadTx,
  server: Pick<ServerRow, 'licenseServerId' | 'logSize' | 'logRoot'>,
): Promise<readonly { readonly size: number; readonly root: string }[]> {
  const origin = serverOrigin(server.licenseServerId);
  const cosigned = await findCheckpoint(tx, { origin, witness: clearinghouseOrigin(context.publisher) });
  return [
    ...(server.logRoot === '' ? [] : [{ size: server.logSize, root: server.logRoot }]),
    ...(cosigned === undefined ? [] : [{ size: cosigned.size, root: base64url(cosigned.root) }]),
  ];
}

/** How a journal that a server tells stands to the one that was cosigned last. */
export async function standsOn(
  context: ClearinghouseContext,
  tx: ReadTx,
  of: { readonly id: string; readonly told: ToldLog; readonly publicKey: Uint8Array },
): Promise<Verdict> {
  const origin = serverOrigin(of.id);
  const seen = await findCheckpoint(tx, { origin, witness: clearinghouseOrigin(context.publisher) });
  const key: NoteKey = { name: origin, role: 'log', publicKey: of.publicKey };
  return judgeLog(context.digest, { told: of.told, seen, keys: [key] })?.verdict ?? 'fork';
}

/**
 * The journal of a server goes on from a smaller one than was cosigned, as it has declared: from here on it is held against
 * that. Refused: `message-invalid` where the checkpoint is not of that head.
 */
export async function beginAnew(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: {
    readonly id: string;
    readonly note: string;
    readonly publicKey: Uint8Array;
    readonly head: { readonly size: number; readonly root: string };
  },
): Promise<Result<null, Refusal>> {
  const { digest } = context;
  const origin = serverOrigin(of.id);
  const witness = clearinghouseOrigin(context.publisher);
  const opened = openCheckpoint(digest, of.note, [{ name: origin, role: 'log', publicKey: of.publicKey }]);
  if (opened === undefined || opened.size !== of.head.size || base64url(opened.root) !== of.head.root) {
    return err({
      code: 'message-invalid',
      problem: 'its checkpoint is not one of the database that was put back',
    });
  }
  const { size, root } = opened;
  const signed = { signer: signerAs(context, witness), atMs: context.clock.nowMs() };
  const note = cosignCheckpoint(digest, of.note, signed);
  await saveCheckpoint(tx, { origin, witness, size, root, frontier: null, note, conflict: null });
  return ok(null);
}

/** Keeps the checkpoint that made a server suspect, beside the one that it does not go on from. */
export async function keepForkedLog(
  context: ClearinghouseContext,
  tx: WriteTx,
  message: MessageOf<'contact'>,
): Promise<void> {
  const { logs, from } = { ...message.body, ...message };
  if (logs === undefined) return;
  const key = { origin: serverOrigin(from.id), witness: clearinghouseOrigin(context.publisher) };
  await noteConflict(tx, key, logs.own.note);
}

/**
 * Keeps what a server has cosigned of a journal of ours. Where that is no tree of ours, this clearinghouse
 * was put back or its journal was altered: the server will find that no proof fits, and says so.
 */
async function takeSeen(
  context: ClearinghouseContext,
  tx: WriteTx,
  told: Told & { readonly agreement: string; readonly note: string },
): Promise<void> {
  const { agreement, note, publicKey } = told;
  const own = ownLog(context, agreement);
  const witness = serverOrigin(told.message.from.id);
  const opened = openCheckpoint(context.digest, note, [
    { name: own.name, role: 'log', publicKey: own.publicKey },
    { name: witness, role: 'witness', publicKey },
  ]);
  if (opened === undefined || opened.cosigned.length === 0) return;
  const key = { origin: own.name, witness };
  const before = await findCheckpoint(tx, key);
  if (before?.note === note) return;
  const { size, root } = opened;
  const known = frontierOf(before?.frontier ?? null);
  const frontier = await frontierAt(context.digest, tx, { log: agreement, size, known });
  const fits = frontier !== undefined && equalBytes(rootOf(context.digest, frontier), root);
  const edge = fits
    ? { frontier: encodeFrontier(frontier), conflict: null }
    : { frontier: null, conflict: note };
  await saveCheckpoint(tx, { ...key, size, root, note, ...edge });
}

function frontierOf(stored: Uint8Array | null): Frontier | undefined {
  return stored === null ? undefined : decodeFrontier(stored);
}

async function agreementsOf(tx: ReadTx, licenseServerId: string): Promise<ReadonlySet<string>> {
  const authorities = await authoritiesOfServer(tx, licenseServerId);
  return new Set(authorities.map(({ agreement }) => agreement));
}

/** What a welcome shows: our journals of the server's agreements, and its own as we have cosigned it. */
export async function tellLogs(
  context: ClearinghouseContext,
  tx: ReadTx,
  licenseServerId: string,
): Promise<{ readonly own: readonly ToldLog[]; readonly seen: string | null }> {
  const own: ToldLog[] = [];
  for (const agreement of await agreementsOf(tx, licenseServerId)) {
    own.push(await tellAgreement(context, tx, { agreement, witness: serverOrigin(licenseServerId) }));
  }
  const key = { origin: serverOrigin(licenseServerId), witness: clearinghouseOrigin(context.publisher) };
  return { own, seen: (await findCheckpoint(tx, key))?.note ?? null };
}

async function tellAgreement(
  context: ClearinghouseContext,
  tx: ReadTx,
  of: { readonly agreement: string; readonly witness: string },
): Promise<ToldLog> {
  const { digest } = context;
  const log = of.agreement;
  const signer = ownLog(context, log);
  const row = await findCheckpoint(tx, { origin: signer.name, witness: of.witness });
  const head = await tx.head(log);
  const before = row === undefined ? emptyFrontier : frontierOf(row.frontier);
  if (before === undefined) {
    // What the server has seen is none of our trees: we say what we have, and cannot prove it.
    const note = signCheckpoint(digest, { origin: signer.name, ...head }, signer);
    return { note, from: row?.size ?? 0, proof: [] };
  }
  const to = Math.min(head.size, before.size + mostAhead);
  const added = await subtreesBetween(digest, tx, { log, from: before.size, to });
  return tellLog(digest, { signer, before, added });
}
