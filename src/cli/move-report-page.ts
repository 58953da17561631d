/** The conservation report of a move as people read it. */
import type { Finding, Side, Totals } from '../core/conservation.ts';
import type { JsonObject } from '../core/json.ts';
import { cals, when } from '../protocol/problem-words.ts';
import { commandLine } from './command-words.ts';
import type { Page } from './page.ts';
import { calsOf } from './server-words.ts';

/** What the programs answer, as the commands read it; more fields may come. */
export type Report = JsonObject & {
  readonly move: string;
  readonly agreement: string;
  readonly product: string;
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly state: string | null;
  readonly verdict: 'ok' | 'broken' | 'incomplete';
  readonly findings: readonly (Finding & JsonObject)[];
  readonly totals: (Totals & JsonObject) | null;
  readonly missing: readonly Side[];
  readonly statements: readonly {
    readonly side: Side;
    readonly by: string;
    readonly at: string;
    readonly log: { readonly name: string; readonly size: number; readonly root: string };
    readonly token: string;
  }[];
  readonly trustList: string;
};

const sides: Readonly<Record<Side, string>> = {
  clearinghouse: 'the clearinghouse',
  source: 'the source',
  target: 'the target',
};

const verdicts: Readonly<Record<Report['verdict'], string>> = {
  ok: 'Every CAL is accounted for: the three statements fit.',
  broken: 'The statements do not fit.',
  incomplete: 'What was stated so far fits; it is not all there yet.',
};

/** What a finding says, with its numbers. */
function findingText({ code, side, expected, found }: Finding): string {
  const who = sides[side];
  switch (code) {
    case 'sum-differs':
      return `The books of ${who} do not add up: the parts come to ${found}, and the whole is ${expected}.`;
    case 'more-than-granted':
      return `At ${who} ${cals(found)} were proven, and the clearinghouse has granted ${expected}.`;
    case 'more-than-committed':
      return `At ${who} ${cals(found)} may be given out, and the clearinghouse has committed ${expected} to it.`;
    case 'moved-differs':
      return `At ${who} the move is about ${found} where the clearinghouse has ${expected}.`;
    case 'statement-missing':
      return `The statement of ${who} is missing.`;
    case 'statement-unheard':
      return `The clearinghouse has not taken the newest statement of ${who} in yet.`;
  }
}

const parts: readonly (readonly [keyof Totals, string])[] = [
  ['inHand', 'In hand at the clearinghouse'],
  ['unissued', 'Unissued on source and target'],
  ['issued', 'Issued on source and target'],
  ['reserved', 'Reserved for holders'],
  ['inTransit', 'In transit'],
  ['quarantined', 'Quarantined'],
  ['retired', 'Retired'],
  ['elsewhere', 'Committed to other servers'],
  ['underWay', 'Granted, not installed yet'],
  ['unheard', 'Given up, not heard of yet'],
  ['since', 'Given or taken since'],
  ['unstated', 'Committed, statement missing'],
];

/** Parts that everybody looks for are shown even where they are nothing. */
const always: ReadonlySet<keyof Totals> = new Set<keyof Totals>([
  'inHand',
  'unissued',
  'issued',
  'reserved',
  'inTransit',
  'quarantined',
  'retired',
]);

function showTotals(page: Page, totals: Totals): void {
  const rows = parts
    .filter(([part]) => always.has(part) || totals[part] !== 0)
    .map(([part, title]) => [title, totals[part]] as const);
  page.table(
    [{ title: 'Where they are' }, { title: 'CALs', align: 'right' }],
    [...rows, ['Purchased', totals.purchased]],
  );
  if (totals.held > 0)
    page.text(`Of those in transit, ${totals.held} are still held by a source for its holders.`);
}

/** How a statement that is missing is brought by hand. */
function showMissing(page: Page, report: Report): void {
  const servers = report.missing.filter((side) => side !== 'clearinghouse');
  if (report.missing.length === 0) return;
  page.next(
    'Statements come with the next contacts, but not from a license server that has been deactivated, and not by telephone. ' +
      'By hand: have them written where they are missing, and bring the files here:',
  );
  const at = servers.map((side) =>
    commandLine(
      ...['calyx', 'move', 'report', '--product', report.product, '--type', report.type],
      ...['--agreement', report.agreement, '--data', `${side.toUpperCase()}-DIR`, '--out', `${side}.json`],
    ),
  );
  const desk = report.missing.includes('clearinghouse')
    ? [
        commandLine(
          'calyx',
          'move',
          'report',
          report.move,
          '--data',
          'CLEARINGHOUSE-DIR',
          '--out',
          'desk.json',
        ),
      ]
    : [];
  page.verbatim([
    ...at,
    ...desk,
    commandLine(
      'calyx',
      'move',
      'report',
      report.move,
      '--in',
      desk.length > 0 ? 'desk.json' : `${servers[0]}.json`,
    ),
  ]);
}

/** The whole page: verdict, findings, the equation, and who has signed it. */
export function showReport(page: Page, report: Report): void {
  const { move, source, target, product, type, agreement, totals, findings, statements, state } = report;
  page.title(verdicts[report.verdict]).keyValues([
    ['Move', `${move}${state === null ? '' : ` (${state})`}`],
    ['From', source],
    ['To', target],
    ['CALs', `${product} per ${type}, agreement ${agreement}`],
  ]);
  for (const finding of findings) page.text(findingText(finding));
  if (totals !== null) showTotals(page, totals);
  page.table(
    [
      { title: 'Signed by' },
      { title: 'On' },
      { title: 'Entries', align: 'right' },
      { title: 'Root of its journal' },
    ],
    statements.map(({ side, at, log }) => [sides[side], when(at), log.size, log.root]),
    'Nobody has stated anything yet.',
  );
  showMissing(page, report);
}

/** In one sentence, for the end of a move. */
export function reportSentence(report: Report): string {
  const { product, type, totals } = report;
  const of = totals === null ? 'the CALs' : calsOf({ count: totals.purchased, product, type });
  if (report.verdict === 'ok')
    return `Of ${of} that were bought, every one is accounted for, signed by ${report.statements.length === 3 ? 'all three' : 'all whom the move concerned'}.`;
  return findingText(
    report.findings[0] ?? { code: 'statement-missing', side: 'target', expected: 1, found: 0 },
  );
}
