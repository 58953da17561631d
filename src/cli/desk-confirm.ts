/** `calyx desk confirm`: takes in what the customer reads. */
import type { Command } from 'commander';
import type { DeskAnswer } from './desk-answer.ts';
import { askDesk, deskOutcome } from './desk-answer.ts';
import type { Cli } from './main.ts';

type ConfirmAnswer = DeskAnswer & {
  readonly kind: string;
  readonly unissued: number;
  readonly held: number;
  readonly server: string;
  /** Where it is a yearly report: the day up to which CALs may be given out. */
  readonly horizon?: string;
};

const cals = (count: number): string => (count === 1 ? '1 CAL' : `${count} CALs`);

/** What the code says that the license server has done. */
function whatWasDone({ kind, unissued, held, server, horizon }: ConfirmAnswer): string {
  const amounts = `${cals(unissued + held)} (${unissued} unissued, ${held} with holders)`;
  switch (kind) {
    case 'frozen':
      return `Taken in: ${server} has frozen ${amounts}.`;
    case 'released':
      return `Taken in: ${server} has released ${amounts}.`;
    case 'deactivated':
      return `Taken in: ${server} has released ${amounts} and is deactivated.`;
    case 'returned':
      return `Taken in: ${server} has given back ${cals(unissued)}.`;
    case 'heartbeat':
      return `Taken in: the yearly report of ${server}. It may give CALs to new holders until ${String(horizon)}.`;
    default:
      return `Taken in: ${kind} of ${server}, ${amounts}.`;
  }
}

export function register(group: Command, cli: Cli): void {
  group
    .command('confirm')
    .summary('takes in a code that the customer reads')
    .description(
      'Takes in a confirmation that the customer reads (frozen, released, returned, yearly report, deactivated) ' +
        'and answers what to read out next. The same code again gets the same answer.',
    )
    .argument('<code...>', 'the code, in either form, with or without spaces')
    .option(
      '--server-id <code>',
      'License Server ID of the caller; without it all open moves and servers are tried',
    )
    .action(
      cli.run(async (code: readonly string[], options: { readonly serverId?: string }) => {
        const answer = (await askDesk(cli, '/v1/desk/confirm', {
          code: code.join(' '),
          ...(options.serverId === undefined ? {} : { serverId: options.serverId }),
        })) as ConfirmAnswer;
        return deskOutcome(answer, (page) => page.text(whatWasDone(answer)));
      }),
    );
}
