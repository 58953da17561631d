/** `calyx desk repeat`: reads the codes of a license server again. */
import type { Command } from 'commander';
import { agreementGiven } from './asked-agreement.ts';
import type { CallerOptions } from './desk-answer.ts';
import { askDesk, deskOutcome, withCaller } from './desk-answer.ts';
import type { Cli } from './main.ts';

export function register(group: Command, cli: Cli): void {
  const repeat = group
    .command('repeat')
    .summary('reads the codes of a license server again')
    .description(
      'The current codes of a license server once more. The books do not move; a code typed twice changes nothing.',
    );
  withCaller(repeat).action(
    cli.run(async (options: CallerOptions) => {
      const agreement = agreementGiven(options.agreement);
      const answer = await askDesk(cli, '/v1/desk/repeat', { agreement, serverId: options.serverId });
      return deskOutcome(answer, (page) =>
        page.text(`The codes of this license server under agreement ${agreement}:`),
      );
    }),
  );
}
