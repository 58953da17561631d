/**
 * `calyx server move --all`: every key pack of a license server to another one, a move for each, and its
 * deactivation in the end. What was begun is gone on with: the moves are the servers' own, and a key pack
 * that has moved is not here any more.
 */
import { quantityAtOnce } from '../core/split.ts';
import { secondMs } from '../core/time.ts';
import { systemClock } from '../platform/clock.ts';
import type { ApiClient } from './client.ts';
import { pathOf } from './client.ts';
import type { Cli } from './main.ts';
import type { Report } from './move-report-page.ts';
import { reportSentence } from './move-report-page.ts';
import { awaitReports, shortReport } from './move-report-wait.ts';
import type { Outcome } from './outcome.ts';
import { done, Refused, unsound } from './outcome.ts';
import type { Page } from './page.ts';
import type { Progress } from './progress.ts';
import type { MoveView, Pack, Status, ToldCode } from './server-answers.ts';
import { readStatus } from './server-answers.ts';
import { deactivateByContact } from './server-deactivate.ts';
import { writeRequestFile } from './server-files.ts';
import { showRoute } from './server-move-files.ts';
import {
  checkMethod,
  contactWaitMs,
  pending,
  phaseCount,
  phases,
  startMove,
  undone,
} from './server-move-online.ts';
import type { MoveOptions } from './server-move-order.ts';
import { allOrderOf } from './server-move-order.ts';
import { listMoves, showMoves } from './server-move-status.ts';
import type { Target } from './server-move-target.ts';
import { targetOf } from './server-move-target.ts';
import { whileReached } from './server-move-unreached.ts';
import { showTold } from './server-told.ts';
import { calsOf, otherServerCommand, serverCommand } from './server-words.ts';

const underWay: readonly string[] = ['requested', 'frozen'];

/** The key packs with something on them that is not frozen, under the agreement that was named. */
export function packsToMove(status: Status, { agreement }: MoveOptions): readonly Pack[] {
  return status.packs.filter(
    (pack) => pack.installed > pack.held && (agreement === undefined || pack.agreement === agreement),
  );
}

/** How much of a key pack goes with one move: all of it, unless that is more than a move brings. */
export function quantityOf({ unissued, issued, reserved, quarantined }: Pack): number | 'all' {
  return quantityAtOnce({ unissued, held: issued + reserved + quarantined });
}

/** What is said of key packs of which more is to follow; nothing where there are none. */
export function followingText(
  orders: readonly { readonly product: string; readonly type: string; readonly quantity: number | 'all' }[],
): string | null {
  const [first] = orders.filter(({ quantity }) => quantity !== 'all');
  if (first === undefined) return null;
  const { product, type, quantity } = first;
  return `${quantity} of ${product} per ${type} go with this move, and the others by further moves when it is done.`;
}

/**
 * The open moves out of this server. One that goes elsewhere or another way has to end first: `move-open`; a
 * move by message that has frozen nothing yet goes on by telephone.
 */
async function openMoves(
  api: ApiClient,
  of: { readonly options: MoveOptions; readonly target: Target; readonly carrier: MoveView['carrier'] },
): Promise<readonly MoveView[]> {
  const { agreement } = of.options;
  const open = (await listMoves(api)).filter(
    (move) =>
      move.role === 'source' &&
      underWay.includes(move.state) &&
      (agreement === undefined || move.agreement === agreement),
  );
  const fits = ({ target, carrier, state }: MoveView): boolean =>
    target === of.target.licenseServerId &&
    (carrier === of.carrier || (of.carrier === 'telephone' && state === 'requested'));
  const other = open.find((move) => !fits(move));
  if (other !== undefined) throw Refused.of({ code: 'move-open', move: other.id, state: other.state });
  return open;
}

const sameLine = (one: Pack, other: MoveView): boolean =>
  one.agreement === other.agreement && one.product === other.product && one.type === other.type;

/** A move for each key pack that has none, and the open ones; none is held any more unless that is wanted. */
async function startAll(api: ApiClient, options: MoveOptions, target: Target): Promise<readonly MoveView[]> {
  const open = await openMoves(api, { options, target, carrier: 'online' });
  const moves: MoveView[] = [];
  for (const move of open) {
    const { agreement, product, type, quantity } = move;
    const order = { to: target.licenseServerId, agreement, product, type, quantity };
    moves.push(await startMove(api, options, { target, watched: false, order }));
  }
  for (const pack of packsToMove(await readStatus(api), options)) {
    if (open.some((move) => sameLine(pack, move))) continue;
    const { agreement, product, type } = pack;
    const order = { to: target.licenseServerId, agreement, product, type, quantity: quantityOf(pack) };
    moves.push(await startMove(api, options, { target, watched: false, order }));
  }
  return moves;
}

interface Watching {
  readonly options: MoveOptions;
  readonly untilMs: number;
  readonly progress: Progress;
}

/** Whether nothing of a move is left to be done by this command. */
function isEnded(move: MoveView, { hold }: MoveOptions): boolean {
  return !underWay.includes(move.state) || (hold === true && move.state === 'frozen');
}

/** Contacts and looks until all of them have ended, or the time is up; answers how they stand. */
async function watchAll(
  api: ApiClient,
  started: readonly MoveView[],
  { options, untilMs, progress }: Watching,
): Promise<readonly MoveView[]> {
  let moves = started;
  for (;;) {
    const waiting = moves.find((move) => !isEnded(move, options));
    const place = moves.reduce((sum, move) => sum + (phases[move.state]?.place ?? phaseCount), 0);
    const label = waiting ?? moves.at(-1);
    progress.update(
      place / Math.max(1, moves.length),
      label === undefined ? 'Moving' : `${label.product} per ${label.type}`,
    );
    const leftMs = untilMs - systemClock.nowMs();
    if (waiting === undefined || leftMs <= 0) break;
    await api.call('POST', '/v1/admin/contact', { body: { waitMs: Math.min(contactWaitMs, leftMs) } });
    const seen: MoveView[] = [];
    for (const move of moves) {
      seen.push(await api.call<MoveView>('GET', `/v1/admin/moves${pathOf(move.id)}`));
    }
    moves = seen;
  }
  // The receipts of what was frozen last leave with one more contact.
  if (options.hold === true) await api.call('POST', '/v1/admin/contact', { body: { waitMs: 0 } });
  return moves;
}

/** Moves until nothing is left to be moved; a key pack that comes meanwhile is moved as well. */
async function moveEverything(
  api: ApiClient,
  of: Watching & { readonly target: Target; readonly cli: Cli },
): Promise<readonly MoveView[]> {
  const { options, target, cli } = of;
  const all: MoveView[] = [];
  for (;;) {
    const started = await startAll(api, options, target);
    if (started.length === 0) return all;
    const moves = await watchAll(api, started, of);
    const late = moves.find((move) => !isEnded(move, options));
    if (late !== undefined) throw pending(cli, options, late);
    const gone = moves.find((move) => move.state === 'undone');
    if (gone !== undefined) throw undone(gone);
    all.push(...moves);
    if (options.hold === true) return all;
  }
}

function showMoved(
  cli: Cli,
  of: {
    readonly moves: readonly MoveView[];
    readonly target: Target;
    readonly options: MoveOptions;
    readonly reports: readonly Report[];
  },
): Outcome {
  const { moves, target, options, reports } = of;
  const held = options.hold === true;
  const moved = held ? 0 : sumOf(moves);
  const fields = { moves, moved, target: target.licenseServerId, reports: reports.map(shortReport) };
  return endOf(reports)({ ...fields, activation: 'activated' }, (page) => {
    page.title(
      held
        ? `${moves.length} moves are held: their CALs are frozen here, and can be tried on ${target.name ?? target.licenseServerId}.`
        : `${moved} CALs have moved to ${target.name ?? target.licenseServerId}.`,
    );
    showMoves(page, moves);
    showReports(page, reports);
    if (held) {
      const { hold: _, ...finish } = options;
      page.next('When the target works, finish the moves:').verbatim(commandOf(cli, finish));
    } else {
      page
        .next('Send the clients to the target, see that it works, then deactivate this license server:')
        .verbatim(serverCommand(cli, 'deactivate'));
    }
  });
}

const sumOf = (moves: readonly MoveView[]): number =>
  moves.reduce((sum, move) => sum + move.unissued + move.held, 0);

function commandOf(cli: Cli, { to, agreement }: MoveOptions): string {
  const named = agreement === undefined ? [] : ['--agreement', agreement];
  return serverCommand(cli, 'move', '--to', to ?? 'ID', ...named, '--all');
}

/** All by automatic connection, and the deactivation where it is wanted. */
async function allOnline(cli: Cli, api: ApiClient, options: MoveOptions): Promise<Outcome> {
  const { to } = allOrderOf(options);
  const status = await readStatus(api);
  checkMethod(cli, status, options);
  const target = await targetOf(cli, to);
  let moves: readonly MoveView[] = [];
  if (status.activation !== 'deactivated') {
    const progress = cli.progress('Moving', phaseCount);
    const untilMs = systemClock.nowMs() + options.wait * secondMs;
    try {
      const act = (): Promise<readonly MoveView[]> =>
        moveEverything(api, { cli, options, target, untilMs, progress });
      moves = await whileReached(cli, api, { options, act });
    } finally {
      progress.end();
    }
  }
  // Before the deactivation: a server that is closed hears nothing any more.
  const reports = await awaitReports(
    api,
    moves.filter(({ state }) => state === 'closed'),
  );
  if (options.deactivate !== true) {
    if (moves.length === 0) throw Refused.of({ code: 'move-more-than-there-is', asked: 0, available: 0 });
    return showMoved(cli, { moves, target, options, reports });
  }
  const closed = await deactivateByContact(cli, api, {});
  if (closed.kind === 'silent') return closed;
  const moved = { moves, moved: sumOf(moves), target: target.licenseServerId };
  const fields = { ...closed.fields, ...moved, reports: reports.map(shortReport) };
  return endOf(reports)(fields, (page) => {
    page.title(`${sumOf(moves)} CALs have moved to ${target.name ?? target.licenseServerId}.`);
    if (moves.length > 0) showMoves(page, moves);
    showReports(page, reports);
    closed.show(page);
  });
}

/** Done, and exit 4 where the books of any of the moves do not fit. */
const endOf = (reports: readonly Report[]): typeof done =>
  reports.some(({ verdict }) => verdict === 'broken') ? unsound : done;

function showReports(page: Page, reports: readonly Report[]): void {
  for (const report of reports) page.text(reportSentence(report));
}

/** All by files: one request file holds the orders of every key pack. */
async function allByFile(
  cli: Cli,
  api: ApiClient,
  options: MoveOptions & { readonly requestOut: string },
): Promise<Outcome> {
  const target = await targetOf(cli, allOrderOf(options).to);
  const moves = await startAll(api, options, target);
  if (moves.length === 0) throw Refused.of({ code: 'move-more-than-there-is', asked: 0, available: 0 });
  const requestFile = await writeRequestFile(api, options.requestOut);
  const following = followingText(moves);
  return done({ moves, requestFile, target: target.licenseServerId }, (page) => {
    showMoves(page, moves);
    if (following !== null) page.text(`${following} Give this command again then.`);
    showRoute(page, cli, { requestFile, move: moves[0] });
  });
}

type Frozen = ToldCode & { readonly product: string; readonly type: string };

/** All by telephone: freezes each key pack, and shows the code of each; asked again, the same codes. */
async function allFrozen(cli: Cli, api: ApiClient, options: MoveOptions): Promise<Outcome> {
  const target = await targetOf(cli, allOrderOf(options).to);
  const open = await openMoves(api, { options, target, carrier: 'telephone' });
  const status = await readStatus(api);
  const packs = packsToMove(status, options).filter((pack) => !open.some((move) => sameLine(pack, move)));
  const orders = [...open, ...packs.map((pack) => ({ ...pack, quantity: quantityOf(pack) }))];
  if (orders.length === 0) throw Refused.of({ code: 'move-more-than-there-is', asked: 0, available: 0 });
  const codes: Frozen[] = [];
  for (const { agreement, product, type, quantity } of orders) {
    const toUrl = target.url === undefined ? {} : { toUrl: target.url };
    const body = { agreement, product, type, quantity, to: target.licenseServerId, ...toUrl };
    codes.push(await api.call<Frozen>('POST', '/v1/admin/telephone/freeze', { body }));
  }
  const sum = (pick: 'unissued' | 'held'): number => codes.reduce((total, code) => total + code[pick], 0);
  const fields = { codes, unissued: sum('unissued'), held: sum('held'), target: target.licenseServerId };
  const following = followingText(orders);
  return done(fields, (page) => {
    page.title(
      `The CALs of ${codes.length === 1 ? '1 key pack' : `${codes.length} key packs`} are frozen for the move.`,
    );
    page.text('Present holders go on renewing here; nobody new gets one of them here.');
    page.text('Read both License Server IDs to the clearinghouse, then the codes in this order:');
    page.keyValues([
      ['From (this server)', status.licenseServerId],
      ['To', target.licenseServerId],
    ]);
    for (const told of codes) {
      page.text(calsOf({ ...told, count: told.unissued + told.held }));
      showTold(page, told);
    }
    if (following !== null) page.text(`${following} Give this command again then.`);
    const typed =
      'Type each CAL Key Pack ID that you are given (it begins with 6 or 7) on the new license server, and try it there. Then ';
    const install = otherServerCommand('install', '--code', 'CODE');
    if (following === null) {
      page.next(`${typed}deactivate this one, which gives all of them up:`);
      page.verbatim([install, serverCommand(cli, 'deactivate', '--code-out')]);
    } else {
      page.next(`${typed}give them up here, product by product:`);
      page.verbatim([install, serverCommand(cli, 'move', '--release', '--product', 'P', '--type', 'T')]);
    }
  });
}

/** Every key pack: by connection, by file or by telephone. */
export async function moveAll(cli: Cli, api: ApiClient, options: MoveOptions): Promise<Outcome> {
  const { requestOut } = options;
  if (options.freeze === true) return allFrozen(cli, api, options);
  if (requestOut !== undefined) return allByFile(cli, api, { ...options, requestOut });
  return allOnline(cli, api, options);
}
