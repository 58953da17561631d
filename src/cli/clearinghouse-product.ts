/** `calyx clearinghouse product …`: what the publisher sells CALs for. */
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { nextCommand } from './command-words.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';

interface AddOptions {
  readonly id: string;
  readonly name: string;
  readonly family: string;
  readonly version: number;
}

type Product = AddOptions;

function versionNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number: a newer version has a higher one.');
}

export function register(group: Command, cli: Cli): void {
  const product = group
    .command('product')
    .summary('products: add, list')
    .description(
      'The products that CALs are sold for, by version: a newer CAL serves an older host, never the reverse.',
    );
  registerAdd(product, cli);
  registerList(product, cli);
}

function registerAdd(product: Command, cli: Cli): void {
  product
    .command('add')
    .summary('enters a product version')
    .description('Enters one version of a product. Entering the same again changes nothing.')
    .requiredOption('--id <id>', 'short name for commands and programs: ts-2012r2')
    .requiredOption('--name <name>', 'name for people: "Terminal Server 2012 R2"')
    .requiredOption('--family <family>', 'what all versions of the product have in common: ts')
    .requiredOption('--version <number>', 'number that grows from version to version: 9', versionNumber)
    .action(
      cli.run(async ({ id, name, family, version }: AddOptions) => {
        const body = { id, name, family, version };
        const added = await cli.withApi('clearinghouse', (api) =>
          api.call<Product>('POST', '/v1/products', { body }),
        );
        return done({ ...added }, (page) =>
          page
            .text(
              `${added.name} is entered as ${added.id} (family ${added.family}, version ${added.version}).`,
            )
            .next(
              `Enter what a customer bought: ${nextCommand(cli.settings, 'clearinghouse', 'agreement', 'add')} --number NUMBER …`,
            ),
        );
      }),
    );
}

function registerList(product: Command, cli: Cli): void {
  product
    .command('list')
    .summary('shows all products')
    .description('Shows all products and their versions.')
    .action(
      cli.run(async () => {
        const { items } = await cli.withApi('clearinghouse', (api) =>
          api.call<{ readonly items: readonly Product[] }>('GET', '/v1/products'),
        );
        return done({ items: items.map((item) => ({ ...item })) }, (page) =>
          page.table(
            [{ title: 'Id' }, { title: 'Name' }, { title: 'Family' }, { title: 'Version', align: 'right' }],
            items.map((item) => [item.id, item.name, item.family, item.version]),
            'No products yet: calyx clearinghouse product add enters one.',
          ),
        );
      }),
    );
}
