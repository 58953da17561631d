/** What every rehearsal shows: counts and books at three moments, clocks, versions, and how far each side was heard. */
import type { JsonObject } from '../core/json.ts';
import type { Refusal } from '../core/refusal.ts';
import { secondMs } from '../core/time.ts';
import { version } from '../platform/version.ts';
import { refusedBody } from '../protocol/problem.ts';
import { when } from '../protocol/problem-words.ts';
import { Refused } from './outcome.ts';
import type { Cell, Column, Page } from './page.ts';
import type { MoveOptions } from './server-move-order.ts';
import type { KnownAddress, Reach } from './server-move-target.ts';

export type Counts = Readonly<
  Record<'installed' | 'issued' | 'unissued' | 'held' | 'reserved' | 'quarantined', number>
>;

type Moment = Readonly<Record<'inHand' | 'source' | 'target' | 'inTransit' | 'quarantined', number>>;
export type Books = Readonly<Record<'before' | 'frozen' | 'after', Moment>>;

export type End = {
  readonly name: string | null;
  readonly method: string | null;
  readonly lastContactAt: string | null;
  readonly horizon: string | null;
  readonly address: string | null;
};

type Risk = { readonly units: number; readonly from: string; readonly until: string };

/** What a declaration that the source no longer functions comes to. */
export type DeadOutlook = {
  readonly units: number;
  readonly horizon: string;
  readonly opensAt: string;
  readonly sunset: string;
  readonly atRisk: Risk;
  readonly early: { readonly left: number; readonly next: string | null; readonly atRisk: Risk } | null;
};

export type ClearinghouseSide =
  | { readonly reached: false; readonly reason: string }
  | {
      readonly reached: true;
      readonly clockDifferenceMs: number;
      readonly version: string;
      readonly refused: Refusal | null;
      readonly books: Books | null;
      readonly entered: boolean;
      readonly source: End;
      readonly target: End;
      readonly dead: DeadOutlook | null;
    };

/** How the move would be carried. */
export type Way = 'connection' | 'file' | 'telephone';

/** By what the command names. */
export function wayOf({ freeze, requestOut, response }: MoveOptions): Way {
  if (freeze === true) return 'telephone';
  return (requestOut ?? response) === undefined ? 'connection' : 'file';
}

const countColumns: readonly Column[] = [
  { title: 'This license server' },
  { title: 'Installed', align: 'right' },
  { title: 'Issued', align: 'right' },
  { title: 'Unissued', align: 'right' },
  { title: 'Held', align: 'right' },
  { title: 'Reserved', align: 'right' },
];

/** The counts here at some moments; one that nobody can tell is left out. */
export function showCounts(page: Page, rows: readonly (readonly [string, Counts | null])[]): void {
  page.table(
    countColumns,
    rows.flatMap(([title, counts]): readonly (readonly Cell[])[] => {
      if (counts === null) return [];
      const { installed, issued, unissued, held, reserved } = counts;
      return [[title, installed, issued, unissued, held, reserved]];
    }),
    '',
  );
}

/** The books at three moments; `names` are those of the two ends, and of the moment in the middle. */
export function showBooks(
  page: Page,
  books: Books,
  names: { readonly source: string; readonly target: string; readonly meanwhile: string },
): void {
  const dead = books.frozen.quarantined > books.after.quarantined;
  const columns: readonly Column[] = [
    { title: 'Clearinghouse' },
    ...['In hand', names.source, names.target, 'In transit', ...(dead ? ['Quarantined'] : [])].map(
      (title) => ({ title, align: 'right' }) as const,
    ),
  ];
  const row = (title: string, moment: Moment): readonly Cell[] => {
    const { inHand, source, target, inTransit, quarantined } = moment;
    return [title, inHand, source, target, inTransit, ...(dead ? [quarantined] : [])];
  };
  const { before, frozen, after } = books;
  page.table(columns, [row('now', before), row(names.meanwhile, frozen), row('in the end', after)], '');
}

/** How far a clock is away from another; times are told in whole seconds. */
function clockText(whose: string, of: { readonly other: string; readonly differenceMs: number }): string {
  const seconds = Math.round(Math.abs(of.differenceMs) / secondMs);
  if (seconds <= 1) return `${whose} and ${of.other} agree`;
  return `${whose} is ${seconds} s ${of.differenceMs > 0 ? 'ahead of' : 'behind'} ${of.other}`;
}

type Rows = readonly (readonly [string, Cell])[];

/** Whether the clearinghouse was heard. */
export function clearinghouseRow(clearinghouse: ClearinghouseSide): readonly [string, Cell] {
  return [
    'Clearinghouse',
    clearinghouse.reached ? 'reached' : `not reached, so its side is not known: ${clearinghouse.reason}`,
  ];
}

const here = 'this server';

/** Clocks and versions of all that were reached, compared. */
export function comparedRows(clearinghouse: ClearinghouseSide, target: Reach['server']): Rows {
  const versions = [
    `here ${version}`,
    ...(clearinghouse.reached ? [`clearinghouse ${clearinghouse.version}`] : []),
    ...(target?.version === undefined ? [] : [`target ${target.version}`]),
  ];
  const clocks = [
    ...(clearinghouse.reached
      ? [clockText(here, { other: 'the clearinghouse', differenceMs: clearinghouse.clockDifferenceMs })]
      : []),
    ...(target?.clockDifferenceMs === undefined
      ? []
      : [clockText('the target', { other: here, differenceMs: target.clockDifferenceMs })]),
  ];
  const same = new Set(versions.map((each) => each.split(' ').at(-1))).size === 1;
  return [
    ['Clocks', clocks.length === 0 ? 'not compared' : clocks.join(', ')],
    ['Versions', `${versions.join(', ')}${same ? '' : ' (they differ: update the older ones first)'}`],
  ];
}

const knownFrom: Readonly<Record<KnownAddress['knownFrom'], string>> = {
  command: 'the address of this command',
  clearinghouse: 'the address that it has told the clearinghouse',
  here: 'the address that this license server knows from before',
};

/** Where a server was looked for, and who knows that address; null where nobody does. */
export function addressText({ url, ...known }: Reach): string | null {
  return url === null || known.knownFrom === null ? null : `${url} (${knownFrom[known.knownFrom]})`;
}

/** When the clearinghouse heard of a server last. */
export function lastHeard(end: End): string {
  return end.lastContactAt === null
    ? 'the clearinghouse has never heard of it over a connection or by file'
    : `the clearinghouse heard of it last on ${when(end.lastContactAt)}`;
}

/** The steps that a person is asked for. */
export function showAsks(page: Page, asks: readonly string[]): void {
  if (asks.length === 0) return;
  page.text('What you will have to do:');
  page.entries(asks.map((ask, index) => [`  ${index + 1}.`, ask] as const));
}

/** A rehearsal that the clearinghouse would refuse ends as the move would, with all that was found out. */
export function checkRefused(
  moves: readonly (JsonObject & { readonly clearinghouse: ClearinghouseSide })[],
): void {
  for (const { clearinghouse } of moves) {
    if (!clearinghouse.reached || clearinghouse.refused === null) continue;
    throw new Refused({ ...refusedBody(clearinghouse.refused), dryRun: true, moves });
  }
}
