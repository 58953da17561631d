/** `calyx desk approve`: the second person's yes to an early release. This version has no such releases. */
import type { Command } from 'commander';
import type { Cli } from './main.ts';
import { Refused } from './outcome.ts';

const what = 'approving the early release of CALs from a license server that no longer functions';

export function register(group: Command, cli: Cli): void {
  group
    .command('approve')
    .summary('a second person approves an early release (not in this version)')
    .description(
      'A second person approves what one alone may not do. This version does nothing that needs it.',
    )
    .argument('[move]', 'id of the move')
    .action(
      cli.run(async () => {
        throw Refused.of({ code: 'not-yet-supported', what });
      }),
    );
}
