/** `calyx server code`: takes in any code that was read out to this license server. */
import type { Command } from 'commander';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done } from './outcome.ts';
import type { CodeOutcome } from './server-answers.ts';
import { showInstalled } from './server-install.ts';
import { applyTyped, fromHelp, installTyped, readTyped } from './server-typed-code.ts';
import { serverCommand } from './server-words.ts';

const fromClearinghouse = ['activation', 'key-pack', 'held-key-pack', 'horizon'] as const;

interface CodeOptions {
  readonly quantity?: number;
  readonly from?: string;
}

function shown(cli: Cli, outcome: CodeOutcome): Outcome {
  const { kind, agreement, horizon = '', product = '', type = '', added = 0, installed = 0 } = outcome;
  return done(outcome, (page) => {
    if (kind === 'horizon') {
      page.title('The horizon has moved on.').keyValues([
        ['Agreement', agreement],
        ['New holders get licenses until', horizon],
      ]);
    } else if (kind === 'activation') {
      page
        .title(`The license server is activated for agreement ${agreement}.`)
        .next('Install CALs:')
        .verbatim(serverCommand(cli, 'install', '--code', 'CODE'));
    } else {
      showInstalled(page, cli, { product, type, added, installed });
    }
  });
}

export function register(group: Command, cli: Cli): void {
  group
    .command('code')
    .summary('takes in a code that was read out, of whatever kind')
    .description('Takes in a code that was read out to this license server: a horizon code, or any other.')
    .argument('<code>', '35 characters or 54 digits')
    .option('--from <id>', fromHelp)
    .action(
      cli.run(async (code: string, options: CodeOptions) => {
        const kind = readTyped(code, fromClearinghouse)?.kind;
        return cli.withApi('server', async (api) => {
          const pack = kind === 'key-pack' || kind === 'held-key-pack';
          const outcome = pack
            ? await installTyped(cli, api, { code, from: options.from })
            : await applyTyped(api, code);
          return shown(cli, outcome);
        });
      }),
    );
}
