/** `calyx server install`: CALs by connection, by file or by the CAL Key Pack ID that was read out. */
import type { Command } from 'commander';
import { quantity } from './arguments.ts';
import type { QuotedOptions } from './asked-agreement.ts';
import { quotedFields, withQuotedFields } from './asked-agreement.ts';
import type { ApiClient } from './client.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, Refused, WrongUsage } from './outcome.ts';
import type { Page } from './page.ts';
import type { AppliedResult, CodeOutcome, Status } from './server-answers.ts';
import { readStatus } from './server-answers.ts';
import type { AnswerFiles } from './server-files.ts';
import { applyAnswerFile, fileMissing, noteRefused, showCarrying, writeRequestFile } from './server-files.ts';
import { fromHelp, installTyped, readTyped } from './server-typed-code.ts';
import { agreementOf, calsOf, serverCommand, spokenId, spokenIdFields } from './server-words.ts';

interface InstallOptions extends QuotedOptions {
  readonly agreement?: string;
  readonly product?: string;
  readonly type?: string;
  readonly quantity?: number;
  readonly code?: string;
  readonly from?: string;
  readonly requestOut?: string;
  readonly response?: string;
}

type Installed = {
  readonly product: string;
  readonly type: string;
  readonly added: number;
  readonly installed: number;
  readonly waitingFor?: readonly string[];
};

/** The words of step 9, the numbers, and how to try it. */
export function showInstalled(page: Page, cli: Cli, installed: Installed): void {
  const { product, type, added } = installed;
  page.title('The client access licenses were installed successfully.').keyValues([
    ['Added', calsOf({ count: added, product, type })],
    ['Installed in all', installed.installed],
  ]);
  for (const source of installed.waitingFor ?? []) {
    page
      .text(
        `License server ${source} was declared to function no longer. If this key pack has its CALs, released early, ` +
          'type it again with its ID: its holders then have theirs first.',
      )
      .verbatim(serverCommand(cli, 'install', '--code', 'CODE', '--from', source));
  }
  page
    .next('See what is there, and try it with a client:')
    .verbatim([
      serverCommand(cli, 'status'),
      `calyx license request --server ADDRESS --product ${product} --${type === 'user' ? 'user' : 'device'} NAME`,
    ]);
}

/** The fields of the contract, and whatever else the server told. */
function installedOf(answer: CodeOutcome | AppliedResult): Installed {
  return {
    ...answer,
    product: String(answer['product'] ?? ''),
    type: String(answer['type'] ?? ''),
    added: Number(answer['added'] ?? 0),
    installed: Number(answer['installed'] ?? 0),
  };
}

async function byCode(
  cli: Cli,
  api: ApiClient,
  options: InstallOptions & { readonly code: string },
): Promise<Outcome> {
  const { code, from } = options;
  readTyped(code, ['key-pack', 'held-key-pack']);
  const installed = installedOf(await installTyped(cli, api, { code, from, quantity: options.quantity }));
  return done(installed, (page) => showInstalled(page, cli, installed));
}

/** What is asked for, with everything in it that must be said. */
function orderOf(options: InstallOptions) {
  const { agreement, product, type, quantity: count } = options;
  if (product === undefined || type === undefined || count === undefined) {
    throw new WrongUsage(
      'Say what is to be installed: --agreement N --product P --type device --quantity N (or --code CODE).',
    );
  }
  return {
    ...(agreement === undefined ? {} : { agreement }),
    ...{ product, type, quantity: count },
    ...quotedFields(options),
  };
}

async function byAnswerFile(cli: Cli, api: ApiClient, files: AnswerFiles): Promise<Outcome> {
  const { fresh, refused, requestFile } = await applyAnswerFile(api, files);
  noteRefused(cli, refused);
  const packs = fresh.filter((result) => result.message === 'key-pack').map(installedOf);
  const last = packs.at(-1);
  const receipt = requestFile === null ? {} : { requestFile };
  if (last !== undefined) {
    return done({ ...last, ...receipt, applied: packs }, (page) => {
      for (const pack of packs) showInstalled(page, cli, pack);
      if (requestFile !== null) page.text(`The receipt is in ${requestFile}: carry it to the clearinghouse.`);
    });
  }
  const status = await readStatus(api);
  return done({ applied: fresh, packs: status.packs, ...receipt }, (page) =>
    page
      .text(
        `The file was applied, but brought no key pack (${fresh.map((result) => result.message).join(', ')}).`,
      )
      .next('See what is there:')
      .verbatim(serverCommand(cli, 'status')),
  );
}

async function byRequestFile(
  cli: Cli,
  api: ApiClient,
  options: InstallOptions & { readonly requestOut: string },
): Promise<Outcome> {
  const order = orderOf(options);
  const asked = await api.call('POST', '/v1/admin/install', { body: { ...order, by: 'file' } });
  const requestFile = await writeRequestFile(api, options.requestOut);
  return done({ ...asked, requestFile }, (page) =>
    showCarrying(page, {
      ...{ requestFile, purpose: `The request for ${calsOf({ ...order, count: order.quantity })}` },
      commands: [serverCommand(cli, 'install', '--response', 'ANSWER-FILE')],
    }),
  );
}

/** Step 6 of the source document: the License Server ID is there to be read out. */
function byTelephone(cli: Cli, status: Status, options: InstallOptions): Outcome {
  const { licenseServerId, activation } = status;
  const ordering = [options.product, options.type, options.quantity].some((part) => part !== undefined);
  if (ordering && options.agreement === undefined) throw Refused.of({ code: 'agreement-missing' });
  if (activation === 'deactivated') throw Refused.of({ code: 'deactivated' });
  if (activation !== 'activated') throw Refused.of({ code: 'not-activated', agreement: null });
  const agreement = options.agreement ?? agreementOf(status);
  return done({ ...spokenIdFields(licenseServerId), agreement, method: status.method }, (page) =>
    page
      .code(
        `Read this License Server ID to the clearinghouse, agreement number ${agreement}, and say what you want installed:`,
        spokenId(licenseServerId),
      )
      .next(
        'Type the CAL Key Pack ID that you are given (it begins with 6 or 7; 8 or 9: held, with --from SOURCE-ID):',
      )
      .verbatim(serverCommand(cli, 'install', '--code', 'CODE')),
  );
}

async function install(cli: Cli, options: InstallOptions): Promise<Outcome> {
  const { code, response, requestOut } = options;
  if (code !== undefined && (response ?? requestOut) !== undefined) {
    throw new WrongUsage('Give either --code, or --request-out and --response.');
  }
  return cli.withApi('server', async (api) => {
    if (code !== undefined) return byCode(cli, api, { ...options, code });
    if (response !== undefined) return byAnswerFile(cli, api, { response, requestOut });
    if (requestOut !== undefined) return byRequestFile(cli, api, { ...options, requestOut });
    const status = await readStatus(api);
    if (status.method === 'telephone') return byTelephone(cli, status, options);
    if (status.method === 'web') throw fileMissing();
    const body = { ...orderOf(options), by: 'contact' };
    const installed = installedOf(await api.call<AppliedResult>('POST', '/v1/admin/install', { body }));
    return done(installed, (page) => showInstalled(page, cli, installed));
  });
}

export function register(group: Command, cli: Cli): void {
  const command = group
    .command('install')
    .summary('installs CALs')
    .description(
      'Installs CALs: by connection where the method is automatic, by file with --request-out and --response, by ' +
        'telephone with --code. Before a code brings anything it is asked: "+25 → total 125. Install?"',
    )
    .option('--agreement <number>', 'agreement or enrollment number of the paper agreement')
    .option('--product <id>', 'product version, for example ts-2012r2')
    .option('--type <type>', 'device, user or concurrent')
    .option('--quantity <count>', 'how many CALs; with --code a help to find them', quantity);
  withQuotedFields(command)
    .option('--code <code>', 'CAL Key Pack ID that was read out')
    .option('--from <id>', fromHelp)
    .option('--request-out <file>', 'write the request into a file to carry')
    .option('--response <file>', 'apply the answer that was brought back')
    .action(cli.run(async (options: InstallOptions) => install(cli, options)));
}
