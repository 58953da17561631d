/** `calyx server address`: where clients reach this license server, for those that are referred to it. */
import type { Command } from 'commander';
import { programAddress } from './arguments.ts';
import type { Cli } from './main.ts';
import { done, WrongUsage } from './outcome.ts';
import { readStatus } from './server-answers.ts';
import { serverCommand } from './server-words.ts';

type Set = { readonly address: string | null };

export function register(group: Command, cli: Cli): void {
  group
    .command('address')
    .summary('says where clients reach this license server')
    .description(
      'Says where clients reach this license server. At its next contact the clearinghouse hears of it, and the ' +
        'source of a move to here refers its clients to that address by itself. Without an address it is shown.',
    )
    .argument('[url]', 'for example https://licenses.example.com:7410', programAddress)
    .option('--none', 'take it back')
    .action(
      cli.run(async (url: string | undefined, options: { readonly none?: boolean }) => {
        if (url !== undefined && options.none === true) throw new WrongUsage('Give an address, or --none.');
        const wanted = options.none === true ? null : url;
        const set = await cli.withApi('server', async (api): Promise<Set> => {
          if (wanted === undefined) return { address: (await readStatus(api)).address };
          return api.call<Set>('PUT', '/v1/admin/address', { body: { address: wanted } });
        });
        return done(set, (page) => {
          if (set.address === null) {
            page.title('No address is set: clients that are referred here look among those they know.');
            page.next('Set it:').verbatim(serverCommand(cli, 'address', 'https://HOST:7410'));
          } else {
            page.title(`Clients reach this license server at ${set.address}.`);
          }
        });
      }),
    );
}
