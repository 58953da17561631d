/** `calyx server deactivate`: step 10 of the source document, by connection, file or telephone. */
import type { Command } from 'commander';
import type { JsonObject } from '../core/json.ts';
import type { ApiClient } from './client.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, Refused, WrongUsage } from './outcome.ts';
import type { Page } from './page.ts';
import type { Status, ToldCode } from './server-answers.ts';
import { readStatus } from './server-answers.ts';
import type { AnswerFiles } from './server-files.ts';
import { applyAnswerFile, fileMissing, noteRefused, showCarrying, writeRequestFile } from './server-files.ts';
import { showTold } from './server-told.ts';
import { heldInstallCommand, otherServerCommand, serverCommand } from './server-words.ts';

interface DeactivateOptions {
  readonly return?: boolean;
  readonly codeOut?: boolean;
  readonly requestOut?: string;
  readonly response?: string;
}

type Deactivated = JsonObject & {
  readonly codes: readonly ToldCode[];
  readonly request: string | null;
  readonly unissued: number;
  readonly held: number;
  readonly alsoFrom: readonly string[];
};

async function post(
  api: ApiClient,
  options: DeactivateOptions,
  by: 'contact' | 'file' | 'telephone',
): Promise<Deactivated> {
  const body = { returnUnissued: options.return === true, by };
  return api.call<Deactivated>('POST', '/v1/admin/deactivate', { body });
}

/** What has happened, and what has not. */
function showClosed(page: Page): void {
  page
    .title('The license server is deactivated: it gives out no more licenses.')
    .text('Licenses that are out there stay valid until they end.');
}

/** Where the CALs went, and how the clients get there. */
function showAfter(page: Page, status: Status, { unissued, held, alsoFrom }: Deactivated): void {
  if (held > 0) {
    page
      .next(
        'The representative answers with the key pack of the CALs that have holders. Type it on the new license server:',
      )
      .verbatim(heldInstallCommand(status.licenseServerId, alsoFrom));
  } else if (unissued > 0) {
    page
      .next('If the key pack of this move was not read out yet, type it on the new license server:')
      .verbatim(otherServerCommand('install', '--code', 'CODE'));
  } else {
    page.next('This server may be switched off once the representative has taken the code in.');
  }
}

function byTelephone(status: Status, result: Deactivated): Outcome {
  const { codes, unissued, held } = result;
  const last = codes.at(-1);
  const { code, digits, spelled, kind } = last ?? {
    code: null,
    digits: null,
    spelled: null,
    kind: 'deactivated',
  };
  const fields = { activation: 'deactivated', code, digits, spelled, kind, unissued, held, codes };
  return done(fields, (page) => {
    showClosed(page);
    if (codes.length > 1) page.text(`There are ${codes.length} codes to read, in this order.`);
    for (const each of codes) showTold(page, each);
    showAfter(page, status, result);
  });
}

/** Closed already, and the clearinghouse perhaps not told yet: telling it again does no harm. */
export async function deactivateByContact(
  cli: Cli,
  api: ApiClient,
  options: DeactivateOptions,
): Promise<Outcome> {
  let result: Pick<Deactivated, 'unissued' | 'held'> = { unissued: 0, held: 0 };
  try {
    result = await post(api, options, 'contact');
  } catch (error) {
    if (!(error instanceof Refused) || error.refused.code !== 'deactivated') throw error;
    await api.call('POST', '/v1/admin/contact', { body: { waitMs: 0 } });
  }
  const { unissued, held } = result;
  return done({ activation: 'deactivated', code: null, codes: [], unissued, held }, (page) => {
    showClosed(page);
    page
      .text('The clearinghouse knows of it.')
      .next('This server may be switched off now. What it was is shown by:')
      .verbatim(serverCommand(cli, 'status'));
  });
}

/** A server that is closed already still has its message to carry, until the answer is here. */
async function byFile(
  cli: Cli,
  api: ApiClient,
  options: DeactivateOptions & { readonly requestOut: string },
): Promise<Outcome> {
  let again = false;
  try {
    await post(api, options, 'file');
  } catch (error) {
    if (!(error instanceof Refused) || error.refused.code !== 'deactivated') throw error;
    again = true;
  }
  const requestFile = await writeRequestFile(api, options.requestOut);
  return done({ activation: 'deactivated', code: null, codes: [], requestFile, again }, (page) => {
    showClosed(page);
    showCarrying(page, {
      ...{ requestFile, purpose: 'The report to the clearinghouse' },
      commands: [serverCommand(cli, 'deactivate', '--response', 'ANSWER-FILE')],
    });
  });
}

async function byAnswer(cli: Cli, api: ApiClient, files: AnswerFiles): Promise<Outcome> {
  const { fresh, refused, requestFile } = await applyAnswerFile(api, files);
  noteRefused(cli, refused);
  const { activation } = await readStatus(api);
  return done({ activation, applied: fresh, ...(requestFile === null ? {} : { requestFile }) }, (page) =>
    page
      .title('The answer is applied.')
      .keyValues([['Activation', activation]])
      .next('This server may be switched off now. What it was is shown by:')
      .verbatim(serverCommand(cli, 'status')),
  );
}

async function deactivate(cli: Cli, options: DeactivateOptions): Promise<Outcome> {
  const { codeOut, requestOut, response } = options;
  if (codeOut === true && (requestOut ?? response) !== undefined) {
    throw new WrongUsage('Give either --code-out, or --request-out and --response.');
  }
  return cli.withApi('server', async (api) => {
    if (response !== undefined) return byAnswer(cli, api, { response, requestOut });
    if (requestOut !== undefined) return byFile(cli, api, { ...options, requestOut });
    const status = await readStatus(api);
    if (codeOut === true || status.method === 'telephone')
      return byTelephone(status, await post(api, options, 'telephone'));
    if (status.method === 'web') throw fileMissing();
    return deactivateByContact(cli, api, options);
  });
}

export function register(group: Command, cli: Cli): void {
  group
    .command('deactivate')
    .summary('releases what is frozen, gives back what is unissued, and closes')
    .description(
      'Deactivates this license server, after its CALs were moved: what is frozen is given up to the move, what is ' +
        'unissued is given back with --return, and the clearinghouse is told by connection, file or code.',
    )
    .option('--return', 'give back what is unissued')
    .option('--code-out', 'show the codes that tell the clearinghouse')
    .option('--request-out <file>', 'write the report into a file to carry')
    .option('--response <file>', 'apply the answer that was brought back')
    .action(cli.run(async (options: DeactivateOptions) => deactivate(cli, options)));
}
