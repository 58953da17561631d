/**
 * A source that no longer functions is declared so on the target of the move (protocol §2.5): by a signed
 * message, or by telephone, where the administrator reads the same to the desk.
 */
import { checkAgreementNumber } from '../../core/agreement.ts';
import { normalizeLicenseServerId } from '../../core/code.ts';
import { parseStatement } from '../../core/dead-source.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { addEarlierSources, saveDeclared } from '../../store/gap-rows.ts';
import type { WriteTx } from '../../store/port.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import {
  findServerMove,
  insertRequest,
  insertServerMove,
  listServerMoves,
  savePeer,
} from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { administerOnce } from './administer-once.ts';
import { findNamedLine } from './find-line.ts';
import { serverLog } from './license-token.ts';
import { moveRow } from './move-row.ts';
import type { MoveView } from './move-view.ts';
import { viewMove } from './move-view.ts';
import { newId } from './new-id.ts';
import { readServerIds } from './whose-code.ts';

export interface DeadOrder {
  readonly agreement: string | undefined;
  readonly from: string;
  /** Servers that CALs had come to it from, as far as the administrator knows them: the clearinghouse names them by message. */
  readonly alsoFrom?: readonly string[] | undefined;
  readonly product: string;
  readonly type: string;
  /** "NAME: what happened". */
  readonly statement: string;
  readonly by: 'message' | 'telephone';
  /** This server has come in its place (protocol §5.5). */
  readonly recovery?: BodyOf<'move-request'>['recovery'];
  /** The caller's idempotency key: the same key finds the same declaration, whatever became of it. */
  readonly requestId?: string | undefined;
}

type Declared = {
  readonly move: string;
  /** It had been declared before. */
  readonly resumed: boolean;
};

/**
 * Declares it, or finds the declaration that is open. By telephone nothing is sent: the desk decides, and
 * this server knows from now on whose tokens open a gap license. Refused: `agreement-missing`, ids,
 * `move-to-itself`, `invalid-input` (the statement), `line-unknown`, `not-activated`, `deactivated`,
 * `idempotency-key-reused`.
 */
export async function declareDead(
  context: ServerContext,
  order: DeadOrder,
): Promise<Result<MoveView, Refusal>> {
  const done = await administerOnce<Declared>(context, { act: 'declare-dead', order }, async (tx) => {
    const declared = await declareIn(context, tx, order);
    return declared.ok ? ok({ move: declared.value.id, resumed: declared.value.resumed }) : declared;
  });
  if (!done.ok) return done;
  // As it stands now: under a key that was used before it may be over.
  const { move, resumed } = done.value;
  return context.store.read(async (tx) => {
    const row = await findServerMove(tx, move);
    if (row === undefined) throw new Error(`The move ${move} that was declared is not there.`);
    return ok(await viewMove(context, tx, { move: row, resumed }));
  });
}

/** The same within a transaction. */
export async function declareIn(
  context: ServerContext,
  tx: WriteTx,
  order: DeadOrder,
): Promise<Result<MoveView, Refusal>> {
  const agreement = checkAgreementNumber(order.agreement);
  if (!agreement.ok) return agreement;
  const source = normalizeLicenseServerId(context.digest, order.from);
  if (!source.ok) return source;
  if (source.value === context.licenseServerId) {
    return err({ code: 'move-to-itself', licenseServerId: source.value });
  }
  const statement = parseStatement(order.statement);
  if (!statement.ok) return statement;
  const alsoFrom = readServerIds(context, order.alsoFrom ?? []);
  if (!alsoFrom.ok) return alsoFrom;
  const found = await findNamedLine(tx, { ...order, agreement: agreement.value });
  if (!found.ok) return found;
  const { line } = found.value;
  const open = (await listServerMoves(tx)).find(
    (move) =>
      move.role === 'target' &&
      ['requested', 'dead-wait'].includes(move.state) &&
      move.agreement === line.agreement &&
      move.line === line.line &&
      move.source === source.value,
  );
  const move =
    open ?? (await enter(context, tx, { order, line, source: source.value, statement: statement.value }));
  await addEarlierSources(tx, move.id, alsoFrom.value);
  return ok(await viewMove(context, tx, { move, resumed: open !== undefined }));
}

async function enter(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly order: DeadOrder;
    readonly line: LineRow;
    readonly source: string;
    readonly statement: { readonly by: string; readonly text: string };
  },
): Promise<ServerMoveRow> {
  const { order, line, source, statement } = of;
  const nowMs = context.clock.nowMs();
  const id = newId(context);
  const byMessage = order.by === 'message';
  const target = context.licenseServerId;
  const move = moveRow(
    line,
    {
      ...{ id, role: 'target', carrier: byMessage ? 'online' : 'telephone', quantity: 'all', source, target },
      state: byMessage ? 'requested' : 'dead-wait',
    },
    nowMs,
  );
  await insertServerMove(tx, move);
  await savePeer(tx, { licenseServerId: source, name: null, url: null });
  await saveDeclared(tx, {
    ...{ move: id, lineId: line.id, source, statement: statement.text, declaredBy: statement.by },
    ...{ horizon: null, opensAt: null, state: byMessage ? 'asked' : 'waiting' },
  });
  const { agreement, product, type } = line;
  const request = `move:${id}`;
  if (byMessage) await insertRequest(tx, { id: request, kind: 'move', ask: id, at: nowMs });
  const body = {
    ...{ agreement, product, type, quantity: 'all', source, target, reason: 'dead', hold: false, statement },
    ...(order.recovery === undefined ? {} : { recovery: order.recovery }),
  };
  await tx.post({
    log: serverLog,
    kind: 'source-declared-dead',
    id: request,
    at: nowMs,
    outbox: byMessage ? [await outgoing(tx, { id: request, type: 'move-request', move: id, body })] : [],
    body: {
      ...{ agreement, line: line.line, move: id, source, by: statement.by, statement: statement.text },
      ...(order.recovery === undefined ? {} : { reason: order.recovery.reason }),
    },
  });
  return move;
}
