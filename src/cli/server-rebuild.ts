/**
 * `calyx server rebuild`: where the database is lost or damaged and there is no backup, the folder goes on as a new license
 * server, and the clearinghouse's own record says what it had (protocol §5.5).
 */
import type { Command } from 'commander';
import { normalizeLicenseServerId } from '../core/code.ts';
import type { RecoveryReason } from '../core/recovery.ts';
import { reasonText } from '../core/recovery.ts';
import { nodeDigest } from '../platform/digest.ts';
import { programAddress } from './arguments.ts';
import { dataFolderOf, readTextFile } from './local-files.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, must } from './outcome.ts';
import { withReason } from './recovery-options.ts';
import { readStatus } from './server-answers.ts';
import { showSuccession } from './server-successions.ts';

interface RebuildOptions {
  readonly reason: RecoveryReason;
  readonly from?: string;
  readonly bundle?: string;
  readonly clearinghouse?: string;
}

const question =
  'The database of this license server is set aside, and it goes on as a new license server without any CALs, until they ' +
  'are recovered from the clearinghouse. The one before is never activated again. Rebuild it?';

async function rebuild(cli: Cli, options: RebuildOptions): Promise<Outcome> {
  const { reason, from, clearinghouse: clearinghouseUrl } = options;
  const dir = dataFolderOf(cli.settings, 'server rebuild --reason REASON');
  const licenseServerId = from === undefined ? undefined : must(normalizeLicenseServerId(nodeDigest, from));
  const bundle = options.bundle === undefined ? undefined : readTextFile(options.bundle);
  if (!(await cli.confirm(question))) {
    return done({ rebuilt: false }, (page) => page.title('Nothing was changed.'));
  }
  const { rebuildServer } = await import('./connect-rebuild.ts');
  const { to, aside, signed } = await rebuildServer(dir, {
    ...{ reason, licenseServerId, bundle, clearinghouseUrl },
  });
  const status = await cli.withApi('server', readStatus);
  const [made] = status.successions.filter((each) => each.aside === aside.split(/[\\/]/).at(-1));
  return done({ ...made, rebuilt: true, licenseServerId: to, aside, signed }, (page) => {
    page.title(`The license server ${status.name} is rebuilt.`).keyValues([
      ['Reason', reasonText(reason)],
      ['The files before', aside],
      [
        'Its key before',
        signed
          ? 'still opens, and vouches for the new one'
          : 'does not open any more: a statement is needed (--statement)',
      ],
    ]);
    if (made !== undefined) showSuccession(page, cli, { status, succession: made });
  });
}

export function register(group: Command, cli: Cli): void {
  const command = group
    .command('rebuild')
    .summary('goes on as a new license server, where the database is lost or damaged')
    .description(
      'Sets the database aside and goes on as a new license server in the same folder, with a new License Server ID and no ' +
        'CALs: they come from the record of the clearinghouse (calyx server recover). Holders whom a sound database knows ' +
        'are honored meanwhile; otherwise those who show their license. Where there is a backup, restore that instead. ' +
        'The service must be stopped.',
    );
  withReason(command, 'why', { mandatory: true })
    .option('--from <code>', 'its License Server ID, where neither key nor database can say it')
    .option('--bundle <file>', "the publisher's bundle, where the database cannot be read")
    .option('--clearinghouse <url>', 'address of the clearinghouse, likewise', programAddress)
    .action(cli.run(async (options: RebuildOptions) => rebuild(cli, options)));
}
