/**
 * Whether this is still the license server that its database belongs to, and the database what this server has told
 * (protocol §5.2): looked at when it is opened and every hour. And the high-water mark, which each commit moves on before
 * anybody is answered (§5.1).
 */
import { hex, textOfUtf8, utf8 } from '../../core/bytes.ts';
import type { HighWater, Standing } from '../../core/high-water.ts';
import { readHighWater, standingOf, writeHighWater } from '../../core/high-water.ts';
import type { Frontier } from '../../core/merkle.ts';
import { rootOf } from '../../core/merkle.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { ok } from '../../core/result.ts';
import type { IdentityDecision, IdentityReason } from '../../core/server-identity.ts';
import { decideIdentity } from '../../core/server-identity.ts';
import type { HighWaterFile } from '../../platform/high-water-file.ts';
import { frontierAt } from '../../store/checkpoint-rows.ts';
import { freeRangesOf, highWaterOf } from '../../store/high-water-rows.ts';
import { readMeta, writeMeta } from '../../store/meta-rows.ts';
import type { Committed, ReadTx } from '../../store/port.ts';
import type { ServerContext } from '../context.ts';
import { serverLog } from './license-token.ts';
import type { Milestone } from './milestone.ts';
import { keepMilestone, readMilestone } from './milestone.ts';
import { readPast, readPutBack } from './past.ts';
import { doubtPast, makeGood } from './put-back.ts';
import { administer } from './server-facts.ts';
import { isSeenAhead } from './witness.ts';

/** Stands in the database once there is a mark: one that is missing then was taken away. */
const keptKey = 'highWater';

interface Found {
  readonly mark: HighWater | null;
  readonly decision: IdentityDecision;
  /** Whether the mark is a beginning of this database's journal. */
  readonly isAhead: boolean;
}

const bytesOf = (mark: HighWater): Uint8Array => utf8(writeHighWater(mark));

function markOf({ last }: HighWaterFile): HighWater | null {
  const text = last === undefined ? undefined : textOfUtf8(last);
  return (text === undefined ? undefined : readHighWater(text)) ?? null;
}

/**
 * Holds database and machine against what was seen last, puts right what can be, and keeps the mark from now on. Called
 * when a license server is opened, before anybody asks it for anything. Throws what the operating system refuses.
 */
export async function settleIdentity(context: ServerContext, file: HighWaterFile): Promise<void> {
  const { store, clock } = context;
  const isKept = (await store.read((tx) => readMeta(tx, keptKey))) !== undefined;
  const mark = markOf(file);
  const milestone = await store.read((tx) => readMilestone(context, tx));
  if (mark !== null || isKept) {
    const found = await look(context, mark, milestone);
    await act(context, found);
  } else {
    await administer(context, async (tx) => {
      await writeMeta(tx, keptKey, 'kept');
      return ok(null);
    });
  }
  await acceptMachine(context);
  const note = (committed: Committed): void => {
    const before = context.cache.mark ?? milestone?.mark ?? null;
    // Set back or not, the clock has been as far as the mark that was found: licenses run from there.
    const nowMs = Math.max(clock.nowMs(), mark?.seenAtMs ?? 0);
    const last = highWaterOf(committed, { nowMs, before });
    file.write(bytesOf(last));
    context.cache.mark = last;
  };
  note(store.committed());
  store.beforeAnswers({ note, close: file.close });
  await keepMilestone(context);
}

/** Why the past of this database is in doubt; null: it is not. */
async function doubtedFor(tx: ReadTx): Promise<IdentityReason | null> {
  const past = await readPast(tx);
  return past?.state === 'doubted' ? past.reason : null;
}

/** The root of the database's journal at the size of the mark, in hex; empty where it has not got so far. */
async function rootAt(context: ServerContext, size: number, known: Frontier | undefined): Promise<string> {
  const { store, digest } = context;
  const head = store.committed().head(serverLog);
  if (head.size === size) return hex(head.root);
  const frontier = await store.read((tx) => frontierAt(digest, tx, { log: serverLog, size, known }));
  return frontier === undefined ? '' : hex(rootOf(digest, frontier));
}

async function look(
  context: ServerContext,
  mark: HighWater | null,
  milestone: Milestone | null,
): Promise<Found> {
  const { store, clock } = context;
  const committed = store.committed();
  const database = highWaterOf(committed, { nowMs: clock.nowMs(), before: milestone?.mark ?? null });
  const putBack = await store.read(readPutBack);
  // Stopped between putting right what was put back and noting it in the mark: it is put right already.
  const isPutRight = mark !== null && putBack?.size === mark.logSize && putBack.root === mark.logRoot;
  const root = mark === null || isPutRight ? '' : await rootAt(context, mark.logSize, milestone?.frontier);
  const judged: Standing | null = mark === null ? null : standingOf(mark, database, () => root);
  const standing = isPutRight ? 'ahead' : judged;
  const decision = decideIdentity({
    ...{ secret: 'present', mark, database, standing, free: freeRangesOf(committed) },
    machine: context.machine?.compare().machine ?? 'unknown',
    seenAhead: await store.read((tx) => isSeenAhead(context, tx)),
    doubted: await store.read(doubtedFor),
  });
  return { mark, decision, isAhead: standing === 'ahead' };
}

async function act(
  context: ServerContext,
  { mark, decision, isAhead }: Found,
): Promise<Result<null, Refusal>> {
  if (decision.result === 'ok' || decision.result === 'system-replaced') return ok(null);
  return administer(context, async (tx) => {
    if (decision.result === 'reconcile') {
      if (mark === null) throw new Error('A database is older than a mark that is not there.');
      await makeGood(context, tx, { mark, lines: decision.lines });
    } else if (!isAhead || (await readPast(tx))?.state !== 'doubted') {
      // What lasts from one look to the next, another machine for example, is not asked about again.
      await doubtPast(context, tx, { reason: decision.reason, mark });
    }
    return ok(null);
  });
}

/** What is seen of the machine now is what it is known by from now on, unless it is in question. */
async function acceptMachine(context: ServerContext): Promise<void> {
  const { machine, store } = context;
  if (machine === null || (await store.read(readPast))?.state === 'doubted') return;
  if (machine.compare().machine !== 'changed') machine.accept();
}

/** The look of every hour: at the machine, and at what the clearinghouse has seen. The mark is this program's own by then. */
export async function lookAgain(context: ServerContext): Promise<void> {
  const database = context.cache.mark;
  if (database === null) return;
  const decision = decideIdentity({
    ...{ secret: 'present', mark: database, database, standing: 'ahead', free: [] },
    machine: context.machine?.compare().machine ?? 'unknown',
    seenAhead: await context.store.read((tx) => isSeenAhead(context, tx)),
    doubted: await context.store.read(doubtedFor),
  });
  await act(context, { mark: database, decision, isAhead: true });
}
