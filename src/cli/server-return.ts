/** `calyx server return`: gives unissued CALs back to the publisher, told by a code. */
import type { Command } from 'commander';
import { quantity } from './arguments.ts';
import { commandLine } from './command-words.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';
import type { ToldCode } from './server-answers.ts';
import { showTold } from './server-told.ts';
import { calsOf, serverCommand } from './server-words.ts';

interface ReturnOptions {
  readonly product: string;
  readonly type: string;
  readonly quantity: number;
  readonly agreement?: string;
}

export function register(group: Command, cli: Cli): void {
  group
    .command('return')
    .summary('gives unissued CALs back to the publisher')
    .description(
      'Gives unissued CALs back. They are gone from this server at once; the code that is shown tells the ' +
        'clearinghouse, which can then give them to another server.',
    )
    .requiredOption('--product <id>', 'product version')
    .requiredOption('--type <type>', 'device, user or concurrent')
    .requiredOption('--quantity <count>', 'how many CALs', quantity)
    .requiredOption('--code-out', 'show the code that tells the clearinghouse')
    .option('--agreement <number>', 'where two agreements have this product')
    .action(
      cli.run(async ({ product, type, quantity: count, agreement }: ReturnOptions) => {
        const body = { product, type, quantity: count, ...(agreement === undefined ? {} : { agreement }) };
        const told = await cli.withApi('server', async (api) =>
          api.call<ToldCode>('POST', '/v1/admin/telephone/return', { body }),
        );
        return done(told, (page) => {
          page.title(`${calsOf({ count, product, type })} are given back.`);
          showTold(page, told);
          page
            .next(
              'Nothing is to be typed here. The representative takes the code in with the first command; the second shows what is left:',
            )
            .verbatim([commandLine('calyx', 'desk', 'confirm', told.code), serverCommand(cli, 'packs')]);
        });
      }),
    );
}
