/** `calyx server init`: keys, License Server ID and database of a new license server. */
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { checkName } from '../core/product.ts';
import { adminTokenFile } from '../platform/data-folder.ts';
import { nodeDigest } from '../platform/digest.ts';
import { openKit, readKitFile } from '../protocol/authority.ts';
import { openTrustList, readPublisherBundle } from '../protocol/trust.ts';
import type { MadeServer, ServerInit } from '../server/app.ts';
import { programAddress } from './arguments.ts';
import { dataFolderOf, readTextFile } from './local-files.ts';
import type { Cli } from './main.ts';
import { done, must, Refused } from './outcome.ts';
import type { Page } from './page.ts';
import type { Status } from './server-answers.ts';
import { readStatus } from './server-answers.ts';
import { agreementOf, serverCommand, spokenId } from './server-words.ts';

interface InitOptions {
  readonly bundle: string;
  readonly kit?: string;
  readonly name?: string;
  readonly clearinghouse?: string;
  readonly instance?: string;
  readonly volume?: string;
}

/** Looks at the kit before anything is made, so that a wrong file leaves nothing half done. */
function checkKit(bundle: string, kit: string): void {
  const { root } = must(readPublisherBundle(nodeDigest, bundle));
  const file = must(readKitFile(kit));
  must(openKit(file.kit, must(openTrustList(nodeDigest, file.trustLists.at(-1) ?? '', [root]))));
}

async function make(order: ServerInit): Promise<MadeServer> {
  const { initServer, RefusedInit } = await import('../server/app.ts');
  try {
    return await initServer(order);
  } catch (error) {
    if (!(error instanceof RefusedInit)) throw error;
    throw Refused.of(error.refusal, { cause: error });
  }
}

async function init(cli: Cli, options: InitOptions): Promise<{ status: Status; fields: Status }> {
  const dir = dataFolderOf(cli.settings, 'server init --bundle FILE');
  const bundle = readTextFile(options.bundle);
  const kit = options.kit === undefined ? undefined : readTextFile(options.kit);
  if (kit !== undefined) checkKit(bundle, kit);
  const name = must(checkName('name', options.name ?? hostname()));
  const { clearinghouse: clearinghouseUrl, instance, volume } = options;
  const made = await make({ dir, name, bundle, clearinghouseUrl, instanceDir: instance, volume });
  const status = await cli.withApi('server', async (api) => {
    if (kit !== undefined) await api.call('POST', '/v1/admin/kits', { body: { file: kit } });
    return readStatus(api);
  });
  const more = { data: dir, instanceDir: made.instanceDir, adminTokenFile: adminTokenFile(dir) };
  return { status, fields: { ...status, ...more } };
}

/** The shortest way to an activated server from here, by the method in force. */
function showNext(page: Page, cli: Cli, status: Status): void {
  const agreement = agreementOf(status);
  if (status.method === 'automatic') {
    page
      .next('Activate it; you need the agreement number of the paper agreement:')
      .verbatim(serverCommand(cli, 'activate', '--agreement', agreement));
  } else if (status.kits.length === 0) {
    page
      .next(
        'Add the agreement kit that came with the paper agreement (then activate by telephone), or activate by file:',
      )
      .verbatim([
        serverCommand(cli, 'kit add', 'KIT-FILE'),
        serverCommand(cli, 'activate', '--agreement', agreement, '--request-out', 'REQUEST-FILE'),
      ]);
  } else {
    page
      .next(
        'Telephone the clearinghouse, read the License Server ID and the agreement number, and type the code you are given:',
      )
      .verbatim(serverCommand(cli, 'activate', '--code', 'CODE'));
  }
}

export function register(group: Command, cli: Cli): void {
  group
    .command('init')
    .summary('makes a new license server: its keys, its License Server ID and its database')
    .description(
      'Makes a new license server in --data DIR, with the publisher bundle of the publisher whose CALs it is ' +
        'to hold. The License Server ID comes from its own new key.',
    )
    .requiredOption('--bundle <file>', "the publisher's bundle")
    .option('--kit <file>', 'agreement kit, for activation by telephone')
    .option('--name <name>', 'name for people (default: the name of this machine)')
    .option('--clearinghouse <url>', 'address of the clearinghouse, for the automatic method', programAddress)
    .option(
      '--instance <dir>',
      'where the instance secret lives, outside every backup (default: DIR.instance)',
    )
    .option('--volume <id>', 'in a container: what its volume is known by, in place of the machine')
    .action(
      cli.run(async (options: InitOptions) => {
        const { status, fields } = await init(cli, options);
        return done(fields, (page) => {
          page
            .title(`The license server ${status.name} is made.`)
            .keyValues([
              ['Data folder', String(fields['data'])],
              ['Instance secret', `${String(fields['instanceDir'])} (leave it out of backups)`],
              ['Publisher', status.publisher],
              [
                'Agreement kit',
                status.kits.length === 0 ? 'none yet' : `agreement ${status.kits.join(', ')}`,
              ],
              ['Method', status.method],
            ])
            .code('Its License Server ID:', spokenId(status.licenseServerId));
          showNext(page, cli, status);
        });
      }),
    );
}
