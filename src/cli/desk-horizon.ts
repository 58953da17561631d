/** `calyx desk horizon`: gives the yearly code. */
import type { Command } from 'commander';
import { agreementGiven } from './asked-agreement.ts';
import type { CallerOptions } from './desk-answer.ts';
import { askDesk, deskOutcome, withCaller } from './desk-answer.ts';
import type { Cli } from './main.ts';

export function register(group: Command, cli: Cli): void {
  const horizon = group
    .command('horizon')
    .summary('gives the yearly code')
    .description(
      'The horizon code of a license server: until when it may give CALs to new holders. Once a year, or where the caller asks.',
    );
  withCaller(horizon).action(
    cli.run(async (options: CallerOptions) => {
      const agreement = agreementGiven(options.agreement);
      const answer = await askDesk(cli, '/v1/desk/horizon', { agreement, serverId: options.serverId });
      return deskOutcome(answer, (page) =>
        page.text(
          `Under agreement ${agreement} this license server may give CALs to new holders until ${String(answer['horizon'])}.`,
        ),
      );
    }),
  );
}
