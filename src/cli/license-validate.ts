/** `calyx license validate`: reports that the holder has really signed in. */
import type { Command } from 'commander';
import { when } from '../protocol/problem-words.ts';
import { commandLine } from './command-words.ts';
import type { HolderOptions } from './license-holder.ts';
import { holderOf, licensePath, withHolderOptions, withLicenseServer } from './license-holder.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';

type Validated = { readonly validated: boolean; readonly expiresAt: string };

export function register(group: Command, cli: Cli): void {
  const command = group
    .command('validate')
    .summary('reports a real sign-in, after which a temporary license may become permanent')
    .description(
      'Reports that the holder has really signed in. A device with a temporary license gets a permanent one at its ' +
        'next request, while CALs are free.',
    );
  withHolderOptions(command).action(
    cli.run(async (options: HolderOptions) => {
      const holder = holderOf(options);
      const validated = await withLicenseServer(cli, options.server, (api) =>
        api.call<Validated>('POST', `${licensePath(holder)}/validate`),
      );
      const words = [
        '--server',
        options.server,
        '--product',
        holder.product,
        `--${holder.type}`,
        holder.name,
      ];
      return done(validated, (page) =>
        page
          .text(
            `The sign-in of ${holder.name} is noted. Its present license ends ${when(validated.expiresAt)}.`,
          )
          .next('Ask again for the license:')
          .verbatim(commandLine('calyx', 'license', 'request', ...words)),
      );
    }),
  );
}
