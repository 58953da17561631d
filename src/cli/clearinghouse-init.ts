/** `calyx clearinghouse init`: keys, database and publisher bundle of a new clearinghouse. */
import type { Command } from 'commander';
import { checkName } from '../core/product.ts';
import { commandLine } from './command-words.ts';
import { dataFolderOf } from './local-files.ts';
import type { Cli } from './main.ts';
import { done, must } from './outcome.ts';

interface InitOptions {
  readonly publisher: string;
  readonly instance?: string;
}

const sampleProduct = [
  '--id',
  'ts-2012r2',
  '--name',
  'Terminal Server 2012 R2',
  '--family',
  'ts',
  '--version',
  9,
];

export function register(group: Command, cli: Cli): void {
  group
    .command('init')
    .summary('makes keys, database and publisher bundle')
    .description(
      'Makes a new clearinghouse in --data DIR: the root key, the keys that issue, the database, the ' +
        "administrator's token and the publisher bundle that every license server is made with.",
    )
    .requiredOption('--publisher <name>', 'who publishes the products, as customers know it')
    .option(
      '--instance <dir>',
      'where the instance secret lives, outside every backup (default: DIR.instance)',
    )
    .action(
      cli.run(async (options: InitOptions) => {
        const dir = dataFolderOf(cli.settings, 'clearinghouse init --publisher NAME');
        const publisher = must(checkName('publisher', options.publisher));
        const { initClearinghouse } = await import('../clearinghouse/app.ts');
        const made = await initClearinghouse({ dir, publisher, instanceDir: options.instance });
        return done({ ...made }, (page) =>
          page
            .title(`The clearinghouse of ${made.publisher} is made.`)
            .keyValues([
              ['Data folder', dir],
              ['Publisher bundle', made.bundle],
              ['Administrator token', made.adminTokenFile],
              ['Root key', made.rootKeyFile],
            ])
            .text(
              'Move the root key to a place that no network reaches (a stick in a safe), and keep a copy in ' +
                'another safe: it signs the list of keys that everybody trusts, and the clearinghouse does not ' +
                'need it to run. The publisher bundle is no secret: every license server is made with it.',
            )
            .next('Start it, then enter what you sell and what was bought:')
            .verbatim([
              commandLine('calyx', 'clearinghouse', 'serve', '--data', dir),
              commandLine('calyx', 'clearinghouse', 'product', 'add', '--data', dir, ...sampleProduct),
            ]),
        );
      }),
    );
}
