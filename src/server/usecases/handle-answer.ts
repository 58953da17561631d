/** What each message of the clearinghouse does on this server (protocol §2.3). */
import { bytesOfBase64url } from '../../core/bytes.ts';
import { isAbove } from '../../core/chain.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { msOfIso } from '../../core/time.ts';
import type { Message, MessageOf } from '../../protocol/envelope.ts';
import { clearinghouseName } from '../../protocol/envelope.ts';
import { endDeclaration } from '../../store/gap-rows.ts';
import { waitingAmong } from '../../store/outbox-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import { findLine, listAuthorities, setAuthorityState } from '../../store/server-authority-rows.ts';
import {
  findRequest,
  findServerMove,
  forgetApplied,
  settleRequest,
  updateServerMove,
} from '../../store/server-rows.ts';
import { freePool } from '../../store/unit-rows.ts';
import type { ServerContext } from '../context.ts';
import { raiseGeneration } from '../generation.ts';
import { checkProof, horizonOf, installProof, takeHorizon } from './advance-chain.ts';
import { applyCertificate } from './apply-certificate.ts';
import { closeAsDead, endOpenMoves, fencedBy } from './close-dead.ts';
import { noteEvent } from './events.ts';
import { handleMoveMessage } from './move-messages.ts';
import { isNothingMissed } from './recovered.ts';
import { noteUnanswerable, takeRevalidated } from './revalidate.ts';
import { checkTime, noteAnswered } from './seen-time.ts';
import { keepReport } from './state-move.ts';
import { onResume, onSuspend } from './suspend.ts';
import { checkAgreementForked } from './witness.ts';

type Handled = Promise<Result<null, Refusal>>;

/** Carries one message out, in the transaction that marks it applied. */
export async function handleAnswer(context: ServerContext, tx: WriteTx, message: Message): Handled {
  switch (message.t) {
    case 'welcome':
      return handleWelcome(context, tx, message);
    case 'activated':
      return applyCertificate(context, tx, message);
    case 'key-pack':
      return handleKeyPack(context, tx, message);
    case 'deactivated':
    case 'close':
      return handleClosed(context, tx, message);
    case 'revalidated':
      return takeRevalidated(context, tx, message);
    case 'report':
      return keepReport(tx, message);
    case 'suspend':
      return onSuspend(context, tx, message);
    case 'resume':
      return onResume(context, tx, message);
    case 'refused':
      return handleRefused(context, tx, message);
    case 'freeze':
    case 'unfreeze':
    case 'unfreeze-part':
    case 'release':
    case 'grant':
    case 'grant-part':
    case 'cancel':
    case 'final':
    case 'source-closed':
    case 'source-closed-part':
    case 'source-dead':
    case 'source-lives':
      return handleMoveMessage(context, tx, message);
    default:
      return err({ code: 'message-invalid', problem: `the clearinghouse does not send ${message.t}` });
  }
}

/** What was received leaves the outbox; the horizon moves on where its proof holds. */
async function handleWelcome(context: ServerContext, tx: WriteTx, message: MessageOf<'welcome'>): Handled {
  const own = await waitingAmong(tx, clearinghouseName, message.body.received);
  if (own.length > 0) await tx.acknowledge(own);
  for (const id of message.body.received) await forgetApplied(tx, id);
  const authorities = await listAuthorities(tx);
  for (const reveal of message.body.horizon) {
    const row = authorities.find((each) => each.agreement === reveal.agreement && each.state === 'active');
    const value = bytesOfBase64url(reveal.value);
    if (row === undefined || value === undefined || reveal.e <= row.horizonE) continue;
    if (!(await checkAgreementForked(context, tx, reveal.agreement)).ok) continue;
    if (!isAbove(context.digest, { ...horizonOf(row), above: { k: reveal.e, value } })) continue;
    await takeHorizon(tx, { row, e: reveal.e, value, nowMs: context.clock.nowMs() });
  }
  await noteAnswered(context, tx, { received: message.body.received, toldMs: msOfIso(message.iat) ?? 0 });
  return ok(null);
}

/** The key pack that was asked for: its proof decides the amount, not the words beside it. */
async function handleKeyPack(context: ServerContext, tx: WriteTx, message: MessageOf<'key-pack'>): Handled {
  const { body } = message;
  const line = await findLine(tx, body.agreement, body.line);
  const value = bytesOfBase64url(body.value);
  if (line === undefined || value === undefined)
    return err({ code: 'not-activated', agreement: body.agreement });
  const proof = { chain: 'free', k: body.k, value } as const;
  const checked = checkProof(context, line, proof);
  if (!checked.ok) return checked;
  const nowMs = context.clock.nowMs();
  const clock = await checkTime(context, tx, nowMs);
  if (!clock.ok) return clock;
  if (checked.value.added === 0) return settle(tx, { re: body.re, answer: { added: 0 } });
  const { added, installed } = await installProof(context, tx, {
    line,
    proof,
    pool: freePool,
    to: 'unissued',
    told: { carrier: 'online' },
    nowMs,
  });
  const data = { product: line.product, type: line.type, added, installed, agreement: line.agreement };
  await noteEvent(context, tx, { number: 5000, data });
  const { product, type } = line;
  return settle(tx, { re: body.re, answer: { product, type, added, installed } });
}

async function settle(
  tx: WriteTx,
  of: { readonly re: string; readonly answer: Record<string, string | number> },
): Handled {
  await settleRequest(tx, { id: of.re, state: 'done', answer: JSON.stringify(of.answer) });
  return ok(null);
}

/** The clearinghouse has closed this generation: nothing is given out until it is activated again. */
async function handleClosed(
  context: ServerContext,
  tx: WriteTx,
  message: MessageOf<'deactivated'> | MessageOf<'close'>,
): Handled {
  const generation = await raiseGeneration(tx, message.body.gen);
  if (message.t === 'deactivated') return settle(tx, { re: message.body.re, answer: { generation } });
  for (const authority of await listAuthorities(tx))
    await setAuthorityState(tx, authority.aid, 'deactivated');
  const moves = message.body.moves ?? [];
  if (moves.length > 0) await endOpenMoves(context, tx);
  for (const fenced of moves) await closeAsDead(context, tx, { fenced, generation });
  if (moves.length === 0) await noteEvent(context, tx, { number: 5020, data: { generation } });
  return ok(null);
}

/** A request was refused; a move that was refused before anything was frozen is over. */
async function handleRefused(context: ServerContext, tx: WriteTx, message: MessageOf<'refused'>): Handled {
  const { re, refused } = message.body;
  await settleRequest(tx, { id: re, state: 'refused', answer: JSON.stringify(refused) });
  await noteUnanswerable(context, tx, message.body);
  const request = await findRequest(tx, re);
  const move = message.move === undefined ? undefined : await findServerMove(tx, message.move);
  if (move?.state === 'requested') {
    await updateServerMove(tx, { ...move, state: 'refused', updatedAt: context.clock.nowMs() });
    await endDeclaration(tx, move.id);
  }
  // Whose CALs are another's was told so by its closing (5032): what it still said needs no event of its own.
  const isTold = refused['code'] === 'server-closed' && request === undefined;
  if (isTold && (await fencedBy(tx)) !== undefined) return ok(null);
  // Taken back here meanwhile, before anything was frozen: nobody waits for it any more.
  if (move?.state === 'undone') return ok(null);
  const problem = String(refused['code'] ?? '');
  if (move !== undefined && (await isNothingMissed(tx, { ...move, code: problem }))) {
    const { source, product, type } = move;
    await noteEvent(context, tx, { number: 5031, data: { source, product, type } });
    return ok(null);
  }
  await noteEvent(context, tx, {
    number: 5019,
    data: { type: request?.kind ?? 'move', sender: context.name, problem },
  });
  return ok(null);
}
