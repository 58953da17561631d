/**
 * What every rehearsal on a license server does: it plays its part here and undoes it, and asks the clearinghouse
 * for its part. The signed question is kept in no outbox, and the answer is shown and never applied.
 */
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoDate, msOfIso } from '../../core/time.ts';
import { clearinghouseName, openEnvelope } from '../../protocol/envelope.ts';
import { contentOf, sealContent } from '../../protocol/message-content.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { problemOf } from '../../protocol/problem.ts';
import { trustedKey } from '../../protocol/trust.ts';
import { readMeta } from '../../store/meta-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import { rehearse } from '../../store/rehearse.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { findLine } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { findServerMove } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { readGeneration } from '../generation.ts';
import { serverLog } from './license-token.ts';
import { newId } from './new-id.ts';
import { readFacts, standingOf } from './server-facts.ts';
import type { PackView } from './status.ts';
import { packsOf } from './status.ts';
import { readTrustList } from './trust-list.ts';

/** Plays commands and undoes them; what they leave in memory is forgotten before the next one runs. */
export async function playHere<T>(
  context: ServerContext,
  work: (tx: WriteTx) => Promise<Result<T, Refusal>>,
): Promise<Result<T, Refusal>> {
  return rehearse(context.store, async (tx) => {
    try {
      return await work(tx);
    } finally {
      context.cache.facts = null;
      context.cache.seen = null;
    }
  });
}

export type Counts = Pick<
  PackView,
  'installed' | 'issued' | 'unissued' | 'held' | 'reserved' | 'quarantined'
>;

const nothing: Counts = { installed: 0, issued: 0, unissued: 0, held: 0, reserved: 0, quarantined: 0 };

/** The counts of a line in the transaction, the rehearsed steps included. */
export async function countsOf(
  context: ServerContext,
  tx: ReadTx,
  of: { readonly agreement: string | undefined; readonly product: string; readonly type: string },
): Promise<Counts> {
  const facts = await readFacts(context, tx);
  const pack = (await packsOf(tx, facts.lines, context.clock.nowMs())).find(
    ({ agreement, product, type }) =>
      product === of.product &&
      type === of.type &&
      (of.agreement === undefined || agreement === of.agreement),
  );
  const { installed, issued, unissued, held, reserved, quarantined } = pack ?? nothing;
  return { installed, issued, unissued, held, reserved, quarantined };
}

/** A move that was begun in the transaction, and its line. Refused: `move-unknown` where a program error has lost it. */
export async function playedMove(
  tx: ReadTx,
  id: string,
): Promise<Result<{ readonly move: ServerMoveRow; readonly line: LineRow }, Refusal>> {
  const move = await findServerMove(tx, id);
  const line = move && (await findLine(tx, move.agreement, move.line));
  return move === undefined || line === undefined
    ? err({ code: 'move-unknown', move: id })
    : ok({ move, line });
}

/** Until which day this server may give CALs of an agreement to new holders. */
export async function horizonHere(
  context: ServerContext,
  tx: ReadTx,
  agreement: string,
): Promise<string | null> {
  const authority = (await readFacts(context, tx)).authorities.get(agreement);
  const horizonMs = authority === undefined ? null : standingOf(authority, context.clock.nowMs()).horizonMs;
  return horizonMs === null ? null : isoDate(horizonMs);
}

/** What the clearinghouse says, or why it was not heard. */
export type ClearinghouseSide =
  | { readonly reached: false; readonly reason: string }
  | ({ readonly reached: true; readonly clockDifferenceMs: number } & Omit<BodyOf<'rehearsed'>, 're'>);

interface Asked {
  readonly question: BodyOf<'rehearse'>;
  /** The id of the move that is open here already. */
  readonly move: string | null;
}

/** Whatever goes wrong is said in words: the rehearsal here stands by itself. */
export async function askClearinghouse(context: ServerContext, asked: Asked): Promise<ClearinghouseSide> {
  const url = (await context.store.read((tx) => readMeta(tx, 'clearinghouseUrl'))) ?? '';
  if (url === '') return { reached: false, reason: 'This license server knows no address of it.' };
  const { id, token } = await sealQuestion(context, asked);
  const { signal } = context.stopping;
  const answer = await context.delivery.exchange({ url, messages: [token], waitMs: 0, signal });
  if (!answer.ok) return { reached: false, reason: problemOf(answer.error).message };
  const { list } = await readTrustList(context);
  const nowMs = context.clock.nowMs();
  const opened = openEnvelope(answer.value[0] ?? '', {
    nowMs,
    to: context.licenseServerId,
    digest: context.digest,
    keyOf: (kid) => trustedKey(list, kid, { role: 'issue', atMs: nowMs }),
  });
  if (!opened.ok) return { reached: false, reason: problemOf(opened.error).message };
  const message = opened.value.envelope;
  if (message.t !== 'rehearsed' || message.body.re !== id) {
    return { reached: false, reason: 'It gave no answer to the question.' };
  }
  const { re: _, ...said } = message.body;
  return { reached: true, clockDifferenceMs: nowMs - (msOfIso(said.now) ?? nowMs), ...said };
}

async function sealQuestion(
  context: ServerContext,
  { question, move }: Asked,
): Promise<{ readonly id: string; readonly token: string }> {
  const id = newId(context);
  const token = await context.store.read(async (tx) => {
    const gen = await readGeneration(tx);
    const named = move === null ? {} : { move };
    return sealContent(contentOf({ id, type: 'rehearse', body: { ...question }, ...named }, { seq: 0 }), {
      from: { id: context.licenseServerId, gen, head: await tx.head(serverLog) },
      to: clearinghouseName,
      nowMs: context.clock.nowMs(),
      key: context.key,
    });
  });
  return { id, token };
}
