/**
 * `calyx clearinghouse trust-list …`: the list of keys that everybody trusts, which ends once a year. The next one is
 * signed where the root key is, which no network reaches, and imported where the clearinghouse is (protocol §4.5).
 */
import type { Command } from 'commander';
import { systemClock } from '../platform/clock.ts';
import { nodeDigest } from '../platform/digest.ts';
import { readKeyFile } from '../platform/instance-secret.ts';
import { signingKeyFromSeed } from '../platform/signing.ts';
import { when } from '../protocol/problem-words.ts';
import { keyId, readPublisherBundle } from '../protocol/trust.ts';
import { nextPublisherBundle } from '../protocol/trust-lists.ts';
import { commandLine, nextCommand } from './command-words.ts';
import { readTextFile, writeOutFile } from './local-files.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, must, WrongUsage } from './outcome.ts';
import type { Page } from './page.ts';

/** As the route answers it. */
type View = {
  readonly version: number;
  readonly publisher: string;
  readonly issuedAt: string;
  readonly expiresAt: string;
  readonly daysLeft: number;
  readonly renewalDue: boolean;
  readonly roots: readonly string[];
  readonly keys: readonly {
    readonly id: string;
    readonly role: string;
    readonly expiresAt: string;
    readonly revoked: boolean;
  }[];
};

interface SignOptions {
  readonly bundle: string;
  readonly rootKey: string;
  readonly out: string;
}

const signing = [
  ...['clearinghouse', 'trust-list', 'sign', '--bundle', 'publisher-bundle.json'],
  ...['--root-key', 'root.key', '--out', 'next-bundle.json'],
];

function terms(page: Page, view: View): void {
  page.keyValues([
    ['Version', view.version],
    ['Signed', when(view.issuedAt)],
    ['Ends', `${when(view.expiresAt)} (${daysWords(view.daysLeft)})`],
  ]);
  page.table(
    [{ title: 'Key' }, { title: 'Signs' }, { title: 'Until' }],
    view.keys.map(({ id, role, expiresAt, revoked }) => [
      id,
      role === 'issue' ? 'kits, certificates, messages' : 'journals',
      revoked ? 'revoked' : expiresAt.slice(0, 10),
    ]),
    '',
  );
}

function daysWords(days: number): string {
  if (days < 0) return 'it has ended';
  return days === 1 ? '1 day left' : `${days} days left`;
}

async function show(cli: Cli): Promise<Outcome> {
  const view = await cli.withApi('clearinghouse', (api) => api.call<View>('GET', '/v1/trust-list'));
  return done({ ...view }, (page) => {
    page.title(`The trust list of ${view.publisher}`);
    terms(page, view);
    if (!view.renewalDue) return;
    page.text(
      view.daysLeft < 0
        ? 'License servers refuse what this clearinghouse sends them, until the next list is in force. Codes and licenses go on.'
        : 'The next list is due: once this one has ended, license servers refuse what this clearinghouse sends them.',
    );
    page.next('Sign the next one where the root key is, and import it here:');
    page.verbatim([
      commandLine('calyx', ...signing),
      nextCommand(cli.settings, 'clearinghouse', 'trust-list', 'import', 'next-bundle.json'),
    ]);
  });
}

/** The root key of a file that `init` has written. */
function rootKeyOf(path: string): ReturnType<typeof signingKeyFromSeed> {
  const seed = readKeyFile(path);
  if (seed.length !== 32)
    throw new WrongUsage(`${path} is not a root key: it has ${seed.length} bytes, not 32.`);
  return signingKeyFromSeed(seed, (publicKey) => keyId(nodeDigest, publicKey));
}

function sign(options: SignOptions): Outcome {
  const bundle = readTextFile(options.bundle);
  const by = { root: rootKeyOf(options.rootKey), nowMs: systemClock.nowMs() };
  const next = must(nextPublisherBundle(nodeDigest, bundle, by));
  const { publisher, trustList } = must(readPublisherBundle(nodeDigest, next));
  const out = writeOutFile(options.out, next, 0o644);
  const { version, exp: expiresAt } = trustList;
  return done({ publisher, version, expiresAt, out }, (page) =>
    page
      .title(`Trust list ${version} of ${publisher} is signed.`)
      .keyValues([
        ['Ends', when(expiresAt)],
        ['File', out],
      ])
      .text('The file is no secret. It comes into force when the clearinghouse has imported it.')
      .next('Where the clearinghouse is:')
      .verbatim([
        commandLine('calyx', 'clearinghouse', 'trust-list', 'import', options.out, '--data', 'DIR'),
      ]),
  );
}

async function importList(cli: Cli, path: string): Promise<Outcome> {
  const file = readTextFile(path);
  const view = await cli.withApi('clearinghouse', (api) =>
    api.call<View & { readonly imported: boolean }>('PUT', '/v1/trust-list', { body: { file } }),
  );
  return done({ ...view }, (page) => {
    page.title(
      view.imported
        ? `Trust list ${view.version} is in force.`
        : `Nothing was changed: trust list ${view.version} is in force already.`,
    );
    terms(page, view);
    if (!view.imported) return;
    page.text(
      'License servers take it with their next contact, answer file or agreement kit. The publisher bundle in the data folder is the new one: new license servers are made with it.',
    );
  });
}

export function register(group: Command, cli: Cli): void {
  const list = group
    .command('trust-list')
    .summary('the keys that everybody trusts: show, sign, import')
    .description(
      'The trust list names the keys of the clearinghouse, and is signed by the root key. It ends after 400 days: each year ' +
        'the next one is signed where the root key is kept, and imported here.',
    );
  list
    .command('show')
    .summary('shows the list in force')
    .description('Shows the trust list in force, its keys and when it ends.')
    .action(cli.run(async () => show(cli)));
  list
    .command('sign')
    .summary('signs the next list, with the root key')
    .description(
      'Signs the list after the one in a publisher bundle. Needs no clearinghouse and no network: bring the bundle to where ' +
        'the root key is, and the result back.',
    )
    .requiredOption('--bundle <file>', 'the publisher bundle with the list in force')
    .requiredOption('--root-key <file>', 'the root key, as init wrote it')
    .requiredOption('--out <file>', 'where the publisher bundle with the next list goes')
    .action(cli.run(async (options: SignOptions) => sign(options)));
  list
    .command('import <file>')
    .summary('puts the next list in force')
    .description('Puts the trust list of a publisher bundle in force. The same again changes nothing.')
    .action(cli.run(async (path: string) => importList(cli, path)));
}
