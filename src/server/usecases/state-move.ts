/**
 * What this server states of a move and its line (protocol §2.7): signed at one position of the journal, kept,
 * sent with the next contact where the move went by messages, and shown with what the others have stated.
 */
import { serverAccount, sumServer } from '../../core/account.ts';
import { base64url } from '../../core/bytes.ts';
import type { ServerNumbers, Side } from '../../core/conservation.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoTime } from '../../core/time.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import type { ReportSubject, ReportView, StatementTokens } from '../../protocol/move-report.ts';
import { makeReport, noStatements, sideOfStatement } from '../../protocol/move-report.ts';
import type { ServerStatement } from '../../protocol/statement.ts';
import { isOlder, positionOf, signStatement } from '../../protocol/statement.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { findAuthority, findLine, listAuthorities } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { findServerMove } from '../../store/server-rows.ts';
import { saveStatement, statementOf, statementsOf, unstatedMoves } from '../../store/statement-rows.ts';
import type { ServerContext } from '../context.ts';
import { readGeneration } from '../generation.ts';
import { outgoing } from '../send.ts';
import type { LineName } from './find-line.ts';
import { findAnyLine } from './find-line.ts';
import { serverLog } from './license-token.ts';
import { newId } from './new-id.ts';
import { activationOf } from './server-facts.ts';
import { readTrustList } from './trust-list.ts';

/** The books of a line; all that was ever proven to this server is on its chains. */
async function numbersOf(tx: ReadTx, line: LineRow): Promise<ServerNumbers> {
  const { installed } = serverAccount(line.agreement, line.line);
  const prefix = installed.slice(0, installed.lastIndexOf('/') + 1);
  const [books] = sumServer(await tx.balances(prefix));
  const granted = line.openUnits + line.freeK + line.heldK;
  const none = { installed: 0, unissued: 0, issued: 0, held: 0, reserved: 0, quarantined: 0 };
  if (books === undefined) return { ...none, granted };
  const { agreement: _, line: __, ...amounts } = books;
  return { ...amounts, granted };
}

/** A move that was undone has taken nothing along. */
const isUndone = ({ state }: ServerMoveRow): boolean => state === 'undone' || state === 'relinquished';

/** What is said of a line now; `move`: the move that it is said of. */
async function claimsOf(
  context: ServerContext,
  tx: ReadTx,
  of: { readonly line: LineRow; readonly move: ServerMoveRow | null },
): Promise<ServerStatement> {
  const { line, move } = of;
  const head = await tx.head(serverLog);
  return {
    ...{ t: 'statement', v: 1, by: context.licenseServerId, gen: await readGeneration(tx) },
    ...{ agreement: line.agreement, line: line.line, product: line.product, type: line.type },
    move: move?.id ?? null,
    moved: move === null || isUndone(move) ? null : { unissued: move.unissued, held: move.held },
    numbers: await numbersOf(tx, line),
    told: { aid: line.aid, seq: (await findAuthority(tx, line.aid))?.confirmationSeq ?? 0 },
    log: { name: serverLog, size: head.size, root: base64url(head.root) },
    iat: isoTime(context.clock.nowMs()),
  };
}

async function lineOf(tx: ReadTx, move: ServerMoveRow): Promise<LineRow> {
  const line = await findLine(tx, move.agreement, move.line);
  if (line === undefined) throw new Error(`Move ${move.id} is of a line that is not here.`);
  return line;
}

/** How often a statement is made anew because the books have moved on before it could be kept. */
const attempts = 3;

/**
 * States a move now, and sends that where the move went by messages. The numbers are read as they were last
 * committed, for the position of the journal is told with them; where an act has come in between that
 * changes what the clearinghouse has to hear of, they are read again, so that no older message follows a
 * statement and no newer one overtakes it.
 */
async function stateMove(context: ServerContext, id: string): Promise<void> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const claims = await context.store.read(async (tx) => {
      const move = await findServerMove(tx, id);
      return move && claimsOf(context, tx, { move, line: await lineOf(tx, move) });
    });
    if (claims === undefined) return;
    const kept = await context.store.write((tx) => keepOwn(context, tx, { id, claims }));
    if (kept.ok) return;
  }
}

async function keepOwn(
  context: ServerContext,
  tx: WriteTx,
  { id, claims }: { readonly id: string; readonly claims: ServerStatement },
): Promise<Result<null, Refusal>> {
  const move = await findServerMove(tx, id);
  if (move === undefined) return err({ code: 'move-unknown', move: id });
  const { installed, held, granted } = await numbersOf(tx, await lineOf(tx, move));
  const said = claims.numbers;
  if (installed !== said.installed || held !== said.held || granted !== said.granted) {
    return err({ code: 'answer-pending', waitingFor: 'the books' });
  }
  const statement = signStatement(claims, context.key);
  await saveStatement(tx, { move: id, side: move.role, token: statement, heard: null, due: 0 });
  const tells = move.carrier === 'online';
  const draft = { id: newId(context), type: 'statement', move: id, body: { statement } } as const;
  const { agreement, line, log } = claims;
  await tx.post({
    log: serverLog,
    kind: 'stated',
    id: newId(context),
    at: context.clock.nowMs(),
    body: { agreement, line, move: id, size: log.size, root: log.root },
    ...(tells ? { outbox: [await outgoing(tx, draft)] } : {}),
  });
  return ok(null);
}

/** States the moves that have ended here since. A server that is not activated is not listened to. */
export async function stateEndedMoves(context: ServerContext): Promise<void> {
  const ended = await context.store.read(async (tx) =>
    activationOf(await listAuthorities(tx)) === 'activated' ? unstatedMoves(tx) : [],
  );
  for (const id of ended) await stateMove(context, id);
}

/** The statements of all three sides, from the clearinghouse; our own stays what it was. */
export async function keepReport(tx: WriteTx, message: MessageOf<'report'>): Promise<Result<null, Refusal>> {
  const move = message.move === undefined ? undefined : await findServerMove(tx, message.move);
  if (move === undefined) return err({ code: 'move-unknown', move: message.move ?? '' });
  for (const side of ['clearinghouse', 'source', 'target'] as const) {
    const token = message.body[side];
    if (side === move.role || token === null) continue;
    await keepNewest(tx, { move: move.id, side, token });
  }
  return ok(null);
}

/** Keeps a statement of another side, unless a newer one is here: files and messages come in any order. */
async function keepNewest(
  tx: WriteTx,
  of: { readonly move: string; readonly side: Side; readonly token: string },
): Promise<void> {
  const known = await statementOf(tx, of.move, of.side);
  if (known !== undefined && isOlder(positionOf(of.token), positionOf(known.token))) return;
  await saveStatement(tx, { ...of, heard: null, due: 0 });
}

function subjectOf(move: ServerMoveRow): ReportSubject {
  const { id, agreement, line, product, type, source, target } = move;
  return { move: id, agreement, line, product, type, source, target };
}

/**
 * The report of a move as far as it can be made here; this server's own statement is made for it where there
 * is none. Refused: `move-unknown`.
 */
export async function reportMove(context: ServerContext, id: string): Promise<Result<ReportView, Refusal>> {
  const { token: trustList, list } = await readTrustList(context);
  const found = await context.store.read(async (tx) => {
    const move = await findServerMove(tx, id);
    if (move === undefined) return undefined;
    const tokens: Record<Side, string | null> = { ...noStatements };
    for (const row of await statementsOf(tx, id)) tokens[row.side] = row.token;
    const own = async (): Promise<string> =>
      signStatement(await claimsOf(context, tx, { move, line: await lineOf(tx, move) }), context.key);
    return { move, tokens: { ...tokens, [move.role]: tokens[move.role] ?? (await own()) } };
  });
  if (found === undefined) return err({ code: 'move-unknown', move: id });
  const tokens: StatementTokens = found.tokens;
  const report = makeReport(context.digest, tokens, { subject: subjectOf(found.move), trustList: list });
  return report.ok ? ok({ report: report.value, trustList }) : report;
}

/**
 * Takes statements of the others in, as they were brought in a file, and makes our own anew where `fresh`.
 * Refused: `move-unknown`, `message-invalid`, `message-untrusted`.
 */
export async function updateReport(
  context: ServerContext,
  call: { readonly move: string; readonly statements: readonly string[]; readonly fresh: boolean },
): Promise<Result<ReportView, Refusal>> {
  const { list } = await readTrustList(context);
  const taken = await context.store.write(async (tx) => {
    const move = await findServerMove(tx, call.move);
    if (move === undefined) return err({ code: 'move-unknown', move: call.move });
    for (const token of call.statements) {
      const found = sideOfStatement(context.digest, token, { subject: subjectOf(move), trustList: list });
      if (!found.ok) return found;
      const { side } = found.value;
      if (side !== move.role) await keepNewest(tx, { move: move.id, side, token });
    }
    return ok(null);
  });
  if (!taken.ok) return taken;
  if (call.fresh) await stateMove(context, call.move);
  return reportMove(context, call.move);
}

/**
 * A statement about a line that no move is named for: of a target by telephone, which has none. Refused as
 * `findAnyLine` says.
 */
export async function stateLine(
  context: ServerContext,
  name: LineName,
): Promise<Result<{ readonly statement: string; readonly trustList: string }, Refusal>> {
  const { token: trustList } = await readTrustList(context);
  return context.store.read(async (tx) => {
    const found = await findAnyLine(tx, name);
    if (!found.ok) return found;
    const claims = await claimsOf(context, tx, { line: found.value.line, move: null });
    return ok({ statement: signStatement(claims, context.key), trustList });
  });
}
