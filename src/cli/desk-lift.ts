/** `calyx desk lift`: recovered CALs that were set aside, as the old server was heard of, may be given out again. */
import type { Command } from 'commander';
import { pathOf } from './client.ts';
import type { DeskMove } from './desk-move-view.ts';
import { moveRow } from './desk-move-view.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';

export function register(group: Command, cli: Cli): void {
  group
    .command('lift')
    .summary('a second person lets recovered CALs be given out that were set aside')
    .description(
      'The CALs of a license server that came to another one at once are set aside there when the old one is heard of ' +
        'again. This takes that back for good, by another person than who declared the old server dead; they stay at risk.',
    )
    .argument('<move>', 'id of the move (calyx desk moves)')
    .requiredOption('--by <name>', 'who decides it')
    .action(
      cli.run(async (id: string, { by }: { readonly by: string }) => {
        const path = pathOf('v1', 'desk', 'moves', id, 'lift');
        const move = await cli.withApi('clearinghouse', (api) =>
          api.call<DeskMove>('POST', path, { body: { by } }),
        );
        return done({ ...move }, (page) =>
          page.title('The CALs may be given out again.').keyValues(moveRow(move)),
        );
      }),
    );
}
