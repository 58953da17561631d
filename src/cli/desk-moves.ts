/** `calyx desk moves`: all moves, how they stand and what each waits for. */
import type { Command } from 'commander';
import type { DeskMove } from './desk-move-view.ts';
import { moveRow } from './desk-move-view.ts';
import type { ListAnswer, ListOptions } from './list-options.ts';
import { listFields, listQuery, showRest, withListOptions } from './list-options.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';

export function register(group: Command, cli: Cli): void {
  const moves = group
    .command('moves')
    .summary('shows all moves and what they wait for')
    .description('Shows all moves, how they stand and what each of them waits for.');
  withListOptions(moves).action(
    cli.run(async (options: ListOptions) => {
      const answer = await cli.withApi('clearinghouse', (api) =>
        api.call<ListAnswer<DeskMove>>('GET', '/v1/desk/moves', { query: listQuery(options) }),
      );
      return done(listFields(answer), (page) => {
        if (answer.items.length === 0) page.text('No moves yet.');
        for (const move of answer.items) page.keyValues(moveRow(move));
        showRest(page, answer.nextCursor);
      });
    }),
  );
}
