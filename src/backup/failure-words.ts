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

/** Primary result codes of SQLite (sqlite.org/rescode.html): FULL, and IOERR. */
const sqliteWords: Readonly<Record<number, string>> = {
  13: 'the disk is full',
  10: 'the disk does not take what is written, or gives back nothing',
};

/** The reason, with the path where the system names one. */
export function reasonOf(error: unknown): string {
  if (error instanceof StoreFailure) return error.message;
  const { errcode, path } = error as { readonly errcode?: unknown; readonly path?: unknown };
  const ofSqlite = typeof errcode === 'number' ? sqliteWords[errcode & 0xff] : undefined;
  if (ofSqlite !== undefined) return ofSqlite;
  const known = words[systemCode(error) ?? ''];
  if (known !== undefined) return typeof path === 'string' ? `${path}: ${known}` : known;
  return error instanceof Error ? error.message : String(error);
}
