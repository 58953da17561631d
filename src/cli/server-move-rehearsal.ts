/**
 * `calyx server move … --dry-run`: plays the move on the real books of this server and of the clearinghouse,
 * undoes it, asks the target whether it is there, and shows what the move would come to.
 */
import type { JsonObject } from '../core/json.ts';
import { version } from '../platform/version.ts';
import { cals, when } from '../protocol/problem-words.ts';
import type { ApiClient } from './client.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, Refused } from './outcome.ts';
import type { Cell, Page } from './page.ts';
import type { ClearinghouseSide, Counts, Way } from './rehearsal-page.ts';
import {
  addressText,
  checkRefused,
  clearinghouseRow,
  comparedRows,
  lastHeard,
  showAsks,
  showBooks,
  showCounts,
  wayOf,
} from './rehearsal-page.ts';
import { readStatus } from './server-answers.ts';
import { followingText, packsToMove, quantityOf } from './server-move-all.ts';
import type { MoveOptions, MoveOrder } from './server-move-order.ts';
import { allOrderOf, orderOf } from './server-move-order.ts';
import type { KnownAddress, Reach } from './server-move-target.ts';
import { reach, targetOf } from './server-move-target.ts';
import { calsOf, keptWords } from './server-words.ts';

type Rehearsal = JsonObject & {
  readonly agreement: string;
  readonly product: string;
  readonly type: string;
  readonly carrier: 'online' | 'telephone';
  /** Where the target was reached before, as this server was told. */
  readonly targetUrl: string | null;
  readonly resumes: { readonly id: string; readonly state: string } | null;
  readonly unissued: number;
  readonly held: number;
  readonly holders: {
    readonly named: number;
    readonly nameless: number;
    readonly firstLeaseEnd: string | null;
    readonly lastLeaseEnd: string | null;
    readonly keptUntil: string | null;
  };
  readonly keptUntil: string | null;
  readonly source: {
    readonly licenseServerId: string;
    readonly horizon: string | null;
    readonly before: Counts;
    readonly frozen: Counts;
    readonly after: Counts;
  };
  readonly clearinghouse: ClearinghouseSide;
};

/** A target that does not ask by itself has to be told to. */
function fetchedByHand(clearinghouse: ClearinghouseSide): readonly string[] {
  const method = clearinghouse.reached ? clearinghouse.target.method : null;
  if (method === null || method === 'automatic') return [];
  return [
    `Let the target ask the clearinghouse when the CALs are frozen: its installation method is ${method}, so it does not do so by itself.`,
  ];
}

/** What the administrator will be asked, and has to read out or carry. */
function asksOf(way: Way, rehearsal: Rehearsal, options: MoveOptions): readonly string[] {
  const { unissued, held, agreement, source } = rehearsal;
  if (way === 'connection') {
    return [
      ...fetchedByHand(rehearsal.clearinghouse),
      ...(options.hold === true
        ? ['Try the target with a client, then repeat the command without --hold.']
        : []),
    ];
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

type Shown = Rehearsal & {
  readonly target: JsonObject & { readonly reached: boolean };
  readonly asks: readonly string[];
};

function holdersText(rehearsal: Rehearsal): string {
  const { holders, held } = rehearsal;
  if (held === 0) return 'nobody: none of them has a holder';
  const nameless = holders.nameless === 0 ? '' : `, ${cals(holders.nameless)} reserved without a name`;
  if (holders.firstLeaseEnd === null || holders.lastLeaseEnd === null) return `${held}${nameless}`;
  const leases = `their leases end between ${when(holders.firstLeaseEnd)} and ${when(holders.lastLeaseEnd)}`;
  const kept =
    holders.keptUntil === null ? '' : `; their CALs are nobody else's before ${when(holders.keptUntil)}`;
  return `${holders.named} by name; ${leases}${kept}${nameless}. ${goOnText(rehearsal)}`;
}

/** What holders can rely on. By telephone of a part, whoever comes first has the CAL on the target. */
function goOnText({ carrier, keptUntil }: Rehearsal): string {
  if (carrier !== 'telephone' || keptUntil === null) return 'All of them go on working, and keep their CALs';
  return (
    'All of them go on working with the licenses that they have. The target gives the CALs to those who come first ' +
    'with a license of this server, and no code tells it whose went: somebody who stays can be among them. Who finds ' +
    `none there is served here again from ${when(keptUntil)} on, where CALs are free`
  );
}

/** Until when what stays is kept, where a move by telephone takes, or has taken, a part. */
function keptRows({ keptUntil, source }: Rehearsal): readonly (readonly [string, Cell])[] {
  if (keptUntil === null) return [];
  const { issued, reserved } = source.after;
  const stay = `${cals(issued + reserved)} with holders`;
  return [['Staying here', `${stay}; ${keptWords(keptUntil)}`]];
}

/** Whether the target was reached, at which address; and when the clearinghouse heard of it, where that is known. */
function targetText(clearinghouse: ClearinghouseSide, target: Reach): string {
  const heard =
    clearinghouse.reached && clearinghouse.refused === null ? `; ${lastHeard(clearinghouse.target)}` : '';
  const at = addressText(target);
  if (at === null) {
    const nowhere = clearinghouse.reached ? 'here or at the clearinghouse' : 'here';
    return `not asked: no address of it is known ${nowhere}${heard}`;
  }
  const { reached, reason, server } = target;
  if (!reached) return `not reached at ${at}: ${reason ?? ''}${heard}`;
  return `reached at ${at}: ${server?.activation ?? 'it does not say whether it is activated'}${heard}`;
}

function factsOf(shown: Shown, target: Reach): readonly (readonly [string, Cell])[] {
  const { clearinghouse, source } = shown;
  const horizon = (clearinghouse.reached ? clearinghouse.target.horizon : null) ?? 'not known';
  return [
    ['Concerned', holdersText(shown)],
    ...keptRows(shown),
    ['Horizon', `here ${source.horizon ?? 'none'}, target ${horizon}`],
    clearinghouseRow(clearinghouse),
    ['Target', targetText(clearinghouse, target)],
    ...comparedRows(clearinghouse, target.server),
    ...(shown.carrier === 'telephone' && clearinghouse.reached
      ? [['Entered at the desk', clearinghouse.entered] as const]
      : []),
  ];
}

function showOne(page: Page, shown: Shown, target: Reach): void {
  const { product, type, unissued, held, resumes, source, clearinghouse } = shown;
  const count = unissued + held;
  const to = target.server?.name ?? String(shown.target['licenseServerId']);
  page.text(
    `${calsOf({ count, product, type })} (${unissued} unissued, ${held} with holders) would move to ${to}.`,
  );
  if (resumes !== null) page.text(`They are of move ${resumes.id}, which is open already: ${resumes.state}.`);
  const { before, frozen, after } = source;
  showCounts(page, [
    ['now', before],
    ['while it is open', frozen],
    ['in the end', after],
  ]);
  if (clearinghouse.reached && clearinghouse.books !== null) {
    showBooks(page, clearinghouse.books, { source: 'Here', target: 'Target', meanwhile: 'while it is open' });
  }
  page.keyValues(factsOf(shown, target));
  showAsks(page, shown.asks);
}

/** The lines that the command names: one, or with --all every key pack. */
async function ordersOf(api: ApiClient, options: MoveOptions): Promise<readonly Omit<MoveOrder, 'to'>[]> {
  if (options.all !== true) return [orderOf(options)];
  const packs = packsToMove(await readStatus(api), options);
  if (packs.length === 0) throw Refused.of({ code: 'move-more-than-there-is', asked: 0, available: 0 });
  return packs.map((pack) => {
    const { agreement, product, type } = pack;
    return { agreement, product, type, quantity: quantityOf(pack) };
  });
}

/** Where the target may be reached: as it has told the clearinghouse, or as it was told here before. */
function addressesOf(rehearsals: readonly Rehearsal[]): readonly KnownAddress[] {
  const known: KnownAddress[] = [];
  const add = (url: string | null, from: KnownAddress['knownFrom']): void => {
    if (url !== null && !known.some((address) => address.url === url)) known.push({ url, knownFrom: from });
  };
  for (const { clearinghouse } of rehearsals) {
    if (clearinghouse.reached) add(clearinghouse.target.address, 'clearinghouse');
  }
  for (const { targetUrl } of rehearsals) add(targetUrl, 'here');
  return known;
}

/** The target in `--json`: what it says itself, and when the clearinghouse heard of it. */
function targetFields(licenseServerId: string, of: { reach: Reach; clearinghouse: ClearinghouseSide }) {
  const { reached, url, knownFrom: from, reason, server } = of.reach;
  return {
    ...{ licenseServerId, reached, url, knownFrom: from, reason, name: server?.name ?? null },
    ...{ activation: server?.activation ?? null, version: server?.version ?? null },
    clockDifferenceMs: server?.clockDifferenceMs ?? null,
    lastContactAt: of.clearinghouse.reached ? of.clearinghouse.target.lastContactAt : null,
  };
}

/** Rehearses what the same command without --dry-run would do. Refused as that would be. */
export async function rehearseMove(cli: Cli, api: ApiClient, options: MoveOptions): Promise<Outcome> {
  const { to } = options.all === true ? allOrderOf(options) : orderOf(options);
  const named = await targetOf(cli, to);
  const way = wayOf(options);
  const rehearsals: Rehearsal[] = [];
  const orders = await ordersOf(api, options);
  const following = options.all === true ? followingText(orders) : null;
  for (const { agreement, product, type, quantity } of orders) {
    const body = {
      ...{ product, type, quantity, to: named.licenseServerId, hold: options.hold === true },
      carrier: way === 'telephone' ? 'telephone' : 'online',
      ...(agreement === undefined ? {} : { agreement }),
    };
    rehearsals.push(await api.call<Rehearsal>('POST', '/v1/admin/moves/rehearsal', { body }));
  }
  // As the server has read it: it may have been given in digits, or in small letters.
  const licenseServerId = String(rehearsals[0]?.['target'] ?? named.licenseServerId);
  const reached =
    named.url === undefined
      ? await reach(cli, licenseServerId, addressesOf(rehearsals))
      : ({ reached: true, url: named.url, knownFrom: 'command', reason: null, server: named } as const);
  const moves = rehearsals.map((rehearsal): Shown => {
    const { clearinghouse } = rehearsal;
    const target = targetFields(licenseServerId, { reach: reached, clearinghouse });
    return { ...rehearsal, target, asks: asksOf(way, rehearsal, options) };
  });
  checkRefused(moves);
  return done({ dryRun: true, way, versions: { here: version }, moves }, (page) => {
    page.title('A rehearsal: nothing was changed.');
    for (const move of moves) showOne(page, move, reached);
    if (following !== null) page.text(following);
    if (options.deactivate === true) page.text('Then this license server would be deactivated.');
    page.next('To do it, give the same command without --dry-run.');
  });
}
