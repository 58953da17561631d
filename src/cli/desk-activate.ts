/** `calyx desk activate`: the activation code for a License Server ID. */
import type { Command } from 'commander';
import { agreementGiven } from './asked-agreement.ts';
import type { CallerOptions } from './desk-answer.ts';
import { askDesk, deskOutcome, withCaller } from './desk-answer.ts';
import type { Cli } from './main.ts';
import { withReason } from './recovery-options.ts';

interface ActivateOptions extends CallerOptions {
  readonly name?: string;
  readonly reason?: string;
}

export function register(group: Command, cli: Cli): void {
  const activate = group
    .command('activate')
    .summary('gives the activation code of a license server')
    .description(
      'The caller reads a License Server ID; this answers the activation code to read out. Asked again, it is ' +
        'the same code.',
    );
  withReason(withCaller(activate), 'why it is activated again, where it was deactivated')
    .option('--name <name>', 'what the caller calls the server')
    .action(
      cli.run(async ({ agreement, serverId, name, reason }: ActivateOptions) => {
        const number = agreementGiven(agreement);
        const answer = await askDesk(cli, '/v1/desk/activate', {
          ...{ agreement: number, serverId },
          ...(name === undefined ? {} : { name }),
          ...(reason === undefined ? {} : { reason }),
        });
        return deskOutcome(answer, (page) => page.text(`Activation under agreement ${number}.`));
      }),
    );
}
