/** `calyx desk move … --dry-run`: the move played on the clearinghouse's books to its end, and undone. */
import type { JsonObject } from '../core/json.ts';
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
  readonly source: Server;
  readonly target: Server;
};

/** What representative and caller will have to say to each other. */
function asksOf({ reason, source }: Rehearsal): readonly string[] {
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
    `The caller types it on the target: calyx server install --code CODE --from ${source.licenseServerId}.`,
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
    const count = books.after.target - books.before.target;
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
