/** `calyx server backup-key` and the clearinghouse's: the key that backups are sealed to, made or registered. */
import { rmSync } from 'node:fs';
import type { Command } from 'commander';
import { isoTime } from '../core/time.ts';
import { systemClock } from '../platform/clock.ts';
import type { BackupSettings } from './backup-answers.ts';
import { backupsPath } from './backup-answers.ts';
import { checkOut } from './backup-fetch.ts';
import { nextCommand } from './command-words.ts';
import type { Program } from './connect.ts';
import { writeOutFile } from './local-files.ts';
import type { Cli } from './main.ts';
import { done, WrongUsage } from './outcome.ts';

interface KeyOptions {
  readonly out?: string;
  readonly recipient?: string;
  readonly replace?: true;
}

/** The program is told the public half only, and a key that it refused is not kept. */
async function registered(cli: Cli, program: Program, options: KeyOptions) {
  const { out, replace } = options;
  const put = (recipient: string): Promise<BackupSettings> =>
    cli.withApi(program, (api) =>
      api.call<BackupSettings>('PUT', `${backupsPath}/settings`, {
        body: { recipient, replace: replace === true },
      }),
    );
  if (options.recipient !== undefined) return { settings: await put(options.recipient), file: null };
  if (out === undefined)
    throw new WrongUsage('Say where the key goes (--out FILE), or which it is (--recipient age1…).');
  checkOut(out);
  const { makeBackupKey } = await import('../backup/age-key.ts');
  const { text, recipient } = await makeBackupKey(isoTime(systemClock.nowMs()));
  const file = writeOutFile(out, text);
  try {
    return { settings: await put(recipient), file };
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

export function register(group: Command, cli: Cli, program: Program): void {
  group
    .command('backup-key')
    .summary('makes the key that opens backups')
    .description(
      'Makes a key pair of age (age-encryption.org). The private half goes to --out and nowhere else: without it ' +
        'no backup can be opened. Keep it away from this machine, twice. Backups are sealed to the public half.',
    )
    .option('--out <file>', 'file for the new private key')
    .option('--recipient <key>', 'register a public key that was made elsewhere: age1…')
    .option('--replace', 'later backups are sealed to this key instead of the present one')
    .action(
      cli.run(async (options: KeyOptions) => {
        if (options.out !== undefined && options.recipient !== undefined) {
          throw new WrongUsage(
            '--out makes a key, --recipient registers one that is there: give one of them.',
          );
        }
        const { settings, file } = await registered(cli, program, options);
        return done({ recipient: settings.recipient, file }, (page) => {
          page
            .title('Backups are sealed to this key from now on.')
            .keyValues([
              ['Public key', settings.recipient ?? ''],
              ...(file === null ? [] : ([['Private key', `${file} (nobody else has it)`]] as const)),
            ]);
          if (file !== null) {
            page.text('Keep the private key away from this machine, twice: who loses it loses the backups.');
          }
          page.next('Back up:').verbatim(nextCommand(cli.settings, program, 'backup', '--out', 'FILE'));
        });
      }),
    );
}
