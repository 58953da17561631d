/**
 * A recovery by telephone (protocol §5.5): the caller's license server has come in the place of one that is no more, and all
 * that the books have committed to that one goes to it, line by line, by one key pack each.
 */
import type { Agreement } from '../../core/agreement.ts';
import { base64url, firstBytes, utf8 } from '../../core/bytes.ts';
import { canonicalJson } from '../../core/canonical.ts';
import { normalizeLicenseServerId } from '../../core/code.ts';
import { parseStatement } from '../../core/dead-source.ts';
import { checkReason, waitsText } from '../../core/recovery.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { installWords } from '../../protocol/problem-words.ts';
import { findMove } from '../../store/clearinghouse-rows.ts';
import { findDeadSource } from '../../store/dead-source-rows.ts';
import { once } from '../../store/once.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { ClearinghouseContext } from '../context.ts';
import { moveCode } from './advance-move.ts';
import { loadAgreement } from './agreements.ts';
import { recoveryRule } from './at-once.ts';
import type { Declaration } from './dead-source.ts';
import { grantPassed } from './dead-source.ts';
import type { CodeView, DeskAnswer } from './desk-answer.ts';
import { deskAnswer } from './desk-answer.ts';
import type { MoveView } from './desk-moves.ts';
import { viewMove } from './desk-moves.ts';
import { earlierOf } from './fence-source.ts';
import { startedEntry } from './move-started.ts';
import { livingAuthority } from './open-authority.ts';
import { readableGrants } from './readable-grants.ts';
import { settleFenced } from './settle-fenced.ts';
import { beginMove } from './start-move.ts';

export interface RecoveryOrder {
  readonly agreement: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  /** What the caller declares ("NAME: what happened"), and who enters it. */
  readonly statement: string;
  readonly by?: string | undefined;
  readonly authorization?: string | undefined;
  readonly license?: string | undefined;
  readonly requestId: string;
}

interface Recovering extends RecoveryOrder {
  readonly declaration: Declaration;
}

/**
 * Recovers all lines of an agreement; the codes are read out at once where the publisher's policy allows it, and after a
 * second person's yes or the old horizon where not. Refused: ids, `invalid-input` (statement, reason), the agreement's,
 * `server-unknown`, `not-activated`, `nothing-to-recover`, and what `beginMove` refuses.
 */
export async function recoverAtDesk(
  context: ClearinghouseContext,
  given: RecoveryOrder,
): Promise<Result<DeskAnswer, Refusal>> {
  const read = readOrder(context, given);
  if (!read.ok) return read;
  const order = read.value;
  const entered = await context.store.write((tx) => enterRecovery(context, tx, order));
  if (!entered.ok) return entered;
  await grantPassed(context);
  await settleFenced(context);
  context.mailbox.wake();
  return context.store.read(async (tx) =>
    ok(await answerOf(context, tx, { order, moves: entered.value.moves })),
  );
}

function readOrder(context: ClearinghouseContext, order: RecoveryOrder): Result<Recovering, Refusal> {
  const from = normalizeLicenseServerId(context.digest, order.from);
  if (!from.ok) return from;
  const to = normalizeLicenseServerId(context.digest, order.to);
  if (!to.ok) return to;
  const reason = checkReason(order.reason);
  if (!reason.ok) return reason;
  const statement = parseStatement(order.statement);
  if (!statement.ok) return statement;
  const by = order.by?.trim() ?? '';
  const recovery = { reason: reason.value, restored: null, signed: false };
  const declaration = { ...statement.value, enteredBy: by === '' ? null : by, recovery };
  return ok({ ...order, from: from.value, to: to.value, declaration });
}

/** Enters a move for each line that the old server has anything of, and answers them all. */
async function enterRecovery(
  context: ClearinghouseContext,
  tx: WriteTx,
  order: Recovering,
): Promise<Result<{ readonly moves: readonly string[] }, Refusal>> {
  const { agreement, from, to, reason, statement } = order;
  const id = `recover:${order.requestId}`;
  const key = { id, requestDigest: canonicalJson({ agreement, from, to, reason, statement }) };
  return once<{ readonly moves: readonly string[] }>(tx, key, async () => {
    const loaded = await loadAgreement(tx, agreement);
    if (!loaded.ok) return loaded;
    const moves: string[] = [];
    for (const line of loaded.value.lines) {
      const move = await enterLine(context, tx, { order, line });
      if (!move.ok) return move;
      if (move.value !== null) moves.push(move.value);
    }
    if (moves.length === 0) return err({ code: 'nothing-to-recover', licenseServerId: from });
    const at = context.clock.nowMs();
    const body = { source: from, target: to, reason, moves };
    await tx.post({ log: agreement, kind: 'recovery', id, at, body, answer: { ...key, body: { moves } } });
    return ok({ moves });
  });
}

/** The move of one line; null where there is nothing of it. */
async function enterLine(
  context: ClearinghouseContext,
  tx: WriteTx,
  { order, line }: { readonly order: Recovering; readonly line: Agreement['lines'][number] },
): Promise<Result<string | null, Refusal>> {
  const { agreement, from, to, declaration, authorization, license, requestId } = order;
  const named = context.digest.sha256(utf8(`${requestId}/${line.number}`));
  const id = `mv-${base64url(firstBytes(named, 12))}`;
  const { product, type } = line;
  const begun = await beginMove(context, tx, {
    ...{ id, agreement, from, to, product, type, quantity: 'all', reason: 'dead', declaration, hold: false },
    ...{ carrier: 'telephone', quoted: { authorization, license } },
  });
  if (begun.ok) {
    await tx.post({ ...startedEntry(begun.value.move), id: `move:${id}` });
    return ok(id);
  }
  const { error } = begun;
  if (error.code === 'move-more-than-there-is') return ok(null);
  // Declared before for the same server, it is gone on with.
  const present = error.code === 'server-declared-dead' ? await findMove(tx, error.move) : undefined;
  return present?.target === to ? ok(present.id) : begun;
}

async function answerOf(
  context: ClearinghouseContext,
  tx: ReadTx,
  { order, moves }: { readonly order: Recovering; readonly moves: readonly string[] },
): Promise<DeskAnswer> {
  const { agreement, from, to } = order;
  const views: MoveView[] = [];
  let told = from;
  for (const id of moves) {
    const move = await findMove(tx, id);
    if (move === undefined) continue;
    views.push(await viewMove(context, tx, move));
    told = [from, ...(await earlierOf(tx, move, context.clock.nowMs()))].join(',');
  }
  const codes = await codesOf(context, tx, order);
  const waiting = views.filter(({ state }) => state === 'dead-wait');
  const rule = await recoveryRule(tx, { agreement, source: from, target: to }, context.clock.nowMs());
  const first = waiting[0];
  const isImmediate = first !== undefined && (await findDeadSource(tx, first.id))?.immediate === 1;
  const next = [
    codes.length === 0
      ? ''
      : `Read out each CAL Key Pack ID. The caller types on the new license server: ${installWords(told, 0)}`,
    ...waiting.map(({ product, type, awaited }) => `${product} per ${type} waits. ${awaited.text}`),
    first === undefined || isImmediate ? '' : waitsText(rule),
  ];
  const lines = views.map(({ id, product, type, state, unissued, held, deadSource }) => ({
    ...{ move: id, product, type, state, units: unissued + held },
    unitsAtRisk: deadSource?.atRisk?.units ?? 0,
    until: deadSource?.atRisk?.until ?? null,
  }));
  return deskAnswer(codes, next.filter((each) => each !== '').join(' '), { agreement, from, to, lines });
}

/** The codes of what has come from the old server, one for each line. */
async function codesOf(
  context: ClearinghouseContext,
  tx: ReadTx,
  { to, agreement, from }: Recovering,
): Promise<readonly CodeView[]> {
  const authority = await livingAuthority(tx, to, agreement);
  if (!authority.ok) return [];
  const { grants } = await readableGrants(tx, authority.value);
  const codes: CodeView[] = [];
  for (const { move: id, line, kind, kAfter: k } of grants.filter(({ source }) => source === from)) {
    const move = { id: id ?? '', source: from, line };
    codes.push(await moveCode(context, tx, { move, authority: authority.value, kind, k }));
  }
  return codes;
}
