/**
 * `calyx server recover`: a license server that has come in the place of another asks for that one's CALs, the way it
 * reaches the clearinghouse (protocol §5.5).
 */
import type { Command } from 'commander';
import { secondMs } from '../core/time.ts';
import { systemClock } from '../platform/clock.ts';
import { refusedBody } from '../protocol/problem.ts';
import { waitSeconds } from './arguments.ts';
import type { ApiClient } from './client.ts';
import { pathOf } from './client.ts';
import { commandLine } from './command-words.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, Refused } from './outcome.ts';
import type { Page } from './page.ts';
import { withReason } from './recovery-options.ts';
import type { MoveView, Status } from './server-answers.ts';
import { readStatus } from './server-answers.ts';
import { answerCommand, writeRequestFile } from './server-files.ts';
import { serverCommand, spokenId } from './server-words.ts';

interface RecoverOptions {
  readonly from?: string;
  readonly agreement?: string;
  readonly reason?: string;
  readonly statement?: string;
  readonly requestOut?: string;
  readonly wait: number;
}

type Recovery = {
  readonly from: readonly string[];
  readonly reason: string;
  readonly statement: string;
  readonly moves: readonly MoveView[];
};

async function ask(api: ApiClient, options: RecoverOptions, by: 'message' | 'telephone'): Promise<Recovery> {
  const { from, agreement, reason, statement } = options;
  const given = Object.entries({ from, agreement, reason, statement }).filter(
    ([, value]) => value !== undefined,
  );
  return api.call<Recovery>('POST', '/v1/admin/recoveries', { body: { ...Object.fromEntries(given), by } });
}

function showMoves(page: Page, moves: readonly MoveView[]): void {
  for (const move of moves) {
    page.keyValues([
      ['CALs', `${move.product} per ${move.type}, agreement ${move.agreement}`],
      ['From', move.source],
      ['State', move.state],
      ['Waits for', move.awaited.text],
    ]);
  }
}

/** States in which nothing has been heard of the clearinghouse, or its units are on their way. */
const unsettled: readonly string[] = ['requested', 'dead-wait'];

/** Contacts until every move is settled, or waits for its horizon and nothing else comes. */
async function settle(api: ApiClient, begun: Recovery, waitSeconds: number): Promise<Recovery> {
  const untilMs = systemClock.nowMs() + waitSeconds * secondMs;
  let { moves } = begun;
  for (;;) {
    const before = moves.map(({ state }) => state);
    await api.call('POST', '/v1/admin/contact', { body: { waitMs: 0 } });
    const now: MoveView[] = [];
    for (const move of moves) now.push(await readMove(api, move));
    moves = now;
    const open = moves.filter(({ state }) => unsettled.includes(state));
    const still = moves.every(({ state }, at) => state === before[at] && state !== 'requested');
    if (open.length === 0 || still || systemClock.nowMs() >= untilMs) return { ...begun, moves };
  }
}

const elsewhere =
  'Of a line that is refused the clearinghouse has nothing. Where CALs of it are missing, another license server has ' +
  'recovered them since: name that one. The clearinghouse knows its License Server ID, and so does a folder ' +
  'before-ID-TIME if it worked here.';

/** Nothing of any line: what there was has gone on to another server, where an old folder was put back. */
function nothingThere(cli: Cli, { from }: Recovery): Refused {
  const refused = refusedBody({ code: 'nothing-to-recover', licenseServerId: from[0] ?? '' });
  const command = serverCommand(cli, 'recover', '--from', 'ITS-ID', '--statement', 'NAME: WHAT HAPPENED');
  return new Refused({ ...refused, next: elsewhere, command });
}

/** As it stands; a line of which there is nothing does not keep the others from coming. */
async function readMove(api: ApiClient, move: MoveView): Promise<MoveView> {
  try {
    return await api.call<MoveView>('GET', `/v1/admin/moves${pathOf(move.id)}`);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { code } = error.refused;
    if (code !== 'move-more-than-there-is' && code !== 'server-unknown') throw error;
    return { ...move, state: 'refused', awaited: { from: 'nobody', text: 'nobody: there is nothing of it' } };
  }
}

async function byConnection(cli: Cli, api: ApiClient, options: RecoverOptions): Promise<Outcome> {
  const settled = await settle(api, await ask(api, options, 'message'), options.wait);
  if (settled.moves.some(({ state }) => state === 'requested')) {
    throw Refused.of({ code: 'answer-pending', waitingFor: 'the clearinghouse' });
  }
  if (settled.moves.every(({ state }) => state === 'refused')) throw nothingThere(cli, settled);
  const waits = settled.moves.some(({ state }) => unsettled.includes(state));
  return done(settled, (page) => {
    page.title(waits ? 'The recovery is entered, and waits.' : 'The CALs are recovered.');
    showMoves(page, settled.moves);
    if (settled.moves.some(({ state }) => state === 'refused')) page.text(elsewhere);
    page.next('See what this server has:').verbatim(serverCommand(cli, 'status'));
  });
}

async function byFile(
  api: ApiClient,
  cli: Cli,
  of: { options: RecoverOptions; path: string },
): Promise<Outcome> {
  const begun = await ask(api, of.options, 'message');
  const requestFile = await writeRequestFile(api, of.path);
  return done({ ...begun, requestFile }, (page) =>
    page
      .title(`The request for the CALs is in ${requestFile}`)
      .next(
        'Carry it to the clearinghouse (its web site, or the command below there), and apply its answer here:',
      )
      .verbatim([answerCommand(requestFile), serverCommand(cli, 'move', '--response', 'ANSWER-FILE')]),
  );
}

/** The same at the desk. */
function deskCommand({ from, reason, statement, moves }: Recovery, status: Status): readonly string[] {
  const agreements = [...new Set(moves.map(({ agreement }) => agreement))];
  return from.flatMap((source) =>
    agreements.map((agreement) =>
      commandLine(
        ...['calyx', 'desk', 'recover', '--agreement', agreement, '--from', source],
        ...['--to', status.licenseServerId, '--reason', reason, '--statement', statement],
      ),
    ),
  );
}

async function byTelephone(api: ApiClient, cli: Cli, options: RecoverOptions): Promise<Outcome> {
  const recovery = await ask(api, options, 'telephone');
  const status = await readStatus(api);
  const say = status.successions.filter(({ from }) => recovery.from.includes(from)).map((each) => each.say);
  const commands = deskCommand(recovery, status);
  return done({ ...recovery, say, desk: commands }, (page) => {
    page.title('Nothing is sent by telephone. Read to the clearinghouse:');
    for (const text of say) page.text(text);
    page.keyValues([['Statement', recovery.statement]]);
    for (const from of recovery.from) page.code('The old License Server ID:', spokenId(from));
    page.code('The new License Server ID:', spokenId(status.licenseServerId));
    page.next('At the desk, and then here, each CAL Key Pack ID that is read out:');
    page.verbatim([...commands, serverCommand(cli, 'install', '--code', 'CODE')]);
  });
}

async function recover(cli: Cli, api: ApiClient, options: RecoverOptions): Promise<Outcome> {
  if (options.requestOut !== undefined) return byFile(api, cli, { options, path: options.requestOut });
  const { method } = await readStatus(api);
  if (method === 'telephone') return byTelephone(api, cli, options);
  return byConnection(cli, api, options);
}

export function register(group: Command, cli: Cli): void {
  const command = group
    .command('recover')
    .summary('brings back the CALs of the license server that this one has come in the place of')
    .description(
      'After the operating system was replaced or the database was lost: asks the clearinghouse for the CALs of the ' +
        'license server before, by the installation method in force. They come at once, once in 12 months for an ' +
        'agreement unless the publisher says otherwise; else when a second person at the clearinghouse agrees, or when ' +
        'the horizon of the server before has passed.',
    )
    .option(
      '--from <code>',
      'License Server ID of the server before (default: the one that this server knows)',
    )
    .option('--agreement <number>', 'only the CALs of this agreement');
  withReason(command, 'why (default: as it was rebuilt for, or redeployed)')
    .option('--statement <text>', '"NAME: what happened"; needed unless the old key still vouches')
    .option('--request-out <file>', 'writes the request into a file, to be carried to the clearinghouse')
    .option('--wait <seconds>', 'how long to wait for the clearinghouse', waitSeconds, 120)
    .action(
      cli.run(async (options: RecoverOptions) => cli.withApi('server', (api) => recover(cli, api, options))),
    );
}
