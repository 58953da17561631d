/** `calyx server activate`: by connection, by file or by the code that was read out. */
import type { Command } from 'commander';
import type { JsonObject } from '../core/json.ts';
import type { ApiClient } from './client.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, WrongUsage } from './outcome.ts';
import type { Page } from './page.ts';
import { withReason } from './recovery-options.ts';
import type { Status } from './server-answers.ts';
import { readStatus } from './server-answers.ts';
import type { AnswerFiles } from './server-files.ts';
import { applyAnswerFile, fileMissing, noteRefused, showCarrying, writeRequestFile } from './server-files.ts';
import { applyTyped, readTyped } from './server-typed-code.ts';
import { agreementOf, serverCommand, spokenId, spokenIdFields } from './server-words.ts';

interface ActivateOptions {
  readonly agreement?: string;
  readonly code?: string;
  readonly requestOut?: string;
  readonly response?: string;
  readonly reason?: string;
}

/** The next step of an activated server: CALs are still to be installed. */
function showActivated(
  page: Page,
  cli: Cli,
  of: { readonly status: Status; readonly agreement: string },
): void {
  const { status, agreement } = of;
  page.title(`The license server ${status.name} is activated for agreement ${agreement}.`).keyValues([
    ['License Server ID', status.licenseServerId],
    ['Agreement', agreement],
    ['New holders get licenses until', status.horizon],
  ]);
  const order = ['--product', 'PRODUCT', '--type', 'device', '--quantity', 'QUANTITY'];
  if (status.method === 'telephone') {
    page
      .next(
        'Ask the representative for a CAL Key Pack ID (or freeze the CALs on the old server first, to move them), and type it:',
      )
      .verbatim(serverCommand(cli, 'install', '--code', 'CODE'));
  } else {
    const file = status.method === 'web' ? ['--request-out', 'REQUEST-FILE'] : [];
    page
      .next('Install CALs of this agreement, or move some here from another license server:')
      .verbatim(serverCommand(cli, 'install', '--agreement', agreement, ...order, ...file));
  }
}

/** What the server is now, under the agreement that was asked for; `receipt` is a file to carry back. */
function activated(
  cli: Cli,
  status: Status,
  of: { readonly agreement: string; readonly receipt?: string | null },
): Outcome {
  const { agreement, receipt = null } = of;
  const { licenseServerId, activation, assurance, method } = status;
  const horizon = status.agreements.find((row) => row.agreement === agreement)?.horizon ?? status.horizon;
  const fields = {
    ...{ licenseServerId, activation, agreement, horizon, assurance, method },
    ...(receipt === null ? {} : { requestFile: receipt }),
  };
  return done(fields, (page) => showActivated(page, cli, { status, agreement }));
}

async function byCode(
  cli: Cli,
  api: ApiClient,
  { code, reason }: ActivateOptions & { readonly code: string },
): Promise<Outcome> {
  readTyped(code, ['activation']);
  const { agreement } = await applyTyped(api, code, { reason });
  return activated(cli, await readStatus(api), { agreement });
}

async function byAnswerFile(cli: Cli, api: ApiClient, files: AnswerFiles): Promise<Outcome> {
  const { fresh, refused, requestFile } = await applyAnswerFile(api, files);
  noteRefused(cli, refused);
  const certificate = fresh.find((result) => result.message === 'activated');
  const status = await readStatus(api);
  const agreement = String(certificate?.['agreement'] ?? agreementOf(status));
  return activated(cli, status, { agreement, receipt: requestFile });
}

function askedBody({ agreement, reason }: ActivateOptions, by: 'file' | 'contact'): JsonObject {
  return {
    ...(agreement === undefined ? {} : { agreement }),
    ...(reason === undefined ? {} : { reason }),
    by,
  };
}

async function byRequestFile(
  cli: Cli,
  api: ApiClient,
  options: ActivateOptions & { readonly requestOut: string },
): Promise<Outcome> {
  const { agreement, requestOut } = options;
  const asked = await api.call('POST', '/v1/admin/activate', { body: askedBody(options, 'file') });
  const requestFile = await writeRequestFile(api, requestOut);
  return done({ ...asked, requestFile }, (page) =>
    showCarrying(page, {
      ...{ requestFile, purpose: `The request for activation under agreement ${agreement}` },
      commands: [serverCommand(cli, 'activate', '--response', 'ANSWER-FILE')],
    }),
  );
}

/** Telephone, and no code yet: what is read out to get one. */
function byTelephone(cli: Cli, status: Status, options: ActivateOptions): Outcome {
  const { licenseServerId, activation, method } = status;
  const missing = status.kits.length === 0;
  return done({ ...spokenIdFields(licenseServerId), activation, method, kits: status.kits }, (page) => {
    if (activation === 'activated') page.text('This license server is activated already; this is its ID.');
    const which = options.agreement ?? status.kits[0];
    const number = which === undefined ? 'the number of your agreement' : `agreement number ${which}`;
    page.code(`Read this License Server ID to the clearinghouse, and ${number}:`, spokenId(licenseServerId));
    page.next(
      `${missing ? 'Add the agreement kit, then type' : 'Type'} the activation code that you are given (it begins with 4 or 5):`,
    );
    page.verbatim([
      ...(missing ? [serverCommand(cli, 'kit add', 'KIT-FILE')] : []),
      serverCommand(cli, 'activate', '--code', 'CODE'),
    ]);
  });
}

async function activate(cli: Cli, options: ActivateOptions): Promise<Outcome> {
  const { agreement, code, response, requestOut } = options;
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
    await api.call('POST', '/v1/admin/activate', { body: askedBody(options, 'contact') });
    return activated(cli, await readStatus(api), { agreement: agreement ?? agreementOf(status) });
  });
}

export function register(group: Command, cli: Cli): void {
  const command = group
    .command('activate')
    .summary('activates the license server')
    .description(
      'Activates the license server: by connection where the method is automatic, by file with --request-out and ' +
        '--response, by telephone with --code. By telephone and without a code it shows the License Server ID to read out.',
    )
    .option('--agreement <number>', 'agreement or enrollment number of the paper agreement')
    .option('--code <code>', 'activation code that was read out')
    .option('--request-out <file>', 'write the request into a file to carry')
    .option('--response <file>', 'apply the answer that was brought back');
  withReason(command, 'why it is activated again, where it was deactivated').action(
    cli.run(async (options: ActivateOptions) => activate(cli, options)),
  );
}
