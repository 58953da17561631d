/**
 * The server before was heard of after its CALs had come here at once (protocol §5.5): what of them nobody has is set aside,
 * until no lease of that one can run any more, or the clearinghouse takes that back.
 */
import { suspends } from '../../core/recovery.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { clockToleranceMs } from '../../core/standing.ts';
import { isoDate, isoTime, msOfIso } from '../../core/time.ts';
import type { MessageOf } from '../../protocol/envelope.ts';
import type { BodyOf } from '../../protocol/messages.ts';
import { readPayload } from '../../protocol/paseto.ts';
import { msOf } from '../../protocol/schema.ts';
import type { AtOnceRow } from '../../store/at-once-rows.ts';
import { listAtOnce, saveSuspension } from '../../store/at-once-rows.ts';
import type { OutgoingMessage, ReadTx, WriteTx } from '../../store/port.ts';
import type { QuarantineRow } from '../../store/quarantine-rows.ts';
import { findQuarantine } from '../../store/quarantine-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { findLine, listLines } from '../../store/server-authority-rows.ts';
import type { ServerContext } from '../context.ts';
import { outgoing } from '../send.ts';
import { noteEvent } from './events.ts';
import { accountsOf, serverLog } from './license-token.ts';
import { newId } from './new-id.ts';
import { checkPast } from './past.ts';
import { asidePosting, openAll, setAside } from './quarantine.ts';
import { verifyEnded } from './take-over.ts';

type Handled = Promise<Result<null, Refusal>>;

const quarantineOf = (move: string): string => `suspended:${move}`;

/**
 * What came of a line from a server before. By telephone the move has another name here than at the clearinghouse, so it is
 * found by where its CALs came from. Refused, so that the message comes again: `move-unknown` before they came.
 */
async function rowsOf(
  tx: ReadTx,
  { agreement, line: number, source }: BodyOf<'resume'>,
): Promise<Result<{ readonly line: LineRow; readonly rows: readonly AtOnceRow[] }, Refusal>> {
  const line = await findLine(tx, agreement, number);
  const rows = (await listAtOnce(tx)).filter((row) => row.lineId === line?.id && row.source === source);
  return line === undefined || rows.length === 0
    ? err({ code: 'move-unknown', move: `${agreement}/${number}/${source}` })
    : ok({ line, rows });
}

/** The clearinghouse has heard of the server before. */
export async function onSuspend(
  context: ServerContext,
  tx: WriteTx,
  { body }: MessageOf<'suspend'>,
): Handled {
  const { until, said, ...of } = body;
  const found = await rowsOf(tx, of);
  if (!found.ok) return found;
  for (const row of found.value.rows) {
    if (row.suspendedAt === null) await suspend(context, tx, { row, until: msOf(until), said });
  }
  return ok(null);
}

/** It is taken back. Refused, so that it comes again, while the past is in doubt. */
export async function onResume(context: ServerContext, tx: WriteTx, { body }: MessageOf<'resume'>): Handled {
  const found = await rowsOf(tx, body);
  if (!found.ok) return found;
  const past = await checkPast(tx);
  if (!past.ok) return past;
  const nowMs = context.clock.nowMs();
  const { line, rows } = found.value;
  const open: QuarantineRow[] = [];
  for (const row of rows) {
    // One that comes before the other has that one do nothing.
    await saveSuspension(tx, { ...row, suspendedAt: row.suspendedAt ?? nowMs, liftedAt: nowMs });
    const aside = await findQuarantine(tx, quarantineOf(row.move));
    if (aside !== undefined && aside.amount > 0) open.push(aside);
  }
  if (open.length === 0) return ok(null);
  const count = await openAll(context, tx, { line, open, nowMs });
  const { product, type } = line;
  await noteEvent(context, tx, { number: 5072, data: { source: body.source, count, product, type } });
  return ok(null);
}

/**
 * A holder shows a license of a server before. Was it signed more than a day after its CALs had come here at once, that one
 * lives: what of them nobody has is set aside, and the clearinghouse is told. A day: two clocks may be so far apart.
 */
export async function noteShown(
  context: ServerContext,
  source: { readonly token: string; readonly bundle: unknown },
): Promise<void> {
  const claims = readPayload(source.token);
  const signedMs = msOfIso(String(claims?.['iat'] ?? '')) ?? 0;
  const came = async (tx: ReadTx): Promise<readonly AtOnceRow[]> =>
    (await listAtOnce(tx)).filter((row) => row.source === claims?.['iss'] && isSign(context, row, signedMs));
  if ((await context.store.read(came)).length === 0 || verifyEnded(context, source) === null) return;
  const signedAt = isoTime(signedMs);
  await context.store.write(async (tx) => {
    for (const row of await came(tx)) {
      const { agreement, line } = await lineOf(tx, row);
      const body = { agreement, line, source: row.source, signedAt, token: source.token };
      const message = { id: newId(context), type: 'source-seen', body } as const;
      const said = `a license that it signed on ${signedAt} was shown here`;
      await suspend(context, tx, { row, until: row.opensAt, said, outbox: [await outgoing(tx, message)] });
    }
    return ok(null);
  });
}

/** Whether a license that was signed then shows that the server before lives. */
function isSign(context: ServerContext, row: AtOnceRow, signedMs: number): boolean {
  return suspends({
    ...{ sinceMs: row.cameAt + clockToleranceMs, untilMs: row.opensAt, signedMs },
    ...{ settled: row.suspendedAt !== null, nowMs: context.clock.nowMs() },
  });
}

/** Sets aside as many unissued CALs of the line as came so. Which of those are left that came nobody needs to know: all are alike. */
async function suspend(
  context: ServerContext,
  tx: WriteTx,
  of: {
    readonly row: AtOnceRow;
    readonly until: number;
    readonly said: string;
    readonly outbox?: readonly OutgoingMessage[];
  },
): Promise<void> {
  const { row, until, said, outbox = [] } = of;
  const { move, source } = row;
  const line = await lineOf(tx, row);
  const nowMs = context.clock.nowMs();
  const count = Math.min(row.units, await tx.balance(accountsOf(line).unissued));
  await setAside(context, tx, { line, amount: count, opensAt: until, id: quarantineOf(move) });
  await saveSuspension(tx, { move, suspendedAt: nowMs, liftedAt: null });
  const { agreement, line: number, product, type } = line;
  await tx.post({
    ...{ log: serverLog, kind: 'quarantined', id: newId(context), at: nowMs, outbox },
    body: { agreement, line: number, amount: count, move, source },
    postings: count === 0 ? [] : [asidePosting(line, count)],
  });
  const data = { source, said, count, product, type, until: isoDate(until) };
  await noteEvent(context, tx, { number: 5071, data });
}

async function lineOf(tx: ReadTx, { lineId }: AtOnceRow): Promise<LineRow> {
  const line = (await listLines(tx)).find(({ id }) => id === lineId);
  if (line === undefined) throw new Error(`Line ${lineId} is not there any more.`);
  return line;
}

export type AtOnceView = {
  readonly move: string;
  readonly source: string;
  readonly product: string;
  readonly type: string;
  /** CALs that came for nobody by name before the old horizon had passed. */
  readonly units: number;
  /** When no lease of the server before can run any more. */
  readonly until: string;
  /** Since when those that nobody had are set aside; null: they are not, or not any more. */
  readonly suspendedAt: string | null;
};

/** What came from servers before without waiting, as long as it is at risk, for status. */
export async function viewAtOnce(tx: ReadTx, nowMs: number): Promise<readonly AtOnceView[]> {
  const views: AtOnceView[] = [];
  for (const row of await listAtOnce(tx)) {
    if (row.opensAt < nowMs) continue;
    const { product, type } = await lineOf(tx, row);
    const { move, source, units, opensAt, suspendedAt, liftedAt } = row;
    const since = suspendedAt === null || liftedAt !== null ? null : isoTime(suspendedAt);
    views.push({ move, source, product, type, units, until: isoTime(opensAt), suspendedAt: since });
  }
  return views;
}
