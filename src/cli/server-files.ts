/**
 * The web-browser method on the command line: what waits for the clearinghouse goes into a request
 * file, and what it answered comes back in an answer file.
 */
import type { Refusal } from '../core/refusal.ts';
import { refusedBody } from '../protocol/problem.ts';
import type { ApiClient } from './client.ts';
import { commandLine } from './command-words.ts';
import { readTextFile, writeOutFile } from './local-files.ts';
import type { Cli } from './main.ts';
import { Refused, WrongUsage } from './outcome.ts';
import type { Page } from './page.ts';
import type { Applied, AppliedResult } from './server-answers.ts';

/** A file is no secret: its messages are signed, and say nothing but numbers. */
const fileModeOctal = 0o644;

/** Writes everything that waits for the clearinghouse into a file; answers its full path. */
export async function writeRequestFile(api: ApiClient, path: string): Promise<string> {
  const { file } = await api.call<{ file: string }>('POST', '/v1/admin/request-file', { body: {} });
  return writeOutFile(path, file, fileModeOctal);
}

/** The web method does nothing by itself: a command that names neither code nor file is wrong usage. */
export function fileMissing(): WrongUsage {
  return new WrongUsage('The installation method is web: name the file to carry with --request-out FILE.');
}

export interface AnswerFiles {
  /** The answer that was brought back. */
  readonly response: string;
  /** Where the receipt is written, if anywhere. */
  readonly requestOut: string | undefined;
}

export interface AppliedFile {
  /** What was new in it, the welcome that every file begins with left out. */
  readonly fresh: readonly AppliedResult[];
  /** What the clearinghouse refused, where it did and other messages were in the file as well. */
  readonly refused: Refusal | null;
  /** The receipt, where one was asked for. */
  readonly requestFile: string | null;
}

/**
 * Applies an answer file, and writes the receipt where one is asked for, also for a file that was
 * applied before. Refused: what the server refuses, and what the clearinghouse refused in the file where there
 * is nothing else in it.
 */
export async function applyAnswerFile(api: ApiClient, files: AnswerFiles): Promise<AppliedFile> {
  const file = readTextFile(files.response);
  const receipt = async (): Promise<string | null> =>
    files.requestOut === undefined ? null : writeRequestFile(api, files.requestOut);
  let applied: Applied;
  try {
    applied = await api.call<Applied>('POST', '/v1/admin/answer-file', { body: { file } });
  } catch (error) {
    if (!(error instanceof Refused) || error.refused.code !== 'already-applied') throw error;
    const requestFile = await receipt();
    if (requestFile === null) throw error;
    const next = `Its receipt was written again: ${requestFile}. Carry it to the clearinghouse.`;
    throw new Refused({ ...error.refused, next, requestFile }, { cause: error });
  }
  const fresh = applied.results.filter((result) => !result.again && result.message !== 'welcome');
  const requestFile = await receipt();
  const good = fresh.filter((result) => result.message !== 'refused');
  const [no] = fresh.filter((result) => result.message === 'refused');
  // What the clearinghouse refused is said in the words that the server would have used.
  const refused = no === undefined ? null : (no['refused'] as unknown as Refusal);
  if (good.length === 0 && refused !== null) throw Refused.of(refused);
  return { fresh, refused, requestFile };
}

/** A refusal that came beside other messages is told beside what they did. */
export function noteRefused(cli: Cli, refused: Refusal | null): void {
  if (refused === null) return;
  const { message, next } = refusedBody(refused);
  cli.output.note(`The clearinghouse has refused something that was asked before: ${message} ${next}`);
}

/** The command at the clearinghouse that answers a request file. */
export function answerCommand(requestFile: string): string {
  const places = ['--out', 'ANSWER-FILE', '--data', 'CLEARINGHOUSE-DIR'];
  return commandLine('calyx', 'clearinghouse', 'answer', requestFile, ...places);
}

/** What to do with a request file: the same for everything that is asked for by file. */
export function showCarrying(
  page: Page,
  of: { readonly requestFile: string; readonly commands: readonly string[]; readonly purpose: string },
): void {
  page
    .text(`${of.purpose} is in ${of.requestFile}`)
    .next(
      'Carry the file to the clearinghouse (its web site, or the command below there), bring the answer back, ' +
        'and apply it here:',
    )
    .verbatim([answerCommand(of.requestFile), ...of.commands]);
}
