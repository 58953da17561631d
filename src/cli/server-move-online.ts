/**
 * A move by automatic connection, watched from its source until it is finished. The command may be
 * interrupted anywhere: the move is the servers' own, and the same command goes on watching it.
 */
import type { JsonObject } from '../core/json.ts';
import { secondMs } from '../core/time.ts';
import { systemClock } from '../platform/clock.ts';
import { Failure } from '../platform/failure.ts';
import { refusedBody } from '../protocol/problem.ts';
import { when } from '../protocol/problem-words.ts';
import type { ApiClient } from './client.ts';
import { pathOf } from './client.ts';
import { nextCommand } from './command-words.ts';
import type { Cli } from './main.ts';
import type { Report } from './move-report-page.ts';
import { reportSentence } from './move-report-page.ts';
import { awaitReports, shortReport } from './move-report-wait.ts';
import type { Outcome } from './outcome.ts';
import { done, Refused, silent, silentlyUnsound } from './outcome.ts';
import type { Progress } from './progress.ts';
import type { MoveView, Status } from './server-answers.ts';
import { readStatus } from './server-answers.ts';
import type { MoveOptions, MoveOrder } from './server-move-order.ts';
import { orderOf, orderWords } from './server-move-order.ts';
import type { Target } from './server-move-target.ts';
import { targetOf } from './server-move-target.ts';
import { whileReached } from './server-move-unreached.ts';
import { calsOf, serverCommand } from './server-words.ts';

/** How long one contact may be held back by the clearinghouse, milliseconds. */
export const contactWaitMs = 2 * secondMs;

/** The phases as the source sees them, in their order. */
export const phases: Readonly<Record<string, { readonly place: number; readonly text: string }>> = {
  requested: { place: 1, text: 'Asking the clearinghouse' },
  frozen: { place: 2, text: 'Frozen here; the target installs' },
  closed: { place: 3, text: 'Given up here; the move is finished' },
};
export const phaseCount = 3;

/** Only the automatic method carries a move by itself; the others are told before anything is started. */
export function checkMethod(cli: Cli, status: Status, options: MoveOptions): void {
  if (status.clearinghouseUrl === null) throw Refused.of({ code: 'no-clearinghouse-address' });
  if (status.method === 'automatic') return;
  const way = status.method === 'web' ? ['--request-out', 'REQUEST-FILE'] : ['--freeze'];
  throw new Failure(
    `The installation method of this license server is ${status.method}. Nothing was started.`,
    {
      code: 'method-differs',
      next: `To move by connection, set the method first (${serverCommand(cli, 'method', 'automatic')}). To move this way:`,
      details: {
        method: status.method,
        command: serverCommand(cli, 'move', ...orderWords({ ...options, deactivate: false }), ...way),
      },
    },
  );
}

/** Starts the move, or finds the one that is open. */
export async function startMove(
  api: ApiClient,
  options: MoveOptions,
  of: { readonly target: Target; readonly watched: boolean; readonly order?: MoveOrder },
): Promise<MoveView> {
  const { product, type, quantity, agreement } = of.order ?? orderOf(options);
  const { target, watched } = of;
  return api.call<MoveView>('POST', '/v1/admin/moves', {
    body: {
      ...{ product, type, quantity, to: target.licenseServerId },
      ...{ reason: options.reason, hold: options.hold === true, watched },
      ...(agreement === undefined ? {} : { agreement }),
      ...(target.name === undefined ? {} : { toName: target.name }),
      ...(target.url === undefined ? {} : { toUrl: target.url }),
    },
  });
}

interface Watch {
  readonly api: ApiClient;
  readonly move: MoveView;
  readonly hold: boolean;
  readonly untilMs: number;
  readonly progress: Progress;
}

/**
 * Contacts and looks until the move is over, held, or the time is up. Held means frozen, and the
 * receipt of that delivered: a contact that succeeded after the freeze.
 */
async function watch({ api, move: started, hold, untilMs, progress }: Watch): Promise<MoveView> {
  let move = started;
  for (;;) {
    const phase = phases[move.state];
    progress.update(phase?.place ?? 0, phase?.text ?? move.state);
    if (move.state === 'closed' || move.state === 'undone') return move;
    const before = move.state;
    const leftMs = untilMs - systemClock.nowMs();
    if (leftMs <= 0) return move;
    const waitMs = hold && before === 'frozen' ? 0 : Math.min(contactWaitMs, leftMs);
    await api.call('POST', '/v1/admin/contact', { body: { waitMs } });
    move = await api.call<MoveView>('GET', `/v1/admin/moves${pathOf(move.id)}`);
    if (hold && before === 'frozen' && move.state === 'frozen') return move;
  }
}

/** What is still missing, said of the source's own state. */
export function pending(cli: Cli, options: MoveOptions, move: MoveView): Refused {
  const waitingFor =
    move.state === 'frozen'
      ? 'the target: it has to fetch the CALs from the clearinghouse (it must be running, activated and connected)'
      : 'the clearinghouse';
  const hold = options.hold === true ? ['--hold'] : [];
  const command = serverCommand(cli, 'move', ...orderWords(options), ...hold);
  const next = 'Nothing is lost, and present holders go on. The same command goes on with this move:';
  return pendingWords(move, { waitingFor, next, command });
}

/** A move that waits for somebody else when the time of the command is up. */
export function pendingWords(
  { id, state, unissued, held }: MoveView,
  words: { readonly waitingFor: string; readonly next: string; readonly command: string },
): Refused {
  const { waitingFor, next, command } = words;
  const refused = refusedBody({ code: 'answer-pending', waitingFor });
  return new Refused({ ...refused, next, command, move: id, state, unissued, held });
}

export function undone(move: Pick<MoveView, 'id' | 'state' | 'refused'>): Failure {
  const why = move.refused === null ? '' : ` What was frozen could not be taken in: ${move.refused.message}`;
  return new Failure(
    `The move was undone by the clearinghouse. The CALs are in use on this license server again.${why}`,
    {
      code: 'move-undone',
      next: 'See what is here with calyx server packs, and start the move again when what was in its way is settled.',
      details: { move: move.id, state: move.state, reason: move.refused },
    },
  );
}

interface Finished {
  readonly move: MoveView;
  readonly target: Target;
  readonly status: Status;
  readonly report: Report;
}

function showFinished(cli: Cli, { move, target, status, report }: Finished): void {
  const { product, type, unissued, held } = move;
  const left = status.packs.reduce((sum, pack) => sum + pack.installed, 0);
  const fields: JsonObject = { ...move, moved: unissued + held, report: shortReport(report) };
  cli.output.print(fields, (page) => {
    page
      .title(
        `${calsOf({ count: unissued + held, product, type })} have moved to ${target.name ?? move.target}.`,
      )
      .keyValues([
        ['Unissued', unissued],
        ['With holders', `${held} (each is taken over when it next asks the target)`],
        ['Target', move.target],
        ['Left on this server', left],
      ])
      .text(reportSentence(report))
      .verbatim(nextCommand(cli.settings, 'move', 'report', move.id));
    if (left === 0) {
      page
        .next('Send the clients to the target, see that it works, then deactivate this license server:')
        .verbatim(serverCommand(cli, 'deactivate'));
    } else {
      page
        .next('Send the clients to the target. What is left here is shown by:')
        .verbatim(serverCommand(cli, 'packs'));
    }
  });
}

function heldBack(cli: Cli, options: MoveOptions, move: MoveView): Outcome {
  const { product, type, unissued, held } = move;
  return done({ ...move, moved: 0 }, (page) =>
    page
      .title(`${calsOf({ count: unissued + held, product, type })} are frozen here; the move is held.`)
      .keyValues([
        ['Unissued', unissued],
        ['With holders', held],
        ['Target', move.target],
      ])
      .text(
        'The target installs them at its next contact. Present holders go on renewing here; nobody new gets one of them here.',
      )
      .next('Try the target with a client. When it works, finish the move:')
      .verbatim(serverCommand(cli, 'move', ...orderWords(options))),
  );
}

/** The move by automatic connection. */
export async function moveOnline(cli: Cli, api: ApiClient, options: MoveOptions): Promise<Outcome> {
  const { to } = orderOf(options);
  checkMethod(cli, await readStatus(api), options);
  const target = await targetOf(cli, to);
  const started = await startMove(api, options, { target, watched: true });
  if (started.resumed) cli.output.note(resumedText(started));
  const progress = cli.progress('Moving', phaseCount);
  const untilMs = systemClock.nowMs() + options.wait * secondMs;
  const hold = options.hold === true;
  let move: MoveView;
  try {
    const act = (): Promise<MoveView> => watch({ api, move: started, hold, untilMs, progress });
    move = await whileReached(cli, api, { options, act });
  } finally {
    progress.end();
  }
  const seen = async (): Promise<unknown> => api.call('POST', `/v1/admin/moves${pathOf(move.id)}/seen`);
  if (move.state === 'undone') {
    await seen();
    throw undone(move);
  }
  if (hold && move.state === 'frozen') return heldBack(cli, options, move);
  if (move.state !== 'closed') throw pending(cli, options, move);
  // Shown before it counts as seen: cut off in between, the same command shows it again and moves nothing.
  const [report] = await awaitReports(api, [move]);
  if (report === undefined) throw new Error('A move that has ended has a report.');
  showFinished(cli, { move, target, status: await readStatus(api), report });
  await seen();
  return report.verdict === 'broken' ? silentlyUnsound : silent;
}

function resumedText({ startedAt, updatedAt, state }: MoveView): string {
  return state === 'closed'
    ? `This move was finished on ${when(updatedAt)}, before that could be shown. Nothing more is moved now.`
    : `Going on with the move that was started on ${when(startedAt)}.`;
}
