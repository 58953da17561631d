/**
 * The conservation report of a move (protocol §2.7): three statements, each opened under the key of the one
 * that signed it, and what they come to together. The same in both programs, in the command line, and for
 * anybody who was handed the file.
 */
import Type from 'typebox';
import type { Conservation, ServerWord, Side } from '../core/conservation.ts';
import { checkConservation } from '../core/conservation.ts';
import type { Digest } from '../core/digest.ts';
import type { JsonObject } from '../core/json.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { readCalyxFile, writeCalyxFile } from './calyx-file.ts';
import { closed, parserOf, Token } from './schema.ts';
import type { ClearinghouseStatement, ServerStatement } from './statement.ts';
import { isOfClearinghouse, openClearinghouseStatement, openServerStatement } from './statement.ts';
import type { RootKey, TrustList } from './trust.ts';
import { claimedRoots, openTrustList } from './trust.ts';

/** Which move a report is about. */
export type ReportSubject = Pick<
  ClearinghouseStatement,
  'move' | 'agreement' | 'line' | 'product' | 'type' | 'source' | 'target'
>;

/** The statements that there are, as tokens, by whom they are of. */
export type StatementTokens = Readonly<Record<Side, string | null>>;

export const noStatements: StatementTokens = { clearinghouse: null, source: null, target: null };

/** A statement as a report shows it. */
export interface StatementView {
  readonly side: Side;
  readonly by: string;
  readonly at: string;
  readonly log: { readonly name: string; readonly size: number; readonly root: string };
  readonly numbers: JsonObject;
  readonly token: string;
}

export interface MoveReport extends Conservation {
  readonly subject: ReportSubject;
  /** As the clearinghouse has it; null where its statement is missing. */
  readonly state: string | null;
  readonly statements: readonly StatementView[];
  /** Whose statement is not there, and is waited for. */
  readonly missing: readonly Side[];
}

/** A report and what verifies it, as a program keeps it. */
export interface ReportView {
  readonly report: MoveReport;
  readonly trustList: string;
}

/** The fields of a report, as the programs answer them and `--json` prints them. */
export function reportFields({ report, trustList }: ReportView): JsonObject {
  const { subject, findings, totals, missing, statements, ...rest } = report;
  return {
    ...subject,
    ...rest,
    findings: findings.map((finding) => ({ ...finding })),
    totals: totals === null ? null : { ...totals },
    missing: [...missing],
    statements: statements.map((statement) => ({ ...statement, log: { ...statement.log } })),
    trustList,
  };
}

interface Opened {
  readonly clearinghouse: ClearinghouseStatement | null;
  readonly source: ServerStatement | null;
  readonly target: ServerStatement | null;
}

/** A statement must be about the line of the report, and by the server that it is taken for. */
function belongs(
  subject: ReportSubject,
  claims: Pick<ServerStatement, 'agreement' | 'line'> & { readonly by: string },
): boolean {
  return claims.agreement === subject.agreement && claims.line === subject.line;
}

const foreign: Refusal = {
  code: 'message-invalid',
  problem: 'it is a statement about another move, line or license server',
};

/** Opens a token and says whose word on this move it is. Refused: `message-invalid`, `message-untrusted`. */
export function sideOfStatement(
  digest: Digest,
  token: string,
  of: { readonly subject: ReportSubject; readonly trustList: TrustList },
): Result<{ readonly side: Side; readonly claims: ServerStatement | ClearinghouseStatement }, Refusal> {
  const { subject, trustList } = of;
  if (isOfClearinghouse(token)) {
    const claims = openClearinghouseStatement(token, trustList);
    if (!claims.ok) return claims;
    const { source, target } = claims.value;
    const fits = belongs(subject, claims.value) && source === subject.source && target === subject.target;
    return fits ? ok({ side: 'clearinghouse', claims: claims.value }) : err(foreign);
  }
  const claims = openServerStatement(digest, token);
  if (!claims.ok) return claims;
  const side = (['source', 'target'] as const).find((each) => subject[each] === claims.value.by);
  return side !== undefined && belongs(subject, claims.value)
    ? ok({ side, claims: claims.value })
    : err(foreign);
}

/** Opens what there is, each under its own key. Refused as `sideOfStatement` says. */
function openAll(
  digest: Digest,
  tokens: StatementTokens,
  of: { readonly subject: ReportSubject; readonly trustList: TrustList },
): Result<Opened, Refusal> {
  const opened: Record<Side, unknown> = { ...noStatements };
  for (const side of ['clearinghouse', 'source', 'target'] as const) {
    const token = tokens[side];
    if (token === null) continue;
    const found = sideOfStatement(digest, token, of);
    if (!found.ok) return found;
    if (found.value.side !== side) return err(foreign);
    opened[side] = found.value.claims;
  }
  // Each claims object was put under the side that its own parser belongs to.
  return ok(opened as unknown as Opened);
}

/** What a server says, where it says it of this move; of another one it says the line's numbers alone. */
function wordOf(
  statement: ServerStatement | null,
  of: { readonly moves: readonly (string | null)[] },
): ServerWord | null {
  if (statement === null) return null;
  const { by, numbers, log, move, moved } = statement;
  return { licenseServerId: by, size: log.size, numbers, moved: of.moves.includes(move) ? moved : null };
}

/**
 * What the statements come to. Refused: one that is not signed by whom it should be, or is about something
 * else (`message-invalid`, `message-untrusted`): a report is not made of what nobody has said.
 */
export function makeReport(
  digest: Digest,
  tokens: StatementTokens,
  of: { readonly subject: ReportSubject; readonly trustList: TrustList },
): Result<MoveReport, Refusal> {
  const { subject } = of;
  const opened = openAll(digest, tokens, of);
  if (!opened.ok) return opened;
  const { clearinghouse, source, target } = opened.value;
  const moves = [subject.move, clearinghouse?.move ?? null];
  const checked = checkConservation(
    {
      clearinghouse,
      source: wordOf(source, { moves }),
      target: wordOf(target, { moves }),
    },
    subject,
  );
  const statements = (['clearinghouse', 'source', 'target'] as const).flatMap((side) => {
    const claims = opened.value[side];
    const token = tokens[side];
    if (claims === null || token === null) return [];
    const { by, iat, log, numbers } = claims;
    return [{ side, by, at: iat, log, numbers: numbers as unknown as JsonObject, token }];
  });
  const silent: readonly Side[] = clearinghouse?.silent ?? [];
  const missing = (['clearinghouse', 'source', 'target'] as const).filter(
    (side) => tokens[side] === null && !silent.includes(side),
  );
  return ok({ ...checked, subject, state: clearinghouse?.state ?? null, statements, missing });
}

const parseFile = parserOf(
  closed({
    calyx: Type.Literal('move-report'),
    v: Type.Literal(1),
    trustList: Token,
    statements: Type.Array(Token, { maxItems: 3 }),
  }),
);

export interface ReportFile {
  /** The publisher's trust list, by which the clearinghouse's statement is verified. */
  readonly trustList: string;
  readonly statements: readonly string[];
}

/** The text of a report file: statements and what verifies them, to be carried or handed on. */
export function writeReportFile({ trustList, statements }: ReportFile): string {
  return writeCalyxFile('move-report', { trustList, statements: [...statements] });
}

/** Reads a report file; nothing in it is verified yet. Refused: file-damaged, file-other-kind. */
export function readReportFile(text: string): Result<ReportFile, Refusal> {
  const members = readCalyxFile(text, ['move-report']);
  if (!members.ok) return members;
  const file = parseFile(members.value);
  return file.ok ? file : err({ code: 'file-damaged', problem: file.error });
}

/** Which move a clearinghouse's statement is about. */
function subjectOf(statement: ClearinghouseStatement): ReportSubject {
  const { move, agreement, line, product, type, source, target } = statement;
  return { move, agreement, line, product, type, source, target };
}

/**
 * The report of a file, for somebody who has nothing else: the clearinghouse's statement in it says which
 * move it is about. `root` is the publisher's root key as it is pinned; undefined believes the root that the
 * file names, which proves that it agrees with itself. Refused: `message-untrusted`, `message-invalid`.
 */
export function reportOfFile(
  digest: Digest,
  file: ReportFile,
  root: RootKey | undefined,
): Result<MoveReport, Refusal> {
  const roots = root === undefined ? claimedRoots(file.trustList) : [root];
  const trustList = openTrustList(digest, file.trustList, roots);
  if (!trustList.ok) return trustList;
  const own = file.statements.find(isOfClearinghouse);
  if (own === undefined) {
    return err({ code: 'message-invalid', problem: 'it has no statement of the clearinghouse' });
  }
  const statement = openClearinghouseStatement(own, trustList.value);
  if (!statement.ok) return statement;
  const of = { subject: subjectOf(statement.value), trustList: trustList.value };
  const tokens: Record<Side, string | null> = { ...noStatements };
  for (const token of file.statements) {
    const found = sideOfStatement(digest, token, of);
    if (!found.ok) return found;
    tokens[found.value.side] = token;
  }
  return makeReport(digest, tokens, of);
}
