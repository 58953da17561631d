/**
 * The source's part in a move of many licenses: freezing and giving up in parts of a few hundred, each a
 * transaction that leaves the books whole, so that holders go on renewing meanwhile. The receipt leaves
 * with the last part; a program that was stopped in between goes on where it was.
 */
import type { JsonObject } from '../../core/json.ts';
import type { Posting } from '../../core/ledger.ts';
import { ok } from '../../core/result.ts';
import { isoTime } from '../../core/time.ts';
import { heldAfter, releaseHeld } from '../../store/held-rows.ts';
import type { OutgoingMessage, ReadTx, WriteTx } from '../../store/port.ts';
import { frozenReservations } from '../../store/reserve-rows.ts';
import { sourcesOfFrozen } from '../../store/reserve-source-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { findLine } from '../../store/server-authority-rows.ts';
import type { ServerMoveRow } from '../../store/server-rows.ts';
import { findServerMove, listServerMoves, updateServerMove } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { noteEvent } from './events.ts';
import type { FrozenPart } from './freeze.ts';
import { freezePart, releasePartOf, releaseUnits } from './freeze.ts';
import type { NamedHolder } from './holder-view.ts';
import { viewHolder } from './holder-view.ts';
import { serverLog } from './license-token.ts';
import type { MoveProgress } from './move-progress.ts';
import {
  frozenPart,
  isUnfinished,
  keepFrozen,
  partSize,
  readProgress,
  takeFrozen,
  writeProgress,
} from './move-progress.ts';
import { moveEvent } from './move-row.ts';
import { newId } from './new-id.ts';
import { checkPast } from './past.ts';

interface OfMove {
  readonly line: LineRow;
  readonly move: ServerMoveRow;
}

const nothingYet: MoveProgress = { parts: 0, frozen: false, released: null, cursor: 0 };

/** Goes on with every move that has something left to do here, until none has. */
export async function continueLongMoves(context: ServerContext): Promise<void> {
  while (await continueLongMove(context));
}

/** Goes on with one part of a move that has something left to do here; answers false where none has. */
export async function continueLongMove(context: ServerContext): Promise<boolean> {
  const isDoubted = async (tx: ReadTx): Promise<boolean> => !(await checkPast(tx)).ok;
  if (!(await context.store.read(anyUnfinished)) || (await context.store.read(isDoubted))) return false;
  const done = await context.store.write(async (tx) => {
    await continueOne(context, tx);
    return ok(null);
  });
  if (!done.ok) throw new Error(`A long move cannot be refused half-way, but was: ${done.error.code}`);
  return true;
}

/** Whether more of the messages of a long move are still to be made. */
export async function anyUnfinished(tx: ReadTx): Promise<boolean> {
  return (await unfinished(tx)) !== undefined;
}

async function unfinished(
  tx: ReadTx,
): Promise<{ readonly move: ServerMoveRow; readonly progress: MoveProgress } | undefined> {
  for (const move of await listServerMoves(tx)) {
    if (move.role !== 'source' || move.state !== 'frozen') continue;
    const progress = await readProgress(tx, move.id);
    if (progress !== undefined && isUnfinished(progress)) return { move, progress };
  }
  return undefined;
}

/** Freezes all that is left of a freeze in parts, in the transaction under way: for a rehearsal. */
export async function freezeRest(context: ServerContext, tx: WriteTx, id: string): Promise<void> {
  for (;;) {
    const progress = await readProgress(tx, id);
    const move = await findServerMove(tx, id);
    if (progress === undefined || progress.frozen || move?.state !== 'frozen') return;
    const line = await findLine(tx, move.agreement, move.line);
    if (line === undefined) throw new Error(`The line of move ${move.id} is gone.`);
    await freezeNext(context, tx, { line, move, progress });
  }
}

async function continueOne(context: ServerContext, tx: WriteTx): Promise<void> {
  const found = await unfinished(tx);
  if (found === undefined) return;
  const { move, progress } = found;
  const line = await findLine(tx, move.agreement, move.line);
  if (line === undefined) throw new Error(`The line of move ${move.id} is gone.`);
  if (progress.frozen) await releaseNext(context, tx, { line, move, progress });
  else await freezeNext(context, tx, { line, move, progress });
}

/** The next part of a freeze; whoever gave a CAL back since the last one has made it unissued: it comes along. */
async function freezeNext(
  context: ServerContext,
  tx: WriteTx,
  { line, move, progress }: OfMove & { readonly progress: MoveProgress },
): Promise<void> {
  const so = move.unissued + move.held;
  const wanted = move.quantity === 'all' ? 'all' : move.quantity - so;
  const { parts: number, cursor } = progress;
  const part = await freezePart(tx, { line, move: move.id, wanted, part: number, taken: move, cursor });
  if (!part.ok)
    throw new Error(`Move ${move.id} was to freeze ${wanted} more: ${JSON.stringify(part.error)}`);
  const { split } = part.value;
  const row: ServerMoveRow = {
    ...move,
    unissued: move.unissued + split.unissued,
    held: move.held + split.held,
    reserved: move.reserved + split.reserved,
    quarantined: move.quarantined + split.quarantined,
  };
  await updateServerMove(tx, row);
  await enterPart(context, tx, { line, move: row, frozen: part.value, progress });
}

/** A part of a freeze in the books, and whom it concerns on the way; the last one brings the receipt. */
export async function enterPart(
  context: ServerContext,
  tx: WriteTx,
  of: OfMove & { readonly frozen: FrozenPart; readonly progress?: MoveProgress },
): Promise<void> {
  const { line, move, frozen, progress = nothingYet } = of;
  const { licenses, postings, complete, cursor } = frozen;
  const number = progress.parts;
  const { held: _held, ...part } = frozen.split;
  if (number > 0 || !complete) {
    await keepFrozen(tx, move.id, { number, part });
    await writeProgress(tx, move.id, { ...progress, parts: number + 1, frozen: complete, cursor });
  }
  if (number === 0 && complete) {
    await tellFrozen(context, tx, { line, move, postings, licenses, told: 0, outbox: [] });
    return;
  }
  const outbox = [await listed(context, tx, { move, number, licenses })];
  if (complete) {
    await tellFrozen(context, tx, { line, move, postings, licenses: [], told: number + 1, outbox });
    return;
  }
  await tx.post({
    log: serverLog,
    kind: 'freezing',
    id: `freeze:${move.id}/${number}`,
    at: context.clock.nowMs(),
    body: { agreement: line.agreement, line: line.line, move: move.id, part: number, ...part },
    postings,
    outbox,
  });
}

async function listed(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly move: ServerMoveRow; readonly number: number; readonly licenses: readonly NamedHolder[] },
): Promise<OutgoingMessage> {
  const body = { part: of.number, holders: of.licenses.map(viewHolder) };
  return outgoing(tx, { id: newId(context), type: 'frozen-part', move: of.move.id, body });
}

/**
 * The receipt of a freeze. Holders whom no part has told are named in it, or where there are many, in
 * parts of their own.
 */
async function tellFrozen(
  context: ServerContext,
  tx: WriteTx,
  of: OfMove & {
    readonly postings: readonly Posting[];
    readonly outbox: OutgoingMessage[];
    readonly told: number;
    readonly licenses: readonly NamedHolder[];
  },
): Promise<void> {
  const { line, move, outbox } = of;
  const { agreement, line: number } = line;
  const { unissued, held, target } = move;
  const reserved = (await frozenReservations(tx, move.id)).map(
    (row): NamedHolder => ({ ...row, unit: Number(row.origin.split('/').at(-1)) }),
  );
  let holders = namedOnce([...of.licenses, ...reserved]);
  let told = of.told;
  while (holders.length > 0 && (told > 0 || holders.length > partSize)) {
    const part = holders.slice(0, partSize);
    holders = holders.slice(partSize);
    outbox.push(await listed(context, tx, { move, number: told, licenses: part }));
    told += 1;
  }
  const parts = told === 0 ? {} : { parts: told };
  const sources = await sourcesOfFrozen(tx, move.id, 'without-named');
  const alsoFrom = sources.length === 0 ? {} : { alsoFrom: sources };
  outbox.push(
    await outgoing(tx, {
      id: newId(context),
      type: 'frozen',
      move: move.id,
      body: {
        agreement,
        line: number,
        unissued,
        held,
        holders: holders.map(viewHolder),
        ...parts,
        ...alsoFrom,
      },
    }),
  );
  await tx.post({
    log: serverLog,
    kind: 'frozen',
    id: `freeze:${move.id}`,
    at: context.clock.nowMs(),
    body: { agreement, line: number, move: move.id, target, unissued, held },
    postings: of.postings,
    outbox,
  });
  await noteEvent(context, tx, { number: 5001, data: moveEvent(move) });
}

/**
 * Everybody once, with the last end of every token known here: who has a license here and another unit
 * reserved is named once, and the other unit goes along without a name.
 */
function namedOnce(all: readonly NamedHolder[]): readonly NamedHolder[] {
  const named = new Map<string, NamedHolder>();
  for (const { sub, kind, origin, unit, leaseEnd } of all) {
    const first = named.get(sub) ?? { sub, kind, origin, unit, leaseEnd };
    named.set(sub, { ...first, leaseEnd: Math.max(first.leaseEnd, leaseEnd) });
  }
  return [...named.values()];
}

/** From now on the parts of a move are given up, one after the other. False for one that was frozen at once. */
export async function beginRelease(tx: WriteTx, move: string): Promise<boolean> {
  const progress = await readProgress(tx, move);
  if (progress === undefined) return false;
  if (progress.released === null) await writeProgress(tx, move, { ...progress, released: 0, cursor: 0 });
  return true;
}

/** The code that tells a release by telephone: its authority, and its number there. */
export interface ToldCode {
  readonly aid: string;
  readonly seq: number;
}

/**
 * Gives up a whole move in the transaction under way, or what is left of it, and sends the receipt; `code` is
 * the code that tells the same by telephone.
 */
export async function releaseWhole(
  context: ServerContext,
  tx: WriteTx,
  of: OfMove & { readonly code?: ToldCode | undefined },
): Promise<void> {
  const { line, move, code } = of;
  if (!(await beginRelease(tx, move.id))) {
    const leases = await heldAfter(tx, { move: move.id, after: 0, limit: Number.MAX_SAFE_INTEGER });
    const postings = await releaseUnits(tx, of);
    await tellReleased(context, tx, { line, move, code, postings, leases, told: 0, outbox: [] });
    return;
  }
  for (;;) {
    const progress = await readProgress(tx, move.id);
    if (progress === undefined || progress.released === null) return;
    await releaseNext(context, tx, { line, move, code, progress });
  }
}

/** The next part of a release: as many licenses as that part had frozen, whichever of the move they are. */
async function releaseNext(
  context: ServerContext,
  tx: WriteTx,
  {
    line,
    move,
    code,
    progress,
  }: OfMove & { readonly progress: MoveProgress; readonly code?: ToldCode | undefined },
): Promise<void> {
  const number = progress.released ?? 0;
  const part = await frozenPart(tx, move.id, number);
  const leases = await heldAfter(tx, { move: move.id, after: progress.cursor, limit: part.issued });
  if (leases.length !== part.issued) {
    throw new Error(
      `${part.issued} licenses of move ${move.id} were to be given up, ${leases.length} are held.`,
    );
  }
  const cursor = leases.at(-1)?.id ?? progress.cursor;
  await releaseHeld(tx, move.id, { after: progress.cursor, last: cursor });
  const isLast = number + 1 === progress.parts;
  const postings = await releasePartOf(tx, { line, move, part, number, isLast });
  const released = isLast ? null : number + 1;
  await writeProgress(tx, move.id, { ...progress, released, cursor });
  const outbox = [await told(context, tx, { move, number, leases })];
  if (isLast) {
    await takeFrozen(tx, move.id);
    await tellReleased(context, tx, { line, move, code, postings, leases: [], told: number + 1, outbox });
    return;
  }
  await tx.post({
    log: serverLog,
    kind: 'releasing',
    id: `release:${move.id}/${number}`,
    at: context.clock.nowMs(),
    body: { agreement: line.agreement, line: line.line, move: move.id, part: number, ...part },
    postings,
    outbox,
  });
}

interface Lease {
  readonly id: number;
  readonly sub: string;
  readonly leaseEnd: number;
}

const viewLease = ({ sub, leaseEnd }: Lease): JsonObject => ({ sub, leaseEnd: isoTime(leaseEnd) });

async function told(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly move: ServerMoveRow; readonly number: number; readonly leases: readonly Lease[] },
): Promise<OutgoingMessage> {
  const body = { part: of.number, leases: of.leases.map(viewLease) };
  return outgoing(tx, { id: newId(context), type: 'released-part', move: of.move.id, body });
}

/** The receipt of a release, with the lease ends that no part has told. */
async function tellReleased(
  context: ServerContext,
  tx: WriteTx,
  of: OfMove & {
    readonly postings: readonly Posting[];
    readonly leases: readonly Lease[];
    readonly told: number;
    readonly outbox: OutgoingMessage[];
    readonly code: ToldCode | undefined;
  },
): Promise<void> {
  const { line, move, outbox, code } = of;
  const nowMs = context.clock.nowMs();
  const { agreement, line: number } = line;
  const { unissued, held } = move;
  await updateServerMove(tx, { ...move, state: 'closed', updatedAt: nowMs });
  let { leases } = of;
  let parts = of.told;
  while (leases.length > partSize) {
    outbox.push(await told(context, tx, { move, number: parts, leases: leases.slice(0, partSize) }));
    leases = leases.slice(partSize);
    parts += 1;
  }
  outbox.push(
    await outgoing(tx, {
      id: newId(context),
      type: 'released',
      move: move.id,
      body: {
        ...{ agreement, line: number, unissued, held, leases: leases.map(viewLease) },
        ...(parts === 0 ? {} : { parts }),
        ...(code === undefined ? {} : { told: { ...code } }),
      },
    }),
  );
  await tx.post({
    log: serverLog,
    kind: 'released',
    id: `release:${move.id}`,
    at: nowMs,
    postings: of.postings,
    outbox,
    body: { agreement, line: number, move: move.id, unissued, held },
  });
  await noteEvent(context, tx, { number: 5002, data: moveEvent(move) });
}
