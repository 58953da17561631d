/**
 * License servers whose past is not certain (protocol §5.2): one that was put back to an older database says so before
 * anything else, and one that is in doubt asks what was seen of it. Both are held against what was seen; whatever
 * does not fit stays a fork.
 */
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { Message, MessageOf } from '../../protocol/envelope.ts';
import type { ToldPast } from '../../protocol/past-bodies.ts';
import type { ServerRow } from '../../store/committed-server-rows.ts';
import { authoritiesOfServer, chainsOf, findServer, saveServer } from '../../store/committed-server-rows.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { newId } from './new-id.ts';
import { suspected } from './open-authority.ts';
import { publisherLog } from './products.ts';
import { beginAnew, seenOf, standsOn } from './witness.ts';

/** What is seen here of a server, and its database does not have. */
type Ahead = {
  readonly what: string;
  readonly seen: number;
  readonly here: number;
};

/**
 * Whether the sender of such a message may be listened to at all. Refused: `server-closed` for an older generation,
 * `server-suspect` where its number was used before, and for `restored` also where the server is suspect, or has sent more.
 */
export function checkTeller(of: {
  readonly server: ServerRow;
  readonly message: MessageOf<'restored'> | MessageOf<'revalidate'>;
  readonly repeated: boolean;
}): Result<null, Refusal> {
  const { server, message } = of;
  const { licenseServerId, generation } = server;
  const { gen, seq } = message.from;
  if (gen < generation) return err({ code: 'server-closed', licenseServerId, generation });
  if (message.t === 'restored' && server.state === 'suspect') return err(suspected(licenseServerId));
  if (!of.repeated && (message.t === 'revalidate' || seq > server.seq)) return ok(null);
  const reason = `message ${seq} came after message ${server.seq}, with another content`;
  return err({ code: 'server-suspect', licenseServerId, reason });
}

/** What was granted to this server, and which codes of it were read, beyond what it tells. */
async function aheadInBooks(tx: ReadTx, licenseServerId: string, told: ToldPast): Promise<Ahead | null> {
  for (const authority of await authoritiesOfServer(tx, licenseServerId)) {
    const counts = told.counts.find(({ aid }) => aid === authority.aid);
    if (authority.state === 'closed') continue;
    if (counts === undefined) return { what: 'authority', seen: 1, here: 0 };
    const codes: readonly (readonly [number, number])[] = [
      [authority.confirmationSeq, counts.seq],
      [authority.freezes, counts.freezes],
      [authority.releases, counts.releases],
      [authority.returns, counts.returns],
    ];
    for (const [seen, here] of codes) if (seen > here) return { what: 'codes', seen, here };
    for (const { line: number, kind, k: seen } of await chainsOf(tx, authority.aid)) {
      const line = told.lines.find((each) => each.aid === authority.aid && each.line === number);
      const here = (kind === 'free' ? line?.freeK : line?.heldK) ?? 0;
      if (seen > here) return { what: 'granted', seen, here };
    }
  }
  return null;
}

/**
 * Whether it tells of more than it was granted. That it tells of less than is known here is no contradiction: codes may have
 * been typed and read since it was put back, before this message arrived.
 */
async function contradicts(tx: ReadTx, licenseServerId: string, told: ToldPast): Promise<boolean> {
  for (const { aid } of await authoritiesOfServer(tx, licenseServerId)) {
    const chains = await chainsOf(tx, aid);
    for (const line of told.lines.filter((each) => each.aid === aid)) {
      const granted = (kind: 'free' | 'held'): number =>
        chains.find((chain) => chain.line === line.line && chain.kind === kind)?.k ?? 0;
      if (line.freeK > granted('free') || line.heldK > granted('held')) return true;
    }
  }
  return false;
}

/**
 * An older database was put back on the same machine: the journal goes on from where that one ends. Taken in where
 * nothing was seen beyond what the server says that it had got to, and its rights are those of the books; else it is a fork.
 */
export async function handleRestored(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: {
    readonly message: MessageOf<'restored'>;
    readonly publicKey: Uint8Array;
    readonly nowMs: number;
  },
): Promise<Result<null, Refusal>> {
  const { message, publicKey, nowMs } = of;
  const { id } = message.from;
  const { marks, database, note } = message.body;
  const server = await findServer(tx, id);
  if (server === undefined) return err({ code: 'server-unknown', licenseServerId: id });
  const seen = await seenOf(context, tx, server);
  const fits = seen.every(
    ({ size, root }) =>
      size <= database.size ||
      marks.some((mark) => size < mark.size || (size === mark.size && root === mark.root)),
  );
  if (!fits || server.seq > lastSeqOf(message) || (await contradicts(tx, id, message.body))) {
    const reason = `it was put back to ${database.size} entries, which is not what was seen of it`;
    return err({ code: 'server-suspect', licenseServerId: id, reason });
  }
  await noteLostNumbers(tx, message);
  // What was seen of it is in the older database, too: its journal just goes on.
  if (seen.every(({ size }) => size <= database.size)) return ok(null);
  const begun = await beginAnew(context, tx, { note, publicKey, head: database, id });
  if (!begun.ok) return begun;
  await saveServer(tx, { ...server, logSize: database.size, logRoot: database.root });
  const agreements = new Set((await authoritiesOfServer(tx, id)).map(({ agreement }) => agreement));
  for (const log of [publisherLog, ...agreements]) {
    const last = seen.reduce((one, other) => (other.size > one.size ? other : one));
    await tx.post({
      ...{ log, kind: 'server-restored', id: `${message.id}:${log}`, at: nowMs },
      body: {
        server: id,
        seen: { ...last },
        marks: marks.map(({ size, root }) => ({ size, root })),
        database: { ...database },
      },
    });
  }
  return ok(null);
}

interface Lost {
  readonly licenseServerId: string;
  readonly generation: number;
  /** Its messages after this one, up to that, are none that it knows of. */
  readonly after: number;
  readonly upTo: number;
}

const lostKey = (licenseServerId: string): string => `lost:${licenseServerId}`;

async function lostOf(tx: ReadTx, licenseServerId: string): Promise<readonly Lost[]> {
  return JSON.parse((await readMeta(tx, lostKey(licenseServerId))) ?? '[]') as readonly Lost[];
}

function lastSeqOf({ body }: MessageOf<'restored'>): number {
  return Math.max(...body.marks.map(({ seq }) => seq));
}

/**
 * Keeps which of its messages the sender knows nothing of any more. What is told by a server that is not known here yet, and
 * refused for that, counts too: it is activated with the next message, and has passed over these numbers all the same.
 */
export async function noteLostNumbers(tx: WriteTx, message: MessageOf<'restored'>): Promise<void> {
  const { id: licenseServerId, gen: generation } = message.from;
  const lost: Lost = { licenseServerId, generation, after: message.body.seq, upTo: lastSeqOf(message) };
  await writeMeta(
    tx,
    lostKey(licenseServerId),
    JSON.stringify([...(await lostOf(tx, licenseServerId)), lost]),
  );
}

/**
 * Whether a message is one that its sender had made after the database that it was put back to, and knows nothing of any
 * more. One that lay in a drawer meanwhile is no fork, and has no effect.
 */
export async function isLost(
  tx: ReadTx,
  { message: { from }, isNew }: { readonly message: Message; readonly isNew: boolean },
): Promise<boolean> {
  if (!isNew) return false;
  const lost = await lostOf(tx, from.id);
  return lost.some(
    ({ generation, after, upTo }) => from.gen === generation && from.seq > after && from.seq <= upTo,
  );
}

/** A server whose past is in doubt asks. Where nothing was seen beyond its database, it is suspect no longer. */
export async function handleRevalidate(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: {
    readonly message: MessageOf<'revalidate'>;
    readonly publicKey: Uint8Array;
    readonly nowMs: number;
  },
): Promise<Result<null, Refusal>> {
  const { message, nowMs } = of;
  const { id } = message.from;
  const { nonce } = message.body;
  const server = await findServer(tx, id);
  if (server === undefined) return err({ code: 'server-unknown', licenseServerId: id });
  const ahead = await aheadOf(context, tx, { ...of, server });
  if (server.state !== 'closed' && ahead?.what !== 'unproved') {
    await saveServer(tx, { ...server, state: ahead === null ? 'ok' : 'suspect' });
  }
  const answer = { id: newId(context), type: 'revalidated', to: id, agreement: publisherLog } as const;
  await tx.post({
    ...{ log: publisherLog, kind: 'server-revalidated', id: newId(context), at: nowMs },
    body: { server: id, ahead },
    outbox: [await outgoing(tx, { ...answer, body: { re: message.id, nonce, ahead } })],
  });
  return ok(null);
}

async function aheadOf(
  context: ClearinghouseContext,
  tx: ReadTx,
  of: {
    readonly server: ServerRow;
    readonly message: MessageOf<'revalidate'>;
    readonly publicKey: Uint8Array;
  },
): Promise<Ahead | null> {
  const { server, message, publicKey } = of;
  const { database, seq, own } = message.body;
  const here = database.size;
  for (const { size: seen, root } of await seenOf(context, tx, server)) {
    if (seen > here || (seen === here && root !== database.root)) return { what: 'journal', seen, here };
  }
  if (server.seq > seq) return { what: 'messages', seen: server.seq, here: seq };
  const stands = await standsOn(context, tx, { id: server.licenseServerId, told: own, publicKey });
  if (stands !== 'extends') {
    return { what: stands === 'fork' ? 'journal' : 'unproved', seen: server.logSize, here };
  }
  return aheadInBooks(tx, server.licenseServerId, message.body);
}
