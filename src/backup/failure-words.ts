/** Why a file could not be read or written, in words that end a sentence. */
import { systemCode } from '../platform/failure.ts';
import { StoreFailure } from '../store/port.ts';

const words: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is no folder',
  EACCES: 'this account may not use it',
  EPERM: 'this account may not use it',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of this account is used up',
  EFBIG: 'the file would be larger than this account may write',
};

/** SQLITE_FULL (sqlite.org/rescode.html#full). */
const sqliteFull = 13;

/** The reason, with the path where the system names one. */
export function reasonOf(error: unknown): string {
  if (error instanceof StoreFailure) return error.message;
  const { errcode, path } = error as { readonly errcode?: unknown; readonly path?: unknown };
  if (errcode === sqliteFull) return 'the disk is full';
  const known = words[systemCode(error) ?? ''];
  if (known !== undefined) return typeof path === 'string' ? `${path}: ${known}` : known;
  return error instanceof Error ? error.message : String(error);
}
