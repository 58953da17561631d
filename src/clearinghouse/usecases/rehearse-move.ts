/**
 * The clearinghouse's part in the rehearsal of a move: asked by a license server, it plays the move on the
 * real books and undoes it. The question takes no number in the sender's sequence, and nothing is written down.
 */
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
import type { ReadTx } from '../../store/port.ts';
import { rehearse } from '../../store/rehearse.ts';
import type { ClearinghouseContext } from '../context.ts';
import { addressField } from '../server-address.ts';
import { newId } from './new-id.ts';
import type { PlannedMove, PlayedMove } from './play-move.ts';
import { playMove } from './play-move.ts';
import { publisherLog } from './products.ts';
import { openLive } from './receive-messages.ts';

type Question = MessageOf<'rehearse'>;
type End = BodyOf<'rehearsed'>['target'];

/** Whether a message asks for a rehearsal; whether it is genuine is asked later. */
export function isRehearsal(token: string): boolean {
  return readPayload(token)?.['t'] === 'rehearse';
}

/**
 * Answers the question of a move's source, or of its target where the source no longer functions, signed. Refused: a message that cannot be opened, and one whose
 * sender is not known (`server-unknown`), of an older generation (`server-closed`) or at the other end. What
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
  const { source, target, reason } = message.body;
  if ((reason === 'dead' ? target : source) !== id) return err({ code: 'message-untrusted', signer: id });
  const played = await rehearse(context.store, async (tx) =>
    playMove(context, tx, await planOf(context, tx, message)),
  );
  return ok(await answerOf(context, { message, played, version: asked.version }));
}

/** The move as it is, or as it would be entered, from its freeze to its end. */
async function planOf(context: ClearinghouseContext, tx: ReadTx, message: Question): Promise<PlannedMove> {
  const { source, target, agreement, product, type, quantity, hold, reason, carrier } = message.body;
  const { unissued, held } = message.body;
  const dead = reason === 'dead';
  return {
    present: await presentMove(tx, message),
    frozen: dead ? null : { unissued, held },
    start: {
      ...{ id: message.move ?? newId(context), agreement, from: source, to: target, product, type, quantity },
      ...{ reason, hold, carrier, quoted: null },
      declaration: dead ? rehearsedDeclaration : null,
    },
  };
}

/** What will be said of a source that no longer functions is for its declaration: here nothing rests on it. */
const rehearsedDeclaration = { by: 'rehearsal', text: 'rehearsal', enteredBy: null };

/** The move that is open already: under its id, or by telephone the one that the desk has entered. */
async function presentMove(tx: ReadTx, message: Question): Promise<MoveRow | undefined> {
  const { agreement, product, type, source, target, carrier, reason } = message.body;
  const same = message.move === undefined ? undefined : await findMove(tx, message.move);
  if (same?.source === source && !isOver(same.state)) return same;
  if (carrier === 'online') return undefined;
  const moves = await openMovesFrom(tx, source);
  return moves.find(
    (move) =>
      move.carrier === carrier &&
      move.reason === reason &&
      move.target === target &&
      move.agreement === agreement &&
      move.product === product &&
      move.type === type,
  );
}

/** Nothing is said of a server to somebody who has no part in its agreement. */
const notTold: End = { name: null, method: null, lastContactAt: null, horizon: null, address: null };

/** What is known of one end of a move, where it is of the agreement. */
export async function endOf(
  context: ClearinghouseContext,
  tx: ReadTx,
  of: { readonly licenseServerId: string; readonly agreement: string },
): Promise<End> {
  const server = await findServer(tx, of.licenseServerId);
  const authority = await findGrantedAuthority(tx, of.licenseServerId, of.agreement);
  if (server === undefined || authority === undefined) return notTold;
  const nowMs = context.clock.nowMs();
  const { horizonMs } = standing({ ...authority, e: authority.horizonE, nowMs });
  const { name, method, lastContactAt } = server;
  return {
    name: name === '' ? null : name,
    method,
    lastContactAt: lastContactAt === null ? null : isoTime(lastContactAt),
    horizon: horizonMs === null ? null : isoDate(horizonMs),
    address: (await addressField(tx, of.licenseServerId)).address ?? null,
  };
}

async function answerOf(
  context: ClearinghouseContext,
  of: { readonly message: Question; readonly played: Result<PlayedMove, Refusal>; readonly version: string },
): Promise<string> {
  const { message, played, version } = of;
  const { agreement, source, target } = message.body;
  const nowMs = context.clock.nowMs();
  return context.store.read(async (tx) => {
    const partOf = (await findGrantedAuthority(tx, message.from.id, agreement)) !== undefined;
    const end = async (licenseServerId: string): Promise<End> =>
      partOf ? endOf(context, tx, { licenseServerId, agreement }) : notTold;
    const body: JsonObject = {
      ...{ re: message.id, now: isoTime(nowMs), version },
      refused: played.ok ? null : { ...played.error },
      books: played.ok ? { ...played.value.books } : null,
      entered: played.ok && played.value.entered,
      source: { ...(await end(source)) },
      target: { ...(await end(target)) },
      dead: played.ok && played.value.dead !== null ? { ...played.value.dead } : null,
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
