/** `calyx clearinghouse recovery`: after a restore, who is awaited; and the decision not to wait for an agreement. */
import type { Command } from 'commander';
import { when } from '../protocol/problem-words.ts';
import { pathOf } from './client.ts';
import { nextCommand } from './command-words.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, WrongUsage } from './outcome.ts';

/** As the route answers it. */
type RecoveryView = {
  readonly recovery: { readonly epoch: number; readonly at: string; readonly backup: string } | null;
  readonly awaited: readonly {
    readonly agreement: string;
    /** Null: license servers that the backup does not know. */
    readonly licenseServerId: string | null;
    readonly name: string | null;
    readonly state: keyof typeof states;
    readonly missing: number;
    readonly until: string;
  }[];
};

interface RecoveryOptions {
  readonly open?: string;
  readonly statement?: string;
}

const states = {
  awaited: 'is to report, with its next contact',
  uncovered: 'has more CALs than the agreement has left: enter what was bought since, or look into it',
  certificate: 'has reported; waits for its new certificate',
} as const;

async function show(cli: Cli): Promise<Outcome> {
  const view = await cli.withApi('clearinghouse', (api) => api.call<RecoveryView>('GET', '/v1/recovery'));
  const { recovery, awaited } = view;
  return done({ ...view }, (page) => {
    if (recovery === null) {
      page.title('This clearinghouse was never restored.');
      return;
    }
    page.title(
      awaited.length === 0 ? 'The recovery is over.' : 'Recovery: some license servers are awaited.',
    );
    page.keyValues([
      ['Restored', when(recovery.at)],
      ['Backup of', when(recovery.backup)],
      ['Epoch', recovery.epoch],
    ]);
    if (awaited.length === 0) return;
    page.table(
      [{ title: 'Agreement' }, { title: 'License server' }, { title: 'State' }, { title: 'Until' }],
      awaited.map(({ agreement, licenseServerId, name, state, missing, until }) => [
        agreement,
        licenseServerId === null
          ? 'any that the backup does not know'
          : `${licenseServerId} ${name ?? ''}`.trim(),
        `${states[state]}${missing === 0 ? '' : ` (${missing} missing)`}`,
        until.slice(0, 10),
      ]),
      '',
    );
    page.text(
      'Until then their agreements get no new grant, move, undo, early release or activation by telephone. What is issued works.',
    );
    page.next(
      'Let each contact the clearinghouse, by connection or file. A supervisor who knows better decides:',
    );
    page.verbatim(
      nextCommand(
        cli.settings,
        'clearinghouse',
        'recovery',
        '--open',
        'AGREEMENT',
        '--statement',
        'NAME: REASON',
      ),
    );
  });
}

async function open(cli: Cli, agreement: string, statement: string): Promise<Outcome> {
  const question = `Grant to agreement ${agreement} again, although what was granted since the backup may be granted twice?`;
  if (!(await cli.confirm(question)))
    return done({ opened: 0 }, (page) => page.title('Nothing was changed.'));
  const { opened } = await cli.withApi('clearinghouse', (api) =>
    api.call<{ readonly opened: number }>('POST', `/v1/recovery${pathOf(agreement)}/open`, {
      body: { statement },
    }),
  );
  return done({ agreement, opened }, (page) =>
    page
      .title(opened === 0 ? 'Nobody was awaited.' : `Agreement ${agreement} is open again.`)
      .text('What its license servers report later is taken in all the same.'),
  );
}

export function register(group: Command, cli: Cli): void {
  group
    .command('recovery')
    .summary('after a restore: which license servers are awaited')
    .description(
      'Shows whether this clearinghouse was restored, and which license servers have to report before their agreements get ' +
        'anything new. --open is a supervisor’s decision not to wait; name and reason stand in the journal.',
    )
    .option('--open <agreement>', 'do not wait any longer for the license servers of this agreement')
    .option('--statement <text>', 'who decides it and why: "Ann Lee: …"')
    .action(
      cli.run(async ({ open: agreement, statement }: RecoveryOptions) => {
        if ((agreement === undefined) !== (statement === undefined)) {
          throw new WrongUsage('--open AGREEMENT and --statement "NAME: REASON" go together.');
        }
        if (agreement === undefined || statement === undefined) return show(cli);
        return open(cli, agreement, statement);
      }),
    );
}
