/** The backups that lie in folders: what there is of one program's, told from everything else by their signature. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../platform/failure.ts';
import type { BackupManifest } from '../protocol/backup-manifest.ts';
import { msOf } from '../protocol/schema.ts';
import type { CopiedPart } from '../store/sqlite-copy.ts';
import { readBackup } from './verify-backup.ts';

export const backupEnding = '.calyx-backup';
/** Those that somebody asked for begin so; no name of a server does. */
const askedPrefix = '_asked-';

export interface KeptBackup {
  /** The name of the file without its ending. */
  readonly id: string;
  readonly file: string;
  readonly at: string;
  readonly atMs: number;
  readonly bytes: number;
  readonly scheduled: boolean;
}

/** A name of a server or a publisher, as far as it can stand in the name of a file anywhere. */
function fileName(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9.-]+/g, '-').replaceAll(/^[-.]+|[-.]+$/g, '');
  return plain.slice(0, 60) || 'backup';
}

/** The id of a backup that is begun at `at` (ISO, to the second). */
export function backupId(of: { name: string; at: string; scheduled: boolean }): string {
  const time = of.at.replaceAll(/[-:]/g, '');
  return `${of.scheduled ? '' : askedPrefix}${fileName(of.name)}-${time}`;
}

/**
 * Names in a folder; none where it is not there or cannot be read. The backup that is due then fails in it, and
 * says why.
 */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return [];
  }
}

/** The backups in these folders that the program with this id has signed, oldest first. */
export async function keptBackups(
  folders: readonly string[],
  signer: BackupManifest['id'],
): Promise<readonly KeptBackup[]> {
  const kept: KeptBackup[] = [];
  for (const folder of new Set(folders)) {
    for (const name of namesIn(folder).filter((each) => each.endsWith(backupEnding))) {
      const found = await keptBackup(folder, name, signer);
      if (found !== undefined) kept.push(found);
    }
  }
  return kept.sort((one, other) => one.atMs - other.atMs);
}

async function keptBackup(folder: string, name: string, signer: string): Promise<KeptBackup | undefined> {
  const file = join(folder, name);
  try {
    const read = await readBackup(file);
    if (!read.ok || read.value.manifest.id !== signer) return undefined;
    const { at } = read.value.manifest;
    const { size: bytes } = await stat(file);
    const id = name.slice(0, -backupEnding.length);
    return { id, file, at, atMs: msOf(at), bytes, scheduled: !id.startsWith(askedPrefix) };
  } catch {
    // It went meanwhile, is a folder, or is not ours to read: not one of those that are kept.
    return undefined;
  }
}

/** Files of a data folder that go into its backup. */
export function readParts(dir: string, names: readonly string[]): readonly CopiedPart[] {
  return names.map((name) => ({ name, bytes: readFileSync(join(dir, name)) }));
}

const makingPrefix = '.calyx-making-';

/** What a backup under way is called, so that another program's in the same folder is told from it. */
export const makingName = (signer: string, unique: string): string => `${makingPrefix}${signer}-${unique}`;

/**
 * Removes what killed processes of this program left in a folder. Nothing of it may be under way. What cannot be
 * removed stays until it can.
 */
export function sweepMaking(folder: string, signer: string): void {
  for (const name of namesIn(folder)) {
    if (!name.startsWith(`${makingPrefix}${signer}-`)) continue;
    try {
      rmSync(join(folder, name), { recursive: true, force: true });
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
    }
  }
}
