/** `calyx server method`: the installation method of step 4 of the source document. */
import type { Command } from 'commander';
import { Argument } from 'commander';
import { programAddress } from './arguments.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';
import { readStatus } from './server-answers.ts';
import { activateCommand, agreementOf, serverCommand } from './server-words.ts';

type Method = 'automatic' | 'web' | 'telephone';

const words: Readonly<Record<Method, string>> = {
  automatic: 'Automatic connection: this server speaks with the clearinghouse by itself.',
  web: 'Web browser: requests and answers are files, carried by hand.',
  telephone: 'Telephone: codes are read out and typed.',
};

export function register(group: Command, cli: Cli): void {
  group
    .command('method')
    .summary('sets the installation method')
    .description(
      'Sets how this server and the clearinghouse speak. A code or a file is taken in whatever the method: it ' +
        'decides what happens where a command names neither.',
    )
    .addArgument(new Argument('<method>').choices(['automatic', 'web', 'telephone']))
    .option('--clearinghouse <url>', 'address of the clearinghouse', programAddress)
    .action(
      cli.run(async (method: Method, options: { readonly clearinghouse?: string }) => {
        const { clearinghouse } = options;
        const body = { method, ...(clearinghouse === undefined ? {} : { clearinghouseUrl: clearinghouse }) };
        const { set, status } = await cli.withApi('server', async (api) => ({
          set: await api.call('PUT', '/v1/admin/method', { body }),
          status: await readStatus(api),
        }));
        return done(set, (page) => {
          page.title(`The installation method is ${method}.`).text(words[method]);
          if (status.clearinghouseUrl !== null) page.keyValues([['Clearinghouse', status.clearinghouseUrl]]);
          if (status.activation === 'activated') {
            page
              .next('Install or move CALs. What is there is shown by:')
              .verbatim(serverCommand(cli, 'status'));
          } else {
            page.next('Activate this server:').verbatim(activateCommand(cli, status, agreementOf(status)));
          }
        });
      }),
    );
}
