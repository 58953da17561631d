/** `calyx desk recover`: the caller's license server has come in the place of one that is no more. */
import type { Command } from 'commander';
import type { JsonObject } from '../core/json.ts';
import { when } from '../protocol/problem-words.ts';
import type { QuotedOptions } from './asked-agreement.ts';
import { agreementGiven, quotedFields, withQuotedFields } from './asked-agreement.ts';
import { askDesk, deskOutcome } from './desk-answer.ts';
import type { Cli } from './main.ts';
import { withReason } from './recovery-options.ts';

interface RecoverOptions extends QuotedOptions {
  readonly agreement?: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly statement: string;
  readonly by?: string;
}

type RecoveredLine = JsonObject & {
  readonly move: string;
  readonly product: string;
  readonly type: string;
  readonly state: string;
  readonly units: number;
  readonly unitsAtRisk: number;
  readonly until: string | null;
};

function lineText({ state, units, unitsAtRisk, until }: RecoveredLine): string {
  if (state === 'dead-wait') return 'waits';
  const risk = until === null ? '' : `, ${unitsAtRisk} at risk until ${when(until)}`;
  return `${units} CALs${risk}`;
}

export function register(group: Command, cli: Cli): void {
  const recover = group
    .command('recover')
    .summary('recovers the CALs of a license server that another has come in the place of')
    .description(
      'The operating system of a license server was replaced, or its database was lost, and the caller has it as a new ' +
        'license server, which is activated. All that the books have committed to the old one goes to the new one, of every ' +
        'product: at once, once in 12 months for an agreement unless its policy says wait; else a second person approves ' +
        'it (calyx desk approve), or the horizon of the old one passes. The old one is never activated again.',
    )
    .option('--agreement <number>', 'agreement or enrollment number, as the caller reads it')
    .requiredOption('--from <code>', 'License Server ID of the old server')
    .requiredOption('--to <code>', 'License Server ID of the new server');
  withQuotedFields(withReason(recover, 'why, as the caller says', { mandatory: true }))
    .requiredOption('--statement <text>', '"NAME: what happened", as the caller declares it')
    .option('--by <name>', 'who enters it, and cannot be the second person')
    .action(
      cli.run(async (options: RecoverOptions) => {
        const { from, to, reason, statement, by } = options;
        const agreement = agreementGiven(options.agreement);
        const answer = await askDesk(cli, '/v1/desk/recoveries', {
          ...{ agreement, from, to, reason, statement, ...quotedFields(options) },
          ...(by === undefined ? {} : { by }),
        });
        const lines = answer['lines'] as readonly RecoveredLine[];
        return deskOutcome(answer, (page) =>
          page
            .text(`The recovery under agreement ${agreement} is entered.`)
            .keyValues([
              ['From', String(answer['from'])],
              ['To', String(answer['to'])],
              ...lines.map((line) => [`${line.product} per ${line.type}`, lineText(line)] as const),
            ]),
        );
      }),
    );
}
