/** Files that are written whole or not at all, for their owner only. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Writes a file whole or not at all, readable by its owner only unless told, on disk when it returns. */
export function writeFileAtomic(path: string, text: string | Uint8Array, modeOctal = 0o600): void {
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, 'wx', modeOctal);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

/**
 * Creates an empty file, for its owner only, on disk when it returns; one that is there stays. It has no
 * content that could be half there, so it needs no temporary name beside it: whoever is killed in this leaves the file or
 * nothing.
 */
export function createMarker(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
  syncFolder(dirname(path));
}

/** A rename is durable once its folder is; Windows has no such call and needs none. */
export function syncFolder(dir: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(dir, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Has what was written to a file on disk when it returns. */
export function syncFile(path: string): void {
  const file = openSync(path, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
