/** `calyx clearinghouse agreement …`: what customers bought, and where those CALs are. */
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { programs } from '../core/agreement.ts';
import type { RecoveryPolicy } from '../core/recovery.ts';
import { recoveryPolicies } from '../core/recovery.ts';
import { percent, quantity } from './arguments.ts';
import type { QuotedOptions } from './asked-agreement.ts';
import { agreementGiven, quotedFields, withQuotedFields } from './asked-agreement.ts';
import { pathOf } from './client.ts';
import { nextCommand } from './command-words.ts';
import type { Risk } from './desk-move-view.ts';
import { riskText } from './desk-move-view.ts';
import { lists } from './list-options.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';
import type { Page } from './page.ts';

export type AgreementLine = {
  readonly line: number;
  readonly product: string;
  readonly name: string;
  readonly type: string;
  readonly entitled: number;
  readonly inHand: number;
  readonly committed: number;
  readonly inTransit: number;
  readonly quarantined: number;
  readonly retired: number;
};

export type Agreement = {
  readonly number: string;
  readonly program: string;
  readonly customer: string;
  readonly authorization: string | null;
  readonly license: string | null;
  readonly lines: readonly AgreementLine[];
  readonly recovery: RecoveryPolicy;
  readonly recoveryShare: number;
  readonly atRisk: readonly (Risk & { readonly move: string; readonly line: number })[];
};

interface AddOptions extends QuotedOptions {
  readonly number?: string;
  readonly program: string;
  readonly customer: string;
  readonly product: string;
  readonly type: string;
  readonly quantity: number;
}

export function register(group: Command, cli: Cli): void {
  const agreement = group
    .command('agreement')
    .summary('agreements: add, list, show, recovery')
    .description('What customers bought: agreements with their license programs, products and quantities.');
  registerAdd(agreement, cli);
  registerList(agreement, cli);
  registerShow(agreement, cli);
  registerRecovery(agreement, cli);
}

/** What a license program is called; an unknown one is shown as it is. */
export function programName(id: string): string {
  return Object.hasOwn(programs, id) ? programs[id as keyof typeof programs].name : id;
}

/** Where the CALs of one line are, as a sum that can be checked by reading it. */
function whereTheyAre(line: AgreementLine): string {
  const { entitled, inHand, committed, inTransit, quarantined, retired } = line;
  return (
    `${entitled} entitled = ${inHand} in hand + ${committed} committed to servers + ${inTransit} in transit + ` +
    `${quarantined} quarantined + ${retired} retired`
  );
}

/** What a line is of. */
function lineText({ name, product, type }: AgreementLine): string {
  return `${name} (${product}), CALs per ${type}`;
}

function showAgreement(page: Page, agreement: Agreement): Page {
  page.keyValues([
    ['Agreement', agreement.number],
    ['License program', programName(agreement.program)],
    ['Customer', agreement.customer],
    ...(agreement.authorization === null ? [] : [['Authorization', agreement.authorization] as const]),
    ...(agreement.license === null ? [] : [['License', agreement.license] as const]),
    ['Recovery', recoveryText(agreement)],
  ]);
  for (const line of agreement.lines) {
    page.text(`${lineText(line)}:
${whereTheyAre(line)}`);
  }
  for (const line of agreement.lines) {
    for (const risk of agreement.atRisk.filter((each) => each.line === line.line)) {
      page.text(`At risk, ${lineText(line)}, by move ${risk.move}: ${riskText(risk)}.`);
    }
  }
  return page;
}

function registerAdd(agreement: Command, cli: Cli): void {
  const add = agreement
    .command('add')
    .summary('enters what was bought')
    .description(
      'Enters an agreement. Naming a known one adds to it: more CALs of a product, or another product.',
    )
    .option('--number <number>', 'agreement or enrollment number, as on the paper')
    .addOption(
      new Option('--program <program>', 'license program')
        .choices(Object.keys(programs))
        .makeOptionMandatory(),
    )
    .requiredOption('--customer <name>', 'who bought it')
    .requiredOption('--product <id>', 'the product, as entered with product add')
    .addOption(
      new Option('--type <type>', 'kind of CAL')
        .choices(['device', 'user', 'concurrent'])
        .makeOptionMandatory(),
    )
    .requiredOption('--quantity <count>', 'how many CALs were bought', quantity);
  withQuotedFields(add).action(
    cli.run(async (options: AddOptions) => {
      const { program, customer, product, type, quantity: bought } = options;
      const number = agreementGiven(options.number);
      const body = { number, program, customer, product, type, quantity: bought, ...quotedFields(options) };
      const added = await cli.withApi('clearinghouse', (api) =>
        api.call<Agreement>('POST', '/v1/agreements', { body }),
      );
      const kit = nextCommand(
        cli.settings,
        'clearinghouse',
        'kit',
        '--agreement',
        added.number,
        '--out',
        'agreement-kit.json',
      );
      return done({ ...added }, (page) =>
        showAgreement(page.text(`${bought} CALs are entered.`), added).next(
          `Make the agreement kit that goes with the paper: ${kit}`,
        ),
      );
    }),
  );
}

function registerList(agreement: Command, cli: Cli): void {
  const list = agreement
    .command('list')
    .summary('shows all agreements')
    .description('Shows all agreements and where their CALs are.');
  lists<Agreement>(list, cli, {
    program: 'clearinghouse',
    path: '/v1/agreements',
    show: (page, items) => {
      const rows = items.flatMap(({ number, customer, lines }) =>
        lines.map((line) => [
          ...[number, customer, line.product, line.type, line.entitled, line.inHand, line.committed],
          ...[line.inTransit, line.quarantined, line.retired],
        ]),
      );
      page.table(listColumns, rows, noAgreements);
    },
  });
}

const noAgreements = 'No agreements yet: calyx clearinghouse agreement add enters one.';

const listColumns = [
  ...['Agreement', 'Customer', 'Product', 'Type'].map((title) => ({ title })),
  ...['Entitled', 'In hand', 'Committed', 'In transit', 'Quarantined', 'Retired'].map((title) => ({
    title,
    align: 'right' as const,
  })),
];

function agreementArgument(text: string): string {
  if (text.trim() !== '') return text.trim();
  throw new InvalidArgumentError('It is empty.');
}

function recoveryText({ recovery, recoveryShare: share }: Agreement): string {
  if (recovery === 'wait') return 'waits for the horizon of the old server, or a second person';
  const part =
    share === 100
      ? 'all'
      : `${share} % of what is unissued; the rest when the horizon of the old server has passed`;
  return `immediate, once in 12 months without a second person: ${part}`;
}

function registerRecovery(agreement: Command, cli: Cli): void {
  agreement
    .command('recovery')
    .summary('says whether CALs of a server that comes back as a new one are recovered at once')
    .description(
      'After an operating system was replaced or a database lost, the CALs come to the new license server at once, once in ' +
        '12 months (immediate), or only when the horizon of the old one has passed or a second person agrees (wait).',
    )
    .argument('<number>', 'agreement or enrollment number', agreementArgument)
    .addOption(
      new Option('--policy <policy>', 'what holds from now on')
        .choices([...recoveryPolicies])
        .makeOptionMandatory(),
    )
    .option(
      '--share <percent>',
      'how much of what is unissued comes at once; as it was where it is not named',
      percent,
    )
    .action(
      cli.run(async (number: string, body: { readonly policy: RecoveryPolicy; readonly share?: number }) => {
        const path = [...['v1', 'agreements'], number, 'recovery'] as const;
        const found = await cli.withApi('clearinghouse', (api) =>
          api.call<Agreement>('PUT', pathOf(...path), { body: { ...body } }),
        );
        return done({ ...found }, (page) => showAgreement(page, found));
      }),
    );
}

function registerShow(agreement: Command, cli: Cli): void {
  agreement
    .command('show')
    .summary('shows one agreement, and where its CALs are')
    .description('Shows one agreement, and where its CALs are.')
    .argument('<number>', 'agreement or enrollment number', agreementArgument)
    .action(
      cli.run(async (number: string) => {
        const found = await cli.withApi('clearinghouse', (api) =>
          api.call<Agreement>('GET', pathOf('v1', 'agreements', number)),
        );
        return done({ ...found }, (page) => showAgreement(page, found));
      }),
    );
}
