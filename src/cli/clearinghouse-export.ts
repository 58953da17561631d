/** `calyx clearinghouse export`: an agreement for an auditor. */
import type { Command } from 'commander';
import { agreementGiven } from './asked-agreement.ts';
import { pathOf } from './client.ts';
import { commandLine } from './command-words.ts';
import { writeBundle } from './export-file.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';

export function register(group: Command, cli: Cli): void {
  group
    .command('export')
    .summary('writes an agreement for an auditor')
    .description(
      'Writes an audit bundle of an agreement: its journal and the publisher’s, kits and certificates, and the ' +
        'checkpoints with the cosignatures of its license servers. Export the license servers first.',
    )
    .option('--agreement <number>', 'agreement or enrollment number')
    .requiredOption('--out <file>', 'file to write')
    .action(
      cli.run(async (options: { readonly agreement?: string; readonly out: string }) => {
        const agreement = agreementGiven(options.agreement);
        const { out } = options;
        const routes = {
          begin: pathOf('v1', 'agreements', agreement, 'export'),
          journals: ['v1', 'journals'],
        };
        const written = await cli.withApi('clearinghouse', (api) => writeBundle(cli, api, { out, routes }));
        return done({ agreement, ...written }, (page) =>
          page
            .title(`Agreement ${agreement} is written for an auditor.`)
            .keyValues([
              ['File', written.file],
              ['Entries', String(written.entries)],
            ])
            .next(`Audit it with those of its license servers: ${commandLine('calyx', 'audit', out)} …`),
        );
      }),
    );
}
