/** `calyx server packs`: the key packs with their counts. */
import type { Command } from 'commander';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';
import type { Pack } from './server-answers.ts';
import { packTable } from './server-words.ts';

export function register(group: Command, cli: Cli): void {
  group
    .command('packs')
    .summary('lists the key packs with their counts')
    .description(
      'Lists the key packs: installed = issued + unissued + held (frozen for a move out) + reserved (arrived for ' +
        'holders who have not come yet) + quarantined.',
    )
    .action(
      cli.run(async () => {
        const { items } = await cli.withApi('server', async (api) =>
          api.call<{ items: readonly Pack[] }>('GET', '/v1/admin/packs'),
        );
        return done({ items }, (page) => packTable(page, items));
      }),
    );
}
