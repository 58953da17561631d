/** `calyx server backup` and `calyx clearinghouse backup`: a backup now, a schedule, or how things stand. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { when } from '../protocol/problem-words.ts';
import type { BackupSettings, Backups } from './backup-answers.ts';
import { backupsPath, lastText, size } from './backup-answers.ts';
import { fetchBackup } from './backup-fetch.ts';
import { nextCommand } from './command-words.ts';
import type { Program } from './connect.ts';
import type { Cli } from './main.ts';
import type { Outcome } from './outcome.ts';
import { done, WrongUsage } from './outcome.ts';
import type { Page } from './page.ts';

interface BackupOptions {
  readonly out?: string;
  readonly every?: string;
  readonly keep?: string;
  /** False: `--no-folder`. */
  readonly folder?: string | false;
}

const names = { server: 'license server', clearinghouse: 'clearinghouse' } as const;

async function backUp(cli: Cli, program: Program, out: string): Promise<Outcome> {
  const made = await fetchBackup(cli, program, out);
  return done({ id: made.id, file: made.file, at: made.at, bytes: made.bytes }, (page) =>
    page
      .title(`The ${names[program]} is backed up.`)
      .keyValues([
        ['File', made.file],
        ['As of', when(made.at)],
        ['Size', size(made.bytes ?? 0)],
      ])
      .next('Look whether it is sound, with the key if it is at hand:')
      .verbatim(`calyx ${program} verify --in ${made.file} --key KEY-FILE`),
  );
}

/** What is to be changed, as the route takes it; the folder is this machine's where the program is. */
function changeOf(cli: Cli, { every, keep, folder }: BackupOptions) {
  if (keep !== undefined && !/^[1-9][0-9]{0,3}$/.test(keep)) {
    throw new WrongUsage('--keep takes how many are kept, for example --keep 14.');
  }
  const here = (path: string): string => (cli.settings.url === undefined ? resolve(path) : path);
  return {
    ...(every === undefined ? {} : { every }),
    ...(keep === undefined ? {} : { keep: Number(keep) }),
    ...(folder === undefined ? {} : { folder: folder === false ? '' : here(folder) }),
  };
}

function settingsPairs({ every, keep, folder, recipient }: BackupSettings) {
  return [
    ['Key', recipient ?? 'none registered: no backup can be made'],
    ['Schedule', every === null ? 'none' : `every ${every}, the newest ${keep} are kept`],
    ['Folder', folder ?? 'backups, in the data folder'],
  ] as const;
}

function showKept(page: Page, backups: Backups): void {
  const { kept, running } = backups;
  if (running !== null) page.text(`One is being made: ${running.percent} % of it is done.`);
  page.table(
    [{ title: 'Backup' }, { title: 'As of' }, { title: 'Size', align: 'right' }],
    kept.map(({ file, at, bytes }) => [file, when(at), size(bytes ?? 0)]),
    'None is kept.',
  );
}

/** What is missing first: a key, then a schedule. */
function showNext(
  page: Page,
  cli: Cli,
  { settings, program }: { settings: BackupSettings; program: Program },
) {
  const command = (...words: readonly string[]): string => nextCommand(cli.settings, program, ...words);
  if (settings.recipient === null) {
    page.next('Make a key, and keep its file where this machine cannot be lost with it:');
    page.verbatim(command('backup-key', '--out', 'KEY-FILE'));
  } else if (settings.every === null) {
    page.next('Back it up now, or by a schedule:');
    page.verbatim([
      command('backup', '--out', 'FILE'),
      command('backup', '--every', '1d', '--keep', '14', '--folder', 'DIR'),
    ]);
  }
}

async function showAll(cli: Cli, program: Program): Promise<Outcome> {
  const backups = await cli.withApi(program, (api) => api.call<Backups>('GET', backupsPath));
  const { settings, last, next } = backups;
  return done(backups, (page) => {
    page
      .title(`Backups of the ${names[program]}`)
      .keyValues([
        ...settingsPairs(settings),
        ['Last', lastText(last)],
        ...(next === null ? [] : ([['Next', when(next)]] as const)),
      ]);
    showKept(page, backups);
    showNext(page, cli, { settings, program });
  });
}

async function change(cli: Cli, program: Program, options: BackupOptions): Promise<Outcome> {
  const body = changeOf(cli, options);
  const path = `${backupsPath}/settings`;
  const settings = await cli.withApi(program, (api) => api.call<BackupSettings>('PUT', path, { body }));
  return done(settings, (page) => {
    page
      .title(
        settings.every === null
          ? 'No backups are made by a schedule.'
          : `A backup is made every ${settings.every}.`,
      )
      .keyValues(settingsPairs(settings));
    if (settings.every !== null) page.text(`The ${names[program]} makes them while it runs (serve).`);
  });
}

export function register(group: Command, cli: Cli, program: Program): void {
  group
    .command('backup')
    .summary('makes a backup, now or by a schedule')
    .description(
      `Backs up the ${names[program]} while it works: to a file now (--out), or by a schedule (--every). Backups are ` +
        'sealed to a key of yours (backup-key). Without options: what is set and what is kept.',
    )
    .option('--out <file>', 'make one now, and write it to this file')
    .option('--every <interval>', 'make one every 12h, 1d or 2w; off: none any more')
    .option('--keep <count>', 'how many scheduled ones are kept')
    .option('--folder <dir>', 'where scheduled ones go, best on another disk')
    .option('--no-folder', 'scheduled ones go into the data folder')
    .action(
      cli.run(async (options: BackupOptions) => {
        const { out, every, keep, folder } = options;
        const changes = every !== undefined || keep !== undefined || folder !== undefined;
        if (out !== undefined && changes) {
          throw new WrongUsage(
            '--out makes a backup now; --every, --keep and --folder are for the schedule.',
          );
        }
        if (out !== undefined) return backUp(cli, program, out);
        return changes ? change(cli, program, options) : showAll(cli, program);
      }),
    );
}
