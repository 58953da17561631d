/**
 * The new license server asks for the CALs of the one in whose place it has come (protocol §5.5), by a declaration for each
 * line: signed, where it has the old key's word; else with the statement of whoever asks.
 */

import { normalizeLicenseServerId } from '../../core/code.ts';
import type { Statement } from '../../core/dead-source.ts';
import { parseStatement } from '../../core/dead-source.ts';
import type { RecoveryReason } from '../../core/recovery.ts';
import { checkReason, reasonText, sayText } from '../../core/recovery.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import { isoTime } from '../../core/time.ts';
import type { ReadTx, WriteTx } from '../../store/port.ts';
import type { PredecessorRow } from '../../store/predecessor-rows.ts';
import { listPredecessors } from '../../store/predecessor-rows.ts';
import type { LineRow } from '../../store/server-authority-rows.ts';
import { listLines } from '../../store/server-authority-rows.ts';
import { findServerMove } from '../../store/server-rows.ts';
import type { ServerContext } from '../context.ts';
import { administerOnce } from './administer-once.ts';
import { declareIn } from './declare-dead.ts';
import type { MoveView } from './move-view.ts';
import { viewMove } from './move-view.ts';
import { activeLines, isGranted, isRecovered, isSettled, proofFor } from './recovered.ts';

export interface RecoveryOrder {
  /** Of the server before; undefined: those in whose place this one has come. */
  readonly from?: string | undefined;
  readonly agreement?: string | undefined;
  readonly reason?: string | undefined;
  /** "NAME: what happened". */
  readonly statement?: string | undefined;
  readonly by: 'message' | 'telephone';
  readonly requestId?: string | undefined;
}

/** The server before, as far as this one knows it. */
type Before = Pick<PredecessorRow, 'licenseServerId' | 'lines' | 'proof'> & {
  readonly reason: RecoveryReason;
};

export type RecoveryView = {
  readonly from: readonly string[];
  readonly reason: RecoveryReason;
  readonly statement: string;
  readonly moves: readonly MoveView[];
};

/**
 * Declares the server before dead on each line of this one, whatever its own database knew: that may have been older. Asked again, it finds the same declarations.
 * Refused: `not-activated`, `nothing-to-recover`, `invalid-input` (statement, reason), ids, and what `declareIn` refuses.
 */
export async function recover(
  context: ServerContext,
  order: RecoveryOrder,
): Promise<Result<RecoveryView, Refusal>> {
  const given = readGiven(context, order);
  if (!given.ok) return given;
  const done = await administerOnce<Entered>(context, { act: 'recover', order }, async (tx) => {
    const before = await predecessorsOf(context, tx, given.value);
    return enter(context, tx, { order, before, given: given.value });
  });
  if (!done.ok) return done;
  const { moves: ids, ...entered } = done.value;
  return context.store.read(async (tx) => {
    const moves: MoveView[] = [];
    for (const id of ids) {
      const move = await findServerMove(tx, id);
      if (move !== undefined) moves.push(await viewMove(context, tx, { move, resumed: false }));
    }
    return ok({ ...entered, moves });
  });
}

type Entered = {
  readonly from: readonly string[];
  readonly reason: RecoveryReason;
  readonly statement: string;
  readonly moves: readonly string[];
};

interface Given {
  readonly from: string | undefined;
  readonly reason: RecoveryReason | undefined;
}

function readGiven(context: ServerContext, { from, reason }: RecoveryOrder): Result<Given, Refusal> {
  const id = from === undefined ? ok(undefined) : normalizeLicenseServerId(context.digest, from);
  if (!id.ok) return id;
  const why = reason === undefined ? ok(undefined) : checkReason(reason);
  return why.ok ? ok({ from: id.value, reason: why.value }) : why;
}

/** The one that is named, known here or not; else all that are known. */
async function predecessorsOf(
  context: ServerContext,
  tx: ReadTx,
  { from, reason }: Given,
): Promise<readonly Before[]> {
  const known = await listPredecessors(tx);
  const meant = from === undefined ? known : known.filter(({ licenseServerId }) => licenseServerId === from);
  if (meant.length > 0) {
    return meant.map((row) => {
      return { ...row, proof: proofFor(context, row), reason: reason ?? row.reason };
    });
  }
  if (from === undefined) return [];
  return [{ licenseServerId: from, lines: null, proof: null, reason: reason ?? 'redeployed' }];
}

async function enter(
  context: ServerContext,
  tx: WriteTx,
  of: { readonly order: RecoveryOrder; readonly before: readonly Before[]; readonly given: Given },
): Promise<Result<Entered, Refusal>> {
  const { order, before, given } = of;
  const own = await activeLines(tx, order.agreement);
  if (own.length === 0) return err({ code: 'not-activated', agreement: order.agreement ?? null });
  const moves: string[] = [];
  const from: string[] = [];
  let said: string | undefined;
  for (const server of before) {
    const lines = await linesToAsk(tx, own, { server, isNamed: given.from !== undefined });
    if (lines.length === 0) continue;
    const statement = statementOf(context, order, server);
    if (!statement.ok) return statement;
    said ??= `${statement.value.by}: ${statement.value.text}`;
    from.push(server.licenseServerId);
    const earlier = await earlierThan(tx, server);
    for (const line of lines) {
      const declared = await declareIn(context, tx, declarationOf(order, { server, line, said, earlier }));
      if (!declared.ok) return declared;
      moves.push(declared.value.id);
    }
  }
  const [first] = before;
  if (first === undefined || said === undefined) {
    return err({
      code: 'nothing-to-recover',
      licenseServerId: first?.licenseServerId ?? context.licenseServerId,
    });
  }
  return ok({ from, reason: first.reason, statement: said, moves });
}

/** Those in whose place a server had come in turn: what was theirs may have come to it, and their holders with it. */
async function earlierThan(tx: ReadTx, { licenseServerId }: Before): Promise<readonly string[]> {
  const all = await listPredecessors(tx);
  const own = all.find((row) => row.licenseServerId === licenseServerId);
  return all
    .filter((row) => row !== own && (own === undefined || row.at <= own.at))
    .map((row) => row.licenseServerId);
}

function declarationOf(
  order: RecoveryOrder,
  of: {
    readonly server: Before;
    readonly line: LineRow;
    readonly said: string;
    readonly earlier: readonly string[];
  },
): Parameters<typeof declareIn>[2] {
  const { server, line, said: statement, earlier: alsoFrom } = of;
  const { agreement, product, type } = line;
  const { reason, proof, licenseServerId: from } = server;
  const lost = server.lines?.find((each) => each.agreement === agreement && each.line === line.line);
  const restored = server.lines === null ? null : (lost?.restored ?? 0);
  const recovery = { reason, restored, ...(proof === null ? {} : { proof }) };
  return { agreement, from, alsoFrom, product, type, statement, by: order.by, recovery };
}

/**
 * The lines to ask for: what the server before had of them only the clearinghouse says, whose answer stands. Who names the
 * server asks again also for those of which the answer was that there is nothing.
 */
async function linesToAsk(
  tx: ReadTx,
  own: readonly LineRow[],
  { server, isNamed }: { readonly server: Before; readonly isNamed: boolean },
): Promise<readonly LineRow[]> {
  const lines: LineRow[] = [];
  for (const line of own) {
    const place = { lineId: line.id, source: server.licenseServerId };
    const isOver = isNamed ? await isGranted(tx, place) : await isSettled(tx, place);
    if (!isOver) lines.push(line);
  }
  return lines;
}

/** Where the old key vouches for this server, it needs nobody's word besides. */
function statementOf(
  context: ServerContext,
  { statement }: RecoveryOrder,
  { proof, reason }: Before,
): Result<Statement, Refusal> {
  if (statement !== undefined) return parseStatement(statement);
  if (proof !== null) return ok({ by: context.name, text: reasonText(reason) });
  return parseStatement('');
}

export type SuccessionView = {
  readonly from: string;
  readonly cause: PredecessorRow['cause'];
  readonly reason: RecoveryReason;
  readonly at: string;
  /** The folder within the data folder that has its files. */
  readonly aside: string;
  readonly lines: PredecessorRow['lines'];
  /** Unissued CALs that were not restored; null where its database could not be read. */
  readonly unissued: number | null;
  /** What of it has not come here. */
  readonly recovered: boolean;
  /** To be read to the representative. */
  readonly say: string;
};

/** The servers in whose place this one has come, for status. */
export async function viewSuccessions(
  context: ServerContext,
  tx: ReadTx,
): Promise<readonly SuccessionView[]> {
  const own = { all: await listLines(tx), active: await activeLines(tx, undefined) };
  const views: SuccessionView[] = [];
  for (const row of await listPredecessors(tx)) {
    const { licenseServerId: from, cause, reason, at, aside, lines } = row;
    const unissued = lines?.reduce((sum, line) => sum + line.unissued, 0) ?? null;
    const { name, licenseServerId: to } = context;
    const say = sayText({ name, cause, reason, from, to, lines });
    const recovered = await isRecovered(tx, own, row);
    views.push({ from, cause, reason, at: isoTime(at), aside, lines, unissued, recovered, say });
  }
  return views;
}
