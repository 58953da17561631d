/** Has a backup made and takes it: out of the data folder of this machine, or over the network. */
import {
  closeSync,
  constants,
  copyFileSync,
  createWriteStream,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Failure, systemCode } from '../platform/failure.ts';
import type { KeptBackup } from './backup-answers.ts';
import { backupsPath } from './backup-answers.ts';
import { pathOf } from './client.ts';
import type { Connection, Program } from './connect.ts';
import { fileFailure } from './local-files.ts';
import type { Cli } from './main.ts';

const lookEveryMs = 150;

const notWritable = {
  ...{ code: 'file-not-writable', did: 'written' },
  next: 'Name a file in a folder that is there and that this account may write to, then run the same command again.',
};

/** Before anything is made: a file that is there stays, and a folder that is not is told. */
export function checkOut(out: string): void {
  if (existsSync(out)) {
    throw new Failure(`${out} is there already, and is not overwritten.`, {
      code: 'file-exists',
      next: 'Name another file with --out.',
      details: { file: out },
    });
  }
  try {
    statSync(dirname(resolve(out)));
  } catch (error) {
    throw fileFailure(out, error, notWritable);
  }
}

/** Has a backup made, shows how far it is, and takes it to `out`. Nothing of it stays in the data folder. */
export async function fetchBackup(
  cli: Cli,
  program: Program,
  out: string,
): Promise<KeptBackup & { readonly file: string }> {
  checkOut(out);
  return cli.withApi(program, async (api, connection) => {
    const begun = await api.call<KeptBackup>('POST', backupsPath);
    const path = `${backupsPath}${pathOf(begun.id)}`;
    const progress = cli.progress('Backup', 100);
    let found = begun;
    try {
      while (found.state === 'running') {
        await pause(lookEveryMs);
        found = await api.call<KeptBackup>('GET', path);
        progress.update(found.percent);
      }
    } finally {
      progress.end();
    }
    if (found.state === 'failed') throw failed(found);
    await take(connection, { out, found, path, local: cli.settings.url === undefined });
    return { ...found, file: resolve(out) };
  });
}

function failed({ problem, file }: KeptBackup): Failure {
  return new Failure(`The backup could not be made: ${problem ?? 'it is not known why'}.`, {
    code: 'backup-failed',
    next: 'Put that right, then run the same command again; nothing else was changed.',
    details: { file },
  });
}

async function take(
  connection: Connection,
  of: {
    readonly out: string;
    readonly found: KeptBackup;
    readonly path: string;
    readonly local: boolean;
  },
): Promise<void> {
  const temporary = `${of.out}.new`;
  // What a killed command has left there.
  rmSync(temporary, { force: true });
  try {
    if (of.local) moveFile(of.found.file, of.out);
    else {
      const into = createWriteStream(temporary, { flags: 'wx', mode: 0o600, flush: true });
      await connection.download(`${of.path}/file`, into);
      renameSync(temporary, of.out);
      await connection.api.call('DELETE', of.path);
    }
  } catch (error) {
    rmSync(temporary, { force: true });
    if (systemCode(error) === undefined) throw error;
    throw fileFailure(of.out, error, {
      ...notWritable,
      next: `The backup is kept there as ${of.found.id}. ${notWritable.next}`,
    });
  }
}

/** To another disk it is copied, whole or not at all. */
function moveFile(from: string, to: string): void {
  try {
    renameSync(from, to);
    return;
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error;
  }
  const temporary = `${to}.new`;
  copyFileSync(from, temporary, constants.COPYFILE_EXCL);
  const file = openSync(temporary, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, to);
  rmSync(from);
}
