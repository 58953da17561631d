/** `calyx server export`: a license server for an auditor. */
import type { Command } from 'commander';
import { commandLine } from './command-words.ts';
import { writeBundle } from './export-file.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';

const routes = { begin: '/v1/admin/export', journals: ['v1', 'admin', 'journals'] };

export function register(group: Command, cli: Cli): void {
  group
    .command('export')
    .summary('writes this server for an auditor')
    .description(
      'Writes an audit bundle: the journal of this license server, its kits and certificates, and the ' +
        'checkpoints that it and the clearinghouse have cosigned. Holders are in it as pseudonyms.',
    )
    .requiredOption('--out <file>', 'file to write')
    .action(
      cli.run(async ({ out }: { readonly out: string }) => {
        const written = await cli.withApi('server', (api) => writeBundle(cli, api, { out, routes }));
        return done({ ...written }, (page) =>
          page
            .title('This license server is written for an auditor.')
            .keyValues([
              ['File', written.file],
              ['Entries', String(written.entries)],
            ])
            .next(
              `Audit it with the clearinghouse’s, exported after it: ${commandLine('calyx', 'audit', out)} …`,
            ),
        );
      }),
    );
}
