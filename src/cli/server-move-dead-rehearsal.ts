/**
 * `calyx server move --reason dead … --dry-run` on the target: the declaration played on the real books here and
 * at the clearinghouse, to the day on which the CALs are everybody's, and undone.
 */
import type { JsonObject } from '../core/json.ts';
import { version } from '../platform/version.ts';
import { cals } from '../protocol/problem-words.ts';
import type { ApiClient } from './client.ts';
import { commandLine } from './command-words.ts';
import { aliveText, holdersText, outlookRows, statementRow } from './dead-rehearsal-page.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done } from './outcome.ts';
import type { Cell, Page } from './page.ts';
import type { ClearinghouseSide, Counts, Way } from './rehearsal-page.ts';
import {
  checkRefused,
  clearinghouseRow,
  comparedRows,
  showAsks,
  showBooks,
  showCounts,
  wayOf,
} from './rehearsal-page.ts';
import { readStatus } from './server-answers.ts';
import { deadLineOf, deskWords } from './server-move-dead.ts';
import type { MoveOptions } from './server-move-order.ts';
import type { KnownAddress, Reach } from './server-move-target.ts';
import { reach } from './server-move-target.ts';

type Rehearsal = JsonObject & {
  readonly agreement: string;
  readonly product: string;
  readonly type: string;
  readonly source: string;
  readonly statement: { readonly by: string; readonly text: string } | null;
  readonly resumes: { readonly id: string; readonly state: string } | null;
  readonly holders: { readonly waiting: number; readonly takenOver: number };
  readonly target: {
    readonly licenseServerId: string;
    readonly horizon: string | null;
    readonly before: Counts;
    readonly granted: Counts | null;
    readonly early: Counts | null;
  };
  readonly clearinghouse: ClearinghouseSide;
};

/** What the administrator will be asked, and has to carry, read out or type. */
function asksOf(way: Way, { resumes, source, agreement, statement }: Rehearsal): readonly string[] {
  const say =
    statement === null ? 'Say who declares it and what happened (--statement), and answer' : 'Answer';
  const declared = resumes === null ? [`${say} that license server ${source} will not be used again.`] : [];
  if (way === 'connection') return declared;
  if (way === 'file') {
    return [
      ...declared,
      'Carry the request file to the clearinghouse and its answer back here: the CALs wait from then on.',
      'When the horizon has passed, carry a request file there and its answer here: the CALs are here.',
      'Carry the last request file from here to the clearinghouse, so that it knows.',
    ];
  }
  return [
    ...declared,
    ...(resumes === null
      ? [`Read both License Server IDs, agreement number ${agreement} and the statement to the desk.`]
      : []),
    'When the horizon has passed, ask the desk for the key pack (calyx desk repeat).',
    `Type it here: calyx server install --code CODE --from ${source} (above 2,048 CALs with --quantity N). They are for everybody 89 days after that, at the earliest.`,
  ];
}

function factsOf(shown: Rehearsal, alive: Reach): readonly (readonly [string, Cell])[] {
  const { clearinghouse, source: licenseServerId, statement, holders, target } = shown;
  const dead = clearinghouse.reached ? clearinghouse.dead : null;
  return [
    statementRow(statement),
    ['Concerned', holdersText(holders)],
    ...(clearinghouse.reached && dead !== null
      ? outlookRows(dead, { ...clearinghouse.source, licenseServerId })
      : []),
    ['Source answers', aliveText(alive)],
    ['Horizon here', target.horizon ?? 'none'],
    clearinghouseRow(clearinghouse),
    ...comparedRows(clearinghouse, null),
  ];
}

function show(page: Page, shown: Rehearsal, alive: Reach): void {
  const { product, type, source, resumes, target, clearinghouse } = shown;
  const dead = clearinghouse.reached ? clearinghouse.dead : null;
  const what = dead === null ? 'All CALs' : `All ${cals(dead.units)}`;
  page.text(`${what} of ${product} per ${type} on license server ${source} would come here.`);
  if (resumes !== null) page.text(`They are of move ${resumes.id}, which is open already: ${resumes.state}.`);
  showCounts(page, [
    ['now', target.before],
    ['when they are here', target.granted],
    ['or released early', target.early],
  ]);
  if (clearinghouse.reached && clearinghouse.books !== null) {
    showBooks(page, clearinghouse.books, { source: 'Source', target: 'Here', meanwhile: 'while it waits' });
  }
  page.keyValues(factsOf(shown, alive));
}

/** Where the source was reached as long as it worked, as it had told the clearinghouse. */
function addressesOf({ clearinghouse }: Rehearsal): readonly KnownAddress[] {
  const url = clearinghouse.reached ? clearinghouse.source.address : null;
  return url === null ? [] : [{ url, knownFrom: 'clearinghouse' }];
}

/** Rehearses what the same command without --dry-run would declare. Refused as that would be. */
export async function rehearseDead(cli: Cli, api: ApiClient, options: MoveOptions): Promise<Outcome> {
  const { agreement, ...dead } = deadLineOf(options);
  const { statement } = options;
  const { method } = await readStatus(api);
  const telephone = options.requestOut === undefined && method === 'telephone';
  const way = telephone ? 'telephone' : wayOf(options);
  const body = {
    ...{ ...dead, by: telephone ? 'telephone' : 'message' },
    ...(agreement === undefined ? {} : { agreement }),
    ...(statement === undefined ? {} : { statement }),
  };
  const rehearsal = await api.call<Rehearsal>('POST', '/v1/admin/dead-sources/rehearsal', { body });
  const alive = await reach(cli, rehearsal.source, addressesOf(rehearsal));
  const asks = asksOf(way, rehearsal);
  const { reached, url, reason } = alive;
  const moves = [{ ...rehearsal, answers: { reached, url, reason }, asks }];
  checkRefused(moves);
  return done({ dryRun: true, way, versions: { here: version }, moves }, (page) => {
    page.title('A rehearsal: nothing was changed.');
    show(page, rehearsal, alive);
    showAsks(page, asks);
    if (!rehearsal.clearinghouse.reached) {
      const { target, source } = rehearsal;
      const ends = { from: source, to: target.licenseServerId, agreement: rehearsal.agreement };
      const words = deskWords({ ...dead, ...ends }, statement);
      page
        .next('Its side is shown at the desk, which changes nothing either:')
        .verbatim(commandLine('calyx', 'desk', 'move', ...words, '--dry-run'));
    } else {
      page.next('To do it, give the same command without --dry-run.');
    }
  });
}
