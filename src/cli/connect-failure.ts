/**
 * Opening a program in words: what a database or a key file that cannot be used means to the person at
 * the keyboard. Damage ends in exit code 4 (output.ts), everything else in 1.
 */
import { Failure } from '../platform/failure.ts';
import { KeyFileError } from '../platform/instance-secret.ts';
import { StoreFailure } from '../store/port.ts';

const restore =
  'Nothing was changed. Stop whatever works in the folder, and put it back from a backup. A license server of which there ' +
  'is none goes on as a new one, and its CALs come from the clearinghouse: calyx server rebuild.';

const databaseNext: Readonly<Record<StoreFailure['code'], string>> = {
  damaged: restore,
  'too-new': 'Use that version of Calyx, or a newer one. Nothing was changed.',
  unsafe: 'Move the data folder to a local disk. Nothing was changed.',
  busy: 'Look which program has the database open (a backup, a virus scanner), and try again.',
  'outcome-unknown': 'See that the disk is not full and can be written to, then run the same command again.',
  closed: 'Run the same command again.',
};

const keyFileNext: Readonly<Record<KeyFileError['problem'], string>> = {
  missing:
    'Put it back where it was, or from a backup. A license server that has lost its key goes on as a new one, and its ' +
    'CALs come from the clearinghouse: calyx server rebuild.',
  permissions: 'Take the rights of others away as shown, then run the same command again.',
  damaged: restore,
  system: 'Give this account the right to use the file, then run the same command again.',
};

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

/** What an error means that the programs' own files have caused; any other error stays as it is. */
export function inWords(dir: string, error: unknown): unknown {
  if (error instanceof StoreFailure) {
    return new Failure(sentence(error.message), {
      code: error.code === 'too-new' ? 'database-newer' : `database-${error.code}`,
      next: databaseNext[error.code],
      details: { folder: dir },
      cause: error,
    });
  }
  if (error instanceof KeyFileError) {
    return new Failure(sentence(error.message), {
      code: `key-file-${error.problem === 'system' ? 'unusable' : error.problem}`,
      next: keyFileNext[error.problem],
      details: { folder: dir, file: error.path },
      cause: error,
    });
  }
  return error;
}

/** Opens something of a data folder; a database or a key file that cannot be used is a `Failure`. */
export async function openInWords<T>(dir: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    throw inWords(dir, error);
  }
}
