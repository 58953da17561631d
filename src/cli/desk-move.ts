/** `calyx desk move`: enters a move between two license servers that the caller asks for. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { quantityOrAll } from './arguments.ts';
import type { QuotedOptions } from './asked-agreement.ts';
import { agreementGiven, quotedFields, withQuotedFields } from './asked-agreement.ts';
import { askDesk, deskOutcome, withProduct } from './desk-answer.ts';
import { rehearseDeskMove } from './desk-move-rehearsal.ts';
import type { Cli } from './main.ts';

interface MoveOptions extends QuotedOptions {
  readonly agreement?: string;
  readonly from: string;
  readonly to: string;
  readonly product: string;
  readonly type: string;
  readonly quantity: number | 'all';
  readonly reason: string;
  readonly statement?: string;
  readonly by?: string;
  readonly dryRun?: boolean;
}

export function register(group: Command, cli: Cli): void {
  const move = group
    .command('move')
    .summary('starts a move between two license servers')
    .description(
      'Enters a move by telephone. Nothing is read out yet: the caller freezes the CALs on the source and reads ' +
        'its code (calyx desk confirm). From a source that no longer functions (--reason dead, with what the caller ' +
        'declares), the CALs wait until its horizon has passed.',
    )
    .option('--agreement <number>', 'agreement or enrollment number, as the caller reads it')
    .requiredOption('--from <code>', 'License Server ID of the source')
    .requiredOption('--to <code>', 'License Server ID of the target');
  withQuotedFields(withProduct(move))
    .requiredOption('--quantity <count>', 'how many CALs, or all', quantityOrAll)
    .addOption(
      new Option('--reason <reason>', 'the source is being replaced, or no longer functions')
        .choices(['replaced', 'dead'])
        .makeOptionMandatory(),
    )
    .option('--statement <text>', 'with --reason dead: "NAME: what happened", as the caller declares it')
    .option('--by <name>', 'with --reason dead: who enters it, and cannot be the second person')
    .option('--dry-run', 'rehearse: say what would happen, on the real books, and change nothing')
    .action(
      cli.run(async (options: MoveOptions) => {
        const { from, to, product, type, quantity, reason, statement, by } = options;
        const agreement = agreementGiven(options.agreement);
        const body = {
          ...{ agreement, from, to, product, type, quantity, reason, ...quotedFields(options) },
          ...(statement === undefined ? {} : { statement }),
          ...(by === undefined ? {} : { by }),
        };
        if (options.dryRun === true) return rehearseDeskMove(cli, body);
        const answer = await askDesk(cli, '/v1/desk/moves', body);
        return deskOutcome(answer, (page) =>
          page
            .text(`The move of ${product} CALs per ${type} under agreement ${agreement} is entered.`)
            .keyValues([
              ['Move', String(answer['move'])],
              ['From', String(answer['from'])],
              ['To', String(answer['to'])],
              ['CALs', quantity],
            ]),
        );
      }),
    );
}
