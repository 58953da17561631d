/** `calyx server verify` and `calyx clearinghouse verify`: is a backup sound? Offline, wherever the file is. */
import type { Command } from 'commander';
import type { Restored } from '../backup/restore-backup.ts';
import type { VerifiedBackup } from '../backup/verify-backup.ts';
import { systemCode } from '../platform/failure.ts';
import type { BackupManifest } from '../protocol/backup-manifest.ts';
import { when } from '../protocol/problem-words.ts';
import { size } from './backup-answers.ts';
import type { Program } from './connect.ts';
import { fileFailure } from './local-files.ts';
import type { Cli } from './main.ts';
import { done, unsound } from './outcome.ts';
import type { Column, Page } from './page.ts';
import { outlookFields, readIdentities, restored, showOutlook } from './program-restore.ts';

interface VerifyOptions {
  readonly in: string;
  readonly key?: string;
}

async function verified({ in: file, key }: VerifyOptions): Promise<VerifiedBackup> {
  const { verifyBackup } = await import('../backup/verify-backup.ts');
  const identities = key === undefined ? undefined : await readIdentities(key);
  try {
    return await verifyBackup(file, identities);
  } catch (error) {
    if (systemCode(error) === undefined || !('syscall' in (error as object))) throw error;
    throw fileFailure(file, error, {
      ...{ code: 'file-unreadable', did: 'verified' },
      next: 'Name a file that is there and that this account may read, in a folder with room for what is within.',
    });
  }
}

const columns: readonly Column[] = [
  ...['Agreement', 'Product', 'Type'].map((title) => ({ title })),
  ...['Installed', 'Issued', 'Unissued', 'Held', 'Reserved', 'Quarantined'].map((title) => ({
    title,
    align: 'right' as const,
  })),
];

function showManifest(page: Page, manifest: BackupManifest, bytes: number): void {
  const { kind, id, name, publisher, at, version, generation, journals, recipients } = manifest;
  const entries = journals.reduce((sum, { size: length }) => sum + length, 0);
  page.keyValues([
    ...(kind === 'server'
      ? ([
          ['License server', name],
          ['License Server ID', id],
          ['Generation', generation],
        ] as const)
      : ([
          ['Clearinghouse of', publisher],
          ['Signed by key', id],
          ['Agreements', manifest.agreements],
          ['License servers', manifest.servers],
        ] as const)),
    ['As of', when(at)],
    ['Made by', `Calyx ${version}`],
    ['Size', `${size(bytes)}, the database within ${size(manifest.plain.bytes)}`],
    ['Journal entries', entries],
    ['Opened by', recipients.join(', ')],
  ]);
  if (kind === 'clearinghouse') return;
  page.table(
    columns,
    manifest.lines.map((line) => [
      ...[line.agreement, line.product, line.type, line.installed, line.issued],
      ...[line.unissued, line.held, line.reserved, line.quarantined],
    ]),
    'No CALs are installed.',
  );
}

function show(page: Page, result: VerifiedBackup): void {
  const { verdict, opened, manifest, findings, bytes, parts } = result;
  if (verdict === 'broken') page.title('Verdict: BROKEN. Do not rely on this backup.');
  else if (opened) page.title('Verdict: sound.');
  else page.title('Verdict: sound, as far as can be seen without the key.');
  if (findings.length > 0) page.entries(findings.map(({ code, text }) => [code, `${text}.`]));
  if (manifest !== null) showManifest(page, manifest, bytes);
  if (opened && verdict === 'ok') {
    page.text(
      'Signature, digests, the structure of the database, its books and every entry of its journals were checked. ' +
        `Beside the database: ${parts.join(', ')}.`,
    );
  } else if (verdict === 'ok') {
    page.text(
      'Checked: the signature, and that the sealed part is the one that was signed. Not checked: what is within.',
    );
    page.next('Give the private key with --key FILE to have that checked, too.');
  } else page.next('Verify another backup, and make a new one.');
}

/** What a restore on this machine would give, where a folder and the key are at hand. */
async function outlookOf(cli: Cli, program: Program, options: VerifyOptions): Promise<Restored | undefined> {
  const { in: file, key } = options;
  const { data: dir } = cli.settings;
  if (key === undefined || dir === undefined) return undefined;
  return restored({ program, file, key, dir, rehearse: true });
}

export function register(group: Command, cli: Cli, program: Program): void {
  group
    .command('verify')
    .summary('looks whether a backup is sound')
    .description(
      'Verifies a backup offline: whose it is, that nothing of it was altered, and with the private key everything ' +
        'within: the database, its books, and every entry of its journals. Exit 4 where anything is broken. With ' +
        '--data DIR as well, what a restore there would give.',
    )
    .requiredOption('--in <file>', 'the backup')
    .option('--key <file>', 'the private key (backup-key)')
    .action(
      cli.run(async (options: VerifyOptions) => {
        const rehearsed = await outlookOf(cli, program, options);
        const result = rehearsed?.verified ?? (await verified(options));
        const { verdict, opened, manifest, bytes, parts, findings } = result;
        const backup = manifest === null ? null : { ...manifest, bytes, parts };
        const here = rehearsed === undefined ? {} : outlookFields(rehearsed);
        const outcome = verdict === 'ok' ? done : unsound;
        return outcome({ verdict, opened, backup, findings, ...here }, (page) => {
          show(page, result);
          if (rehearsed === undefined || rehearsed.done === null) return;
          page.next('Restored here:');
          showOutlook(page, rehearsed);
        });
      }),
    );
}
