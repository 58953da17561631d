/** Commands that show a list page by page: their two options, the request, and how the rest is got at. */
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { JsonObject } from '../core/json.ts';
import type { Program } from './connect.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';
import type { Page } from './page.ts';

interface ListOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly [flag: string]: unknown;
}

export interface ListAnswer<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

function limitOf(text: string): number {
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= 1000) return limit;
  throw new InvalidArgumentError('It must be a whole number from 1 to 1000.');
}

export interface Listing<Item> {
  readonly program: Program;
  readonly path: string;
  /** A flag that leaves some out, and is a field of the query. */
  readonly only?: { readonly name: string; readonly description: string };
  /** Draws the items of one page; whether there are more is said below them. */
  readonly show: (page: Page, items: readonly Item[]) => void;
}

/** Makes a command one that lists: `--limit`, `--cursor`, and `items` and `nextCursor` for `--json`. */
export function lists<Item extends JsonObject>(command: Command, cli: Cli, of: Listing<Item>): void {
  const { only } = of;
  if (only !== undefined) command.option(`--${only.name}`, only.description);
  command
    .option('--limit <count>', 'how many to show, 1 to 1000', limitOf, 100)
    .option('--cursor <cursor>', 'go on where the last page ended')
    .action(
      cli.run(async ({ limit, cursor, ...flags }: ListOptions) => {
        const narrowed = only !== undefined && flags[only.name] === true ? { [only.name]: true } : {};
        const { items, nextCursor } = await cli.withApi(of.program, (api) =>
          api.call<ListAnswer<Item>>('GET', of.path, { query: { limit, cursor, ...narrowed } }),
        );
        return done({ items, nextCursor }, (page) => {
          of.show(page, items);
          if (nextCursor !== null)
            page.next(`There are more: repeat the command with --cursor ${nextCursor}`);
        });
      }),
    );
}
