/** `calyx server licenses`: who holds which CAL, page by page. */
import type { Command } from 'commander';
import type { JsonObject } from '../core/json.ts';
import type { ListAnswer, ListOptions } from './list-options.ts';
import { listFields, listQuery, showRest, withListOptions } from './list-options.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';
import type { Column } from './page.ts';
import { when } from './server-words.ts';

export type License = JsonObject & {
  readonly product: string;
  readonly type: string;
  readonly holder: string;
  readonly unit: number;
  readonly origin: string;
  readonly state: string;
  readonly issuedAt: string;
  readonly renewedAt: string;
  readonly expiresAt: string;
};

const columns: readonly Column[] = [
  { title: 'Holder' },
  { title: 'Product' },
  { title: 'Type' },
  { title: 'Unit', align: 'right' },
  { title: 'First issued as' },
  { title: 'State' },
  { title: 'Ends' },
];

/** `20FRX…/12`: the first group tells the servers of a site apart; the whole is in --json. */
function shortOrigin(origin: string): string {
  const [id = '', unit = ''] = origin.split('/');
  return `${id.slice(0, 5)}…/${unit}`;
}

export function register(group: Command, cli: Cli): void {
  const command = group
    .command('licenses')
    .summary('lists who holds which CAL')
    .description('Lists the permanent licenses of this server and their holders.');
  withListOptions(command).action(
    cli.run(async (options: ListOptions) => {
      const answer = await cli.withApi('server', async (api) =>
        api.call<ListAnswer<License>>('GET', '/v1/admin/licenses', { query: listQuery(options) }),
      );
      return done(listFields(answer), (page) => {
        const rows = answer.items.map(({ holder, product, type, unit, origin, state, expiresAt }) => [
          ...[holder, product, type, unit, shortOrigin(origin), state],
          when(expiresAt),
        ]);
        showRest(page.table(columns, rows, 'Nobody holds a CAL of this server.'), answer.nextCursor);
      });
    }),
  );
}
