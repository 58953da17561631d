/** `calyx desk move … --dry-run`: the move played on the clearinghouse's books to its end, and undone. */
import type { Following } from '../core/dead-source.ts';
import { followingText } from '../core/dead-source.ts';
import type { JsonObject } from '../core/json.ts';
import { installWords } from '../protocol/problem-words.ts';
import { outlookRows } from './dead-rehearsal-page.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done } from './outcome.ts';
import type { Books, DeadOutlook, End } from './rehearsal-page.ts';
import { lastHeard, showAsks, showBooks } from './rehearsal-page.ts';
import { calsOf } from './server-words.ts';

type Server = End & { readonly licenseServerId: string };

type Rehearsal = JsonObject & {
  readonly product: string;
  readonly type: string;
  readonly quantity: number | 'all';
  readonly reason: 'replaced' | 'dead';
  readonly books: Books;
  readonly dead: DeadOutlook | null;
  readonly following: Following | null;
  readonly source: Server;
  readonly target: Server;
};

/** How many CALs the target gets, by its first key pack where several bring them. */
const comingOf = ({ before, after }: Books): number => after.target - before.target;

/** What representative and caller will have to say to each other. */
function asksOf({ reason, source, books, following }: Rehearsal): readonly string[] {
  const entered = 'Enter the move: the same command without --dry-run';
  if (reason === 'replaced') {
    return [
      `${entered}.`,
      'Take in the code that the caller reads when the CALs are frozen on the source (calyx desk confirm), and read the key pack of the unissued ones out.',
      'Take in the code that the caller reads when they are given up there, and read the key pack of those with holders out.',
    ];
  }
  return [
    `${entered}, with what the caller declares (--statement "NAME: what happened") and who enters it (--by).`,
    'When the horizon has passed, read the key pack out (calyx desk repeat).',
    `The caller types it on the target: ${installWords(source.licenseServerId, comingOf(books))}.`,
    ...(following === null ? [] : [followingText(following)]),
  ];
}

function endText(end: Server): string {
  const name = end.name === null ? '' : ` (${end.name})`;
  return `${end.licenseServerId}${name}; horizon ${end.horizon ?? 'none'}; ${lastHeard(end)}`;
}

/** Rehearses what the same command would enter. Refused as that would be, now or on the way. */
export async function rehearseDeskMove(cli: Cli, body: JsonObject): Promise<Outcome> {
  const rehearsal = await cli.withApi('clearinghouse', (api) =>
    api.call<Rehearsal>('POST', '/v1/desk/moves/rehearsal', { body }),
  );
  const { product, type, books, dead, source, target } = rehearsal;
  const asks = asksOf(rehearsal);
  return done({ dryRun: true, ...rehearsal, asks }, (page) => {
    const count = comingOf(books);
    page.title('A rehearsal: nothing was changed.').text(`${calsOf({ count, product, type })} would move.`);
    showBooks(page, books, {
      ...{ source: 'Source', target: 'Target' },
      meanwhile: dead === null ? 'while it is open' : 'while it waits',
    });
    page.keyValues([
      ...(dead === null ? [['Source', endText(source)] as const] : outlookRows(dead, source)),
      ['Target', endText(target)],
    ]);
    showAsks(page, asks);
  });
}
