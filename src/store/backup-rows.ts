/** How a program is backed up, and how the last backup went: two values in `meta`. */
import type { JsonObject } from '../core/json.ts';
import { readMeta, writeMeta } from './meta-rows.ts';
import type { ReadTx, WriteTx } from './port.ts';

export type BackupSettings = {
  /** `1d`, as core/backup-schedule.ts reads it; null: only when somebody asks. */
  readonly every: string | null;
  /** How many of the scheduled ones are kept. */
  readonly keep: number;
  /** Where scheduled ones go; null: into the data folder. */
  readonly folder: string | null;
  /** Whose key opens them, as age writes it; null: nobody's, and no backup can be made. */
  readonly recipient: string | null;
};

export type LastBackup = {
  /** When it was begun, ISO. */
  readonly at: string;
  readonly file: string;
  /** Null where it failed. */
  readonly bytes: number | null;
  /** Why it failed; null where it did not. */
  readonly problem: string | null;
};

const settingsKey = 'backup';
const lastKey = 'lastBackup';

const untouched: BackupSettings = { every: null, keep: 14, folder: null, recipient: null };

async function readJson<T>(tx: ReadTx, key: string): Promise<T | null> {
  const text = await readMeta(tx, key);
  return text === undefined ? null : (JSON.parse(text) as T);
}

export async function readBackupSettings(tx: ReadTx): Promise<BackupSettings> {
  return { ...untouched, ...(await readJson<BackupSettings>(tx, settingsKey)) };
}

export async function writeBackupSettings(tx: WriteTx, settings: BackupSettings): Promise<void> {
  await writeMeta(tx, settingsKey, JSON.stringify(settings satisfies JsonObject));
}

/** Null: none was ever tried. */
export async function readLastBackup(tx: ReadTx): Promise<LastBackup | null> {
  return readJson<LastBackup>(tx, lastKey);
}

export async function writeLastBackup(tx: WriteTx, last: LastBackup): Promise<void> {
  await writeMeta(tx, lastKey, JSON.stringify(last satisfies JsonObject));
}
