/** `calyx desk key-pack`: a CAL Key Pack ID for CALs that the agreement covers. */
import type { Command } from 'commander';
import { quantity } from './arguments.ts';
import type { QuotedOptions } from './asked-agreement.ts';
import { agreementGiven, quotedFields, withQuotedFields } from './asked-agreement.ts';
import type { CallerOptions, DeskAnswer } from './desk-answer.ts';
import { askDesk, deskOutcome, withCaller, withProduct } from './desk-answer.ts';
import type { Cli } from './main.ts';

interface KeyPackOptions extends CallerOptions, QuotedOptions {
  readonly product: string;
  readonly type: string;
  readonly quantity: number;
}

type KeyPackAnswer = DeskAnswer & { readonly quantity: number; readonly total: number };

export function register(group: Command, cli: Cli): void {
  const keyPack = group
    .command('key-pack')
    .summary('gives a CAL Key Pack ID')
    .description(
      'Grants CALs to a license server and answers the CAL Key Pack ID to read out. Run again it grants again: ' +
        'to hear a code once more, use calyx desk repeat.',
    );
  withQuotedFields(withProduct(withCaller(keyPack)))
    .requiredOption('--quantity <count>', 'how many CALs', quantity)
    .action(
      cli.run(async (options: KeyPackOptions) => {
        const { serverId, product, type, quantity: count } = options;
        const agreement = agreementGiven(options.agreement);
        const body = { agreement, serverId, product, type, quantity: count, ...quotedFields(options) };
        const answer = (await askDesk(cli, '/v1/desk/key-pack', body)) as KeyPackAnswer;
        return deskOutcome(answer, (page) =>
          page.text(
            `${answer.quantity} CALs of ${product} per ${type} are granted under agreement ${agreement}; ` +
              `${answer.total} in total on this license server.`,
          ),
        );
      }),
    );
}
