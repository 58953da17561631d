/**
 * Files and folders that a command names itself: reading and writing them, and what the operating
 * system's refusals mean to the person at the keyboard.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { writeFileAtomic } from '../platform/atomic-file.ts';
import { Failure, systemCode } from '../platform/failure.ts';
import type { GlobalSettings } from './main.ts';
import { WrongUsage } from './outcome.ts';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is no folder',
  EISDIR: 'it is a folder',
  EACCES: 'this account may not use it',
  EPERM: 'this account may not use it',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
};

/** A file that cannot be used, in words. */
export function fileFailure(
  path: string,
  error: unknown,
  what: { code: string; did: string; next: string },
): Failure {
  const system = systemCode(error) ?? 'error';
  return new Failure(`${path} cannot be ${what.did}: ${reasons[system] ?? system}.`, {
    code: what.code,
    next: what.next,
    details: { file: path },
    cause: error,
  });
}

/** The text of a file. One that cannot be read is a `Failure`. */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw fileFailure(path, error, {
      ...{ code: 'file-unreadable', did: 'read' },
      next: 'Name a file that is there and that this account may read.',
    });
  }
}

/**
 * Writes a file whole or not at all; one that is there is replaced. Readable by its owner only unless
 * `modeOctal` says otherwise. Answers the full path.
 */
export function writeOutFile(path: string, content: string | Uint8Array, modeOctal?: number): string {
  try {
    writeFileAtomic(path, content, modeOctal);
  } catch (error) {
    throw fileFailure(path, error, {
      ...{ code: 'file-not-writable', did: 'written' },
      next: 'Name a file in a folder that is there and that this account may write to, then run the same command again.',
    });
  }
  return resolve(path);
}

/** The folder that an offline command works on. `--url` or nothing at all is wrong usage. */
export function dataFolderOf(settings: GlobalSettings, command: string): string {
  if (settings.url !== undefined) {
    throw new WrongUsage(
      `calyx ${command} works on a folder of this machine: give --data DIR instead of --url.`,
    );
  }
  if (settings.data === undefined) {
    throw new WrongUsage(`Say which folder: calyx ${command} --data DIR (or CALYX_DATA).`);
  }
  return settings.data;
}
