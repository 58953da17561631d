/**
 * A move by files carried by hand: each step applies what was brought, writes what is to be carried
 * on, and says where to. The same commands on the source and on the target.
 */
import { refusedBody } from '../protocol/problem.ts';
import type { ApiClient } from './client.ts';
import { commandLine } from './command-words.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, Refused } from './outcome.ts';
import type { Page } from './page.ts';
import type { MoveView } from './server-answers.ts';
import type { AnswerFiles } from './server-files.ts';
import { answerCommand, applyAnswerFile, writeRequestFile } from './server-files.ts';
import { startMove } from './server-move-online.ts';
import type { MoveOptions } from './server-move-order.ts';
import { orderOf } from './server-move-order.ts';
import { listMoves, showMoves } from './server-move-status.ts';
import { targetOf } from './server-move-target.ts';
import { serverCommand } from './server-words.ts';

/** Who has to apply the answer to this server's next file, by where its newest move stands. */
function nextHolder(move: MoveView | undefined): keyof typeof holders {
  if (move === undefined) return 'here';
  // Its undo comes back to whoever asked; of a source that had frozen, by way of the target.
  if (move.undoing) return move.role === 'source' && move.state === 'frozen' ? 'both' : 'here';
  if (move.role === 'source') {
    if (move.state === 'frozen' || move.state === 'closed') return 'target';
    return move.state === 'requested' ? 'here' : 'nobody';
  }
  // The word that the source has given its CALs up is still to come: without it what has holders never gets free.
  if (move.state === 'final') return 'later';
  return ['provisional', 'relinquished'].includes(move.state) ? 'source' : 'nobody';
}

const holders = {
  here: 'and apply its answer here:',
  target: 'and apply its answer on the target:',
  source: 'and apply its answer on the source (and then here):',
  both: 'and apply its answer on the target, and here:',
  later:
    'and apply an answer here when the source has given its CALs up and its file was answered: that one, or the answer ' +
    'to a file of this server:',
  nobody: 'so that it knows; nothing is left to be done here.',
} as const;

/** The two commands that come now: one at the clearinghouse, one where its answer goes. */
export function showRoute(
  page: Page,
  cli: Cli,
  of: { readonly requestFile: string; readonly move: MoveView | undefined },
): void {
  const { requestFile, move } = of;
  const holder = nextHolder(move);
  const apply = ['--response', 'ANSWER-FILE', '--request-out', 'NEXT-REQUEST-FILE'];
  const command =
    holder === 'here' || holder === 'later'
      ? serverCommand(cli, 'move', ...apply)
      : commandLine(
          'calyx',
          'server',
          'move',
          '--data',
          holder === 'source' ? 'SOURCE-DIR' : 'TARGET-DIR',
          ...apply,
        );
  page
    .text(`What this server has to tell is in ${requestFile}`)
    .next(`Carry it to the clearinghouse (its web site, or the command below there), ${holders[holder]}`)
    .verbatim([answerCommand(requestFile), ...(holder === 'nobody' ? [] : [command])]);
}

/** The move that changed last; one that waits for something before those that are over. */
const newest = (moves: readonly MoveView[]): MoveView | undefined => {
  const open = moves.filter((move) => move.awaited.from !== 'nobody');
  const among = open.length > 0 ? open : moves;
  return among.toSorted((one, other) => one.updatedAt.localeCompare(other.updatedAt)).at(-1);
};

/**
 * Applies an answer, where one was brought. Refused: what the clearinghouse refused in it, after what else was
 * in it is shown.
 */
async function applyMoveFile(cli: Cli, api: ApiClient, files: AnswerFiles): Promise<Outcome> {
  const { fresh, refused, requestFile } = await applyAnswerFile(api, files);
  const moves = await listMoves(api);
  const move = newest(moves);
  const more = { applied: fresh, moves, ...(requestFile === null ? {} : { requestFile }) };
  const show = (page: Page): void => {
    page.title('The answer is applied.');
    showMoves(page, moves);
    if (requestFile !== null) {
      showRoute(page, cli, { requestFile, move });
    } else {
      page
        .next('Write what this server has to tell the clearinghouse now:')
        .verbatim(serverCommand(cli, 'move', '--request-out', 'REQUEST-FILE'));
    }
  };
  if (refused === null) return done({ ...(move ?? {}), ...more }, show);
  if (!cli.output.json) cli.output.print(more, show);
  throw new Refused({ ...refusedBody(refused), ...more });
}

/** Starts the move where a target is named, and writes the file; without one only writes the file. */
async function writeMoveFile(
  cli: Cli,
  api: ApiClient,
  options: MoveOptions & { requestOut: string },
): Promise<Outcome> {
  let move: MoveView | undefined;
  if (options.to !== undefined) {
    const target = await targetOf(cli, orderOf(options).to);
    move = await startMove(api, options, { target, watched: false });
  }
  const requestFile = await writeRequestFile(api, options.requestOut);
  move ??= newest(await listMoves(api));
  return done({ ...(move ?? {}), requestFile }, (page) => {
    if (move !== undefined) showMoves(page, [move]);
    showRoute(page, cli, { requestFile, move });
  });
}

/** The move by files: with an answer, without one, or both in one step. */
export async function moveByFile(cli: Cli, api: ApiClient, options: MoveOptions): Promise<Outcome> {
  const { response, requestOut } = options;
  if (response !== undefined) return applyMoveFile(cli, api, { response, requestOut });
  return writeMoveFile(cli, api, { ...options, requestOut: requestOut ?? '' });
}
