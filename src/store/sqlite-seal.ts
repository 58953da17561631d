/**
 * The seal of a database that was closed: a checksum of its file beside it, and a number in both that names the closing.
 * What changes on a disk meanwhile, if only by a bit, is found when it is opened again; SQLite itself looks at the form of a
 * page when it needs it, and at no content. A copy that somebody puts in its place has another number, and is looked through
 * like one that was never closed.
 */
import { randomInt } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { StoreFailure } from './port.ts';

interface Seal {
  /** `user_version` of the database (sqlite.org/pragma.html#pragma_user_version). */
  readonly closing: number;
  readonly bytes: number;
  readonly crc: number;
}

/** Where the seal of a database lies. */
export const sealFile = (file: string): string => `${file}-sum`;
const chunkBytes = 4 * 1024 * 1024;

/** Of a file that nobody has open: closing it would let go of SQLite's locks. */
function measure(file: string): Pick<Seal, 'bytes' | 'crc'> {
  const opened = openSync(file, 'r');
  const chunk = new Uint8Array(chunkBytes);
  let [bytes, crc] = [0, 0];
  try {
    for (;;) {
      const read = readSync(opened, chunk, 0, chunkBytes, bytes);
      if (read === 0) return { bytes, crc };
      crc = crc32(chunk.subarray(0, read), crc);
      bytes += read;
    }
  } finally {
    closeSync(opened);
  }
}

function readSeal(file: string): Seal | undefined {
  try {
    const seal = JSON.parse(readFileSync(sealFile(file), 'utf8')) as Partial<Seal> | null;
    const { closing, bytes, crc } = seal ?? {};
    if (closing === undefined || bytes === undefined || crc === undefined) return undefined;
    return { closing, bytes, crc };
  } catch {
    // Without a seal that can be read it is as after a crash.
    return undefined;
  }
}

/** What is known of a database file before it is opened. */
export interface Found {
  readonly seal: Seal | undefined;
  /** Whether the file is the one that was sealed. */
  readonly same: boolean;
}

/** Looks at a file that nobody has open. One with a log was not closed, whatever lies beside it. */
export function lookAtSeal(file: string): Found {
  const seal = existsSync(`${file}-wal`) ? undefined : readSeal(file);
  if (seal === undefined) return { seal, same: false };
  const { bytes, crc } = measure(file);
  return { seal, same: bytes === seal.bytes && crc === seal.crc };
}

const closingOf = (db: DatabaseSync): number =>
  Number(db.prepare('pragma user_version').get()?.['user_version']);

/**
 * Judges an open database by what was found before. One that is not as it was closed is damaged; another one, or one that
 * was never closed, is looked through for damage of its form. Throws `StoreFailure` `damaged`.
 */
export function checkSeal(db: DatabaseSync, { seal, same }: Found): void {
  if (same) return;
  if (seal !== undefined && closingOf(db) === seal.closing) {
    throw new StoreFailure(
      'damaged',
      'the database is damaged: its file has changed since it was closed, and by no Calyx',
    );
  }
  // Indexes against tables only where somebody put another file here: a crash tears no page of a log that is synced.
  const pragma = seal === undefined ? 'quick_check' : 'integrity_check';
  const problem = db.prepare(`pragma ${pragma}(1)`).get()?.[pragma];
  if (problem !== 'ok') {
    throw new StoreFailure('damaged', `the database is damaged: ${String(problem)}`);
  }
}

/** Before anything is changed: a seal that is left would tell of damage after a crash. */
export function breakSeal(file: string): void {
  if (!existsSync(sealFile(file))) return;
  rmSync(sealFile(file));
  syncFolder(file);
}

function syncFolder(file: string): void {
  let folder: number;
  try {
    folder = openSync(dirname(file), 'r');
  } catch {
    // Windows opens no folder, and needs no such call.
    return;
  }
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/**
 * Closes a database and seals its file, for its owner only. What was not changed keeps its seal as it was (`found`). Where
 * the disk takes no seal, or somebody else has the database open, there is none, and the next start looks it through.
 */
export function closeSealed(db: DatabaseSync, file: string, found: Found): void {
  let closing = found.same ? (found.seal?.closing ?? 0) : 0;
  try {
    const changed = Number(db.prepare('select total_changes() as changes').get()?.['changes']) > 0;
    if (changed || closing === 0) {
      closing = randomInt(1, 0x7fff_ffff);
      db.exec(`pragma user_version = ${closing}`);
    }
  } catch {
    closing = 0;
  }
  db.close();
  if (closing === 0 || existsSync(`${file}-wal`)) return;
  try {
    const temporary = `${sealFile(file)}.new`;
    rmSync(temporary, { force: true });
    const seal: Seal =
      found.same && found.seal?.closing === closing ? found.seal : { closing, ...measure(file) };
    writeFileSync(temporary, `${JSON.stringify(seal)}\n`, { mode: 0o600, flush: true });
    renameSync(temporary, sealFile(file));
  } catch {
    // The database is closed, and well.
  }
}
