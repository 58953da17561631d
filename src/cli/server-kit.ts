/** `calyx server kit add`: hands a license server the agreement kit that came with the paper agreement. */
import type { Command } from 'commander';
import { readTextFile } from './local-files.ts';
import type { Cli } from './main.ts';
import { done } from './outcome.ts';
import type { Status } from './server-answers.ts';
import { readStatus } from './server-answers.ts';
import { serverCommand, spokenId } from './server-words.ts';

type AddedKit = {
  readonly agreement: string;
  readonly customer: string;
  readonly slots: number;
  readonly lines: number;
};

export function register(group: Command, cli: Cli): void {
  const kit = group
    .command('kit')
    .summary('agreement kits')
    .description('Agreement kits of a license server.');
  kit
    .command('add')
    .summary('adds an agreement kit, or its newer form')
    .description(
      'Adds an agreement kit: signed anchors that let this server check the codes of its agreement without any ' +
        'connection. A newer kit of the same agreement adds products to the one that is there.',
    )
    .argument('<file>', 'the kit file')
    .action(
      cli.run(async (file: string) => {
        const text = readTextFile(file);
        const { added, status } = await cli.withApi('server', async (api) => ({
          added: await api.call<AddedKit>('POST', '/v1/admin/kits', { body: { file: text } }),
          status: await readStatus(api),
        }));
        return done({ ...added, licenseServerId: status.licenseServerId }, (page) => {
          page.title(`The kit of agreement ${added.agreement} is added.`).keyValues([
            ['Customer', added.customer],
            ['Products', added.lines],
            ['License servers it serves', added.slots],
          ]);
          if (isActive(status, added.agreement)) {
            page.next('What this server holds is shown by:').verbatim(serverCommand(cli, 'status'));
            return;
          }
          page
            .code('Read this License Server ID to the clearinghouse:', spokenId(status.licenseServerId))
            .next('Type the activation code that you are given (it begins with 4 or 5):')
            .verbatim(serverCommand(cli, 'activate', '--code', 'CODE'));
        });
      }),
    );
}

function isActive(status: Status, agreement: string): boolean {
  return status.agreements.some((row) => row.agreement === agreement && row.state === 'active');
}
