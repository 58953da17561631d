/**
 * `calyx server restore` and `calyx clearinghouse restore`: a backup in the place of what the data folder holds, or a
 * rehearsal of it; and afterwards what was there before, for good or back.
 */
import type { Command } from 'commander';
import type { Restored } from '../backup/restore-backup.ts';
import { systemClock } from '../platform/clock.ts';
import { Failure, systemCode } from '../platform/failure.ts';
import { systemRandom } from '../platform/random.ts';
import { when } from '../protocol/problem-words.ts';
import { nextCommand } from './command-words.ts';
import type { Program } from './connect.ts';
import { inWords } from './connect-failure.ts';
import { restorableOf } from './connect-restore.ts';
import { dataFolderOf, fileFailure, readTextFile } from './local-files.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, unsound, WrongUsage } from './outcome.ts';
import type { Page } from './page.ts';

export interface RestoreOptions {
  readonly in?: string;
  readonly key?: string;
  readonly instance?: string;
  readonly rehearse?: true;
  readonly confirm?: true;
  readonly undo?: true;
}

/** The identities in a key file. */
export async function readIdentities(key: string): Promise<readonly string[]> {
  const { identitiesIn } = await import('../backup/age-key.ts');
  const identities = await identitiesIn(readTextFile(key));
  if (identities === undefined) {
    throw new WrongUsage(`${key} holds no private key of age (AGE-SECRET-KEY-1…).`);
  }
  return identities;
}

interface Order {
  readonly program: Program;
  readonly file: string;
  readonly key: string;
  readonly dir: string;
  readonly rehearse: boolean;
  readonly instanceDir?: string | undefined;
}

/** Restores or rehearses; what the system refuses is told in words. */
export async function restored(order: Order): Promise<Restored> {
  const { file, dir, rehearse, instanceDir } = order;
  const { restoreBackup } = await import('../backup/restore-backup.ts');
  const identities = await readIdentities(order.key);
  const of = await restorableOf(order.program);
  try {
    const world = { clock: systemClock, random: systemRandom };
    return await restoreBackup({ ...world, file, identities, dir, of, rehearse, instanceDir });
  } catch (error) {
    throw restoreFailure(file, dir, inWords(dir, error));
  }
}

function restoreFailure(file: string, dir: string, error: unknown): unknown {
  if (error instanceof Failure || systemCode(error) === undefined) return error;
  if (systemCode(error) === 'ENOSPC' || systemCode(error) === 'EFBIG') {
    return new Failure(`There is no room in ${dir} for what is restored.`, {
      code: 'disk-full',
      next: 'Free some space and run the same command again; what was there before is still there.',
      details: { folder: dir },
      cause: error,
    });
  }
  if (!('syscall' in (error as object))) return error;
  return fileFailure(file, error, {
    ...{ code: 'restore-failed', did: 'restored' },
    next: 'Put that right, then run the same command again; what was there before is still there.',
  });
}

type Done = NonNullable<Restored['done']>;

const outlookWords: Readonly<Record<Done['outlook'], string>> = {
  restored: 'It goes on where the backup ends: every license and every unissued CAL of it is there.',
  reconcile:
    'It is older than what was here. Unissued CALs come back, but for those that were issued since: they wait until their ' +
    'holders show themselves, or their leases have ended.',
  revalidate:
    'Since it was made CALs were installed, frozen, released or given back, or another copy has gone on: nothing new is ' +
    'given out until the clearinghouse has answered. Who has a license keeps it.',
  'system-replaced':
    'The instance secret of this machine does not open the key in the backup: the operating system, or the machine, is ' +
    'another one. Who has a license keeps it; unissued CALs are not restored, and come back through the clearinghouse.',
  'decided-at-start':
    'There is no database here that it could be held against: the first start decides what of it counts.',
};

const clearinghouseWords =
  'It has forgotten what it did since, and says so: until the license servers of an agreement have reported, that ' +
  'agreement gets no new grant, undo, early release or code.';

/** What of a restore counts for whoever decides on it. */
export function showOutlook(page: Page, { verified, done: of }: Restored): void {
  const { manifest } = verified;
  if (manifest === null || of === null) return;
  if (manifest.kind === 'clearinghouse') {
    page.text(clearinghouseWords);
    return;
  }
  page.keyValues([
    [
      'Instance secret',
      { present: 'opens the key', absent: 'there is none', undecryptable: 'does not open the key' }[
        of.secret
      ],
    ],
  ]);
  page.text(outlookWords[of.outlook]);
  const now = new Map(of.present?.map((line) => [`${line.agreement}/${line.line}`, line]));
  page.table(
    [
      ...['Agreement', 'Product', 'Type'].map((title) => ({ title })),
      ...['Installed', 'now', 'Issued', 'now', 'Unissued', 'now'].map((title) => ({
        title,
        align: 'right' as const,
      })),
    ],
    manifest.lines.map((line) => {
      const there = now.get(`${line.agreement}/${line.line}`);
      return [
        ...[line.agreement, line.product, line.type, line.installed, there?.installed],
        ...[line.issued, there?.issued, line.unissued, there?.unissued],
      ];
    }),
    'No CALs are installed.',
  );
}

/** What `--json` says of an outlook, of a rehearsal as well. */
export function outlookFields({ done: of }: Restored) {
  const { outlook = null, secret = null, present = null } = of ?? {};
  return { outlook, secret, present: present?.map((line) => ({ ...line })) ?? null };
}

async function restore(cli: Cli, program: Program, options: RestoreOptions): Promise<Outcome> {
  const { in: file, key, rehearse = false, instance: instanceDir } = options;
  if (file === undefined || key === undefined) {
    throw new WrongUsage('Name the backup (--in FILE) and the private key that opens it (--key KEY-FILE).');
  }
  const dir = dataFolderOf(cli.settings, `${program} restore --in FILE --key KEY-FILE`);
  const question = `Put ${file} in the place of what ${dir} holds?`;
  if (!rehearse && !(await cli.confirm(question))) {
    return done({ restored: false }, (page) => page.title('Nothing was changed.'));
  }
  const result = await restored({ program, file, key, dir, rehearse, instanceDir });
  const outcome = result.verified.verdict === 'ok' ? done : unsound;
  const { verdict, manifest, findings } = result.verified;
  const fields = { verdict, findings, backup: manifest, kept: result.done?.kept ?? null };
  const wasRestored = !rehearse && result.done !== null;
  return outcome({ restored: wasRestored, ...fields, ...outlookFields(result) }, (page) => {
    if (result.done === null) {
      page.title('The backup is BROKEN. Nothing was changed.');
      page.entries(result.verified.findings.map(({ code, text }) => [code, `${text}.`]));
      return;
    }
    const at = when(result.verified.manifest?.at ?? '');
    page.title(
      rehearse ? `Rehearsed: the state of ${at} can be restored here.` : `Restored: the state of ${at}.`,
    );
    showOutlook(page, result);
    showNext(page, cli, { program, kept: result.done.kept, rehearse, file, key });
  });
}

function showNext(
  page: Page,
  cli: Cli,
  of: { program: Program; kept: string | null; rehearse: boolean; file: string; key: string },
): void {
  const { program, kept, file, key } = of;
  const command = (...words: readonly string[]): string => nextCommand(cli.settings, program, ...words);
  if (of.rehearse) {
    page.next('Nothing was changed. To do it, stop the service and run:');
    page.verbatim(command('restore', '--in', file, '--key', key));
    return;
  }
  if (kept !== null) page.keyValues([['State before', kept]]);
  page.next('Start it, and see whether all is well:').verbatim(command('serve'));
  if (kept === null) return;
  page.next('Then remove the state before; or, as long as it was not started, put that back:');
  page.verbatim([command('restore', '--confirm'), command('restore', '--undo')]);
}

async function confirmed(cli: Cli, program: Program): Promise<Outcome> {
  const { confirmRestore } = await import('../backup/undo-restore.ts');
  const dir = dataFolderOf(cli.settings, `${program} restore --confirm`);
  const removed = confirmRestore(dir, await restorableOf(program));
  return done({ removed: [...removed] }, (page) =>
    page.title('The restore is confirmed.').keyValues(removed.map((folder) => ['Removed', folder])),
  );
}

async function undone(cli: Cli, program: Program): Promise<Outcome> {
  const { undoRestore } = await import('../backup/undo-restore.ts');
  const dir = dataFolderOf(cli.settings, `${program} restore --undo`);
  const { kept } = await undoRestore(dir, await restorableOf(program), systemClock);
  return done({ undone: true, kept }, (page) =>
    page
      .title('What was there before the restore is back.')
      .keyValues([['What was restored', kept]])
      .next('Remove that once you do not need it:')
      .verbatim(nextCommand(cli.settings, program, 'restore', '--confirm')),
  );
}

export function register(group: Command, cli: Cli, program: Program): void {
  group
    .command('restore')
    .summary('puts a backup in the place of what is there')
    .description(
      'Restores a backup into --data DIR, whole or not at all, while the service is stopped; what was there is kept ' +
        'until --confirm removes it. --rehearse does everything but that, and says what would come of it. Into an ' +
        'empty or a new folder it is restored as on a machine that was replaced.',
    )
    .option('--in <file>', 'the backup')
    .option('--key <file>', 'the private key (backup-key)')
    .option('--rehearse', 'change nothing, and say what would come of it')
    .option('--instance <dir>', 'where the instance secret of this machine lives (default: where it was)')
    .option('--confirm', 'remove the state that was there before the last restore')
    .option('--undo', 'put that state back, as long as what was restored has not worked')
    .action(
      cli.run(async (options: RestoreOptions) => {
        const { confirm, undo } = options;
        const alone = [confirm, undo, options.in ?? options.key ?? options.rehearse];
        if (alone.filter((each) => each !== undefined).length > 1) {
          throw new WrongUsage('Give one of --in FILE, --confirm and --undo.');
        }
        if (confirm) return confirmed(cli, program);
        return undo ? undone(cli, program) : restore(cli, program, options);
      }),
    );
}
