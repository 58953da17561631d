/** `calyx desk cancel`: undoes a move where that is still possible. */
import type { Command } from 'commander';
import { pathOf } from './client.ts';
import type { DeskMove } from './desk-move-view.ts';
import { moveRow } from './desk-move-view.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';

export function register(group: Command, cli: Cli): void {
  group
    .command('cancel')
    .summary('undoes a move where that is still possible')
    .description(
      'Undoes a move by connection or file until its commit: at once before the grant, and after it when the target ' +
        'has given back what it installed. A move by telephone can be undone until its freeze is read out. Later the ' +
        'refusal says how to move the CALs back. calyx desk moves shows the ids.',
    )
    .argument('<move>', 'id of the move')
    .action(
      cli.run(async (id: string) => {
        const move = await cli.withApi('clearinghouse', (api) =>
          api.call<DeskMove>('POST', pathOf('v1', 'desk', 'moves', id, 'cancel')),
        );
        return done({ ...move }, (page) =>
          page
            .title(move.state === 'aborted' ? 'The move is undone.' : 'The move is being undone.')
            .keyValues(moveRow(move)),
        );
      }),
    );
}
