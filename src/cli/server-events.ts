/** `calyx server events`: the System log of a license server, page by page. */
import type { Command } from 'commander';
import type { JsonObject } from '../core/json.ts';
import { when } from '../protocol/problem-words.ts';
import { lists } from './list-options.ts';
import type { Cli } from './main.ts';

type Event = JsonObject & {
  readonly id: number;
  readonly at: string;
  readonly level: string;
  readonly text: string;
};

export function register(group: Command, cli: Cli): void {
  const command = group
    .command('events')
    .summary('lists the System log')
    .description(
      'Lists the events of this license server, the oldest first. Their numbers keep their meaning for ever.',
    );
  lists<Event>(command, cli, {
    program: 'server',
    path: '/v1/admin/events',
    show: (page, items) => {
      if (items.length === 0) page.text('There are no events.');
      else
        page.entries(
          items.map(({ at, id, level, text }) => [
            `${when(at)}  ${String(id).padStart(5)}  ${level.padEnd(11)}`,
            text,
          ]),
        );
    },
  });
}
