/**
 * `calyx server move --reason dead` on the target: the source no longer functions. It is declared by a signed
 * message (over the network or in a file), or read to the desk; then its CALs wait for its horizon.
 */
import { secondMs } from '../core/time.ts';
import { systemClock } from '../platform/clock.ts';
import type { ApiClient } from './client.ts';
import { pathOf } from './client.ts';
import { commandLine } from './command-words.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, Refused, WrongUsage } from './outcome.ts';
import type { Page } from './page.ts';
import type { MoveView } from './server-answers.ts';
import { readStatus } from './server-answers.ts';
import { answerCommand, writeRequestFile } from './server-files.ts';
import type { MoveOptions } from './server-move-order.ts';
import { lineOf } from './server-move-order.ts';
import type { Sources } from './server-typed-code.ts';
import { sourcesOf } from './server-typed-code.ts';
import { serverCommand } from './server-words.ts';

/** The source, and which of its CALs are to come here. */
export interface DeadLine extends Sources {
  readonly agreement: string | undefined;
  readonly product: string;
  readonly type: string;
}

interface DeadOrder extends DeadLine {
  readonly statement: string;
}

/** Source and CALs; what is missing is said before a server is asked. */
export function deadLineOf(options: MoveOptions): DeadLine {
  const { from, agreement, quantity, to } = options;
  if (to !== undefined || from === undefined) {
    throw new WrongUsage(
      'A source that no longer functions is named with --from, by its License Server ID, on the server that takes its place.',
    );
  }
  const line = lineOf(options);
  if (quantity !== 'all') {
    throw new WrongUsage('It cannot keep a part: --quantity all.');
  }
  return { ...sourcesOf(from), agreement, ...line };
}

/** The same with the statement, which may be missing in a rehearsal alone. */
export function deadOrderOf(options: MoveOptions): DeadOrder {
  const line = deadLineOf(options);
  const { statement } = options;
  if (statement !== undefined) return { ...line, statement };
  throw new WrongUsage('Say who declares it and what happened: --statement "NAME: what happened".');
}

/** What a person puts a name to, before anything is signed. */
function question({ from, product, type, statement }: DeadOrder): string {
  return (
    `License server ${from} no longer functions and will not be used again (${statement}). All its CALs for ${product} ` +
    `per ${type} are to come here when its horizon has passed. Declare this?`
  );
}

async function declare(api: ApiClient, order: DeadOrder, by: 'message' | 'telephone'): Promise<MoveView> {
  const { agreement, ...fields } = order;
  const body = { ...fields, by, ...(agreement === undefined ? {} : { agreement }) };
  return api.call<MoveView>('POST', '/v1/admin/dead-sources', { body });
}

/** How it stands, and what comes of it by itself. */
function showWaiting(page: Page, move: MoveView): void {
  page
    .title(`License server ${move.source} is declared to function no longer.`)
    .keyValues([
      ['Move', move.id],
      ['CALs', `all of ${move.product} per ${move.type}`],
      ['State', move.state],
      ['Waits for', move.awaited.text],
    ])
    .text('Whoever shows a license of it here is given a gap license meanwhile, once, for 90 days.');
}

/** Contacts until the clearinghouse has answered, or the time is up. */
async function settle(api: ApiClient, started: MoveView, waitSeconds: number): Promise<MoveView> {
  const untilMs = systemClock.nowMs() + waitSeconds * secondMs;
  let move = started;
  while (move.state === 'requested' && systemClock.nowMs() < untilMs) {
    await api.call('POST', '/v1/admin/contact', { body: { waitMs: 0 } });
    move = await api.call<MoveView>('GET', `/v1/admin/moves${pathOf(move.id)}`);
  }
  return move;
}

async function byConnection(
  cli: Cli,
  api: ApiClient,
  of: { readonly order: DeadOrder; readonly waitSeconds: number },
): Promise<Outcome> {
  const move = await settle(api, await declare(api, of.order, 'message'), of.waitSeconds);
  if (move.state === 'requested') {
    throw Refused.of({ code: 'answer-pending', waitingFor: 'the clearinghouse' });
  }
  return done(move, (page) => {
    showWaiting(page, move);
    page.next('See how it stands:').verbatim(serverCommand(cli, 'move', '--status'));
  });
}

async function byFile(
  cli: Cli,
  api: ApiClient,
  of: { readonly order: DeadOrder; readonly path: string },
): Promise<Outcome> {
  const move = await declare(api, of.order, 'message');
  const requestFile = await writeRequestFile(api, of.path);
  return done({ ...move, requestFile }, (page) =>
    page
      .title(`The declaration is in ${requestFile}`)
      .next(
        'Carry it to the clearinghouse (its web site, or the command below there), and apply its answer here:',
      )
      .verbatim([answerCommand(requestFile), serverCommand(cli, 'move', '--response', 'ANSWER-FILE')]),
  );
}

/** The same at the desk, as options of `calyx desk move`. */
export function deskWords(
  { agreement, from, to, product, type }: DeadLine & { readonly agreement: string; readonly to: string },
  statement: string | undefined,
): readonly string[] {
  return [
    ...['--agreement', agreement, '--from', from, '--to', to, '--product', product],
    ...['--type', type, '--quantity', 'all', '--reason', 'dead'],
    ...(statement === undefined ? [] : ['--statement', statement]),
  ];
}

async function byTelephone(api: ApiClient, order: DeadOrder): Promise<Outcome> {
  const move = await declare(api, order, 'telephone');
  const { licenseServerId: to, agreements } = await readStatus(api);
  const agreement = order.agreement ?? agreements[0]?.agreement ?? 'NUMBER';
  const { from, statement } = order;
  const words = deskWords({ ...order, agreement, to }, statement);
  return done(move, (page) => {
    showWaiting(page, move);
    page
      .text('Nothing is sent by telephone. Read to the clearinghouse:')
      .keyValues([
        ['From (the dead server)', from],
        ['To (this server)', to],
        ['Agreement', agreement],
        ['Statement', statement],
      ])
      .next('At the desk:')
      .verbatim([commandLine('calyx', 'desk', 'move', ...words)]);
  });
}

/** Declares it, the way this server reaches the clearinghouse. */
export async function moveFromDead(cli: Cli, api: ApiClient, options: MoveOptions): Promise<Outcome> {
  const order = deadOrderOf(options);
  if (!(await cli.confirm(question(order)))) {
    return done({ declared: false }, (page) => page.title('Nothing was declared.'));
  }
  if (options.requestOut !== undefined) return byFile(cli, api, { order, path: options.requestOut });
  const { method } = await readStatus(api);
  if (method === 'telephone') return byTelephone(api, order);
  return byConnection(cli, api, { order, waitSeconds: options.wait });
}
