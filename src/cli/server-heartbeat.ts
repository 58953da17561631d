/** `calyx server heartbeat`: the yearly report of a server without connection, told by a code. */
import type { Command } from 'commander';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';
import type { ToldCode } from './server-answers.ts';
import { showTold } from './server-told.ts';
import { serverCommand } from './server-words.ts';

export function register(group: Command, cli: Cli): void {
  group
    .command('heartbeat')
    .summary('shows the code that renews the horizon')
    .description(
      'Shows the yearly code of a server without connection: read to the clearinghouse, it is answered with a ' +
        'code that lets this server go on giving licenses to new holders.',
    )
    .requiredOption('--code-out', 'show the code')
    .option('--agreement <number>', 'where this server serves two agreements')
    .action(
      cli.run(async ({ agreement }: { readonly agreement?: string }) => {
        const body = agreement === undefined ? {} : { agreement };
        const told = await cli.withApi('server', async (api) =>
          api.call<ToldCode>('POST', '/v1/admin/telephone/heartbeat', { body }),
        );
        return done(told, (page) => {
          showTold(page, told);
          page
            .next('Type the horizon code that you are given (it begins with A or B):')
            .verbatim(serverCommand(cli, 'code', 'CODE'));
        });
      }),
    );
}
