/**
 * The clearinghouse's part in the report of a move (protocol §2.7): it takes the servers' statements in, with
 * what its own books say of them at that moment, states its own, and sends all three to both ends.
 */
import { clearinghouseAccount, sumClearinghouse } from '../../core/account.ts';
import { base64url } from '../../core/bytes.ts';
import type { ClearinghouseNumbers, Heard, Side } from '../../core/conservation.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoTime } from '../../core/time.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import { clearinghouseName } from '../../protocol/envelope.ts';
import type { ReportSubject, ReportView } from '../../protocol/move-report.ts';
import { makeReport, noStatements, sideOfStatement } from '../../protocol/move-report.ts';
import type { ClearinghouseStatement, ServerStatement } from '../../protocol/statement.ts';
import { isOlder, positionOf, signStatement } from '../../protocol/statement.ts';
import type { MoveRow } from '../../store/clearinghouse-rows.ts';
import { findMove } from '../../store/clearinghouse-rows.ts';
import { findGrantedAuthority, findServer } from '../../store/committed-server-rows.ts';
import type { OutgoingMessage, ReadTx, WriteTx } from '../../store/port.ts';
import type { StatementRow } from '../../store/statement-rows.ts';
import {
  dueStatements,
  saveStatement,
  settleStatements,
  statementOf,
  statementsOf,
} from '../../store/statement-rows.ts';
import type { ClearinghouseContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { wasGranted } from './cancel-body.ts';
import { grantedUnits } from './close-authority.ts';
import { newId } from './new-id.ts';
import { fencedUntil } from './settle-fenced.ts';
import { trustListInForce } from './trust-lists.ts';

function subjectOf(move: MoveRow): ReportSubject {
  const { id, agreement, line, product, type, source, target } = move;
  return { move: id, agreement, line, product, type, source, target };
}

/** The books of a line, with the account of each server and each move by itself. */
async function numbersOf(
  tx: ReadTx,
  place: { readonly agreement: string; readonly line: number },
): Promise<ClearinghouseNumbers> {
  const { entitled } = clearinghouseAccount(place.agreement, place.line);
  const prefix = entitled.slice(0, entitled.lastIndexOf('/') + 1);
  const balances = await tx.balances(prefix);
  const [books] = sumClearinghouse(balances);
  const under = async (account: string): Promise<readonly { amount: number; row: MoveRow }[]> => {
    const rows: { amount: number; row: MoveRow }[] = [];
    for (const [name, amount] of balances) {
      if (!name.startsWith(`${prefix}${account}/`) || amount === 0) continue;
      const id = name.slice(name.lastIndexOf('/') + 1);
      const row = await findMove(tx, id);
      if (row === undefined) throw new Error(`Units are with move ${id}, which there is not.`);
      rows.push({ amount, row });
    }
    return rows;
  };
  const inTransit = await under('in-transit');
  const quarantined = await under('quarantined');
  if (books === undefined) throw new Error(`Line ${prefix} has no books.`);
  return {
    ...{ entitled: books.entitled, inHand: books.inHand, retired: books.retired },
    committed: books.servers,
    quarantined: quarantined.map(({ row, amount }) => ({
      move: row.id,
      // What waits after an undone move is no server's any more (`lapse.ts`).
      source: row.state === 'dead-wait' ? row.source : null,
      amount,
    })),
    inTransit: inTransit.map(({ row, amount }) => ({ move: row.id, target: row.target, amount })),
  };
}

/** What the books say of a server now, as it is to be held against its statement. */
async function heardOf(tx: ReadTx, statement: ServerStatement): Promise<Heard> {
  const { by, agreement, line, log } = statement;
  const { committed, inTransit, quarantined } = await numbersOf(tx, { agreement, line });
  const authority = await findGrantedAuthority(tx, by, agreement);
  const granted = authority === undefined ? undefined : (await grantedUnits(tx, authority.aid)).get(line);
  const sum = (rows: readonly { readonly amount: number }[]): number =>
    rows.reduce((total, { amount }) => total + amount, 0);
  return {
    size: log.size,
    committed: sum(committed.filter((row) => row.licenseServerId === by)),
    coming:
      sum(inTransit.filter((row) => row.target === by)) + sum(quarantined.filter((row) => row.source === by)),
    granted: granted ?? 0,
  };
}

/**
 * Takes a server's statement in. What its messages said before it is in the books already and nothing that
 * came after it, so that both can be compared to the unit. One that is no newer than what is here changes
 * nothing, nor does one that is older than a code which its server has told since: `overtaken` is its time.
 * Refused: `message-invalid`, `message-untrusted`.
 */
async function takeStatement(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly move: MoveRow; readonly token: string },
): Promise<Result<{ readonly side: Side; readonly overtaken: string | null }, Refusal>> {
  const { move, token } = of;
  const { list } = trustListInForce(context);
  const found = sideOfStatement(context.digest, token, { subject: subjectOf(move), trustList: list });
  if (!found.ok) return found;
  const { side, claims } = found.value;
  // Our own word comes from our own books, whoever brings it back.
  if (claims.by === clearinghouseName) return ok({ side, overtaken: null });
  const statement = claims as ServerStatement;
  const known = await statementOf(tx, move.id, side);
  if (known !== undefined && !isOlder(positionOf(known.token), statement))
    return ok({ side, overtaken: null });
  if (await isOvertaken(tx, statement)) return ok({ side, overtaken: statement.iat });
  const heard = JSON.stringify(await heardOf(tx, statement));
  await saveStatement(tx, { move: move.id, side, token, heard, due: 1 });
  return ok({ side, overtaken: null });
}

/** Whether the books have gone on by a code that the server made after it: they cannot be compared any more. */
async function isOvertaken(tx: ReadTx, { by, agreement, told }: ServerStatement): Promise<boolean> {
  const authority = await findGrantedAuthority(tx, by, agreement);
  return authority?.aid === told.aid && told.seq < authority.confirmationSeq;
}

/** A statement in a message. Refused besides: one that another server has signed than the sender. */
export async function handleStatement(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: { readonly move: MoveRow; readonly message: MessageOf<'statement'> },
): Promise<Result<null, Refusal>> {
  const { move, message } = of;
  const taken = await takeStatement(context, tx, { move, token: message.body.statement });
  if (!taken.ok) return taken;
  const { side } = taken.value;
  const isOwn = side !== 'clearinghouse' && move[side] === message.from.id;
  return isOwn ? ok(null) : err({ code: 'message-untrusted', signer: message.from.id });
}

/** What the clearinghouse says of a move's line now, of the statements that it has taken in. */
async function claimsOf(
  context: ClearinghouseContext,
  tx: ReadTx,
  of: { readonly move: MoveRow; readonly rows: readonly StatementRow[] },
): Promise<ClearinghouseStatement> {
  const { move, rows } = of;
  const head = await tx.head(move.agreement);
  const heard = (side: Side): Heard | null => {
    const text = rows.find((row) => row.side === side)?.heard ?? null;
    return text === null ? null : (JSON.parse(text) as Heard);
  };
  return {
    ...{ t: 'statement', v: 1, by: clearinghouseName },
    ...subjectOf(move),
    ...{ carrier: move.carrier, state: move.state, moved: { unissued: move.unissued, held: move.held } },
    silent: await silentSides(tx, move),
    numbers: await numbersOf(tx, move),
    heard: { source: heard('source'), target: heard('target') },
    log: { name: move.agreement, size: head.size, root: base64url(head.root) },
    iat: isoTime(context.clock.nowMs()),
  };
}

/** Whose statement is not waited for: it can never come, or says nothing of a move that was undone before it. */
async function silentSides(tx: ReadTx, move: MoveRow): Promise<('source' | 'target')[]> {
  const silent: ('source' | 'target')[] = [];
  const undone = move.state === 'aborted';
  const gone = async (end: 'source' | 'target'): Promise<boolean> =>
    (await fencedUntil(tx, move[end])) !== undefined;
  if ((await gone('source')) || (undone && move.unissued + move.held === 0)) silent.push('source');
  if ((await gone('target')) || (undone && !(await wasGranted(tx, move)))) silent.push('target');
  return silent;
}

/** States a move now. Where both servers have stated theirs, all three go to both of them. */
async function stateMove(context: ClearinghouseContext, id: string): Promise<void> {
  const said = await context.store.read(async (tx) => {
    const move = await findMove(tx, id);
    const rows = await statementsOf(tx, id);
    return move && { rows, claims: await claimsOf(context, tx, { move, rows }) };
  });
  if (said === undefined) return;
  const { claims, rows } = said;
  const token = signStatement(claims, context.issueKey);
  const tokenOf = (side: Side): string | null => rows.find((row) => row.side === side)?.token ?? null;
  const isAwaited = (side: 'source' | 'target'): boolean =>
    tokenOf(side) === null && !claims.silent.includes(side);
  await context.store.write(async (tx) => {
    await saveStatement(tx, { move: id, side: 'clearinghouse', token, heard: null, due: 0 });
    await settleStatements(tx, id);
    const outbox =
      isAwaited('source') || isAwaited('target')
        ? []
        : await reportMessages(context, tx, {
            claims,
            body: { clearinghouse: token, source: tokenOf('source'), target: tokenOf('target') },
          });
    const { agreement, line, log } = claims;
    const body = { move: id, line, size: log.size, root: log.root };
    const entry = { log: agreement, kind: 'stated', id: newId(context), at: context.clock.nowMs(), body };
    await tx.post({ ...entry, outbox });
    return ok(null);
  });
  context.mailbox.wake();
}

/** To both ends that still listen; a move by telephone is no message's subject. */
async function reportMessages(
  context: ClearinghouseContext,
  tx: WriteTx,
  of: {
    readonly claims: ClearinghouseStatement;
    readonly body: {
      readonly clearinghouse: string;
      readonly source: string | null;
      readonly target: string | null;
    };
  },
): Promise<readonly OutgoingMessage[]> {
  const { move, agreement, carrier, source, target } = of.claims;
  const messages: OutgoingMessage[] = [];
  for (const to of carrier === 'online' ? [source, target] : []) {
    if ((await findServer(tx, to))?.state !== 'ok') continue;
    const draft = { id: newId(context), type: 'report', move, body: of.body } as const;
    messages.push(await outgoing(tx, { ...draft, to, agreement }));
  }
  return messages;
}

/** States each move about which a server has said something since. */
export async function stateDueMoves(context: ClearinghouseContext): Promise<void> {
  for (const move of await context.store.read(dueStatements)) await stateMove(context, move);
}

/**
 * The report of a move as far as it can be made here; the clearinghouse's own statement is made for it where
 * there is none. Refused: `move-unknown`.
 */
export async function reportMove(
  context: ClearinghouseContext,
  id: string,
): Promise<Result<ReportView, Refusal>> {
  await stateDueMoves(context);
  const found = await context.store.read(async (tx) => {
    const move = await findMove(tx, id);
    if (move === undefined) return undefined;
    const rows = await statementsOf(tx, id);
    const tokens: Record<Side, string | null> = { ...noStatements };
    for (const row of rows) tokens[row.side] = row.token;
    tokens.clearinghouse ??= signStatement(await claimsOf(context, tx, { move, rows }), context.issueKey);
    return { move, tokens };
  });
  if (found === undefined) return err({ code: 'move-unknown', move: id });
  const { token: trustList, list } = trustListInForce(context);
  const of = { subject: subjectOf(found.move), trustList: list };
  const report = makeReport(context.digest, found.tokens, of);
  return report.ok ? ok({ report: report.value, trustList }) : report;
}

/**
 * Takes statements in that were brought in a file, and states the move anew. Refused: `move-unknown`,
 * `message-invalid`, `message-untrusted`.
 */
export async function updateReport(
  context: ClearinghouseContext,
  call: { readonly move: string; readonly statements: readonly string[]; readonly fresh: boolean },
): Promise<Result<ReportView, Refusal>> {
  const taken = await context.store.write(async (tx) => {
    const move = await findMove(tx, call.move);
    if (move === undefined) return err({ code: 'move-unknown', move: call.move });
    for (const token of call.statements) {
      const one = await takeStatement(context, tx, { move, token });
      if (!one.ok) return one;
      const { overtaken } = one.value;
      if (overtaken === null) continue;
      const problem = `it was written on ${overtaken}, before a code of that license server which was read out since: have it written again`;
      return err({ code: 'message-invalid', problem });
    }
    return ok(null);
  });
  if (!taken.ok) return taken;
  if (call.fresh) await stateMove(context, call.move);
  return reportMove(context, call.move);
}
