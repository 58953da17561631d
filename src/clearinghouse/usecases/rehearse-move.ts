/**
 * The clearinghouse's part in the rehearsal of a move: what it would make of each step is played on the
 * real books by the same use cases, and undone. The question takes no number in the sender's sequence,
 * and nothing is written down.
 */
import { clearinghouseAccount } from '../../core/account.ts';
import type { JsonObject } from '../../core/json.ts';
import { isOver } from '../../core/move.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { standing } from '../../core/standing.ts';
import { isoDate, isoTime } from '../../core/time.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import { clearinghouseName } from '../../protocol/envelope.ts';
import { contentOf, sealContent } from '../../protocol/message-content.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { readPayload } from '../../protocol/paseto.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findMove, openMovesFrom } from '../../store/clearinghouse-rows.ts';
import { findGrantedAuthority, findServer } from '../../store/committed-server-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import { rehearse } from '../../store/rehearse.ts';
import type { ClearinghouseContext } from '../context.ts';
import { advanceMove } from './advance-move.ts';
import { newId } from './new-id.ts';
import { publisherLog } from './products.ts';
import { openLive } from './receive-messages.ts';
import { beginMove, startOnlineMove } from './start-move.ts';
import { takeFreeze } from './take-freeze.ts';

type Question = MessageOf<'rehearse'>;
type Books = NonNullable<BodyOf<'rehearsed'>['books']>;

/** Whether a message asks for a rehearsal; whether it is genuine is asked later. */
export function isRehearsal(token: string): boolean {
  return readPayload(token)?.['t'] === 'rehearse';
}

/**
 * Answers the question of a move's source, signed. Refused: a message that cannot be opened, and one whose
 * sender is not known (`server-unknown`), of an older generation (`server-closed`) or not the source. What
 * the move itself would be refused with is part of the answer.
 */
export async function answerRehearsal(
  context: ClearinghouseContext,
  asked: { readonly token: string; readonly version: string },
): Promise<Result<string, Refusal>> {
  const opened = openLive(context, asked.token);
  if (!opened.ok) return opened;
  const message = opened.value.envelope;
  if (message.t !== 'rehearse') return err({ code: 'message-invalid', problem: 'it is no question' });
  const { id, gen } = message.from;
  const sender = await context.store.read((tx) => findServer(tx, id));
  if (sender === undefined) return err({ code: 'server-unknown', licenseServerId: id });
  if (gen < sender.generation) {
    return err({ code: 'server-closed', licenseServerId: id, generation: sender.generation });
  }
  if (message.body.source !== id) return err({ code: 'message-untrusted', signer: id });
  const played = await rehearse(context.store, (tx) => play(context, tx, message));
  return ok(await answerOf(context, { message, played, version: asked.version }));
}

interface Played {
  readonly books: Books;
  readonly entered: boolean;
}

/** The move as it is, or as it would be entered, from its freeze to its end. */
async function play(
  context: ClearinghouseContext,
  tx: WriteTx,
  message: Question,
): Promise<Result<Played, Refusal>> {
  const { unissued, held, carrier } = message.body;
  const nowMs = context.clock.nowMs();
  const present = await presentMove(tx, message);
  const begun = present === undefined ? await begin(context, tx, message) : ok(present);
  if (!begun.ok) return begun;
  let move: MoveRow = begun.value;
  const before = await booksOf(tx, move);
  if (move.state === 'reserved') {
    const frozen = await takeFreeze(context, tx, { move: { ...move, unissued, held }, nowMs });
    if (!frozen.ok) return frozen;
    move = frozen.value.move;
  }
  const frozen = await booksOf(tx, move);
  const rest =
    carrier === 'online' ? (['installed', 'verified', 'released'] as const) : (['released'] as const);
  for (const event of rest) {
    const done = await advanceMove(context, tx, { move, event, nowMs });
    if (!done.ok) return done;
    move = done.value.move;
  }
  return ok({ books: { before, frozen, after: await booksOf(tx, move) }, entered: present !== undefined });
}

/** The move that is open already: under its id, or by telephone the one that the desk has entered. */
async function presentMove(tx: ReadTx, message: Question): Promise<MoveRow | undefined> {
  const { agreement, product, type, source, target, carrier } = message.body;
  const same = message.move === undefined ? undefined : await findMove(tx, message.move);
  if (same?.source === source && !isOver(same.state)) return same;
  if (carrier === 'online') return undefined;
  const moves = await openMovesFrom(tx, source);
  return moves.find(
    (move) =>
      move.carrier === carrier &&
      move.target === target &&
      move.agreement === agreement &&
      move.product === product &&
      move.type === type,
  );
}

async function begin(
  context: ClearinghouseContext,
  tx: WriteTx,
  message: Question,
): Promise<Result<MoveRow, Refusal>> {
  const { source, target, carrier, agreement, product, type, quantity, hold } = message.body;
  const order = {
    id: message.move ?? newId(context),
    agreement,
    from: source,
    to: target,
    product,
    type,
    quantity,
    hold,
    reason: 'replaced',
    declaration: null,
  } as const;
  if (carrier === 'online') return startOnlineMove(context, tx, order);
  return beginMove(context, tx, { ...order, carrier, quoted: null });
}

/** What the books have of the line of a move: in hand, at its ends and under way. */
async function booksOf(tx: ReadTx, move: MoveRow): Promise<Books['before']> {
  const account = clearinghouseAccount(move.agreement, move.line);
  const committed = async (end: string): Promise<number> => {
    const balances = await tx.balances(`${move.agreement}/${move.line}/committed/${end}/`);
    return [...balances.values()].reduce((sum, amount) => sum + amount, 0);
  };
  return {
    inHand: await tx.balance(account.inHand),
    source: await committed(move.source),
    target: await committed(move.target),
    inTransit: await tx.balance(account.inTransit(move.id)),
  };
}

async function endOf(
  context: ClearinghouseContext,
  tx: ReadTx,
  of: { readonly licenseServerId: string; readonly agreement: string },
): Promise<BodyOf<'rehearsed'>['source']> {
  const server = await findServer(tx, of.licenseServerId);
  const authority = await findGrantedAuthority(tx, of.licenseServerId, of.agreement);
  const horizonMs =
    authority === undefined
      ? null
      : standing({ ...authority, e: authority.horizonE, nowMs: context.clock.nowMs() }).horizonMs;
  const lastContactAt = server?.lastContactAt ?? null;
  return {
    name: server === undefined || server.name === '' ? null : server.name,
    method: server?.method ?? null,
    lastContactAt: lastContactAt === null ? null : isoTime(lastContactAt),
    horizon: horizonMs === null ? null : isoDate(horizonMs),
  };
}

async function answerOf(
  context: ClearinghouseContext,
  of: { readonly message: Question; readonly played: Result<Played, Refusal>; readonly version: string },
): Promise<string> {
  const { message, played, version } = of;
  const { agreement, source, target } = message.body;
  const nowMs = context.clock.nowMs();
  return context.store.read(async (tx) => {
    const body: JsonObject = {
      ...{ re: message.id, now: isoTime(nowMs), version },
      refused: played.ok ? null : { ...played.error },
      books: played.ok ? { ...played.value.books } : null,
      entered: played.ok && played.value.entered,
      source: { ...(await endOf(context, tx, { licenseServerId: source, agreement })) },
      target: { ...(await endOf(context, tx, { licenseServerId: target, agreement })) },
    };
    // It answers one question and is kept by nobody: no outbox has it, and it takes no number.
    const content = contentOf({ id: newId(context), type: 'rehearsed', body }, { seq: 0 });
    return sealContent(content, {
      from: { id: clearinghouseName, gen: 1, head: await tx.head(publisherLog) },
      to: message.from.id,
      nowMs,
      key: context.issueKey,
    });
  });
}
