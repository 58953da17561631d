/**
 * `calyx server move … --dry-run`: plays the move on the real books of this server and of the clearinghouse,
 * undoes it, and shows what it would come to and what a person would have to do.
 */
import type { JsonObject } from '../core/json.ts';
import type { Refusal } from '../core/refusal.ts';
import { secondMs } from '../core/time.ts';
import { version } from '../platform/version.ts';
import { refusedBody } from '../protocol/problem.ts';
import type { ApiClient } from './client.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, Refused } from './outcome.ts';
import type { Cell, Column, Page } from './page.ts';
import { readStatus } from './server-answers.ts';
import { packsToMove } from './server-move-all.ts';
import type { MoveOptions, MoveOrder } from './server-move-order.ts';
import { allOrderOf, orderOf } from './server-move-order.ts';
import type { Target } from './server-move-target.ts';
import { targetOf } from './server-move-target.ts';
import { cals, calsOf, when } from './server-words.ts';

type Counts = Readonly<
  Record<'installed' | 'issued' | 'unissued' | 'held' | 'reserved' | 'quarantined', number>
>;
type Books = Readonly<Record<'inHand' | 'source' | 'target' | 'inTransit', number>>;
type End = {
  readonly name: string | null;
  readonly lastContactAt: string | null;
  readonly horizon: string | null;
};

type ClearinghouseSide =
  | { readonly reached: false; readonly reason: string }
  | {
      readonly reached: true;
      readonly clockDifferenceMs: number;
      readonly version: string;
      readonly refused: Refusal | null;
      readonly books: Readonly<Record<'before' | 'frozen' | 'after', Books>> | null;
      readonly entered: boolean;
      readonly source: End;
      readonly target: End;
    };

type Rehearsal = JsonObject & {
  readonly agreement: string;
  readonly product: string;
  readonly type: string;
  readonly carrier: 'online' | 'telephone';
  readonly resumes: { readonly id: string; readonly state: string } | null;
  readonly unissued: number;
  readonly held: number;
  readonly holders: {
    readonly named: number;
    readonly nameless: number;
    readonly firstLeaseEnd: string | null;
    readonly lastLeaseEnd: string | null;
  };
  readonly source: {
    readonly licenseServerId: string;
    readonly horizon: string | null;
    readonly before: Counts;
    readonly frozen: Counts;
    readonly after: Counts;
  };
};

/** How the move would be carried, by what the command names. */
type Way = 'connection' | 'file' | 'telephone';

function wayOf({ freeze, requestOut, response }: MoveOptions): Way {
  if (freeze === true) return 'telephone';
  return (requestOut ?? response) === undefined ? 'connection' : 'file';
}

/** What the administrator will be asked, and has to read out or carry. */
function asksOf(way: Way, rehearsal: Rehearsal, options: MoveOptions): readonly string[] {
  const { unissued, held, agreement, source } = rehearsal;
  if (way === 'connection') {
    return options.hold === true
      ? ['Try the target with a client, then repeat the command without --hold.']
      : [];
  }
  if (way === 'file') {
    return [
      'Carry the request file to the clearinghouse and its answer back here: the CALs are frozen.',
      'Carry the next request file there, and its answer to the target: the CALs are installed.',
      'Carry the request file of the target there, and its answer here and to the target: the CALs are given up.',
      'Carry the last request file from here to the clearinghouse, and its answer to the target.',
    ];
  }
  return [
    `Read both License Server IDs, agreement number ${agreement} and the code of the freeze (${unissued} unissued, ${held} held) to the desk.`,
    ...(unissued > 0
      ? [`Type the key pack of ${cals(unissued)} (it begins with 6 or 7) on the target, and try it there.`]
      : []),
    'Deactivate this license server, or release the CALs here, and read that code to the desk.',
    ...(held > 0
      ? [
          `Type the key pack of the ${cals(held)} with holders (it begins with 8 or 9) on the target, with --from ${source.licenseServerId}.`,
        ]
      : []),
  ];
}

const countColumns: readonly Column[] = [
  { title: 'This license server' },
  { title: 'Installed', align: 'right' },
  { title: 'Issued', align: 'right' },
  { title: 'Unissued', align: 'right' },
  { title: 'Held', align: 'right' },
  { title: 'Reserved', align: 'right' },
];

const bookColumns: readonly Column[] = [
  { title: 'Clearinghouse' },
  { title: 'In hand', align: 'right' },
  { title: 'Here', align: 'right' },
  { title: 'Target', align: 'right' },
  { title: 'In transit', align: 'right' },
];

const moments = [
  ['before', 'now'],
  ['frozen', 'while it is open'],
  ['after', 'in the end'],
] as const;

function showCounts(page: Page, { source, clearinghouse }: Shown): void {
  page.table(
    countColumns,
    moments.map(([key, title]): readonly Cell[] => {
      const { installed, issued, unissued, held, reserved } = source[key];
      return [title, installed, issued, unissued, held, reserved];
    }),
    '',
  );
  if (!clearinghouse.reached || clearinghouse.books === null) return;
  const { books } = clearinghouse;
  page.table(
    bookColumns,
    moments.map(([key, title]): readonly Cell[] => {
      const { inHand, source: here, target, inTransit } = books[key];
      return [title, inHand, here, target, inTransit];
    }),
    '',
  );
}

type Shown = Rehearsal & {
  readonly clearinghouse: ClearinghouseSide;
  readonly target: JsonObject & { readonly reached: boolean };
  readonly asks: readonly string[];
};

function holdersText({ holders, held }: Rehearsal): string {
  if (held === 0) return 'nobody: none of them has a holder';
  const nameless = holders.nameless === 0 ? '' : `, ${cals(holders.nameless)} reserved without a name`;
  if (holders.firstLeaseEnd === null || holders.lastLeaseEnd === null) return `${held}${nameless}`;
  const leases = `their leases end between ${when(holders.firstLeaseEnd)} and ${when(holders.lastLeaseEnd)}`;
  return `${holders.named} by name; ${leases}${nameless}. All of them go on working, and keep their CALs`;
}

/** How far this server's clock, or the target's, is away; times are told in whole seconds. */
function clockText(whose: string, differenceMs: number): string {
  const seconds = Math.round(Math.abs(differenceMs) / secondMs);
  if (seconds <= 1) return `${whose} right`;
  return `${whose} ${seconds} s ${differenceMs > 0 ? 'ahead' : 'behind'}`;
}

function factsOf(shown: Shown, target: Target): readonly (readonly [string, Cell])[] {
  const { clearinghouse, source } = shown;
  const versions = [
    `here ${version}`,
    ...(clearinghouse.reached ? [`clearinghouse ${clearinghouse.version}`] : []),
    ...(target.version === undefined ? [] : [`target ${target.version}`]),
  ];
  const clocks = [
    ...(clearinghouse.reached
      ? [clockText('this server against the clearinghouse', clearinghouse.clockDifferenceMs)]
      : []),
    ...(target.clockDifferenceMs === undefined
      ? []
      : [clockText('the target against this server', target.clockDifferenceMs)]),
  ];
  const same = new Set(versions.map((each) => each.split(' ').at(-1))).size === 1;
  const ends = clearinghouse.reached ? clearinghouse : undefined;
  return [
    ['Concerned', holdersText(shown)],
    ['Horizon', `here ${source.horizon ?? 'none'}, target ${ends?.target.horizon ?? 'not known'}`],
    [
      'Clearinghouse',
      clearinghouse.reached ? 'reached' : `not reached, so its side is not known: ${clearinghouse.reason}`,
    ],
    [
      'Target',
      target.url === undefined
        ? `not asked: only its License Server ID is known here${lastSeen(ends?.target)}`
        : `reached at ${target.url} (${target.activation ?? 'activation not known'})${lastSeen(ends?.target)}`,
    ],
    ['Clocks', clocks.length === 0 ? 'not compared' : clocks.join(', ')],
    ['Versions', `${versions.join(', ')}${same ? '' : ' (they differ: update the older ones first)'}`],
    ...(shown.carrier === 'telephone' && clearinghouse.reached
      ? [['Entered at the desk', clearinghouse.entered] as const]
      : []),
  ];
}

function lastSeen(end: End | undefined): string {
  if (end === undefined) return '';
  return end.lastContactAt === null
    ? '; the clearinghouse has never heard of it over a connection or by file'
    : `; the clearinghouse heard of it last on ${when(end.lastContactAt)}`;
}

function showOne(page: Page, shown: Shown, target: Target): void {
  const { product, type, unissued, held, resumes } = shown;
  const count = unissued + held;
  page.text(
    `${calsOf({ count, product, type })} (${unissued} unissued, ${held} with holders) would move to ${target.name ?? target.licenseServerId}.`,
  );
  if (resumes !== null) page.text(`They are of move ${resumes.id}, which is open already: ${resumes.state}.`);
  showCounts(page, shown);
  page.keyValues(factsOf(shown, target));
  if (shown.asks.length > 0) {
    page.text('What you will have to do:');
    page.entries(shown.asks.map((ask, index) => [`  ${index + 1}.`, ask] as const));
  }
}

/** The lines that the command names: one, or with --all every key pack. */
async function ordersOf(api: ApiClient, options: MoveOptions): Promise<readonly Omit<MoveOrder, 'to'>[]> {
  if (options.all !== true) return [orderOf(options)];
  const packs = packsToMove(await readStatus(api), options);
  if (packs.length === 0) throw Refused.of({ code: 'move-more-than-there-is', asked: 0, available: 0 });
  return packs.map(({ agreement, product, type }) => ({ agreement, product, type, quantity: 'all' }));
}

/** Rehearses what the same command without --dry-run would do. Refused as that would be. */
export async function rehearseMove(cli: Cli, api: ApiClient, options: MoveOptions): Promise<Outcome> {
  const { to } = options.all === true ? allOrderOf(options) : orderOf(options);
  const target = await targetOf(cli, to);
  const way = wayOf(options);
  const moves: Shown[] = [];
  for (const { agreement, product, type, quantity } of await ordersOf(api, options)) {
    const body = {
      ...{ product, type, quantity, to: target.licenseServerId, hold: options.hold === true },
      carrier: way === 'telephone' ? 'telephone' : 'online',
      ...(agreement === undefined ? {} : { agreement }),
    };
    const rehearsal = await api.call<Rehearsal & { readonly clearinghouse: ClearinghouseSide }>(
      'POST',
      '/v1/admin/moves/rehearsal',
      { body },
    );
    const { licenseServerId, name, activation, version: theirs } = target;
    const card = {
      ...{ licenseServerId, name: name ?? null, activation: activation ?? null },
      ...{ version: theirs ?? null, clockDifferenceMs: target.clockDifferenceMs ?? null },
    };
    moves.push({
      ...rehearsal,
      target: { ...card, reached: target.url !== undefined },
      asks: asksOf(way, rehearsal, options),
    });
  }
  const versions = { here: version };
  const refused = moves.map(({ clearinghouse }) => (clearinghouse.reached ? clearinghouse.refused : null));
  const [no] = refused.filter((each) => each !== null);
  if (no !== undefined) throw new Refused({ ...refusedBody(no), dryRun: true, moves });
  return done({ dryRun: true, way, versions, moves }, (page) => {
    page.title('A rehearsal: nothing was changed.');
    for (const move of moves) showOne(page, move, target);
    if (options.deactivate === true) page.text('Then this license server would be deactivated.');
    page.next('To do it, give the same command without --dry-run.');
  });
}
