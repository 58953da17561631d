/** Lists that are paged by cursor: their two options, and how the rest of a list is got at. */
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { JsonObject } from '../core/json.ts';
import type { Page } from './page.ts';

export interface ListOptions {
  readonly limit: number;
  readonly cursor?: string;
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

/** Adds `--limit` and `--cursor` to a command that lists. */
export function withListOptions(command: Command): Command {
  return command
    .option('--limit <count>', 'how many to show, 1 to 1000', limitOf, 100)
    .option('--cursor <cursor>', 'go on where the last page ended');
}

/** The query of the request. */
export function listQuery(options: ListOptions): { limit: number; cursor: string | undefined } {
  return { limit: options.limit, cursor: options.cursor };
}

/** `items` and `nextCursor`, as `--json` prints them. */
export function listFields<Item extends JsonObject>(answer: ListAnswer<Item>): JsonObject {
  return { items: answer.items, nextCursor: answer.nextCursor };
}

/** Says that there is more, where there is. */
export function showRest(page: Page, nextCursor: string | null): Page {
  return nextCursor === null
    ? page
    : page.next(`There are more: repeat the command with --cursor ${nextCursor}`);
}
