/**
 * `calyx server move --undo`: brings the CALs of an open move back to its source, from either end. The
 * clearinghouse decides; after the grant the target has to give back first.
 */
import { secondMs } from '../core/time.ts';
import { systemClock } from '../platform/clock.ts';
import type { ApiClient } from './client.ts';
import { pathOf } from './client.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, Refused, WrongUsage } from './outcome.ts';
import type { MoveView } from './server-answers.ts';
import { readStatus } from './server-answers.ts';
import { fileMissing, writeRequestFile } from './server-files.ts';
import { showRoute } from './server-move-files.ts';
import { contactWaitMs, pendingWords } from './server-move-online.ts';
import type { MoveOptions } from './server-move-order.ts';
import { listMoves } from './server-move-status.ts';
import { whileReached } from './server-move-unreached.ts';
import { calsOf, serverCommand } from './server-words.ts';

const open: readonly string[] = ['requested', 'frozen', 'provisional', 'dead-wait'];
const over: readonly string[] = ['undone', 'relinquished', 'refused'];

/** The move that is meant: the one that is named, else the only open one, else the last one there was. */
async function moveMeant(api: ApiClient, options: MoveOptions): Promise<MoveView> {
  const { undo, product, type, agreement } = options;
  const moves = (await listMoves(api)).filter((move) => {
    if (typeof undo === 'string') return move.id === undo;
    const other = (wanted: string | undefined, has: string): boolean =>
      wanted !== undefined && wanted !== has;
    return !(other(product, move.product) || other(type, move.type) || other(agreement, move.agreement));
  });
  const [first, second] = moves.filter((move) => open.includes(move.state));
  if (second !== undefined) {
    throw new WrongUsage(
      'More than one move is open here: say which, with --undo and its id (calyx server move --status).',
    );
  }
  const meant = first ?? moves.at(-1);
  if (meant !== undefined) return meant;
  if (typeof undo === 'string') throw Refused.of({ code: 'move-unknown', move: undo });
  throw new WrongUsage('This license server knows of no such move (calyx server move --status).');
}

function undoWords(move: MoveView): readonly string[] {
  return ['--undo', move.id];
}

async function askUndo(api: ApiClient, move: MoveView): Promise<MoveView> {
  return api.call<MoveView>('POST', `/v1/admin/moves${pathOf(move.id)}/undo`);
}

/** Contacts until the move is undone here, or the time is up; a refusal of the clearinghouse ends it. */
async function watch(cli: Cli, api: ApiClient, of: { move: MoveView; waitMs: number }): Promise<MoveView> {
  const untilMs = systemClock.nowMs() + of.waitMs;
  const progress = cli.progress('Undoing', 2);
  try {
    for (;;) {
      const move = await askUndo(api, of.move);
      progress.update(open.includes(move.state) ? 1 : 2, 'Asking the clearinghouse');
      const leftMs = untilMs - systemClock.nowMs();
      if (over.includes(move.state) || leftMs <= 0) return move;
      await api.call('POST', '/v1/admin/contact', { body: { waitMs: Math.min(contactWaitMs, leftMs) } });
    }
  } finally {
    progress.end();
  }
}

/** What has become of the CALs. */
function undoneText(move: MoveView): string {
  const { role, unissued, held, source } = move;
  const count = unissued + held;
  if (role === 'source') {
    if (count === 0) return 'Nothing was frozen yet: this license server has all that it had.';
    return `${calsOf({ ...move, count })} are in use here again. Those to whom the target has given one meanwhile find it here.`;
  }
  if (count > 0)
    return `${calsOf({ ...move, count })} were given back. Their holders are told to ask ${source}.`;
  return `Nothing had come here: the CALs stay with ${source}. Gap licenses that were given meanwhile run to their ends.`;
}

function showUndone(cli: Cli, move: MoveView): Outcome {
  return done({ ...move }, (page) => {
    page.title('The move is undone.').text(undoneText(move));
    if (move.role === 'target' && move.carrier === 'telephone') {
      page.text(
        'Nothing is sent by telephone: have the desk take back what was read to it (calyx desk cancel).',
      );
    }
    if (move.undoing) page.text('The clearinghouse hears of it at the next contact, or by file.');
    page.next('What is here now is shown by:').verbatim(serverCommand(cli, 'packs'));
  });
}

async function byFile(
  cli: Cli,
  api: ApiClient,
  of: { move: MoveView; requestOut: string },
): Promise<Outcome> {
  const requestFile = await writeRequestFile(api, of.requestOut);
  return done({ ...of.move, requestFile }, (page) => {
    const gone = over.includes(of.move.state);
    page
      .title(gone ? 'The move is undone.' : 'The undoing of the move is asked for.')
      .text(of.move.awaited.text);
    showRoute(page, cli, { requestFile, move: of.move });
  });
}

/** Whether a move can be undone here whoever is reached: nothing is frozen for it (protocol §2.2). */
const isOwn = ({ role, state }: MoveView): boolean =>
  (role === 'source' && state === 'requested') || over.includes(state);

/** Asks for it, and waits for the end of it where a connection carries it. */
export async function undoMove(cli: Cli, api: ApiClient, options: MoveOptions): Promise<Outcome> {
  const meant = await moveMeant(api, options);
  const { requestOut } = options;
  // A server that works by files is told so before it asks for anything.
  const { method, clearinghouseUrl } = await readStatus(api);
  if (requestOut === undefined && meant.carrier === 'online' && !isOwn(meant)) {
    if (method === 'web') throw fileMissing();
    if (clearinghouseUrl === null) throw Refused.of({ code: 'no-clearinghouse-address' });
  }
  const asked = await askUndo(api, meant);
  // What is over here may still have to be told.
  if (requestOut !== undefined && (asked.undoing || !over.includes(asked.state))) {
    return byFile(cli, api, { move: asked, requestOut });
  }
  if (over.includes(asked.state)) return showUndone(cli, asked);
  const act = (): Promise<MoveView> => watch(cli, api, { move: asked, waitMs: options.wait * secondMs });
  const move = await whileReached(cli, api, { options, act });
  if (over.includes(move.state)) return showUndone(cli, move);
  throw pendingWords(move, {
    waitingFor:
      move.awaited.from === 'clearinghouse'
        ? 'the clearinghouse'
        : 'the target: it has to give back what it installed (it must be running and connected)',
    next: 'Nothing is lost, and present holders go on. The same command goes on with it:',
    command: serverCommand(cli, 'move', ...undoWords(move)),
  });
}
