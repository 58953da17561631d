/** `calyx desk moves`: all moves, newest first, how they stand and what each waits for. */
import type { Command } from 'commander';
import type { DeskMove } from './desk-move-view.ts';
import { moveRow } from './desk-move-view.ts';
import { lists } from './list-options.ts';
import type { Cli } from './main.ts';

export function register(group: Command, cli: Cli): void {
  const moves = group
    .command('moves')
    .summary('shows all moves and what they wait for')
    .description('Shows all moves, newest first, how they stand and what each of them waits for.');
  lists<DeskMove>(moves, cli, {
    program: 'clearinghouse',
    path: '/v1/desk/moves',
    only: { name: 'open', description: 'only those that wait for something' },
    show: (page, items) => {
      if (items.length === 0) page.text('There are no such moves.');
      for (const move of items) page.keyValues(moveRow(move));
    },
  });
}
