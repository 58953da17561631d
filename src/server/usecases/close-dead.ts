/**
 * The end of a license server that was declared to function no longer and comes back (protocol §2.5): its
 * CALs are another's. It gives them up, refers their holders there, and is never activated again.
 */
import type { BodyOf } from '../../protocol/messages.ts';
import { endDeclaration } from '../../store/gap-rows.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { findLine } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import {
  findServerMove,
  insertServerMove,
  openFreeze,
  openServerMoves,
  savePeer,
  settleRequest,
  updateServerMove,
} from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { noteEvent } from './events.ts';
import { freezeUnits, releaseUnits, unfreezeUnits } from './freeze.ts';
import { accountsOf, serverLog } from './license-token.ts';
import { moveRow } from './move-row.ts';
import { newId } from './new-id.ts';
import { settleUndo } from './open-undo.ts';

type Fenced = NonNullable<BodyOf<'close'>['moves']>[number];

const fencedKey = 'fenced-by';

/** The move that took this server's CALs because it functioned no longer; undefined: none did. */
export async function fencedBy(tx: ReadTx): Promise<string | undefined> {
  return readMeta(tx, fencedKey);
}

/**
 * Nothing is heard any more of what was open here: what came on trial has gone back without this server, what was its
 * own it gives up with the rest, and what it had asked for is over. None of it may stand in the way of that, nor be
 * waited for. What it has frozen, `closeAsDead` gives up.
 */
export async function endOpenMoves(context: ServerContext, tx: WriteTx): Promise<void> {
  const updatedAt = context.clock.nowMs();
  for (const row of await openServerMoves(tx)) {
    const state = endOf[row.state];
    if (state === undefined) continue;
    await updateServerMove(tx, { ...row, state, updatedAt });
    if (state !== 'undone') continue;
    await settleRequest(tx, { id: `move:${row.id}`, state: 'done', answer: '{}' });
    await settleUndo(tx, row.id);
    await endDeclaration(tx, row.id);
  }
}

const endOf: Readonly<Record<string, ServerMoveRow['state'] | undefined>> = {
  provisional: 'relinquished',
  final: 'closed',
  requested: 'undone',
  'dead-wait': 'undone',
};

/** Gives up the line of a move whose target has its CALs already. */
export async function closeAsDead(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly fenced: Fenced; readonly generation: number },
): Promise<void> {
  const { fenced, generation } = of;
  const { move, agreement, target } = fenced;
  if (fenced.frozen === true) return giveUpFrozen(context, tx, of);
  await writeMeta(tx, fencedKey, move);
  await savePeer(tx, { licenseServerId: target, name: null, url: fenced.address ?? null });
  const line = await findLine(tx, agreement, fenced.line);
  if (line === undefined) return;
  const count = await tx.balance(accountsOf(line).installed);
  const frozen = await openFreeze(tx, agreement, fenced.line);
  // What it had frozen goes to the target of this move, whoever it had been frozen for.
  if (frozen !== undefined) await unfreeze(context, tx, { line, row: frozen });
  const known = await findServerMove(tx, move);
  const id = known === undefined ? move : newId(context);
  const taken = await freezeUnits(tx, { line, move: id, quantity: 'all' });
  if (taken.ok) {
    const { unissued, held, reserved, quarantined } = taken.value.split;
    const row = moveRow(
      line,
      {
        ...{
          id,
          role: 'source',
          carrier: 'online',
          quantity: 'all',
          source: context.licenseServerId,
          target,
        },
        ...{ state: 'frozen', unissued, held, reserved, quarantined },
      },
      context.clock.nowMs(),
    );
    await insertServerMove(tx, row);
    await tx.post({
      ...{ log: serverLog, kind: 'frozen', id: newId(context), at: row.startedAt },
      body: { agreement, line: line.line, move: id, target, unissued, held },
      postings: taken.value.postings,
    });
    await giveUp(context, tx, { line, row });
  }
  const { product, type } = line;
  await noteEvent(context, tx, { number: 5032, data: { generation, count, product, type, target } });
}

/**
 * Gives up what it had frozen for another move before, and never released: it is the target's of that move.
 * One by telephone has another name here, and is the only one that can be open.
 */
async function giveUpFrozen(
  context: ServerContext,
  tx: WriteTx,
  { fenced, generation }: { readonly fenced: Fenced; readonly generation: number },
): Promise<void> {
  const { agreement } = fenced;
  const line = await findLine(tx, agreement, fenced.line);
  const row = await openFreeze(tx, agreement, fenced.line);
  if (line === undefined || row === undefined) return;
  if (row.id !== fenced.move && row.carrier !== 'telephone') return;
  await giveUp(context, tx, { line, row });
  const { product, type, target } = row;
  const count = row.unissued + row.held;
  await noteEvent(context, tx, { number: 5032, data: { generation, count, product, type, target } });
}

/** A freeze that nobody will hear of any more. */
async function unfreeze(
  context: ServerContext,
  tx: WriteTx,
  { line, row }: { readonly line: LineRow; readonly row: ServerMoveRow },
): Promise<void> {
  const nowMs = context.clock.nowMs();
  const postings = await unfreezeUnits(tx, { line, move: row });
  await updateServerMove(tx, { ...row, state: 'undone', updatedAt: nowMs });
  const { agreement, line: number } = line;
  await tx.post({
    ...{ log: serverLog, kind: 'unfrozen', id: newId(context), at: nowMs, postings },
    body: { agreement, line: number, move: row.id },
  });
}

/** Held units leave for good; their holders are referred to the target when they next ask. */
async function giveUp(
  context: ServerContext,
  tx: WriteTx,
  { line, row }: { readonly line: LineRow; readonly row: ServerMoveRow },
): Promise<void> {
  const nowMs = context.clock.nowMs();
  const postings = await releaseUnits(tx, { line, move: row });
  await updateServerMove(tx, { ...row, state: 'closed', updatedAt: nowMs });
  const { agreement, line: number } = line;
  const { id: move, target, unissued, held } = row;
  await tx.post({
    ...{ log: serverLog, kind: 'closed-as-dead', id: newId(context), at: nowMs, postings },
    body: { agreement, line: number, move, target, unissued, held },
  });
}
